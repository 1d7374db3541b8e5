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

// Package transcript reads the commands of a page and what the page prints below them, runs commands in a shell, and compares: what a page
// shows has to be what its commands print.
package transcript

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// Step is one command of a page.
type Step struct {
	// Section is the heading above it.
	Section string
	// Command is the command, with its continued lines joined and without the comment behind it.
	Command string
	// Output is what the page shows below it; empty where it shows nothing.
	Output string
}

var (
	fence = regexp.MustCompile("^ *```([a-z]*) *$")
	// trailing is a comment behind a command.
	trailing = regexp.MustCompile(`\s{2,}# .*$`)
)

// Read returns the commands of a page: the lines that begin with "$ " in its blocks of the language "console".
func Read(page string) (steps []Step, err error) {
	content, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var section, language string
	inside, continued := false, false
	lines := bufio.NewScanner(strings.NewReader(string(content)))
	for lines.Scan() {
		line := lines.Text()
		if found := fence.FindStringSubmatch(line); found != nil {
			inside, language, continued = !inside, found[1], false
			continue
		}
		if !inside {
			if strings.HasPrefix(line, "#") {
				section = strings.TrimSpace(strings.TrimLeft(line, "#"))
			}
			continue
		}
		if language == "console" {
			steps, continued = add(steps, section, line, continued)
		}
	}
	return steps, lines.Err()
}

// add takes a line of a console block: a command, the rest of one, or what it prints.
func add(steps []Step, section, line string, continued bool) ([]Step, bool) {
	command, isCommand := strings.CutPrefix(strings.TrimSpace(line), "$ ")
	if !isCommand && !continued {
		if len(steps) > 0 && strings.TrimSpace(line) != "" {
			steps[len(steps)-1].Output += strings.TrimSpace(line) + "\n"
		}
		return steps, false
	}
	command = trailing.ReplaceAllString(command, "")
	command, continues := strings.CutSuffix(command, "\\")
	if continued {
		steps[len(steps)-1].Command += " " + strings.TrimSpace(command)
	} else {
		steps = append(steps, Step{Section: section, Command: strings.TrimSpace(command)})
	}
	return steps, continues
}

// varying are the parts of an output that no two runs have in common, and what stands for them in the comparison.
var varying = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`(LAST DEPLOYED|Last Started|Last Completed): .*`), "$1: <time>"},
	{regexp.MustCompile(`(?m)^Waiting for .*\n`), ""}, // as often as it takes
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "<hash>"},
	{regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`), "<secret>"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|s|m|h|d))+\b|\b\d+ ms\b`), "<duration>"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// normalized is a text without what varies: times, ages, addresses, hashes of 16 digits, made-up secrets, and the width of columns.
func normalized(text string) string {
	for _, part := range varying {
		text = part.pattern.ReplaceAllString(text, part.by)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// pattern is what an output has to match to be as shown. A "…" in what is shown stands for anything.
func pattern(shown string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(normalized(shown)), "…", "(?s:.*?)")
}

// Same reports whether an output is what is shown.
func Same(shown, output string) bool {
	return regexp.MustCompile(`\A` + pattern(shown) + `\z`).MatchString(normalized(output))
}

// Within reports whether an output has what is shown in it, in whole lines.
func Within(shown, output string) bool {
	return regexp.MustCompile(`(?m)^` + pattern(shown) + `$`).MatchString(normalized(output))
}

// UpdateVariable has a test write a transcript instead of comparing it.
const UpdateVariable = "CLERK_OPERATOR_TRANSCRIPTS_UPDATE"

// Keep compares a transcript with the one that a page holds: the block below the line "<!-- transcript: name -->". With UpdateVariable in
// the environment it puts the transcript there instead.
func Keep(page, name, text string) error {
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	block := regexp.MustCompile("(<!-- transcript: " + regexp.QuoteMeta(name) + " -->\n+```console\n)((?s:.*?))(```)")
	found := block.FindSubmatchIndex(content)
	if found == nil {
		return fmt.Errorf("%s holds no transcript %q", page, name)
	}
	if os.Getenv(UpdateVariable) != "" {
		return os.WriteFile(page, slices.Concat(content[:found[4]], []byte(text), content[found[5]:]), 0o644)
	}
	if kept := string(content[found[4]:found[5]]); !Same(kept, text) {
		return fmt.Errorf("%s: the transcript %q is not current; %s=1 writes it anew. It has\n%s\nand now there is\n%s",
			page, name, UpdateVariable, kept, text)
	}
	return nil
}

// Shell runs commands one after the other. What a command exports, the later ones have.
type Shell struct {
	// Folder is where it runs.
	Folder string
	// Environ is the environment, as in os/exec.
	Environ []string

	exports []string
}

// Run runs a command and returns what it printed.
func (s *Shell) Run(ctx context.Context, command string) (string, error) {
	if strings.HasPrefix(command, "export ") {
		s.exports = append(s.exports, command)
	}
	script := strings.Join(append(slices.Clip(s.exports), command), "\n")
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir, shell.Env = s.Folder, s.Environ
	output, err := shell.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return string(output), err
}
