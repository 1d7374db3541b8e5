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
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// provisioningGoal is how many times the time of plain client-go provisioning may take.
	provisioningGoal = 3.0

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

// provisioned is how long a round took on both sides.
type provisioned struct {
	size              provisioningSize
	through, plain    time.Duration
	accepted, settled time.Duration
	made              requests

	// work is done until everything is settled, soon by the operator until every namespace has its RoleBindings.
	work [sides]work
	soon work
}

// measureProvisioning lets the operator provision organizations from signed deliveries, and plain client-go create the same namespaces and
// RoleBindings. After the first size it restarts the operator.
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
	bareSide := func(round tenantRound) []operation { return bareOperations(plain, owner, round) }
	warmUp := newTenantRound("warm-up", 20)
	if _, err := b.provision(ctx, warmUp, bareSide(warmUp)); err != nil {
		return err
	}
	var results []provisioned
	for i, size := range b.sizes.provisioning {
		result, err := b.compareProvisioning(ctx, size, bareSide)
		if err != nil {
			return fmt.Errorf("%d organizations: %w", size.organizations, err)
		}
		results = append(results, *result)
		if i > 0 {
			continue
		}
		if err := b.measureRestart(ctx, size.organizations); err != nil {
			return fmt.Errorf("restart: %w", err)
		}
	}
	reportProvisioning(b.report, results)
	return nil
}

func (b *bench) compareProvisioning(
	ctx context.Context, size provisioningSize, bareSide func(tenantRound) []operation,
) (*provisioned, error) {
	result := &provisioned{size: size, work: [sides]work{{}, {}}, soon: work{}}
	for round := range size.rounds {
		ours := newTenantRound(fmt.Sprintf("p%d-%d", size.organizations, round), size.organizations)
		theirs := newTenantRound(fmt.Sprintf("b%d-%d", size.organizations, round), size.organizations)
		turns := [sides]func() error{
			receiver: func() error { return b.provisionAndSettle(ctx, ours, result) },
			bare: func() error {
				took, err := b.provision(ctx, theirs, bareSide(theirs))
				result.plain += took
				return err
			},
		}
		for turn := range sides {
			side := (turn + round) % sides
			before := workSoFar()
			if err := turns[side](); err != nil {
				return nil, err
			}
			if err := b.housekeepingDone(ctx); err != nil {
				return nil, err
			}
			result.work[side].add(workSoFar().since(before))
		}
		progress("%d organizations: %s, bare %s", size.organizations, result.through, result.plain)
	}
	return result, nil
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
	into.through += took
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

func bareOperations(plain *bareClient, owner *rbacv1.ClusterRole, round tenantRound) []operation {
	operations := make([]operation, len(round.organizations))
	for i, organization := range round.organizations {
		operations[i] = func(ctx context.Context) error { return plain.provision(ctx, owner, organization, round.members[i]) }
	}
	return operations
}

// provision carries out what makes a round's organizations, and says how long it took until every namespace had its three RoleBindings,
// by a watch of the benchmark's own.
func (b *bench) provision(ctx context.Context, round tenantRound, operations []operation) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all, err := b.watchBindings(ctx, round)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := perform(ctx, operations, provisioningAtATime); err != nil {
		return 0, err
	}
	select {
	case ended := <-all:
		if ended.IsZero() {
			return 0, errors.New("the watch on RoleBindings ended early")
		}
		return ended.Sub(began), nil
	case <-time.After(patience):
		return 0, errors.New("wait for the RoleBindings: they do not come")
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// watchBindings tells when every namespace of a round has three RoleBindings with a subject each.
func (b *bench) watchBindings(ctx context.Context, round tenantRound) (<-chan time.Time, error) {
	now, err := b.kubernetes.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	changes, err := b.kubernetes.RbacV1().RoleBindings("").Watch(ctx, metav1.ListOptions{ResourceVersion: now.ResourceVersion})
	if err != nil {
		return nil, err
	}
	all := make(chan time.Time, 1)
	go func() {
		defer close(all)
		defer changes.Stop()
		prefix, missing := "org-"+round.group+"-", len(round.organizations)*len(grants)
		seen := map[string]bool{}
		for change := range changes.ResultChan() {
			binding, isBinding := change.Object.(*rbacv1.RoleBinding)
			if !isBinding || change.Type == watch.Deleted || !strings.HasPrefix(binding.Namespace, prefix) || len(binding.Subjects) != 1 {
				continue
			}
			if key := binding.Namespace + "/" + binding.Name; !seen[key] {
				seen[key] = true
				missing--
			}
			if missing == 0 {
				all <- time.Now()
				return
			}
		}
	}()
	return all, nil
}

// settle waits until the statuses of a round's organizations and members say that all is well, and nothing more is written.
func (b *bench) settle(ctx context.Context, round tenantRound) error {
	ready := func(conditions []metav1.Condition) bool {
		return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
	}
	err := until(ctx, "every status is there", time.Second, func(ctx context.Context) (bool, error) {
		var organizations v1alpha1.ClerkOrganizationList
		var members v1alpha1.ClerkMemberList
		if err := errors.Join(b.administrator.List(ctx, &organizations), b.administrator.List(ctx, &members)); err != nil {
			return false, err
		}
		var well int
		for i := range organizations.Items {
			o := &organizations.Items[i]
			if strings.HasPrefix(o.Spec.Slug, round.group+"-") && ready(o.Status.Conditions) &&
				o.Status.Members != nil && int(*o.Status.Members) == len(grants) {
				well++
			}
		}
		expected := map[string]bool{}
		for _, ofOne := range round.members {
			for _, m := range ofOne {
				expected[m.ID] = true
			}
		}
		for i := range members.Items {
			if m := &members.Items[i]; expected[m.Spec.ID] && ready(m.Status.Conditions) && len(m.Status.Bindings) == 1 {
				well++
			}
		}
		return well == len(round.organizations)+len(expected), nil
	})
	if err != nil {
		return err
	}
	select {
	case <-time.After(quiet):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// housekeepingDone waits until the controller manager has put into every namespace what it puts into every namespace, so that the work
// that one turn left behind is not done during the next.
func (b *bench) housekeepingDone(ctx context.Context) error {
	return until(ctx, "every namespace is furnished", 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		count := func(kind string, options ...client.ListOption) (int, error) {
			var list metav1.PartialObjectMetadataList
			list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
			err := b.administrator.List(ctx, &list, options...)
			return len(list.Items), err
		}
		namespaces, err := count("NamespaceList")
		if err != nil {
			return false, err
		}
		accounts, err := count("ServiceAccountList", client.MatchingFields{"metadata.name": "default"})
		if err != nil {
			return false, err
		}
		certificates, err := count("ConfigMapList", client.MatchingFields{"metadata.name": "kube-root-ca.crt"})
		return accounts >= namespaces && certificates >= namespaces, err
	})
}

func reportProvisioning(r *report, results []provisioned) {
	rows := r.table("Organizations", "Operator", "Bare creation", "Ratio", "Goal", "Deliveries answered", "Statuses settled")
	for _, p := range slices.Backward(results) {
		rounds := time.Duration(p.size.rounds)
		ratio := p.through.Seconds() / p.plain.Seconds()
		count := strconv.Itoa(p.size.organizations)
		if p.size.rounds > 1 {
			count += fmt.Sprintf(" (mean of %d)", p.size.rounds)
		}
		rows.row(count, duration(p.through/rounds), duration(p.plain/rounds), fmt.Sprintf("**%.1f**", ratio),
			fmt.Sprintf("≤ %.0f: %s", provisioningGoal, met(ratio <= provisioningGoal)), duration(p.accepted/rounds), duration(p.settled/rounds))
	}
	rows.end()
	first := results[0]
	reportWork(r, first.size.organizations*first.size.rounds,
		workColumn{fmt.Sprintf("Operator, each of %d", first.size.organizations), first.soon},
		workColumn{"until all is settled", first.work[receiver]}, workColumn{"Bare creation", first.work[bare]})
	reportRequests(r, results[0])
}

// reportRequests tells the operator's requests apart.
func reportRequests(r *report, p provisioned) {
	per := float64(p.size.organizations * p.size.rounds)
	each := func(count int) string { return fmt.Sprintf("%.2f", float64(count)/per) }
	total := len(p.made.writes()) - countOther(p.made)
	r.line("API requests for each of %d organizations: **%s**, apart from what follows from no organization in particular. "+
		"Plain client-go makes %d.", p.size.organizations, each(total), 1+len(grants))
	rows := r.table("For", "Request", "Each organization", "In all")
	for _, s := range p.made.shares() {
		rows.row(kindNames[s.kind], s.what, each(s.count), strconv.Itoa(s.count))
	}
	rows.end()
}

// countOther counts the statuses of ClerkInstances and TenantClasses: one in a while, however many organizations there are.
func countOther(made requests) int {
	var n int
	for _, e := range made.of(statuses) {
		if e.Resource == "clerkinstances" || e.Resource == "tenantclasses" {
			n++
		}
	}
	return n
}
