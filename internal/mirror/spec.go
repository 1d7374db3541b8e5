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
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// entity is what a spec says of something that exists.
func entity(instance, id string, createdAt, updatedAt time.Time) v1alpha1.Entity {
	return v1alpha1.Entity{Instance: instance, ID: id, CreatedAt: microTime(createdAt), UpdatedAt: microTime(updatedAt)}
}

// tombstone is what a spec says of something that is deleted.
func tombstone(instance, id string, deletedAt *metav1.MicroTime) v1alpha1.Entity {
	return v1alpha1.Entity{Instance: instance, ID: id, DeletedAt: deletedAt}
}

func organizationSpec(instance string, o *clerk.Organization) v1alpha1.ClerkOrganizationSpec {
	spec := v1alpha1.ClerkOrganizationSpec{
		Entity:         entity(instance, o.ID, o.CreatedAt, o.UpdatedAt),
		Name:           o.Name,
		Slug:           o.Slug,
		ImageURL:       o.ImageURL,
		RoleSetKey:     o.RoleSetKey,
		PublicMetadata: rawExtension(o.PublicMetadata),
		DroppedFields:  o.Dropped,
	}
	if !slices.Contains(o.Dropped, clerk.FieldMaxAllowedMemberships) { // 0 would say that there is no limit
		spec.MaxAllowedMemberships = new(o.MaxAllowedMemberships)
	}
	return spec
}

func organizationTombstone(instance string, o *clerk.OrganizationDeleted, at time.Time) v1alpha1.ClerkOrganizationSpec {
	return v1alpha1.ClerkOrganizationSpec{Entity: tombstone(instance, o.ID, microTime(at))}
}

func memberSpec(instance string, m *clerk.Membership) v1alpha1.ClerkMemberSpec {
	return v1alpha1.ClerkMemberSpec{
		Entity:         entity(instance, m.ID, m.CreatedAt, m.UpdatedAt),
		OrganizationID: m.Organization.ID,
		UserID:         m.User.ID,
		Role:           m.Role,
		Permissions:    sorted(m.Permissions),
		User:           memberUser(m.User),
		PublicMetadata: rawExtension(m.PublicMetadata),
		DroppedFields:  m.Dropped,
	}
}

// sorted makes the order that Clerk lists things in mean nothing.
func sorted(keys []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}

func memberUser(u clerk.PublicUser) v1alpha1.ClerkMemberUser {
	return v1alpha1.ClerkMemberUser{
		Identifier:    u.Identifier,
		Username:      u.Username,
		FirstName:     u.FirstName,
		LastName:      u.LastName,
		Banned:        orNil(u.Banned),
		Deprovisioned: orNil(u.Deprovisioned),
	}
}

func memberTombstone(instance string, m *clerk.MembershipDeleted, at time.Time) v1alpha1.ClerkMemberSpec {
	return v1alpha1.ClerkMemberSpec{
		Entity: tombstone(instance, m.ID, microTime(at)), OrganizationID: m.OrganizationID, UserID: m.UserID,
	}
}

// keepIDs lets a tombstone keep the ids that are known, whatever the deletion says of them: a deletion is final for its id.
func keepIDs(tombstone, known v1alpha1.ClerkMemberSpec) v1alpha1.ClerkMemberSpec {
	if tombstone.DeletedAt == nil {
		return tombstone
	}
	if known.OrganizationID != "" {
		tombstone.OrganizationID = known.OrganizationID
	}
	if known.UserID != "" {
		tombstone.UserID = known.UserID
	}
	return tombstone
}

// sameJSON compares by meaning: the API server writes JSON in an order and a form of its own.
func sameJSON(a, b *runtime.RawExtension) bool {
	if a == nil || b == nil {
		return a == b
	}
	if bytes.Equal(a.Raw, b.Raw) {
		return true
	}
	var left, right any
	if json.Unmarshal(a.Raw, &left) != nil || json.Unmarshal(b.Raw, &right) != nil {
		return false
	}
	return reflect.DeepEqual(left, right)
}

func rawExtension(raw json.RawMessage) *runtime.RawExtension {
	if len(raw) == 0 {
		return nil
	}
	return &runtime.RawExtension{Raw: raw}
}

// microTime is a time as exact as the API server keeps it.
func microTime(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	return new(metav1.NewMicroTime(t.Truncate(time.Microsecond)))
}

// orNil returns nil for a zero value: what Clerk left empty is left out.
func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func userSpec(instance string, u *clerk.User) v1alpha1.ClerkUserSpec {
	spec := v1alpha1.ClerkUserSpec{
		Entity:         entity(instance, u.ID, u.CreatedAt, u.UpdatedAt),
		Username:       u.Username,
		FirstName:      u.FirstName,
		LastName:       u.LastName,
		ImageURL:       u.ImageURL,
		ExternalID:     u.ExternalID,
		Banned:         orNil(u.Banned),
		Locked:         orNil(u.Locked),
		Deprovisioned:  orNil(u.Deprovisioned),
		PublicMetadata: rawExtension(u.PublicMetadata),
		DroppedFields:  u.Dropped,

		TwoFactorEnabled:  u.TwoFactorEnabled, // false is kept too: it is not the same as not known
		EnterpriseAccount: u.EnterpriseAccount,
		Directory:         orNil(u.Directory),
	}
	if u.PrimaryEmail.Address != "" {
		spec.PrimaryEmail = v1alpha1.ClerkUserEmail{Address: u.PrimaryEmail.Address, Verified: orNil(u.PrimaryEmail.Verified)}
	}
	return spec
}

// impersonal is what of a user says whether Clerk lets them in, and nothing else.
func impersonal(u v1alpha1.ClerkUserSpec) v1alpha1.ClerkUserSpec {
	entity := v1alpha1.Entity{Instance: u.Instance, ID: u.ID, UpdatedAt: u.UpdatedAt, DeletedAt: u.DeletedAt}
	return v1alpha1.ClerkUserSpec{Entity: entity, Banned: u.Banned, Deprovisioned: u.Deprovisioned}
}

func userTombstone(instance string, u *clerk.UserDeleted, at time.Time) v1alpha1.ClerkUserSpec {
	return v1alpha1.ClerkUserSpec{Entity: tombstone(instance, u.ID, microTime(at))}
}

func permissionSpec(instance string, p *clerk.Permission) v1alpha1.ClerkPermissionSpec {
	return v1alpha1.ClerkPermissionSpec{
		Entity:      entity(instance, p.ID, p.CreatedAt, p.UpdatedAt),
		Key:         p.Key,
		Name:        p.Name,
		Description: p.Description,
	}
}

func permissionTombstone(instance string, p *clerk.PermissionDeleted, at time.Time) v1alpha1.ClerkPermissionSpec {
	return v1alpha1.ClerkPermissionSpec{Entity: tombstone(instance, p.ID, microTime(at))}
}
