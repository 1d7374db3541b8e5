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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClerkRoleSpec is a role of organizations as Clerk says it is. It is written from verified events alone: the rules below make the API
// server itself refuse whatever is older than what it knows. A tombstone keeps the keys, so that it is known which members' role is gone.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || (has(self.updatedAt) && has(self.key))",message="updatedAt and key are required unless the role is deleted"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || (has(self.deletedAt) && self.deletedAt == oldSelf.deletedAt)",fieldPath=".deletedAt",reason=FieldValueForbidden,message="the role is deleted for good: deletedAt neither changes nor goes away"
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || !has(oldSelf.updatedAt) || (has(self.updatedAt) && self.updatedAt >= oldSelf.updatedAt)",fieldPath=".updatedAt",reason=FieldValueForbidden,message="updatedAt never goes back: this is older than what is known"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.createdAt) || has(self.name) || has(self.description) || has(self.permissions))",message="a tombstone keeps nothing but instance, id, the keys and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.key) || (has(self.key) && self.key == oldSelf.key) || (has(self.formerKeys) && self.formerKeys.exists(f, f.key == oldSelf.key))",fieldPath=".formerKeys",reason=FieldValueForbidden,message="a key that changes is kept among formerKeys"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.formerKeys) || oldSelf.formerKeys.all(o, (has(self.key) && self.key == o.key) || (has(self.formerKeys) && self.formerKeys.exists(f, f.key == o.key)))",fieldPath=".formerKeys",reason=FieldValueForbidden,message="formerKeys are kept"
type ClerkRoleSpec struct {
	// instance is the ClerkInstance that the role was heard from. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="instance never changes: the role belongs to another ClerkInstance"
	Instance string `json:"instance,omitempty"`

	// id is Clerk's id of the role (role_…), in its own case. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id never changes: another role has this object's name"
	ID string `json:"id,omitempty"`

	// key is what memberships name the role by, such as org:admin. It can be changed in Clerk.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// formerKeys are the keys that the role had before. Members who still carry one of them hold this role.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	FormerKeys []FormerRoleKey `json:"formerKeys,omitempty"`

	// name is what people call the role.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// description is what the application says of the role.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// permissions are what the role allows. They are what every member with the role has, whatever their membership says.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Permissions []RolePermission `json:"permissions,omitempty"`

	// createdAt is when the role was made, by Clerk's clock.
	// +optional
	CreatedAt *metav1.MicroTime `json:"createdAt,omitempty"`

	// updatedAt is when the role last changed, by Clerk's clock. It never goes back.
	// +optional
	UpdatedAt *metav1.MicroTime `json:"updatedAt,omitempty"`

	// deletedAt is when the role was deleted, by Clerk's clock. Once set, it stays: this object is then a tombstone, which keeps late
	// deliveries from bringing the role back, and its grants with it.
	// +optional
	DeletedAt *metav1.MicroTime `json:"deletedAt,omitempty"`
}

// FormerRoleKey is a key that a role had.
type FormerRoleKey struct {
	// key that the role had.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// until is when the role is known to have no longer had it, by Clerk's clock. It tells the holders of this role from those of another
	// one that got the key later.
	// +required
	Until *metav1.MicroTime `json:"until,omitempty"`
}

// RolePermission is a permission as a role tells of it. A ClerkPermission that is newer, or a tombstone, has precedence.
type RolePermission struct {
	// id is Clerk's id of the permission (perm_…).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	ID string `json:"id,omitempty"`

	// key is the permission's name, such as org:posts:read.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// updatedAt is when the permission itself last changed, as far as the role tells.
	// +optional
	UpdatedAt *metav1.MicroTime `json:"updatedAt,omitempty"`
}

// ClerkRoleStatus says what the operator makes of the role.
//
// +kubebuilder:validation:MinProperties=1
type ClerkRoleStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means for access. They are written when what they say changes,
	// not with every change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkRole is a role of Clerk, mirrored: what its key is and which permissions it has.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=crole,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkRole struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkRoleSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkRoleStatus `json:"status,omitzero"`
}

// ClerkRoleList is a list of ClerkRoles.
//
// +kubebuilder:object:root=true
type ClerkRoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkRole `json:"items"`
}
