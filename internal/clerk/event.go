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

// Package clerk understands what Clerk says: the events of its webhooks. It knows nothing of Kubernetes and nothing of HTTP.
//
// What is decoded is what may be stored. private_metadata, unsafe_metadata, invitation URLs and the bodies of messages have no
// field here, so that nothing downstream can store or log them by mistake.
package clerk

import (
	"encoding/json"
	"time"
)

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
	FieldBanned                = "banned"
	FieldCreatedAt             = "createdAt"
	FieldDeprovisioned         = "deprovisioned"
	FieldDescription           = "description"
	FieldExternalID            = "externalID"
	FieldFirstName             = "firstName"
	FieldImageURL              = "imageURL"
	FieldLastName              = "lastName"
	FieldLocked                = "locked"
	FieldMaxAllowedMemberships = "maxAllowedMemberships"
	FieldName                  = "name"
	FieldPrimaryEmail          = "primaryEmail"
	FieldPublicMetadata        = "publicMetadata"
	FieldSlug                  = "slug"
	FieldUser                  = "user"
	FieldUserBanned            = "user.banned"
	FieldUserDeprovisioned     = "user.deprovisioned"
	FieldUserFirstName         = "user.firstName"
	FieldUserIdentifier        = "user.identifier"
	FieldUserLastName          = "user.lastName"
	FieldUserUsername          = "user.username"
	FieldUsername              = "username"
)

// Organization is an organization as it stands after it was created or updated.
type Organization struct {
	ID string
	// Name, Slug and ImageURL are display text: cleaned and bounded, and possibly empty.
	Name, Slug, ImageURL string
	// PublicMetadata is compact JSON with sorted keys. Nil when it is absent, null or {}.
	PublicMetadata json.RawMessage
	// MaxAllowedMemberships is 0 where Clerk sets no limit.
	MaxAllowedMemberships int64
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one organization. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// OrganizationDeleted says that an organization is gone. Clerk sends no time of its own with it.
type OrganizationDeleted struct {
	ID string
}

// Membership is one user's membership of one organization as it stands after it was created or updated.
type Membership struct {
	ID string
	// Role is the key of the Clerk role, for example "org:admin".
	Role string
	// Permissions are the keys of what the role allows, sorted, without duplicates.
	Permissions []string
	// PublicMetadata is compact JSON with sorted keys. Nil when it is absent, null or {}.
	PublicMetadata json.RawMessage
	// Organization is the whole organization, as it was when the event happened.
	Organization Organization
	User         PublicUser
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one membership. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// PublicUser is what a membership tells about its user.
type PublicUser struct {
	// ID is empty where the payload does not say; the rest is so, too, then.
	ID string
	// Identifier is an e-mail address, a user name or a phone number. It is no verified e-mail address.
	Identifier string
	Username   string
	// FirstName and LastName are display text: cleaned and bounded.
	FirstName, LastName   string
	Banned, Deprovisioned bool
}

// MembershipDeleted says that a membership is gone. Clerk sends the whole membership as it was before; its updated_at is from
// before the deletion and so is not kept.
type MembershipDeleted struct {
	ID string
	// OrganizationID and UserID are empty where the payload does not say.
	OrganizationID, UserID string
}

// User is a user as it stands after it was created or updated.
type User struct {
	ID string
	// PrimaryEmail is the address that the user has chosen as the primary one; its Address is empty where there is none of use.
	PrimaryEmail EmailAddress
	// Username and ExternalID are empty where there is none of use.
	Username, ExternalID string
	// FirstName and LastName are display text: cleaned and bounded.
	FirstName, LastName string
	// Banned and Deprovisioned keep the user out; they are true, too, where they cannot be read. Locked says that there were too many attempts
	// to sign in.
	Banned, Locked, Deprovisioned bool
	// PublicMetadata is compact JSON with sorted keys. Nil when it is absent, null or {}.
	PublicMetadata json.RawMessage
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one user. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// EmailAddress is an e-mail address of a user.
type EmailAddress struct {
	// Address is as Clerk has it, in its own case.
	Address string
	// Verified says that the user has shown that it is theirs.
	Verified bool
}

// UserDeleted says that a user is gone. Clerk sends no time of its own with it.
type UserDeleted struct {
	ID string
}

// Role is a role of organizations as it stands after it was created or updated.
type Role struct {
	ID string
	// Key is what memberships name the role by, for example "org:admin". It can be changed.
	Key string
	// Name and Description are display text: cleaned and bounded, and possibly empty.
	Name, Description string
	// Permissions are what the role allows, in the order of their ids, without duplicates.
	Permissions []RolePermission
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one role. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// RolePermission is a permission as a role tells of it.
type RolePermission struct {
	ID, Key string
	// UpdatedAt is when the permission itself last changed; zero where the payload does not say.
	UpdatedAt time.Time
}

// RoleDeleted says that a role is gone.
type RoleDeleted struct {
	ID string
	// Key is empty where the payload does not say.
	Key string
}

// Permission is a permission as it stands after it was created or updated.
type Permission struct {
	ID string
	// Key is its name, for example "org:billing:manage". It can be changed.
	Key string
	// Name and Description are display text: cleaned and bounded, and possibly empty.
	Name, Description string
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one permission. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// PermissionDeleted says that a permission is gone.
type PermissionDeleted struct {
	ID string
}

// EntityID is the organization's id.
func (o *Organization) EntityID() string { return o.ID }

// EntityID is the organization's id.
func (o *OrganizationDeleted) EntityID() string { return o.ID }

// EntityID is the membership's id.
func (m *Membership) EntityID() string { return m.ID }

// EntityID is the membership's id.
func (m *MembershipDeleted) EntityID() string { return m.ID }

// EntityID is the user's id.
func (u *User) EntityID() string { return u.ID }

// EntityID is the user's id.
func (u *UserDeleted) EntityID() string { return u.ID }

// EntityID is the role's id.
func (r *Role) EntityID() string { return r.ID }

// EntityID is the role's id.
func (r *RoleDeleted) EntityID() string { return r.ID }

// EntityID is the permission's id.
func (p *Permission) EntityID() string { return p.ID }

// EntityID is the permission's id.
func (p *PermissionDeleted) EntityID() string { return p.ID }

func (*Organization) isData()        {}
func (*OrganizationDeleted) isData() {}
func (*Membership) isData()          {}
func (*MembershipDeleted) isData()   {}
func (*User) isData()                {}
func (*UserDeleted) isData()         {}
func (*Role) isData()                {}
func (*RoleDeleted) isData()         {}
func (*Permission) isData()          {}
func (*PermissionDeleted) isData()   {}
