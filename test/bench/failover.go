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

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// failoverGoal is how long 99 in a hundred may keep access that they lost while nobody leads.
	failoverGoal = 2 * time.Second

	// leaversAtATime leave at a time: enough to be many before another replica is elected.
	leaversAtATime = 8
)

// fate is what becomes of the elected replica.
type fate struct {
	name string
	meet func(*operatorproc.Operator)
}

// measureFailover times how long somebody who leaves keeps access while nobody is elected: two replicas run, many organizations are being
// provisioned, and the elected one ends, or hangs. All deliveries go to the other one.
func measureFailover(ctx context.Context, b *bench) error {
	rows := b.report.table(
		"To no access, in a storm of new organizations", "Members", "p50", "p90", "p99", "Longest", "Until another is elected", "Goal")
	for _, f := range []fate{
		{"the elected replica was killed", (*operatorproc.Operator).Kill},
		{"the elected replica is frozen", func(o *operatorproc.Operator) { o.Pause() }},
	} {
		took, vacancy, err := b.withoutLeader(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		rows.row(f.name, strconv.Itoa(len(took.each)), duration(took.percentile(50)), duration(took.percentile(90)),
			"**"+duration(took.percentile(99))+"**", duration(took.longest()), duration(vacancy),
			fmt.Sprintf("p99 < %s: %s", duration(failoverGoal), met(took.percentile(99) < failoverGoal)))
	}
	rows.end()
	b.report.line("%d members leave at a time, from the end of the elected replica until another is elected. Meanwhile %d organizations are "+
		"delivered.", leaversAtATime, b.sizes.burst)
	return nil
}

// withoutLeader times those who leave from the end of the elected replica until another one is elected, which it tells the time of, too.
func (b *bench) withoutLeader(ctx context.Context, f fate) (timing, time.Duration, error) {
	var took timing
	if err := b.stopReplica(); err != nil {
		return took, 0, err
	}
	if err := b.lead(ctx); err != nil {
		return took, 0, err
	}
	elected := b.replica
	home := newTenantRound("home-"+strconv.Itoa(elected.PID()), b.sizes.organizations)
	if _, err := b.provision(ctx, home, b.deliveries(home, func() {})); err != nil {
		return took, 0, err
	}
	people := &joiners{b: b, home: home}
	leavers, err := people.joinAll(ctx, b.sizes.burst)
	if err != nil {
		return took, 0, err
	}
	other, err := operatorproc.Start(ctx, b.plane, operatorproc.Options{
		Name: "clerk-operator-2", Died: func(err error) { b.cancel(fmt.Errorf("the other replica died: %w", err)) },
	})
	if err != nil {
		return took, 0, err
	}
	b.replica = other // deliveries go there from now on
	vacancy, err := b.storm(ctx, func() { f.meet(elected) }, people, leavers, &took)
	elected.Kill()
	return took, vacancy, err
}

// storm delivers many organizations, has the elected replica meet its fate when a tenth of them have their namespaces, and lets members
// leave until another one is elected.
func (b *bench) storm(
	ctx context.Context, meet func(), people *joiners, leavers []clerktest.Membership, into *timing,
) (vacancy time.Duration, err error) {
	holder, err := b.leaseHolder(ctx)
	if err != nil {
		return 0, err
	}
	crowd := newTenantRound("crowd-"+strconv.Itoa(b.replica.PID()), b.sizes.burst)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := perform(ctx, b.deliveries(crowd, func() {}), provisioningAtATime)
		return err
	})
	group.Go(func() error {
		if err := b.untilNamespaces(ctx, crowd, b.sizes.burst/10); err != nil {
			return err
		}
		meet()
		began, over := time.Now(), make(chan struct{})
		group.Go(func() error {
			defer close(over)
			err := until(ctx, "another replica is elected", 50*time.Millisecond, func(ctx context.Context) (bool, error) {
				now, err := b.leaseHolder(ctx)
				return now != holder, err
			})
			vacancy = time.Since(began)
			return err
		})
		return b.leaveUntil(ctx, over, people, leavers, into)
	})
	err = group.Wait()
	return vacancy, err
}

// leaveUntil lets members leave, some at a time, until it is over.
func (b *bench) leaveUntil(
	ctx context.Context, over <-chan struct{}, people *joiners, leavers []clerktest.Membership, into *timing,
) error {
	took := make([]timing, len(leavers))
	operations := make([]operation, len(leavers))
	for i, leaver := range leavers {
		operations[i] = func(ctx context.Context) error {
			select {
			case <-over:
				return nil
			default:
				return people.leave(ctx, leaver, &took[i])
			}
		}
	}
	_, err := perform(ctx, operations, leaversAtATime)
	for _, one := range took {
		into.add(one)
	}
	return err
}

func (b *bench) leaseHolder(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{}
	err := b.administrator.Get(ctx, client.ObjectKey{Namespace: operatorproc.Namespace, Name: leaseName}, lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", client.IgnoreNotFound(err)
	}
	return *lease.Spec.HolderIdentity, nil
}

// untilNamespaces waits until so many of a round's organizations have their namespace.
func (b *bench) untilNamespaces(ctx context.Context, round tenantRound, count int) error {
	names := map[string]bool{}
	for _, organization := range round.organizations {
		names[namespaceOf(organization)] = true
	}
	return until(ctx, "the storm has begun", 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		var list corev1.NamespaceList
		if err := b.administrator.List(ctx, &list, client.HasLabels{v1alpha1.OrganizationIDLabel}); err != nil {
			return false, err
		}
		made := 0
		for i := range list.Items {
			if names[list.Items[i].Name] {
				made++
			}
		}
		return made >= count, nil
	})
}
