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
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// maxNamespaces is how many namespaces a status names, as the kind has it.
const maxNamespaces = 100

// status says what a reconciliation came to.
func (v *visit) status() v1alpha1.ClerkOrganizationStatus {
	organization := v.have.organization
	status := v1alpha1.ClerkOrganizationStatus{
		ObservedGeneration: organization.Generation,
		ClassName:          v.want.className,
		Namespaces:         v.namespaceStates(),
		Members:            new(countMembers(v.have.members)),
	}
	found := v.verdict().without(organization.Spec.DroppedFields)
	status.Conditions = found.conditions(organization.Status.Conditions, organization.Generation)
	return status
}

func (v *visit) namespaceStates() []v1alpha1.OrganizationNamespace {
	if v.want.frozen {
		return v.have.organization.Status.Namespaces
	}
	var states []v1alpha1.OrganizationNamespace
	for _, name := range v.filled {
		if name != "" {
			states = append(states, v1alpha1.OrganizationNamespace{Name: name, State: v1alpha1.NamespaceActive})
		}
	}
	for _, name := range v.released {
		states = append(states, v1alpha1.OrganizationNamespace{Name: name, State: v1alpha1.NamespaceReleased})
	}
	return states[:min(len(states), maxNamespaces)]
}

func (v *visit) verdict() verdict {
	if found := v.problems(); len(found) > 0 {
		first := found.first()
		return verdict{stalled: first.stalled, reason: first.reason, message: found.message()}
	}
	message := fmt.Sprintf("the organization has what the TenantClass %s gives", v.want.className)
	if len(v.released) > 0 {
		message += fmt.Sprintf("; no longer wanted and without grants: %s", strings.Join(v.released, ", "))
	}
	return verdict{ready: true, reason: v1alpha1.ReasonReady, message: message}
}

func countMembers(members []*v1alpha1.ClerkMember) int32 {
	var n int32
	for _, member := range members {
		if member.Spec.DeletedAt == nil {
			n++
		}
	}
	return n
}

// writeStatus applies a status if it says anything new, and tells what changed for the tenant.
func (r *organizationReconciler) writeStatus(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, status v1alpha1.ClerkOrganizationStatus,
) error {
	before := organization.Status
	if equality.Semantic.DeepEqual(before, status) {
		return nil
	}
	namespaces := make([]*clerkac.OrganizationNamespaceApplyConfiguration, len(status.Namespaces))
	for i := range status.Namespaces {
		namespace := &status.Namespaces[i]
		namespaces[i] = &clerkac.OrganizationNamespaceApplyConfiguration{
			Name: &namespace.Name, State: &namespace.State, DeleteAt: namespace.DeleteAt,
		}
	}
	configuration := clerkac.ClerkOrganizationStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithNamespaces(namespaces...)
	configuration.Conditions = conditionConfigurations(status.Conditions)
	configuration.Members = status.Members
	if status.ClassName != "" {
		configuration.WithClassName(status.ClassName)
	}
	err := r.client.Status().Apply(ctx,
		clerkac.ClerkOrganization(organization.Name).WithUID(organization.UID).WithStatus(configuration),
		fieldOwner, client.ForceOwnership)
	if err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the status of ClerkOrganization %s: %w", organization.Name, err))
	}
	r.tellTransitions(ctx, organization, before, status)
	return nil
}

func (r *organizationReconciler) tellTransitions(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, before, after v1alpha1.ClerkOrganizationStatus,
) {
	wasReady, oldReason := isReady(before.Conditions)
	nowReady, newReason := isReady(after.Conditions)
	switch {
	case newReason == oldReason || isToldElsewhere(newReason):
	case newReason == v1alpha1.ReasonDeleted && oldReason != "":
		r.tell(ctx, organization, organizationDeleted())
	case nowReady && !wasReady && oldReason != "" && !isToldElsewhere(oldReason):
		r.tell(ctx, organization, ready(after.ClassName))
	case !nowReady:
		r.tell(ctx, organization, notReady(newReason))
	}
	r.tellReleased(ctx, organization, before, after)
}

func (r *organizationReconciler) tellReleased(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, before, after v1alpha1.ClerkOrganizationStatus,
) {
	for _, namespace := range after.Namespaces {
		wasActive := slices.ContainsFunc(before.Namespaces, func(old v1alpha1.OrganizationNamespace) bool {
			return old.Name == namespace.Name && old.State == v1alpha1.NamespaceActive
		})
		if wasActive && namespace.State == v1alpha1.NamespaceReleased {
			r.tell(ctx, organization, namespaceReleased())
		}
	}
}

// isToldElsewhere tells whether a reason is no news of one tenant: it passes by itself, or the TenantClass or the ClerkInstance says so.
func isToldElsewhere(reason string) bool {
	switch reason {
	case v1alpha1.ReasonProgressing, v1alpha1.ReasonTenantClassInvalid, v1alpha1.ReasonInstanceInvalid, v1alpha1.ReasonInstanceNotFound:
		return true
	}
	return false
}

// observe times how long the members' changes took to reach the RoleBindings, as they were at the first look.
func (v *visit) observe(first *visit, revoked, granted time.Time) {
	held, due := first.heldBefore(), v.dueNow()
	for _, member := range v.have.members {
		changed, timed := v.stopwatch.stop(member.Name)
		subject := v.want.subjects[member.Name]
		if !timed || subject == "" {
			continue
		}
		if !includesAll(due[subject], held[subject]) {
			metrics.RevocationSeconds.Observe(max(0, revoked.Sub(changed).Seconds()))
		}
		if !v.want.frozen && !includesAll(held[subject], due[subject]) {
			metrics.GrantSeconds.Observe(max(0, granted.Sub(changed).Seconds()))
		}
	}
}

// access is, by subject, the set of namespaces and ClusterRoles.
type access map[string]map[string]bool

func (a access) add(subject, namespace, clusterRole string) {
	if a[subject] == nil {
		a[subject] = map[string]bool{}
	}
	a[subject][namespace+"/"+clusterRole] = true
}

// heldBefore is the access that the RoleBindings gave when they were looked at.
func (v *visit) heldBefore() access {
	held := access{}
	for namespace, bindings := range v.have.bindings {
		for _, binding := range bindings {
			for _, subject := range binding.Subjects {
				held.add(subject.Name, namespace, binding.RoleRef.Name)
			}
		}
	}
	return held
}

// dueNow is the access that the RoleBindings should give.
func (v *visit) dueNow() access {
	due := access{}
	for i, namespace := range v.filled {
		if namespace == "" {
			continue
		}
		for role, subjects := range v.grants[i] {
			for subject := range subjects {
				due.add(subject, namespace, role)
			}
		}
	}
	return due
}

func includesAll(all, some map[string]bool) bool {
	for key := range some {
		if !all[key] {
			return false
		}
	}
	return true
}
