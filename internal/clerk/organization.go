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

// Organization is an organization as it stands after it was created or updated.
type Organization struct {
	ID string
	// Name, Slug and ImageURL are display text: cleaned and bounded, and possibly empty.
	Name, Slug, ImageURL string
	// PublicMetadata is compact JSON with sorted keys. Nil when it is absent, null or {}.
	PublicMetadata json.RawMessage
	// MaxAllowedMemberships is 0 where Clerk sets no limit.
	MaxAllowedMemberships int64
	// RoleSetKey is empty where the payload does not say.
	RoleSetKey string
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one organization. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// EntityID is the organization's id.
func (o *Organization) EntityID() string { return o.ID }

// OrganizationDeleted says that an organization is gone. Clerk sends no time of its own with it.
type OrganizationDeleted struct {
	ID string
}

// EntityID is the organization's id.
func (o *OrganizationDeleted) EntityID() string { return o.ID }

func (*Organization) isData()        {}
func (*OrganizationDeleted) isData() {}

type organizationJSON struct {
	ID                    string          `json:"id"`
	Name                  lax[string]     `json:"name"`
	Slug                  lax[string]     `json:"slug"`
	ImageURL              lax[string]     `json:"image_url"`
	PublicMetadata        json.RawMessage `json:"public_metadata"`
	MaxAllowedMemberships lax[int64]      `json:"max_allowed_memberships"`
	RoleSetKey            lax[string]     `json:"role_set_key"`
	CreatedAt             lax[int64]      `json:"created_at"`
	UpdatedAt             int64           `json:"updated_at"`
}

// DecodeOrganization reads an organization: the data of an event, or a row of a list.
func DecodeOrganization(data json.RawMessage) (Data, error) {
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
	if err := CheckID(path+".id", o.ID); err != nil {
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
		RoleSetKey:            dropped.identifier(FieldRoleSetKey, o.RoleSetKey),
		CreatedAt:             dropped.created(o.CreatedAt),
		UpdatedAt:             updatedAt,
	}
	organization.Dropped = dropped.sorted()
	return organization, nil
}

func decodeOrganizationDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &OrganizationDeleted{ID: id}, nil
}
