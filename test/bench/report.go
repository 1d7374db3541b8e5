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
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The marks in docs/performance.md between which the figures stand.
const (
	beginMark = "<!-- figures: begin (make bench writes them: bin/bench -write docs/performance.md) -->"
	endMark   = "<!-- figures: end -->"
)

// report prints the figures as Markdown and keeps them.
type report struct {
	to   io.Writer
	text bytes.Buffer
}

func newReport(to io.Writer) *report { return &report{to: to} }

// Write implements io.Writer.
func (r *report) Write(text []byte) (int, error) {
	r.text.Write(text)
	return r.to.Write(text)
}

// line prints a paragraph.
func (r *report) line(format string, args ...any) { fmt.Fprintf(r, format+"\n\n", args...) }

func (r *report) section(title string) { r.line("### %s", title) }

// machine says what it was measured on. It names no host and no folder.
func (r *report) machine(o options) {
	what := "a full run"
	if o.quick || o.only != "" {
		what = "NOT A FULL RUN: for trying the benchmark, not for figures"
	}
	r.line("Taken on %s, by %s.", time.Now().UTC().Format("2 January 2006"), what)
	rows := r.table("Machine", "")
	rows.row("CPU", fmt.Sprintf("%s, %d cores seen", firstField("/proc/cpuinfo", "model name"), runtime.NumCPU()))
	rows.row("Memory", memory())
	rows.row("System", fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version()))
	rows.row("Load average before", loadAverage())
	rows.end()
}

// cluster says what else was on the machine.
func (r *report) cluster(version string) {
	r.line("Kubernetes %s: etcd (which need not sync to disk), kube-apiserver and kube-controller-manager, the operator and this benchmark "+
		"share these cores.", version)
}

func (r *report) end(took time.Duration) {
	r.line("The run took %s; load average at its end: %s.", took.Round(time.Second), loadAverage())
}

// firstField is the value of a field in one of Linux' lists of fields.
func firstField(file, field string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == field {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func memory() string {
	kibibytes, err := strconv.Atoi(strings.TrimSuffix(firstField("/proc/meminfo", "MemTotal"), " kB"))
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.1f GiB", float64(kibibytes)/(1<<20))
}

// loadAverage is how many processes wanted to run in the last minute, the last five and the last fifteen.
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(content))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], ", ")
}

// writeInto puts the figures between the marks of a page.
func (r *report) writeInto(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("%s lacks the marks %q and %q: put them where the figures are to be", path, beginMark, endMark)
	}
	figures := strings.TrimSpace(r.text.String())
	return os.WriteFile(path, []byte(before+beginMark+"\n\n"+figures+"\n\n"+endMark+after), 0o644)
}

// table is printed when it is whole, so that its columns line up.
type table struct {
	report *report
	rows   [][]string
}

func (r *report) table(head ...string) *table { return &table{report: r, rows: [][]string{head}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) end() {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), len("---"))
		}
	}
	rules := make([]string, len(widths))
	for i, width := range widths {
		rules[i] = strings.Repeat("-", width)
	}
	for _, row := range slices.Insert(slices.Clone(t.rows), 1, rules) {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		fmt.Fprintln(t.report, line.String()+"|")
	}
	fmt.Fprintln(t.report)
}

// met says whether a goal is met.
func met(yes bool) string {
	if yes {
		return "met"
	}
	return "**missed**"
}

// duration writes a time with three digits that matter.
func duration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }

// spread is the smallest and the largest of some ratios.
func spread(ratios []float64) string {
	return fmt.Sprintf("%.2f–%.2f", slices.Min(ratios), slices.Max(ratios))
}

// list writes shares of requests as a sentence does.
func list(shares []share) string {
	if len(shares) == 0 {
		return "none"
	}
	words := make([]string, len(shares))
	for i, s := range shares {
		words[i] = fmt.Sprintf("%d × %s", s.count, s.what)
	}
	return strings.Join(words, ", ")
}

func mebibytes(size float64) string { return fmt.Sprintf("%.0f MiB", size/(1<<20)) }
