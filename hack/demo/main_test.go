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

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/transcript"
)

// maxWidth is how wide the story may be, in columns: a table of members, with the names of their objects, takes 124.
const maxWidth = 128

func TestTheStoryIsTrue(t *testing.T) {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "story"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	if err := run(t.Context(), out, filepath.Join(dir, "logs")); err != nil {
		t.Error(err)
	}
	story, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(story)) {
		line = strings.TrimSuffix(line, "\n")
		if t.Failed() {
			t.Log(line)
			continue
		}
		if utf8.RuneCountInString(line) > maxWidth {
			t.Errorf("wider than %d columns: %s", maxWidth, line)
		}
	}
	if !t.Failed() {
		showsTheStory(t, string(story))
	}
}

// showsTheStory compares what pages show of this story with it.
func showsTheStory(t *testing.T, story string) {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	excerpt := regexp.MustCompile("(?s)From the output of `make demo`:\n\n```console\n(.*?)```").FindStringSubmatch(string(readme))
	if excerpt == nil {
		t.Fatal("README.md shows nothing of the story any more")
	}
	shown := map[string]string{"README.md": excerpt[1]}
	steps, err := transcript.Read(filepath.Join(root, "docs", "database.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if step.Command == "kubectl get clerkdatabases" {
			shown["docs/database.md"] = step.Output
		}
	}
	if shown["docs/database.md"] == "" {
		t.Error("docs/database.md shows no ClerkDatabase any more")
	}
	if strings.Contains(story, "Left out:") { // there is no PostgreSQL here
		delete(shown, "docs/database.md")
		shown["README.md"] = regexp.MustCompile(`(?s)\n16\. .*?\nEvery step`).ReplaceAllString(shown["README.md"], "\n…\nEvery step")
	}
	for page, text := range shown {
		if !transcript.Within(text, story) {
			t.Errorf("%s shows\n%s\nwhich is not in the story:\n%s", page, text, story)
		}
	}
}
