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
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// gather reads from the cache, and from what was just written, all that it depends on what an organization should have, and the policies
// that there are.
func (r *Reconciler) gather(
	ctx context.Context, organization *v1alpha1.ClerkOrganization,
) (*tenant.Situation, *policies, error) {
	s := &tenant.Situation{Organization: organization, OperatorNamespace: r.OperatorNamespace}
	id := organization.Spec.ID
	// RoleBindings come before all that decides about access. What another replica takes out of one after that is a conflict for whoever
	// decided without knowing why.
	bindings, err := cached.Items[rbacv1.RoleBindingList](ctx, r.Client, cached.ByOrganization, id)
	if err != nil {
		return nil, nil, err
	}
	s.RoleBindings = latest(&r.recent, organization.UID, cached.Pointers(bindings.Items))
	if s.Instance, err = r.Expressions.Instance(ctx, r.Client, organization.Spec.Instance); err != nil {
		return nil, nil, err
	}
	if s.Classes, err = r.Expressions.Classes(ctx, r.Client); err != nil {
		return nil, nil, err
	}
	if s.Memberships, err = r.memberships(ctx, organization); err != nil {
		return nil, nil, err
	}
	namespaces, err := cached.Items[corev1.NamespaceList](ctx, r.Client, cached.ByOrganization, id)
	if err != nil {
		return nil, nil, err
	}
	// Without what was just written, a slug that changes right after the organization was made would make it a second namespace.
	s.Namespaces = latest(&r.recent, organization.UID, cached.Pointers(namespaces.Items))
	all, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByOrganization, id)
	if err != nil {
		return nil, nil, err
	}
	s.IsOnlyOne = !slices.ContainsFunc(all.Items, func(other v1alpha1.ClerkOrganization) bool { return other.UID != organization.UID })
	policies, err := r.policies(ctx, id)
	return s, policies, err
}

// memberships are the organization's, with what is known of each: nothing, where the organization is deleted, since nobody has access.
func (r *Reconciler) memberships(ctx context.Context, organization *v1alpha1.ClerkOrganization) ([]tenant.Membership, error) {
	members, err := cached.Items[v1alpha1.ClerkMemberList](ctx, r.Client, cached.ByOrganization,
		cached.Scoped(organization.Spec.Instance, organization.Spec.ID))
	if err != nil {
		return nil, err
	}
	memberships, registry := make([]tenant.Membership, len(members.Items)), cached.NewRegistry(r.Client)
	for i := range members.Items {
		memberships[i].ClerkMember = &members.Items[i]
		if organization.Spec.DeletedAt != nil {
			continue
		}
		if memberships[i].Standing, err = registry.StandingOf(ctx, &members.Items[i]); err != nil {
			return nil, err
		}
	}
	return memberships, nil
}

// policies are what limits an organization's namespaces, by namespace.
type policies struct {
	quotas, limits, networkPolicies map[string][]client.Object
}

func (r *Reconciler) policies(ctx context.Context, organizationID string) (*policies, error) {
	quotas, err := cached.Items[corev1.ResourceQuotaList](ctx, r.Client, cached.ByOrganization, organizationID)
	if err != nil {
		return nil, err
	}
	limits, err := cached.Items[corev1.LimitRangeList](ctx, r.Client, cached.ByOrganization, organizationID)
	if err != nil {
		return nil, err
	}
	networkPolicies, err := cached.Items[networkingv1.NetworkPolicyList](ctx, r.Client, cached.ByOrganization, organizationID)
	if err != nil {
		return nil, err
	}
	return &policies{
		quotas: byNamespace(cached.Pointers(quotas.Items)), limits: byNamespace(cached.Pointers(limits.Items)),
		networkPolicies: byNamespace(cached.Pointers(networkPolicies.Items)),
	}, nil
}

func byNamespace[P client.Object](objects []P) map[string][]client.Object {
	grouped := map[string][]client.Object{}
	for _, object := range objects {
		grouped[object.GetNamespace()] = append(grouped[object.GetNamespace()], object)
	}
	return grouped
}
