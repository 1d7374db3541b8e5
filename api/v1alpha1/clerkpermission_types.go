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

// ClerkPermissionSpec is a permission as Clerk says it is. It is written from verified events alone: the rules below make the API server
// itself refuse whatever is older than what it knows.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || has(self.key)",message="key is required unless the permission is deleted"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.createdAt) || has(self.key) || has(self.name) || has(self.description))",message="a tombstone keeps nothing but instance, id and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkPermissionSpec struct {
	Entity `json:",inline"`

	// key is the permission's name, such as org:posts:read. It can be changed in Clerk.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// name is what people call the permission.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// description is what the application says of the permission.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
}

// ClerkPermissionStatus says what the operator makes of the permission.
//
// +kubebuilder:validation:MinProperties=1
type ClerkPermissionStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means for access. They are written when what they say changes,
	// not with every change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkPermission is a permission of Clerk, mirrored: its key, in whichever role it is.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cperm,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkPermission struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkPermissionSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkPermissionStatus `json:"status,omitzero"`
}

// ClerkPermissionList is a list of ClerkPermissions.
//
// +kubebuilder:object:root=true
type ClerkPermissionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkPermission `json:"items"`
}
