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
	"time"
)

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

// EntityID is the permission's id.
func (p *Permission) EntityID() string { return p.ID }

// PermissionDeleted says that a permission is gone.
type PermissionDeleted struct {
	ID string
}

// EntityID is the permission's id.
func (p *PermissionDeleted) EntityID() string { return p.ID }

func (*Permission) isData()        {}
func (*PermissionDeleted) isData() {}

type permissionJSON struct {
	ID          string      `json:"id"`
	Key         string      `json:"key"`
	Name        lax[string] `json:"name"`
	Description lax[string] `json:"description"`
	CreatedAt   lax[int64]  `json:"created_at"`
	UpdatedAt   int64       `json:"updated_at"`
}

// DecodePermission reads a permission: the data of an event, or a row of a list.
func DecodePermission(data json.RawMessage) (Data, error) {
	var raw permissionJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := CheckKey("data.key", raw.Key, maxKeyLength); err != nil {
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
