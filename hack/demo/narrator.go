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
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// narrator prints the story: plain text, with colours where a person reads it on a terminal and has not set NO_COLOR.
type narrator struct {
	out      io.Writer
	coloured bool
}

// maxCommand is how long a line with a command may be, in columns: with its indent, no wider than what else is told.
const maxCommand = 117

// style is a colour, as terminals understand it.
type style string

const (
	bold  style = "\x1b[1m"
	faint style = "\x1b[2m"
	green style = "\x1b[32m"
	red   style = "\x1b[31m"
	plain style = "\x1b[0m"
)

func newNarrator(out *os.File) *narrator {
	return &narrator{out: out, coloured: isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (n *narrator) in(s style, text string) string {
	if !n.coloured {
		return text
	}
	return string(s) + text + string(plain)
}

func (n *narrator) printf(format string, args ...any) { _, _ = fmt.Fprintf(n.out, format, args...) }

func (n *narrator) title(text string) {
	n.printf("\n%s\n%s\n", n.in(bold, text), strings.Repeat("=", len(text)))
}

func (n *narrator) heading(number int, text string) {
	n.printf("\n%s\n", n.in(bold, fmt.Sprintf("%d. %s", number, text)))
}

func (n *narrator) say(format string, args ...any) { n.printf("   "+format+"\n", args...) }

// delivery shows what was delivered and how it was answered.
func (n *narrator) delivery(m message, status int, answer string) {
	n.printf("   POST /webhooks/default%s  %s (%s)  →  %s\n", m.path, n.in(bold, m.eventType), m.about, n.in(bold, describe(status)))
	if answer != "" {
		n.printf("     %s\n", answer)
	}
}

// lost shows what was delivered to nobody.
func (n *narrator) lost(m message) {
	n.printf("   POST /webhooks/default  %s (%s)  →  %s\n", n.in(bold, m.eventType), m.about, n.in(bold, "nobody answers"))
}

// command shows a kubectl command and what it printed.
func (n *narrator) command(args []string, output string) {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = shellQuote(arg)
	}
	n.printf("   %s\n", n.in(faint, wrap("$ kubectl "+strings.Join(quoted[:len(quoted)-1], " "), quoted[len(quoted)-1])))
	for line := range strings.Lines(strings.TrimRight(output, "\n")) {
		n.printf("%s\n", strings.TrimRight("   "+line, " \n"))
	}
}

// wrap puts a command's last argument into a line of its own where it would be too long otherwise.
func wrap(command, last string) string {
	if len(command)+1+len(last) <= maxCommand {
		return command + " " + last
	}
	return command + " \\\n       " + last
}

// shellQuote lets a person copy a command into a shell.
func shellQuote(arg string) string {
	if strings.ContainsAny(arg, "{}[]*$ ") {
		return "'" + arg + "'"
	}
	return arg
}

// proven shows a claim that is true.
func (n *narrator) proven(claim string) { n.printf("   %s %s\n", n.in(green, "✓"), claim) }

// flaw shows why the story ended early, and the end of the operator's log.
func (n *narrator) flaw(err error, log string) {
	if claim, ok := errors.AsType[untrue](err); ok {
		n.printf("   %s %s\n       expected: %s\n       got:      %s\n", n.in(red, "✗"), claim.claim, claim.want, claim.got)
	} else {
		n.printf("   %s %s\n", n.in(red, "✗"), err)
	}
	n.printf("\nThe end of the operator's log:\n%s\n", log)
}
