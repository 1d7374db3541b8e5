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

package cached

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Gatherer gathers what it depends on what an organization should have.
type Gatherer struct {
	// Reader has the indexes of this package.
	Reader client.Reader

	Expressions       *Expressions
	OperatorNamespace string

	// Now is the clock.
	Now func() time.Time

	// LatestRoleBindings and LatestNamespaces add what was written since the reader saw it. Nil where there is nothing of that kind.
	LatestRoleBindings func([]*rbacv1.RoleBinding) []*rbacv1.RoleBinding
	LatestNamespaces   func([]*corev1.Namespace) []*corev1.Namespace
}

// Situation is that of an organization.
func (g *Gatherer) Situation(ctx context.Context, organization *v1alpha1.ClerkOrganization) (*tenant.Situation, error) {
	s := &tenant.Situation{Organization: organization, OperatorNamespace: g.OperatorNamespace}
	id := organization.Spec.ID
	// RoleBindings come before all that decides about access. What another replica takes out of one after that is a conflict for whoever
	// decided without knowing why.
	bindings, err := Items[rbacv1.RoleBindingList](ctx, g.Reader, ByOrganization, id)
	if err != nil {
		return nil, err
	}
	s.RoleBindings = withLatest(Pointers(bindings.Items), g.LatestRoleBindings)
	if s.Instance, err = g.Expressions.Instance(ctx, g.Reader, organization.Spec.Instance); err != nil {
		return nil, err
	}
	if s.Classes, err = g.Expressions.Classes(ctx, g.Reader); err != nil {
		return nil, err
	}
	if s.Memberships, err = g.memberships(ctx, organization); err != nil {
		return nil, err
	}
	if s.Subscription, err = subscriptionOf(ctx, g.Reader, s.Instance, organization); err != nil {
		return nil, err
	}
	if s.Domains, err = domainsOf(ctx, g.Reader, organization); err != nil {
		return nil, err
	}
	namespaces, err := Items[corev1.NamespaceList](ctx, g.Reader, ByOrganization, id)
	if err != nil {
		return nil, err
	}
	s.Namespaces = withLatest(Pointers(namespaces.Items), g.LatestNamespaces)
	all, err := Items[v1alpha1.ClerkOrganizationList](ctx, g.Reader, ByOrganization, id)
	if err != nil {
		return nil, err
	}
	s.IsOnlyOne = !slices.ContainsFunc(all.Items, func(other v1alpha1.ClerkOrganization) bool { return other.UID != organization.UID })
	s.Now = g.Now() // after all of it was read: what has ended by now has
	return s, nil
}

func withLatest[O client.Object](known []O, latest func([]O) []O) []O {
	if latest == nil {
		return known
	}
	return latest(known)
}

// subscriptionOf is what is known of an organization's plan.
func subscriptionOf(
	ctx context.Context, reader client.Reader, instance tenant.Instance, organization *v1alpha1.ClerkOrganization,
) (tenant.Subscription, error) {
	items, err := Items[v1alpha1.ClerkSubscriptionItemList](ctx, reader, ByOrganization,
		Scoped(organization.Spec.Instance, organization.Spec.ID))
	if err != nil {
		return tenant.Subscription{}, err
	}
	return tenant.Subscription{Items: Pointers(items.Items), Plans: instance.Plans()}, nil
}

// domainsOf are all that an organization claims.
func domainsOf(
	ctx context.Context, reader client.Reader, organization *v1alpha1.ClerkOrganization,
) ([]*v1alpha1.ClerkOrganizationDomain, error) {
	domains, err := Items[v1alpha1.ClerkOrganizationDomainList](ctx, reader, ByOrganization,
		Scoped(organization.Spec.Instance, organization.Spec.ID))
	if err != nil {
		return nil, err
	}
	return Pointers(domains.Items), nil
}

// memberships are the organization's, with what is known of each: nothing, where the organization is deleted, since nobody has access.
func (g *Gatherer) memberships(ctx context.Context, organization *v1alpha1.ClerkOrganization) ([]tenant.Membership, error) {
	members, err := Items[v1alpha1.ClerkMemberList](ctx, g.Reader, ByOrganization,
		Scoped(organization.Spec.Instance, organization.Spec.ID))
	if err != nil {
		return nil, err
	}
	memberships, registry := make([]tenant.Membership, len(members.Items)), NewRegistry(g.Reader)
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
