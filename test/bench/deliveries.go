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
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// deliveryGoal is how much of the throughput of bare writes deliveries should reach, at goalAtATime at a time.
	deliveryGoal = 0.85
	goalAtATime  = 32
)

// The two sides that are compared.
const (
	receiver = iota
	bare
	sides
)

// eventKinds are the kinds of events, in the order in which one entity sees them.
var eventKinds = [...]string{"new organizations", "new memberships", "changed organizations", "changed memberships"}

// comparison is what was measured with so many at a time: by side, and by kind of event.
type comparison struct {
	size   deliverySize
	byKind [sides][len(eventKinds)]timing
	work   [sides]work
	// ratios are those of the throughputs of each round.
	ratios []float64
}

func newComparison(size deliverySize) *comparison {
	return &comparison{size: size, work: [sides]work{{}, {}}}
}

// all is everything of one side.
func (c *comparison) all(side int) timing {
	var sum timing
	for _, t := range c.byKind[side] {
		sum.add(t)
	}
	return sum
}

// measureDeliveries sends deliveries to a replica that receives but does not lead, so that nothing else is written meanwhile, and writes
// the same objects with plain client-go. Both are watched by the replica's cache. The two sides take turns, kind by kind.
func measureDeliveries(ctx context.Context, b *bench) error {
	if err := b.startReplica(ctx, receiving); err != nil {
		return err
	}
	plain, err := newBareClient(ctx, b)
	if err != nil {
		return err
	}
	before, err := b.metrics.read(ctx)
	if err != nil {
		return err
	}
	var results []*comparison
	for _, size := range b.sizes.deliveries {
		var result *comparison
		err := b.profiled(ctx, fmt.Sprintf("deliveries-%d", size.atATime), func() (err error) {
			result, err = compareDeliveries(ctx, b, plain, size)
			return err
		})
		if err != nil {
			return fmt.Errorf("%d at a time: %w", size.atATime, err)
		}
		progress("deliveries, %d at a time: %.2f of bare throughput", size.atATime, result.all(receiver).rate()/result.all(bare).rate())
		results = append(results, result)
	}
	after, err := b.metrics.read(ctx)
	if err != nil {
		return err
	}
	reportDeliveries(b.report, results)
	return checkDeliveries(results, before, after)
}

func compareDeliveries(ctx context.Context, b *bench, plain *bareClient, size deliverySize) (*comparison, error) {
	result := newComparison(size)
	for round := range size.rounds + 1 {
		measured := newComparison(size)
		if err := deliveryRound(ctx, b, plain, round, measured); err != nil {
			return nil, err
		}
		if round == 0 {
			continue // It warms both sides up: connections, caches.
		}
		for side := range sides {
			result.work[side].add(measured.work[side])
			for i, t := range measured.byKind[side] {
				result.byKind[side][i].add(t)
			}
		}
		result.ratios = append(result.ratios, measured.all(receiver).rate()/measured.all(bare).rate())
	}
	return result, nil
}

func deliveryRound(ctx context.Context, b *bench, plain *bareClient, round int, into *comparison) error {
	size := into.size
	var waves [sides][len(eventKinds)][]clerktest.Event
	for side := range waves {
		waves[side] = lives(fmt.Sprintf("d%d-%d-%d", size.atATime, round, side), size.perKind)
	}
	for i := range eventKinds {
		for turn := range sides {
			side := (turn + round + i) % sides // Whoever is second one time is first the next.
			operations, err := operationsFor(ctx, b, plain, side, eventKinds[i], waves[side][i])
			if err != nil {
				return err
			}
			before := workSoFar()
			into.byKind[side][i], err = perform(ctx, operations, size.atATime)
			if err != nil {
				return err
			}
			into.work[side].add(workSoFar().since(before))
		}
	}
	return nil
}

// lives are the events of so many organizations and a membership of each: they come into being, then they change.
func lives(group string, count int) (waves [len(eventKinds)][]clerktest.Event) {
	for number := range count {
		organization := newOrganization(group, number)
		membership := newMembership(organization, number)
		waves[0] = append(waves[0], clerktest.OrganizationCreated(organization))
		waves[1] = append(waves[1], clerktest.MembershipCreated(membership))
		organization.Name += " and Daughters"
		organization.UpdatedAt = organization.UpdatedAt.Add(time.Minute)
		waves[2] = append(waves[2], clerktest.OrganizationUpdated(organization))
		changed := newMembership(organization, number+1) // the next role
		membership.Role, membership.Permissions, membership.Organization = changed.Role, changed.Permissions, organization
		membership.UpdatedAt = membership.UpdatedAt.Add(time.Minute)
		waves[3] = append(waves[3], clerktest.MembershipUpdated(membership))
	}
	return waves
}

func operationsFor(
	ctx context.Context, b *bench, plain *bareClient, side int, kind string, wave []clerktest.Event,
) ([]operation, error) {
	write := plain.create
	if strings.HasPrefix(kind, "changed") {
		write = plain.change
	}
	operations := make([]operation, len(wave))
	sender := b.sender()
	for i, event := range wave {
		if side == receiver {
			id, body := clerktest.RandomID("msg"), event.Body()
			operations[i] = func(ctx context.Context) error { return deliver(ctx, sender, id, body) }
			continue
		}
		object, err := mirroredFor(ctx, operatorproc.Instance, event)
		if err != nil {
			return nil, err
		}
		operations[i] = func(ctx context.Context) error { return write(ctx, object) }
	}
	return operations, nil
}

func reportDeliveries(r *report, results []*comparison) {
	rows := r.table("At a time", "Receiver", "Bare write", "Ratio", "Rounds", "p50", "p50 bare", "p99", "p99 bare", "Goal")
	for _, result := range results {
		through, plain := result.all(receiver), result.all(bare)
		ratio := through.rate() / plain.rate()
		goal := "–"
		if result.size.atATime == goalAtATime {
			goal = fmt.Sprintf("≥ %.2f: %s", deliveryGoal, met(ratio >= deliveryGoal))
		}
		rows.row(strconv.Itoa(result.size.atATime), perSecond(through.rate()), perSecond(plain.rate()), fmt.Sprintf("**%.2f**", ratio),
			spread(result.ratios), duration(through.percentile(50)), duration(plain.percentile(50)),
			duration(through.percentile(99)), duration(plain.percentile(99)), goal)
	}
	rows.end()
	last := results[len(results)-1]
	rows = r.table(fmt.Sprintf("%d at a time", last.size.atATime), "Deliveries",
		"Receiver", "Bare write", "Ratio", "p50", "p50 bare", "p99", "p99 bare")
	for i, name := range eventKinds {
		through, plain := last.byKind[receiver][i], last.byKind[bare][i]
		rows.row(name, strconv.Itoa(len(through.each)), perSecond(through.rate()), perSecond(plain.rate()),
			fmt.Sprintf("%.2f", through.rate()/plain.rate()), duration(through.percentile(50)), duration(plain.percentile(50)),
			duration(through.percentile(99)), duration(plain.percentile(99)))
	}
	rows.end()
	count := len(last.all(receiver).each)
	reportWork(r, workColumn{"Receiver, each delivery", last.work[receiver].each(count)},
		workColumn{"Bare write, each", last.work[bare].each(count)})
}

// checkDeliveries makes sure that every delivery had its effect.
func checkDeliveries(results []*comparison, before, after samples) error {
	var sent int
	for _, result := range results {
		sent += result.size.perKind * len(eventKinds) * (result.size.rounds + 1)
	}
	const deliveries = "clerk_operator_receiver_deliveries_total"
	applied := after.sum(deliveries, `outcome="applied"`) - before.sum(deliveries, `outcome="applied"`)
	if int(applied) != sent {
		return fmt.Errorf("%d deliveries were sent and %d applied: nothing was measured", sent, int(applied))
	}
	return nil
}

// measureDuplicates delivers again what is mirrored already.
func measureDuplicates(ctx context.Context, b *bench) error {
	if err := b.startReplica(ctx, receiving); err != nil {
		return err
	}
	largest := b.sizes.deliveries[len(b.sizes.deliveries)-1]
	waves := lives("duplicates", largest.perKind)
	sender := b.sender()
	var bodies [][]byte
	for _, wave := range waves[:2] {
		var operations []operation
		for _, event := range wave {
			body := event.Body()
			bodies = append(bodies, body)
			operations = append(operations, func(ctx context.Context) error { return deliver(ctx, sender, clerktest.RandomID("msg"), body) })
		}
		if _, err := perform(ctx, operations, largest.atATime); err != nil {
			return err
		}
	}
	before, err := b.metrics.read(ctx)
	if err != nil {
		return err
	}
	rows := b.report.table("At a time", "Duplicates", "Rate", "p50", "p99")
	began := time.Now()
	var sent int
	for _, size := range b.sizes.deliveries {
		var operations []operation
		for range size.rounds {
			for _, body := range bodies {
				operations = append(operations, func(ctx context.Context) error { return deliver(ctx, sender, clerktest.RandomID("msg"), body) })
			}
		}
		took, err := perform(ctx, operations, size.atATime)
		if err != nil {
			return err
		}
		sent += len(operations)
		rows.row(strconv.Itoa(size.atATime), strconv.Itoa(len(operations)), perSecond(took.rate()),
			duration(took.percentile(50)), duration(took.percentile(99)))
	}
	rows.end()
	after, err := b.metrics.read(ctx)
	if err != nil {
		return err
	}
	return reportDuplicates(b, began, sent, before, after)
}

func reportDuplicates(b *bench, began time.Time, sent int, before, after samples) error {
	const deliveries = "clerk_operator_receiver_deliveries_total"
	duplicates := after.sum(deliveries, `outcome="duplicate"`) - before.sum(deliveries, `outcome="duplicate"`)
	if int(duplicates) != sent {
		return fmt.Errorf("%d duplicates were sent and %d taken for such: nothing was measured", sent, int(duplicates))
	}
	made, err := b.requests.since(began)
	if err != nil {
		return err
	}
	about, other := made.of(entities, tenants), made.of(statuses, events, election, reads)
	b.report.line("For these %d duplicates the API server got **%d** requests (goal 0: %s).", sent, len(about), met(len(about) == 0))
	b.report.line("The replica's own in that time, however many deliveries come: %s.", list(other.shares()))
	spent := after.cpuSeconds() - before.cpuSeconds()
	b.report.line("A duplicate costs the operator %s of one core.", duration(time.Duration(spent/float64(sent)*float64(time.Second))))
	return nil
}

// forgetDeliveries stops the replica and removes what was mirrored, so that the next one has nothing to reconcile.
func (b *bench) forgetDeliveries(ctx context.Context) error {
	if err := b.stopReplica(); err != nil {
		return err
	}
	progress("removing what was mirrored")
	return until(ctx, "nothing is mirrored", time.Second, func(ctx context.Context) (bool, error) {
		var left int
		for _, kind := range []string{"ClerkMember", "ClerkOrganization"} {
			all := &metav1.PartialObjectMetadata{}
			all.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
			// So many may take longer than a request may: what is left goes with the next.
			if err := b.administrator.DeleteAllOf(ctx, all); err != nil && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) {
				return false, err
			}
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
			if err := b.administrator.List(ctx, list, client.Limit(1)); err != nil {
				return false, err
			}
			left += len(list.Items)
		}
		return left == 0, nil
	})
}
