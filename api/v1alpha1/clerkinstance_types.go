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
//
// +kubebuilder:validation:XValidation:rule="has(self.webhook) || has(self.api)",message="webhook or api is required: without either, nothing is heard of the environment"
// +kubebuilder:validation:MinProperties=1
type ClerkInstanceSpec struct {
	// webhook says how deliveries to /webhooks/<name of this ClerkInstance> are verified. Without it, none is accepted, and all that is
	// heard of the environment is what a resync finds.
	// +optional
	Webhook ClerkInstanceWebhook `json:"webhook,omitzero"`

	// api lets the operator list what there is, with Clerk's Backend API: at a start, at an interval and on demand. It finds what
	// webhooks lost. Without it, only what a webhook delivers is known.
	// +optional
	API ClerkInstanceAPI `json:"api,omitzero"`

	// mode is Enforce (the default), or Observe, which mirrors and says in each ClerkOrganization's status what would be done, and
	// touches no namespace and no RoleBinding: it adds no access, and it takes none away either.
	// +optional
	// +kubebuilder:default=Enforce
	Mode InstanceMode `json:"mode,omitempty"`

	// instanceID is Clerk's id of the environment (ins_…), to be found in every event. Events of any other environment are refused with
	// 403, also when they are well signed, and so is an API key of another. When it is empty, the environment that is heard of first is
	// the one: see status.instanceID.
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
	// more, is kept for the retention of tombstones. All: everyone. None: nobody but those who are kept out (banned, deprovisioned,
	// deleted), and of them nothing personal; who is let in again stays so for the retention, or while they are a member.
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

// InstanceMode says whether an environment has any effect.
//
// +kubebuilder:validation:Enum=Enforce;Observe
type InstanceMode string

const (
	// ModeEnforce gives organizations what their class says.
	ModeEnforce InstanceMode = "Enforce"

	// ModeObserve says what would be done, and does nothing.
	ModeObserve InstanceMode = "Observe"
)

// ClerkInstanceAPI says how Clerk's Backend API is asked.
type ClerkInstanceAPI struct {
	// secretKeyRef names the Secret, in the operator's namespace, and the key of it that holds the API key (sk_…). A changed key is
	// used at once. The Secret has to carry the label clerk-operator.io/api-key=true: nothing else of the namespace is sent to anybody.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef,omitzero"`

	// url of the API, for one that is reached otherwise than directly. Its host has to be one of the operator's --clerk-api-hosts, which
	// are api.clerk.com alone by default. It begins with https:// unless it is on the operator's own machine.
	// +optional
	// +kubebuilder:default="https://api.clerk.com/v1"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url,omitempty"`

	// resyncInterval is how long after the end of a resync the next begins: 1h by default, 1m at least; 0 for none but those on demand, by
	// the annotation clerk-operator.io/resync-requested-at. One that found a gap is repeated sooner.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$`
	// +kubebuilder:validation:XValidation:rule="duration(self) == duration('0s') || duration(self) >= duration('1m')",message="must be 0, or 1m at least"
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`

	// prune bounds what one resync may remove.
	// +optional
	Prune ClerkInstancePrune `json:"prune,omitzero"`
}

// ClerkInstancePrune bounds what one resync may remove: what is mirrored, but no longer there. Where that is more, nothing is removed
// until an administrator has looked: the condition PruneHeld says what to do. A deletion that a webhook tells is never held.
//
// +kubebuilder:validation:MinProperties=1
type ClerkInstancePrune struct {
	// maxCount is how many objects of one kind may be removed: 100 by default; 0 holds every removal.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	MaxCount *int32 `json:"maxCount,omitempty"`

	// maxPercent is how much of one kind may be removed, in percent of what is mirrored: 20 by default. 5 objects always may, as far as
	// maxCount lets them: a handful out of few is no sign of a mistake.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxPercent *int32 `json:"maxPercent,omitempty"`
}

// SecretKeyReference names a key of a Secret in the operator's namespace.
type SecretKeyReference struct {
	// name of the Secret in the operator's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key of the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

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
	// conditions say how it stands: Ready, whether deliveries are accepted; Stalled, that somebody must act first; Synced, whether the last
	// resync found everything and could write it; PruneHeld, that it would remove too much and waits for an administrator;
	// PlansKnown, whether it is known what the plans of Clerk's billing give.
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

	// lastRefusal is the newest delivery that was refused. It is written at most every minute, so it may lag behind.
	// +optional
	LastRefusal LastRefusal `json:"lastRefusal,omitzero"`

	// instanceID is Clerk's id of the environment (ins_…) that was heard of first, by a verified event or by an API key. Events and keys
	// of another are refused. It changes to what spec.instanceID names, and to nothing else.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	InstanceID string `json:"instanceID,omitempty"`

	// resync is how far the resync is that runs now. A short one is over before this is written.
	// +optional
	Resync *ResyncProgress `json:"resync,omitempty"`

	// lastResync is what the last resync that ended came to.
	// +optional
	LastResync LastResync `json:"lastResync,omitzero"`

	// confirmedAt is when the last resync began that compared all that was mirrored with Clerk's lists, by the operator's clock. What was
	// said before it about something with the same updatedAt is old.
	// +optional
	ConfirmedAt *metav1.Time `json:"confirmedAt,omitempty"`

	// horizon is how old something may be and still create a mirrored object. It is written before tombstones are removed by it. Where it is
	// missing, as in a restored ClerkInstance, tombstones are taken to have been kept for 28 hours at most.
	// +optional
	Horizon TombstoneHorizon `json:"horizon,omitzero"`

	// heldPrune is what the last resync would have removed, if it was too much: see the condition PruneHeld.
	// +optional
	HeldPrune HeldPrune `json:"heldPrune,omitzero"`

	// plans are those of Clerk's billing that organizations may have, as the last resync that could read them found them: see the condition
	// PlansKnown. Where there are any, a permission org:feature:action counts only with its feature.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=64
	Plans []InstancePlan `json:"plans,omitempty"`

	// contradiction is what Clerk lists although it is deleted here: see the condition Synced.
	// +optional
	Contradiction Contradiction `json:"contradiction,omitzero"`
}

// InstancePlan is a plan of Clerk's billing, and what it gives.
type InstancePlan struct {
	// id is Clerk's id of the plan (cplan_…).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`

	// slug is what it is called in expressions.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Slug string `json:"slug,omitempty"`

	// features are the slugs of what it gives, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Features []string `json:"features,omitempty"`

	// default says that an organization without another plan has this one.
	// +optional
	// +kubebuilder:validation:Enum=true
	Default *bool `json:"default,omitempty"`
}

// TombstoneHorizon says how long tombstones are kept, and have been. Nothing that is older may create: the tombstone that would refuse it
// may be gone.
//
// +kubebuilder:validation:XValidation:rule="self.floor >= oldSelf.floor",message="floor never goes back: tombstones from before it are gone"
type TombstoneHorizon struct {
	// retentionSeconds is how long tombstones are kept by the elected replica: its --tombstone-retention. What is older creates nothing, on
	// any replica, whatever its own --tombstone-retention is.
	// +required
	// +kubebuilder:validation:Minimum=1
	RetentionSeconds int64 `json:"retentionSeconds,omitempty"`

	// floor is the time before which nothing may create, however long tombstones are kept now: those from before may have been removed. It
	// moves when the retention is raised.
	// +required
	Floor metav1.Time `json:"floor,omitzero"`

	// changedAt is when this was written, by the operator's clock. For a minute after that no tombstone is removed, so that every replica
	// has read it before.
	// +required
	ChangedAt metav1.Time `json:"changedAt,omitzero"`
}

// LastRefusal is the newest delivery that was not accepted.
type LastRefusal struct {
	// reason is the receiver's word for why: unauthorized, bad_headers, wrong_instance, not_understood and so on, as in the metrics.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// refusedAt is when it was answered, by the operator's clock.
	// +required
	RefusedAt metav1.Time `json:"refusedAt,omitzero"`
}

// ResyncProgress is how far a resync is.
type ResyncProgress struct {
	// startedAt is when it began, by the operator's clock.
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`

	// kind that is being listed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// listed is how many of that kind have been.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Listed *int32 `json:"listed,omitempty"`

	// total is how many of that kind there are, by Clerk's count.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Total *int32 `json:"total,omitempty"`
}

// ResyncResult is what a resync came to.
//
// +kubebuilder:validation:Enum=Complete;Incomplete;PruneHeld;Failed
type ResyncResult string

const (
	// ResyncComplete: all that is there is mirrored, and all that is not is removed.
	ResyncComplete ResyncResult = "Complete"

	// ResyncIncomplete: something could not be listed to its end, or not be mirrored. The rest is. Of what a gap concerns nothing was removed.
	ResyncIncomplete ResyncResult = "Incomplete"

	// ResyncPruneHeld: all that is there is mirrored; what is not would have been too much to remove.
	ResyncPruneHeld ResyncResult = "PruneHeld"

	// ResyncFailed: Clerk's API could not be read. Nothing was removed.
	ResyncFailed ResyncResult = "Failed"
)

// LastResync is what a resync came to.
type LastResync struct {
	// startedAt is when it began, by the operator's clock.
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`

	// finishedAt is when it ended, by the operator's clock.
	// +required
	FinishedAt metav1.Time `json:"finishedAt,omitzero"`

	// result is what it came to; the condition Synced says why.
	// +required
	Result ResyncResult `json:"result,omitempty"`

	// requestedAt is the value of the annotation clerk-operator.io/resync-requested-at that it served.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	RequestedAt string `json:"requestedAt,omitempty"`

	// requests is how many were made to Clerk's API.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Requests *int64 `json:"requests,omitempty"`

	// kinds are what was found of each kind: what no webhook had told, or not yet.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=8
	Kinds []ResyncedKind `json:"kinds,omitempty"`
}

// ResyncedKind is what a resync found of one kind. All but listed is drift: what webhooks had not told.
type ResyncedKind struct {
	// kind of the mirrored objects.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// listed is how many there are in Clerk.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Listed *int32 `json:"listed,omitempty"`

	// created is how many were not mirrored before.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Created *int32 `json:"created,omitempty"`

	// updated is how many were mirrored otherwise than they are.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Updated *int32 `json:"updated,omitempty"`

	// deleted is how many were mirrored although they are gone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Deleted *int32 `json:"deleted,omitempty"`
}

// HeldPrune is what a resync would have removed.
type HeldPrune struct {
	// plan names exactly this: whatever else would be removed has another name. It is the value of the annotation
	// clerk-operator.io/release-prune that lets the removal happen.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Plan string `json:"plan,omitempty"`

	// count is how many objects would be removed in all.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Count *int32 `json:"count,omitempty"`

	// ids are Clerk's ids of the first of them, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	IDs []string `json:"ids,omitempty"`
}

// Contradiction is what Clerk lists as living although a deletion of it was heard, or was found by a resync. Its tombstones keep it away
// until an administrator has looked.
type Contradiction struct {
	// name names exactly these tombstones: any other contradiction has another name. It is the value of the annotation
	// clerk-operator.io/release-contradiction that takes these tombstones away, so that what Clerk lists is mirrored again.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Name string `json:"name,omitempty"`

	// count is how many tombstones contradict Clerk in all.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Count *int32 `json:"count,omitempty"`

	// ids are Clerk's ids of the first of them, in order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	IDs []string `json:"ids,omitempty"`
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
// Deliveries come in at /webhooks/<name>. The names of the objects that are mirrored for it begin with its own.
//
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name has to be 63 characters long at most: it begins the names of what is mirrored"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cinst,categories=clerk
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.instanceID) || has(self.status) && has(self.status.instanceID) && (self.status.instanceID == oldSelf.status.instanceID || has(self.spec.instanceID) && self.status.instanceID == self.spec.instanceID)",fieldPath=".status",reason=FieldValueForbidden,message="status.instanceID is the environment that was heard of first: it changes only to what spec.instanceID names"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Last Event",type=date,JSONPath=`.status.lastEvent.receivedAt`
// +kubebuilder:printcolumn:name="Synced",type=string,JSONPath=`.status.conditions[?(@.type=="Synced")].status`
// +kubebuilder:printcolumn:name="Last Resync",type=date,JSONPath=`.status.lastResync.finishedAt`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Last Type",type=string,priority=1,JSONPath=`.status.lastEvent.type`
// +kubebuilder:printcolumn:name="Instance ID",type=string,priority=1,JSONPath=`.spec.instanceID`
// +kubebuilder:printcolumn:name="Username",type=string,priority=1,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name="Resync",type=string,priority=1,JSONPath=`.status.lastResync.result`
// +kubebuilder:printcolumn:name="Last Refusal",type=date,priority=1,JSONPath=`.status.lastRefusal.refusedAt`
// +kubebuilder:printcolumn:name="Refused For",type=string,priority=1,JSONPath=`.status.lastRefusal.reason`
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
