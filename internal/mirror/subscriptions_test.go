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

package mirror_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// pro is an item of Acme's subscription that was changed so many minutes ago.
func pro(id, status string, minutesAgo int) *clerk.SubscriptionItem {
	return &clerk.SubscriptionItem{
		ID: id, OrganizationID: "org_acme", Status: status, Plan: "pro", PlanID: "cplan_pro", PeriodStart: at(1000), PeriodEnd: at(-1000),
		Seats: new(int64(5)), CreatedAt: at(1000), UpdatedAt: at(minutesAgo), Dropped: []string{"periodEnd"},
	}
}

func over(id string, minutesAgo int) *clerk.SubscriptionItemEnded {
	return &clerk.SubscriptionItemEnded{ID: id, OrganizationID: "org_acme", UpdatedAt: at(minutesAgo)}
}

func itemOf(t *testing.T, id string) *v1alpha1.ClerkSubscriptionItem {
	t.Helper()
	return read[v1alpha1.ClerkSubscriptionItem](t, "default", id)
}

func TestASubscriptionItemIsMirrored(t *testing.T) {
	t.Parallel()
	id := newID("csub_item")
	first.apply(t, happened(30, pro(id, "active", 30)), mirror.Applied)
	got := itemOf(t, id)
	time := func(minutesAgo int) metav1.MicroTime { return metav1.NewMicroTime(at(minutesAgo)) }
	isEqual(t, "", map[string]any{
		"instance": "default", "id": id, "organizationID": "org_acme", "status": "active", "plan": "pro", "planID": "cplan_pro", "seats": 5,
		"periodStart": time(1000), "periodEnd": time(-1000), "createdAt": time(1000), "updatedAt": time(30), "asOf": time(30),
		"droppedFields": []string{"periodEnd"},
	}, got.Spec)
	isEqual(t, "", map[string]string{v1alpha1.OrganizationIDLabel: "org_acme"}, got.Labels)
	first.knows(t, got)
	first.apply(t, happened(30, pro(id, "active", 30)), mirror.Duplicate)
	blind.apply(t, happened(40, pro(id, "past_due", 40)), mirror.Stale)
	blind.apply(t, happened(20, pro(id, "past_due", 20)), mirror.Applied)
	blind.apply(t, happened(10, over(id, 10)), mirror.Applied)
	blind.apply(t, happened(5, pro(id, "active", 5)), mirror.Stale)
	isEqual(t, "a tombstone", map[string]any{
		"instance": "default", "id": id, "organizationID": "org_acme", "deletedAt": time(10),
	}, itemOf(t, id).Spec)
}

// Whatever the order in which Clerk's events of an upgrade arrive, they end alike.
func TestAnUpgradeEndsAlikeInEveryOrder(t *testing.T) {
	t.Parallel()
	events := func(free, paid string) []*clerk.Event {
		return []*clerk.Event{
			happened(60, pro(free, "active", 60)),
			happened(30, &clerk.Subscription{ID: "csub_1", Items: []clerk.Data{over(free, 30), pro(paid, "active", 30)}}),
			happened(30, over(free, 30)), happened(30, pro(paid, "active", 30)),
		}
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 0, 3, 1}, {3, 0, 2, 1}} {
		free, paid := newID("csub_item"), newID("csub_item")
		for _, i := range order {
			if _, err := blind.Apply(t.Context(), "default", events(free, paid)[i]); err != nil {
				t.Fatal(err)
			}
		}
		if itemOf(t, free).Spec.DeletedAt == nil {
			t.Errorf("%v: the old plan is back", order)
		}
		if spec := itemOf(t, paid).Spec; spec.Status != v1alpha1.SubscriptionActive || spec.DeletedAt != nil {
			t.Errorf("%v: got %+v", order, spec)
		}
	}
}

func TestWhoseASubscriptionIs(t *testing.T) {
	t.Parallel()
	user, nobody, known := newID("csub_item"), newID("csub_item"), newID("csub_item")
	ofUser, ofNobody, unsaid := pro(user, "active", 30), pro(nobody, "active", 30), pro(known, "past_due", 20)
	ofUser.OrganizationID, ofUser.IsOfUser = "", true
	ofNobody.OrganizationID, unsaid.OrganizationID = "", ""
	blind.apply(t, happened(30, ofUser), mirror.Ignored)
	blind.apply(t, happened(30, &clerk.SubscriptionItemEnded{ID: user, IsOfUser: true, UpdatedAt: at(30)}), mirror.Ignored)
	blind.apply(t, happened(30, ofNobody), mirror.Ignored)
	blind.apply(t, happened(30, &clerk.Subscription{ID: "csub_1", Items: []clerk.Data{ofUser}}), mirror.Ignored)
	isMissing(t, &v1alpha1.ClerkSubscriptionItem{}, "default", user)
	isMissing(t, &v1alpha1.ClerkSubscriptionItem{}, "default", nobody)

	blind.apply(t, happened(30, pro(known, "active", 30)), mirror.Applied)
	blind.apply(t, happened(20, unsaid), mirror.Applied)
	if spec := itemOf(t, known).Spec; spec.OrganizationID != "org_acme" || spec.Status != v1alpha1.SubscriptionPastDue {
		t.Errorf("got %+v", spec)
	}
	other := pro(known, "active", 10)
	other.OrganizationID = "org_other"
	outcome, err := blind.Apply(t.Context(), "default", happened(10, other))
	isRejected(t, outcome, err, "spec.organizationID")
	blind.apply(t, happened(5, &clerk.SubscriptionItemEnded{ID: known, UpdatedAt: at(5)}), mirror.Applied)
	if spec := itemOf(t, known).Spec; spec.OrganizationID != "org_acme" || spec.DeletedAt == nil {
		t.Errorf("got %+v", spec)
	}
}

// What was said before the end of an item comes late, and the end did not say of which organization the item was.
func TestAnItemThatEndedDoesNotBeginAgainWhoseverItWas(t *testing.T) {
	t.Parallel()
	id := newID("csub_item")
	ended := over(id, 20)
	ended.OrganizationID = ""
	blind.apply(t, happened(20, ended), mirror.Applied)
	blind.apply(t, happened(30, pro(id, "active", 30)), mirror.Stale)
	blind.apply(t, happened(10, ended), mirror.Duplicate)
	if spec := itemOf(t, id).Spec; spec.OrganizationID != "" || spec.DeletedAt == nil {
		t.Errorf("got %+v", spec)
	}
}

// An item that Clerk lists long after its end needs no tombstone: what could bring it back is too old to create anything.
func TestAnItemThatEndedLongAgoLeavesNothing(t *testing.T) {
	t.Parallel()
	long, lately := newID("csub_item"), newID("csub_item")
	first.apply(t, happened(1, &clerk.Subscription{ID: "csub_1", Items: []clerk.Data{over(long, 60*24*365), over(lately, 60)}}), mirror.Applied)
	isMissing(t, &v1alpha1.ClerkSubscriptionItem{}, "default", long)
	if itemOf(t, lately).Spec.DeletedAt == nil {
		t.Error("there is no tombstone")
	}
}

// One item that can never be written keeps no other from being written.
func TestAnItemThatIsRejectedStopsNoOther(t *testing.T) {
	t.Parallel()
	mine, theirs := newID("csub_item"), newID("csub_item")
	blind.apply(t, happened(30, pro(theirs, "active", 30)), mirror.Applied)
	moved := pro(theirs, "active", 20)
	moved.OrganizationID = "org_other"
	for _, items := range [][]clerk.Data{{moved, pro(mine, "active", 20)}, {pro(mine, "active", 19), moved}} {
		outcome, err := blind.Apply(t.Context(), "default", happened(20, &clerk.Subscription{ID: "csub_1", Items: slices.Clone(items)}))
		isRejected(t, outcome, err, "spec.organizationID")
	}
	if got := itemOf(t, mine).Spec.UpdatedAt; !got.Time.Equal(at(19)) {
		t.Errorf("the item is of %v", got)
	}
}
