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
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

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

// EntityID is the membership's id.
func (m *Membership) EntityID() string { return m.ID }

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

// EntityID is the membership's id.
func (m *MembershipDeleted) EntityID() string { return m.ID }

func (*Membership) isData()        {}
func (*MembershipDeleted) isData() {}

type membershipJSON struct {
	ID             string              `json:"id"`
	Role           string              `json:"role"`
	Permissions    []string            `json:"permissions"`
	PublicMetadata json.RawMessage     `json:"public_metadata"`
	Organization   organizationJSON    `json:"organization"`
	User           lax[publicUserJSON] `json:"public_user_data"`
	CreatedAt      lax[int64]          `json:"created_at"`
	UpdatedAt      int64               `json:"updated_at"`
}

type publicUserJSON struct {
	ID            lax[string] `json:"user_id"`
	Identifier    lax[string] `json:"identifier"`
	Username      lax[string] `json:"username"`
	FirstName     lax[string] `json:"first_name"`
	LastName      lax[string] `json:"last_name"`
	Banned        lax[bool]   `json:"banned"`
	Deprovisioned lax[bool]   `json:"deprovisioned"`
}

// DecodeMembership reads a membership: the data of an event, or a row of a list.
func DecodeMembership(data json.RawMessage) (Data, error) {
	var raw membershipJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := CheckKey("data.role", raw.Role, maxKeyLength); err != nil {
		return nil, err
	}
	permissions, err := permissionKeys("data.permissions", raw.Permissions)
	if err != nil {
		return nil, err
	}
	organization, err := raw.Organization.organization("data.organization")
	if err != nil {
		return nil, err
	}
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	membership := &Membership{
		ID:             raw.ID,
		Role:           raw.Role,
		Permissions:    permissions,
		PublicMetadata: dropped.metadata(FieldPublicMetadata, raw.PublicMetadata),
		Organization:   organization,
		User:           raw.User.value.user(&dropped),
		CreatedAt:      dropped.created(raw.CreatedAt),
		UpdatedAt:      updatedAt,
	}
	membership.Dropped = dropped.sorted()
	return membership, nil
}

// user is what a membership tells of its user. Without the user's id it tells nothing of anybody.
func (u *publicUserJSON) user(dropped *losses) PublicUser {
	if CheckID("", u.ID.value) != nil {
		dropped.note(FieldUser)
		return PublicUser{}
	}
	return PublicUser{
		ID:            u.ID.value,
		Identifier:    dropped.identifier(FieldUserIdentifier, u.Identifier),
		Username:      dropped.identifier(FieldUserUsername, u.Username),
		FirstName:     dropped.text(FieldUserFirstName, u.FirstName),
		LastName:      dropped.text(FieldUserLastName, u.LastName),
		Banned:        dropped.bar(FieldUserBanned, u.Banned),
		Deprovisioned: dropped.bar(FieldUserDeprovisioned, u.Deprovisioned),
	}
}

type membershipDeletedJSON struct {
	ID           string          `json:"id"`
	Organization json.RawMessage `json:"organization"`
	User         json.RawMessage `json:"public_user_data"`
}

// decodeMembershipDeleted needs the membership's id alone. Whatever else is odd about a deletion, it must take access away.
func decodeMembershipDeleted(data json.RawMessage) (Data, error) {
	var raw membershipDeletedJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	var (
		organization deletedJSON
		user         struct {
			ID string `json:"user_id"`
		}
	)
	return &MembershipDeleted{
		ID:             raw.ID,
		OrganizationID: idOrEmpty(raw.Organization, &organization, &organization.ID),
		UserID:         idOrEmpty(raw.User, &user, &user.ID),
	}, nil
}

// idOrEmpty decodes raw into target and returns the id that lands in it, or "" when there is none of use.
func idOrEmpty(raw json.RawMessage, target any, id *string) string {
	if len(raw) == 0 || json.Unmarshal(raw, target) != nil || CheckID("", *id) != nil {
		return ""
	}
	return *id
}

func permissionKeys(path string, keys []string) ([]string, error) {
	if len(keys) > maxPermissions {
		return nil, fmt.Errorf("%s: more than %d", path, maxPermissions)
	}
	for i, key := range keys {
		if err := CheckKey(fmt.Sprintf("%s[%d]", path, i), key, maxKeyLength); err != nil {
			return nil, err
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
