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

package redact

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// canary stands in the testdata wherever Clerk puts what must never leave.
const canary = "canary-must-never-surface"

var update = flag.Bool("update", false, "write testdata/withheld.txt anew, and look at every line of the difference")

func example(t *testing.T, eventType string) map[string]any {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "examples", "events", eventType+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	return event.Data
}

func leaves(prefix string, value any, into map[string]struct{}) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			leaves(strings.TrimPrefix(prefix+"."+name, "."), inner, into)
		}
	case []any:
		for _, inner := range value {
			leaves(prefix, inner, into)
		}
	default:
		into[prefix] = struct{}{}
	}
}

func TestNothingThatMustNotLeaveIsInTheSafeDataOfAnyType(t *testing.T) {
	everything := New(nil)
	for _, eventType := range clerk.Types() {
		kept, err := json.Marshal(everything.Apply(eventType, example(t, eventType)))
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{canary, "private_metadata", "unsafe_metadata", `"url"`, "otp", "ip_address", "backup_codes", "ticket"} {
			if strings.Contains(string(kept), forbidden) {
				t.Errorf("%s: %q leaves: %s", eventType, forbidden, kept)
			}
		}
		if !strings.Contains(string(kept), `"id"`) {
			t.Errorf("%s: not even the id leaves: %s", eventType, kept)
		}
	}
}

func TestEveryKnownTypeHasAList(t *testing.T) {
	entities := map[string]bool{}
	for _, eventType := range clerk.Types() {
		entity, _, _ := strings.Cut(eventType, ".")
		entities[entity] = true
		if len(safe[entity]) == 0 {
			t.Errorf("%s: no field is let through: list those of %s", eventType, entity)
		}
	}
	for entity := range safe {
		if !entities[entity] {
			t.Errorf("%s: a list for no known type", entity)
		}
	}
}

// What is withheld is written down, so that a field which Clerk adds to an example is looked at by somebody.
func TestWhatIsWithheldIsWrittenDown(t *testing.T) {
	rules := New(nil)
	withheld := map[string]struct{}{}
	for _, eventType := range clerk.Types() {
		entity, _, _ := strings.Cut(eventType, ".")
		all, kept := map[string]struct{}{}, map[string]struct{}{}
		leaves("", example(t, eventType), all)
		leaves("", rules.Apply(eventType, example(t, eventType)), kept)
		for path := range all {
			if _, left := kept[path]; !left {
				withheld[entity+": "+path] = struct{}{}
			}
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(withheld)), "\n") + "\n"
	file := filepath.Join("testdata", "withheld.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("what is withheld has changed: decide about each field, then run this test with -update. It is:\n%s", got)
	}
}

func TestOfMailAndMessagesNothingCanBeLetThroughOnPurpose(t *testing.T) {
	greedy := New([]string{"body", "body_plain", "subject", "message", "data", "data.otp_code", "to_email_address"})
	for _, eventType := range []string{"email.created", "sms.created"} {
		data := example(t, eventType)
		want, got := New(nil).Apply(eventType, data), greedy.Apply(eventType, data)
		if len(got) != len(want) {
			t.Errorf("%s: %v leaves, want no more than %v", eventType, got, want)
		}
	}
}

func TestNobodyLetsATicketThrough(t *testing.T) {
	inner := map[string]any{"url": canary, "note": "kept"}
	for _, test := range []struct {
		eventType string
		data      map[string]any
		include   []string
		want      string
	}{
		{"invitation.created", inner, []string{"url", "note"}, `{"note":"kept"}`},
		{"organizationInvitation.accepted", inner, []string{"url.deeper", "url"}, `{}`},
		{"waitlistEntry.created", map[string]any{"invitation": inner}, []string{"invitation"}, `{"invitation":{"note":"kept"}}`},
		{"waitlistEntry.created", map[string]any{"invitation": inner}, []string{"invitation.url"}, `{"invitation":{}}`},
		{"waitlistEntry.updated", map[string]any{"invitation": []any{inner}}, []string{"invitation"}, `{"invitation":[{"note":"kept"}]}`},
	} {
		kept, err := json.Marshal(New(test.include).Apply(test.eventType, test.data))
		if err != nil || string(kept) != test.want {
			t.Errorf("%s with %v: %s leaves, want %s (%v)", test.eventType, test.include, kept, test.want, err)
		}
	}
}

func TestWhatIsIncludedOnPurposeLeavesAndNothingBeside(t *testing.T) {
	rules := New([]string{"private_metadata.plan", "email_addresses.verification.nonce"})
	got, err := json.Marshal(rules.Apply("user.updated", map[string]any{
		"id":               "user_1",
		"private_metadata": map[string]any{"plan": map[string]any{"name": "fleet"}, "secret": canary},
		"unsafe_metadata":  map[string]any{"plan": canary},
		"email_addresses": []any{map[string]any{
			"email_address": "a@b.example", "verification": map[string]any{"nonce": "n", "status": "verified", "other": canary},
		}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"email_addresses":[{"email_address":"a@b.example","verification":{"nonce":"n","status":"verified"}}],` +
		`"id":"user_1","private_metadata":{"plan":{"name":"fleet"}}}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestATypeThatIsNotKnownHasNoData(t *testing.T) {
	for _, eventType := range []string{"user.teleported", "organization.created.v2", "wormhole.opened", "user"} {
		if got := New([]string{"id"}).Apply(eventType, map[string]any{"id": "user_1"}); got != nil {
			t.Errorf("%s: %v leaves, want nothing", eventType, got)
		}
	}
}

func TestAFieldThatIsSuddenlyAnObjectIsWithheld(t *testing.T) {
	got := New(nil).Apply("user.created", map[string]any{"id": map[string]any{"secret": canary}, "username": []any{map[string]any{"x": canary}, "ines"}})
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != `{"username":["ines"]}` {
		t.Errorf("got %s: a listed field lets a value through, not whatever hides under its name", text)
	}
}

func TestTheDocsListWhatLeaves(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "sinks-data.md")
	docs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const start = "| Type | Paths within `data` |\n|---|---|\n"
	before, _, found := strings.Cut(string(docs), start)
	if !found {
		t.Fatalf("%s has no table that begins with %q", file, start)
	}
	want := before + start + Table()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(docs) != want {
		t.Errorf("%s is not what leaves: run this test with -update", file)
	}
}
