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
	"k8s.io/apimachinery/pkg/runtime"
)

// ClerkUserSpec is a user as Clerk says it is. It is written from verified events alone: the rules below make the API server itself refuse
// whatever is older than what it knows. It is personal data: a tombstone keeps none of it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.droppedFields) || has(self.createdAt) || has(self.primaryEmail) || has(self.username) || has(self.firstName) || has(self.lastName) || has(self.imageURL) || has(self.externalID) || has(self.banned) || has(self.locked) || has(self.deprovisioned) || has(self.twoFactorEnabled) || has(self.enterpriseAccount) || has(self.directory))",message="a tombstone keeps nothing but instance, id and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkUserSpec struct {
	Entity `json:",inline"`

	// primaryEmail is the e-mail address that the user has chosen as the primary one. None of the user's other addresses is stored.
	// +optional
	PrimaryEmail ClerkUserEmail `json:"primaryEmail,omitzero"`

	// username is the user's name within the Clerk instance, where the application has user names on.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username,omitempty"`

	// firstName is the user's first name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	FirstName string `json:"firstName,omitempty"`

	// lastName is the user's last name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LastName string `json:"lastName,omitempty"`

	// imageURL is where the user's picture is.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	ImageURL string `json:"imageURL,omitempty"`

	// externalID is the id that the application gave the user.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ExternalID string `json:"externalID,omitempty"`

	// banned says that Clerk lets the user no longer sign in. A banned user is bound nowhere, in no organization.
	// +optional
	Banned *bool `json:"banned,omitempty"`

	// locked says that there were too many attempts to sign in. It passes by itself and changes no access.
	// +optional
	Locked *bool `json:"locked,omitempty"`

	// deprovisioned says that the user's directory has removed the user. A deprovisioned user is bound nowhere, in no organization.
	// +optional
	Deprovisioned *bool `json:"deprovisioned,omitempty"`

	// twoFactorEnabled says that the user has a second factor to sign in with. Where Clerk has not told, it is absent.
	// +optional
	TwoFactorEnabled *bool `json:"twoFactorEnabled,omitempty"`

	// enterpriseAccount says that the user has an account at an enterprise's identity provider (SAML, OIDC) that is active and verified. Where
	// Clerk has not told, it is absent.
	// +optional
	EnterpriseAccount *bool `json:"enterpriseAccount,omitempty"`

	// directory says that an enterprise's directory provisions the user (SCIM). Only webhooks tell of it, no list of Clerk's API.
	// +optional
	Directory *bool `json:"directory,omitempty"`

	// publicMetadata is what the application stores with the user for everyone to read: any JSON, 64 KiB at most.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	PublicMetadata *runtime.RawExtension `json:"publicMetadata,omitempty"`

	// droppedFields are those fields of this spec that could not be kept as Clerk sent them, and so are empty: of the wrong type, too long,
	// too deep. An expression that reads one fails, and nobody is given anything by it. A user whose banned or deprovisioned is dropped is
	// kept out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	DroppedFields []string `json:"droppedFields,omitempty"`
}

// ClerkUserEmail is an e-mail address of a user.
type ClerkUserEmail struct {
	// address is the e-mail address, as Clerk has it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Address string `json:"address,omitempty"`

	// verified says that the user has shown that the address is theirs. One that is not verified names nobody in RBAC.
	// +optional
	Verified *bool `json:"verified,omitempty"`
}

// ClerkUserStatus says what the operator makes of the user.
//
// +kubebuilder:validation:MinProperties=1
type ClerkUserStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means for access. They are written when what they say changes,
	// not with every change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkUser is a user of Clerk, mirrored: who they are, and whether Clerk lets them in.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cuser,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.primaryEmail.address`
// +kubebuilder:selectablefield:JSONPath=`.spec.username`
// +kubebuilder:selectablefield:JSONPath=`.spec.banned`
// +kubebuilder:printcolumn:name="Email",type=string,JSONPath=`.spec.primaryEmail.address`
// +kubebuilder:printcolumn:name="Verified",type=boolean,JSONPath=`.spec.primaryEmail.verified`
// +kubebuilder:printcolumn:name="Username",type=string,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name="Banned",type=boolean,JSONPath=`.spec.banned`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Deprovisioned",type=boolean,priority=1,JSONPath=`.spec.deprovisioned`
// +kubebuilder:printcolumn:name="External ID",type=string,priority=1,JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkUser struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkUserSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkUserStatus `json:"status,omitzero"`
}

// ClerkUserList is a list of ClerkUsers.
//
// +kubebuilder:object:root=true
type ClerkUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkUser `json:"items"`
}
