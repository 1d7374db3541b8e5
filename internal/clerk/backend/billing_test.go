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

package backend_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

func TestPlansAreListedWithWhatTheyGive(t *testing.T) {
	w := newWorld(t)
	w.api.SetPlan(clerktest.Plan{Slug: "free", IsDefault: true})
	w.api.SetPlan(clerktest.Plan{Slug: "pro", Features: []string{"sso", "cargo", "sso"}})
	w.api.SetPlan(clerktest.Plan{Slug: "plus", IsForUsers: true, Features: []string{"cargo"}})
	for n := range 5 { // more than a page
		w.api.SetPlan(clerktest.Plan{Slug: fmt.Sprintf("x%d", n)})
	}
	list, err := w.client.Plans(t.Context())
	if err != nil || len(list.LeftOut) > 0 || len(list.Plans) != 7 {
		t.Fatalf("got %+v, %v, want 7 plans", list, err)
	}
	want := clerk.Plan{ID: clerktest.PlanID("pro"), Slug: "pro", Features: []string{"cargo", "sso"}}
	if got := list.Plans[slices.IndexFunc(list.Plans, func(p clerk.Plan) bool { return p.Slug == "pro" })]; !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	if first := list.Plans[0]; !first.IsDefault || first.Slug != "free" {
		t.Errorf("got %+v first, want the default plan", first)
	}
}

// TestPlansThatCannotBeKeptAreLeftOut: whoever makes plans may make many, and give them long names.
func TestPlansThatCannotBeKeptAreLeftOut(t *testing.T) {
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("feature%d", i)
	}
	plan := func(slug string, features ...string) func(*clerkapi.API) {
		return func(a *clerkapi.API) { a.SetPlan(clerktest.Plan{Slug: slug, Features: features}) }
	}
	for name, tc := range map[string]struct {
		set     func(*clerkapi.API)
		leftOut int
		why     string
	}{
		"a long slug":       {plan(strings.Repeat("p", 129)), 1, "data.slug"},
		"a long feature":    {plan("pro", strings.Repeat("f", 129)), 1, "data.features[0].slug"},
		"many features":     {plan("pro", many...), 1, "data.features: more than 64"},
		"many plans":        {func(a *clerkapi.API) { addPlans(a, 70) }, 7, "more than 64 plans"},
		"as many as may be": {func(a *clerkapi.API) { addPlans(a, 63) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.api.SetPlan(clerktest.Plan{Slug: "free", IsDefault: true})
			tc.set(w.api)
			list, err := w.client.Plans(t.Context())
			if err != nil || len(list.LeftOut) != tc.leftOut || !list.Plans[0].IsDefault || len(list.Plans) > 64 {
				t.Fatalf("got %d and %+v, %v", len(list.Plans), list.LeftOut, err)
			}
			if tc.why != "" && !strings.Contains(list.LeftOut[0].Error(), tc.why) {
				t.Errorf("got %v, want %s", list.LeftOut[0], tc.why)
			}
		})
	}
}

func addPlans(a *clerkapi.API, n int) {
	for i := range n {
		a.SetPlan(clerktest.Plan{Slug: fmt.Sprintf("plan-%d", i)})
	}
}

func (w *world) addItem(n int) clerktest.SubscriptionItem {
	item := clerktest.SubscriptionItem{
		ID: fmt.Sprintf("csub_item_%03d", n), OrganizationID: "org_1", Status: "active", Plan: "pro",
		UpdatedAt: founded.Add(time.Duration(n) * time.Second),
	}
	w.api.SetSubscriptionItem(item)
	return item
}

// TestItemsThatComeWhileTheyAreListedAreListed: the newest come first, and move all others back.
func TestItemsThatComeWhileTheyAreListedAreListed(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t)
			for i := range n {
				w.addItem(i)
			}
			come := 100
			w.api.Intercept(func(r *http.Request) clerkapi.Fault {
				if strings.HasSuffix(r.URL.Path, "/billing/subscription_items") && come < 103 {
					w.addItem(come)
					come++
				}
				return clerkapi.Fault{}
			})
			seen := map[string]int{}
			listing, err := w.client.SubscriptionItems(t.Context(), func(page backend.Page) error {
				for _, item := range page.Entities {
					seen[item.EntityID()]++
				}
				return nil
			})
			if err != nil || listing.Gap != "" {
				t.Fatalf("got %q, %v", listing.Gap, err)
			}
			if want := n + come - 100; len(seen) != want || len(listing.IDs) != want {
				t.Errorf("listed %v, want %d items", seen, want)
			}
			for id, times := range seen {
				if times != 1 {
					t.Errorf("%s was handed on %d times", id, times)
				}
			}
		})
	}
}

func TestWhetherAnItemExists(t *testing.T) {
	w := newWorld(t)
	w.api.SetOrganization(clerktest.Organization{ID: "org_1", UpdatedAt: founded})
	item := w.addItem(1)
	for id, want := range map[string]bool{item.ID: true, "csub_item_2": false} {
		if has, err := w.client.HasSubscriptionItem(t.Context(), id, "org_1"); has != want || err != nil {
			t.Errorf("%s: got %t, %v", id, has, err)
		}
	}
	if has, err := w.client.HasSubscriptionItem(t.Context(), item.ID, "org_2"); has || err != nil {
		t.Errorf("of an organization that is gone: got %t, %v", has, err)
	}
	if _, err := w.client.HasSubscriptionItem(t.Context(), item.ID, ""); err == nil {
		t.Error("of nobody knows whom: nobody can tell")
	}
	w.api.Intercept(func(*http.Request) clerkapi.Fault { return clerkapi.ProxyError(http.StatusNotFound) })
	if _, err := w.client.HasSubscriptionItem(t.Context(), item.ID, "org_1"); err == nil {
		t.Error("a proxy's 404 is not Clerk's word")
	}
}
