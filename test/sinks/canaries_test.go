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

package sinks_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// metadataName is the one field in which everything may leave: the application has put it there for everybody.
	metadataName = "public_metadata"

	// unlisted is a field that no example has and no list names, as Clerk adds some several times a year.
	unlisted = "unlisted_by_anybody"

	// envelopePath is where the fields stand that are not the event's data.
	envelopePath = "(envelope)"

	// maxGrowth bounds how deep an example grows.
	maxGrowth = 8
)

// forbidden are fields that must never leave, wherever they stand, but in public metadata. Each object of each event gets all of them.
var forbidden = []string{
	"private_metadata", "unsafe_metadata", "event_attributes", "url", "ticket", "otp_code", "body", "body_plain", "message", "data", "nonce",
	"password_digest", "backup_codes", "ip_address", "client_id", unlisted,
}

// codes are the entities that hold one-time codes, and of them all that may leave.
var codes = map[string][]string{
	"email": {"id", "object", "user_id", "email_address_id", "slug", "status", "delivered_by_clerk"},
	"sms":   {"id", "object", "user_id", "phone_number_id", "slug", "status", "delivered_by_clerk", "created_at"},
}

// tickets are what lets in whoever has it: nothing opens them.
var tickets = map[string]string{"invitation": "url", "organizationInvitation": "url", "waitlistEntry": "invitation.url"}

// leaf is a string of an event: where it stands.
type leaf struct {
	eventType, path string
}

func (l leaf) String() string { return l.eventType + " " + l.path }

func (l leaf) entity() string {
	entity, _, _ := strings.Cut(l.eventType, ".")
	return entity
}

// mustNeverLeave is what holds whatever any list says.
func (l leaf) mustNeverLeave() bool {
	if strings.HasPrefix(l.path, envelopePath) || l.path == tickets[l.entity()] {
		return true
	}
	if allowed, isCode := codes[l.entity()]; isCode {
		return !slices.Contains(allowed, l.path)
	}
	for step := range strings.SplitSeq(l.path, ".") {
		if step == metadataName {
			return false
		}
		if slices.Contains(forbidden, step) {
			return true
		}
	}
	return false
}

// canaries are words that stand nowhere else, one in each string of each event.
type canaries struct {
	leaves []leaf
	lists  map[string][]string // what docs/sinks-data.md says of each entity
}

var canaryForm = regexp.MustCompile(`zq(\d+)qz`)

// newCanaries reads from the documentation what may leave: it is the promise that people read.
func newCanaries(t *testing.T) *canaries {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "sinks-data.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := &canaries{lists: map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.Contains(cells[1], ".*`") {
			continue
		}
		entity := strings.TrimSuffix(strings.Trim(cells[1], " `"), ".*")
		for path := range strings.FieldsSeq(cells[2]) {
			c.lists[entity] = append(c.lists[entity], strings.Trim(path, "`"))
		}
	}
	if len(c.lists) == 0 {
		t.Fatal("docs/sinks-data.md has no list")
	}
	return c
}

func root(t *testing.T) string {
	t.Helper()
	folder, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// mayLeave tells whether a list lets a leaf through.
func mayLeave(list []string, path string) bool {
	return slices.ContainsFunc(list, func(listed string) bool {
		below, isWhole := strings.CutSuffix(listed, ".**")
		return listed == path || isWhole && (path == below || strings.HasPrefix(path, below+"."))
	})
}

// isListedBelow tells whether a list has paths below one, outside of metadata.
func isListedBelow(list []string, path string) bool {
	return slices.ContainsFunc(list, func(listed string) bool {
		return strings.HasPrefix(listed, path+".") && listed != path+".**"
	})
}

// plant puts a word of its own behind the text of a leaf. It is of a form that an id, a key, a slug and an address may have.
func (c *canaries) plant(eventType, path, text string) string {
	c.leaves = append(c.leaves, leaf{eventType, path})
	return fmt.Sprintf("%szq%dqz", text, len(c.leaves)-1)
}

// event is the example of a type, with a canary in each of its strings, in each field that a list names and the example lacks, and in
// fields that must never leave or that nobody knows.
func (c *canaries) event(t *testing.T, eventType string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "internal", "examples", "events", eventType+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	grower := &grower{canaries: c, eventType: eventType, list: c.lists[leaf{eventType: eventType}.entity()]}
	data := grower.grow("", event["data"], 0).(map[string]any) //nolint:forcetypeassert // an object stays one
	if emails, _ := data["email_addresses"].([]any); len(emails) > 0 {
		if first, isObject := emails[0].(map[string]any); isObject {
			first["id"] = data["primary_email_address_id"] // so that this is the address that is mirrored
			c.leaves[slices.Index(c.leaves, leaf{eventType, "email_addresses.id"})].path = "primary_email_address_id"
		}
	}
	event["data"] = data
	event["timestamp"] = time.Now().UnixMilli()
	for _, name := range []string{"event_attributes", unlisted} {
		event[name] = grower.grow(envelopePath+"."+name, event[name], 0)
	}
	written, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// grower plants the canaries of one event.
type grower struct {
	*canaries

	eventType string
	list      []string
}

func (g *grower) grow(path string, value any, depth int) any {
	switch value := value.(type) {
	case string:
		return g.plant(g.eventType, path, value)
	case map[string]any:
		return g.object(path, value, depth)
	case []any:
		grown := make([]any, 0, len(value)+1)
		for _, element := range append(value, nil) {
			grown = append(grown, g.grow(path, element, depth))
		}
		return grown
	case nil:
		switch {
		case strings.HasSuffix(path, "_at"): // a time stays a number
			return nil
		case path == "" || isListedBelow(g.list, path) || strings.HasPrefix(path, envelopePath) && depth == 0:
			return g.object(path, map[string]any{}, depth)
		}
		return g.plant(g.eventType, path, "")
	}
	return value // a number, or true or false
}

func (g *grower) object(path string, object map[string]any, depth int) map[string]any {
	grown := map[string]any{}
	for name, value := range object {
		grown[name] = g.grow(join(path, name), value, depth+1)
	}
	added := slices.Clone(forbidden)
	if steps := strings.Split(path, "."); slices.Contains(steps, metadataName) || depth > maxGrowth {
		added = []string{unlisted}
	} else {
		for _, listed := range g.list {
			if rest, isBelow := strings.CutPrefix(listed, prefix(path)); isBelow {
				name, _, _ := strings.Cut(rest, ".")
				added = append(added, name)
			}
		}
	}
	for _, name := range added {
		if _, isThere := grown[name]; isThere {
			continue
		}
		if name == metadataName {
			grown[name] = g.object(join(path, name), map[string]any{}, depth+1)
			continue
		}
		grown[name] = g.grow(join(path, name), nil, depth+1)
	}
	return grown
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + "."
}

func join(path, name string) string { return prefix(path) + name }

// found are the leaves whose canaries stand in a text.
func (c *canaries) found(t *testing.T, text string) map[leaf]bool {
	t.Helper()
	all := map[leaf]bool{}
	for _, match := range canaryForm.FindAllStringSubmatch(text, -1) {
		number, err := strconv.Atoi(match[1])
		if err != nil || number >= len(c.leaves) {
			t.Fatalf("%s is no canary", match[0])
		}
		all[c.leaves[number]] = true
	}
	return all
}

// which are the leaves that something holds for.
func (c *canaries) which(holds func(leaf) bool) map[leaf]bool {
	all := map[leaf]bool{}
	for _, l := range c.leaves {
		if holds(l) {
			all[l] = true
		}
	}
	return all
}
