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
	gatherer := cached.Gatherer{
		Reader: r.Client, Expressions: r.Expressions, OperatorNamespace: r.OperatorNamespace, Now: r.Now,
		LatestRoleBindings: func(known []*rbacv1.RoleBinding) []*rbacv1.RoleBinding {
			return latest(&r.recent, organization.UID, known)
		},
		// Without what was just written, a slug that changes right after the organization was made would make it a second namespace.
		LatestNamespaces: func(known []*corev1.Namespace) []*corev1.Namespace {
			return latest(&r.recent, organization.UID, known)
		},
	}
	situation, err := gatherer.Situation(ctx, organization)
	if err != nil {
		return nil, nil, err
	}
	situation.Removal = r.sweeper.removal(organization.Name)
	policies, err := r.policies(ctx, organization.Spec.ID)
	return situation, policies, err
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
