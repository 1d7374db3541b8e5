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

// Conditions of every kind follow kstatus: Ready says whether the object is as it should be, Stalled (present only while it is
// true) that somebody must act before it can be.
const (
	// ConditionReady is True when the operator has done all that the object asks for.
	ConditionReady = "Ready"

	// ConditionStalled is True while nothing will change until somebody acts; its message says what to do.
	ConditionStalled = "Stalled"

	// ConditionDataDropped is True (present only then) while something that Clerk says cannot be kept: spec.droppedFields says what.
	ConditionDataDropped = "DataDropped"

	// ConditionBound is True on a ClerkMember while RoleBindings that exist give its user access.
	ConditionBound = "Bound"

	// ConditionDerivedAccessRemoved is there on a ClerkOrganization since something was taken away that would have let people in again who
	// have no access any longer, and False while some of it could not be.
	ConditionDerivedAccessRemoved = "DerivedAccessRemoved"

	// ConditionCreatorsRecorded is there on a TenantClass whose spec.creators is Record: True while the policy is there that has the API
	// server record who makes what.
	ConditionCreatorsRecorded = "CreatorsRecorded"

	// ConditionSynced is True on a ClerkInstance while its last resync found everything and could write it.
	ConditionSynced = "Synced"

	// ConditionPlansKnown is True on a ClerkInstance while the plans of Clerk's billing and their features are known. It is absent where
	// nobody asked for them, and no organization has a subscription.
	ConditionPlansKnown = "PlansKnown"

	// ConditionPruneHeld is True on a ClerkInstance while what its last resync would remove is more than spec.api.prune lets it.
	ConditionPruneHeld = "PruneHeld"

	// ConditionKindsStale is True on a ClerkInstance (present only then) while the API server has kinds that are not those of the operator's
	// version.
	ConditionKindsStale = "KindsStale"

	// ConditionFiltering is False on a ClerkSink while its filter's expression could not judge an event.
	ConditionFiltering = "Filtering"

	// ConditionDurable is True on a ClerkSink while its stream keeps what it takes, and tells repeats from news.
	ConditionDurable = "Durable"

	// ConditionDataRefused is True on a ClerkDatabase (present only then) while its database takes some rows in no form.
	ConditionDataRefused = "DataRefused"
)

// Reasons that every kind uses.
const (
	// ReasonReady: all is as it should be.
	ReasonReady = "Ready"

	// ReasonProgressing: the operator is at work, or will try again by itself.
	ReasonProgressing = "Progressing"

	// ReasonDeleted: Clerk has deleted it; this object is its tombstone and goes after the retention.
	ReasonDeleted = "Deleted"
)

// Reasons of DataDropped.
const (
	// ReasonFieldsOdd: fields are of the wrong type, too long or too deep, and so are left out. Correct them in Clerk.
	ReasonFieldsOdd = "FieldsOdd"
)

// Reasons of a ClerkInstance.
const (
	// ReasonKindsStale: a CustomResourceDefinition is of another version than the operator. Apply those of the operator's version.
	ReasonKindsStale = "KindsStale"

	// ReasonSecretNotFound: the Secret with the signing secrets is missing. Create it in the operator's namespace.
	ReasonSecretNotFound = "SecretNotFound"

	// ReasonSecretUnusable: no key of the Secret holds a usable signing secret. Copy it from Clerk's dashboard; it begins with whsec_.
	ReasonSecretUnusable = "SecretUnusable"

	// ReasonUsernameInvalid: spec.username is no expression that gives a user name. Correct it.
	ReasonUsernameInvalid = "UsernameInvalid"

	// ReasonUsersNotMirrored: spec.username reads what only a mirrored user has, and spec.users is None. Change one of them.
	ReasonUsersNotMirrored = "UsersNotMirrored"
)

// Reasons of a ClerkInstance's Synced and PruneHeld. SecretNotFound, SecretUnusable and Rejected are used there too.
const (
	// ReasonSynced: the last resync found everything and could write it.
	ReasonSynced = "Synced"

	// ReasonPlansListed: the plans and their features are known. Nothing is wrong.
	ReasonPlansListed = "PlansListed"

	// ReasonBillingOff: Clerk lists no plans for organizations, and none of them has a subscription. Nothing is wrong, unless you use Clerk's
	// billing for organizations: the message says what Clerk answered.
	ReasonBillingOff = "BillingOff"

	// ReasonPlansIncomplete: some plans could not be kept, and are not known. The message names them and says what is wrong with each.
	ReasonPlansIncomplete = "PlansIncomplete"

	// ReasonPlansUnknown: organizations have subscriptions, but the plans cannot be read, so features are not known, and permissions are held
	// whatever the plan. Give the ClerkInstance an API key, or find out in the message why Clerk does not list them.
	ReasonPlansUnknown = "PlansUnknown"

	// ReasonPlansOutdated: the plans could not be read, so what they gave when they last were counts. The message says why.
	ReasonPlansOutdated = "PlansOutdated"

	// ReasonAPIUnavailable: Clerk's API cannot be read now. It is tried again.
	ReasonAPIUnavailable = "APIUnavailable"

	// ReasonAPIRefused: Clerk refuses the key, or what it asks for. Put a valid key of this environment into the Secret.
	ReasonAPIRefused = "APIRefused"

	// ReasonAPIInvalid: spec.api.url is nowhere a key may be sent to. Correct it, or let the operator's --clerk-api-hosts name the host.
	ReasonAPIInvalid = "APIInvalid"

	// ReasonWrongInstance: the key is of another Clerk environment. Use this one's key, or correct spec.instanceID.
	ReasonWrongInstance = "WrongInstance"

	// ReasonSecretNotMarked: the Secret is not marked as one with an API key, so nothing of it is sent. Label it.
	ReasonSecretNotMarked = "SecretNotMarked"

	// ReasonContradiction: Clerk lists what is deleted here. Look at status.contradiction, and release it if Clerk is right.
	ReasonContradiction = "Contradiction"

	// ReasonIncomplete: something could not be read, or a list was not proven complete, so nothing of its kind was removed. All else was.
	ReasonIncomplete = "Incomplete"

	// ReasonPruneHeld: more would be removed than spec.api.prune lets go. Look at status.heldPrune, and release the plan or raise the bound.
	ReasonPruneHeld = "PruneHeld"

	// ReasonWithinBounds: nothing is held.
	ReasonWithinBounds = "WithinBounds"
)

// Reasons of a ClerkOrganization.
const (
	// ReasonNoTenantClass: no TenantClass is for this organization. Create one without a match rule to serve as the default.
	ReasonNoTenantClass = "NoTenantClass"

	// ReasonTenantClassInvalid: the TenantClass of this organization does not compile. Correct it; until then grants are only taken away.
	ReasonTenantClassInvalid = "TenantClassInvalid"

	// ReasonExpressionFailed: an expression of the TenantClass failed for this organization. Correct the expression or the metadata it reads.
	ReasonExpressionFailed = "ExpressionFailed"

	// ReasonNamespaceNameInvalid: the name that the TenantClass gives is no name of a namespace, or a protected one. Change the template.
	ReasonNamespaceNameInvalid = "NamespaceNameInvalid"

	// ReasonNamespaceTaken: the namespace exists and is not this organization's. Rename it, change the template, or adopt it with the label.
	ReasonNamespaceTaken = "NamespaceTaken"

	// ReasonNamespaceTerminating: the namespace is being deleted; it is made again when it is gone.
	ReasonNamespaceTerminating = "NamespaceTerminating"

	// ReasonRoleBindingHeld: a RoleBinding is deleted and gives nobody access, but a finalizer that somebody put on it keeps it. Take the
	// finalizer off.
	ReasonRoleBindingHeld = "RoleBindingHeld"

	// ReasonBindForbidden: the operator may not bind a ClusterRole. Grant it the verb bind on that ClusterRole.
	ReasonBindForbidden = "BindForbidden"

	// ReasonClusterRoleNotFound: a ClusterRole that the TenantClass maps does not exist. Create it or change the mapping.
	ReasonClusterRoleNotFound = "ClusterRoleNotFound"

	// ReasonQuotaExceeded: a quota of the namespace leaves no room for what the TenantClass wants there. Raise the quota.
	ReasonQuotaExceeded = "QuotaExceeded"

	// ReasonRejected: the API server refused an object that the TenantClass asks for. Correct the class.
	ReasonRejected = "Rejected"

	// ReasonForbidden: the operator's permissions do not cover what it has to do. Install its current ClusterRole.
	ReasonForbidden = "Forbidden"

	// ReasonInstanceNotFound: the ClerkInstance that mirrors it does not exist, so its users have no names. Create it again.
	ReasonInstanceNotFound = "InstanceNotFound"

	// ReasonInstanceInvalid: the ClerkInstance's username expression does not compile, so no grant is added. Correct it.
	ReasonInstanceInvalid = "InstanceInvalid"
)

// Reasons of a ClerkOrganization's DerivedAccessRemoved.
const (
	// ReasonRemoved: all that was found was taken away; the message says when, and how much.
	ReasonRemoved = "Removed"

	// ReasonNotRemoved: something could not be taken away, and is tried again. The operator's log says why.
	ReasonNotRemoved = "NotRemoved"
)

// Reasons of a TenantClass's CreatorsRecorded.
const (
	// ReasonRecorded: the policy is there that has the API server record who makes what.
	ReasonRecorded = "Recorded"

	// ReasonNotServed: the API server has no MutatingAdmissionPolicy, so nobody records who makes what. Upgrade Kubernetes, then the release.
	ReasonNotServed = "NotServed"

	// ReasonPolicyNotFound: the API server has MutatingAdmissionPolicies, and that of the operator is missing. Install it.
	ReasonPolicyNotFound = "PolicyNotFound"
)

// Reasons of a ClerkOrganization of a ClerkInstance that only observes.
const (
	// ReasonObserving: the ClerkInstance's mode is Observe, so nothing is done; the message says what would be. Set spec.mode to Enforce.
	ReasonObserving = "Observing"
)

// Reasons of a ClerkMember's Bound and Ready.
const (
	// ReasonBound: RoleBindings give the user access.
	ReasonBound = "Bound"

	// ReasonRoleNotMapped: no role binding of the TenantClass is for the member's role or permissions, so it grants nothing.
	ReasonRoleNotMapped = "RoleNotMapped"

	// ReasonFeatureNotInPlan: the permission that the role bindings are for counts only with a feature, and the organization's plan does not
	// have it, so they grant nothing. Change the plan, or add the feature to it in Clerk.
	ReasonFeatureNotInPlan = "FeatureNotInPlan"

	// ReasonConditionNotMet: `when` of the role bindings for the member's role or permissions is not true, so they grant nothing.
	ReasonConditionNotMet = "ConditionNotMet"

	// ReasonConditionUndecided: `when` or `until` of a role binding fails for the member, or reads what is not known, so it grants nothing.
	// Correct the expression, or in Clerk what it reads.
	ReasonConditionUndecided = "ConditionUndecided"

	// ReasonExpired: the end has come that `until` of the role binding gives. Set another one to give access again.
	ReasonExpired = "Expired"

	// ReasonUserBanned: Clerk has banned the user, who so has no access in any organization. Unban the user in Clerk to give it back.
	ReasonUserBanned = "UserBanned"

	// ReasonUserDeprovisioned: the user's directory has removed the user, who so has no access in any organization. Add them there again.
	ReasonUserDeprovisioned = "UserDeprovisioned"

	// ReasonUserDeleted: the user was deleted in Clerk, and so has no access in any organization. There is nothing to do.
	ReasonUserDeleted = "UserDeleted"

	// ReasonUserNotMirrored: the username expression needs a ClerkUser, and there is none yet. Replay the user's events in Clerk.
	ReasonUserNotMirrored = "UserNotMirrored"

	// ReasonEmailNotVerified: the username expression needs a verified primary e-mail address. The user has to verify theirs in Clerk.
	ReasonEmailNotVerified = "EmailNotVerified"

	// ReasonRoleDeleted: the member's role was deleted in Clerk, so it grants nothing. Give the member another role in Clerk.
	ReasonRoleDeleted = "RoleDeleted"

	// ReasonRoleUnknown: the only roles known with the member's role key did not have it when the membership changed, so it grants nothing.
	// Replay the role's events in Clerk, ask for a resync, or give the member the role again there.
	ReasonRoleUnknown = "RoleUnknown"

	// ReasonRoleAmbiguous: several roles had the member's role key, so it grants nothing. Give the member the role again in Clerk.
	ReasonRoleAmbiguous = "RoleAmbiguous"

	// ReasonUsernameRefused: the username expression gives this user no name, or one that is refused. Correct ClerkInstance.spec.username.
	ReasonUsernameRefused = "UsernameRefused"

	// ReasonOrganizationNotFound: the member's organization is not mirrored (yet).
	ReasonOrganizationNotFound = "OrganizationNotFound"

	// ReasonOrganizationNotReady: the member's organization has no namespace to be bound in yet; its own conditions say why.
	ReasonOrganizationNotReady = "OrganizationNotReady"
)

// Reasons of a ClerkUser, besides those of a member.
const (
	// ReasonNoMembership: the user is no member of any organization, and goes when the retention is over (spec.users of the ClerkInstance).
	ReasonNoMembership = "NoMembership"
)

// Reasons of a ClerkSink. SecretNotFound, SecretUnusable, InstanceNotFound and Forbidden are used there too.
const (
	// ReasonFilterInvalid: spec.filter.expression does not compile. Correct it; until then deliveries are answered with 503.
	ReasonFilterInvalid = "FilterInvalid"

	// ReasonFilterFailed: the expression failed for an event, which Clerk sends again. Correct it, with has(…) for what may be missing.
	ReasonFilterFailed = "FilterFailed"

	// ReasonFiltered: the filter could judge every event.
	ReasonFiltered = "Filtered"

	// ReasonTargetInvalid: the target, or a Secret that it needs, cannot be used as it stands. Correct what the message names.
	ReasonTargetInvalid = "TargetInvalid"

	// ReasonTargetUnavailable: the target did not take the last event. Clerk sends it again; look at the target if that stays so.
	ReasonTargetUnavailable = "TargetUnavailable"

	// ReasonTargetRejects: the target refused the last event, or the operator. Look at the target; then replay the event in Clerk.
	ReasonTargetRejects = "TargetRejects"

	// ReasonSameSecret: a signing secret is that of the ClerkInstance too. Make an endpoint of its own for the sink in Clerk.
	ReasonSameSecret = "SameSecret"

	// ReasonDurable: the stream is replicated, on disk, and its duplicate window is as long as Clerk goes on trying.
	ReasonDurable = "Durable"

	// ReasonStreamNotFound: no stream takes the subject. Create one.
	ReasonStreamNotFound = "StreamNotFound"

	// ReasonStreamUnchecked: the stream cannot be looked at, since the server or the account's permissions do not let it. Look yourself.
	ReasonStreamUnchecked = "StreamUnchecked"

	// ReasonWindowTooShort: the stream's duplicate window is shorter than Clerk goes on trying, 27.6 hours. Set it to 28h.
	ReasonWindowTooShort = "WindowTooShort"

	// ReasonNotReplicated: the stream has one replica, so one lost disk loses events. Give it 3.
	ReasonNotReplicated = "NotReplicated"

	// ReasonNotSynced: the stream acknowledges what is not on a disk yet. Give it file storage, and no asynchronous persist mode.
	ReasonNotSynced = "NotSynced"

	// ReasonNoAcknowledgement: the stream acknowledges nothing, so nothing is ever taken. Create it without no_ack.
	ReasonNoAcknowledgement = "NoAcknowledgement"
)

// Reasons of a ClerkDatabase. SecretNotFound, SecretUnusable, SecretNotMarked, InstanceNotFound and Progressing are used there too.
const (
	// ReasonAddressRefused: the database's address is this machine's own, link-local or a metadata service's. Name another host.
	ReasonAddressRefused = "AddressRefused"

	// ReasonTLSFailed: the server cannot be trusted by its certificate, or does not encrypt. Correct the server or spec.connection.tls.
	ReasonTLSFailed = "TLSFailed"

	// ReasonDatabaseUnavailable: the database cannot be reached, or cannot write now. It is tried again.
	ReasonDatabaseUnavailable = "DatabaseUnavailable"

	// ReasonDatabaseNotFound: the server has no such database. Create it, or correct the Secret.
	ReasonDatabaseNotFound = "DatabaseNotFound"

	// ReasonCredentialsRefused: the server refuses the user or the password. Correct the Secret.
	ReasonCredentialsRefused = "CredentialsRefused"

	// ReasonPrivilegeMissing: the user may not do what it has to in the database. Grant it.
	ReasonPrivilegeMissing = "PrivilegeMissing"

	// ReasonSchemaTaken: the schema has content that is not the operator's, or is another ClerkInstance's. Name another schema.
	ReasonSchemaTaken = "SchemaTaken"

	// ReasonSchemaInUse: another ClerkDatabase, here or in another cluster, writes the schema. Name another schema, or delete the other.
	ReasonSchemaInUse = "SchemaInUse"

	// ReasonSchemaNewer: the schema was migrated by a newer operator. Install that version again, or drop the schema.
	ReasonSchemaNewer = "SchemaNewer"

	// ReasonSchemaChanged: a table or a column of the operator's is missing. Drop the schema: it is made and filled again.
	ReasonSchemaChanged = "SchemaChanged"

	// ReasonRowsRefused: the database takes some rows in no form, as by a trigger or a constraint of somebody's. Look at that.
	ReasonRowsRefused = "RowsRefused"
)

// Reasons of a ClusterGrant. Observing, InstanceNotFound, InstanceInvalid, UsersNotMirrored, ClusterRoleNotFound, BindForbidden, Rejected,
// Forbidden, Invalid and Progressing are used there too.
const (
	// ReasonDisabled: the operator was not told of any ClusterRole that it may give in the whole cluster, so it carries out no ClusterGrant.
	// Name them in the chart's clusterGrants.clusterRoles.
	ReasonDisabled = "Disabled"

	// ReasonClusterRoleNotAllowed: the ClusterRole is none of those that the operator may give in the whole cluster. Name it in the chart's
	// clusterGrants.clusterRoles, or change the grant.
	ReasonClusterRoleNotAllowed = "ClusterRoleNotAllowed"

	// ReasonClusterRoleBindingTaken: the ClusterRoleBinding exists and is somebody else's, so it is left alone. Delete it, or make the grant
	// by another name.
	ReasonClusterRoleBindingTaken = "ClusterRoleBindingTaken"

	// ReasonClusterRoleBindingHeld: the ClusterRoleBinding is deleted and gives nobody access, but a finalizer that somebody put on it keeps
	// it. Take the finalizer off.
	ReasonClusterRoleBindingHeld = "ClusterRoleBindingHeld"

	// ReasonTooManyMembers: more members should have the ClusterRole than one grant gives it to. Those who have it keep it. Make several
	// grants.
	ReasonTooManyMembers = "TooManyMembers"

	// ReasonOrganizationsMissing: none of the organizations is mirrored from the ClerkInstance. Correct the ids, or ask for a resync.
	ReasonOrganizationsMissing = "OrganizationsMissing"
)

// Reasons of a TenantClass.
const (
	// ReasonInvalid: an expression or a name of the class does not compile. The message says which; no tenant is touched until then.
	ReasonInvalid = "Invalid"
)
