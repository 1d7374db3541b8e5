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
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// endsGoal is how long after its second a grant may last, for 99 of 100.
	endsGoal = time.Second

	// endsAfter is how long after the TenantClass is given its ends the first of them comes: by then every organization was looked at.
	endsAfter = 20 * time.Second
)

// endsSize says how many grants end: members of so many organizations, spread over so many seconds.
type endsSize struct {
	organizations, members, seconds int
}

// measureEnds times how long after its second a grant ends that ends by itself. Each second it is some in every organization.
func measureEnds(ctx context.Context, b *bench) error {
	if err := b.lead(ctx); err != nil {
		return err
	}
	size, home := b.sizes.ends, tenantRound{group: "ends"}
	for number := range size.organizations {
		organization := newOrganization(home.group, number)
		organization.PublicMetadata = map[string]any{"group": home.group}
		var members []clerktest.Membership
		for i := range size.members {
			member := newMembership(organization, len(grants)*i) // all in the first role
			member.PublicMetadata = map[string]any{"second": i % size.seconds}
			members = append(members, member)
		}
		home.organizations, home.members = append(home.organizations, organization), append(home.members, members)
	}
	class := &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: home.group},
		Spec: v1alpha1.TenantClassSpec{
			Match: fmt.Sprintf("organization.publicMetadata.group == %q", home.group),
			Namespaces: []v1alpha1.TenantNamespace{{Name: "org-${organization.handle}", RoleBindings: []v1alpha1.TenantRoleBinding{
				{Role: grants[0].role, ClusterRole: grants[0].clusterRole},
			}}},
		},
	}
	if err := b.administrator.Create(ctx, class); err != nil {
		return err
	}
	if _, err := perform(ctx, b.deliveries(home, func() {}), provisioningAtATime); err != nil {
		return err
	}
	if err := b.everyoneBound(ctx, home); err != nil {
		return err
	}
	took, err := b.end(ctx, home, class)
	if err != nil {
		return err
	}
	rows := b.report.table("Grants that end", "Organizations", "In each second", "p50", "p90", "p99", "Longest", "Goal")
	rows.row(strconv.Itoa(len(took.each)), strconv.Itoa(size.organizations), strconv.Itoa(len(took.each)/size.seconds),
		duration(took.percentile(50)), duration(took.percentile(90)), duration(took.percentile(99)), duration(took.longest()),
		fmt.Sprintf("p99 < %s: %s", endsGoal, met(took.percentile(99) < endsGoal)))
	rows.end()
	return b.administrator.Delete(ctx, class)
}

// everyoneBound waits until every member of a round is named by a RoleBinding, and their statuses say so.
func (b *bench) everyoneBound(ctx context.Context, round tenantRound) error {
	expected := map[string]bool{}
	for _, ofOne := range round.members {
		for _, m := range ofOne {
			expected[m.ID] = true
		}
	}
	return until(ctx, "every member is bound", time.Second, func(ctx context.Context) (bool, error) {
		var members v1alpha1.ClerkMemberList
		if err := b.administrator.List(ctx, &members); err != nil {
			return false, err
		}
		bound := 0
		for i := range members.Items {
			if m := &members.Items[i]; expected[m.Spec.ID] && len(m.Status.Bindings) == 1 {
				bound++
			}
		}
		return bound == len(expected), nil
	})
}

// end gives the grants of a round their ends, and times each from its second until a watch sees that it is gone.
func (b *bench) end(ctx context.Context, round tenantRound, class *v1alpha1.TenantClass) (*timing, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	first := time.Now().Add(endsAfter).Truncate(time.Second).UTC()
	ends := map[string]time.Time{} // by subject
	for _, ofOne := range round.members {
		for i, m := range ofOne {
			ends[subjectOf(m)] = first.Add(time.Duration(i%b.sizes.ends.seconds) * time.Second)
		}
	}
	changes, err := b.bindingChanges(ctx)
	if err != nil {
		return nil, err
	}
	defer changes.Stop()
	before := class.DeepCopy()
	class.Spec.Namespaces[0].RoleBindings[0].Until = fmt.Sprintf(
		`timestamp(%q) + duration(string(int(member.publicMetadata.second)) + "s")`, first.Format(time.RFC3339))
	if err := b.administrator.Patch(ctx, class, client.MergeFrom(before)); err != nil {
		return nil, err
	}
	return seeEnds(ctx, round, ends, changes)
}

func seeEnds(ctx context.Context, round tenantRound, ends map[string]time.Time, changes watch.Interface) (*timing, error) {
	held := map[string]map[string]bool{} // by namespace, as the last change had it
	for i, ofOne := range round.members {
		held[namespaceOf(round.organizations[i])] = map[string]bool{}
		for _, m := range ofOne {
			held[namespaceOf(round.organizations[i])][subjectOf(m)] = true
		}
	}
	took, missing := &timing{}, len(ends)
	for missing > 0 {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d grants do not end: %w", missing, context.Cause(ctx))
		case change, more := <-changes.ResultChan():
			if !more {
				return nil, errors.New("the watch on RoleBindings ended early")
			}
			binding, isBinding := change.Object.(*rbacv1.RoleBinding)
			if !isBinding || !strings.HasPrefix(binding.Namespace, "org-"+round.group+"-") {
				continue
			}
			seen, named := time.Now(), map[string]bool{}
			for _, subject := range binding.Subjects {
				named[subject.Name] = change.Type != watch.Deleted
			}
			for subject := range held[binding.Namespace] {
				if named[subject] {
					continue
				}
				late := seen.Sub(ends[subject])
				if late < 0 {
					return nil, fmt.Errorf("a grant ended %s too early", -late)
				}
				took.each = append(took.each, late)
				delete(held[binding.Namespace], subject)
				missing--
			}
		}
	}
	return took, nil
}
