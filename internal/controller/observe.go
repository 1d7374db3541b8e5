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
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// isObserved tells whether an organization's ClerkInstance is in mode Observe.
func (r *organizationReconciler) isObserved(ctx context.Context, organization *v1alpha1.ClerkOrganization) (bool, error) {
	var instance v1alpha1.ClerkInstance
	err := r.client.Get(ctx, client.ObjectKey{Name: organization.Spec.Instance}, &instance)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read ClerkInstance %s: %w", organization.Spec.Instance, err)
	}
	return instance.Spec.Mode == v1alpha1.ModeObserve, nil
}

// rehearse says what would be done, and does nothing: it grants nothing, and takes nothing away either.
func (r *organizationReconciler) rehearse(ctx context.Context, v *visit) (reconcile.Result, error) {
	for _, member := range v.have.members {
		r.stopwatch.stop(member.Name) // no change is on its way
	}
	organization := v.have.organization
	if organization.Spec.DeletedAt != nil {
		count := 0
		for _, bindings := range v.have.bindings {
			count += len(bindings)
		}
		would := fmt.Sprintf("handle the deletion of the organization in Clerk, and remove its %d RoleBindings", count)
		return reconcile.Result{}, r.writeStatus(ctx, organization, v1alpha1.ClerkOrganizationStatus{
			ObservedGeneration: organization.Generation,
			ClassName:          organization.Status.ClassName,
			Namespaces:         organization.Status.Namespaces,
			Members:            new(int32(0)),
			Conditions:         observing(organization, would).conditions(organization.Status.Conditions, organization.Generation),
		})
	}
	status := v.status()
	status.Namespaces = organization.Status.Namespaces
	if len(v.want.problems) == 0 {
		status.Conditions = observing(organization, v.rehearsal()).conditions(organization.Status.Conditions, organization.Generation)
	}
	return reconcile.Result{}, r.writeStatus(ctx, organization, status)
}

func observing(organization *v1alpha1.ClerkOrganization, would string) verdict {
	return verdict{stalled: true, reason: v1alpha1.ReasonObserving, dropped: organization.Spec.DroppedFields,
		message: fmt.Sprintf("the ClerkInstance %s only observes (spec.mode); with mode Enforce it would %s", organization.Spec.Instance, would)}
}

// rehearsal says what would be done about namespaces and access.
func (v *visit) rehearsal() string {
	var steps []string
	due := access{}
	for i := range v.want.namespaces {
		name := v.filled[i]
		if name == "" {
			name = v.want.namespaces[i].Name
			steps = append(steps, "create namespace "+name)
		}
		for role, subjects := range v.grants[i] {
			for subject := range subjects {
				due.add(subject, name, role)
			}
		}
	}
	for _, name := range v.released {
		steps = append(steps, "release namespace "+name)
	}
	held := v.heldBefore()
	steps = append(steps, countSteps("grant %s to %d users", missing(due, held))...)
	steps = append(steps, countSteps("take %s from %d users", missing(held, due))...)
	if len(steps) == 0 {
		return "change no namespace and no access"
	}
	return strings.Join(steps, "; ")
}

// missing counts, by namespace and ClusterRole, who has access in one and not in the other.
func missing(all, from access) map[string]int {
	counts := map[string]int{}
	for subject, grants := range all {
		for grant := range grants {
			if !from[subject][grant] {
				counts[grant]++
			}
		}
	}
	return counts
}

func countSteps(format string, counts map[string]int) []string {
	var steps []string
	for _, grant := range slices.Sorted(maps.Keys(counts)) {
		namespace, role, _ := strings.Cut(grant, "/")
		steps = append(steps, fmt.Sprintf(format, role+" in "+namespace, counts[grant]))
	}
	return steps
}

// assign finds out which namespace fills which entry of the class, which are no longer wanted, and who should have access where.
func (v *visit) assign() map[string]map[string]tenant.Subjects {
	assigned, rest := tenant.Assign(v.want.namespaces, v.have.namespaces, releasedBefore(v.have.organization))
	v.filled = make([]string, len(assigned))
	grants := map[string]map[string]tenant.Subjects{}
	for i, namespace := range assigned {
		v.grants = append(v.grants, tenant.Grants(v.want.namespaces[i].RoleBindings, v.want.members))
		if namespace != nil {
			v.filled[i] = namespace.Name
			grants[namespace.Name] = v.grants[i]
		}
	}
	if !v.want.frozen {
		for _, namespace := range rest {
			v.released = append(v.released, namespace.Name)
		}
	}
	return grants
}
