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

// ClerkMemberSpec is a membership as Clerk says it is: one user in one organization with one role. It is written from verified
// events alone: the rules below make the API server itself refuse whatever is older than what it knows.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || (has(self.organizationID) && has(self.userID) && has(self.role))",message="organizationID, userID and role are required unless the membership is deleted"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.organizationID) || !has(self.organizationID) || self.organizationID == oldSelf.organizationID",fieldPath=".organizationID",message="organizationID never changes"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.userID) || !has(self.userID) || self.userID == oldSelf.userID",fieldPath=".userID",message="userID never changes"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.droppedFields) || has(self.createdAt) || has(self.role) || has(self.permissions) || has(self.user))",message="a tombstone keeps nothing but instance, the ids and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkMemberSpec struct {
	Entity `json:",inline"`

	// organizationID is Clerk's id of the organization. It never changes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	OrganizationID string `json:"organizationID,omitempty"`

	// userID is Clerk's id of the user. It never changes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	UserID string `json:"userID,omitempty"`

	// role is the key of the user's role in the organization, such as org:admin. What it grants, the TenantClass says.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role,omitempty"`

	// permissions are the keys of the role's permissions, such as org:posts:read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Permissions []string `json:"permissions,omitempty"`

	// user is what the membership tells of its user. It is personal data and goes away with the membership.
	// +optional
	User ClerkMemberUser `json:"user,omitzero"`

	// publicMetadata is what the application stores with the membership for everyone to read: any JSON, 64 KiB at most.
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

// ClerkMemberUser is what a membership tells of its user.
//
// +kubebuilder:validation:MinProperties=1
type ClerkMemberUser struct {
	// identifier is what the user signs in with: an e-mail address, a user name or a phone number. It is no verified e-mail address.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Identifier string `json:"identifier,omitempty"`

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

	// banned says that Clerk lets the user no longer sign in. A banned user is bound nowhere.
	// +optional
	Banned *bool `json:"banned,omitempty"`

	// deprovisioned says that the user's directory has removed the user. A deprovisioned user is bound nowhere.
	// +optional
	Deprovisioned *bool `json:"deprovisioned,omitempty"`
}

// MemberBinding is a RoleBinding that names the member's user as a subject.
type MemberBinding struct {
	// namespace of the RoleBinding.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the RoleBinding.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// clusterRole that it grants in the namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	ClusterRole string `json:"clusterRole,omitempty"`
}

// ClerkMemberStatus says where the member has access. It is read off the RoleBindings as they stand.
//
// +kubebuilder:validation:MinProperties=1
type ClerkMemberStatus struct {
	// conditions say how it stands: Bound, whether the user has access, and if not why; Ready, whether that is as it should be; Stalled, that
	// somebody must act first.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// subject is the user's name in RBAC, as ClerkInstance.spec.username gives it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Subject string `json:"subject,omitempty"`

	// organization is how people call the organization: its slug or, without one, its name in lower case with '-' for what is no letter or
	// digit, as organization.handle in a TenantClass. It changes, and another organization may get it: the id is spec.organizationID.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Organization string `json:"organization,omitempty"`

	// namespaces are those of bindings, each once.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Namespaces []string `json:"namespaces,omitempty"`

	// bindings are the RoleBindings that name the user as a subject.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Bindings []MemberBinding `json:"bindings,omitempty"`

	// expires is when the first of the user's ClusterRoles ends by itself, as `until` of its role binding says; absent if none does.
	// +optional
	Expires *metav1.Time `json:"expires,omitempty"`
}

// ClerkMember is a membership of Clerk, mirrored: one user in one organization. Its name is its ClerkInstance's, a
// full stop, and its Clerk id in lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cmem,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.organizationID`
// +kubebuilder:selectablefield:JSONPath=`.spec.userID`
// +kubebuilder:selectablefield:JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.user.identifier`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Organization",type=string,JSONPath=`.status.organization`
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Bound",type=string,JSONPath=`.status.conditions[?(@.type=="Bound")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Organization ID",type=string,priority=1,JSONPath=`.spec.organizationID`
// +kubebuilder:printcolumn:name="User ID",type=string,priority=1,JSONPath=`.spec.userID`
// +kubebuilder:printcolumn:name="Subject",type=string,priority=1,JSONPath=`.status.subject`
// +kubebuilder:printcolumn:name="Expires",type=string,priority=1,JSONPath=`.status.expires`
// +kubebuilder:printcolumn:name="Ready",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Bound")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Bound")].message`
type ClerkMember struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkMemberSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkMemberStatus `json:"status,omitzero"`
}

// ClerkMemberList is a list of ClerkMembers.
//
// +kubebuilder:object:root=true
type ClerkMemberList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkMember `json:"items"`
}
