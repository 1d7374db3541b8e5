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

package organization

import (
	"context"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

func TestALossIsOverdueOnceTheElectedReplicaHadItsTime(t *testing.T) {
	t.Parallel()
	loss := func(name string) tenant.Loss {
		return tenant.Loss{RoleBinding: "1", Subject: rbacv1.Subject{Name: name}}
	}
	const acme, other = "default.org-acme", "default.org-other"
	began := time.Now()
	var overdue overdueLosses
	for i, step := range []struct {
		organization string
		after        time.Duration
		losses       []tenant.Loss
		want         bool
	}{
		{acme, 0, []tenant.Loss{loss("jane")}, false},
		{other, standbyDelay, []tenant.Loss{loss("jane")}, false},
		{acme, standbyDelay - 1, []tenant.Loss{loss("jane")}, false},
		{acme, standbyDelay, []tenant.Loss{loss("joe")}, false}, // one after the other, each just now
		{acme, 2*standbyDelay - 1, []tenant.Loss{loss("joe"), loss("eve")}, false},
		{acme, 2 * standbyDelay, []tenant.Loss{loss("joe"), loss("eve")}, true},
		{acme, 2*standbyDelay + 1, nil, false},
		{acme, 2*standbyDelay + 2, []tenant.Loss{loss("joe")}, false},
		{other, 3 * standbyDelay, []tenant.Loss{loss("jane")}, true},
	} {
		if got := overdue.any(step.organization, step.losses, began.Add(step.after)); got != step.want {
			t.Errorf("step %d: %s, %v later, losses %v: overdue is %t", i, step.organization, step.after, step.losses, got)
		}
	}
	overdue.any(other, nil, began)
	overdue.any(acme, nil, began)
	if len(overdue.since) != 0 {
		t.Errorf("it still remembers %v", overdue.since)
	}
}

// A RoleBinding that is kept without its content names nobody, and so it would be deleted: from those who have it and should.
func TestAReplicaThatIsNotElectedLeavesAloneWhatIsKeptWithoutItsContent(t *testing.T) {
	t.Parallel()
	whole := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "clerk:view"}}
	reduced := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
		Name: "clerk:admin", Annotations: map[string]string{cached.ReducedAnnotation: "true"},
	}}
	situation := &tenant.Situation{Organization: &v1alpha1.ClerkOrganization{}, RoleBindings: []*rbacv1.RoleBinding{reduced, whole}}
	revokeOnlyWhatIsWhole(situation)
	if !situation.RevokeOnly || len(situation.RoleBindings) != 1 || situation.RoleBindings[0] != whole {
		t.Errorf("it is left with revokeOnly=%t, %v", situation.RevokeOnly, situation.RoleBindings)
	}
}

func TestAStandbyLooksAtNoOrganizationOrMemberThatIsNew(t *testing.T) {
	t.Parallel()
	deleted := &v1alpha1.ClerkMember{}
	deleted.Spec.DeletedAt = new(metav1.NowMicro())
	for name, test := range map[string]struct {
		event   event.CreateEvent
		mayTake bool
		want    bool
	}{
		"a member who joined":             {event.CreateEvent{Object: &v1alpha1.ClerkMember{}}, false, false},
		"a member who joined, and counts": {event.CreateEvent{Object: &v1alpha1.ClerkMember{}}, true, true},
		"an organization":                 {event.CreateEvent{Object: &v1alpha1.ClerkOrganization{}}, false, false},
		"a tombstone":                     {event.CreateEvent{Object: deleted}, false, true},
		"a member found at the start":     {event.CreateEvent{Object: &v1alpha1.ClerkMember{}, IsInInitialList: true}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looked := false
			inner := handler.Funcs{CreateFunc: func(context.Context, event.CreateEvent, watch.Queue) { looked = true }}
			unlessNew(inner, func(context.Context) bool { return test.mayTake }).Create(t.Context(), test.event, nil)
			if looked != test.want {
				t.Errorf("it is looked at: %t, want %t", looked, test.want)
			}
		})
	}
}
