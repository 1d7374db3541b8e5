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

// ClusterGrantSpec says which members of which organizations get a ClusterRole in the whole cluster.
//
// +kubebuilder:validation:XValidation:rule="has(self.role) != has(self.permission)",message="give either role or permission"
type ClusterGrantSpec struct {
	// instanceRef names the ClerkInstance that speaks of the organizations. What another one says of an organization of the same id counts
	// for nothing. It never changes: make another ClusterGrant.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="instanceRef never changes: make another ClusterGrant"
	InstanceRef InstanceReference `json:"instanceRef,omitzero"`

	// organizationIDs are Clerk's ids of the organizations (org_…) whose members are meant. There is no other way to name one: admins of an
	// organization can change its name, slug and metadata, and so would decide about the cluster.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	OrganizationIDs []string `json:"organizationIDs,omitempty"`

	// role is the key of a Clerk role, such as org:admin: its members get the ClusterRole.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role,omitempty"`

	// permission is the key of a Clerk permission, such as org:clusters:operate: members whose role has it get the ClusterRole.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Permission string `json:"permission,omitempty"`

	// clusterRole is the name of the ClusterRole. It has to be one of those that the operator was told it may give in the whole cluster
	// (clusterGrants.clusterRoles of the chart, --cluster-grant-roles).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClusterRole string `json:"clusterRole,omitempty"`

	// when is a CEL expression over `user`, `member` and `organization` that has to be true for the member to get the ClusterRole, for example
	// user.twoFactorEnabled or member.publicMetadata.?oncall.orValue(false). What cannot be decided, since something is not known or the
	// expression fails, gives nothing; the status counts for how many members that is so. The fields are those of a TenantClass's
	// roleBindings[].when.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`

	// until is a CEL expression over the same, that says when the member loses the ClusterRole again: a timestamp, or text in the form of RFC
	// 3339 (2026-12-24T18:00:00Z), for example member.publicMetadata.?until. Null, or an optional without a value, is no end. What is no time
	// gives nothing. The grant ends at that second by itself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Until string `json:"until,omitempty"`
}

// ClusterGrantStatus says whether the grant is carried out, and how many have it. It names nobody.
//
// +kubebuilder:validation:MinProperties=1
type ClusterGrantStatus struct {
	// conditions say how it stands: Ready, whether everybody has the ClusterRole who should, and nobody else; Stalled, that somebody must act
	// first.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// members is how many users have the ClusterRole by this grant.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Members *int32 `json:"members,omitempty"`

	// expires is when the first of them loses it by itself, as `until` says; absent if nobody does.
	// +optional
	Expires *metav1.Time `json:"expires,omitempty"`
}

// ClusterGrant gives a ClusterRole in the whole cluster, by a ClusterRoleBinding, to those members of named organizations who have a role
// or a permission: such as your own staff. It is written by the cluster's administrators. The operator carries it out only for ClusterRoles
// that it was told it may give so; without any, a ClusterGrant gives nothing and says so. Deleting it takes the access away.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cgrant,categories=clerk
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name has at most 63 characters: it is the value of a label"
// +kubebuilder:printcolumn:name="Cluster Role",type=string,JSONPath=`.spec.clusterRole`
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.members`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Instance",type=string,priority=1,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Organizations",type=string,priority=1,JSONPath=`.spec.organizationIDs`
// +kubebuilder:printcolumn:name="Expires",type=string,priority=1,JSONPath=`.status.expires`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClusterGrant struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says who gets what.
	// +required
	Spec ClusterGrantSpec `json:"spec,omitzero"`

	// status says whether they have it.
	// +optional
	Status ClusterGrantStatus `json:"status,omitzero"`
}

// KindClusterGrant is the kind of a ClusterGrant.
const KindClusterGrant = "ClusterGrant"

// ClusterGrantList is a list of ClusterGrants.
//
// +kubebuilder:object:root=true
type ClusterGrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClusterGrant `json:"items"`
}
