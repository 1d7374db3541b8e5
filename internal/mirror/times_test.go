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

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// sameTimes are two states of something with the very same time of update, and how to tell them apart in the API server.
type sameTimes struct {
	id            string
	before, after clerk.Data
	isAfter       func(t *testing.T) bool
}

func everyKind() map[string]sameTimes {
	organization := acme(newID("org"), 50)
	renamed := *organization
	renamed.Name = "Renamed"

	letIn := jane(newID("orgmem"), acme(newID("org"), 50))
	letIn.User.Banned = false
	keptOut := *letIn
	keptOut.User.Banned = true

	visitor := person(newID("user"), 50)
	barred := *visitor
	barred.Banned = true

	role, permission := mate(newID("role"), "org:mate", 50), &clerk.Permission{ID: newID("perm"), Key: "org:a", UpdatedAt: at(50)}
	promoted, keyed := *role, *permission
	promoted.Permissions, keyed.Key = []clerk.RolePermission{{ID: "perm_1", Key: "org:b"}}, "org:b"

	return map[string]sameTimes{
		"organization": {organization.ID, organization, &renamed, func(t *testing.T) bool {
			t.Helper()
			return organizationOf(t, organization.ID).Spec.Name == "Renamed"
		}},
		"membership": {letIn.ID, letIn, &keptOut, func(t *testing.T) bool {
			t.Helper()
			return memberOf(t, letIn.ID).Spec.User.Banned != nil
		}},
		"user": {visitor.ID, visitor, &barred, func(t *testing.T) bool {
			t.Helper()
			return read[v1alpha1.ClerkUser](t, "default", visitor.ID).Spec.Banned != nil
		}},
		"role": {role.ID, role, &promoted, func(t *testing.T) bool {
			t.Helper()
			return len(read[v1alpha1.ClerkRole](t, "default", role.ID).Spec.Permissions) == 1
		}},
		"permission": {permission.ID, permission, &keyed, func(t *testing.T) bool {
			t.Helper()
			return read[v1alpha1.ClerkPermission](t, "default", permission.ID).Spec.Key == "org:b"
		}},
	}
}

// A membership embeds the user's ban and the permissions, which change while its own time of update does not.
func TestAReplayUndoesNothingAlsoWhereTimesOfUpdateAreEqual(t *testing.T) {
	t.Parallel()
	for replicaName, r := range map[string]*replica{"knowing": first, "blind": blind} {
		for name, tc := range everyKind() {
			t.Run(name+"/"+replicaName, func(t *testing.T) {
				t.Parallel()
				r.apply(t, happened(40, tc.before), mirror.Applied)
				r.apply(t, happened(30, tc.after), mirror.Applied)
				r.apply(t, happened(40, tc.before), mirror.Stale)
				if !tc.isAfter(t) {
					t.Error("a replay of the older event undid the newer one")
				}
			})
			t.Run(name+"/"+replicaName+"/in the other order", func(t *testing.T) {
				t.Parallel()
				other := everyKind()[name]
				r.apply(t, happened(30, other.after), mirror.Applied)
				r.apply(t, happened(40, other.before), mirror.Stale)
				if !other.isAfter(t) {
					t.Error("an older event that came late undid the newer one")
				}
			})
		}
	}
}

// A state that is told again is as new as its last telling: what was told in between is old.
func TestWhatIsToldAgainOutdatesWhatWasToldInBetween(t *testing.T) {
	t.Parallel()
	for name, tc := range everyKind() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first.apply(t, happened(40, tc.after), mirror.Applied)
			first.apply(t, happened(20, tc.after), mirror.Applied)
			first.apply(t, happened(30, tc.before), mirror.Stale)
			asked := first.requests.of(tc.id)
			first.apply(t, happened(20, tc.after), mirror.Duplicate)
			if outcome, err := first.Apply(t.Context(), "default", happened(40, tc.after)); err != nil || outcome == mirror.Applied {
				t.Errorf("the same, older: got %q, %v", outcome, err)
			}
			first.apply(t, listed(10, tc.after), mirror.Duplicate)
			if first.requests.of(tc.id) != asked || !tc.isAfter(t) {
				t.Error("the same again was written again")
			}
		})
	}
}

// listed is a row of a page that was asked for some minutes ago.
func listed(minutesAgo int, data clerk.Data) *clerk.Event {
	return &clerk.Event{Time: at(minutesAgo), IsListed: true, Data: data}
}

// A resync writes nothing where it finds no difference. What was said before it is old all the same.
func TestAResyncThatConfirmsOutdatesWhatWasToldBefore(t *testing.T) {
	t.Parallel()
	name := instanceWith(t, v1alpha1.UsersMembers)
	membership := jane(newID("orgmem"), acme(newID("org"), 50))
	lifted := *membership
	lifted.User.Banned = false
	first.applyTo(t, name, happened(40, membership), mirror.Applied)

	// Not confirmed: news that came late is news.
	first.applyTo(t, name, happened(30, &lifted), mirror.Applied)
	first.applyTo(t, name, happened(20, membership), mirror.Applied)
	first.knows(t, read[v1alpha1.ClerkMember](t, name, membership.ID))

	instance := &v1alpha1.ClerkInstance{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: name}, instance); err != nil {
		t.Fatal(err)
	}
	instance.Status.ConfirmedAt = new(metav1.NewTime(time.Now().Add(time.Hour))) // later than the member is known, by the API server's clock
	if err := live.Status().Update(t.Context(), instance); err != nil {
		t.Fatal(err)
	}
	first.knows(t, instance)
	first.applyTo(t, name, happened(10, &lifted), mirror.Stale)
	if read[v1alpha1.ClerkMember](t, name, membership.ID).Spec.User.Banned == nil {
		t.Error("the ban that a resync confirmed was undone by an older event")
	}
	first.applyTo(t, name, listed(10, &lifted), mirror.Applied) // the next resync sees for itself
}

// Metadata is what an organization's administrator may write: it must not keep their demotion away.
func TestWhatCannotBeKeptIsNamedAndKeepsNoRoleFromChanging(t *testing.T) {
	t.Parallel()
	membership := jane(newID("orgmem"), acme(newID("org"), 50))
	membership.Role = "org:admin"
	first.apply(t, happened(50, membership), mirror.Applied)

	demotion := *membership
	demotion.Role, demotion.UpdatedAt, demotion.PublicMetadata, demotion.Dropped = "org:member", at(40), nil, []string{"publicMetadata"}
	demotion.Organization.UpdatedAt, demotion.Organization.PublicMetadata = at(40), nil
	demotion.Organization.Dropped = []string{"maxAllowedMemberships", "publicMetadata"}
	first.apply(t, happened(40, &demotion), mirror.Applied)
	member, organization := memberOf(t, membership.ID), organizationOf(t, membership.Organization.ID)
	isEqual(t, "role", "org:member", member.Spec.Role)
	isEqual(t, "dropped of the member", []string{"publicMetadata"}, member.Spec.DroppedFields)
	isEqual(t, "dropped of the organization", demotion.Organization.Dropped, organization.Spec.DroppedFields)
	if organization.Spec.MaxAllowedMemberships != nil {
		t.Error("what was dropped reads as no limit")
	}
	first.apply(t, happened(30, left(membership)), mirror.Applied)
	if dropped := memberOf(t, membership.ID).Spec.DroppedFields; dropped != nil {
		t.Errorf("a tombstone keeps %v", dropped)
	}
}

func TestAMembershipThatDoesNotSayWhoseItIsStaysWhoseItWas(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			membership := jane(newID("orgmem"), acme(newID("org"), 50)) // who is banned
			nameless := *membership
			nameless.User, nameless.Role, nameless.UpdatedAt, nameless.Dropped = clerk.PublicUser{}, "org:guest", at(40), []string{"user"}
			outcome, err := r.Apply(t.Context(), "default", happened(40, &nameless))
			isRejected(t, outcome, err, "user_id")

			r.apply(t, happened(50, membership), mirror.Applied)
			r.apply(t, happened(40, &nameless), mirror.Applied)
			spec := memberOf(t, membership.ID).Spec
			isEqual(t, "role", "org:guest", spec.Role)
			isEqual(t, "user", membership.User.ID, spec.UserID)
			isEqual(t, "what of the user decides", v1alpha1.ClerkMemberUser{Banned: new(true)}, spec.User)
			r.apply(t, happened(30, left(membership)), mirror.Applied)
			nameless.UpdatedAt = at(20)
			r.apply(t, happened(20, &nameless), mirror.Stale)
		})
	}
}

func TestAnOrganizationThatIsRejectedKeepsNoRoleFromChanging(t *testing.T) {
	t.Parallel()
	membership := jane(newID("orgmem"), acme(newID("org"), 50))
	first.apply(t, happened(50, membership), mirror.Applied)
	membership.Role, membership.UpdatedAt = "org:guest", at(40)
	membership.Organization.Name, membership.Organization.UpdatedAt = string(text(2000)), at(40)
	outcome, err := first.Apply(t.Context(), "default", happened(40, membership))
	isRejected(t, outcome, err, "spec.name: ")
	isEqual(t, "role", "org:guest", memberOf(t, membership.ID).Spec.Role)
}

// What another ClerkInstance claims has a name of its own: it stands in nobody's way.
func TestAClaimOfAnotherInstanceHindersNobody(t *testing.T) {
	t.Parallel()
	for name, tc := range everyKind() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first.applyTo(t, "other", happened(20, tc.before), mirror.Applied)
			first.apply(t, happened(30, tc.after), mirror.Applied)
			first.applyTo(t, "other", happened(10, tc.before), mirror.Applied)
			if !tc.isAfter(t) {
				t.Error("another instance has a say")
			}
		})
	}
}
