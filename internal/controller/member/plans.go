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

package member

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// membersOfItem are the members of the organization that has a subscription item, where the plan may decide what the class that serves it
// gives: their statuses say what that comes to, also where no RoleBinding changes.
func (r *Reconciler) membersOfItem(ctx context.Context, item *v1alpha1.ClerkSubscriptionItem) []string {
	var organization v1alpha1.ClerkOrganization
	name := v1alpha1.ObjectName(item.Spec.Instance, item.Spec.OrganizationID)
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &organization, client.DisableReadYourWritesConsistency)
	if err != nil {
		return nil
	}
	return r.membersIfByPlan(ctx, &organization)
}

// membersIfByPlan are the members of an organization, where the plan may decide what the class that serves it gives.
func (r *Reconciler) membersIfByPlan(ctx context.Context, organization *v1alpha1.ClerkOrganization) []string {
	if !r.isServedBy(ctx, organization, tenant.MayNeedPlan) {
		return nil
	}
	everyone := func(*v1alpha1.ClerkMember) bool { return true }
	return r.members(ctx, cached.Scoped(organization.Spec.Instance, organization.Spec.ID), everyone)
}

// membersByPlan are the members of all organizations of a ClerkInstance for whom plans may decide.
func (r *Reconciler) membersByPlan(ctx context.Context, instance client.Object) []string {
	organizations, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByInstance, instance.GetName())
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	var names []string
	for i := range organizations.Items {
		names = append(names, r.membersIfByPlan(ctx, &organizations.Items[i])...)
	}
	return names
}
