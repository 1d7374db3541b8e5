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

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// wholeGoal is how many times the time of plain client-go provisioning may take, where that creates the same objects.
	wholeGoal = 1.5

	// tenantGoal is the same where plain client-go creates nothing but the namespace and its RoleBindings.
	tenantGoal = 2.6

	// provisioningAtATime is how many organizations are sent, or created, at a time.
	provisioningAtATime = 32

	// quiet is how long nothing may be written before everything is taken to be settled. A member's first status waits up to 3 s.
	quiet = 5 * time.Second
)

// tenantRound are organizations that are provisioned together, each with its members.
type tenantRound struct {
	group         string
	organizations []clerktest.Organization
	members       [][]clerktest.Membership
}

func newTenantRound(group string, count int) tenantRound {
	r := tenantRound{group: group}
	for number := range count {
		organization := newOrganization(group, number)
		var members []clerktest.Membership
		for i := range grants {
			members = append(members, newMembership(organization, i))
		}
		r.organizations, r.members = append(r.organizations, organization), append(r.members, members)
	}
	return r
}

// The three turns of provisioning.
const (
	// byOperator is from signed deliveries.
	byOperator = iota
	// bareWhole creates the same objects: what is mirrored, namespaces, RoleBindings.
	bareWhole
	// bareTenant creates namespaces and RoleBindings alone, and knows nothing afterwards.
	bareTenant
	turns
)

// provisioned is how long rounds took, turn by turn.
type provisioned struct {
	size              provisioningSize
	took              [turns]time.Duration // until every namespace has its RoleBindings
	accepted, settled time.Duration
	made              requests

	// work is done until everything is settled, soon by the operator until every namespace has its RoleBindings.
	work [turns]work
	soon work

	// memory is from the operator's metrics when it had provisioned the last round.
	memory samples
}

// measureProvisioning lets the operator provision organizations from signed deliveries, and plain client-go create the same objects. After
// the first size it restarts the operator.
func measureProvisioning(ctx context.Context, b *bench) error {
	if err := b.lead(ctx); err != nil {
		return err
	}
	plain, err := newBareClient(ctx, b)
	if err != nil {
		return err
	}
	// The operator's RoleBindings have an owner, so those of plain client-go get one, too.
	owner, err := b.kubernetes.RbacV1().ClusterRoles().Get(ctx, "view", metav1.GetOptions{})
	if err != nil {
		return err
	}
	p := &provisioning{b, plain, owner}
	warmUp := newTenantRound("warm-up", 20)
	if _, err := b.provision(ctx, warmUp, bareTenantOperations(plain, owner, warmUp)); err != nil {
		return err
	}
	var results []provisioned
	for i, size := range b.sizes.provisioning {
		result, err := p.compare(ctx, size)
		if err != nil {
			return fmt.Errorf("%d organizations: %w", size.organizations, err)
		}
		results = append(results, *result)
		if i > 0 {
			continue
		}
		if err := b.measureRestart(ctx, size.organizations, result.memory); err != nil {
			return fmt.Errorf("restart: %w", err)
		}
	}
	reportProvisioning(b.report, results)
	return nil
}

// provisioning is who takes the turns.
type provisioning struct {
	*bench

	plain *bareClient
	owner *rbacv1.ClusterRole
}

// compare lets each side provision as many organizations, in turn.
func (p *provisioning) compare(ctx context.Context, size provisioningSize) (*provisioned, error) {
	result := &provisioned{size: size, work: [turns]work{{}, {}, {}}, soon: work{}}
	take := [turns]func(context.Context, tenantRound, *provisioned) error{
		byOperator: p.byOperator, bareWhole: p.bareWhole, bareTenant: p.bareTenant,
	}
	for round := range size.rounds {
		for i := range turns {
			turn := (i + round) % turns
			group := fmt.Sprintf("p%d-%d-%d", size.organizations, round, turn)
			if err := take[turn](ctx, newTenantRound(group, size.organizations), result); err != nil {
				return nil, err
			}
		}
		progress("%d organizations: %s, bare %s and %s", size.organizations, result.took[byOperator], result.took[bareWhole],
			result.took[bareTenant])
	}
	return result, nil
}

func (p *provisioning) byOperator(ctx context.Context, round tenantRound, into *provisioned) error {
	before := workSoFar()
	if err := p.profiled(ctx, round.group, func() error { return p.provisionAndSettle(ctx, round, into) }); err != nil {
		return err
	}
	if err := p.housekeepingDone(ctx); err != nil {
		return err
	}
	into.work[byOperator].add(workSoFar().since(before))
	var err error
	into.memory, err = p.metrics.read(ctx)
	return err
}

// bareWhole takes its turn while no operator runs, which would make the new organizations its business; they are gone when it starts again.
func (p *provisioning) bareWhole(ctx context.Context, round tenantRound, into *provisioned) error {
	do, undo, err := bareWholeOperations(ctx, p.plain, p.owner, round)
	if err != nil {
		return err
	}
	if err := p.stopReplica(); err != nil {
		return err
	}
	if err := p.bare(ctx, round, do, bareWhole, into); err != nil {
		return err
	}
	if _, err := perform(ctx, undo, provisioningAtATime); err != nil {
		return fmt.Errorf("remove what was mirrored: %w", err)
	}
	return p.lead(ctx)
}

func (p *provisioning) bareTenant(ctx context.Context, round tenantRound, into *provisioned) error {
	return p.bare(ctx, round, bareTenantOperations(p.plain, p.owner, round), bareTenant, into)
}

func (p *provisioning) bare(ctx context.Context, round tenantRound, operations []operation, turn int, into *provisioned) error {
	before := workSoFar()
	var took time.Duration
	err := p.profiled(ctx, round.group, func() (err error) {
		took, err = p.provision(ctx, round, operations)
		return err
	})
	if err != nil {
		return err
	}
	into.took[turn] += took
	if err := p.housekeepingDone(ctx); err != nil {
		return err
	}
	into.work[turn].add(workSoFar().since(before))
	return nil
}

// provisionAndSettle has the operator provision a round, and waits until it has nothing more to say about it.
func (b *bench) provisionAndSettle(ctx context.Context, round tenantRound, into *provisioned) error {
	began, before := time.Now(), workSoFar()
	var accepted time.Duration
	took, err := b.provision(ctx, round, b.deliveries(round, func() { accepted = time.Since(began) }))
	if err != nil {
		return err
	}
	into.soon.add(workSoFar().since(before))
	if err := b.settle(ctx, round); err != nil {
		return err
	}
	made, err := b.requests.since(began)
	if err != nil {
		return err
	}
	into.took[byOperator] += took
	into.accepted += accepted
	into.settled += made.of(entities, tenants, statuses).last().Sub(began)
	into.made = append(into.made, made...)
	return nil
}

// deliveries are, for each organization, its event and then those of its members. The last one to end calls ended.
func (b *bench) deliveries(round tenantRound, ended func()) []operation {
	sender := b.sender()
	operations := make([]operation, len(round.organizations))
	for i, organization := range round.organizations {
		bodies := [][]byte{clerktest.OrganizationCreated(organization).Body()}
		for _, member := range round.members[i] {
			bodies = append(bodies, clerktest.MembershipCreated(member).Body())
		}
		operations[i] = func(ctx context.Context) error {
			for _, body := range bodies {
				if err := deliver(ctx, sender, clerktest.RandomID("msg"), body); err != nil {
					return err
				}
			}
			if i == len(operations)-1 {
				ended()
			}
			return nil
		}
	}
	return operations
}
