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

package kubectl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// golden is a command whose whole output is kept in testdata.
type golden struct {
	args string
	code int
}

// TestOutput compares what each command prints, and its exit code, with what it should.
func TestOutput(t *testing.T) {
	tests := map[string]golden{
		"why-access":          {"why jane@acme.example --organization acme", 0},
		"why-namespace":       {"why user_2joe -n org-acme", 0},
		"why-other-namespace": {"why user_2joe -n org-acme-preview", 2},
		"why-not-mapped":      {"why clerk:user_2zoe", 2},
		"why-banned":          {"why ben@ACME.example", 2},
		"why-left":            {"why user_2left", 2},
		"why-nobody":          {"why nobody@acme.example", 2},
		"why-no-member":       {"why jane@acme.example --organization org_2gone", 2},
		"why-json":            {"why user_2jane --organization acme -o json", 0},
		"why-name":            {"why jane@acme.example -o name", 0},
		"why-color":           {"why jane@acme.example --color=always", 0},
		"why-no-rights":       {"why jane@acme.example --as nobody", 1},
		"why-fewer-rights":    {"why jane@acme.example --as viewer", 0},
		"why-elsewhere":       {"why jane@acme.example -n kube-system", 1},
		"who-organization":    {"who acme", 0},
		"who-wide":            {"who org_2acme -o wide", 0},
		"who-namespace":       {"who org-acme", 0},
		"who-json":            {"who org-acme-preview -o json", 0},
		"who-nobody":          {"who org_2evil", 2},
		"who-unknown":         {"who nowhere", 1},
		"who-name":            {"who acme -o name", 0},
		"who-viewer":          {"who acme --as viewer", 0},
		"who-helpdesk":        {"who acme --as helpdesk", 0},
		"tree":                {"tree", 2},
		"tree-organization":   {"tree acme -o yaml", 0},
		"tree-deleted":        {"tree org_2gone", 0},
		"tree-no-rights":      {"tree --as viewer", 1},
		"tree-planner":        {"tree acme --as planner", 0},
		"tree-name":           {"tree -o name", 2},
		"status":              {"status", 2},
		"status-json":         {"status -o json", 2},
		"status-viewer":       {"status -o name --as viewer", 2},
		"doctor":              {"doctor", 0},
		"doctor-json":         {"doctor -o json", 0},
		"doctor-viewer":       {"doctor --as viewer", 0},
		"doctor-nobody":       {"doctor --as nobody", 0},
		"plan-nothing":        {"plan -f testdata/same.yaml", 0},
		"plan":                {"plan -f testdata/edits", 2},
		"plan-details":        {"plan -f testdata/edits --details", 2},
		"plan-json":           {"plan -f testdata/edits -o json", 2},
		"plan-grants":         {"plan -f testdata/grants.yaml", 2},
		"plan-grants-details": {"plan -f testdata/grants.yaml --details", 2},
		"plan-grants-json":    {"plan -f testdata/grants.yaml -o json", 2},
		"plan-grants-name":    {"plan -f testdata/grants.yaml -o name", 2},
		"plan-none":           {"plan -f testdata/golden", 1},
		"send-list":           {"send --list", 0},
		"send-list-name":      {"send --list -o name", 0},
		"help-plan":           {"plan --help", 0},
		"help-send":           {"send --help", 0},
		"help-logs":           {"logs --help", 0},
		"help-listen":         {"listen --help", 0},
		"help":                {"--help", 0},
		"why-no-output":       {"why jane@acme.example -o xml", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := func() time.Time { return now }
			if strings.HasPrefix(test.args, "doctor") {
				clock = time.Now // which it compares with the API server's
			}
			found := runAt(t, clock, strings.Fields(test.args)...)
			wantGolden(t, name, test.args, found)
			if found.code != test.code {
				t.Errorf("exit code %d, want %d", found.code, test.code)
			}
			if name != "why-color" && !strings.HasPrefix(name, "help") {
				checkPage(t, test, found)
			}
		})
	}
}

// wantGolden compares what a command printed, and its exit code, with a file.
func wantGolden(t *testing.T, name, args string, found result) {
	t.Helper()
	want := filepath.Join("testdata", "golden", name+".txt")
	have := fmt.Sprintf("$ kubectl clerk %s\n%s%s[exit code %d]\n", args, found.out, found.errors, found.code)
	if *update {
		if err := os.WriteFile(want, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(content) {
		t.Errorf("have:\n%s\nwant:\n%s", have, content)
	}
}

// checkPage looks that what is printed fits and holds nothing that a terminal would obey.
func checkPage(t *testing.T, test golden, found result) {
	t.Helper()
	for line := range strings.Lines(found.out + found.errors) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q has control characters", line)
		}
		if width := utf8.RuneCountInString(line); width > 100 && !strings.Contains(test.args, "-o ") && found.code != 1 {
			t.Errorf("%q is %d characters wide", line, width)
		}
	}
}

func TestAnAPIServerThatDoesNotAnswerIsSaidOnce(t *testing.T) {
	t.Parallel()
	got := run(t, "why", "jane@acme.example", "--server", "https://127.0.0.1:1")
	want := "error: the API server does not answer: dial tcp 127.0.0.1:1: connect: connection refused: " +
		"try kubectl cluster-info, or another context with --context\n"
	if got.errors != want || got.out != "" || got.code != 1 {
		t.Errorf("got %+v, want %q", got, want)
	}
}
