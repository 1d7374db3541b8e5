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

package resync_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// subscribe gives organization n a plan, from its founding on.
func (w *world) subscribe(n int, plan string) clerktest.SubscriptionItem {
	item := clerktest.SubscriptionItem{
		ID: w.id("csub_item", n), OrganizationID: w.id("org", n), Status: "active", Plan: plan,
		UpdatedAt: founded.Add(time.Duration(n) * time.Second),
	}
	w.api.SetSubscriptionItem(item)
	return item
}

// withBilling makes two plans.
func (w *world) withBilling() {
	w.api.SetPlan(clerktest.Plan{Slug: "free", IsDefault: true})
	w.api.SetPlan(clerktest.Plan{Slug: "pro", Features: []string{"sso", "cargo"}})
}

func (w *world) item(n int) *v1alpha1.ClerkSubscriptionItem {
	w.t.Helper()
	item := &v1alpha1.ClerkSubscriptionItem{}
	w.must(w.cluster.Get(w.t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(w.name, w.id("csub_item", n))}, item))
	return item
}

// wantsPlans checks the condition of the plans, "" for none, and how many are known.
func (w *world) wantsPlans(reason, message string, count int) v1alpha1.ClerkInstanceStatus {
	w.t.Helper()
	status := w.instance().Status
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPlansKnown)
	switch {
	case reason == "" && condition == nil:
	case condition == nil, condition.Reason != reason, !strings.Contains(condition.Message, message),
		(condition.Status == metav1.ConditionTrue) != (reason == v1alpha1.ReasonPlansListed):
		w.t.Errorf("got %+v, want %q: %s", condition, reason, message)
	}
	if len(status.Plans) != count {
		w.t.Errorf("got %d plans, want %d: %+v", len(status.Plans), count, status.Plans)
	}
	return status
}

// TestALostSubscriptionIsRepaired: plans are what permissions and quotas may depend on.
func TestALostSubscriptionIsRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.withBilling()
	for n := range 3 {
		w.subscribe(n, "free")
	}
	w.reconcile()
	status := w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkSubscriptionItem", 3, 3, 0, 0)
	status = w.wantsPlans(v1alpha1.ReasonPlansListed, "", 2)
	for _, plan := range status.Plans {
		want := v1alpha1.InstancePlan{ID: clerktest.PlanID("free"), Slug: "free", Default: new(true)}
		if plan.Slug == "pro" {
			want = v1alpha1.InstancePlan{ID: clerktest.PlanID("pro"), Slug: "pro", Features: []string{"cargo", "sso"}}
		}
		if diff := cmp.Diff(want, plan); diff != "" {
			t.Error(diff)
		}
	}
	// A webhook tells of an upgrade; that the plan went down again, none tells, nor that another one ended.
	upgraded := clerktest.SubscriptionItem{ID: w.id("csub_item", 0), OrganizationID: w.id("org", 0), Status: "active", Plan: "pro"}
	upgraded.UpdatedAt = founded.Add(time.Hour)
	w.event(w.decode(clerktest.SubscriptionItemEvent("updated", upgraded)))
	if plan := w.item(0).Spec.Plan; plan != "pro" {
		t.Fatalf("got the plan %q", plan)
	}
	lowered := upgraded
	lowered.Plan, lowered.UpdatedAt = "free", lowered.UpdatedAt.Add(time.Hour)
	w.api.SetSubscriptionItem(lowered)
	ended := w.subscribe(1, "free")
	ended.Status, ended.UpdatedAt = "ended", time.Now().Add(-time.Hour)
	w.api.SetSubscriptionItem(ended)
	status = w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkSubscriptionItem", 3, 0, 2, 0)
	if item := w.item(0).Spec; item.Plan != "free" || w.item(1).Spec.DeletedAt == nil {
		t.Errorf("got %+v and %+v", item, w.item(1).Spec)
	}
	before := w.writes.Load()
	w.clock = w.clock.Add(time.Hour)
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if writes := w.writes.Load() - before; writes != 1 {
		t.Errorf("%d writes, want that of the status alone", writes)
	}
}

// decode is what the receiver makes of an event.
func (w *world) decode(event clerktest.Event) clerk.Data {
	w.t.Helper()
	decoded, err := clerk.Decode(event.Body())
	w.must(err)
	return decoded.Data
}

func TestItemsThatAreGoneArePruned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.withBilling()
	for n := range 3 {
		w.subscribe(n, "pro")
	}
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.api.DeleteSubscriptionItem(w.id("csub_item", 2))
	w.api.DeleteOrganization(w.id("org", 1))
	// It cannot be looked at again: it stays.
	w.fail(clerkapi.Refused(http.StatusForbidden), func(path string) bool { return strings.HasSuffix(path, "/billing/subscription") })
	w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonIncomplete)
	if w.item(2).Spec.DeletedAt != nil || w.item(1).Spec.DeletedAt == nil {
		t.Error("what could not be looked at is gone, or what went with its organization is not")
	}
	w.api.Intercept(nil)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.item(2).Spec.DeletedAt == nil || w.item(0).Spec.DeletedAt != nil {
		t.Errorf("got %+v, %+v", w.item(0).Spec, w.item(2).Spec)
	}
}

// TestWithoutBillingNothingFails: most environments have none.
func TestWithoutBillingNothingFails(t *testing.T) {
	t.Parallel()
	answered := func(body string) clerkapi.Fault { return clerkapi.Fault{Status: http.StatusOK, Body: body} }
	for name, tc := range map[string]struct {
		fault   clerkapi.Fault
		reason  string
		message string
	}{
		"no plans":           {clerkapi.Fault{}, v1alpha1.ReasonBillingOff, "Clerk lists no plans"},
		"forbidden":          {clerkapi.Refused(http.StatusForbidden), v1alpha1.ReasonBillingOff, "403"},
		"not found":          {clerkapi.Refused(http.StatusNotFound), v1alpha1.ReasonBillingOff, "404"},
		"unprocessable":      {clerkapi.Refused(http.StatusUnprocessableEntity), v1alpha1.ReasonBillingOff, "422"},
		"a row of no use":    {answered(`{"data":[{"id":""}],"total_count":1}`), v1alpha1.ReasonPlansUnknown, "no id"},
		"something unheard":  {answered(`{}`), v1alpha1.ReasonPlansUnknown, "GET /billing/plans"},
		"more than there is": {answered(`{"data":[],"total_count":7}`), v1alpha1.ReasonPlansUnknown, "0 were listed of 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fill(6)
			w.fail(tc.fault, func(path string) bool { return strings.HasPrefix(path, "/billing/") })
			w.reconcile()
			w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
			status := w.wantsPlans(tc.reason, tc.message, 0)
			for _, kind := range status.LastResync.Kinds {
				if kind.Kind == "ClerkSubscriptionItem" {
					t.Errorf("nothing was listed, and yet: %+v", kind)
				}
			}
			asked := 0
			for _, request := range w.api.Requests() {
				if strings.HasPrefix(request.Path, "/billing/") {
					asked++
				}
			}
			if asked != 1 {
				t.Errorf("that billing is off took %d requests", asked)
			}
		})
	}
}

// TestPlansThatCannotBeReadStay: a key that may not read them any longer, or none at all, gives nobody more.
func TestPlansThatCannotBeReadStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.withBilling()
	w.subscribe(0, "pro")
	w.reconcile()
	w.wantsPlans(v1alpha1.ReasonPlansListed, "", 2)
	w.fail(clerkapi.Refused(http.StatusForbidden), func(path string) bool { return strings.HasPrefix(path, "/billing/") })
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansOutdated, "403", 2)
	w.setKey("sk_test_old")
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIRefused)
	w.wantsPlans(v1alpha1.ReasonPlansOutdated, "403", 2)
	w.edit(withoutKey)
	w.reconcile()
	w.wantsPlans(v1alpha1.ReasonPlansOutdated, "spec.api is not set", 2)
	before := w.writes.Load()
	w.reconcile()
	if w.writes.Load() != before {
		t.Error("the same was written again")
	}
	// Whoever wants them forgotten says so.
	forget := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/status/plans"}]`))
	w.must(w.cluster.Status().Patch(t.Context(), w.instance(), forget))
	w.reconcile()
	w.wantsPlans(v1alpha1.ReasonPlansUnknown, "spec.api is not set", 0)
}

// withoutKey leaves a ClerkInstance with webhooks alone.
func withoutKey(i *v1alpha1.ClerkInstance) {
	i.Spec.API = v1alpha1.ClerkInstanceAPI{}
	i.Spec.Webhook.SigningSecretRef.Name = i.Name
}

// TestWithoutAKeySubscriptionsAreNoticed: what webhooks tell of is then all that is known.
func TestWithoutAKeySubscriptionsAreNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutKey)
	w.reconcile()
	w.wantsPlans("", "", 0)
	item := clerktest.SubscriptionItem{ID: w.id("csub_item", 0), OrganizationID: w.id("org", 0), Status: "active", UpdatedAt: time.Now()}
	w.event(w.decode(clerktest.SubscriptionItemEvent("active", item)))
	w.reconcile()
	w.wantsPlans(v1alpha1.ReasonPlansUnknown, "spec.api is not set", 0)
	before := w.writes.Load()
	w.reconcile()
	if w.writes.Load() != before {
		t.Error("the same was written again")
	}
}

// TestPlansAreNotToldBeforeAllItemsAre: an organization without an item is taken for one with the default plan.
func TestPlansAreNotToldBeforeAllItemsAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.withBilling()
	w.subscribe(0, "pro")
	w.fail(clerkapi.Refused(http.StatusForbidden), func(path string) bool { return path == "/billing/subscription_items" })
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansUnknown, "403", 0)
	w.api.Intercept(nil)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansListed, "", 2)
}

// TestManyPlansAreBounded: the status has to hold them.
func TestManyPlansAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	features := make([]string, 64)
	for i := range features {
		features[i] = fmt.Sprintf("f%02d-%s", i, strings.Repeat("x", 124))
	}
	for n := range 70 {
		w.api.SetPlan(clerktest.Plan{Slug: fmt.Sprintf("p%02d-%s", n, strings.Repeat("y", 124)), Features: features, IsDefault: n == 69})
	}
	w.api.SetPlan(clerktest.Plan{Slug: strings.Repeat("z", 129)})
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	status := w.wantsPlans(v1alpha1.ReasonPlansIncomplete, "more than 64 plans", 64)
	isKept := false
	for _, plan := range status.Plans {
		isKept = isKept || plan.Default != nil
	}
	if !isKept {
		t.Error("the default plan was left out")
	}
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPlansKnown)
	if len(condition.Message) > 2000 {
		t.Errorf("a message of %d bytes", len(condition.Message))
	}
}

// TestNoPlansBesideSubscriptionsCountForNothing: without plans, permissions would be held whatever the plan.
func TestNoPlansBesideSubscriptionsCountForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.withBilling()
	w.subscribe(0, "pro")
	w.reconcile()
	w.wantsPlans(v1alpha1.ReasonPlansListed, "", 2)
	for _, slug := range []string{"free", "pro"} {
		w.api.DeletePlan(slug)
	}
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansOutdated, "no plans that they could be of", 2)
	w.api.SetPlan(clerktest.Plan{Slug: strings.Repeat("z", 129)})
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansOutdated, "none of 1 plans could be kept", 2)
	w.withBilling()
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.wantsPlans(v1alpha1.ReasonPlansIncomplete, "", 2)
}
