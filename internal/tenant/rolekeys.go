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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// What is known of a role's keys is when each was first and last seen. In between, the role had it; before and after it may have, up to
// where another key was seen.

// mayHaveHeld tells whether a role may be the one that a member has held since the membership last changed, by the key that it carries.
func mayHaveHeld(role *v1alpha1.ClerkRole, member *v1alpha1.ClerkMember) bool {
	return existedFor(role, member) && mayHaveHad(role.Spec.SeenKeys(), member.Spec.Role, member.Spec.UpdatedAt)
}

// existedFor tells whether a role may have existed when a membership last changed: it cannot have been given before it was made, nor after
// its end.
func existedFor(role *v1alpha1.ClerkRole, member *v1alpha1.ClerkMember) bool {
	changed := member.Spec.UpdatedAt
	if changed == nil {
		return true
	}
	if role.Spec.CreatedAt != nil && changed.Before(role.Spec.CreatedAt) {
		return false
	}
	return role.Spec.DeletedAt == nil || changed.Before(role.Spec.DeletedAt)
}

// mayHaveHad tells whether a role with these keys may have had one of them at a time or after it. Only that it had another one from then
// on speaks against it: a membership tells the key that its role has when it is asked for, which may be long after it last changed.
func mayHaveHad(keys []v1alpha1.RoleKey, key string, at *metav1.MicroTime) bool {
	var had *v1alpha1.RoleKey
	for i := range keys {
		if keys[i].Key == key {
			had = &keys[i]
		}
	}
	if had == nil {
		return false
	}
	if at == nil || !had.LastSeen.Before(at) {
		return true
	}
	for _, other := range keys {
		// Where the role came back to a key, when it did is not known: the key in between counts for as long as it was seen.
		if had.LastSeen.Before(other.LastSeen) && !at.Before(other.FirstSeen) {
			return false
		}
	}
	return true
}
