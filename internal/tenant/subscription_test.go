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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// offer is a subscription item whose period began so many hours before noon.
func offer(plan string, status v1alpha1.SubscriptionItemStatus, hoursAgo int, change ...func(*v1alpha1.ClerkSubscriptionItemSpec),
) *v1alpha1.ClerkSubscriptionItem {
	item := &v1alpha1.ClerkSubscriptionItem{Spec: v1alpha1.ClerkSubscriptionItemSpec{
		Entity: v1alpha1.Entity{ID: "csub_item_" + plan}, OrganizationID: "org_acme", Status: status, Plan: plan, PeriodStart: hoursFromNoon(-hoursAgo),
	}}
	for _, edit := range change {
		edit(&item.Spec)
	}
	return item
}

func hoursFromNoon(hours int) *metav1.MicroTime {
	return new(metav1.NewMicroTime(noon.Add(time.Duration(hours) * time.Hour)))
}

func endsIn(hours int) func(*v1alpha1.ClerkSubscriptionItemSpec) {
	return func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.PeriodEnd = hoursFromNoon(hours) }
}

// lost says that a time of an item could not be kept.
func lost(field string) func(*v1alpha1.ClerkSubscriptionItemSpec) {
	return func(i *v1alpha1.ClerkSubscriptionItemSpec) {
		i.DroppedFields = []string{field}
		switch field {
		case "periodStart":
			i.PeriodStart = nil
		case "periodEnd":
			i.PeriodEnd = nil
		}
	}
}

// overAndDone is the tombstone of an item.
func overAndDone() *v1alpha1.ClerkSubscriptionItem {
	return &v1alpha1.ClerkSubscriptionItem{Spec: v1alpha1.ClerkSubscriptionItemSpec{
		Entity: v1alpha1.Entity{ID: "csub_item_old", DeletedAt: hoursFromNoon(-1)}, OrganizationID: "org_acme",
	}}
}

func TestOneItemSaysWhichPlanAnOrganizationHas(t *testing.T) {
	t.Parallel()
	const active, canceled, upcoming = v1alpha1.SubscriptionActive, v1alpha1.SubscriptionCanceled, v1alpha1.SubscriptionUpcoming
	seats := func(n int64) func(*v1alpha1.ClerkSubscriptionItemSpec) {
		return func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Seats = &n }
	}
	soon := noon.Add(time.Hour)
	for name, tc := range map[string]struct {
		reason string
		items  []*v1alpha1.ClerkSubscriptionItem
		want   Plan
	}{
		"nothing is known": {"", nil, Plan{}},
		"active":           {"", []*v1alpha1.ClerkSubscriptionItem{offer("pro", active, 5, seats(7))}, Plan{Slug: "pro", Status: "active", Seats: 7}},
		"past due":         {"a payment may come yet", []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionPastDue, 5)}, Plan{Slug: "pro", Status: "past_due"}},
		"canceled":         {"it is paid for", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 5, endsIn(1)), offer("free", upcoming, -1)}, Plan{Slug: "pro", Status: "canceled", Ends: &soon}},
		"canceled and over": {
			"Clerk has yet to say so", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 5, endsIn(0))}, Plan{Status: "ended"},
		},
		"canceled, the next began": {"", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 5, endsIn(1)), offer("team", active, 1)}, Plan{Slug: "team", Status: "active"}},
		"canceled without an end":  {"", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 5)}, Plan{Slug: "pro", Status: "canceled"}},
		"upcoming alone":           {"it has not begun", []*v1alpha1.ClerkSubscriptionItem{offer("pro", upcoming, -1)}, Plan{Status: "upcoming"}},
		"incomplete alone":         {"", []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionIncomplete, 1)}, Plan{Status: "incomplete"}},
		"a status to come":         {"who knows what it means", []*v1alpha1.ClerkSubscriptionItem{offer("pro", "paused", 1), offer("free", active, 9)}, Plan{Slug: "free", Status: "active"}},
		"ended":                    {"", []*v1alpha1.ClerkSubscriptionItem{overAndDone()}, Plan{Status: "ended"}},
		"ended, and another":       {"", []*v1alpha1.ClerkSubscriptionItem{overAndDone(), offer("free", active, 1)}, Plan{Slug: "free", Status: "active"}},
		"an end that was not heard of": {
			"the old plan does not come back", []*v1alpha1.ClerkSubscriptionItem{offer("pro", active, 9), offer("free", active, 1)},
			Plan{Slug: "free", Status: "active"},
		},
		"canceled, its end was not kept": {
			"it may be over", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 5, lost("periodEnd"))}, Plan{},
		},
		"a start that was not kept": {
			"which one began last?", []*v1alpha1.ClerkSubscriptionItem{offer("pro", active, 9), offer("free", active, 1, lost("periodStart"))},
			Plan{},
		},
		"a start that was not kept, until the other ends": {
			"", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 9, endsIn(1)), offer("free", active, 1, lost("periodStart"))},
			Plan{Ends: &soon},
		},
		"a start that was not kept, of the only one": {
			"", []*v1alpha1.ClerkSubscriptionItem{overAndDone(), offer("free", active, 1, lost("periodStart"))},
			Plan{Slug: "free", Status: "active"},
		},
		"an end that was not kept, of an old one": {
			"it does not count", []*v1alpha1.ClerkSubscriptionItem{offer("pro", canceled, 9, lost("periodEnd")), offer("free", active, 1)},
			Plan{Slug: "free", Status: "active"},
		},
		"no plan at all": {"", []*v1alpha1.ClerkSubscriptionItem{offer("", active, 1)}, Plan{Status: "active"}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the order says nothing
				got := Subscription{Items: tc.items}.Plan(noon)
				if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(Plan{})); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}
				for i, j := 0, len(tc.items)-1; i < j; i, j = i+1, j-1 {
					tc.items[i], tc.items[j] = tc.items[j], tc.items[i]
				}
			}
		})
	}
}

func TestAPlanThatIsNotKnownDecidesNothing(t *testing.T) {
	t.Parallel()
	dropped := func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Plan, i.DroppedFields = "", []string{"plan", "seats"} }
	acme := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_acme"}, Slug: "acme"}}
	unknown, unread := []*v1alpha1.ClerkSubscriptionItem(nil), []*v1alpha1.ClerkSubscriptionItem{offer("", v1alpha1.SubscriptionActive, 1, dropped)}
	known := []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionActive, 1)}
	endless := []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionCanceled, 1, lost("periodEnd"))}
	for name, tc := range map[string]struct {
		when  string
		items []*v1alpha1.ClerkSubscriptionItem
		holds bool
		says  string
	}{
		"it is":                 {`organization.plan == "pro"`, known, true, ""},
		"it is not":             {`organization.plan == "free"`, known, false, "when is not true"},
		"not known":             {`organization.plan != "free"`, unknown, false, "organization.plan, which Clerk has not told"},
		"the status, not known": {`organization.subscriptionStatus != "past_due"`, unknown, false, "organization.subscriptionStatus, which Clerk has not told"},
		"seats, not told":       {`organization.seats == 0`, known, false, "organization.seats, which Clerk has not told"},
		"not kept":              {`organization.plan != "free"`, unread, false, "organization.plan, which could not be kept"},
		"seats, not kept":       {`organization.seats == 0`, unread, false, "organization.seats, which could not be kept"},
		"the status, kept":      {`organization.subscriptionStatus == "active"`, unread, true, ""},
		"an end, not kept":      {`organization.plan == "pro"`, endless, false, "organization.plan, which could not be kept"},
		"its status":            {`organization.subscriptionStatus == "canceled"`, endless, false, "organization.subscriptionStatus, which could not be kept"},
		"its seats":             {`organization.seats == 0`, endless, false, "organization.seats, which could not be kept"},
		"in parts":              {`dyn(organization)["pl" + "an"] != "free"`, unknown, false, "organization.plan, which Clerk has not told"},
		"something else":        {`organization.slug == "acme"`, unknown, true, ""},
		"ended":                 {`organization.subscriptionStatus == "ended" && organization.plan == ""`, []*v1alpha1.ClerkSubscriptionItem{overAndDone()}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Subscription{Items: tc.items}.Plan(noon)
			organization := OrganizationWith(acme, &plan)
			rule := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin", When: tc.when})[0]
			member := membership("jane", "org:admin")
			given := rule.Given(NewHolder("clerk:jane", member.ClerkMember, member.Standing, organization), noon)
			if given.Holds != tc.holds || !strings.Contains(given.Message, tc.says) {
				t.Errorf("got %+v", given)
			}
			isKnown := !strings.Contains(tc.says, "which")
			class, err := Select([]*Class{matching(t, "ruled", tc.when, 0), matching(t, "default", "", 0)}, organization, "")
			if isKnown != (err == nil) || isKnown && (class.Name() == "ruled") != tc.holds {
				t.Errorf("as a match rule: got %v, %v", class, err)
			}
		})
	}
}

// A class whose rule is not for an organization, whatever its plan, has no part in what becomes of it.
func TestOnlyARuleThatDependsOnThePlanLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	acme := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_acme"}, Slug: "acme"}}
	lossy := acme.DeepCopy()
	lossy.Spec.DroppedFields = []string{"slug"}
	for name, tc := range map[string]struct {
		match string
		of    *v1alpha1.ClerkOrganization
		want  string // "" for doubt
	}{
		"for another":          {`organization.slug == "other" && organization.plan == "pro"`, acme, "default"},
		"for another, behind":  {`organization.plan == "pro" && organization.slug == "other"`, acme, "default"},
		"for it in any case":   {`organization.plan == "pro" || organization.slug == "acme"`, acme, "ruled"},
		"for it by its plan":   {`organization.slug == "acme" && organization.plan == "pro"`, acme, ""},
		"by another name":      {`[organization].exists(o, o.plan == "pro")`, acme, ""},
		"in parts":             {`dyn(organization)["pl" + "an"] == "pro"`, acme, ""},
		"asked for":            {`has(organization.plan)`, acme, ""},
		"optionally":           {`organization.?plan.orValue("") != "free"`, acme, ""},
		"the slug was dropped": {`organization.slug == "other" && organization.plan == "pro"`, lossy, ""},
	} {
		t.Run(name, func(t *testing.T) {
			classes := []*Class{matching(t, "ruled", tc.match, 0), matching(t, "default", "", 0)}
			class, err := Select(classes, OrganizationOf(tc.of), "")
			switch {
			case tc.want == "" && err == nil:
				t.Errorf("got %s, want doubt", class.Name())
			case tc.want != "" && (err != nil || class.Name() != tc.want):
				t.Errorf("got %v, %v; want %s", class, err, tc.want)
			}
		})
	}
}

func TestAnOrganizationIsLookedAtWhenItsPlanEnds(t *testing.T) {
	t.Parallel()
	plan := Subscription{Items: []*v1alpha1.ClerkSubscriptionItem{offer("pro", v1alpha1.SubscriptionCanceled, 5, endsIn(2))}}.Plan(noon)
	sooner, later := noon.Add(time.Hour), noon.Add(3*time.Hour)
	for _, tc := range []struct{ known, want *time.Time }{{nil, plan.Ends}, {&sooner, &sooner}, {&later, plan.Ends}} {
		ends := Ends{Next: tc.known}
		ends.wakeBy(plan.Ends)
		if !ends.Next.Equal(*tc.want) {
			t.Errorf("with %v: got %v, want %v", tc.known, ends.Next, tc.want)
		}
	}
	ends := Ends{}
	ends.wakeBy(nil)
	if ends.Next != nil {
		t.Errorf("got %v", ends.Next)
	}
}
