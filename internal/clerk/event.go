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
	// Data is what it happened to: *Organization, *OrganizationDeleted, *Membership or *MembershipDeleted. Nil for every type
	// that is not mirrored.
	Data Data
}

// Data is what an event is about. The four implementations are in this package; it is sealed so that a type switch over them is
// complete.
type Data interface {
	// EntityID is Clerk's id of the organization or membership.
	EntityID() string
	isData()
}

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
	User         User
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one membership. Never zero.
	UpdatedAt time.Time
}

// User is what a membership tells about its user.
type User struct {
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

// EntityID is the organization's id.
func (o *Organization) EntityID() string { return o.ID }

// EntityID is the organization's id.
func (o *OrganizationDeleted) EntityID() string { return o.ID }

// EntityID is the membership's id.
func (m *Membership) EntityID() string { return m.ID }

// EntityID is the membership's id.
func (m *MembershipDeleted) EntityID() string { return m.ID }

func (*Organization) isData()        {}
func (*OrganizationDeleted) isData() {}
func (*Membership) isData()          {}
func (*MembershipDeleted) isData()   {}
