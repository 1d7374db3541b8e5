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

package kubectl

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// What counts for a plan is told in one step, with where it comes from; nothing where nobody has heard of billing.
func TestWhyTellsOfThePlan(t *testing.T) {
	t.Parallel()
	item := func(plan string, status v1alpha1.SubscriptionItemStatus) []*v1alpha1.ClerkSubscriptionItem {
		return []*v1alpha1.ClerkSubscriptionItem{{
			ObjectMeta: metav1.ObjectMeta{Name: "default.csub-item-1"},
			Spec:       v1alpha1.ClerkSubscriptionItemSpec{Entity: v1alpha1.Entity{ID: "csub_item_1"}, Status: status, Plan: plan},
		}}
	}
	plans := tenant.Plans{
		{ID: "cplan_1", Slug: "free", Default: new(true)}, {ID: "cplan_2", Slug: "pro", Features: []string{"cargo", "chat"}},
	}
	for name, tc := range map[string]struct {
		subscription tenant.Subscription
		want, from   string
	}{
		"nothing is known": {tenant.Subscription{}, "", "clerkinstance"},
		"by an event":      {tenant.Subscription{Items: item("pro", v1alpha1.SubscriptionPastDue)}, "pro (past_due)", "clerksubscriptionitem"},
		"listed": {
			tenant.Subscription{Items: item("pro", v1alpha1.SubscriptionActive), Plans: plans}, "pro (active); its features: cargo, chat",
			"clerksubscriptionitem",
		},
		"free": {tenant.Subscription{Items: item("free", v1alpha1.SubscriptionActive), Plans: plans}, "free (active); it has no features", ""},
		"by default": {
			tenant.Subscription{Plans: plans}, "free, the default plan, since no subscription gives another; it has no features", "clerkinstance",
		},
		"unlisted": {
			tenant.Subscription{Items: item("team", v1alpha1.SubscriptionActive), Plans: plans},
			"team (active); Clerk did not list it when it was last asked, so no permission counts that needs a feature: ask for a resync", "",
		},
		"not begun": {tenant.Subscription{Items: item("pro", v1alpha1.SubscriptionUpcoming)}, "none (upcoming)", "clerkinstance"},
	} {
		plan := tc.subscription.Plan(time.Now())
		if step := planStep(&plan, "default"); step.Message != tc.want || !strings.HasPrefix(step.From, tc.from) {
			t.Errorf("%s: got %+v, want %q", name, step, tc.want)
		}
	}
}

// The rule is broken by the feature that is lacking, and its own sentence says what to do.
func TestWhyTellsOfTheFeatureThatIsLacking(t *testing.T) {
	t.Parallel()
	class, err := tenant.CompileClass(&v1alpha1.TenantClass{Spec: v1alpha1.TenantClassSpec{Namespaces: []v1alpha1.TenantNamespace{{
		Name: "org-${organization.handle}", RoleBindings: []v1alpha1.TenantRoleBinding{{Permission: "org:cargo:load", ClusterRole: "edit"}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	organization := &v1alpha1.ClerkOrganization{Status: v1alpha1.ClerkOrganizationStatus{
		ClassName: "default", Conditions: condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady}.Conditions(nil, 1),
	}}
	facts := &tenant.MemberFacts{
		Member: &v1alpha1.ClerkMember{}, Organization: organization, Subject: "clerk:jane", Rules: class.Rules(),
		Standing:     tenant.Standing{Role: tenant.Role{Key: "org:member", Permissions: []string{"org:cargo:load"}}},
		Subscription: tenant.Subscription{Plans: tenant.Plans{{ID: "cplan_1", Slug: "free", Default: new(true)}}},
	}
	verdict := facts.WhyNot()
	const whatToDo = "change the plan, or add the feature to it in Clerk"
	if verdict.Reason != v1alpha1.ReasonFeatureNotInPlan || !strings.Contains(verdict.Message, whatToDo) || brokenAt[verdict.Reason] != stepRule {
		t.Errorf("got %+v", verdict)
	}
	if text := ruleText(&facts.Rules[0], facts); !strings.Contains(text, "means edit (not now: ") || !strings.Contains(text, whatToDo) {
		t.Errorf("got %q", text)
	}
}

func TestTheTreeTellsOfThePlan(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ plan, status, want string }{
		{"", "", "no class, 0 members"},
		{"pro", "active", "no class, plan pro, 0 members"},
		{"pro", "past_due", "no class, plan pro (past_due), 0 members"},
		{"", "ended", "no class, no plan (ended), 0 members"},
	} {
		found := summary(&v1alpha1.ClerkOrganization{Status: v1alpha1.ClerkOrganizationStatus{Plan: tc.plan, SubscriptionStatus: tc.status}})
		out := &page{}
		found.text(out)
		if !strings.Contains(out.String(), tc.want) {
			t.Errorf("got %q, want %q", out.String(), tc.want)
		}
	}
}
