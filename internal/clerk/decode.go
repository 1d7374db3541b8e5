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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Decode reads a webhook's body, which must have been verified. Fields nobody knows are ignored; a type that is not mirrored has
// Data nil, whatever its data looks like. An error means that the event cannot be understood: it names the field and never quotes a
// value, which may be personal.
func Decode(body []byte) (*Event, error) {
	var envelope envelopeJSON
	if err := unmarshal("", validUTF8(body), &envelope); err != nil {
		return nil, err
	}
	if err := envelope.validate(); err != nil {
		return nil, err
	}

	event := &Event{Type: envelope.Type, InstanceID: envelope.InstanceID}
	decodeData, mirrored := dataDecoders[envelope.Type]
	happened, err := eventTime(envelope.Timestamp)
	if err != nil && mirrored {
		return nil, err
	}
	event.Time = happened
	if !mirrored {
		return event, nil
	}

	if isNull(envelope.Data) {
		return nil, errors.New("data: missing")
	}
	event.Data, err = decodeData(envelope.Data)
	if err != nil {
		return nil, err
	}
	if event.Time.IsZero() {
		event.Time = changed(event.Data)
	}
	return event, nil
}

// changed is when what an event speaks of last changed: the best there is for an event without a time of its own. A deletion does not
// tell.
func changed(data Data) time.Time {
	switch data := data.(type) {
	case *Organization:
		return data.UpdatedAt
	case *Membership:
		return data.UpdatedAt
	case *User:
		return data.UpdatedAt
	case *Role:
		return data.UpdatedAt
	case *Permission:
		return data.UpdatedAt
	}
	return time.Time{}
}

var dataDecoders = map[string]func(json.RawMessage) (Data, error){
	TypeOrganizationCreated: decodeOrganization,
	TypeOrganizationUpdated: decodeOrganization,
	TypeOrganizationDeleted: decodeOrganizationDeleted,
	TypeMembershipCreated:   decodeMembership,
	TypeMembershipUpdated:   decodeMembership,
	TypeMembershipDeleted:   decodeMembershipDeleted,
	TypeUserCreated:         decodeUser,
	TypeUserUpdated:         decodeUser,
	TypeUserDeleted:         decodeUserDeleted,
	TypeRoleCreated:         decodeRole,
	TypeRoleUpdated:         decodeRole,
	TypeRoleDeleted:         decodeRoleDeleted,
	TypePermissionCreated:   decodePermission,
	TypePermissionUpdated:   decodePermission,
	TypePermissionDeleted:   decodePermissionDeleted,
}

type envelopeJSON struct {
	Type       string          `json:"type"`
	InstanceID string          `json:"instance_id"`
	Timestamp  json.RawMessage `json:"timestamp"`
	Data       json.RawMessage `json:"data"`
}

func (e *envelopeJSON) validate() error {
	if err := checkKey("type", e.Type, maxTypeLength); err != nil {
		return err
	}
	if e.InstanceID == "" {
		return nil
	}
	return checkID("instance_id", e.InstanceID)
}

type organizationJSON struct {
	ID                    string          `json:"id"`
	Name                  string          `json:"name"`
	Slug                  string          `json:"slug"`
	ImageURL              string          `json:"image_url"`
	PublicMetadata        json.RawMessage `json:"public_metadata"`
	MaxAllowedMemberships int64           `json:"max_allowed_memberships"`
	CreatedAt             int64           `json:"created_at"`
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
	if o.MaxAllowedMemberships < 0 {
		return Organization{}, fmt.Errorf("%s.max_allowed_memberships: must not be negative", path)
	}
	metadata, err := publicMetadata(path+".public_metadata", o.PublicMetadata)
	if err != nil {
		return Organization{}, err
	}
	createdAt, updatedAt, err := stamps(path, o.CreatedAt, o.UpdatedAt)
	if err != nil {
		return Organization{}, err
	}
	return Organization{
		ID:                    o.ID,
		Name:                  displayText(o.Name),
		Slug:                  displayText(o.Slug),
		ImageURL:              displayURL(o.ImageURL),
		PublicMetadata:        metadata,
		MaxAllowedMemberships: o.MaxAllowedMemberships,
		CreatedAt:             createdAt,
		UpdatedAt:             updatedAt,
	}, nil
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
	ID             string           `json:"id"`
	Role           string           `json:"role"`
	Permissions    []string         `json:"permissions"`
	PublicMetadata json.RawMessage  `json:"public_metadata"`
	Organization   organizationJSON `json:"organization"`
	User           publicUserJSON   `json:"public_user_data"`
	CreatedAt      int64            `json:"created_at"`
	UpdatedAt      int64            `json:"updated_at"`
}

type publicUserJSON struct {
	ID            string `json:"user_id"`
	Identifier    string `json:"identifier"`
	Username      string `json:"username"`
	FirstName     string `json:"first_name"`
	LastName      string `json:"last_name"`
	Banned        bool   `json:"banned"`
	Deprovisioned bool   `json:"deprovisioned"`
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
	metadata, err := publicMetadata("data.public_metadata", raw.PublicMetadata)
	if err != nil {
		return nil, err
	}
	organization, err := raw.Organization.organization("data.organization")
	if err != nil {
		return nil, err
	}
	user, err := raw.User.user("data.public_user_data")
	if err != nil {
		return nil, err
	}
	createdAt, updatedAt, err := stamps("data", raw.CreatedAt, raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	return &Membership{
		ID:             raw.ID,
		Role:           raw.Role,
		Permissions:    permissions,
		PublicMetadata: metadata,
		Organization:   organization,
		User:           user,
		CreatedAt:      createdAt,
		UpdatedAt:      updatedAt,
	}, nil
}

func (u *publicUserJSON) user(path string) (PublicUser, error) {
	if err := checkID(path+".user_id", u.ID); err != nil {
		return PublicUser{}, err
	}
	if err := checkIdentifier(path+".identifier", u.Identifier); err != nil {
		return PublicUser{}, err
	}
	if err := checkIdentifier(path+".username", u.Username); err != nil {
		return PublicUser{}, err
	}
	return PublicUser{
		ID:            u.ID,
		Identifier:    u.Identifier,
		Username:      u.Username,
		FirstName:     displayText(u.FirstName),
		LastName:      displayText(u.LastName),
		Banned:        u.Banned,
		Deprovisioned: u.Deprovisioned,
	}, nil
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

// stamps reads created_at, which may be missing, and updated_at, which orders everything and so may not.
func stamps(path string, created, updated int64) (createdAt, updatedAt time.Time, err error) {
	if updated == 0 {
		return time.Time{}, time.Time{}, fmt.Errorf("%s.updated_at: missing", path)
	}
	updatedAt, err = milliseconds(path+".updated_at", updated)
	if err != nil || created == 0 {
		return time.Time{}, updatedAt, err
	}
	createdAt, err = milliseconds(path+".created_at", created)
	return createdAt, updatedAt, err
}

// eventTime reads the envelope's timestamp: live payloads carry milliseconds, older ones and Clerk's examples seconds.
func eventTime(raw json.RawMessage) (time.Time, error) {
	if isNull(raw) {
		return time.Time{}, nil
	}
	var stamp int64
	if err := unmarshal("timestamp", raw, &stamp); err != nil {
		return time.Time{}, err
	}
	if stamp == 0 {
		return time.Time{}, nil
	}
	if 0 < stamp && stamp < secondsBelow {
		stamp *= 1000
	}
	return milliseconds("timestamp", stamp)
}

func milliseconds(path string, stamp int64) (time.Time, error) {
	if stamp < minTime || stamp >= maxTime {
		return time.Time{}, fmt.Errorf("%s: not a time between the years %d and %d", path, minYear, maxYear)
	}
	return time.UnixMilli(stamp).UTC(), nil
}

// validUTF8 replaces what is no UTF-8: encoding/json would do so in strings, but not in metadata, which is kept raw.
func validUTF8(body []byte) []byte {
	if utf8.Valid(body) {
		return body
	}
	return bytes.ToValidUTF8(body, []byte(string(utf8.RuneError)))
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// unmarshal is json.Unmarshal with errors that name the field below path and quote nothing.
func unmarshal(path string, raw []byte, target any) error {
	err := json.Unmarshal(raw, target)
	if err == nil {
		return nil
	}
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: has the wrong JSON type, or is a number out of range", fieldPath(path, wrongType.Field))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%s: not one JSON value: syntax error at byte %d", fieldPath(path, ""), syntax.Offset)
	}
	return fmt.Errorf("%s: not JSON of the expected shape", fieldPath(path, ""))
}

func fieldPath(path, field string) string {
	switch {
	case path == "" && field == "":
		return "body"
	case path == "":
		return field
	case field == "":
		return path
	default:
		return path + "." + field
	}
}
