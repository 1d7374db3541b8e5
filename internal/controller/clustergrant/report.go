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

package clustergrant

import (
	"context"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// writeStatus applies the status of a ClusterGrant if it says anything new, and tells what that is.
func (r *Reconciler) writeStatus(ctx context.Context, e *enforcement) error {
	grant := e.situation.Grant
	status := tenant.ClusterGrantStatus(e.situation, e.intent, e.problems)
	if equality.Semantic.DeepEqual(grant.Status, status) {
		return nil
	}
	if err := applyStatus(ctx, r.Client, grant, status); err != nil {
		return err
	}
	wasReady, oldReason := condition.IsReady(grant.Status.Conditions)
	nowReady, newReason := condition.IsReady(status.Conditions)
	switch {
	case newReason == oldReason || newReason == v1alpha1.ReasonProgressing:
	case nowReady && !wasReady && oldReason != "":
		r.tell(ctx, grant, corev1.EventTypeNormal, v1alpha1.ReasonReady, "Reconcile", "The members have what the ClusterGrant gives")
	case !nowReady:
		r.tell(ctx, grant, corev1.EventTypeWarning, newReason, "Reconcile",
			"The ClusterGrant is not ready: its condition Ready says what is wrong and what to do")
	}
	return nil
}

func applyStatus(ctx context.Context, c write.Client, grant *v1alpha1.ClusterGrant, status v1alpha1.ClusterGrantStatus) error {
	configuration := clerkac.ClusterGrantStatus().WithObservedGeneration(status.ObservedGeneration)
	configuration.Conditions = condition.Configurations(status.Conditions)
	configuration.Members, configuration.Expires = status.Members, status.Expires
	return write.Status(ctx, c, clerkac.ClusterGrant(grant.Name).WithUID(grant.UID).WithStatus(configuration))
}

// tell puts on record, in the log and as a Kubernetes Event, what happened to a ClusterGrant.
func (r *Reconciler) tell(ctx context.Context, grant *v1alpha1.ClusterGrant, kind, reason, action, note string) {
	log.FromContext(ctx).Info(note, "clustergrant", grant.Name, "reason", reason)
	r.Recorder.Eventf(grant, nil, kind, reason, action, "%s", note)
}

// reportRight remembers what the ClusterRoleBinding is, where it is right. It serves the count of repairs alone.
func (e *enforcement) reportRight() {
	if kept := e.intent.Plan.Keep; kept != nil {
		e.drift.Store(e.situation.Grant.UID, *kept)
		return
	}
	e.drift.Delete(e.situation.Grant.UID)
}

// reportDrift counts and tells that the ClusterRoleBinding was put right, if it is what it was before: then somebody else had changed it.
func (e *enforcement) reportDrift(ctx context.Context, want *tenant.Binding) {
	right, known := e.drift.Load(e.situation.Grant.UID)
	if !known || !reflect.DeepEqual(right, *want) {
		return
	}
	metrics.DriftRepaired.WithLabelValues("ClusterRoleBinding").Inc()
	e.tell(ctx, e.situation.Grant, corev1.EventTypeWarning, "DriftRepaired", "Repair",
		"Somebody else had changed or deleted the ClusterRoleBinding: it was put right")
}

// recordDurations times how long the members' changes took to reach the ClusterRoleBinding, since before was decided.
func (e *enforcement) recordDurations(before *tenant.ClusterIntent) {
	now := e.Now()
	has := func(subjects tenant.Subjects, subject string) bool {
		_, found := subjects[subject]
		return found
	}
	for member, subject := range before.Subjects {
		changed, timed := e.changes.Stop(timed(e.situation.Grant.Name, member))
		ended, hasEnded := before.Passed[member]
		if e.intent.Observe || !timed && !hasEnded {
			continue
		}
		since := changed
		if ended.After(changed) { // the later of the two is why
			since = ended
		}
		had, hasNow := has(before.Held, subject), has(e.intent.Held, subject)
		switch {
		case had && !hasNow:
			metrics.RevocationSeconds.Observe(max(0, now.Sub(since).Seconds()))
		case timed && !had && hasNow:
			metrics.GrantSeconds.Observe(max(0, now.Sub(changed).Seconds()))
		}
	}
}

// timed is by what the change of a member is timed that concerns a ClusterGrant.
func timed(grant, member string) string { return grant + "/" + member }
