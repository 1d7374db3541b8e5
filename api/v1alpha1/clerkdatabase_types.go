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

// ClerkDatabaseSpec says which database is kept in step with what is mirrored, and with what of it.
type ClerkDatabaseSpec struct {
	// instanceRef names the ClerkInstance whose environment the rows are of. It never changes: make another ClerkDatabase, with a schema of
	// its own, for another environment.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="instanceRef never changes: make another ClerkDatabase with a schema of its own"
	InstanceRef InstanceReference `json:"instanceRef,omitzero"`

	// connection says which database, and how the operator shows who it is.
	// +required
	Connection DatabaseConnection `json:"connection,omitzero"`

	// schema that the operator makes, migrates and writes: clerk by default. One that exists already is used only if it is empty or the
	// operator's own. It never changes: what is in the old one would stay there.
	// +optional
	// +kubebuilder:default=clerk
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z_][a-z0-9_]*$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('pg_') && !(self in ['public', 'information_schema'])",message="the schema is to be the operator's own: public, information_schema and pg_… are not"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="schema never changes: make another ClerkDatabase"
	Schema string `json:"schema,omitempty"`

	// tables that are kept in step; all by default. One that is taken off the list is emptied.
	// +optional
	// +kubebuilder:default={organizations,users,memberships,roles,permissions}
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	Tables []DatabaseTable `json:"tables,omitempty"`

	// personalData is Include (the default), or Omit, which leaves empty what may tell who somebody is: of users all but the id, whether they
	// are let in, and times; of memberships the public metadata. What was written before is taken out.
	// +optional
	// +kubebuilder:default=Include
	PersonalData DatabasePersonalData `json:"personalData,omitempty"`
}

// DatabaseTable is a table that is kept in step.
//
// +kubebuilder:validation:Enum=organizations;users;memberships;roles;permissions
type DatabaseTable string

// The tables.
const (
	// DatabaseOrganizations has a row for each organization.
	DatabaseOrganizations DatabaseTable = "organizations"

	// DatabaseUsers has a row for each user that is mirrored: ClerkInstance.spec.users says which are.
	DatabaseUsers DatabaseTable = "users"

	// DatabaseMemberships has a row for each membership.
	DatabaseMemberships DatabaseTable = "memberships"

	// DatabaseRoles has a row for each role.
	DatabaseRoles DatabaseTable = "roles"

	// DatabasePermissions has a row for each permission.
	DatabasePermissions DatabaseTable = "permissions"
)

// DatabasePersonalData says whether personal data is written.
//
// +kubebuilder:validation:Enum=Include;Omit
type DatabasePersonalData string

const (
	// DatabasePersonalDataInclude writes it.
	DatabasePersonalDataInclude DatabasePersonalData = "Include"

	// DatabasePersonalDataOmit leaves its columns empty.
	DatabasePersonalDataOmit DatabasePersonalData = "Omit"
)

// DatabaseConnection says which database, and how the operator shows who it is.
type DatabaseConnection struct {
	// secretRef names a Secret in the operator's namespace, labelled clerk-operator.io/database=true, with a key url (or uri), such as
	// postgresql://clerk:…@db.example.com:5432/app, or with the keys host, port (5432 by default), dbname, username and password. Addresses
	// of the operator's own machine and of metadata services are refused; of the URL's parameters, only sslmode and channel_binding may be
	// there, and count for nothing: spec.connection.tls does.
	// +required
	SecretRef SecretReference `json:"secretRef,omitzero"`

	// tls says whom to trust, and what certificate to show. Without it, the server needs a certificate for its name from one of the world's
	// authorities.
	// +optional
	TLS *DatabaseTLS `json:"tls,omitempty"`
}

// DatabaseTLSMode says whether the connection is encrypted.
//
// +kubebuilder:validation:Enum=VerifyFull;Disable
type DatabaseTLSMode string

const (
	// DatabaseTLSVerifyFull encrypts, and wants a certificate for the server's name from an authority that is trusted.
	DatabaseTLSVerifyFull DatabaseTLSMode = "VerifyFull"

	// DatabaseTLSDisable does not encrypt. Passwords are then never sent as they are.
	DatabaseTLSDisable DatabaseTLSMode = "Disable"
)

// DatabaseTLS says whom to trust, and what certificate to show.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disable' || !(has(self.caSecretRef) || has(self.certificateSecretRef) || has(self.serverName))",message="with mode Disable there are no certificates"
type DatabaseTLS struct {
	// mode is VerifyFull (the default), or Disable, which sends personal data over the network for everybody to read: for a database in the
	// same pod network at most.
	// +optional
	// +kubebuilder:default=VerifyFull
	Mode DatabaseTLSMode `json:"mode,omitempty"`

	// caSecretRef names the key of a Secret, in the operator's namespace, that holds the certificates (PEM) to trust instead of the
	// world's authorities.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`

	// certificateSecretRef names a Secret of the type kubernetes.io/tls, in the operator's namespace and with the same label as that of the
	// connection, with the certificate to show.
	// +optional
	CertificateSecretRef *SecretReference `json:"certificateSecretRef,omitempty"`

	// serverName is the name to find in the server's certificate, where it is not that of the host.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// ClerkDatabaseStatus says whether the database is in step.
//
// +kubebuilder:validation:MinProperties=1
type ClerkDatabaseStatus struct {
	// conditions say how it stands: Ready, whether the database is in step; Stalled, that somebody must act first; DataRefused (present only
	// while it is true), that the database takes some rows in no form.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that the conditions speak of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lag is how far the database is behind what is mirrored. It is written every few seconds at most.
	// +optional
	Lag DatabaseLag `json:"lag,omitzero"`

	// tables are how many rows there are, as last counted.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5
	Tables []DatabaseTableStatus `json:"tables,omitempty"`

	// lastComparedAt is when every row was last compared with what is mirrored.
	// +optional
	LastComparedAt metav1.Time `json:"lastComparedAt,omitzero"`

	// lastError is the last thing that went wrong, also if it goes well again.
	// +optional
	LastError DatabaseError `json:"lastError,omitzero"`
}

// DatabaseLag is how far a database is behind.
type DatabaseLag struct {
	// objects are how many mirrored objects may differ from their rows.
	// +required
	// +kubebuilder:validation:Minimum=0
	Objects *int64 `json:"objects,omitempty"`

	// seconds are for how long the first of them has done so.
	// +required
	// +kubebuilder:validation:Minimum=0
	Seconds *int64 `json:"seconds,omitempty"`
}

// DatabaseTableStatus is how many rows a table has.
type DatabaseTableStatus struct {
	// name of the table.
	// +required
	Name DatabaseTable `json:"name,omitempty"`

	// rows of what there is in Clerk.
	// +required
	// +kubebuilder:validation:Minimum=0
	Rows *int64 `json:"rows,omitempty"`

	// deleted are rows of what was deleted: an id and times.
	// +required
	// +kubebuilder:validation:Minimum=0
	Deleted *int64 `json:"deleted,omitempty"`
}

// DatabaseError is something that went wrong.
type DatabaseError struct {
	// code is PostgreSQL's SQLSTATE, or the operator's word where there is none: timeout, connection, dns, tls, address_refused and so on. It
	// holds nothing of what the database answered.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Code string `json:"code,omitempty"`

	// occurredAt is when, by the operator's clock.
	// +required
	OccurredAt metav1.Time `json:"occurredAt,omitzero"`
}

// ClerkDatabase keeps tables of a PostgreSQL database in step with what is mirrored of a Clerk environment: organizations, users,
// memberships, roles and permissions, for applications to join with. It is fed from the mirrored objects, so its first look is the
// backfill, and an outage is lag and not loss. Deleting it leaves the tables as they are.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cdb,categories=clerk
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Instance",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Schema",type=string,JSONPath=`.spec.schema`
// +kubebuilder:printcolumn:name="Behind",type=integer,JSONPath=`.status.lag.objects`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Compared",type=date,priority=1,JSONPath=`.status.lastComparedAt`
// +kubebuilder:printcolumn:name="Last Error",type=string,priority=1,JSONPath=`.status.lastError.code`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkDatabase struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which database is kept in step, and with what.
	// +required
	Spec ClerkDatabaseSpec `json:"spec,omitzero"`

	// status says whether it is.
	// +optional
	Status ClerkDatabaseStatus `json:"status,omitzero"`
}

// ClerkDatabaseList is a list of ClerkDatabases.
//
// +kubebuilder:object:root=true
type ClerkDatabaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkDatabase `json:"items"`
}
