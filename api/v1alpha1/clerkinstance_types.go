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

// ClerkInstanceSpec says where to hear one Clerk application environment.
type ClerkInstanceSpec struct {
	// webhook says how deliveries to /webhooks/<name of this ClerkInstance> are verified.
	// +required
	Webhook ClerkInstanceWebhook `json:"webhook,omitzero"`

	// instanceID is Clerk's id of the environment (ins_…), to be found in every event. When it is set, events of any other
	// environment are refused with 403, also when they are well signed. When it is empty, any is accepted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	InstanceID string `json:"instanceID,omitempty"`

	// username is the name by which RBAC knows a user: text with expressions in ${…}, which are CEL over `user`: id, username,
	// primaryEmail, firstName, lastName, externalID and publicMetadata. It must be the name that the API server gives to a person who
	// signs in, its prefix included. user.primaryEmail is in lower case, and there only when it is verified. All but id and username needs
	// the user to be mirrored: see users. An expression that gives no text, or a result that begins with "system:", is refused: such a
	// member is not bound, and its status says why.
	// +optional
	// +kubebuilder:default="clerk:${user.id}"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username,omitempty"`

	// users says which users are mirrored as ClerkUsers: Members (the default), those with a membership; a user who has none, or none any
	// more, is kept for the retention of tombstones. All: everyone. None: nobody; a ban is then known from events of memberships alone, and
	// only those ClerkUsers stay that keep a member out, until Clerk lets them in again.
	// +optional
	// +kubebuilder:default=Members
	Users MirroredUsers `json:"users,omitempty"`
}

// MirroredUsers says which users are mirrored.
//
// +kubebuilder:validation:Enum=None;Members;All
type MirroredUsers string

const (
	// UsersNone mirrors no user.
	UsersNone MirroredUsers = "None"

	// UsersMembers mirrors the users who have a membership.
	UsersMembers MirroredUsers = "Members"

	// UsersAll mirrors every user.
	UsersAll MirroredUsers = "All"
)

// ClerkInstanceWebhook says how deliveries are verified.
type ClerkInstanceWebhook struct {
	// signingSecretRef names the Secret, in the operator's namespace, that holds the endpoint's signing secrets (whsec_…). Every
	// key of it counts, so rotation is: add a key, later remove the old one. While no key is usable, deliveries are answered
	// with 503 and Clerk sends them again.
	// +required
	SigningSecretRef SecretReference `json:"signingSecretRef,omitzero"`
}

// SecretReference names a Secret in the operator's namespace.
type SecretReference struct {
	// name of the Secret in the operator's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// ClerkInstanceStatus says whether the environment can be heard, and when it last was.
//
// +kubebuilder:validation:MinProperties=1
type ClerkInstanceStatus struct {
	// conditions say how it stands: Ready, whether deliveries are accepted; Stalled, that somebody must act first.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that the conditions speak of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastEvent is the newest verified event. It is written at most every few seconds, so it may lag behind.
	// +optional
	LastEvent LastEvent `json:"lastEvent,omitzero"`
}

// LastEvent is the newest event that was verified and answered with success.
type LastEvent struct {
	// type of the event, such as organization.created; "other" for one that this version does not know.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Type string `json:"type,omitempty"`

	// receivedAt is when it was answered, by the operator's clock.
	// +required
	ReceivedAt metav1.Time `json:"receivedAt,omitzero"`
}

// ClerkInstance is one Clerk application environment: how its deliveries are verified, and how its users are named in RBAC.
// Deliveries come in at /webhooks/<name>.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cinst,categories=clerk
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Last Event",type=date,JSONPath=`.status.lastEvent.receivedAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Last Type",type=string,priority=1,JSONPath=`.status.lastEvent.type`
// +kubebuilder:printcolumn:name="Instance ID",type=string,priority=1,JSONPath=`.spec.instanceID`
// +kubebuilder:printcolumn:name="Username",type=string,priority=1,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkInstance struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata. The name is the last part of the webhook's path.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says where to hear the environment.
	// +required
	Spec ClerkInstanceSpec `json:"spec,omitzero"`

	// status says whether it can be heard.
	// +optional
	Status ClerkInstanceStatus `json:"status,omitzero"`
}

// ClerkInstanceList is a list of ClerkInstances.
//
// +kubebuilder:object:root=true
type ClerkInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkInstance `json:"items"`
}
