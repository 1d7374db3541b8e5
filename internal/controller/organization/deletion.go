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

package organization

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// reconcileDeleted does what a deleted organization asks for: every grant goes at once, the namespaces stay or go as the class says, and
// when nothing is left to do the tombstone is collected.
func (e *enforcement) reconcileDeleted(ctx context.Context) (reconcile.Result, error) {
	held := e.intent.Held()
	if same, err := e.bind(ctx, revokeOnly); err != nil || !same {
		return reconcile.Result{}, err
	}
	e.takeLostDomains(ctx)
	e.accessIsDone()
	e.sweeper.ask(e.intent, e.situation)
	e.recordRevocations(held)
	e.reportHeld(ctx)
	organization := e.organization()
	due, err := e.Tombstones.CollectionTime(ctx, organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := tenant.PlanDeletion(e.situation, e.intent, due, e.Now())
	for _, namespace := range plan.Delete {
		e.attempt(e.deleteNamespace(ctx, namespace), "remove what the deleted organization had")
	}
	_, err = e.writeStatus(ctx, organization, tenant.DeletedStatus(e.situation, e.intent, plan.States, e.problems))
	if err = errors.Join(retryErrors(e.problems), err); err != nil || len(e.intent.RoleBindings) > 0 {
		return reconcile.Result{}, err // where a finalizer holds a RoleBinding, it is an event when that goes
	}
	if err := e.collect(ctx, plan); err != nil || plan.Next.IsZero() {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(plan.Next.Sub(e.Now()), time.Second)}, nil
}

// recordRevocations times how long it took until nobody had access any more.
func (e *enforcement) recordRevocations(held tenant.Access) {
	for _, membership := range e.situation.Memberships {
		e.changes.Stop(membership.Name)
		if subject := membership.Status.Subject; subject != "" && held.Loses(nil, subject) {
			metrics.RevocationSeconds.Observe(max(0, e.Now().Sub(e.organization().Spec.DeletedAt.Time).Seconds()))
		}
	}
}

func (e *enforcement) deleteNamespace(ctx context.Context, namespace *corev1.Namespace) error {
	if err := e.checkGone(ctx); err != nil {
		return err
	}
	if err := write.Delete(ctx, e.Client, namespace); err != nil {
		return fmt.Errorf("delete namespace %s: %w", namespace.Name, err)
	}
	e.tell(ctx, e.organization(), namespaceDeleted())
	return nil
}

// checkGone asks Clerk once more before what nobody can bring back is deleted, where somebody can ask. What it returns becomes a condition,
// and is tried again.
func (e *enforcement) checkGone(ctx context.Context) error {
	if e.Exists == nil {
		return nil
	}
	exists, known, err := e.Exists(ctx, e.organization().Spec.Instance, e.organization().Spec.ID)
	if err != nil {
		return fmt.Errorf("ask Clerk whether the organization is really gone, before its namespaces are deleted: %w", err)
	}
	if exists && known {
		return errors.New("Clerk still has the organization, so its namespaces are not deleted: " + //nolint:staticcheck // a name
			"the condition Synced of its ClerkInstance says what to do")
	}
	return nil
}

// collect removes what is due, the tombstone last.
func (e *enforcement) collect(ctx context.Context, plan tenant.Deletion) error {
	if !plan.Collect {
		return nil
	}
	for _, member := range e.situation.Memberships {
		if err := write.Delete(ctx, e.Client, member.ClerkMember); err != nil {
			return fmt.Errorf("collect ClerkMember %s: %w", member.Name, err)
		}
	}
	if !plan.CollectTombstone {
		return nil
	}
	organization := e.organization()
	if err := write.Delete(ctx, e.Client, organization); err != nil {
		return fmt.Errorf("collect ClerkOrganization %s: %w", organization.Name, err)
	}
	return nil
}
