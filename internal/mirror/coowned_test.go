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
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// Somebody else who wrote a field owns it too: a backup that is restored writes all of them. What Clerk says replaces it all the same.
func TestWhatSomebodyElseWroteKeepsNothingAlive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reason string
		event  func(m *clerk.Membership) *clerk.Event
		want   func(spec v1alpha1.ClerkMemberSpec) bool
	}{
		"deletion": {
			reason: "a deletion always wins",
			event: func(m *clerk.Membership) *clerk.Event {
				return &clerk.Event{Type: clerk.TypeMembershipDeleted, Time: now, Data: &clerk.MembershipDeleted{ID: m.ID}}
			},
			want: func(spec v1alpha1.ClerkMemberSpec) bool {
				return spec.DeletedAt != nil && spec.PublicMetadata == nil && spec.User == (v1alpha1.ClerkMemberUser{}) && spec.Role == ""
			},
		},
		"permissions that are gone": {
			reason: "a permission that was taken away grants nothing",
			event: func(m *clerk.Membership) *clerk.Event {
				m.Permissions, m.UpdatedAt = nil, now
				return &clerk.Event{Type: clerk.TypeMembershipUpdated, Time: now, Data: m}
			},
			want: func(spec v1alpha1.ClerkMemberSpec) bool { return len(spec.Permissions) == 0 && spec.DeletedAt == nil },
		},
		"a ban that is lifted": {
			reason: "the ban is over",
			event: func(m *clerk.Membership) *clerk.Event {
				m.User.Banned, m.UpdatedAt = false, now
				return &clerk.Event{Type: clerk.TypeMembershipUpdated, Time: now, Data: m}
			},
			want: func(spec v1alpha1.ClerkMemberSpec) bool { return spec.User.Banned == nil },
		},
	}
	for name, test := range tests {
		for replicaName, replica := range map[string]*replica{"a replica that knows it": first, "a replica that does not": blind} {
			t.Run(name+" at "+replicaName, func(t *testing.T) {
				t.Parallel()
				membership := restored(t)
				outcome, err := replica.Apply(t.Context(), "prod", test.event(membership))
				if err != nil || outcome != mirror.Applied {
					t.Fatalf("%s: outcome %q, error %v", test.reason, outcome, err)
				}
				var member v1alpha1.ClerkMember
				if err := live.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName("prod", membership.ID)}, &member); err != nil {
					t.Fatal(err)
				}
				if !test.want(member.Spec) {
					t.Errorf("%s: spec is %+v", test.reason, member.Spec)
				}
			})
		}
	}
}

// restored makes a member by another hand than the mirror's.
func restored(t *testing.T) *clerk.Membership {
	t.Helper()
	then := now.Add(-time.Hour)
	membership := &clerk.Membership{
		ID: newID("orgmem"), Role: "org:member", Permissions: []string{"org:posts:write"}, UpdatedAt: then,
		Organization: clerk.Organization{ID: newID("org"), UpdatedAt: then},
		User:         clerk.PublicUser{ID: newID("user"), Identifier: canary, Banned: true},
	}
	member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{
		Entity:         v1alpha1.Entity{Instance: "prod", ID: membership.ID, UpdatedAt: new(metav1.NewMicroTime(then))},
		OrganizationID: membership.Organization.ID,
		UserID:         membership.User.ID,
		Role:           membership.Role,
		Permissions:    membership.Permissions,
		User:           v1alpha1.ClerkMemberUser{Identifier: canary, Banned: new(true)},
		PublicMetadata: &runtime.RawExtension{Raw: []byte(`{"nick":"` + canary + `"}`)},
	}}
	member.Name = v1alpha1.ObjectName("prod", membership.ID)
	if err := live.Create(t.Context(), member, client.FieldOwner("velero-server")); err != nil {
		t.Fatal(err)
	}
	return membership
}
