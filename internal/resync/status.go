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

package resync

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// fieldOwner is a field manager of its own: what it writes of a status, nothing else does.
const fieldOwner = client.FieldOwner("clerk-operator-resync")

// ending is how a resync ended.
type ending struct {
	result   v1alpha1.ResyncResult
	reason   string
	message  string
	finished time.Time
	served   string
	held     *plan

	// wait is how long Clerk wants to be left alone, and lasting says that trying again soon would find the same.
	wait    time.Duration
	lasting bool
}

// statusAfter is what a ClerkInstance's status says after a resync: the fields of this package alone.
func (r *run) statusAfter(end ending) v1alpha1.ClerkInstanceStatus {
	before := r.instance.Status
	status := v1alpha1.ClerkInstanceStatus{ConfirmedAt: before.ConfirmedAt}
	if end.result == v1alpha1.ResyncComplete || end.result == v1alpha1.ResyncPruneHeld {
		status.ConfirmedAt = new(metav1.NewTime(r.started.Add(-readLag)))
	}
	status.LastResync = v1alpha1.LastResync{
		StartedAt: metav1.NewTime(r.started), FinishedAt: metav1.NewTime(end.finished), Result: end.result,
		RequestedAt: end.served, Requests: new(r.requests.Load()),
	}
	for _, k := range kinds {
		if count := r.counts[k.name]; count != nil {
			status.LastResync.Kinds = append(status.LastResync.Kinds, v1alpha1.ResyncedKind{
				Kind: k.name, Listed: count32(count.listed), Created: count32(count.created),
				Updated: count32(count.updated), Deleted: count32(count.deleted),
			})
		}
	}
	synced := metav1.Condition{Type: v1alpha1.ConditionSynced, Status: metav1.ConditionFalse, Reason: end.reason, Message: end.message}
	if end.result == v1alpha1.ResyncComplete {
		synced.Status = metav1.ConditionTrue
	}
	status.Plans = r.plansAfter()
	status.Conditions = r.conditions(withPlans(r.plansCondition(), synced, r.heldCondition(end))...)
	switch {
	case end.held != nil:
		status.HeldPrune = v1alpha1.HeldPrune{
			Plan: end.held.name(), Count: count32(len(end.held.absences)), IDs: end.held.ids(maxHeldIDs),
		}
	case !end.looked():
		status.HeldPrune = before.HeldPrune // nobody looked
	}
	switch {
	case !end.looked():
		status.Contradiction = before.Contradiction
	case r.contradictions.count() > 0:
		status.Contradiction = v1alpha1.Contradiction{
			Name: r.contradictions.name(), Count: count32(r.contradictions.count()), IDs: r.contradictions.ids(maxHeldIDs),
		}
	}
	return status
}

func count32(n int) *int32 {
	return new(int32(min(n, math.MaxInt32))) //nolint:gosec // it is bounded here
}

// looked tells whether a resync came so far as to know what it would remove.
func (e ending) looked() bool {
	return e.result != v1alpha1.ResyncFailed
}

func (r *run) heldCondition(end ending) metav1.Condition {
	if end.held != nil {
		return metav1.Condition{Type: v1alpha1.ConditionPruneHeld, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPruneHeld,
			Message: heldMessage(r.instance.Name, end.held)}
	}
	if before := meta.FindStatusCondition(r.instance.Status.Conditions, v1alpha1.ConditionPruneHeld); before != nil && !end.looked() {
		return *before
	}
	return metav1.Condition{Type: v1alpha1.ConditionPruneHeld, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWithinBounds,
		Message: "nothing is held"}
}

func heldMessage(instance string, held *plan) string {
	return fmt.Sprintf("nothing is removed, since %s: %s; if that is right: "+
		"kubectl annotate --overwrite clerkinstance %s %s=%s", held.why, held.tell(), instance, v1alpha1.ReleasePruneAnnotation, held.name())
}

// conditions are this package's own; those that say the same as before keep the time of their transition.
func (r *run) conditions(wanted ...metav1.Condition) []metav1.Condition {
	var conditions []metav1.Condition
	for _, found := range wanted {
		if before := meta.FindStatusCondition(r.instance.Status.Conditions, found.Type); before != nil {
			conditions = append(conditions, *before)
		}
		condition.Set(&conditions, r.instance.Generation, found)
	}
	return conditions
}

// writeProgress says how far the resync is, and leaves the rest as it was.
func (r *run) writeProgress(ctx context.Context, progress v1alpha1.ResyncProgress) {
	before := r.instance.Status
	status := v1alpha1.ClerkInstanceStatus{
		LastResync: before.LastResync, HeldPrune: before.HeldPrune, Contradiction: before.Contradiction,
		ConfirmedAt: before.ConfirmedAt, Plans: before.Plans, Resync: &progress,
	}
	for _, kind := range []string{v1alpha1.ConditionSynced, v1alpha1.ConditionPruneHeld, v1alpha1.ConditionPlansKnown} {
		if found := meta.FindStatusCondition(before.Conditions, kind); found != nil {
			status.Conditions = append(status.Conditions, *found)
		}
	}
	if err := r.writeStatus(ctx, r.instance, status); err != nil && ctx.Err() == nil {
		log.FromContext(ctx).Error(err, "cannot write how far the resync is")
	}
}

// statusRetry spans ten seconds: a status that is lost is written again only after the next resync.
var statusRetry = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 7, Jitter: 0.1}

// writeStatus applies the fields of this package, all of them.
func (r *Resyncer) writeStatus(ctx context.Context, instance *v1alpha1.ClerkInstance, status v1alpha1.ClerkInstanceStatus) error {
	body, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "ClerkInstance",
		"metadata":   map[string]any{"name": instance.Name, "uid": instance.UID},
		"status":     status,
	})
	if err != nil {
		return err
	}
	again := func(err error) bool {
		return !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) && ctx.Err() == nil
	}
	err = retry.OnError(statusRetry, again, func() error {
		object := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: instance.Name}}
		err := r.Client.Status().Patch(ctx, object, client.RawPatch(types.ApplyPatchType, body), fieldOwner, client.ForceOwnership)
		return client.IgnoreNotFound(err)
	})
	if apierrors.IsConflict(err) { // another object has the name by now
		return nil
	}
	return err
}
