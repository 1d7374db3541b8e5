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

// ClerkOrganizationSpec is an organization as Clerk says it is. It is written from verified events alone: the rules below make
// the API server itself refuse whatever is older than what it knows.
//
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.droppedFields) || has(self.createdAt) || has(self.name) || has(self.slug) || has(self.imageURL) || has(self.maxAllowedMemberships) || has(self.roleSetKey))",message="a tombstone keeps nothing but instance, id and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkOrganizationSpec struct {
	Entity `json:",inline"`

	// name is the display name: free text.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// slug is the organization's name in addresses. It changes and gets reused; empty where the application has slugs off.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Slug string `json:"slug,omitempty"`

	// imageURL is where the organization's logo is.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	ImageURL string `json:"imageURL,omitempty"`

	// roleSetKey is the key of the set of roles that the organization uses, where the application has several.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	RoleSetKey string `json:"roleSetKey,omitempty"`

	// publicMetadata is what the application stores with the organization for everyone to read: any JSON, 64 KiB at most.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	PublicMetadata *runtime.RawExtension `json:"publicMetadata,omitempty"`

	// maxAllowedMemberships is how many members Clerk lets the organization have; 0 is no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxAllowedMemberships *int64 `json:"maxAllowedMemberships,omitempty"`

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

// NamespaceState says what holds for a namespace of an organization.
//
// +kubebuilder:validation:Enum=Active;Released;Retained;Deleting
type NamespaceState string

const (
	// NamespaceActive is a namespace that the TenantClass wants: it is kept as the class says.
	NamespaceActive NamespaceState = "Active"

	// NamespaceReleased is a namespace that no class wants any longer: nobody has access through the organization; nothing else was touched.
	NamespaceReleased NamespaceState = "Released"

	// NamespaceRetained is a namespace of a deleted organization that stays: nobody has access through the organization.
	NamespaceRetained NamespaceState = "Retained"

	// NamespaceDeleting is a namespace of a deleted organization that is deleted at deleteAt.
	NamespaceDeleting NamespaceState = "Deleting"
)

// OrganizationNamespace is a namespace of an organization.
type OrganizationNamespace struct {
	// name of the namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// state says what holds for it: Active, Released, Retained or Deleting.
	// +required
	State NamespaceState `json:"state,omitempty"`

	// deleteAt is when it is deleted; only while Deleting.
	// +optional
	DeleteAt *metav1.Time `json:"deleteAt,omitempty"`
}

// ClerkOrganizationStatus says what the organization has in this cluster.
//
// +kubebuilder:validation:MinProperties=1
type ClerkOrganizationStatus struct {
	// conditions say how it stands: Ready, whether the organization has all that its TenantClass gives; Stalled, that somebody must act first.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// className is the TenantClass that serves the organization. A deleted organization keeps it, for the class's deletion policy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClassName string `json:"className,omitempty"`

	// namespaces are the organization's namespaces, those in use first.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Namespaces []OrganizationNamespace `json:"namespaces,omitempty"`

	// members is how many members the organization has.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Members *int32 `json:"members,omitempty"`

	// plan is the slug of the plan that the organization has in Clerk's billing; empty where it has none, or nothing is known of it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Plan string `json:"plan,omitempty"`

	// subscriptionStatus is Clerk's word for how the subscription stands that gives the plan, or "ended".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	SubscriptionStatus string `json:"subscriptionStatus,omitempty"`
}

// ClerkOrganization is an organization of Clerk, mirrored. Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=corg,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.id`
// +kubebuilder:selectablefield:JSONPath=`.spec.slug`
// +kubebuilder:printcolumn:name="Slug",type=string,JSONPath=`.spec.slug`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.status.className`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.status.namespaces[*].name`
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.members`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Display Name",type=string,priority=1,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Instance",type=string,priority=1,JSONPath=`.spec.instance`
// +kubebuilder:printcolumn:name="Plan",type=string,priority=1,JSONPath=`.status.plan`
// +kubebuilder:printcolumn:name="Deleted",type=date,priority=1,JSONPath=`.spec.deletedAt`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkOrganization struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkOrganizationSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkOrganizationStatus `json:"status,omitzero"`
}

// ClerkOrganizationList is a list of ClerkOrganizations.
//
// +kubebuilder:object:root=true
type ClerkOrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkOrganization `json:"items"`
}
