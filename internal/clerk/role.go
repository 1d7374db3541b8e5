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
	"time"
)

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

// EntityID is the role's id.
func (r *Role) EntityID() string { return r.ID }

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

// EntityID is the role's id.
func (r *RoleDeleted) EntityID() string { return r.ID }

func (*Role) isData()        {}
func (*RoleDeleted) isData() {}

type roleJSON struct {
	ID          string           `json:"id"`
	Key         string           `json:"key"`
	Name        lax[string]      `json:"name"`
	Description lax[string]      `json:"description"`
	Permissions []permissionJSON `json:"permissions"`
	CreatedAt   lax[int64]       `json:"created_at"`
	UpdatedAt   int64            `json:"updated_at"`
}

// DecodeRole reads a role: the data of an event, or a row of a list.
func DecodeRole(data json.RawMessage) (Data, error) {
	var raw roleJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := CheckKey("data.key", raw.Key, maxKeyLength); err != nil {
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
		if err := CheckID(at+".id", permission.ID); err != nil {
			return nil, err
		}
		if err := CheckKey(at+".key", permission.Key, maxKeyLength); err != nil {
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
	if json.Unmarshal(data, &raw) != nil || CheckKey("", raw.Key, maxKeyLength) != nil {
		raw.Key = ""
	}
	return &RoleDeleted{ID: id, Key: raw.Key}, nil
}
