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
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// askingPause is how long the benchmark waits between two questions whether a user has access: it bounds how exact the times are.
const askingPause = time.Millisecond

// measureAccess times how long an event takes until it can be seen in what the API server lets a user do.
func measureAccess(ctx context.Context, b *bench) error {
	if err := b.lead(ctx); err != nil {
		return err
	}
	home := newTenantRound("home", b.sizes.organizations)
	if _, err := b.provision(ctx, home, b.deliveries(home, func() {})); err != nil {
		return err
	}
	if err := b.settle(ctx, home); err != nil {
		return err
	}
	people := joiners{b: b, home: home}
	var granted, revoked timing
	for range b.sizes.members {
		member := people.next()
		if err := people.join(ctx, member, &granted); err != nil {
			return err
		}
		if err := people.leave(ctx, member, &revoked); err != nil {
			return err
		}
	}
	progress("access at rest: %s, gone after %s", granted.percentile(50), revoked.percentile(50))
	busy, err := measureBurst(ctx, b, &people)
	if err != nil {
		return err
	}
	rows := b.report.table("From the event's delivery", "Members", "p50", "p90", "p99", "Longest")
	for _, line := range []struct {
		name string
		took timing
	}{
		{"to access, at rest", granted},
		{"to no access, at rest", revoked},
		{fmt.Sprintf("to access, while %d organizations are provisioned", b.sizes.burst), busy.granted},
		{fmt.Sprintf("to **no access**, while %d organizations are provisioned", b.sizes.burst), busy.revoked},
	} {
		rows.row(line.name, strconv.Itoa(len(line.took.each)), duration(line.took.percentile(50)), duration(line.took.percentile(90)),
			duration(line.took.percentile(99)), duration(line.took.longest()))
	}
	rows.end()
	b.report.line("Access is what a SubjectAccessReview says; it is asked for every %s. The %d organizations of the burst, with %d members, "+
		"were provisioned in %s meanwhile.", duration(askingPause), b.sizes.burst, b.sizes.burst*len(grants), duration(busy.took))
	return nil
}

// burst is what was measured while many organizations were provisioned.
type burst struct {
	granted, revoked timing
	took             time.Duration
}

// measureBurst lets members join and leave, one after the other, for as long as the operator is busy with new organizations.
func measureBurst(ctx context.Context, b *bench, people *joiners) (*burst, error) {
	// One after the other, they are more than can come and go while the burst lasts.
	leavers, err := people.joinAll(ctx, b.sizes.burst)
	if err != nil {
		return nil, err
	}
	newcomers := make([]clerktest.Membership, b.sizes.burst)
	for i := range newcomers {
		newcomers[i] = people.next()
	}
	crowd := newTenantRound("burst", b.sizes.burst)
	result := &burst{}
	over := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(over)
		return b.profiled(ctx, crowd.group, func() (err error) {
			result.took, err = b.provision(ctx, crowd, b.deliveries(crowd, func() {}))
			return err
		})
	})
	group.Go(func() error {
		return while(over, leavers, func(m clerktest.Membership) error { return people.leave(ctx, m, &result.revoked) })
	})
	group.Go(func() error {
		return while(over, newcomers, func(m clerktest.Membership) error { return people.join(ctx, m, &result.granted) })
	})
	return result, group.Wait()
}

// while does something to one member after the other until it is over.
func while(over <-chan struct{}, members []clerktest.Membership, do func(clerktest.Membership) error) error {
	for _, member := range members {
		select {
		case <-over:
			return nil
		default:
		}
		if err := do(member); err != nil {
			return err
		}
	}
	return nil
}

// joiners are further members of some organizations.
type joiners struct {
	b     *bench
	home  tenantRound
	count int
}

// next is somebody who has yet to join.
func (j *joiners) next() clerktest.Membership {
	organization := j.home.organizations[j.count%len(j.home.organizations)]
	j.count++
	return newMembership(organization, len(grants)+j.count)
}

// join delivers that a member joined, and times it until the member has access.
func (j *joiners) join(ctx context.Context, m clerktest.Membership, into *timing) error {
	m.UpdatedAt = time.Now()
	return j.time(ctx, clerktest.MembershipCreated(m), m, true, into)
}

// leave delivers that a member left, and times it until the member has no access.
func (j *joiners) leave(ctx context.Context, m clerktest.Membership, into *timing) error {
	return j.time(ctx, clerktest.MembershipDeleted(m, time.Now()), m, false, into)
}

func (j *joiners) time(ctx context.Context, event clerktest.Event, m clerktest.Membership, access bool, into *timing) error {
	body, sender := event.Body(), j.b.sender()
	began := time.Now()
	if err := deliver(ctx, sender, clerktest.RandomID("msg"), body); err != nil {
		return err
	}
	if err := j.untilAccess(ctx, m, access); err != nil {
		return err
	}
	into.add(timing{each: []time.Duration{time.Since(began)}})
	return nil
}

func (j *joiners) untilAccess(ctx context.Context, m clerktest.Membership, want bool) error {
	return until(ctx, fmt.Sprintf("access is %t", want), askingPause, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: subjectOf(m),
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespaceOf(m.Organization), Verb: "get", Resource: "pods",
			},
		}}
		answer, err := j.b.kubernetes.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed == want, err
	})
}

// joinAll lets many join at a time, and returns when all have access.
func (j *joiners) joinAll(ctx context.Context, count int) ([]clerktest.Membership, error) {
	members := make([]clerktest.Membership, count)
	operations := make([]operation, count)
	sender := j.b.sender()
	for i := range members {
		members[i] = j.next()
		operations[i] = func(ctx context.Context) error {
			if err := deliver(ctx, sender, clerktest.RandomID("msg"), clerktest.MembershipCreated(members[i]).Body()); err != nil {
				return err
			}
			return j.untilAccess(ctx, members[i], true)
		}
	}
	_, err := perform(ctx, operations, provisioningAtATime)
	return members, err
}
