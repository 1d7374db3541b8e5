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
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

const (
	// pageWidth is how wide what is printed may be, in characters.
	pageWidth = 100

	// minColumn is how narrow a column of a table may get.
	minColumn = 8

	// columnGap is between two columns.
	columnGap = 3
)

// style is how a text looks on a terminal.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"

	reset = "\x1b[0m"
)

// page is what is printed for people.
type page struct {
	strings.Builder
	colored, wide bool
	now           time.Time
}

// colored tells whether to color: on a terminal, unless NO_COLOR says otherwise (no-color.org).
func (p *plugin) colored(out io.Writer) bool {
	switch p.color {
	case "always":
		return true
	case "never":
		return false
	}
	file, isFile := out.(*os.File)
	return isFile && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// in puts a text into a style.
func (p *page) in(look style, text string) string {
	if !p.colored || look == plain || text == "" {
		return text
	}
	return string(look) + text + reset
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.Builder, format+"\n", args...)
}

// paragraph breaks a text into lines that fit: the first stands behind one text, the others behind an indent.
func (p *page) paragraph(first, indent, text string, look style) {
	start, room := first, pageWidth-visible(first)
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			p.line("%s%s", start, p.in(look, line))
			start, room, line = indent, pageWidth-utf8.RuneCountInString(indent), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	p.line("%s%s", start, p.in(look, line))
}

// visible is how wide a text is on a terminal.
func visible(text string) int {
	for _, look := range []style{bold, dim, red, green, yellow, reset} {
		text = strings.ReplaceAll(text, string(look), "")
	}
	return utf8.RuneCountInString(text)
}

// cell is one of a table, with how it looks.
type cell struct {
	text string
	look style
}

// table prints rows under titles. Where it would be wider than the page, its widest columns are cut, unless everything is asked for.
func (p *page) table(indent string, titles []string, rows [][]cell) {
	widths := make([]int, len(titles))
	for i, title := range titles {
		widths[i] = utf8.RuneCountInString(title)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	if !p.wide {
		fit(widths, pageWidth-utf8.RuneCountInString(indent)-columnGap*(len(titles)-1))
	}
	header := make([]cell, len(titles))
	for i, title := range titles {
		header[i] = cell{title, bold}
	}
	p.row(indent, widths, header)
	for _, row := range rows {
		p.row(indent, widths, row)
	}
}

// fit makes the widest columns narrower until all fit.
func fit(widths []int, room int) {
	for {
		total, widest := 0, 0
		for i, width := range widths {
			total += width
			if width > widths[widest] {
				widest = i
			}
		}
		if total <= room || widths[widest] <= minColumn {
			return
		}
		widths[widest]--
	}
}

func (p *page) row(indent string, widths []int, cells []cell) {
	var line strings.Builder
	line.WriteString(indent)
	pad := 0
	for i, cell := range cells {
		text := cut(cell.text, widths[i])
		if text != "" {
			line.WriteString(strings.Repeat(" ", pad) + p.in(cell.look, text))
			pad = 0
		}
		pad += widths[i] - utf8.RuneCountInString(text) + columnGap
	}
	p.line("%s", line.String())
}

// cut shortens a text that is too long, and shows that it did.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	runes := []rune(text)
	return string(runes[:width-1]) + "…"
}

// ago is how long ago something was: "3m ago".
func (p *page) ago(at *metav1.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	since := p.now.Sub(at.Time)
	if since < 0 {
		return "just now"
	}
	return duration.HumanDuration(since) + " ago"
}

// day is the date of a time, in UTC.
func day(at *metav1.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}

// timeOf is a time of Clerk's in the form in which answers have it; nil where there is none.
func timeOf(times ...*metav1.MicroTime) *metav1.Time {
	for _, at := range times {
		if at != nil && !at.IsZero() {
			return new(metav1.NewTime(at.UTC().Truncate(time.Second)))
		}
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
