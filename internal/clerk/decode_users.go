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
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// verified is the status of a verification that succeeded.
const verified = "verified"

type userJSON struct {
	ID             string             `json:"id"`
	ExternalID     string             `json:"external_id"`
	PrimaryEmailID string             `json:"primary_email_address_id"`
	Emails         []emailAddressJSON `json:"email_addresses"`
	Username       string             `json:"username"`
	FirstName      string             `json:"first_name"`
	LastName       string             `json:"last_name"`
	Banned         bool               `json:"banned"`
	Locked         bool               `json:"locked"`
	Deprovisioned  bool               `json:"deprovisioned"`
	PublicMetadata json.RawMessage    `json:"public_metadata"`
	CreatedAt      int64              `json:"created_at"`
	UpdatedAt      int64              `json:"updated_at"`
}

type emailAddressJSON struct {
	ID           string `json:"id"`
	Address      string `json:"email_address"`
	Verification struct {
		Status string `json:"status"`
	} `json:"verification"`
}

func decodeUser(data json.RawMessage) (Data, error) {
	var raw userJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := checkID("data.id", raw.ID); err != nil {
		return nil, err
	}
	createdAt, updatedAt, err := stamps("data", raw.CreatedAt, raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	metadata, err := publicMetadata("data.public_metadata", raw.PublicMetadata)
	if err != nil {
		metadata = nil // a user name that is made of it will be missing; a ban must not
	}
	return &User{
		ID:             raw.ID,
		PrimaryEmail:   raw.primaryEmail(),
		Username:       identifierOrNone(raw.Username),
		ExternalID:     identifierOrNone(raw.ExternalID),
		FirstName:      displayText(raw.FirstName),
		LastName:       displayText(raw.LastName),
		Banned:         raw.Banned,
		Locked:         raw.Locked,
		Deprovisioned:  raw.Deprovisioned,
		PublicMetadata: metadata,
		CreatedAt:      createdAt,
		UpdatedAt:      updatedAt,
	}, nil
}

// primaryEmail is the entry that the user has chosen. Where the choice is missing, or names none or several, there is no primary address:
// the first of a list is just some address.
func (u *userJSON) primaryEmail() EmailAddress {
	if u.PrimaryEmailID == "" {
		return EmailAddress{}
	}
	var found []EmailAddress
	for _, email := range u.Emails {
		if email.ID == u.PrimaryEmailID {
			found = append(found, EmailAddress{
				Address: identifierOrNone(email.Address), Verified: email.Verification.Status == verified,
			})
		}
	}
	if len(found) != 1 || found[0].Address == "" {
		return EmailAddress{}
	}
	return found[0]
}

// identifierOrNone leaves out an identifier of no use: RBAC may name a user by it, and a changed one may be someone else's.
func identifierOrNone(identifier string) string {
	if checkIdentifier("", identifier) != nil {
		return ""
	}
	return identifier
}

func decodeUserDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &UserDeleted{ID: id}, nil
}

type roleJSON struct {
	ID          string           `json:"id"`
	Key         string           `json:"key"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Permissions []permissionJSON `json:"permissions"`
	CreatedAt   int64            `json:"created_at"`
	UpdatedAt   int64            `json:"updated_at"`
}

func decodeRole(data json.RawMessage) (Data, error) {
	var raw roleJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := checkID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := checkKey("data.key", raw.Key, maxKeyLength); err != nil {
		return nil, err
	}
	permissions, err := rolePermissions("data.permissions", raw.Permissions)
	if err != nil {
		return nil, err
	}
	createdAt, updatedAt, err := stamps("data", raw.CreatedAt, raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	return &Role{
		ID:          raw.ID,
		Key:         raw.Key,
		Name:        displayText(raw.Name),
		Description: displayText(raw.Description),
		Permissions: permissions,
		CreatedAt:   createdAt,
		UpdatedAt:   updatedAt,
	}, nil
}

func rolePermissions(path string, raw []permissionJSON) ([]RolePermission, error) {
	if len(raw) > maxPermissions {
		return nil, fmt.Errorf("%s: more than %d", path, maxPermissions)
	}
	permissions := make([]RolePermission, 0, len(raw))
	for i, permission := range raw {
		at := fmt.Sprintf("%s[%d]", path, i)
		if err := checkID(at+".id", permission.ID); err != nil {
			return nil, err
		}
		if err := checkKey(at+".key", permission.Key, maxKeyLength); err != nil {
			return nil, err
		}
		known := RolePermission{ID: permission.ID, Key: permission.Key}
		if permission.UpdatedAt != 0 {
			updatedAt, err := milliseconds(at+".updated_at", permission.UpdatedAt)
			if err != nil {
				return nil, err
			}
			known.UpdatedAt = updatedAt
		}
		permissions = append(permissions, known)
	}
	slices.SortFunc(permissions, func(a, b RolePermission) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Key, b.Key)) })
	permissions = slices.Compact(permissions)
	for i := 1; i < len(permissions); i++ {
		if permissions[i].ID == permissions[i-1].ID {
			return nil, fmt.Errorf("%s: the same id twice, with different content", path)
		}
	}
	return permissions, nil
}

// decodeRoleDeleted needs the role's id alone. Its key is known where a role.created came, or where the deletion has it.
func decodeRoleDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	var raw struct {
		Key string `json:"key"`
	}
	if json.Unmarshal(data, &raw) != nil || checkKey("", raw.Key, maxKeyLength) != nil {
		raw.Key = ""
	}
	return &RoleDeleted{ID: id, Key: raw.Key}, nil
}

type permissionJSON struct {
	ID          string `json:"id"`
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description string `json:"description"`
	CreatedAt   int64  `json:"created_at"`
	UpdatedAt   int64  `json:"updated_at"`
}

func decodePermission(data json.RawMessage) (Data, error) {
	var raw permissionJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := checkID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := checkKey("data.key", raw.Key, maxKeyLength); err != nil {
		return nil, err
	}
	createdAt, updatedAt, err := stamps("data", raw.CreatedAt, raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	return &Permission{
		ID:          raw.ID,
		Key:         raw.Key,
		Name:        displayText(raw.Name),
		Description: displayText(raw.Description),
		CreatedAt:   createdAt,
		UpdatedAt:   updatedAt,
	}, nil
}

func decodePermissionDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &PermissionDeleted{ID: id}, nil
}
