/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package tenant

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// listed are the plans of an environment: what is free, and what is not.
func listed() Plans {
	return Plans{
		{ID: "cplan_free", Slug: "free", Features: []string{"chat"}, Default: new(true)},
		{ID: "cplan_pro", Slug: "pro", Features: []string{"cargo", "chat"}},
	}
}

func withPlanID(id string) func(*v1alpha1.ClerkSubscriptionItemSpec) {
	return func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.PlanID = id }
}

func TestAPermissionCountsOnlyWithItsFeature(t *testing.T) {
	t.Parallel()
	const active = v1alpha1.SubscriptionActive
	items := func(items ...*v1alpha1.ClerkSubscriptionItem) []*v1alpha1.ClerkSubscriptionItem { return items }
	twice := append(listed(), v1alpha1.InstancePlan{ID: "cplan_new", Slug: "pro", Features: []string{"cargo"}})
	noneDefault := listed()[1:]
	droppedPlan := func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Plan, i.DroppedFields = "", []string{"plan"} }
	droppedSeats := func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.DroppedFields = []string{"seats"} }
	for name, tc := range map[string]struct {
		reason     string
		permission string
		plans      Plans
		items      []*v1alpha1.ClerkSubscriptionItem
		holds      bool
		says       string
	}{
		"in the plan":          {"", "org:cargo:load", listed(), items(offer("pro", active, 1)), true, ""},
		"not in the plan":      {"", "org:cargo:load", listed(), items(offer("free", active, 1)), false, "the feature cargo, which the organization's plan free does not have: change the plan"},
		"by the plan's id":     {"", "org:cargo:load", listed(), items(offer("renamed", active, 1, withPlanID("cplan_pro"))), true, ""},
		"another plan's slug":  {"the id counts", "org:cargo:load", listed(), items(offer("pro", active, 1, withPlanID("cplan_old"))), false, "did not list the plan"},
		"a slug of two plans":  {"which of them?", "org:cargo:load", twice, items(offer("pro", active, 1)), false, "did not list the plan"},
		"an unknown plan":      {"it fails closed", "org:chat:write", listed(), items(offer("team", active, 1)), false, "ask for a resync"},
		"no item":              {"it has the default plan", "org:chat:write", listed(), nil, true, ""},
		"no item, not in it":   {"", "org:cargo:load", listed(), nil, false, "the organization's plan free"},
		"ended":                {"Clerk gives it the default plan", "org:chat:write", listed(), items(overAndDone()), true, ""},
		"no default plan":      {"", "org:chat:write", noneDefault, nil, false, "since it has no plan"},
		"an item of no plan":   {"", "org:chat:write", listed(), items(offer("", active, 1)), false, "since it has no plan"},
		"a dropped plan":       {"", "org:chat:write", listed(), items(offer("", active, 1, droppedPlan)), false, "could not be kept"},
		"dropped, with its id": {"", "org:cargo:load", listed(), items(offer("", active, 1, droppedPlan, withPlanID("cplan_pro"))), true, ""},
		"dropped seats":        {"they say nothing of features", "org:cargo:load", listed(), items(offer("pro", active, 1, droppedSeats)), true, ""},
		"which of two?":        {"", "org:chat:write", listed(), items(offer("pro", active, 1, lost("periodStart")), offer("free", active, 2)), false, "could not be kept"},
		"system permissions":   {"need no feature", "org:sys_memberships:manage", listed(), items(offer("free", active, 1)), true, ""},
		"no feature named":     {"", "org:load", listed(), items(offer("free", active, 1)), true, ""},
		"plans not known":      {"nothing is withheld", "org:cargo:load", nil, items(offer("free", active, 1)), true, ""},
		"nothing known at all": {"", "org:cargo:load", nil, nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := Subscription{Items: tc.items, Plans: tc.plans}.Plan(noon)
			member := membership("jane", "org:admin")
			member.Role.Permissions = []string{"org:other:thing", tc.permission, "org:sys_domains:read"}
			object := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_acme"}}}
			rules := rulesOf(t, v1alpha1.TenantRoleBinding{Permission: tc.permission, ClusterRole: "loader"},
				v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin"},
				v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "edit", When: `"` + tc.permission + `" in member.permissions`})
			holder := NewHolder("clerk:jane", member.ClerkMember, member.Standing, OrganizationWith(object, &plan))
			given := rules[0].Given(holder, noon)
			wanted := v1alpha1.ReasonFeatureNotInPlan
			if tc.holds {
				wanted = ""
			}
			if given.Holds != tc.holds || given.Reason != wanted || !strings.Contains(given.Message, tc.says) {
				t.Errorf("%s: got %+v", tc.reason, given)
			}
			if !rules[0].IsFor(holder.Role) {
				t.Error("the rule is not for the member any longer")
			}
			if !rules[1].Given(holder, noon).Holds {
				t.Error("what the role gives was withheld")
			}
			if rules[2].Given(holder, noon).Holds != tc.holds {
				t.Error("an expression sees other permissions than rules do")
			}
			if got := len(member.Role.Permissions); got != 3 {
				t.Errorf("the role itself was changed: %v", member.Role)
			}
		})
	}
}

func TestFeaturesThatAreNotKnownDecideNothing(t *testing.T) {
	t.Parallel()
	object := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_acme"}, Slug: "acme"}}
	pro := []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionActive, 1)}
	team := []*v1alpha1.ClerkSubscriptionItem{offer("team", v1alpha1.SubscriptionActive, 1)}
	for name, tc := range map[string]struct {
		when  string
		plans Plans
		items []*v1alpha1.ClerkSubscriptionItem
		holds bool
		says  string
	}{
		"it has one":        {`"cargo" in organization.features`, listed(), pro, true, ""},
		"it has none":       {`"sso" in organization.features`, listed(), pro, false, "when is not true"},
		"how many":          {`organization.features.size() == 2`, listed(), pro, true, ""},
		"by default":        {`"chat" in organization.features && organization.plan == "free"`, listed(), nil, true, ""},
		"its status":        {`organization.subscriptionStatus != ""`, listed(), nil, false, "organization.subscriptionStatus, which Clerk has not told"},
		"plans not known":   {`!("cargo" in organization.features)`, nil, pro, false, "organization.features, which is not known, since Clerk's plans are not"},
		"nothing known":     {`organization.features.size() == 0`, nil, nil, false, "organization.features, which is not known, since Clerk's plans are not"},
		"this one unlisted": {`organization.features.size() == 0`, listed(), team, false, "ask for a resync"},
		"its plan is known": {`organization.plan == "team"`, listed(), team, true, ""},
		"whatever it is":    {`organization.slug == "acme" || "x" in organization.features`, nil, nil, false, "organization.features"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := Subscription{Items: tc.items, Plans: tc.plans}.Plan(noon)
			rule := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin", When: tc.when})[0]
			member := membership("jane", "org:admin")
			given := rule.Given(NewHolder("clerk:jane", member.ClerkMember, member.Standing, OrganizationWith(object, &plan)), noon)
			if given.Holds != tc.holds || !strings.Contains(given.Message, tc.says) {
				t.Errorf("got %+v", given)
			}
		})
	}
	plan := Subscription{}.Plan(noon)
	class, err := Select([]*Class{matching(t, "ruled", `organization.slug == "other" && "x" in organization.features`, 0), matching(t, "default", "", 0)},
		OrganizationWith(object, &plan), "")
	if err != nil || class.Name() != "default" {
		t.Errorf("a rule for another organization: got %v, %v", class, err)
	}
}

func TestAMembersStatusNamesTheFeatureThatIsLacking(t *testing.T) {
	t.Parallel()
	served := &v1alpha1.ClerkOrganization{Status: v1alpha1.ClerkOrganizationStatus{
		ClassName: "default", Conditions: condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady}.Conditions(nil, 1),
	}}
	member := membership("jane", "org:admin")
	member.Role.Permissions = []string{"org:cargo:load"}
	facts := &MemberFacts{
		Member: member.ClerkMember, Standing: member.Standing, Organization: served, Subject: "clerk:jane", Now: noon,
		Rules:        rulesOf(t, v1alpha1.TenantRoleBinding{Permission: "org:cargo:load", ClusterRole: "loader"}),
		Subscription: Subscription{Plans: listed()},
	}
	status := facts.Status()
	bound := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionBound)
	ready, _ := condition.IsReady(status.Conditions)
	if bound.Reason != v1alpha1.ReasonFeatureNotInPlan || !strings.Contains(bound.Message, "the feature cargo") || !ready {
		t.Errorf("got %+v", status.Conditions)
	}
	facts.Rules = append(facts.Rules, rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "view"})...)
	facts.Bindings = []v1alpha1.MemberBinding{{Namespace: "org-acme", Name: "clerk:view", ClusterRole: "view"}}
	bound = meta.FindStatusCondition(facts.Status().Conditions, v1alpha1.ConditionBound)
	if bound.Reason != v1alpha1.ReasonBound || !strings.Contains(bound.Message, "not all that the role could give: the permission org:cargo:load") {
		t.Errorf("got %+v", bound)
	}
	facts.Subscription.Items = []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionActive, 1)}
	bound = meta.FindStatusCondition(facts.Status().Conditions, v1alpha1.ConditionBound)
	if strings.Contains(bound.Message, "not all") {
		t.Errorf("got %+v", bound)
	}
}

// TestNobodyHoldsAPermissionWithoutItsFeature: whatever the plans, the items and the roles are.
func TestNobodyHoldsAPermissionWithoutItsFeature(t *testing.T) {
	t.Parallel()
	slugs := []string{"a", "b", "c"}
	permissions := []string{"org:a:x", "org:a:y", "org:b:x", "org:c:x", "org:sys_a:x", "org:a", "a:b:c"}
	some := func(draw *rapid.T, of []string, name string) []string {
		var chosen []string
		for _, one := range of {
			if rapid.Bool().Draw(draw, name+" "+one) {
				chosen = append(chosen, one)
			}
		}
		return chosen
	}
	rapid.Check(t, func(draw *rapid.T) {
		var plans Plans
		for _, slug := range some(draw, slugs, "plan") {
			plan := v1alpha1.InstancePlan{ID: "cplan_" + slug, Slug: slug, Features: some(draw, slugs, "feature of "+slug)}
			if slug == "a" {
				plan.Default = new(true)
			}
			plans = append(plans, plan)
		}
		var items []*v1alpha1.ClerkSubscriptionItem
		has, isSaid := "a", false // what the newest living item says, or the default plan
		for n := range rapid.IntRange(0, 3).Draw(draw, "items") {
			item := offer(rapid.SampledFrom(slugs).Draw(draw, "plan of an item"), v1alpha1.SubscriptionActive, 9-n)
			if rapid.Bool().Draw(draw, "ended") {
				item = overAndDone()
			} else {
				has, isSaid = item.Spec.Plan, true
			}
			items = append(items, item)
		}
		at := slices.IndexFunc(plans, func(plan v1alpha1.InstancePlan) bool { return plan.Slug == has })
		plan := Subscription{Items: items, Plans: plans}.Plan(noon)
		role := Role{Key: "org:admin", Permissions: some(draw, permissions, "has")}
		limited := plan.limit(role)
		var want []string
		for _, permission := range role.Permissions {
			feature, needsOne := FeatureOf(permission)
			isInPlan := at >= 0 && slices.Contains(plans[at].Features, feature)
			if len(plans) == 0 || !needsOne || isInPlan {
				want = append(want, permission)
			}
		}
		if diff := cmp.Diff(want, limited.Permissions); diff != "" {
			draw.Fatalf("with the plan %s (said: %t) of %+v (-want +got):\n%s", has, isSaid, plans, diff)
		}
		all := slices.Concat(limited.Permissions, limited.Withheld)
		slices.Sort(all)
		sorted := slices.Sorted(slices.Values(role.Permissions))
		if diff := cmp.Diff(sorted, all); diff != "" && len(all) > 0 {
			draw.Fatalf("something was lost:\n%s", diff)
		}
	})
}

func TestAClusterGrantNeedsTheFeatureToo(t *testing.T) {
	t.Parallel()
	s := clusterSituation(ofGrant(func(grant *v1alpha1.ClusterGrant) { grant.Spec.Role, grant.Spec.Permission = "", "org:cargo:load" }),
		ofJane(func(jane *Membership) { jane.Role.Permissions = []string{"org:cargo:load"} }))
	isDue := func(subscription Subscription) bool {
		s.Organizations[0].Subscription = subscription
		_, isDue := DecideClusterGrant(s).Due["clerk:jane"]
		return isDue
	}
	pro := []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionActive, 1)}
	if !isDue(Subscription{}) || isDue(Subscription{Plans: listed()}) || !isDue(Subscription{Plans: listed(), Items: pro}) {
		t.Error("the plan does not decide")
	}
}
