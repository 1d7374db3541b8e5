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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// The kinds that are mirrored.

var organizations = kind[v1alpha1.ClerkOrganization, v1alpha1.ClerkOrganizationSpec]{
	specOf: func(object *v1alpha1.ClerkOrganization) *v1alpha1.ClerkOrganizationSpec { return &object.Spec },
	asOf:   func(spec *v1alpha1.ClerkOrganizationSpec) **metav1.MicroTime { return &spec.AsOf },
	stateOf: func(spec *v1alpha1.ClerkOrganizationSpec) state {
		return state{identity{spec.Instance, spec.ID}, spec.UpdatedAt, spec.AsOf, spec.DeletedAt}
	},
	labels:   organizationLabels,
	metadata: func(spec *v1alpha1.ClerkOrganizationSpec) **runtime.RawExtension { return &spec.PublicMetadata },
	configuration: func(
		name string, uid *types.UID, labels map[string]string, spec v1alpha1.ClerkOrganizationSpec,
	) runtime.ApplyConfiguration {
		configuration := clerkac.ClerkOrganization(name).WithLabels(labels).WithSpec(&clerkac.ClerkOrganizationSpecApplyConfiguration{
			Instance:              &spec.Instance,
			ID:                    &spec.ID,
			Name:                  orNil(spec.Name),
			Slug:                  orNil(spec.Slug),
			ImageURL:              orNil(spec.ImageURL),
			PublicMetadata:        spec.PublicMetadata,
			DroppedFields:         spec.DroppedFields,
			MaxAllowedMemberships: spec.MaxAllowedMemberships,
			CreatedAt:             spec.CreatedAt,
			UpdatedAt:             spec.UpdatedAt,
			AsOf:                  spec.AsOf,
			DeletedAt:             spec.DeletedAt,
		})
		configuration.UID = uid
		return configuration
	},
}

var members = kind[v1alpha1.ClerkMember, v1alpha1.ClerkMemberSpec]{
	specOf: func(object *v1alpha1.ClerkMember) *v1alpha1.ClerkMemberSpec { return &object.Spec },
	asOf:   func(spec *v1alpha1.ClerkMemberSpec) **metav1.MicroTime { return &spec.AsOf },
	stateOf: func(spec *v1alpha1.ClerkMemberSpec) state {
		return state{identity{spec.Instance, spec.ID}, spec.UpdatedAt, spec.AsOf, spec.DeletedAt}
	},
	labels:   memberLabels,
	metadata: func(spec *v1alpha1.ClerkMemberSpec) **runtime.RawExtension { return &spec.PublicMetadata },
	keep:     keepIDs,
	keepsOut: func(spec v1alpha1.ClerkMemberSpec) bool {
		return spec.User.Banned != nil || spec.User.Deprovisioned != nil
	},
	configuration: func(
		name string, uid *types.UID, labels map[string]string, spec v1alpha1.ClerkMemberSpec,
	) runtime.ApplyConfiguration {
		configuration := clerkac.ClerkMember(name).WithLabels(labels).WithSpec(&clerkac.ClerkMemberSpecApplyConfiguration{
			Instance:       &spec.Instance,
			ID:             &spec.ID,
			OrganizationID: orNil(spec.OrganizationID),
			UserID:         orNil(spec.UserID),
			Role:           orNil(spec.Role),
			Permissions:    spec.Permissions,
			User:           userConfiguration(spec.User),
			PublicMetadata: spec.PublicMetadata,
			DroppedFields:  spec.DroppedFields,
			CreatedAt:      spec.CreatedAt,
			UpdatedAt:      spec.UpdatedAt,
			AsOf:           spec.AsOf,
			DeletedAt:      spec.DeletedAt,
		})
		configuration.UID = uid
		return configuration
	},
}

var users = kind[v1alpha1.ClerkUser, v1alpha1.ClerkUserSpec]{
	specOf: func(object *v1alpha1.ClerkUser) *v1alpha1.ClerkUserSpec { return &object.Spec },
	asOf:   func(spec *v1alpha1.ClerkUserSpec) **metav1.MicroTime { return &spec.AsOf },
	stateOf: func(spec *v1alpha1.ClerkUserSpec) state {
		return state{identity{spec.Instance, spec.ID}, spec.UpdatedAt, spec.AsOf, spec.DeletedAt}
	},
	labels: func(spec v1alpha1.ClerkUserSpec) map[string]string {
		return map[string]string{v1alpha1.UserIDLabel: spec.ID}
	},
	metadata: func(spec *v1alpha1.ClerkUserSpec) **runtime.RawExtension { return &spec.PublicMetadata },
	keepsOut: isBarred,
	configuration: func(
		name string, uid *types.UID, labels map[string]string, spec v1alpha1.ClerkUserSpec,
	) runtime.ApplyConfiguration {
		configuration := clerkac.ClerkUser(name).WithLabels(labels).WithSpec(&clerkac.ClerkUserSpecApplyConfiguration{
			Instance:       &spec.Instance,
			ID:             &spec.ID,
			PrimaryEmail:   emailConfiguration(spec.PrimaryEmail),
			Username:       orNil(spec.Username),
			FirstName:      orNil(spec.FirstName),
			LastName:       orNil(spec.LastName),
			ImageURL:       orNil(spec.ImageURL),
			ExternalID:     orNil(spec.ExternalID),
			Banned:         spec.Banned,
			Locked:         spec.Locked,
			Deprovisioned:  spec.Deprovisioned,
			PublicMetadata: spec.PublicMetadata,
			DroppedFields:  spec.DroppedFields,
			CreatedAt:      spec.CreatedAt,
			UpdatedAt:      spec.UpdatedAt,
			AsOf:           spec.AsOf,
			DeletedAt:      spec.DeletedAt,
		})
		configuration.UID = uid
		return configuration
	},
}

var roles = kind[v1alpha1.ClerkRole, v1alpha1.ClerkRoleSpec]{
	specOf:  func(object *v1alpha1.ClerkRole) *v1alpha1.ClerkRoleSpec { return &object.Spec },
	asOf:    func(spec *v1alpha1.ClerkRoleSpec) **metav1.MicroTime { return &spec.AsOf },
	stateOf: stateOfRole,
	join:    joinRoles,
	configuration: func(
		name string, uid *types.UID, labels map[string]string, spec v1alpha1.ClerkRoleSpec,
	) runtime.ApplyConfiguration {
		configuration := clerkac.ClerkRole(name).WithLabels(labels).WithSpec(&clerkac.ClerkRoleSpecApplyConfiguration{
			Instance:    &spec.Instance,
			ID:          &spec.ID,
			Key:         orNil(spec.Key),
			Keys:        roleKeyConfigurations(spec.Keys),
			KeysDropped: spec.KeysDropped,
			Name:        orNil(spec.Name),
			Description: orNil(spec.Description),
			Permissions: rolePermissionConfigurations(spec.Permissions),
			CreatedAt:   spec.CreatedAt,
			UpdatedAt:   spec.UpdatedAt,
			AsOf:        spec.AsOf,
			DeletedAt:   spec.DeletedAt,
		})
		configuration.UID = uid
		return configuration
	},
}

var permissions = kind[v1alpha1.ClerkPermission, v1alpha1.ClerkPermissionSpec]{
	specOf: func(object *v1alpha1.ClerkPermission) *v1alpha1.ClerkPermissionSpec { return &object.Spec },
	asOf:   func(spec *v1alpha1.ClerkPermissionSpec) **metav1.MicroTime { return &spec.AsOf },
	stateOf: func(spec *v1alpha1.ClerkPermissionSpec) state {
		return state{identity{spec.Instance, spec.ID}, spec.UpdatedAt, spec.AsOf, spec.DeletedAt}
	},
	configuration: func(
		name string, uid *types.UID, labels map[string]string, spec v1alpha1.ClerkPermissionSpec,
	) runtime.ApplyConfiguration {
		configuration := clerkac.ClerkPermission(name).WithLabels(labels).WithSpec(&clerkac.ClerkPermissionSpecApplyConfiguration{
			Instance:    &spec.Instance,
			ID:          &spec.ID,
			Key:         orNil(spec.Key),
			Name:        orNil(spec.Name),
			Description: orNil(spec.Description),
			CreatedAt:   spec.CreatedAt,
			UpdatedAt:   spec.UpdatedAt,
			AsOf:        spec.AsOf,
			DeletedAt:   spec.DeletedAt,
		})
		configuration.UID = uid
		return configuration
	},
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

func emailConfiguration(email v1alpha1.ClerkUserEmail) *clerkac.ClerkUserEmailApplyConfiguration {
	if email.Address == "" {
		return nil
	}
	return &clerkac.ClerkUserEmailApplyConfiguration{Address: &email.Address, Verified: email.Verified}
}

func roleKeyConfigurations(keys []v1alpha1.RoleKey) []clerkac.RoleKeyApplyConfiguration {
	configurations := make([]clerkac.RoleKeyApplyConfiguration, len(keys))
	for i := range keys {
		key := &keys[i]
		configurations[i] = clerkac.RoleKeyApplyConfiguration{Key: &key.Key, FirstSeen: key.FirstSeen, LastSeen: key.LastSeen}
	}
	return configurations
}

func rolePermissionConfigurations(permissions []v1alpha1.RolePermission) []clerkac.RolePermissionApplyConfiguration {
	configurations := make([]clerkac.RolePermissionApplyConfiguration, len(permissions))
	for i := range permissions {
		permission := &permissions[i]
		configurations[i] = clerkac.RolePermissionApplyConfiguration{
			ID: &permission.ID, Key: &permission.Key, UpdatedAt: permission.UpdatedAt,
		}
	}
	return configurations
}
