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

// Package examples holds an example of every type of event that Clerk sends, as files, and makes events of them that speak of given
// organizations and users, and happen now.
package examples

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// files are the examples by type. What must never be stored, logged or handed on is marked in them.
//
//go:embed events/*.json
var files embed.FS

const suffix = ".json"

// Types are the types of which there is an example, sorted.
func Types() []string {
	names, err := fs.Glob(files, "events/*"+suffix)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	types := make([]string, len(names))
	for i, name := range names {
		types[i] = strings.TrimSuffix(strings.TrimPrefix(name, "events/"), suffix)
	}
	slices.Sort(types)
	return types
}

// Read is the example of a type as it is kept.
func Read(eventType string) ([]byte, error) {
	body, err := files.ReadFile("events/" + eventType + suffix)
	if err != nil {
		return nil, fmt.Errorf("there is no event of the type %q", eventType)
	}
	return body, nil
}

// Event is an event that was made of an example.
type Event struct {
	// Type of the event.
	Type string

	// Body is the event as JSON, in one line.
	Body []byte

	// About are the ids of those that it speaks of: "organization", "membership", "user", "role", "permission".
	About map[string]string
}

// Make makes an event that speaks of a subject and happens now. It names no Clerk environment, as older events do not: the ClerkInstance
// that hears it learns of none.
func Make(eventType string, subject *Subject, now time.Time) (*Event, error) {
	text, err := Read(eventType)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var envelope map[string]any
	if err := decoder.Decode(&envelope); err != nil {
		return nil, fmt.Errorf("read the example of %s: %w", eventType, err)
	}
	data, ok := envelope["data"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the example of %s has no data", eventType)
	}
	event := &Event{Type: eventType, About: map[string]string{}}
	moveTimes(data, now.UnixMilli()-happened(envelope, data))
	(&maker{subject: subject, now: now, about: event.About}).visit("data", data)
	delete(envelope, "instance_id")
	envelope["timestamp"] = now.UnixMilli()
	event.Body, err = json.Marshal(envelope)
	return event, err
}

const (
	// firstMilliseconds is where times in milliseconds begin; smaller numbers are counts or seconds.
	firstMilliseconds = 1_000_000_000_000

	// organizationAge is how old what a membership tells of its organization is: enough to create it, too old to change it.
	organizationAge = time.Hour
)

// happened is when an example happened, in milliseconds: when its data was updated, or else by its envelope.
func happened(envelope, data map[string]any) int64 {
	if updated := milliseconds(data["updated_at"]); updated != 0 {
		return updated
	}
	if created := milliseconds(data["created_at"]); created != 0 {
		return created
	}
	return milliseconds(envelope["timestamp"])
}

// milliseconds is a number that is a time; 0 for anything else.
func milliseconds(value any) int64 {
	number, ok := value.(json.Number)
	if !ok {
		return 0
	}
	if n, err := number.Int64(); err == nil && n >= firstMilliseconds {
		return n
	}
	return 0
}

// moveTimes moves all times, each as far.
func moveTimes(value any, by int64) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if at := milliseconds(inner); at != 0 {
				value[key] = at + by
				continue
			}
			moveTimes(inner, by)
		}
	case []any:
		for _, inner := range value {
			moveTimes(inner, by)
		}
	}
}
