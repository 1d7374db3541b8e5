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
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// generous are rules in which there is something of every sort.
var generous = New([]string{"private_metadata.plan", "url", "invitation", "unsafe_metadata", "email_addresses.verification.nonce"})

// same wants Copy to say what Apply says, or to leave it to Apply.
func same(t interface{ Errorf(string, ...any) }, rules Rules, eventType, text string) (copied bool) {
	var data map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&data); err != nil {
		t.Errorf("no test: %v: %s", err, text)
		return false
	}
	want, err := rules.Encode(eventType, data)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return false
	}
	got, copied := rules.Copy([]byte("before"), eventType, []byte(text))
	if !copied {
		if string(got) != "before" {
			t.Errorf("%s: nothing is copied, and something is appended: %s", text, got)
		}
		return false
	}
	rest, isAppended := strings.CutPrefix(string(got), "before")
	if !isAppended || !json.Valid([]byte(rest)) || !reflect.DeepEqual(read(rest), read(string(want))) {
		t.Errorf("%s: of\n%s\nis copied\n%s\nwant\n%s", eventType, text, got, want)
	}
	return true
}

func read(text string) (value any) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	_ = decoder.Decode(&value)
	return value
}

func TestWhatIsCopiedIsWhatIsLetThrough(t *testing.T) {
	for _, eventType := range clerk.Types() {
		text, err := json.MarshalIndent(example(t, eventType), " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if !same(t, New(nil), eventType, string(text)) {
			t.Errorf("%s: an ordinary event is not copied", eventType)
		}
		same(t, generous, eventType, string(text))
	}
}

func TestWhatIsCopiedIsWhatIsLetThroughOfAnyJSON(t *testing.T) {
	copied := 0
	rapid.Check(t, func(r *rapid.T) {
		eventType := rapid.SampledFrom(clerk.Types()).Draw(r, "type")
		rules := rapid.SampledFrom([]Rules{New(nil), generous}).Draw(r, "rules")
		text := drawObject(r, rules.rootOf(eventType), 4)
		if same(r, rules, eventType, text) {
			copied++
		}
	})
	if copied == 0 {
		t.Error("nothing was copied, so nothing was shown")
	}
}

func drawSpace(r *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t"}).Draw(r, "space")
}

// drawObject is the text of an object, most of whose names are those that the rules know; some are there twice, some written oddly.
func drawObject(r *rapid.T, n *node, depth int) string {
	names := []string{"private_metadata", "", "id", "a,b", "}", `x\"y`, `i\u0064`, `\u00e9`, "é"}
	steps := map[string]*node{}
	if n != nil {
		steps = n.steps
		for name := range steps {
			names = append(names, name, name, name)
		}
	}
	var members []string
	for range rapid.IntRange(0, 5).Draw(r, "members") {
		name := rapid.SampledFrom(slices.Sorted(slices.Values(names))).Draw(r, "name")
		members = append(members, drawSpace(r)+`"`+name+`"`+drawSpace(r)+":"+drawValue(r, steps[name], depth)+drawSpace(r))
	}
	return "{" + strings.Join(members, ",") + drawSpace(r) + "}"
}

func drawValue(r *rapid.T, n *node, depth int) string {
	kind := rapid.IntRange(0, 9).Draw(r, "kind")
	switch {
	case kind < 2 && depth > 0:
		return drawSpace(r) + drawObject(r, n, depth-1)
	case kind < 4 && depth > 0:
		var elements []string
		for range rapid.IntRange(0, 3).Draw(r, "elements") {
			elements = append(elements, drawValue(r, n, depth-1))
		}
		return "[" + strings.Join(elements, ",") + drawSpace(r) + "]"
	case kind == 4:
		return rapid.SampledFrom([]string{"0", "-1.5e30", "12345678901234567890", "true", "false", "null"}).Draw(r, "scalar")
	}
	return rapid.SampledFrom([]string{`""`, `"é<&>"`, `"a\\"`, `"\\\""`, `"{[,]}"`, `"\ud83d\ude00"`, `"\uD800"`, `"\u0000\u2028"`}).Draw(r, "text")
}

func FuzzCopy(f *testing.F) {
	for _, text := range []string{`{"id":"user_1","email_addresses":[{"id":1},null,[]]}`, `{"id":{"a":"}"},"id":[[{}]]}`, `{ "public_metadata" : {"\"":"\\"} }`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		if !json.Valid([]byte(text)) || !strings.HasPrefix(text, "{") {
			return
		}
		for _, eventType := range []string{"user.created", "waitlistEntry.created"} {
			same(t, New(nil), eventType, text)
			same(t, generous, eventType, text)
		}
	})
}
