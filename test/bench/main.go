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

// Command bench measures the operator against plain client-go on one real control plane in one run, and prints the figures as Markdown:
//
//	make bench                                   everything
//	bin/bench -quick -only a,d                   some parts, with small numbers, to see whether they work
//	bin/bench -write docs/performance.md         everything, and writes the figures into the page between its two marks
//
// Its exit code says whether the run was sound, never whether it was fast: a goal that is missed is printed as missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctrl.SetLogger(logr.Discard()) // The libraries' own words; the operator is a process of its own and logs as always.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	quick bool
	only  string
	write string

	profiles string
}

// part is one of the things that are measured.
type part struct {
	key, title string
	measure    func(context.Context, *bench) error
}

// parts are in the order in which they are run: what needs an empty cluster comes first.
func parts() []part {
	return []part{
		{"c", "Verification and decoding", measureDecoding},
		{"a", "Deliveries against bare writes", measureDeliveries},
		{"h", "The mirror beside sinks that hang", measureHanging},
		{"i", "Events through a sink to NATS", measureSinks},
		{"b", "Duplicates", measureDuplicates},
		{"e", "Provisioning, restart and memory", measureProvisioning},
		{"g", "Resync from Clerk's API", measureResync},
		{"d", "From event to access", measureAccess},
		{"k", "No access while nobody is elected", measureFailover},
		{"l", "Ways to write a status", measureStatusWays},
		{"m", "Grants that end by themselves", measureEnds},
		{"j", "Backfill of a database", measureBackfill},
	}
}

func run(ctx context.Context) error {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "Measure with small numbers: to try the benchmark, not for figures.")
	flag.StringVar(&o.only, "only", "", "Measure only these parts, separated by commas: "+describeParts()+". f is a part of e.")
	flag.StringVar(&o.write, "write", "", "Write the figures of a full run into this page, between its two marks.")
	flag.StringVar(&o.profiles, "profiles", "",
		"Write profiles of the operator and of the API server into this folder; they cost a little time.")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flag.Arg(0))
	}
	chosen, err := o.parts()
	if err != nil {
		return err
	}
	if o.write != "" && (o.quick || o.only != "") {
		return errors.New("-write is for the figures of a full run: leave out -quick and -only")
	}
	began := time.Now()
	report := newReport(os.Stdout)
	report.machine(o)
	if err := measure(ctx, o, chosen, report); err != nil {
		return err
	}
	report.end(time.Since(began))
	if o.write == "" {
		return nil
	}
	return report.writeInto(o.write)
}

func describeParts() string {
	var words []string
	for _, p := range parts() {
		words = append(words, p.key+" ("+p.title+")")
	}
	return strings.Join(words, ", ")
}

func (o options) parts() ([]part, error) {
	if o.only == "" {
		return parts(), nil
	}
	wanted := strings.Split(strings.ReplaceAll(o.only, "f", "e"), ",")
	var chosen []part
	for _, p := range parts() {
		if slices.Contains(wanted, p.key) {
			chosen = append(chosen, p)
			wanted = slices.DeleteFunc(wanted, func(key string) bool { return key == p.key })
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("-only: unknown part %q: the parts are %s", wanted[0], describeParts())
	}
	return chosen, nil
}

func measure(ctx context.Context, o options, chosen []part, report *report) (err error) {
	b, err := newBench(ctx, o, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, p := range chosen {
		began := time.Now()
		report.section(p.title)
		if err := p.measure(b.ctx, b); err != nil {
			if cause := context.Cause(b.ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("%s: %w", p.title, err)
		}
		progress("%s took %s", p.title, time.Since(began).Round(time.Second))
	}
	return nil
}

// progress tells whoever waits what goes on; it is not part of the figures.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
