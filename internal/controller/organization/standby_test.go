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

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

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
