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

package kubectl

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestCleanLeavesNothingThatATerminalObeys looks at what people may put into names.
func TestCleanLeavesNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"plain":             {"Jörg Müller, 東京", "Jörg Müller, 東京"},
		"color":             {"\x1b[1;31mred\x1b[0m", "red"},
		"clear":             {"\x1b[2J\x1b[Hhello", "hello"},
		"one byte":          {"\u009b31mred", "red"},
		"title":             {"\x1b]0;pwned\x07hello", "hello"},
		"lone escape":       {"a\x1bb", "ab"},
		"carriage return":   {"no access\rall well", "no accessall well"},
		"backspace":         {"no\b\byes", "noyes"},
		"lines":             {"one\ntwo\tthree", "one two three"},
		"right to left":     {"a\u202eb\u2066c\u200fd", "abcd"},
		"zero width":        {"a\u200bb\ufeffc", "abc"},
		"separators":        {"a\u2028b\u2029c", "abc"},
		"broken encoding":   {"a\xffb", "ab"},
		"escape in escape":  {"\x1b\x1b[31m[31mred", "[31mred"},
		"nothing is wanted": {"\x00\x07", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if have := clean(test.text); have != test.want {
				t.Errorf("%q becomes %q, want %q", test.text, have, test.want)
			}
		})
	}
}

// TestEveryAnswerIsCleaned looks that no string of an answer is left out.
func TestEveryAnswerIsCleaned(t *testing.T) {
	t.Parallel()
	const dirty = "\x1b[31mred"
	at := metav1.Now()
	why := &Why{User: dirty, Memberships: []WhyMembership{{Person: dirty, Steps: []WhyStep{{Message: dirty, State: StepPassed, SaidAt: &at}}}}}
	plan := &Plan{Notes: []string{dirty}, Organizations: []PlanOrganization{{Slug: dirty, Gains: []PlanGrant{{Person: dirty}}}}}
	for _, found := range []answer{why, &detailedPlan{plan}} {
		cleanAll(reflect.ValueOf(found))
	}
	for _, text := range []string{
		why.User, why.Memberships[0].Person, why.Memberships[0].Steps[0].Message, plan.Notes[0], plan.Organizations[0].Slug,
		plan.Organizations[0].Gains[0].Person,
	} {
		if text != "red" {
			t.Errorf("%q is left", text)
		}
	}
	if !why.Memberships[0].Steps[0].SaidAt.Equal(&at) {
		t.Error("a time was changed")
	}
}

// TestATableFits looks that a table is never wider than the page, and shows what it cut.
func TestATableFits(t *testing.T) {
	t.Parallel()
	rows := [][]cell{{{text: strings.Repeat("é", 200), look: red}, {text: "short"}, {text: strings.Repeat("x", 90)}}}
	out := &page{now: time.Now()}
	out.table("  ", []string{"ONE", "TWO", "THREE"}, rows)
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > pageWidth {
			t.Errorf("%q is %d wide", line, width)
		}
	}
	if !strings.Contains(out.String(), "…") {
		t.Errorf("nothing says that something was cut: %s", out.String())
	}
	wide := &page{wide: true}
	wide.table("", []string{"ONE", "TWO", "THREE"}, rows)
	if strings.Contains(wide.String(), "…") || !strings.Contains(wide.String(), rows[0][0].text) {
		t.Errorf("something was cut though all was asked for: %s", wide.String())
	}
}
