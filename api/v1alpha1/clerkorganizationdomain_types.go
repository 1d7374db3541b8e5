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

// DomainVerificationStatus is Clerk's word for how a verification stands: unverified, verified, failed or expired. Clerk may add
// others. Only verified is a proof.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^[a-z][a-z_]*$`
type DomainVerificationStatus string

// DomainVerified is the only status that proves anything.
const DomainVerified DomainVerificationStatus = "verified"

// DomainVerification is how Clerk looked whether an organization may speak for a domain, and what came of it.
type DomainVerification struct {
	// status is Clerk's word for how it stands: unverified, verified, failed or expired. Only verified is a proof.
	// +required
	Status DomainVerificationStatus `json:"status,omitempty"`

	// strategy is Clerk's word for how it was looked: such as manual_override, where somebody of the application said so, or
	// affiliation_email_code, for a code that was sent to an address of the domain.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9_]*$`
	Strategy string `json:"strategy,omitempty"`

	// verifiedAt is when the proof was given, as Clerk says.
	// +optional
	VerifiedAt *metav1.MicroTime `json:"verifiedAt,omitempty"`
}

// ClerkOrganizationDomainSpec is a domain of an organization as Clerk says it is. It is written from verified events and lists alone: the
// rules below make the API server itself refuse whatever is older than what it knows.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || has(self.organizationID)",fieldPath=".organizationID",reason=FieldValueRequired,message="organizationID is required unless the domain is deleted"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.organizationID) || !has(self.organizationID) || self.organizationID == oldSelf.organizationID",fieldPath=".organizationID",message="organizationID never changes"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.createdAt) || has(self.name) || has(self.ownership) || has(self.affiliation) || has(self.enrollmentMode) || has(self.droppedFields))",message="a tombstone keeps nothing but instance, the ids and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkOrganizationDomainSpec struct {
	Entity `json:",inline"`

	// organizationID is Clerk's id of the organization that claims the domain. It never changes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	OrganizationID string `json:"organizationID,omitempty"`

	// name is the domain, such as acme.com: a DNS name of two labels or more in lower case, without a full stop at its end, and with letters
	// beyond ASCII as punycode (xn--…). It is absent where Clerk sent none of that form; the domain counts for nothing then.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// ownership is how Clerk looked whether the organization holds the domain itself: by a record in its DNS, or somebody of the application
	// said so. Only a domain whose ownership.status is verified decides anything. It is absent where nobody has tried.
	// +optional
	Ownership DomainVerification `json:"ownership,omitzero"`

	// affiliation is how Clerk looked whether somebody reads mail at an address of the domain. It proves one mailbox and not the domain,
	// so it decides nothing.
	// +optional
	Affiliation DomainVerification `json:"affiliation,omitzero"`

	// enrollmentMode is Clerk's word for what becomes of users with an address of the domain: manual_invitation, automatic_invitation,
	// automatic_suggestion or enterprise_sso. Clerk may add others.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][a-z_]*$`
	EnrollmentMode string `json:"enrollmentMode,omitempty"`

	// droppedFields are those fields of this spec that could not be kept as Clerk sent them, and so are empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	DroppedFields []string `json:"droppedFields,omitempty"`
}

// ClerkOrganizationDomainStatus says what the operator makes of the domain.
//
// +kubebuilder:validation:MinProperties=1
type ClerkOrganizationDomainStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means. They are written when what they say changes, not with every
	// change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkOrganizationDomain is a domain that an organization claims in Clerk, mirrored, and whether it has proven that it owns it.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cdom,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.organizationID`
// +kubebuilder:selectablefield:JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Organization",type=string,JSONPath=`.spec.organizationID`
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Ownership",type=string,JSONPath=`.spec.ownership.status`
// +kubebuilder:printcolumn:name="Enrollment",type=string,JSONPath=`.spec.enrollmentMode`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Strategy",type=string,priority=1,JSONPath=`.spec.ownership.strategy`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkOrganizationDomain struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkOrganizationDomainSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkOrganizationDomainStatus `json:"status,omitzero"`
}

// ClerkOrganizationDomainList is a list of ClerkOrganizationDomains.
//
// +kubebuilder:object:root=true
type ClerkOrganizationDomainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkOrganizationDomain `json:"items"`
}
