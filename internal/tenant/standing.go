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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// Bar is why a user is let in nowhere.
type Bar string

const (
	// NotBarred: nothing is known that keeps the user out.
	NotBarred Bar = ""

	// BarredByBan: Clerk has banned the user.
	BarredByBan Bar = "banned"

	// BarredByDirectory: the user's directory has removed the user.
	BarredByDirectory Bar = "deprovisioned"

	// BarredByDeletion: the user was deleted in Clerk.
	BarredByDeletion Bar = "deleted"
)

// BarOf says what keeps a member's user out, by what is known of the user, nil if nothing, and by what the membership tells. The user's own
// word keeps out, whenever it is from. That of the membership does unless Clerk said the user's later: by when each was said, since a
// sign-in changes a user and a ban changes no membership.
func BarOf(member *v1alpha1.ClerkMember, user *v1alpha1.ClerkUser) Bar {
	if user == nil {
		return barOf(member.Spec.User.Banned, member.Spec.User.Deprovisioned)
	}
	if user.Spec.DeletedAt != nil {
		return BarredByDeletion
	}
	if bar := barOf(user.Spec.Banned, user.Spec.Deprovisioned); bar != NotBarred {
		return bar
	}
	if saidAt(member.Spec.AsOf, member.Spec.UpdatedAt).Before(saidAt(user.Spec.AsOf, user.Spec.UpdatedAt)) {
		return NotBarred
	}
	return barOf(member.Spec.User.Banned, member.Spec.User.Deprovisioned)
}

// IsBarred tells whether a user is let in nowhere, by their own word.
func IsBarred(user *v1alpha1.ClerkUser) bool {
	return BarOf(&v1alpha1.ClerkMember{}, user) != NotBarred
}

// MemberChangedAt is when a member last changed, by Clerk's clock.
func MemberChangedAt(member *v1alpha1.ClerkMember) time.Time {
	switch {
	case member.Spec.DeletedAt != nil:
		return member.Spec.DeletedAt.Time
	case member.Spec.UpdatedAt != nil:
		return member.Spec.UpdatedAt.Time
	}
	return member.CreationTimestamp.Time
}

// UserChangedAt is when a user last changed, by Clerk's clock.
func UserChangedAt(user *v1alpha1.ClerkUser) time.Time {
	switch {
	case user.Spec.DeletedAt != nil:
		return user.Spec.DeletedAt.Time
	case user.Spec.UpdatedAt != nil:
		return user.Spec.UpdatedAt.Time
	}
	return user.CreationTimestamp.Time
}

// Verdict says why a user is let in nowhere. That nobody is bound is then as it should be.
func (b Bar) Verdict() condition.Verdict {
	switch b {
	case BarredByBan:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonUserBanned,
			Message: "Clerk has banned the user, who so has no access in any organization: to give it back, unban the user in Clerk"}
	case BarredByDirectory:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonUserDeprovisioned,
			Message: "the user's directory has removed the user, who so has no access in any organization: to give it back, add them there again"}
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonUserDeleted,
		Message: "the user was deleted in Clerk, and so has no access in any organization"}
}

// saidAt is when Clerk said something; where that is not known, when it last changed.
func saidAt(asOf, updatedAt *metav1.MicroTime) *metav1.MicroTime {
	if asOf != nil {
		return asOf
	}
	return updatedAt
}

func barOf(banned, deprovisioned *bool) Bar {
	switch {
	case isTrue(banned):
		return BarredByBan
	case isTrue(deprovisioned):
		return BarredByDirectory
	}
	return NotBarred
}

func isTrue(value *bool) bool { return value != nil && *value }

// Role is what a member holds.
type Role struct {
	// Key is the role's key as Clerk has it now, and Permissions are the keys of what it allows. Both are empty where Doubt is not.
	Key         string
	Permissions []string

	// Withheld are the keys of what it allows and what counts for nobody in the organization, since the plan does not have their features. A
	// role has none before it is looked at together with a plan.
	Withheld []string

	// Doubt is why the member's role grants nothing; empty where it is known.
	Doubt RoleDoubt
}

// RoleDoubt is why a member's role grants nothing.
type RoleDoubt string

const (
	// RoleDeleted: the role was deleted in Clerk.
	RoleDeleted RoleDoubt = "deleted"

	// RoleAmbiguous: several roles had the key, and it is not certain which of them the membership means.
	RoleAmbiguous RoleDoubt = "ambiguous"

	// RoleUnknown: the roles that are known to have had the key did not have it when the membership changed: it means another one, of which
	// nothing is known yet.
	RoleUnknown RoleDoubt = "unknown"
)

// RoleOf is the role that a member holds: that of the ClerkRoles which has the key that the membership carries, or formerly had it, with
// the permissions that it has now. Where none is known, the membership's own word counts. Candidates are all ClerkRoles that have or had
// the key, or may have had any; permission finds a ClerkPermission by its id, nil if it is not known.
func RoleOf(
	member *v1alpha1.ClerkMember, candidates []*v1alpha1.ClerkRole, permission func(id string) *v1alpha1.ClerkPermission,
) Role {
	role, doubt := Holds(member, candidates)
	switch {
	case doubt != "":
		return Role{Doubt: doubt}
	case role == nil:
		return Role{Key: member.Spec.Role, Permissions: member.Spec.Permissions}
	case role.Spec.DeletedAt != nil:
		return Role{Doubt: RoleDeleted}
	}
	return Role{Key: role.Spec.Key, Permissions: permissionKeys(role, permission)}
}

// Holds is the one of several ClerkRoles that a member holds, all of which have or had the key that the membership carries, or may have had
// any; nil if there is none, or if that is in doubt. A key belongs to one role at a time, so the time of the membership's last change tells
// whose it was then. That is asked of a single one too: another one, of which nothing is known yet, may have got its former key.
func Holds(member *v1alpha1.ClerkMember, candidates []*v1alpha1.ClerkRole) (*v1alpha1.ClerkRole, RoleDoubt) {
	var possible, dropped []*v1alpha1.ClerkRole
	for _, role := range candidates {
		switch {
		case role.Spec.KeysDropped != nil:
			dropped = append(dropped, role)
		case mayHaveHeld(role, member):
			possible = append(possible, role)
		}
	}
	isPossible := func(role *v1alpha1.ClerkRole) bool { return existedFor(role, member) }
	switch {
	case len(possible) == 1:
		return possible[0], ""
	case len(possible) > 1, slices.ContainsFunc(dropped, isPossible):
		return nil, RoleAmbiguous
	case len(candidates) > len(dropped):
		return nil, RoleUnknown
	}
	return nil, ""
}

// permissionKeys are the keys of what a role allows. A permission that was deleted or renamed is so in every role that has it, whether
// Clerk told of the role or not.
func permissionKeys(role *v1alpha1.ClerkRole, permission func(id string) *v1alpha1.ClerkPermission) []string {
	keys := make([]string, 0, len(role.Spec.Permissions))
	for _, told := range role.Spec.Permissions {
		switch known := permission(told.ID); {
		case known == nil:
			keys = append(keys, told.Key)
		case known.Spec.DeletedAt != nil:
		case told.UpdatedAt == nil || told.UpdatedAt.Before(known.Spec.UpdatedAt):
			keys = append(keys, known.Spec.Key)
		default:
			keys = append(keys, told.Key)
		}
	}
	slices.SortFunc(keys, strings.Compare)
	return slices.Compact(keys)
}
