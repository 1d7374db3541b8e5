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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// The kinds that are mirrored.

var organizations = kind[v1alpha1.ClerkOrganization, v1alpha1.ClerkOrganizationSpec]{
	specOf:   func(object *v1alpha1.ClerkOrganization) *v1alpha1.ClerkOrganizationSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkOrganizationSpec) *v1alpha1.Entity { return &spec.Entity },
	labels:   organizationLabels,
	metadata: func(spec *v1alpha1.ClerkOrganizationSpec) **runtime.RawExtension { return &spec.PublicMetadata },
}

var members = kind[v1alpha1.ClerkMember, v1alpha1.ClerkMemberSpec]{
	specOf:   func(object *v1alpha1.ClerkMember) *v1alpha1.ClerkMemberSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkMemberSpec) *v1alpha1.Entity { return &spec.Entity },
	labels:   memberLabels,
	metadata: func(spec *v1alpha1.ClerkMemberSpec) **runtime.RawExtension { return &spec.PublicMetadata },
	keep:     keepIDs,
	keepsOut: func(spec v1alpha1.ClerkMemberSpec) bool {
		return spec.User.Banned != nil || spec.User.Deprovisioned != nil
	},
}

var users = kind[v1alpha1.ClerkUser, v1alpha1.ClerkUserSpec]{
	specOf:   func(object *v1alpha1.ClerkUser) *v1alpha1.ClerkUserSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkUserSpec) *v1alpha1.Entity { return &spec.Entity },
	labels: func(spec v1alpha1.ClerkUserSpec) map[string]string {
		return map[string]string{v1alpha1.UserIDLabel: spec.ID}
	},
	metadata: func(spec *v1alpha1.ClerkUserSpec) **runtime.RawExtension { return &spec.PublicMetadata },
	keepsOut: isBarred,
}

var roles = kind[v1alpha1.ClerkRole, v1alpha1.ClerkRoleSpec]{
	specOf:   func(object *v1alpha1.ClerkRole) *v1alpha1.ClerkRoleSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkRoleSpec) *v1alpha1.Entity { return &spec.Entity },
	join:     joinRoles,
	narrows:  true,
}

var permissions = kind[v1alpha1.ClerkPermission, v1alpha1.ClerkPermissionSpec]{
	specOf:   func(object *v1alpha1.ClerkPermission) *v1alpha1.ClerkPermissionSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkPermissionSpec) *v1alpha1.Entity { return &spec.Entity },
	narrows:  true,
}

// labelKeys are those of the labels that the mirror sets.
var labelKeys = []string{v1alpha1.OrganizationIDLabel, v1alpha1.UserIDLabel, v1alpha1.SlugLabel}

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
