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

	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// bareShare is which part of what a resync mirrors is created by plain client-go as well: one in so many. All of it would take as long
// as the resync, and the rate does not depend on how many there are.
const bareShare = 10

// environment is what there is in Clerk.
type environment struct {
	organizations []clerktest.Organization
	memberships   []clerktest.Membership
}

// environmentOf is an environment with a user for each membership.
func environmentOf(group string, size resyncSize) environment {
	founded := time.Now().Add(-24 * time.Hour)
	e := environment{
		organizations: make([]clerktest.Organization, size.organizations), memberships: make([]clerktest.Membership, size.memberships),
	}
	for i := range e.organizations {
		name := fmt.Sprintf("%s-%d", group, i)
		e.organizations[i] = clerktest.Organization{ID: clerktest.ID("org", name), Name: "Resync", Slug: name,
			UpdatedAt: founded.Add(time.Duration(i) * time.Millisecond)}
	}
	for i := range e.memberships {
		name := fmt.Sprintf("%s-%d", group, i)
		updated := founded.Add(time.Duration(i) * time.Millisecond)
		user := clerktest.User{ID: clerktest.ID("user", name), Identifier: name + "@example.com", Email: name + "@example.com",
			FirstName: "Jane", LastName: "Doe", UpdatedAt: updated}
		e.memberships[i] = clerktest.Membership{ID: clerktest.ID("orgmem", name), Role: "org:member", Permissions: []string{"org:cargo:read"},
			Organization: e.organizations[i%len(e.organizations)], User: user, UpdatedAt: updated}
	}
	return e
}

// fill puts it all into Clerk's API.
func (e environment) fill(api *clerkapi.API) {
	for _, organization := range e.organizations {
		api.SetOrganization(organization)
	}
	for _, membership := range e.memberships {
		api.SetUser(membership.User)
		api.SetMembership(membership)
	}
}

// createBare creates a part of what was resynced once more under other names, with no operator running.
func (b *bench) createBare(ctx context.Context, into *resyncing) error {
	const group = "bare-" + resynced
	size := resyncSize{max(1, into.size.organizations/bareShare), max(1, into.size.memberships/bareShare)}
	plain, err := newBareClient(ctx, b)
	if err != nil {
		return err
	}
	part := environmentOf(group, size)
	var creations []operation
	add := func(event clerktest.Event) error {
		object, err := mirroredFor(ctx, group, event)
		creations = append(creations, func(ctx context.Context) error { return plain.create(ctx, object) })
		return err
	}
	for _, organization := range part.organizations {
		if err := add(clerktest.OrganizationCreated(organization)); err != nil {
			return err
		}
	}
	for _, membership := range part.memberships {
		if err := add(clerktest.UserCreated(membership.User)); err != nil {
			return err
		}
		if err := add(clerktest.MembershipCreated(membership)); err != nil {
			return err
		}
	}
	progress("creating %d objects with plain client-go", len(creations))
	before := workSoFar()
	into.bare, err = perform(ctx, creations, provisioningAtATime)
	into.bareWork = workSoFar().since(before)
	return err
}

// reportResync says what was measured.
func reportResync(r *report, m *resyncing) {
	r.line("A resync of %d organizations and %d memberships with a user each, at the pace that is kept for production (40 requests a "+
		"second), by a ClerkInstance that only observes:", m.size.organizations, m.size.memberships)
	objects := m.size.organizations + 2*m.size.memberships
	each := func(total time.Duration, of int) time.Duration { return total / time.Duration(of) }
	mirrored, bare := each(m.first.FinishedAt.Sub(m.first.StartedAt.Time), objects), each(m.bare.total, len(m.bare.each))
	rows := r.table("Resync", "Time", "Requests to Clerk", "Writes", "Goal")
	rows.row("into an empty mirror", tookResync(m.first), fmt.Sprint(*m.first.Requests), "",
		fmt.Sprintf("≤ 1.3 × bare creation, now **%.2f**: %s", ratio(mirrored, bare), met(ratio(mirrored, bare) <= 1.3)))
	rows.row("until the last status of it is written", duration(m.settled), "", "", "")
	rows.row("with nothing changed", tookResync(m.second), fmt.Sprint(*m.second.Requests), fmt.Sprintf("**%d**", len(m.writes)),
		onlyProgress+": "+met(isOnlyProgress(m.writes, m.second.FinishedAt.Sub(m.second.StartedAt.Time))))
	rows.row("a restart, until idle", "**"+duration(m.idle)+"**", "", fmt.Sprintf("**%d**", len(m.restarted)),
		onlyProgress+"; idle within 30 s: "+met(isOnlyProgress(m.restarted, m.idle) && m.idle < 30*time.Second))
	rows.end()
	if len(m.restarted) > 0 {
		r.line("The restart's writes: %s.", list(m.restarted.shares()))
	}
	r.line("Bare creation of as many objects would take %s, %d at a time, by the rate of %d of them (%s).",
		duration(bare*time.Duration(objects)), provisioningAtATime, len(m.bare.each), perSecond(m.bare.rate()))
	reportWork(r, workColumn{"Resync, each object with its status", m.work.each(objects)},
		workColumn{"Bare creation, each object", m.bareWork.each(len(m.bare.each))})
	r.line("Memory of the operator (resident, sampled): **%s** at its peak, %s after the restart; goal under %s: %s.", mebibytes(m.peak),
		mebibytes(m.afterRestart), mebibytes(mostMemory), met(max(m.peak, m.afterRestart) < mostMemory))
}

// onlyProgress is what a resync writes that finds nothing changed.
const onlyProgress = "the ClerkInstance's status alone, when it ends and every 10 s before"

func isOnlyProgress(made requests, took time.Duration) bool {
	return len(made) <= 1+int(took/(10*time.Second))
}

// ratio of two durations.
func ratio(one, other time.Duration) float64 { return one.Seconds() / other.Seconds() }
