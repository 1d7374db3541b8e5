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

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// frozenChecks is how many histories with frozen replicas are played: each waits for a Lease to run out a few times.
const frozenChecks = 2

// longestMoment bounds how long after the first delivery a replica is frozen, or goes on.
const longestMoment = 200 * time.Millisecond

// frozen is a replica that is stopped where it was.
type frozen struct {
	replica int // its number
	process *operatorproc.Operator
	resume  func()
	since   time.Time
	led     bool
}

// TestAReplicaThatWasFrozenSpoilsNothing plays the histories of TestAResyncRepairsWhateverWasLost with replicas that are processes. One of
// them, the elected one or another, stops where it is (SIGSTOP), in the middle of its work, until another one has long been elected and has
// worked; then it goes on (SIGCONT), with all that it meant to write, while the other works. What it gives by that counts as given by what
// was so when it was frozen, and has to be gone when the cluster has settled.
func TestAReplicaThatWasFrozenSpoilsNothing(t *testing.T) {
	given := flag.Lookup("rapid.checks").Value.String()
	if given == fmt.Sprint(defaultChecks) {
		must(t, flag.Set("rapid.checks", fmt.Sprint(frozenChecks)))
		defer func() { must(t, flag.Set("rapid.checks", given)) }()
	}
	playMisfortunes(t, startProcesses(t, 2))
}

// freezing is what can happen to a replica that is a process.
func (p *misfortune) freezing() []move {
	switch {
	case p.replicas[0].process == nil:
		return nil
	case p.frozen == nil:
		return []move{{"freeze", func() { p.freeze(rapid.IntRange(0, 2).Draw(p.r, "another than the leader if 0") > 0) }}}
	}
	return []move{{"go on", p.goOn}}
}

// endFreezes lets a frozen replica go on, and sees to it that the leader was frozen once.
func (p *misfortune) endFreezes() {
	if p.frozen == nil && p.freezes == 0 && p.replicas[0].process != nil {
		p.freeze(true)
	}
	if p.frozen != nil {
		p.goOn()
	}
}

// freeze stops a replica where it is, in the middle of deliveries.
func (p *misfortune) freeze(leader bool) {
	moment := p.drawMoment()
	at := 0
	err := poll(p.t.Context(), func(context.Context) error {
		if at = slices.IndexFunc(p.replicas, (*replica).leads); at < 0 {
			return errors.New("no replica leads")
		}
		return nil
	})
	if err != nil {
		p.fail("freeze the leader: %v", err)
	}
	if !leader {
		at = (at + 1) % len(p.replicas)
	}
	var now *frozen
	p.deliverSomeWhile(func() {
		time.Sleep(moment)
		if process := p.replicas[at].process.running(); process != nil {
			now = &frozen{replica: at, process: process, resume: process.Pause(), since: time.Now()}
			now.led = wasElected(process)
			p.note("  %s is frozen (it leads: %t)", p.replicas[at].name, now.led)
		}
	})
	if now != nil {
		p.frozen = now
		p.freezes++
	}
}

func (p *misfortune) drawMoment() time.Duration {
	return time.Duration(rapid.IntRange(0, int(longestMoment.Milliseconds())).Draw(p.r, "at the millisecond")) * time.Millisecond
}

// goOn lets the frozen replica go on, in the middle of deliveries to one that was elected meanwhile. One that led has to end.
func (p *misfortune) goOn() {
	moment, was := p.drawMoment(), p.frozen
	time.Sleep(time.Until(was.since.Add(processLease)))
	err := poll(p.t.Context(), func(context.Context) error {
		isOther := func(r *replica) bool { return r != p.replicas[was.replica] && r.leads() }
		if was.led && !slices.ContainsFunc(p.replicas, isOther) {
			return errors.New("no other replica leads")
		}
		return nil
	})
	if err != nil {
		p.fail("replace a frozen leader: %v", err)
	}
	p.deliverSomeWhile(func() {
		time.Sleep(moment)
		p.note("  %s goes on after %s", p.replicas[was.replica].name, time.Since(was.since).Round(time.Millisecond))
		was.resume()
		if !was.led {
			return
		}
		select {
		case <-was.process.Done():
			p.note("  %s has ended", p.replicas[was.replica].name)
		case <-time.After(patience):
			p.note("  %s has NOT ended", p.replicas[was.replica].name)
		}
	})
	select {
	case <-was.process.Done():
	default:
		if was.led {
			p.fail("a leader that was frozen for longer than the Lease still runs %s after that", patience)
		}
	}
	p.frozen = nil
}
