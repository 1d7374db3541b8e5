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
	"slices"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/internal/examples"
)

// TestShellsCompleteNames asks as a shell does. What the last line of an answer says is for the shell: to offer no files.
func TestShellsCompleteNames(t *testing.T) {
	for args, want := range map[string][]string{
		"who ac":                        {"acme\tAcme, Inc."},
		"who org-acme":                  {"org-acme\tnamespace", "org-acme-preview\tnamespace"},
		"who org_2e":                    {"org_2evil\tEvil"},
		"who acme ":                     nil,
		"tree o":                        {"ops\tOperations", "org_2evil\tEvil"},
		"events ac":                     {"acme\tAcme, Inc."},
		"why jane":                      {"jane@acme.example\tuser_2jane"},
		"why zoe":                       {"zoe@acme.example\tuser_2zoe"},
		"why user_2jo":                  {"user_2joe\tjoe@acme.example"},
		"why jane --organization a":     {"acme\tAcme, Inc."},
		"why jane -n org-acme-":         {"org-acme-preview\tnamespace"},
		"resync def":                    {"default"},
		"prune show def":                {"default"},
		"prune release ":                nil,
		"listen def":                    {"default"},
		"listen default ":               nil,
		"send --instance def":           {"default"},
		"listen --relay n":              {"auto", "never"},
		"send permission.d":             {"permission.deleted\tWhat it means for all who have it can change."},
		"send user.created ":            nil,
		"send --context=none session.r": {"session.removed\tNothing: the ClerkInstance acknowledges it.", "session.revoked\tNothing: the ClerkInstance acknowledges it."},
		"who --as=nobody a":             nil,
		"who --server=127.0.0.1:1 a":    nil,
		"who --context=does-not-exist ": nil,
	} {
		// The last word is what has been typed of it, and may be empty.
		words := strings.Split(args, " ")
		got := run(t, append([]string{"__complete", "--kubeconfig", kubeconfig}, words...)...)
		lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
		names, last := lines[:len(lines)-1], lines[len(lines)-1]
		if len(names) == 0 {
			names = nil
		}
		if !slices.Equal(names, want) || last != ":4" {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
}

// All types of which there is an example are offered.
func TestShellsCompleteEveryType(t *testing.T) {
	t.Parallel()
	got := run(t, "__completeNoDesc", "send", "")
	if names := strings.Split(strings.TrimSpace(got.out), "\n"); !slices.Equal(names[:len(names)-1], examples.Types()) {
		t.Errorf("%d types are offered, want all %d: %+v", len(names)-1, len(examples.Types()), got)
	}
}
