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
	organizations, err := countStates(ctx, c.client, &v1alpha1.ClerkOrganizationList{}, func(list *v1alpha1.ClerkOrganizationList) []string {
		states := make([]string, len(list.Items))
		for i := range list.Items {
			states[i] = stateOf(list.Items[i].Spec.DeletedAt != nil, list.Items[i].Status.Conditions)
		}
		return states
	})
	members, memberErr := countStates(ctx, c.client, &v1alpha1.ClerkMemberList{}, func(list *v1alpha1.ClerkMemberList) []string {
		states := make([]string, len(list.Items))
		for i := range list.Items {
			states[i] = stateOf(list.Items[i].Spec.DeletedAt != nil, list.Items[i].Status.Conditions)
		}
		return states
	})
	if err := errors.Join(err, memberErr); err != nil {
		return err
	}
	for _, state := range []string{stateReady, stateNotReady, stateTombstone} {
		metrics.Mirrored.WithLabelValues("ClerkOrganization", state).Set(float64(organizations[state]))
		metrics.Mirrored.WithLabelValues("ClerkMember", state).Set(float64(members[state]))
	}
	return nil
}

func countStates[L client.ObjectList](ctx context.Context, reader client.Reader, list L, states func(L) []string) (map[string]int, error) {
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("list %T: %w", list, err)
	}
	counts := map[string]int{}
	for _, state := range states(list) {
		counts[state]++
	}
	return counts, nil
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
