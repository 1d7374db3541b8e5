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

const (
	// OrganizationIDLabel marks everything that belongs to an organization with its Clerk id. On a namespace it is, with InstanceLabel, the
	// claim of ownership: a namespace that carries both is this organization's, whoever put them there.
	OrganizationIDLabel = "clerk-operator.io/organization-id"

	// InstanceLabel marks everything that belongs to an organization with the ClerkInstance that speaks of it. A namespace that has an
	// organization's id and no instance gets that of the organization, if it is the only one of that id.
	InstanceLabel = "clerk-operator.io/instance"

	// DerivedAccessLabel marks a namespace with spec.derivedAccess of the TenantClass, where that is Capped or None: the guards hold there.
	DerivedAccessLabel = "clerk-operator.io/derived-access"

	// HostsLabel marks a namespace with spec.hosts of the TenantClass, where that is OwnDomains: the guards hold there.
	HostsLabel = "clerk-operator.io/hosts"

	// OwnDomainsAnnotation has the domains, with commas between them, that the organization of a namespace with HostsLabel has proven to own.
	OwnDomainsAnnotation = "clerk-operator.io/own-domains"

	// CreatorsLabel marks a namespace with spec.creators of the TenantClass, where that is Record: who makes what is recorded there.
	CreatorsLabel = "clerk-operator.io/creators"

	// CreatedByAnnotation is the name in RBAC of who made an object. The API server sets it, where the namespace has CreatorsLabel.
	CreatedByAnnotation = "clerk-operator.io/created-by"

	// RecycledLabel marks a ServiceAccount that keeps what another one is made again from, whose name RecycledAnnotation tells. It is there
	// for a moment.
	RecycledLabel = "clerk-operator.io/recycled"

	// RecycledAnnotation is the name and uid of the ServiceAccount that is being made again, as "<name>/<uid>".
	RecycledAnnotation = "clerk-operator.io/recycled"

	// RecyclingLabel marks a namespace whose ServiceAccounts are being made again: the guards refuse tokens of them meanwhile.
	RecyclingLabel = "clerk-operator.io/recycling"

	// RecycledAtAnnotation is when a ServiceAccount was made again.
	RecycledAtAnnotation = "clerk-operator.io/recycled-at"

	// UserIDLabel marks a ClerkMember with its user's Clerk id.
	UserIDLabel = "clerk-operator.io/user-id"

	// SlugLabel marks a ClerkOrganization with its slug, which changes and gets reused: for people to select by, never a key.
	SlugLabel = "clerk-operator.io/organization-slug"

	// ManagedByLabel tells which program made an object. On a namespace: one that the operator created and may delete.
	ManagedByLabel = "app.kubernetes.io/managed-by"

	// ManagedBy is the value of ManagedByLabel on everything that the operator creates.
	ManagedBy = "clerk-operator"

	// NameTemplateAnnotation tells which entry of a TenantClass a namespace fills: the entry's name, unexpanded.
	NameTemplateAnnotation = "clerk-operator.io/name-template"

	// ManagedMetadataAnnotation lists the labels and annotations that the operator set on a namespace, so that it takes away
	// what a TenantClass no longer wants and nothing else.
	ManagedMetadataAnnotation = "clerk-operator.io/managed-metadata"

	// ResyncAnnotation asks for a resync of a ClerkInstance: every value that was not served yet, such as the time of asking, is a request.
	ResyncAnnotation = "clerk-operator.io/resync-requested-at"

	// ReleasePruneAnnotation on a ClerkInstance lets a removal happen that was held: its value is status.heldPrune.plan.
	ReleasePruneAnnotation = "clerk-operator.io/release-prune"

	// ReleaseContradictionAnnotation on a ClerkInstance takes away the tombstones that contradict what Clerk lists: its value is
	// status.contradiction.name.
	ReleaseContradictionAnnotation = "clerk-operator.io/release-contradiction"

	// ClusterGrantLabel marks the ClusterRoleBinding of a ClusterGrant with its name.
	ClusterGrantLabel = "clerk-operator.io/cluster-grant"

	// APIKeyLabel marks a Secret, by the value APIKeyLabelValue, as one that holds an API key and may be sent to Clerk's API.
	APIKeyLabel = "clerk-operator.io/api-key"

	// APIKeyLabelValue is the value of APIKeyLabel.
	APIKeyLabelValue = "true"

	// SinkLabel marks a Secret, by the value SinkLabelValue, as one whose values ClerkSinks may show to their targets.
	SinkLabel = "clerk-operator.io/sink"

	// SinkLabelValue is the value of SinkLabel.
	SinkLabelValue = "true"

	// DatabaseLabel marks a Secret, by the value DatabaseLabelValue, as one by which ClerkDatabases may connect.
	DatabaseLabel = "clerk-operator.io/database"

	// DatabaseLabelValue is the value of DatabaseLabel.
	DatabaseLabelValue = "true"

	// ReservedPrefix begins the labels and annotations that are the operator's own; a TenantClass may not set them.
	ReservedPrefix = "clerk-operator.io/"
)
