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
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// toldOf merges logs, and returns their lines, each after the pod.
func toldOf(t *testing.T, logs ...*logLines) []string {
	t.Helper()
	var lines []string
	if err := merge(logs, func(line *logLines) error {
		lines = append(lines, line.pod+": "+line.text)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestLogsOfSeveralPodsAreInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	a := newLogLines("a", strings.NewReader("2026-11-28T08:00:00.1Z one\n2026-11-28T08:00:02Z four\nno time, so it stays behind four\n"))
	b := newLogLines("b", strings.NewReader("2026-11-28T08:00:00.2Z two\r\n2026-11-28T08:00:01Z three\n2026-11-28T08:00:03Z last"))
	want := []string{"a: one", "b: two", "b: three", "a: four", "a: no time, so it stays behind four", "b: last"}
	if have := toldOf(t, a, newLogLines("empty", strings.NewReader("")), b); !slices.Equal(have, want) {
		t.Errorf("have %q, want %q", have, want)
	}
	if !errors.Is(a.err, io.EOF) || !errors.Is(b.err, io.EOF) {
		t.Errorf("they ended by %v and %v", a.err, b.err)
	}
}

func TestALongLineIsCut(t *testing.T) {
	t.Parallel()
	long := "2026-11-28T08:00:00Z " + strings.Repeat("x", 3*maxLogLine)
	log := newLogLines("a", strings.NewReader(long+"\n2026-11-28T08:00:01Z short\n"))
	lines := toldOf(t, log)
	if len(lines) != 2 || len(lines[0]) > maxLogLine+len("a: …") || !strings.HasSuffix(lines[0], "x…") || lines[1] != "a: short" {
		t.Errorf("%d lines, of %d bytes and %q", len(lines), len(lines[0]), lines[len(lines)-1])
	}
}

func TestALogThatBreaksOffSaysSo(t *testing.T) {
	t.Parallel()
	broken := errors.New("the node is gone")
	log := newLogLines("a", io.MultiReader(strings.NewReader("2026-11-28T08:00:00Z one\n"), iotest.ErrReader(broken)))
	if lines := toldOf(t, log); !slices.Equal(lines, []string{"a: one"}) || !errors.Is(log.err, broken) {
		t.Errorf("have %q and %v", lines, log.err)
	}
}

// A log that is asked for again begins with a whole second: what was printed of it comes again, and a container that runs again goes on.
func TestALogThatIsReadAgainGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	const before = "2026-11-28T08:00:00.1Z one\n2026-11-28T08:00:00.5Z two\n2026-11-28T08:00:00.5Z three\n"
	first := newLogLines("a", strings.NewReader(before))
	if lines := toldOf(t, first); len(lines) != 3 {
		t.Fatalf("have %q", lines)
	}
	again := newLogLines("a", strings.NewReader(before+"2026-11-28T08:00:00.5Z four\n2026-11-28T08:00:00.7Z five\n"))
	var fresh []string
	for again.next() {
		if again.isAfter(first.read) {
			fresh = append(fresh, again.text)
		}
	}
	if want := []string{"four", "five"}; !slices.Equal(fresh, want) {
		t.Errorf("have %q, want %q", fresh, want)
	}
}

func TestALineKeepsItsTabsAndNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	if have, want := cleanLine("INFO\tmain\x1b[31m\tred\x07\u202e"), "INFO\tmain\tred"; have != want {
		t.Errorf("have %q, want %q", have, want)
	}
}
