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
	"bufio"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
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
	if _, err := out.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if t.Failed() {
			t.Log(line)
			continue
		}
		if utf8.RuneCountInString(line) > maxWidth {
			t.Errorf("wider than %d columns: %s", maxWidth, line)
		}
	}
}
