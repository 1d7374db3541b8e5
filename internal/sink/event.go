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
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
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

	data map[string]any
}

var (
	idForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_]{0,61}[A-Za-z0-9])?$`)
	typeForm = regexp.MustCompile(`^[A-Za-z0-9_:.\-/]+$`)
)

// Decode reads a verified body. An error names what is wrong and quotes nothing.
func Decode(body []byte) (*Event, error) {
	var envelope struct {
		Type       string         `json:"type"`
		InstanceID string         `json:"instance_id"`
		Timestamp  any            `json:"timestamp"`
		Data       map[string]any `json:"data"`
	}
	decoder := json.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(body, []byte("\uFFFD"))))
	decoder.UseNumber()
	if err := decoder.Decode(&envelope); err != nil {
		return nil, errors.New("not the JSON of an event")
	}
	if len(envelope.Type) > maxTypeLength || !typeForm.MatchString(envelope.Type) {
		return nil, fmt.Errorf("type: must be 1 to %d letters, digits and characters of \"_:.-/\"", maxTypeLength)
	}
	if envelope.InstanceID != "" && !idForm.MatchString(envelope.InstanceID) {
		return nil, errors.New("instance_id: not an id")
	}
	if deeperThan(envelope.Data, maxDepth) {
		return nil, fmt.Errorf("data: nested deeper than %d levels", maxDepth)
	}
	event := &Event{
		Type:         envelope.Type,
		InstanceID:   envelope.InstanceID,
		Time:         timeOf(envelope.Timestamp),
		Subject:      idOf(envelope.Data["id"]),
		Organization: organizationOf(envelope.Type, envelope.Data),
		UpdatedAt:    timeOf(envelope.Data["updated_at"]),
		data:         envelope.Data,
	}
	return event, nil
}

// Known tells whether the type is one of those known by name.
func (e *Event) Known() bool { return clerk.TypeLabel(e.Type) != clerk.OtherType }

// Deletion tells whether the event says that the entity is gone.
func (e *Event) Deletion() bool { return strings.HasSuffix(e.Type, ".deleted") }

// organizationOf finds the organization that an event belongs to, by where its entities carry it.
func organizationOf(eventType string, data map[string]any) string {
	entity, _, _ := strings.Cut(eventType, ".")
	if entity == "organization" {
		return idOf(data["id"])
	}
	for _, path := range [][2]string{
		{"organization", "id"}, {"organization_id", ""}, {"payer", "organization_id"}, {"last_active_organization_id", ""},
	} {
		value := data[path[0]]
		if inner, ok := value.(map[string]any); ok && path[1] != "" {
			value = inner[path[1]]
		}
		if id := idOf(value); id != "" {
			return id
		}
	}
	return ""
}

func idOf(value any) string {
	id, _ := value.(string)
	if !idForm.MatchString(id) {
		return ""
	}
	return id
}

// timeOf reads milliseconds or, of small numbers, seconds.
func timeOf(value any) time.Time {
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}
	}
	milliseconds, err := number.Int64()
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

func deeperThan(value any, depth int) bool {
	if depth < 0 {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if deeperThan(inner, depth-1) {
				return true
			}
		}
	case []any:
		for _, inner := range value {
			if deeperThan(inner, depth-1) {
				return true
			}
		}
	}
	return false
}
