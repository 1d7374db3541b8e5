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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// censusPause is how often what is mirrored is counted: the usual interval of a scrape.
const censusPause = 15 * time.Second

// States of mirrored objects in the metrics.
const (
	stateReady     = "ready"
	stateNotReady  = "not_ready"
	stateTombstone = "tombstone"
)

// census counts what is mirrored, in the cache, for the metrics. The elected replica alone does.
type census struct {
	client client.Client
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *census) NeedLeaderElection() bool { return true }

// Start counts until the context ends.
func (c *census) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := c.count(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot count what is mirrored")
		}
	}, censusPause)
	return nil
}

func (c *census) count(ctx context.Context) error {
	return errors.Join(
		countStates(ctx, c.client, "ClerkOrganization", func(list *v1alpha1.ClerkOrganizationList) []string {
			return statesOf(list.Items, func(o *v1alpha1.ClerkOrganization) (bool, []metav1.Condition) {
				return o.Spec.DeletedAt != nil, o.Status.Conditions
			})
		}),
		countStates(ctx, c.client, "ClerkMember", func(list *v1alpha1.ClerkMemberList) []string {
			return statesOf(list.Items, func(m *v1alpha1.ClerkMember) (bool, []metav1.Condition) {
				return m.Spec.DeletedAt != nil, m.Status.Conditions
			})
		}),
		countStates(ctx, c.client, "ClerkUser", func(list *v1alpha1.ClerkUserList) []string {
			return statesOf(list.Items, func(u *v1alpha1.ClerkUser) (bool, []metav1.Condition) {
				return u.Spec.DeletedAt != nil, u.Status.Conditions
			})
		}),
		countStates(ctx, c.client, "ClerkRole", func(list *v1alpha1.ClerkRoleList) []string {
			return statesOf(list.Items, func(r *v1alpha1.ClerkRole) (bool, []metav1.Condition) {
				return r.Spec.DeletedAt != nil, r.Status.Conditions
			})
		}),
		countStates(ctx, c.client, "ClerkPermission", func(list *v1alpha1.ClerkPermissionList) []string {
			return statesOf(list.Items, func(p *v1alpha1.ClerkPermission) (bool, []metav1.Condition) {
				return p.Spec.DeletedAt != nil, p.Status.Conditions
			})
		}),
	)
}

// countStates counts the objects of a kind by their states.
func countStates[L any, P interface {
	*L
	client.ObjectList
}](ctx context.Context, reader client.Reader, kind string, states func(*L) []string) error {
	list := P(new(L))
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return fmt.Errorf("list %T: %w", list, err)
	}
	counts := map[string]int{}
	for _, state := range states((*L)(list)) {
		counts[state]++
	}
	for _, state := range []string{stateReady, stateNotReady, stateTombstone} {
		metrics.Mirrored.WithLabelValues(kind, state).Set(float64(counts[state]))
	}
	return nil
}

func statesOf[T any](items []T, of func(*T) (deleted bool, conditions []metav1.Condition)) []string {
	states := make([]string, len(items))
	for i := range items {
		states[i] = stateOf(of(&items[i]))
	}
	return states
}

func stateOf(deleted bool, conditions []metav1.Condition) string {
	if deleted {
		return stateTombstone
	}
	if ready, _ := isReady(conditions); ready {
		return stateReady
	}
	return stateNotReady
}
