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

package kubectl

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Plan says what an edit of TenantClasses, ClerkInstances and ClusterGrants would do.
type Plan struct {
	metav1.TypeMeta `json:",inline"`

	// Changes: something would change, for some organization or ClusterGrant.
	Changes bool `json:"changes"`

	// Objects are those of the manifests that count.
	Objects []PlanObject `json:"objects"`

	Summary PlanSummary `json:"summary"`

	// Organizations are those for which something would change.
	Organizations []PlanOrganization `json:"organizations"`

	// ClusterGrants are those for which something would change.
	ClusterGrants []PlanClusterGrant `json:"clusterGrants,omitempty"`

	// Notes are what keeps the plan from being certain.
	Notes []string `json:"notes,omitempty"`
}

// PlanObject is a TenantClass, ClerkInstance or ClusterGrant of the manifests.
type PlanObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`

	// Action is Create, Update or None.
	Action string `json:"action"`
}

// PlanSummary counts what would change in all.
type PlanSummary struct {
	// Organizations are all that were looked at.
	Organizations int `json:"organizations"`

	// Changed are those for which something would change.
	Changed int `json:"changed"`

	NamespacesMade     int `json:"namespacesMade"`
	NamespacesReleased int `json:"namespacesReleased"`
	NamespacesDeleted  int `json:"namespacesDeleted"`
	PoliciesChanged    int `json:"policiesChanged"`

	// Gaining and Losing are how many names in RBAC get a ClusterRole somewhere or in the whole cluster, and how many lose one.
	Gaining int `json:"gaining"`
	Losing  int `json:"losing"`

	// Problems are how many organizations would have a problem that they have not now.
	Problems int `json:"problems"`

	// ClusterGrants are all that were looked at, ClusterGrantsChanged those for which something would change, and ClusterGrantProblems how
	// many of these would have a problem that they have not now.
	ClusterGrants        int `json:"clusterGrants,omitempty"`
	ClusterGrantsChanged int `json:"clusterGrantsChanged,omitempty"`
	ClusterGrantProblems int `json:"clusterGrantProblems,omitempty"`
}

// PlanOrganization is what would change for an organization.
type PlanOrganization struct {
	Name string `json:"name"`
	Slug string `json:"slug,omitempty"`
	ID   string `json:"id"`

	// ClassBefore and ClassAfter are the TenantClasses that serve it, empty if none does.
	ClassBefore string `json:"classBefore,omitempty"`
	ClassAfter  string `json:"classAfter,omitempty"`

	Namespaces []PlanNamespace `json:"namespaces,omitempty"`
	Policies   []PlanPolicy    `json:"policies,omitempty"`
	Gains      []PlanGrant     `json:"gains,omitempty"`
	Losses     []PlanGrant     `json:"losses,omitempty"`

	// Problems are those that it would have and has not now.
	Problems []string `json:"problems,omitempty"`
}

// PlanNamespace is what would become of a namespace.
type PlanNamespace struct {
	Name string `json:"name"`

	// Change is Made, Released (nobody has access any more, and it stays), Served (it was released before), Deleted or Kept (where
	// the deletion of an organization in Clerk would end otherwise), or Relabelled.
	Change NamespaceChange `json:"change"`

	// DeleteAt is when it would be deleted.
	DeleteAt *metav1.Time `json:"deleteAt,omitempty"`
}

// NamespaceChange is what would become of a namespace.
type NamespaceChange string

// Changes of a namespace.
const (
	NamespaceMade       NamespaceChange = "Made"
	NamespaceReleased   NamespaceChange = "Released"
	NamespaceServed     NamespaceChange = "Served"
	NamespaceDeleted    NamespaceChange = "Deleted"
	NamespaceKept       NamespaceChange = "Kept"
	NamespaceRelabelled NamespaceChange = "Relabelled"
)

// PlanPolicy is a ResourceQuota, LimitRange or NetworkPolicy that would change.
type PlanPolicy struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`

	// Change is Created, Changed or Deleted.
	Change string `json:"change"`
}

// PlanGrant is a ClusterRole that somebody would get or lose in a namespace.
type PlanGrant struct {
	Namespace   string `json:"namespace"`
	ClusterRole string `json:"clusterRole"`
	Subject     string `json:"subject"`

	// Person is the member whom the subject names; empty if none does.
	Person string `json:"person,omitempty"`
}
