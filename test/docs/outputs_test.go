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

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/test/transcript"
)

// printed are the tests that run what stands above an output and compare, by page. A page that is not here shows no output.
var printed = map[string][]compared{
	"README.md": {
		{"hack/run", "TestEachPathOfTheQuickstartFromAnEmptyFolder"},
		{"hack/demo", "TestTheStoryIsTrue"},
	},
	"docs/database.md":         {{"hack/demo", "TestTheStoryIsTrue"}},
	"docs/operations.md":       {{"hack/run", "TestThePagesOnResyncAndOperationsAreTrue"}},
	"docs/resync.md":           {{"hack/run", "TestThePagesOnResyncAndOperationsAreTrue"}},
	"docs/sinks.md":            {{"test/sinks", "TestThePageShowsWhatKubectlPrints"}},
	"docs/tutorials/kind.md":   {{"test/node", "TestEndToEnd"}},
	"docs/tutorials/laptop.md": {{"hack/run", "TestTheTutorialOnALaptopIsTrue"}},
	"docs/tutorials/transcripts.md": {
		{"hack/run", "TestEachPathOfTheQuickstartFromAnEmptyFolder"},
		{"test/node", "TestEndToEnd"},
	},
}

// compared is a test.
type compared struct{ folder, name string }

// An output that no test compares is wrong before long: who shows one names the test.
func TestEveryPrintedOutputIsComparedByATest(t *testing.T) {
	t.Parallel()
	root, pages := pages(t)
	showing := map[string]bool{}
	for path := range pages {
		page, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := transcript.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(steps, func(step transcript.Step) bool { return step.Output != "" }) {
			showing[filepath.ToSlash(page)] = true
		}
	}
	for page := range showing {
		if len(printed[page]) == 0 {
			t.Errorf("%s shows the output of a command, and no test is named here that runs the command and compares", page)
		}
	}
	for page, tests := range printed {
		if !showing[page] {
			t.Errorf("%s shows no output any more", page)
		}
		for _, test := range tests {
			if !slices.Contains(functions(t, filepath.Join(root, test.folder)), test.name) {
				t.Errorf("%s has no %s, which is to compare %s", test.folder, test.name, page)
			}
		}
	}
}

// functions are the names of a folder's functions, also of its tests.
func functions(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	found := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, is := declaration.(*ast.FuncDecl); is && strings.HasPrefix(function.Name.Name, "Test") {
				found[function.Name.Name] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}
