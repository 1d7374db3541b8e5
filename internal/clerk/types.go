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

package clerk

import (
	"maps"
	"slices"
)

// The event types whose data is mirrored. Every other type is acknowledged and counted.
const (
	TypeOrganizationCreated = "organization.created"
	TypeOrganizationUpdated = "organization.updated"
	TypeOrganizationDeleted = "organization.deleted"
	TypeMembershipCreated   = "organizationMembership.created"
	TypeMembershipUpdated   = "organizationMembership.updated"
	TypeMembershipDeleted   = "organizationMembership.deleted"
	TypeUserCreated         = "user.created"
	TypeUserUpdated         = "user.updated"
	TypeUserDeleted         = "user.deleted"
	TypeRoleCreated         = "role.created"
	TypeRoleUpdated         = "role.updated"
	TypeRoleDeleted         = "role.deleted"
	TypePermissionCreated   = "permission.created"
	TypePermissionUpdated   = "permission.updated"
	TypePermissionDeleted   = "permission.deleted"
	TypeDomainCreated       = "organizationDomain.created"
	TypeDomainUpdated       = "organizationDomain.updated"
	TypeDomainDeleted       = "organizationDomain.deleted"
)

// Those of billing, which Clerk calls experimental.
const (
	TypeSubscriptionActive              = "subscription.active"
	TypeSubscriptionCreated             = "subscription.created"
	TypeSubscriptionPastDue             = "subscription.pastDue"
	TypeSubscriptionUpdated             = "subscription.updated"
	TypeSubscriptionItemAbandoned       = "subscriptionItem.abandoned"
	TypeSubscriptionItemActive          = "subscriptionItem.active"
	TypeSubscriptionItemCanceled        = "subscriptionItem.canceled"
	TypeSubscriptionItemEnded           = "subscriptionItem.ended"
	TypeSubscriptionItemFreeTrialEnding = "subscriptionItem.freeTrialEnding"
	TypeSubscriptionItemIncomplete      = "subscriptionItem.incomplete"
	TypeSubscriptionItemPastDue         = "subscriptionItem.pastDue"
	TypeSubscriptionItemUpcoming        = "subscriptionItem.upcoming"
	TypeSubscriptionItemUpdated         = "subscriptionItem.updated"
)

// OtherType is the label of every type that is not known by name.
const OtherType = "other"

// knownTypes are the 45 types of Clerk's schema of 2025-04-15, and those that only Clerk's guides and announcements
// name: invitation.*, session.updated, directoryGroup.*.
var knownTypes = map[string]struct{}{
	"directoryGroup.created":            {},
	"directoryGroup.deleted":            {},
	"directoryGroup.synced":             {},
	"directoryGroup.updated":            {},
	"email.created":                     {},
	"invitation.accepted":               {},
	"invitation.created":                {},
	"invitation.revoked":                {},
	TypeOrganizationCreated:             {},
	TypeOrganizationDeleted:             {},
	TypeOrganizationUpdated:             {},
	TypeDomainCreated:                   {},
	TypeDomainDeleted:                   {},
	TypeDomainUpdated:                   {},
	"organizationInvitation.accepted":   {},
	"organizationInvitation.created":    {},
	"organizationInvitation.revoked":    {},
	TypeMembershipCreated:               {},
	TypeMembershipDeleted:               {},
	TypeMembershipUpdated:               {},
	"paymentAttempt.created":            {},
	"paymentAttempt.updated":            {},
	TypePermissionCreated:               {},
	TypePermissionDeleted:               {},
	TypePermissionUpdated:               {},
	TypeRoleCreated:                     {},
	TypeRoleDeleted:                     {},
	TypeRoleUpdated:                     {},
	"session.created":                   {},
	"session.ended":                     {},
	"session.pending":                   {},
	"session.removed":                   {},
	"session.revoked":                   {},
	"session.updated":                   {},
	"sms.created":                       {},
	TypeSubscriptionActive:              {},
	TypeSubscriptionCreated:             {},
	TypeSubscriptionPastDue:             {},
	TypeSubscriptionUpdated:             {},
	TypeSubscriptionItemAbandoned:       {},
	TypeSubscriptionItemActive:          {},
	TypeSubscriptionItemCanceled:        {},
	TypeSubscriptionItemEnded:           {},
	TypeSubscriptionItemFreeTrialEnding: {},
	TypeSubscriptionItemIncomplete:      {},
	TypeSubscriptionItemPastDue:         {},
	TypeSubscriptionItemUpcoming:        {},
	TypeSubscriptionItemUpdated:         {},
	TypeUserCreated:                     {},
	TypeUserDeleted:                     {},
	TypeUserUpdated:                     {},
	"waitlistEntry.created":             {},
	"waitlistEntry.updated":             {},
}

// Types lists every event type that is known by name, sorted.
func Types() []string {
	return slices.Sorted(maps.Keys(knownTypes))
}

// TypeLabel is the type itself when it is known, else OtherType: whatever Clerk invents, metrics keep their cardinality.
func TypeLabel(eventType string) string {
	if _, known := knownTypes[eventType]; known {
		return eventType
	}
	return OtherType
}
