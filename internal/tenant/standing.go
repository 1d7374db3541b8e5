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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
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
// word keeps out, whenever it is from. That of the membership does unless the user's is newer: it is what held when the membership last
// changed, or later.
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
	if member.Spec.UpdatedAt.Before(user.Spec.UpdatedAt) {
		return NotBarred
	}
	return barOf(member.Spec.User.Banned, member.Spec.User.Deprovisioned)
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
)

// RoleOf is the role that a member holds: that of the ClerkRoles which has the key that the membership carries, or formerly had it, with
// the permissions that it has now. Where none is known, the membership's own word counts. Candidates are all ClerkRoles that have or had
// the key; permission finds a ClerkPermission by its id, nil if it is not known.
func RoleOf(
	member *v1alpha1.ClerkMember, candidates []*v1alpha1.ClerkRole, permission func(id string) *v1alpha1.ClerkPermission,
) Role {
	if len(candidates) == 0 {
		return Role{Key: member.Spec.Role, Permissions: member.Spec.Permissions}
	}
	role := Holds(member, candidates)
	switch {
	case role == nil:
		return Role{Doubt: RoleAmbiguous}
	case role.Spec.DeletedAt != nil:
		return Role{Doubt: RoleDeleted}
	}
	return Role{Key: role.Spec.Key, Permissions: permissionKeys(role, permission)}
}

// Holds is the one of several ClerkRoles that a member holds, all of which have or had the key that the membership carries; nil if that is
// not certain. A key belongs to one role at a time, so the time of the membership's last change tells whose it was then.
func Holds(member *v1alpha1.ClerkMember, candidates []*v1alpha1.ClerkRole) *v1alpha1.ClerkRole {
	if len(candidates) > 1 {
		candidates = slices.DeleteFunc(slices.Clone(candidates), func(role *v1alpha1.ClerkRole) bool {
			return !mayHaveHad(role, member.Spec.Role, member.Spec.UpdatedAt)
		})
	}
	if len(candidates) != 1 {
		return nil
	}
	return candidates[0]
}

// mayHaveHad tells whether a role may have had a key at a time.
func mayHaveHad(role *v1alpha1.ClerkRole, key string, at *metav1.MicroTime) bool {
	if at == nil {
		return true
	}
	if role.Spec.CreatedAt != nil && at.Before(role.Spec.CreatedAt) {
		return false
	}
	if role.Spec.Key == key {
		return role.Spec.DeletedAt == nil || at.Before(role.Spec.DeletedAt)
	}
	return slices.ContainsFunc(role.Spec.FormerKeys, func(former v1alpha1.FormerRoleKey) bool {
		return former.Key == key && at.Before(former.Until)
	})
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
