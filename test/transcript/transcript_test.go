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

package transcript

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestAPageIsReadAsAPersonReadsIt(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# Title\n## One\n```console\n$ a \\\n    --b c    # a comment\nout 1\n  out 2\n$ d\n```\n" +
		"```yaml\n$ no command\n```\n## Two\n   ```console\n   $ e '#' f\n   ```\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(page)
	want := []Step{{"One", "a --b c", "out 1\nout 2\n"}, {"One", "d", ""}, {"Two", "e '#' f", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestAnOutputIsComparedWithoutWhatVaries(t *testing.T) {
	for name, tc := range map[string]struct {
		shown, output string
		same, within  bool
	}{
		"the same":           {"a b", "a b\n", true, true},
		"another":            {"a b", "a c", false, false},
		"another age":        {"app  True  3s", "app   True   2m10s", true, true},
		"another time":       {`{"at":"2026-03-01T12:00:00Z"}`, `{"at":"2027-01-01T00:00:00Z"}`, true, true},
		"another hash":       {`"9f86d081884c7d65"`, `"0123456789abcdef"`, true, true},
		"another wait":       {"rolled out", "Waiting for 0 of 2\nWaiting for 1 of 2\nrolled out", true, true},
		"another number":     {"pods 5", "pods 6", false, false},
		"left out":           {"NAME … AGE", "NAME  READY  AGE", true, true},
		"lines left out":     {"one\n…\nthree", "one\ntwo\nthree", true, true},
		"more lines":         {"two", "one\ntwo\nthree", false, true},
		"a part of a line":   {"two", "one two three", false, false},
		"another port":       {"http://127.0.0.1:8090/a", "http://127.0.0.1:41234/a", true, true},
		"an empty column":    {"default  True     1s", "default   True                 True     1s", false, false},
		"a regular language": {"a.c", "abc", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Same(tc.shown, tc.output); got != tc.same {
				t.Errorf("Same is %t, want %t", got, tc.same)
			}
			if got := Within(tc.shown, tc.output); got != tc.within {
				t.Errorf("Within is %t, want %t", got, tc.within)
			}
		})
	}
}

func TestATranscriptIsKept(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	before := "<!-- transcript: one -->\n```console\n$ a\n1 3s\n```\n<!-- transcript: two -->\n\n```console\n```\n"
	if err := os.WriteFile(page, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(UpdateVariable, "")
	for text, same := range map[string]bool{"$ a\n1 5s\n": true, "$ a\n2 3s\n": false} {
		if err := Keep(page, "one", text); (err == nil) != same {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := Keep(page, "three", ""); err == nil {
		t.Error("a transcript that no page holds is current")
	}
	t.Setenv(UpdateVariable, "1")
	if err := Keep(page, "two", "$ b\n"); err != nil {
		t.Fatal(err)
	}
	want := before[:len(before)-len("```\n")] + "$ b\n```\n"
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAShellKeepsWhatIsExported(t *testing.T) {
	shell := Shell{Folder: t.TempDir(), Environ: os.Environ()}
	for _, command := range []string{"export A=1 B=2", "export A=3"} {
		if _, err := shell.Run(t.Context(), command); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := shell.Run(t.Context(), "echo $A $B"); err != nil || got != "3 2\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := shell.Run(t.Context(), "false"); err == nil {
		t.Error("a command that fails is no error")
	}
}
