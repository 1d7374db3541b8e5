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

package clerktest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Types of the events that are built here.
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

// Private is in everything of an event that must never be stored or logged: the private metadata. A test can look for it anywhere.
const Private = "private-never-to-be-stored-or-logged"

// sendDelay is how long after a change Clerk stamps the event of it.
const sendDelay = 17 * time.Millisecond

// Event is one event as Clerk sends it. Its fields can be changed before it is delivered.
type Event struct {
	Type string
	// InstanceID is the Clerk environment (ins_…); left out of the payload when it is empty, as in older ones.
	InstanceID string
	// Time is when the event happened, not when it is delivered.
	Time time.Time
	// Data is what it happened to; it is encoded as JSON.
	Data any
}

// Body is the event as JSON: what is signed and delivered.
func (e Event) Body() []byte {
	body, err := json.Marshal(envelope{
		Data:       e.Data,
		Object:     "event",
		Type:       e.Type,
		Timestamp:  e.Time.UnixMilli(),
		InstanceID: e.InstanceID,
		Attributes: attributes{Request: request{ClientIP: "203.0.113.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:141.0)"}},
	})
	if err != nil {
		panic(fmt.Sprintf("clerktest: the data of %s is no JSON: %v", e.Type, err)) // a mistake in the test itself
	}
	return body
}

// Organization is an organization as a test knows it. Only ID and UpdatedAt have to be there.
type Organization struct {
	ID, Name, Slug, ImageURL string
	// PublicMetadata is anything that JSON can say; {} when it is nil.
	PublicMetadata        any
	MaxAllowedMemberships int
	Members               int
	RoleSetKey            string
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// User is a user as a test knows it. Only ID has to be there, and UpdatedAt where it is the user that an event is about.
type User struct {
	// Identifier is told by memberships alone.
	ID, Identifier, Username, FirstName, LastName string
	Banned, Deprovisioned                         bool

	// What follows is told by events of the user alone. Email is the primary address; there are others, which no test wants to see again.
	Email      string
	Unverified bool
	ExternalID string
	Locked     bool
	TwoFactor  bool
	// PublicMetadata is anything that JSON can say; {} when it is nil.
	PublicMetadata any
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Role is a role as a test knows it. Only ID, Key and UpdatedAt have to be there.
type Role struct {
	ID, Key, Name, Description string
	Permissions                []Permission
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Permission is a permission as a test knows it. Only ID, Key and UpdatedAt have to be there.
type Permission struct {
	ID, Key, Name, Description string
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Membership is one user's membership of one organization. Only the ids, Role and the times of update have to be there.
type Membership struct {
	ID, Role    string
	Permissions []string
	// PublicMetadata is anything that JSON can say; {} when it is nil.
	PublicMetadata any
	Organization   Organization
	User           User
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// OrganizationCreated is the event of a new organization. It happened when the organization was updated last.
func OrganizationCreated(o Organization) Event {
	return Event{Type: TypeOrganizationCreated, Time: o.UpdatedAt.Add(sendDelay), Data: organizationPayload(o)}
}

// OrganizationUpdated is the event of a changed organization. It happened when the organization was updated last.
func OrganizationUpdated(o Organization) Event {
	return Event{Type: TypeOrganizationUpdated, Time: o.UpdatedAt.Add(sendDelay), Data: organizationPayload(o)}
}

// OrganizationDeleted is the event of a deleted organization. Its data has no time at all, as with Clerk.
func OrganizationDeleted(o Organization, at time.Time) Event {
	return Event{Type: TypeOrganizationDeleted, Time: at, Data: deletedJSON{Object: "organization", ID: o.ID, Slug: o.Slug, Deleted: true}}
}

// MembershipCreated is the event of a user who joined. It happened when the membership was updated last.
func MembershipCreated(m Membership) Event {
	return Event{Type: TypeMembershipCreated, Time: m.UpdatedAt.Add(sendDelay), Data: membershipPayload(m)}
}

// MembershipUpdated is the event of a changed membership. It happened when the membership was updated last.
func MembershipUpdated(m Membership) Event {
	return Event{Type: TypeMembershipUpdated, Time: m.UpdatedAt.Add(sendDelay), Data: membershipPayload(m)}
}

// MembershipDeleted is the event of a user who left or was removed. Its data is the whole membership with the time of update from before,
// as with Clerk.
func MembershipDeleted(m Membership, at time.Time) Event {
	return Event{Type: TypeMembershipDeleted, Time: at, Data: membershipPayload(m)}
}

// UserCreated is the event of a new user. It happened when the user was updated last.
func UserCreated(u User) Event {
	return Event{Type: TypeUserCreated, Time: u.UpdatedAt.Add(sendDelay), Data: userPayload(u)}
}

// UserUpdated is the event of a changed user, such as one who is banned. It happened when the user was updated last.
func UserUpdated(u User) Event {
	return Event{Type: TypeUserUpdated, Time: u.UpdatedAt.Add(sendDelay), Data: userPayload(u)}
}

// UserDeleted is the event of a deleted user. Its data has no time at all, as with Clerk.
func UserDeleted(u User, at time.Time) Event {
	return Event{Type: TypeUserDeleted, Time: at, Data: deletedJSON{Object: "user", ID: u.ID, ExternalID: u.ExternalID, Deleted: true}}
}

// RoleCreated is the event of a new role. It happened when the role was updated last.
func RoleCreated(r Role) Event {
	return Event{Type: TypeRoleCreated, Time: r.UpdatedAt.Add(sendDelay), Data: rolePayload(r)}
}

// RoleUpdated is the event of a changed role. It happened when the role was updated last.
func RoleUpdated(r Role) Event {
	return Event{Type: TypeRoleUpdated, Time: r.UpdatedAt.Add(sendDelay), Data: rolePayload(r)}
}

// RoleDeleted is the event of a deleted role. Its data has the id alone; Clerk also sends the whole role, as RoleDeletedWhole does.
func RoleDeleted(r Role, at time.Time) Event {
	return Event{Type: TypeRoleDeleted, Time: at, Data: deletedJSON{Object: "role", ID: r.ID, Deleted: true}}
}

// RoleDeletedWhole is RoleDeleted with the whole role as its data.
func RoleDeletedWhole(r Role, at time.Time) Event {
	return Event{Type: TypeRoleDeleted, Time: at, Data: rolePayload(r)}
}

// PermissionCreated is the event of a new permission. It happened when the permission was updated last.
func PermissionCreated(p Permission) Event {
	return Event{Type: TypePermissionCreated, Time: p.UpdatedAt.Add(sendDelay), Data: permissionPayload(p)}
}

// PermissionUpdated is the event of a changed permission. It happened when the permission was updated last.
func PermissionUpdated(p Permission) Event {
	return Event{Type: TypePermissionUpdated, Time: p.UpdatedAt.Add(sendDelay), Data: permissionPayload(p)}
}

// PermissionDeleted is the event of a deleted permission. Its data has the id alone.
func PermissionDeleted(p Permission, at time.Time) Event {
	return Event{Type: TypePermissionDeleted, Time: at, Data: deletedJSON{Object: "permission", ID: p.ID, Deleted: true}}
}
