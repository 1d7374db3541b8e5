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
	ID             string                       `json:"id"`
	ExternalID     lax[string]                  `json:"external_id"`
	PrimaryEmailID lax[string]                  `json:"primary_email_address_id"`
	Emails         lax[[]lax[emailAddressJSON]] `json:"email_addresses"`
	Username       lax[string]                  `json:"username"`
	FirstName      lax[string]                  `json:"first_name"`
	LastName       lax[string]                  `json:"last_name"`
	Banned         lax[bool]                    `json:"banned"`
	Locked         lax[bool]                    `json:"locked"`
	Deprovisioned  lax[bool]                    `json:"deprovisioned"`
	PublicMetadata json.RawMessage              `json:"public_metadata"`
	CreatedAt      lax[int64]                   `json:"created_at"`
	UpdatedAt      int64                        `json:"updated_at"`
}

type emailAddressJSON struct {
	ID           string      `json:"id"`
	Address      lax[string] `json:"email_address"`
	Verification lax[struct {
		Status string `json:"status"`
	}] `json:"verification"`
}

func decodeUser(data json.RawMessage) (Data, error) {
	var raw userJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := checkID("data.id", raw.ID); err != nil {
		return nil, err
	}
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	user := &User{
		ID:             raw.ID,
		PrimaryEmail:   raw.primaryEmail(&dropped),
		Username:       dropped.identifier(FieldUsername, raw.Username),
		ExternalID:     dropped.identifier(FieldExternalID, raw.ExternalID),
		FirstName:      dropped.text(FieldFirstName, raw.FirstName),
		LastName:       dropped.text(FieldLastName, raw.LastName),
		Banned:         dropped.bar(FieldBanned, raw.Banned),
		Locked:         raw.Locked.value,
		Deprovisioned:  dropped.bar(FieldDeprovisioned, raw.Deprovisioned),
		PublicMetadata: dropped.metadata(FieldPublicMetadata, raw.PublicMetadata),
		CreatedAt:      dropped.created(raw.CreatedAt),
		UpdatedAt:      updatedAt,
	}
	if raw.Locked.isOdd {
		dropped.note(FieldLocked)
	}
	user.Dropped = dropped.sorted()
	return user, nil
}

// primaryEmail is the entry that the user has chosen. Where the choice is missing, or names none or several, there is no primary address:
// the first of a list is just some address.
func (u *userJSON) primaryEmail(dropped *losses) EmailAddress {
	if u.PrimaryEmailID.isOdd || u.Emails.isOdd {
		dropped.note(FieldPrimaryEmail)
		return EmailAddress{}
	}
	if u.PrimaryEmailID.value == "" {
		return EmailAddress{}
	}
	chosen := slices.DeleteFunc(slices.Clone(u.Emails.value), func(email lax[emailAddressJSON]) bool {
		return email.value.ID != u.PrimaryEmailID.value
	})
	if len(chosen) != 1 {
		if slices.ContainsFunc(u.Emails.value, func(email lax[emailAddressJSON]) bool { return email.isOdd }) {
			dropped.note(FieldPrimaryEmail) // it may be the one
		}
		return EmailAddress{}
	}
	email := &chosen[0].value
	address := dropped.identifier(FieldPrimaryEmail, email.Address)
	if address == "" {
		return EmailAddress{}
	}
	return EmailAddress{Address: address, Verified: email.Verification.value.Status == verified}
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
	Name        lax[string]      `json:"name"`
	Description lax[string]      `json:"description"`
	Permissions []permissionJSON `json:"permissions"`
	CreatedAt   lax[int64]       `json:"created_at"`
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
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	role := &Role{
		ID:          raw.ID,
		Key:         raw.Key,
		Name:        dropped.text(FieldName, raw.Name),
		Description: dropped.text(FieldDescription, raw.Description),
		Permissions: permissions,
		CreatedAt:   dropped.created(raw.CreatedAt),
		UpdatedAt:   updatedAt,
	}
	role.Dropped = dropped.sorted()
	return role, nil
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
	ID          string      `json:"id"`
	Key         string      `json:"key"`
	Name        lax[string] `json:"name"`
	Description lax[string] `json:"description"`
	CreatedAt   lax[int64]  `json:"created_at"`
	UpdatedAt   int64       `json:"updated_at"`
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
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	permission := &Permission{
		ID:          raw.ID,
		Key:         raw.Key,
		Name:        dropped.text(FieldName, raw.Name),
		Description: dropped.text(FieldDescription, raw.Description),
		CreatedAt:   dropped.created(raw.CreatedAt),
		UpdatedAt:   updatedAt,
	}
	permission.Dropped = dropped.sorted()
	return permission, nil
}

func decodePermissionDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &PermissionDeleted{ID: id}, nil
}
