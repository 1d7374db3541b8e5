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
)

type organizationJSON struct {
	ID                    string          `json:"id"`
	Name                  lax[string]     `json:"name"`
	Slug                  lax[string]     `json:"slug"`
	ImageURL              lax[string]     `json:"image_url"`
	PublicMetadata        json.RawMessage `json:"public_metadata"`
	MaxAllowedMemberships lax[int64]      `json:"max_allowed_memberships"`
	CreatedAt             lax[int64]      `json:"created_at"`
	UpdatedAt             int64           `json:"updated_at"`
}

func decodeOrganization(data json.RawMessage) (Data, error) {
	var raw organizationJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	organization, err := raw.organization("data")
	if err != nil {
		return nil, err
	}
	return &organization, nil
}

// organization checks the fields; path is where they stand in the event, for messages.
func (o *organizationJSON) organization(path string) (Organization, error) {
	if err := checkID(path+".id", o.ID); err != nil {
		return Organization{}, err
	}
	updatedAt, err := updateTime(path, o.UpdatedAt)
	if err != nil {
		return Organization{}, err
	}
	var dropped losses
	organization := Organization{
		ID:                    o.ID,
		Name:                  dropped.text(FieldName, o.Name),
		Slug:                  dropped.text(FieldSlug, o.Slug),
		ImageURL:              dropped.url(FieldImageURL, o.ImageURL),
		PublicMetadata:        dropped.metadata(FieldPublicMetadata, o.PublicMetadata),
		MaxAllowedMemberships: dropped.limit(FieldMaxAllowedMemberships, o.MaxAllowedMemberships),
		CreatedAt:             dropped.created(o.CreatedAt),
		UpdatedAt:             updatedAt,
	}
	organization.Dropped = dropped.sorted()
	return organization, nil
}

type deletedJSON struct {
	ID string `json:"id"`
}

func decodeOrganizationDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &OrganizationDeleted{ID: id}, nil
}

// decodeDeletedID reads the id of what is deleted. Whatever else is odd about a deletion, it must take access away.
func decodeDeletedID(data json.RawMessage) (string, error) {
	var raw deletedJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return "", err
	}
	return raw.ID, checkID("data.id", raw.ID)
}

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

func decodeMembership(data json.RawMessage) (Data, error) {
	var raw membershipJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := checkID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := checkKey("data.role", raw.Role, maxKeyLength); err != nil {
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
	if checkID("", u.ID.value) != nil {
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
	if err := checkID("data.id", raw.ID); err != nil {
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
	if len(raw) == 0 || json.Unmarshal(raw, target) != nil || checkID("", *id) != nil {
		return ""
	}
	return *id
}

func permissionKeys(path string, keys []string) ([]string, error) {
	if len(keys) > maxPermissions {
		return nil, fmt.Errorf("%s: more than %d", path, maxPermissions)
	}
	for i, key := range keys {
		if err := checkKey(fmt.Sprintf("%s[%d]", path, i), key, maxKeyLength); err != nil {
			return nil, err
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
