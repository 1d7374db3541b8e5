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

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// countPause is how often what is mirrored is counted: the usual interval of a scrape.
const countPause = 15 * time.Second

// States of mirrored objects in the metrics.
const (
	stateReady     = "ready"
	stateNotReady  = "not_ready"
	stateTombstone = "tombstone"
)

// counter counts what is mirrored, in the cache, for the metrics. The elected replica alone does.
type counter struct {
	client    client.Client
	retention time.Duration
	now       func() time.Time

	// shown is what the metrics say now: what has gone since is taken away from them.
	shown tally
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *counter) NeedLeaderElection() bool { return true }

// Start counts until the context ends.
func (c *counter) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := c.count(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot count what is mirrored")
		}
	}, countPause)
	return nil
}

func (c *counter) count(ctx context.Context) error {
	var organizations v1alpha1.ClerkOrganizationList
	var members v1alpha1.ClerkMemberList
	var users v1alpha1.ClerkUserList
	var roles v1alpha1.ClerkRoleList
	var permissions v1alpha1.ClerkPermissionList
	var subscriptions v1alpha1.ClerkSubscriptionItemList
	var domains v1alpha1.ClerkOrganizationDomainList
	var instances v1alpha1.ClerkInstanceList
	var errs []error
	for _, list := range []client.ObjectList{&organizations, &members, &users, &roles, &permissions, &subscriptions, &domains, &instances} {
		if err := c.client.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
			errs = append(errs, fmt.Errorf("list %T: %w", list, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	counted := newTally()
	deleted := counted.organizations(organizations.Items, c.retention, c.now())
	counted.members(members.Items, deleted, c.retention, c.now())
	for i := range users.Items {
		counted.state(v1alpha1.KindUser, &users.Items[i])
	}
	for i := range roles.Items {
		counted.state(v1alpha1.KindRole, &roles.Items[i])
	}
	for i := range permissions.Items {
		counted.state(v1alpha1.KindPermission, &permissions.Items[i])
	}
	for i := range subscriptions.Items {
		counted.state(v1alpha1.KindSubscriptionItem, &subscriptions.Items[i])
	}
	for i := range domains.Items {
		counted.state(v1alpha1.KindDomain, &domains.Items[i])
	}
	counted.instances(instances.Items)
	counted.show(c.shown)
	c.shown = counted
	return nil
}

// tally is what a counter found.
type tally struct {
	// states and reasons are by kind.
	states, reasons map[[2]string]int
	// overdue tombstones, by kind.
	overdue map[string]int
	// pending revocations.
	pending int
	// silentSince is since when each ClerkInstance has not been heard from.
	silentSince map[string]time.Time
}

func newTally() tally {
	counted := tally{
		states: map[[2]string]int{}, reasons: map[[2]string]int{}, overdue: map[string]int{}, silentSince: map[string]time.Time{},
	}
	for _, kind := range []string{v1alpha1.KindOrganization, v1alpha1.KindMember} {
		counted.overdue[kind] = 0 // of the others, tombstones stay as long as they keep somebody out
	}
	for _, kind := range v1alpha1.MirroredKinds() {
		for _, state := range []string{stateReady, stateNotReady, stateTombstone} {
			counted.states[[2]string{kind, state}] = 0
		}
	}
	return counted
}

// organizations counts them, and returns the ids of those that are deleted.
func (t *tally) organizations(items []v1alpha1.ClerkOrganization, retention time.Duration, now time.Time) (deleted map[string]bool) {
	deleted = map[string]bool{}
	for i := range items {
		organization := &items[i]
		t.state(v1alpha1.KindOrganization, organization)
		if organization.Spec.DeletedAt == nil {
			continue
		}
		deleted[organization.Spec.ID] = true
		due := horizon.Orphaned(retention, organization.Spec.DeletedAt.Time)
		for _, namespace := range organization.Status.Namespaces {
			if namespace.DeleteAt != nil && namespace.DeleteAt.After(due) {
				due = namespace.DeleteAt.Time
			}
		}
		if now.After(due) {
			t.overdue[v1alpha1.KindOrganization]++
		}
	}
	return deleted
}

func (t *tally) members(items []v1alpha1.ClerkMember, deletedOrganizations map[string]bool, retention time.Duration, now time.Time) {
	for i := range items {
		member := &items[i]
		t.state(v1alpha1.KindMember, member)
		if member.Spec.DeletedAt != nil && now.After(horizon.Orphaned(retention, member.Spec.DeletedAt.Time)) {
			t.overdue[v1alpha1.KindMember]++
		}
		bound := meta.FindStatusCondition(member.Status.Conditions, v1alpha1.ConditionBound)
		gone := member.Spec.DeletedAt != nil || deletedOrganizations[member.Spec.OrganizationID]
		// A member who is bound and yet progressing is one whose access is being taken away: see facts.status.
		if bound != nil && bound.Status == metav1.ConditionTrue && (gone || bound.Reason == v1alpha1.ReasonProgressing) {
			t.pending++
		}
	}
}

func (t *tally) instances(items []v1alpha1.ClerkInstance) {
	for i := range items {
		instance := &items[i]
		if instance.Spec.Webhook.SigningSecretRef.Name == "" {
			continue // nothing is delivered to it
		}
		since := instance.CreationTimestamp.Time
		if last := instance.Status.LastEvent.ReceivedAt.Time; last.After(since) {
			since = last
		}
		t.silentSince[instance.Name] = since
	}
}

func (t *tally) state(kind string, object v1alpha1.Mirrored) {
	ready, reason := condition.IsReady(object.GetConditions())
	switch {
	case object.GetEntity().DeletedAt != nil:
		t.states[[2]string{kind, stateTombstone}]++
	case ready:
		t.states[[2]string{kind, stateReady}]++
	default:
		if reason == "" { // nothing has looked at it yet
			reason = v1alpha1.ReasonProgressing
		}
		t.states[[2]string{kind, stateNotReady}]++
		t.reasons[[2]string{kind, reason}]++
	}
}

// show makes the metrics say this, and no longer what they said before.
func (t *tally) show(before tally) {
	for key, count := range t.states {
		metrics.Mirrored.WithLabelValues(key[0], key[1]).Set(float64(count))
	}
	for key, count := range t.reasons {
		metrics.NotReady.WithLabelValues(key[0], key[1]).Set(float64(count))
	}
	for key := range before.reasons {
		if _, still := t.reasons[key]; !still {
			metrics.NotReady.DeleteLabelValues(key[0], key[1])
		}
	}
	for kind, count := range t.overdue {
		metrics.OverdueTombstones.WithLabelValues(kind).Set(float64(count))
	}
	metrics.PendingRevocations.Set(float64(t.pending))
	for instance, since := range t.silentSince {
		metrics.SilentSinceTimestamp.WithLabelValues(instance).Set(float64(since.Unix()))
	}
	for instance := range before.silentSince {
		if _, still := t.silentSince[instance]; !still {
			metrics.SilentSinceTimestamp.DeleteLabelValues(instance)
		}
	}
}
