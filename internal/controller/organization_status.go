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
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

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
	configuration.Conditions = condition.Configurations(status.Conditions)
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
	wasReady, oldReason := condition.IsReady(before.Conditions)
	nowReady, newReason := condition.IsReady(after.Conditions)
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

// recordDurations times how long the members' changes took to reach the RoleBindings, which gave the access in held before.
func (e *enforcement) recordDurations(held tenant.Access, revoked, granted time.Time) {
	due := e.intent.Due()
	for _, membership := range e.situation.Memberships {
		changed, timed := e.stopwatch.stop(membership.Name)
		subject := e.intent.Subjects[membership.Name]
		if !timed || subject == "" {
			continue
		}
		if held.Loses(due, subject) {
			metrics.RevocationSeconds.Observe(max(0, revoked.Sub(changed).Seconds()))
		}
		if !e.intent.Frozen && held.Gains(due, subject) {
			metrics.GrantSeconds.Observe(max(0, granted.Sub(changed).Seconds()))
		}
	}
}
