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
	"context"
	"fmt"
	"time"
)

// measureRestart stops the operator and starts it over organizations that have all they should. Its metrics were like before when it had
// just provisioned them.
func (b *bench) measureRestart(ctx context.Context, organizations int, before samples) error {
	if err := b.stopReplica(); err != nil {
		return err
	}
	began := time.Now()
	if err := b.startReplica(ctx, leading); err != nil {
		return err
	}
	leads := time.Since(began)
	if err := b.untilIdle(ctx, organizations, organizations*len(grants)); err != nil {
		return err
	}
	idle := time.Since(began)
	after, err := b.metrics.read(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(2 * quiet):
	case <-ctx.Done():
		return ctx.Err()
	}
	made, err := b.requests.since(began)
	if err != nil {
		return err
	}
	b.report.line("A restart over %d organizations with %d members, all of them as they should be:", organizations, organizations*len(grants))
	rows := b.report.table("Restart", "", "Goal")
	rows.row("until it leads", duration(leads), "")
	rows.row("until all are compared and the queues are empty", "**"+duration(idle)+"**", "seconds")
	rows.row("processor time for that", fmt.Sprintf("%.1f s", after.cpuSeconds()), "")
	rows.row("writes", fmt.Sprintf("**%d**", len(made.writes())), "0: "+met(len(made.writes()) == 0))
	rows.row("reads", list(made.of(reads).shares()), "")
	rows.row("leader election", list(made.of(election).shares()), "")
	rows.end()
	if len(made.writes()) > 0 {
		b.report.line("The writes: %s.", list(made.writes().shares()))
	}
	b.reportMemory(organizations, before, after)
	return nil
}

// untilIdle waits until so many organizations and members were reconciled and nothing is queued or under way.
func (b *bench) untilIdle(ctx context.Context, organizations, members int) error {
	return until(ctx, "the operator is idle", 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		now, err := b.metrics.read(ctx)
		if err != nil {
			return false, err
		}
		const reconciled = "controller_runtime_reconcile_total"
		return int(now.sum(reconciled, `controller="organization"`)) >= organizations &&
			int(now.sum(reconciled, `controller="member"`)) >= members &&
			!now.isBusy(), nil
	})
}

func (b *bench) reportMemory(organizations int, provisioned, restarted samples) {
	rows := b.report.table(fmt.Sprintf("Memory, %d organizations × %d members", organizations, len(grants)), "Resident", "Heap in use")
	for _, state := range []struct {
		name string
		now  samples
	}{{"having provisioned them", provisioned}, {"after a restart", restarted}} {
		rows.row(state.name, mebibytes(state.now.sum("process_resident_memory_bytes")), mebibytes(state.now.sum("go_memstats_heap_inuse_bytes")))
	}
	rows.end()
	// Whatever counts as resident counts this too, though the kernel can drop it and read it again.
	b.report.line("Of the resident memory, %s is the program's own file.",
		firstField(fmt.Sprintf("/proc/%d/status", b.replica.PID()), "RssFile"))
}
