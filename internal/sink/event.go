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

package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/sink/rawjson"
)

// Event is a verified event as a sink sees it before anything is left out: of any type, also one that nobody knows.
type Event struct {
	// Type is Clerk's name for it.
	Type string
	// InstanceID is the Clerk environment it happened in. Older payloads lack it.
	InstanceID string
	// Time is when it happened; zero where the payload does not say.
	Time time.Time
	// Subject is the id of what it happened to, and Organization that of the organization it belongs to. Both may be empty.
	Subject, Organization string
	// UpdatedAt orders the states of the entity; zero where the payload does not say.
	UpdatedAt time.Time

	// raw is its data as it came, an object or nothing.
	raw []byte
}

var (
	idForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_]{0,61}[A-Za-z0-9])?$`)
	typeForm = regexp.MustCompile(`^[A-Za-z0-9_:.\-/]+$`)
)

// Decode reads a verified body. An error names what is wrong and quotes nothing.
func Decode(body []byte) (*Event, error) {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	if !json.Valid(body) || rawjson.At(body).Kind() != '{' {
		return nil, errors.New("not the JSON of an event")
	}
	envelope := fieldsOf(body, envelopeFields)
	eventType, instanceID, raw := textOf(envelope["type"]), textOf(envelope["instance_id"]), dataOf(envelope["data"])
	if len(eventType) > maxTypeLength || !typeForm.MatchString(eventType) {
		return nil, fmt.Errorf("type: must be 1 to %d letters, digits and characters of \"_:.-/\"", maxTypeLength)
	}
	if !idForm.MatchString(instanceID) && !isEmpty(envelope["instance_id"]) {
		return nil, errors.New("instance_id: not an id")
	}
	if raw == nil && !isEmpty(envelope["data"]) {
		return nil, errors.New("data: not an object")
	}
	if rawjson.Depth(raw) > maxDepth {
		return nil, fmt.Errorf("data: nested deeper than %d levels", maxDepth)
	}
	told := fieldsOf(raw, dataFields)
	return &Event{
		Type:         eventType,
		InstanceID:   instanceID,
		Time:         timeOf(envelope["timestamp"]),
		Subject:      idOf(told["id"]),
		Organization: organizationOf(eventType, told),
		UpdatedAt:    timeOf(told["updated_at"]),
		raw:          raw,
	}, nil
}

// isEmpty tells whether there is no value, or one that says nothing.
func isEmpty(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" || string(raw) == `""` }

// dataOf is nil for what is no object.
func dataOf(raw []byte) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return raw
}

// fieldsOf are some members of an object, as they stand. Of a name that is there twice the last one counts, as it does for encoding/json.
func fieldsOf(raw []byte, names []string) map[string][]byte {
	fields := make(map[string][]byte, len(names))
	at := rawjson.At(raw)
	if at.Kind() != '{' {
		return fields
	}
	for at.Next() {
		name, value := at.Name(), at.Value()
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(`"` + textOf(name) + `"`)
		}
		if i := slices.IndexFunc(names, func(wanted string) bool { return string(name[1:len(name)-1]) == wanted }); i >= 0 {
			fields[names[i]] = value
		}
	}
	return fields
}

var (
	// envelopeFields are those of an event.
	envelopeFields = []string{"type", "instance_id", "timestamp", "data"}

	// dataFields are those of its data that say what it is about.
	dataFields = []string{"id", "updated_at", "organization", "organization_id", "payer", "last_active_organization_id"}
)

// textOf is a text without its quotes; empty for what is none.
func textOf(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	_ = json.Unmarshal(raw, &text) // which is valid
	return text
}

// values are its data as maps, lists and texts.
func (e *Event) values() map[string]any {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(e.raw))
	decoder.UseNumber()
	_ = decoder.Decode(&values) // which is valid, or nothing
	return values
}

// Known tells whether the type is one of those known by name.
func (e *Event) Known() bool { return clerk.TypeLabel(e.Type) != clerk.OtherType }

// Deletion tells whether the event says that the entity is gone.
func (e *Event) Deletion() bool { return strings.HasSuffix(e.Type, ".deleted") }

// organizationOf finds the organization that an event belongs to, by where its entities carry it.
func organizationOf(eventType string, data map[string][]byte) string {
	entity, _, _ := strings.Cut(eventType, ".")
	if entity == "organization" {
		return idOf(data["id"])
	}
	for _, path := range [][2]string{
		{"organization", "id"}, {"organization_id", ""}, {"payer", "organization_id"}, {"last_active_organization_id", ""},
	} {
		value := data[path[0]]
		if path[1] != "" {
			value = fieldsOf(value, path[1:])[path[1]]
		}
		if id := idOf(value); id != "" {
			return id
		}
	}
	return ""
}

func idOf(raw []byte) string {
	id := textOf(raw)
	if !idForm.MatchString(id) {
		return ""
	}
	return id
}

// timeOf reads milliseconds or, of small numbers, seconds.
func timeOf(raw []byte) time.Time {
	milliseconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || milliseconds < 0 {
		return time.Time{}
	}
	if milliseconds < secondsBelow {
		milliseconds *= 1000
	}
	t := time.UnixMilli(milliseconds).UTC()
	if t.Year() < minYear || t.Year() > maxYear {
		return time.Time{}
	}
	return t
}
