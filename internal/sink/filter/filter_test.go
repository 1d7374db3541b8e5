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

package filter

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	event := Event{
		ID: "msg_1", Type: "organizationMembership.created", Subject: "orgmem_1", Organization: "org_1", Instance: "ins_1",
		Data: map[string]any{"role": "org:admin", "count": json.Number("5"), "ratio": json.Number("0.5"), "list": []any{json.Number("1")}},
	}
	for name, test := range map[string]struct {
		types      []string
		expression string
		want       bool
		wantErr    string
		reason     string
	}{
		"nothing":             {want: true, reason: "a sink without a filter takes everything"},
		"the type":            {types: []string{"organizationMembership.created"}, want: true, reason: "listed"},
		"the entity":          {types: []string{"organizationMembership.*"}, want: true, reason: "listed with all its types"},
		"another entity":      {types: []string{"organization.*"}, want: false, reason: "organizationMembership only begins like it"},
		"another type":        {types: []string{"organizationMembership.deleted"}, want: false, reason: "not listed"},
		"true":                {expression: `event.data.role == "org:admin" && event.organization == "org_1"`, want: true, reason: "it holds"},
		"false":               {expression: `event.type.startsWith("user.")`, want: false, reason: "it does not hold"},
		"a whole number":      {expression: `event.data.count == 5 && event.data.list[0] == 1`, want: true, reason: "as people write it"},
		"a fraction":          {expression: `event.data.ratio < 1.0`, want: true, reason: "JSON's numbers are numbers"},
		"a missing key":       {expression: `event.data.nowhere == 1`, wantErr: "no such key: nowhere", reason: "an error, never a dropped event"},
		"asked for":           {expression: `has(event.data.nowhere) && event.data.nowhere == 1`, want: false, reason: "has(…) asks first"},
		"no truth":            {expression: `event.data.role`, wantErr: "neither true nor false", reason: "a value is not a decision"},
		"a value in an error": {expression: `int(event.data.role) == 1`, wantErr: "type conversion error", reason: "the value is not told"},
		"too much work": {expression: `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, ` +
			`[1,2,3,4,5,6,7,8,9].all(e, a+b+c+d+e > 0)))))`, wantErr: "cost limit", reason: "one event does not hold up the others"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := New(test.types, test.expression)
			if err != nil {
				t.Fatal(err)
			}
			got := f.WantsType(event.Type)
			if got {
				got, err = f.Wants(event)
			}
			if (err != nil) != (test.wantErr != "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Fatalf("%v, want %q: %s", err, test.wantErr, test.reason)
			}
			if err != nil && strings.Contains(err.Error(), "org:admin") {
				t.Errorf("%v quotes a value", err)
			}
			if got != test.want {
				t.Errorf("%t, want %t: %s", got, test.want, test.reason)
			}
		})
	}
}

func TestAnExpressionThatDoesNotCompileIsTold(t *testing.T) {
	for _, expression := range []string{`event.type ==`, `nobody.knows`, `"text"`, `event.type.frobnicate()`} {
		if _, err := New(nil, expression); err == nil {
			t.Errorf("%s compiles", expression)
		}
	}
}
