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
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// bury does what a deleted organization asks for: every grant goes at once, the namespaces stay or go as the class says, and when
// nothing is left to do the tombstone is collected.
func (r *organizationReconciler) bury(ctx context.Context, first *visit) (reconcile.Result, error) {
	organization := first.have.organization
	v, err := first.bind(ctx, revokeOnly)
	if err != nil || v == nil {
		return reconcile.Result{}, err
	}
	r.observeBurial(first)
	v.tellHeld(ctx)
	due, err := r.deletionDue(ctx, organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	states, err := r.disposeOfNamespaces(ctx, v.have, due)
	if err != nil {
		v.failures.add(refusal(err, "remove what the deleted organization had"))
	}
	err = v.failures.errs()
	if writeErr := r.writeStatus(ctx, organization, burialStatus(organization, states, v.failures)); writeErr != nil || err != nil {
		return reconcile.Result{}, errors.Join(err, writeErr)
	}
	if len(v.have.bindings) > 0 {
		return reconcile.Result{}, nil // a finalizer holds one: when it goes, that is an event
	}
	return r.collect(ctx, v.have, states)
}

func (r *organizationReconciler) observeBurial(first *visit) {
	if len(first.have.bindings) == 0 {
		return
	}
	v := &visit{organizationReconciler: r, have: first.have, want: &intent{subjects: map[string]string{}}}
	for _, member := range first.have.members {
		v.want.subjects[member.Name] = member.Status.Subject
		r.stopwatch.start(member.Name, first.have.organization.Spec.DeletedAt.Time)
	}
	v.observe(first, r.now(), r.now())
}

// deletionDue is when the namespaces are deleted; zero if they stay. The class is the one that served the organization last;
// without it nothing is deleted.
func (r *organizationReconciler) deletionDue(ctx context.Context, organization *v1alpha1.ClerkOrganization) (time.Time, error) {
	if organization.Status.ClassName == "" {
		return time.Time{}, nil
	}
	var class v1alpha1.TenantClass
	err := r.client.Get(ctx, client.ObjectKey{Name: organization.Status.ClassName}, &class)
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read TenantClass %s: %w", organization.Status.ClassName, err)
	}
	rule := class.Spec.Deletion
	if rule == nil || rule.Policy != v1alpha1.DeletionDelete || rule.After == nil {
		return time.Time{}, nil
	}
	// Status times have no fractions of a second.
	return organization.Spec.DeletedAt.Add(rule.After.Duration).Truncate(time.Second), nil
}

// disposeOfNamespaces deletes what is due and says what holds for the others. A namespace that the operator did not make is
// never deleted.
func (r *organizationReconciler) disposeOfNamespaces(
	ctx context.Context, have *situation, due time.Time,
) ([]v1alpha1.OrganizationNamespace, error) {
	states := make([]v1alpha1.OrganizationNamespace, 0, len(have.namespaces))
	var errs []error
	for i := range have.namespaces {
		namespace := &have.namespaces[i]
		state := v1alpha1.OrganizationNamespace{Name: namespace.Name, State: v1alpha1.NamespaceRetained}
		if !due.IsZero() && namespace.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy {
			state.State, state.DeleteAt = v1alpha1.NamespaceDeleting, new(metav1.NewTime(due))
			errs = append(errs, r.deleteNamespace(ctx, have.organization, namespace, due))
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b v1alpha1.OrganizationNamespace) int { return strings.Compare(a.Name, b.Name) })
	return states[:min(len(states), maxNamespaces)], errors.Join(errs...)
}

func (r *organizationReconciler) deleteNamespace(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, namespace *corev1.Namespace, due time.Time,
) error {
	if namespace.DeletionTimestamp != nil || r.now().Before(due) {
		return nil
	}
	if err := r.checkGone(ctx, organization); err != nil {
		return err
	}
	if err := r.remove(ctx, &corev1.Namespace{ObjectMeta: nameOf(namespace)}, namespace.UID); err != nil {
		return fmt.Errorf("delete namespace %s: %w", namespace.Name, err)
	}
	r.tell(ctx, organization, namespaceDeleted())
	return nil
}

// checkGone asks Clerk once more before what nobody can bring back is deleted, where somebody can ask. What it returns becomes a condition,
// and is tried again.
func (r *organizationReconciler) checkGone(ctx context.Context, organization *v1alpha1.ClerkOrganization) error {
	if r.exists == nil {
		return nil
	}
	exists, known, err := r.exists(ctx, organization.Spec.Instance, organization.Spec.ID)
	if err != nil {
		return fmt.Errorf("ask Clerk whether the organization is really gone, before its namespaces are deleted: %w", err)
	}
	if exists && known {
		return errors.New("Clerk still has the organization, so its namespaces are not deleted: " + //nolint:staticcheck // a name
			"the condition Synced of its ClerkInstance says what to do")
	}
	return nil
}

func burialStatus(
	organization *v1alpha1.ClerkOrganization, namespaces []v1alpha1.OrganizationNamespace, failures problems,
) v1alpha1.ClerkOrganizationStatus {
	result := verdict{ready: true, reason: v1alpha1.ReasonDeleted,
		message: "the organization was deleted in Clerk: all of its grants are removed; this object is kept for a while as its tombstone"}
	if len(failures) > 0 {
		first := failures.first()
		result = verdict{stalled: first.stalled, reason: first.reason, message: failures.message()}
	}
	return v1alpha1.ClerkOrganizationStatus{
		ObservedGeneration: organization.Generation,
		ClassName:          organization.Status.ClassName,
		Namespaces:         namespaces,
		Members:            new(int32(0)),
		Conditions:         result.conditions(organization.Status.Conditions, organization.Generation),
	}
}

// collect removes, when the retention is over, the members that nobody deleted, since they are about people; and then the tombstone,
// once no namespace waits for its deletion.
func (r *organizationReconciler) collect(
	ctx context.Context, have *situation, states []v1alpha1.OrganizationNamespace,
) (reconcile.Result, error) {
	now := r.now()
	if due := collectionTime(have.organization.Spec.DeletedAt.Time, r.retention); now.Before(due) {
		return reconcile.Result{RequeueAfter: earliest(now, due, states).Sub(now)}, nil
	}
	for _, member := range have.members {
		if err := r.remove(ctx, &v1alpha1.ClerkMember{ObjectMeta: nameOf(member)}, member.UID); err != nil {
			return reconcile.Result{}, fmt.Errorf("collect ClerkMember %s: %w", member.Name, err)
		}
	}
	for _, state := range states {
		if state.State == v1alpha1.NamespaceDeleting {
			// At the end of a deletion that has begun, the namespace itself causes the next reconciliation.
			return reconcile.Result{RequeueAfter: max(0, state.DeleteAt.Sub(now))}, nil
		}
	}
	if err := r.remove(ctx, &v1alpha1.ClerkOrganization{ObjectMeta: nameOf(have.organization)}, have.organization.UID); err != nil {
		return reconcile.Result{}, fmt.Errorf("collect ClerkOrganization %s: %w", have.organization.Name, err)
	}
	return reconcile.Result{}, nil
}

// earliest is the first time at which there is something to do: due, or the deletion of a namespace that is still to come.
func earliest(now, due time.Time, states []v1alpha1.OrganizationNamespace) time.Time {
	for _, state := range states {
		if state.State == v1alpha1.NamespaceDeleting && state.DeleteAt.Time.Before(due) && now.Before(state.DeleteAt.Time) {
			due = state.DeleteAt.Time
		}
	}
	return due
}

// maxClockSkew is how far the clocks of two replicas may be apart: the one that collects waits that much longer than the one that
// receives lets old events create.
const maxClockSkew = time.Minute

// collectionTime is when a tombstone may go. Any event of what it stands for is older than the retention by then, and so creates
// nothing any more. For a short retention the allowance for clocks is short too.
func collectionTime(deletedAt time.Time, retention time.Duration) time.Time {
	return deletedAt.Add(retention + min(maxClockSkew, retention/10))
}
