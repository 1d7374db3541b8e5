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

// Package clerk understands what Clerk says: the events of its webhooks, and the rows of its lists. It knows nothing of Kubernetes, and of
// HTTP no more than its folder backend does, which reads the lists. Each entity has a file.
//
// What is decoded is what may be stored. private_metadata, unsafe_metadata, invitation URLs and the bodies of messages have no
// field here, so that nothing downstream can store or log them by mistake.
package clerk

import "time"

// Event is one thing that happened in Clerk.
type Event struct {
	// Type is Clerk's name for it, for example "organization.created".
	Type string
	// InstanceID is the Clerk application environment it happened in ("ins_…"). Older payloads lack it.
	InstanceID string
	// Time is when it happened, not when it was delivered; of a change that does not say, when the entity last changed. Zero where the
	// payload says neither.
	Time time.Time
	// IsListed says that it is no event, but a row of a list: Time is when the page was asked for.
	IsListed bool
	// Data is what it happened to, such as *Organization or *OrganizationDeleted. Nil for every type that is not mirrored.
	Data Data
}

// Data is what an event is about: an entity as it stands, or its deletion. All implementations are in this package; it is sealed so that
// a type switch over them is complete.
type Data interface {
	// EntityID is Clerk's id of the entity.
	EntityID() string
	isData()
}

// Fields that may be left out, named as in the mirrored objects.
const (
	FieldAffiliation           = "affiliation"
	FieldBanned                = "banned"
	FieldCreatedAt             = "createdAt"
	FieldDeprovisioned         = "deprovisioned"
	FieldDescription           = "description"
	FieldDirectory             = "directory"
	FieldEnterpriseAccount     = "enterpriseAccount"
	FieldEnrollmentMode        = "enrollmentMode"
	FieldExternalID            = "externalID"
	FieldFirstName             = "firstName"
	FieldImageURL              = "imageURL"
	FieldLastName              = "lastName"
	FieldLocked                = "locked"
	FieldMaxAllowedMemberships = "maxAllowedMemberships"
	FieldName                  = "name"
	FieldOwnership             = "ownership"
	FieldPeriodEnd             = "periodEnd"
	FieldPeriodStart           = "periodStart"
	FieldPlan                  = "plan"
	FieldPrimaryEmail          = "primaryEmail"
	FieldPublicMetadata        = "publicMetadata"
	FieldRoleSetKey            = "roleSetKey"
	FieldSeats                 = "seats"
	FieldSlug                  = "slug"
	FieldTwoFactorEnabled      = "twoFactorEnabled"
	FieldUser                  = "user"
	FieldUserBanned            = "user.banned"
	FieldUserDeprovisioned     = "user.deprovisioned"
	FieldUserFirstName         = "user.firstName"
	FieldUserIdentifier        = "user.identifier"
	FieldUserLastName          = "user.lastName"
	FieldUserUsername          = "user.username"
	FieldUsername              = "username"
)
