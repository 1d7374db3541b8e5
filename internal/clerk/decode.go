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
	"time"
	"unicode/utf8"
)

// Decode reads a webhook's body, which must have been verified. Fields nobody knows are ignored; a type that is not mirrored has
// Data nil, whatever its data looks like. An error means that the event cannot be understood: it names the field and never quotes a
// value, which may be personal. Only an id, the key of a role or of a permission, or a time can be the reason: what is shown or matched is
// left out instead, and noted, so that nobody who may write metadata can keep a role from changing.
func Decode(body []byte) (*Event, error) {
	var envelope envelopeJSON
	if err := Unmarshal(body, &envelope); err != nil {
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
	case *SubscriptionItem:
		return data.UpdatedAt
	case *SubscriptionItemEnded:
		return data.UpdatedAt
	case *Subscription:
		return data.UpdatedAt
	case *OrganizationDomain:
		return data.UpdatedAt
	}
	return time.Time{}
}

var dataDecoders = map[string]func(json.RawMessage) (Data, error){
	TypeOrganizationCreated: DecodeOrganization,
	TypeOrganizationUpdated: DecodeOrganization,
	TypeOrganizationDeleted: decodeOrganizationDeleted,
	TypeMembershipCreated:   DecodeMembership,
	TypeMembershipUpdated:   DecodeMembership,
	TypeMembershipDeleted:   decodeMembershipDeleted,
	TypeUserCreated:         DecodeUser,
	TypeUserUpdated:         DecodeUser,
	TypeUserDeleted:         decodeUserDeleted,
	TypeRoleCreated:         DecodeRole,
	TypeRoleUpdated:         DecodeRole,
	TypeRoleDeleted:         decodeRoleDeleted,
	TypePermissionCreated:   DecodePermission,
	TypePermissionUpdated:   DecodePermission,
	TypePermissionDeleted:   decodePermissionDeleted,
	TypeDomainCreated:       DecodeOrganizationDomain,
	TypeDomainUpdated:       DecodeOrganizationDomain,
	TypeDomainDeleted:       decodeOrganizationDomainDeleted,

	TypeSubscriptionActive:              decodeSubscription,
	TypeSubscriptionCreated:             decodeSubscription,
	TypeSubscriptionPastDue:             decodeSubscription,
	TypeSubscriptionUpdated:             decodeSubscription,
	TypeSubscriptionItemAbandoned:       DecodeSubscriptionItem,
	TypeSubscriptionItemActive:          DecodeSubscriptionItem,
	TypeSubscriptionItemCanceled:        DecodeSubscriptionItem,
	TypeSubscriptionItemEnded:           DecodeSubscriptionItem,
	TypeSubscriptionItemFreeTrialEnding: DecodeSubscriptionItem,
	TypeSubscriptionItemIncomplete:      DecodeSubscriptionItem,
	TypeSubscriptionItemPastDue:         DecodeSubscriptionItem,
	TypeSubscriptionItemUpcoming:        DecodeSubscriptionItem,
	TypeSubscriptionItemUpdated:         DecodeSubscriptionItem,
}

type envelopeJSON struct {
	Type       string          `json:"type"`
	InstanceID string          `json:"instance_id"`
	Timestamp  json.RawMessage `json:"timestamp"`
	Data       json.RawMessage `json:"data"`
}

func (e *envelopeJSON) validate() error {
	if err := CheckKey("type", e.Type, maxTypeLength); err != nil {
		return err
	}
	if e.InstanceID == "" {
		return nil
	}
	return CheckID("instance_id", e.InstanceID)
}

// updateTime reads updated_at, which orders everything and so may not be missing.
func updateTime(path string, updated int64) (time.Time, error) {
	if updated == 0 {
		return time.Time{}, fmt.Errorf("%s.updated_at: missing", path)
	}
	return milliseconds(path+".updated_at", updated)
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

// Unmarshal is json.Unmarshal for what Clerk sends, whatever is odd in it: errors name the field and quote nothing.
func Unmarshal(body []byte, target any) error {
	return unmarshal("", shallow(validUTF8(body)), target)
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

type deletedJSON struct {
	ID string `json:"id"`
}

// decodeDeletedID reads the id of what is deleted. Whatever else is odd about a deletion, it must take access away.
func decodeDeletedID(data json.RawMessage) (string, error) {
	var raw deletedJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return "", err
	}
	return raw.ID, CheckID("data.id", raw.ID)
}
