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

package mirror

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

func roleSpec(instance string, r *clerk.Role) v1alpha1.ClerkRoleSpec {
	spec := v1alpha1.ClerkRoleSpec{
		Entity:      entity(instance, r.ID, r.CreatedAt, r.UpdatedAt),
		Key:         r.Key,
		Name:        r.Name,
		Description: r.Description,
	}
	for _, permission := range r.Permissions {
		spec.Permissions = append(spec.Permissions, v1alpha1.RolePermission{
			ID: permission.ID, Key: permission.Key, UpdatedAt: microTime(permission.UpdatedAt),
		})
	}
	spec.Keys = spec.SeenKeys()
	return spec
}

func roleTombstone(instance string, r *clerk.RoleDeleted, at time.Time) v1alpha1.ClerkRoleSpec {
	spec := v1alpha1.ClerkRoleSpec{Entity: tombstone(instance, r.ID, microTime(at)), Key: r.Key}
	spec.Keys = spec.SeenKeys()
	return spec
}

// joinRoles puts together two states of a role. What memberships name it by is the union of both, for members may carry any of its keys;
// the rest is that of the newer one. It says the same whichever of the two came first.
func joinRoles(want, known v1alpha1.ClerkRoleSpec) v1alpha1.ClerkRoleSpec {
	joined := want
	if isOlder(&known.Entity, &want.Entity) {
		joined = known
	}
	deletedAt := earliest(want.DeletedAt, known.DeletedAt)
	if deletedAt != nil {
		joined = v1alpha1.ClerkRoleSpec{Entity: tombstone(joined.Instance, joined.ID, deletedAt)}
	}
	joined.CreatedAt = earliest(want.CreatedAt, known.CreatedAt)
	joined.Keys, joined.KeysDropped = joinKeys(want.SeenKeys(), known.SeenKeys()), nil
	if want.KeysDropped != nil || known.KeysDropped != nil || len(joined.Keys) > v1alpha1.MaxRoleKeys {
		joined.Keys, joined.KeysDropped = nil, new(true)
	}
	if deletedAt != nil {
		joined.Key = latestKey(joined.Keys)
	}
	return joined
}

// joinKeys are the keys of both, sorted: each from the first time it was seen to the last.
func joinKeys(a, b []v1alpha1.RoleKey) []v1alpha1.RoleKey {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b v1alpha1.RoleKey) int { return strings.Compare(a.Key, b.Key) })
	joined := all[:0]
	for _, key := range all {
		last := len(joined) - 1
		if last < 0 || joined[last].Key != key.Key {
			joined = append(joined, key)
			continue
		}
		joined[last].FirstSeen = earliest(joined[last].FirstSeen, key.FirstSeen)
		joined[last].LastSeen = latest(joined[last].LastSeen, key.LastSeen)
	}
	return joined
}

// latestKey is the key that was seen last; of several at the same moment, the last by name.
func latestKey(keys []v1alpha1.RoleKey) string {
	if len(keys) == 0 {
		return ""
	}
	return slices.MaxFunc(keys, func(a, b v1alpha1.RoleKey) int {
		if order := a.LastSeen.Compare(b.LastSeen.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Key, b.Key)
	}).Key
}

// earliest is the earlier of two times, of which each may be unknown.
func earliest(a, b *metav1.MicroTime) *metav1.MicroTime {
	if a == nil || b != nil && b.Before(a) {
		return b
	}
	return a
}

// latest is the later of two times, of which each may be unknown.
func latest(a, b *metav1.MicroTime) *metav1.MicroTime {
	if a == nil || b != nil && a.Before(b) {
		return b
	}
	return a
}
