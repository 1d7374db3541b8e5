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

// TenantClassSpec says which organizations the class is for and what they get.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serviceAccounts) || self.serviceAccounts != 'Recycle' || (has(self.derivedAccess) && self.derivedAccess != 'Unlimited')",fieldPath=".serviceAccounts",message="Recycle needs derivedAccess to be Capped or None: else there are tokens that no ServiceAccount ends"
type TenantClassSpec struct {
	// match is a CEL expression over `organization` that says for which organizations the class is, for example
	// organization.publicMetadata.plan == "enterprise". An expression that fails for an organization, for example because a key
	// is missing, does not match it. A class without a match rule is a default: for organizations that no other class matches.
	// Fields: id, name, slug, handle (a DNS-safe name: the slug, else the name made DNS-safe, else the id), imageURL, roleSetKey,
	// publicMetadata, maxAllowedMemberships, createdAt. How many members there are is for spec.members.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Match string `json:"match,omitempty"`

	// members bounds the class to organizations that have so many members, besides what match says. Expressions of match cannot read
	// organization.members, since an organization would move to and fro as one member joins and leaves.
	// +optional
	Members TenantClassMembers `json:"members,omitzero"`

	// priority decides between classes that match the same organization, or between several defaults: the highest wins, then
	// the first by name.
	// +optional
	// +kubebuilder:default=0
	Priority *int32 `json:"priority,omitempty"`

	// namespaces are what each organization gets: one entry, one namespace. An empty list gives nothing, and the organizations are as they
	// should be: such as those that an application makes for every sign-up. It has to be written, so that nobody loses access by a mistake.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Namespaces []TenantNamespace `json:"namespaces,omitzero"`

	// derivedAccess says what may be made in the class's namespaces that outlives a membership. Unlimited (the default): whatever
	// people's ClusterRoles allow. Capped: tokens of ServiceAccounts live 10 minutes at most, no Secret holds one, and RoleBindings name
	// ServiceAccounts of the same namespace alone. None: no tokens, no Secrets with tokens and no RoleBindings. It counts for everybody
	// and for ServiceAccounts, except for whom the guards let through: the operator, the cluster's own components, and whom the chart's
	// admission.breakGlass and admission.derivedAccess name. Without the guards (admission.enabled) it bounds nothing. With Capped and None,
	// people who have no access any longer are taken out of everybody's RoleBindings in these namespaces, and when somebody leaves, Secrets
	// with tokens of ServiceAccounts are deleted there.
	// +optional
	// +kubebuilder:default=Unlimited
	DerivedAccess DerivedAccess `json:"derivedAccess,omitempty"`

	// hosts says which hosts may be used in the class's namespaces. Any (the default): all. OwnDomains: Ingresses, routes and Gateways of the
	// Gateway API, Certificates of cert-manager, and records of external-dns name domains that the organization has proven to own in Clerk
	// (organization.domains), and hosts below these, and no others. It counts for everybody and for ServiceAccounts, except for whom the
	// guards let through: whom the chart's admission.breakGlass and admission.hosts name. Without the guards (admission.enabled) it bounds
	// nothing. What is there already stays until somebody changes it.
	// +optional
	// +kubebuilder:default=Any
	Hosts HostPolicy `json:"hosts,omitempty"`

	// serviceAccounts says what becomes of the ServiceAccounts in the class's namespaces when somebody leaves. Keep (the default): they
	// stay as they are. Recycle: each is deleted and made again with the same labels, annotations and image pull secrets, so that none
	// of its tokens opens anything any longer, whoever has one. Pods that run and ask the API server have to be restarted then. Recycle
	// needs derivedAccess.
	// +optional
	// +kubebuilder:default=Keep
	ServiceAccounts ServiceAccountPolicy `json:"serviceAccounts,omitempty"`

	// creators says whether the API server records who makes what in the class's namespaces. Ignore (the default): nobody does. Record: a
	// MutatingAdmissionPolicy sets the annotation clerk-operator.io/created-by, to the name of whoever made it in RBAC, on RoleBindings,
	// ServiceAccounts, Pods, Deployments, StatefulSets, DaemonSets, Jobs and CronJobs that are made from then on. Nobody can choose, change or
	// remove it but whom the chart's admission.breakGlass names. It needs an API server that has this kind (Kubernetes 1.36), and the
	// guards: the condition CreatorsRecorded says whether it can. With derivedAccess, when somebody leaves, RoleBindings that they made keep
	// none but members of the organization and ServiceAccounts of its namespaces. The name may be an e-mail address, if spec.username of the
	// ClerkInstance says so: whoever may read the object reads it.
	// +optional
	// +kubebuilder:default=Ignore
	Creators CreatorPolicy `json:"creators,omitempty"`

	// deletion says what becomes of the namespaces when the organization is deleted. Access ends at once in any case.
	// +optional
	// +kubebuilder:default={}
	Deletion *DeletionRule `json:"deletion,omitempty"`
}

// DerivedAccess says what members may make of their access that could outlive it.
//
// +kubebuilder:validation:Enum=Unlimited;Capped;None
type DerivedAccess string

const (
	// DerivedAccessUnlimited lets members make whatever their ClusterRole allows.
	DerivedAccessUnlimited DerivedAccess = "Unlimited"

	// DerivedAccessCapped lets members make what ends by itself, or stays within their namespace.
	DerivedAccessCapped DerivedAccess = "Capped"

	// DerivedAccessNone lets members make neither tokens nor RoleBindings.
	DerivedAccessNone DerivedAccess = "None"
)

// HostPolicy says which hosts may be used.
//
// +kubebuilder:validation:Enum=Any;OwnDomains
type HostPolicy string

const (
	// HostsAny are all hosts.
	HostsAny HostPolicy = "Any"

	// HostsOwnDomains are those of the domains that the organization has proven to own.
	HostsOwnDomains HostPolicy = "OwnDomains"
)

// ServiceAccountPolicy says what becomes of ServiceAccounts when somebody leaves.
//
// +kubebuilder:validation:Enum=Keep;Recycle
type ServiceAccountPolicy string

const (
	// ServiceAccountsKept stay as they are.
	ServiceAccountsKept ServiceAccountPolicy = "Keep"

	// ServiceAccountsRecycled are deleted and made again, so that their tokens end.
	ServiceAccountsRecycled ServiceAccountPolicy = "Recycle"
)

// CreatorPolicy says whether it is recorded who made an object.
//
// +kubebuilder:validation:Enum=Ignore;Record
type CreatorPolicy string

const (
	// CreatorsIgnored are not recorded.
	CreatorsIgnored CreatorPolicy = "Ignore"

	// CreatorsRecorded are recorded by the API server, in an annotation.
	CreatorsRecorded CreatorPolicy = "Record"
)

// TenantClassMembers says from how many members on a class is for an organization, and how many keep it.
//
// +kubebuilder:validation:XValidation:rule="self.keepAtLeast < self.atLeast",message="keepAtLeast is below atLeast: else an organization moves to and fro as one member joins and leaves"
type TenantClassMembers struct {
	// atLeast is how many members an organization needs to get the class.
	// +required
	// +kubebuilder:validation:Minimum=1
	AtLeast int32 `json:"atLeast,omitempty"`

	// keepAtLeast is how many members an organization that has the class needs to keep it. It is below atLeast.
	// +required
	// +kubebuilder:validation:Minimum=0
	KeepAtLeast *int32 `json:"keepAtLeast,omitempty"`
}

// TenantNamespace is a namespace that an organization gets. Strings may hold expressions in ${…}, which are CEL over `organization`.
type TenantNamespace struct {
	// name of the namespace, for example org-${organization.handle}. It is used once, when the namespace is made: a slug that
	// changes later moves nothing. A name that is taken gets a short hash as a suffix; so does one of over 63 characters, which is cut. The
	// result must begin with a letter and be a DNS label; it is never default, the operator's own namespace, or one that begins with kube-.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name,omitempty"`

	// labels of the namespace. Values may hold expressions. Keys under clerk-operator.io/ are the operator's own and refused.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`

	// annotations of the namespace. Values may hold expressions. Keys under clerk-operator.io/ are the operator's own and refused.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`

	// resourceQuota is the spec of the namespace's ResourceQuota; none when absent. Quantities may hold expressions.
	// +optional
	ResourceQuota *TenantResourceQuota `json:"resourceQuota,omitempty"`

	// limitRange is the spec of the namespace's LimitRange; none when absent. Quantities may hold expressions.
	// +optional
	LimitRange *TenantLimitRange `json:"limitRange,omitempty"`

	// networkPolicies are the namespace's NetworkPolicies. Strings and ports within them may hold expressions.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	NetworkPolicies []TenantNetworkPolicy `json:"networkPolicies,omitempty"`

	// roleBindings say which ClusterRole a member gets in the namespace. A role or permission that nobody mapped grants nothing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	RoleBindings []TenantRoleBinding `json:"roleBindings,omitempty"`
}

// TenantNetworkPolicy is a NetworkPolicy of a namespace.
type TenantNetworkPolicy struct {
	// name of the NetworkPolicy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// spec of the NetworkPolicy.
	// +required
	Spec TenantNetworkPolicySpec `json:"spec,omitzero"`
}

// TenantRoleBinding gives a ClusterRole to the members with a role or with a permission.
//
// +kubebuilder:validation:XValidation:rule="has(self.role) != has(self.permission)",message="give either role or permission"
type TenantRoleBinding struct {
	// role is the key of a Clerk role, such as org:admin: its members get the ClusterRole.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role,omitempty"`

	// permission is the key of a Clerk permission, such as org:billing:manage: members whose role has it get the ClusterRole.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Permission string `json:"permission,omitempty"`

	// clusterRole is the name of the ClusterRole. The operator needs the verb bind on it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClusterRole string `json:"clusterRole,omitempty"`

	// when is a CEL expression over `user`, `member` and `organization` that has to be true for the member to get the ClusterRole, for example
	// user.twoFactorEnabled or member.publicMetadata.?oncall.orValue(false). What cannot be decided, since something is not known or the
	// expression fails, gives nothing; the ClerkMember's status says why.
	// Fields of user: id, username, primaryEmail, firstName, lastName, externalID, publicMetadata, twoFactorEnabled, externalManaged.
	// Fields of member: id, role, permissions, publicMetadata, createdAt. Those of organization are the same as in spec.match.
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

// DeletionPolicy says what becomes of the namespaces of a deleted organization.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionRetain keeps the namespaces.
	DeletionRetain DeletionPolicy = "Retain"

	// DeletionDelete deletes those namespaces that the operator created, after a delay.
	DeletionDelete DeletionPolicy = "Delete"
)

// DeletionRule says what becomes of the namespaces of a deleted organization.
//
// +kubebuilder:validation:XValidation:rule="!has(self.after) || duration(self.after) >= duration('0s')",message="after is not below 0s"
type DeletionRule struct {
	// policy is Retain (the default): the namespaces stay, without access for anybody; or Delete: those that the operator
	// created are deleted, with all that is in them, after the delay. Adopted namespaces are never deleted.
	// +optional
	// +kubebuilder:default=Retain
	Policy DeletionPolicy `json:"policy,omitempty"`

	// after is the delay between the deletion in Clerk and that of the namespaces, such as 72h. Default: 168h, a week to notice a mistake.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	After *metav1.Duration `json:"after,omitempty"`
}

// TenantClassStatus says whether the class can be used, and by how many it is.
//
// +kubebuilder:validation:MinProperties=1
type TenantClassStatus struct {
	// conditions say how it stands: Ready, whether every expression of the class compiles; Stalled, that somebody must act first;
	// CreatorsRecorded, with spec.creators Record, whether the API server records who makes what.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// organizations is how many organizations the class serves. It is brought up to date every second or so.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Organizations *int32 `json:"organizations,omitempty"`
}

// TenantClass is what an organization gets in this cluster: which namespaces, with which limits, and which ClusterRole a
// member's role means there. It is written by the cluster's administrators.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tclass,categories=clerk,path=tenantclasses
// +kubebuilder:printcolumn:name="Organizations",type=integer,JSONPath=`.status.organizations`
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Match",type=string,priority=1,JSONPath=`.spec.match`
// +kubebuilder:printcolumn:name="Deletion",type=string,priority=1,JSONPath=`.spec.deletion.policy`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type TenantClass struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which organizations the class is for and what they get.
	// +required
	Spec TenantClassSpec `json:"spec,omitzero"`

	// status says whether the class can be used.
	// +optional
	Status TenantClassStatus `json:"status,omitzero"`
}

// TenantClassList is a list of TenantClasses.
//
// +kubebuilder:object:root=true
type TenantClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []TenantClass `json:"items"`
}
