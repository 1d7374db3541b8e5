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

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

func organizationSpec(instance string, o *clerk.Organization) v1alpha1.ClerkOrganizationSpec {
	return v1alpha1.ClerkOrganizationSpec{
		Instance:              instance,
		ID:                    o.ID,
		Name:                  o.Name,
		Slug:                  o.Slug,
		ImageURL:              o.ImageURL,
		PublicMetadata:        rawExtension(o.PublicMetadata),
		MaxAllowedMemberships: new(o.MaxAllowedMemberships),
		CreatedAt:             microTime(o.CreatedAt),
		UpdatedAt:             microTime(o.UpdatedAt),
	}
}

func organizationTombstone(instance string, o *clerk.OrganizationDeleted, at time.Time) v1alpha1.ClerkOrganizationSpec {
	return v1alpha1.ClerkOrganizationSpec{Instance: instance, ID: o.ID, DeletedAt: microTime(at)}
}

func memberSpec(instance string, m *clerk.Membership) v1alpha1.ClerkMemberSpec {
	return v1alpha1.ClerkMemberSpec{
		Instance:       instance,
		ID:             m.ID,
		OrganizationID: m.Organization.ID,
		UserID:         m.User.ID,
		Role:           m.Role,
		Permissions:    sorted(m.Permissions),
		User:           memberUser(m.User),
		PublicMetadata: rawExtension(m.PublicMetadata),
		CreatedAt:      microTime(m.CreatedAt),
		UpdatedAt:      microTime(m.UpdatedAt),
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
		Instance: instance, ID: m.ID, OrganizationID: m.OrganizationID, UserID: m.UserID, DeletedAt: microTime(at),
	}
}

// keepIDs lets a tombstone keep the ids that are known, whatever the deletion says of them: a deletion is final for its id.
func keepIDs(tombstone, known v1alpha1.ClerkMemberSpec) v1alpha1.ClerkMemberSpec {
	if known.OrganizationID != "" {
		tombstone.OrganizationID = known.OrganizationID
	}
	if known.UserID != "" {
		tombstone.UserID = known.UserID
	}
	return tombstone
}

func organizationConfiguration(spec v1alpha1.ClerkOrganizationSpec, uid *types.UID) runtime.ApplyConfiguration {
	configuration := clerkac.ClerkOrganization(v1alpha1.ObjectName(spec.ID)).
		WithLabels(organizationLabels(spec)).
		WithSpec(&clerkac.ClerkOrganizationSpecApplyConfiguration{
			Instance:              &spec.Instance,
			ID:                    &spec.ID,
			Name:                  orNil(spec.Name),
			Slug:                  orNil(spec.Slug),
			ImageURL:              orNil(spec.ImageURL),
			PublicMetadata:        spec.PublicMetadata,
			MaxAllowedMemberships: spec.MaxAllowedMemberships,
			CreatedAt:             spec.CreatedAt,
			UpdatedAt:             spec.UpdatedAt,
			DeletedAt:             spec.DeletedAt,
		})
	if uid != nil {
		configuration.WithUID(*uid)
	}
	return configuration
}

func memberConfiguration(spec v1alpha1.ClerkMemberSpec, uid *types.UID) runtime.ApplyConfiguration {
	configuration := clerkac.ClerkMember(v1alpha1.ObjectName(spec.ID)).
		WithLabels(memberLabels(spec)).
		WithSpec(&clerkac.ClerkMemberSpecApplyConfiguration{
			Instance:       &spec.Instance,
			ID:             &spec.ID,
			OrganizationID: orNil(spec.OrganizationID),
			UserID:         orNil(spec.UserID),
			Role:           orNil(spec.Role),
			Permissions:    spec.Permissions,
			User:           userConfiguration(spec.User),
			PublicMetadata: spec.PublicMetadata,
			CreatedAt:      spec.CreatedAt,
			UpdatedAt:      spec.UpdatedAt,
			DeletedAt:      spec.DeletedAt,
		})
	if uid != nil {
		configuration.WithUID(*uid)
	}
	return configuration
}

func userConfiguration(user v1alpha1.ClerkMemberUser) *clerkac.ClerkMemberUserApplyConfiguration {
	if user == (v1alpha1.ClerkMemberUser{}) {
		return nil
	}
	return &clerkac.ClerkMemberUserApplyConfiguration{
		Identifier:    orNil(user.Identifier),
		Username:      orNil(user.Username),
		FirstName:     orNil(user.FirstName),
		LastName:      orNil(user.LastName),
		Banned:        user.Banned,
		Deprovisioned: user.Deprovisioned,
	}
}

func organizationLabels(spec v1alpha1.ClerkOrganizationSpec) map[string]string {
	labels := map[string]string{v1alpha1.OrganizationIDLabel: spec.ID}
	if spec.Slug != "" && len(validation.IsValidLabelValue(spec.Slug)) == 0 {
		labels[v1alpha1.SlugLabel] = spec.Slug
	}
	return labels
}

func memberLabels(spec v1alpha1.ClerkMemberSpec) map[string]string {
	labels := map[string]string{}
	if spec.OrganizationID != "" {
		labels[v1alpha1.OrganizationIDLabel] = spec.OrganizationID
	}
	if spec.UserID != "" {
		labels[v1alpha1.UserIDLabel] = spec.UserID
	}
	return labels
}

// sameOrganization tells whether what is known says what is wanted already. A tombstone is final, whatever the time it has.
func sameOrganization(known *v1alpha1.ClerkOrganization, want v1alpha1.ClerkOrganizationSpec) bool {
	if want.DeletedAt != nil {
		return true
	}
	return isExactOrganization(known.Spec, want) && includes(known.Labels, organizationLabels(want))
}

// sameMember is sameOrganization for a member.
func sameMember(known *v1alpha1.ClerkMember, want v1alpha1.ClerkMemberSpec) bool {
	if want.DeletedAt != nil {
		return true
	}
	return isExactMember(known.Spec, want) && includes(known.Labels, memberLabels(want))
}

func isExactOrganization(have, want v1alpha1.ClerkOrganizationSpec) bool {
	if !sameJSON(have.PublicMetadata, want.PublicMetadata) {
		return false
	}
	have.PublicMetadata, want.PublicMetadata = nil, nil
	return equality.Semantic.DeepEqual(have, want)
}

func isExactMember(have, want v1alpha1.ClerkMemberSpec) bool {
	if !sameJSON(have.PublicMetadata, want.PublicMetadata) {
		return false
	}
	have.PublicMetadata, want.PublicMetadata = nil, nil
	return equality.Semantic.DeepEqual(have, want)
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

func includes(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

func rawExtension(raw json.RawMessage) *runtime.RawExtension {
	if len(raw) == 0 {
		return nil
	}
	return &runtime.RawExtension{Raw: raw}
}

func microTime(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	return new(metav1.NewMicroTime(t))
}

// orNil returns nil for a zero value: what Clerk left empty is left out.
func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
