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
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTicks is how many of Linux' units of processor time make a second; it is the same on every machine that Go runs on.
const clockTicks = 100

// work is processor time by process. Unlike a time by the clock it does not grow when something else is running on the machine.
type work map[string]time.Duration

// benchmark is this process in work.
const benchmark = "bench"

// workSoFar is what this process and its children have done since they started. It is empty where there is no /proc.
func workSoFar() work {
	done := work{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // The pattern is a good one.
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended meanwhile.
		}
		// pid (name) state parent …, where the name may hold anything.
		pid, rest, _ := strings.Cut(string(content), " (")
		end := strings.LastIndex(rest, ") ")
		if end < 0 {
			continue
		}
		name, fields := rest[:end], strings.Fields(rest[end+2:])
		const parent, user, system = 1, 11, 12
		if len(fields) <= system {
			continue
		}
		self := strconv.Itoa(os.Getpid())
		switch self {
		case pid:
			name = benchmark
		case fields[parent]:
		default:
			continue
		}
		done[name] += ticks(fields[user]) + ticks(fields[system])
	}
	return done
}

func ticks(field string) time.Duration {
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second / clockTicks
}

// since is what was done since then.
func (w work) since(before work) work {
	done := work{}
	for name, total := range w {
		done[name] = total - before[name]
	}
	return done
}

func (w work) add(more work) {
	for name, done := range more {
		w[name] += done
	}
}

// each is the work for one of so many things.
func (w work) each(count int) work {
	one := work{}
	for name, done := range w {
		one[name] = done / time.Duration(count)
	}
	return one
}

// of is the work of the process whose name begins so.
func (w work) of(prefix string) time.Duration {
	var sum time.Duration
	for name, done := range w {
		if strings.HasPrefix(name, prefix) {
			sum += done
		}
	}
	return sum
}

// processes are the processes in the order in which they are reported, by what their names begin with.
var processes = []string{"kube-apiserver", "etcd", "kube-controller", "clerk-operator", "nats-server", benchmark}

// workColumn is a column of the table of work, most often for one of many things.
type workColumn struct {
	title string
	done  work
}

// reportWork says what each process did.
func reportWork(r *report, columns ...workColumn) {
	if len(columns[0].done) == 0 {
		return
	}
	head := []string{"Processor time"}
	for _, column := range columns {
		head = append(head, column.title)
	}
	rows := r.table(head...)
	for _, name := range append(slices.Clone(processes), "") {
		cells := []string{cmp.Or(name, "together")}
		var sum time.Duration
		for _, column := range columns {
			sum += column.done.of(name)
			cells = append(cells, duration(column.done.of(name)))
		}
		if sum > 0 { // what has no part in this is left out
			rows.row(cells...)
		}
	}
	rows.end()
}
