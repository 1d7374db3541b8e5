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

// Package cloudevent writes CloudEvents 1.0 as the protocols that sinks speak want them: attributes as headers, or everything as one JSON
// object.
package cloudevent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// SpecVersion is the version of CloudEvents that is written.
	SpecVersion = "1.0"

	// HeaderPrefix is what an attribute's header begins with, in HTTP and in NATS.
	HeaderPrefix = "ce-"

	// DataContentType is what data always is.
	DataContentType = "application/json"

	// StructuredContentType is the media type of an event that is one JSON object.
	StructuredContentType = "application/cloudevents+json; charset=utf-8"
)

// Event is a CloudEvent with the extensions that sinks know. What is zero is left out, but for ID, Source and Type, which must be set.
type Event struct {
	ID, Source, Type, Subject string
	Time                      time.Time

	// PartitionKey keeps what is of one entity together, in queues that are divided.
	PartitionKey string
	// Organization is Clerk's id of the organization that the event belongs to.
	Organization string
	// UpdatedAt orders the states of one entity.
	UpdatedAt time.Time
	// Superseded says whether newer is known, or a deletion. Nil where that is not known.
	Superseded *bool

	// Data is JSON; nil for an event without data.
	Data json.RawMessage
}

// Attribute is a context attribute, by its name in lower case and its value in canonical form.
type Attribute struct {
	Name, Value string
}

// Attributes are the context attributes, in a fixed order, without datacontenttype.
func (e Event) Attributes() []Attribute {
	attributes := []Attribute{
		{"specversion", SpecVersion},
		{"id", e.ID},
		{"source", e.Source},
		{"type", e.Type},
	}
	for _, optional := range []Attribute{
		{"subject", e.Subject},
		{"time", timestamp(e.Time)},
		{"partitionkey", e.PartitionKey},
		{"clerkorganization", e.Organization},
		{"clerkupdatedat", timestamp(e.UpdatedAt)},
		{"clerksuperseded", boolean(e.Superseded)},
	} {
		if optional.Value != "" {
			attributes = append(attributes, optional)
		}
	}
	return attributes
}

// Headers are the attributes as headers of the binary mode: their names in lower case, their values encoded.
func (e Event) Headers() []Attribute {
	headers := e.Attributes()
	for i := range headers {
		headers[i] = Attribute{Name: HeaderPrefix + headers[i].Name, Value: encode(headers[i].Value)}
	}
	return headers
}

// Structured is the event as one JSON object.
func (e Event) Structured() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, attribute := range e.Attributes() {
		if i > 0 {
			text.WriteByte(',')
		}
		value, err := json.Marshal(attribute.Value)
		if err != nil {
			return nil, fmt.Errorf("write the attribute %s: %w", attribute.Name, err)
		}
		if attribute.Name == "clerksuperseded" {
			value = []byte(attribute.Value) // the JSON format writes a boolean as one
		}
		fmt.Fprintf(&text, "%q:%s", attribute.Name, value)
	}
	if e.Data != nil {
		fmt.Fprintf(&text, `,"datacontenttype":%q,"data":`, DataContentType)
		text.Write(e.Data)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// timestamp has milliseconds, as Clerk's times do.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func boolean(value *bool) string {
	if value == nil {
		return ""
	}
	return strconv.FormatBool(*value)
}

// encode makes a value fit for a header: what is not printable ASCII, and space, double quote and percent, become %XX of their UTF-8.
func encode(value string) string {
	var text strings.Builder
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if r > ' ' && r <= '~' && r != '"' && r != '%' {
			text.WriteByte(value[i])
			i++
			continue
		}
		for _, b := range []byte(string(r)) { // U+FFFD for what is no UTF-8
			fmt.Fprintf(&text, "%%%02X", b)
		}
		i += size
	}
	return text.String()
}
