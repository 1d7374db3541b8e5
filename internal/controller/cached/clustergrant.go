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
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// ClusterSituation is that of a ClusterGrant. The ClusterRoleBindings have to be read before: what another replica takes out of one after
// that is a conflict for whoever decided without knowing why.
func (g *Gatherer) ClusterSituation(
	ctx context.Context, grant *v1alpha1.ClusterGrant, bindings []*rbacv1.ClusterRoleBinding, allowed []string,
) (*tenant.ClusterSituation, error) {
	rule, _ := g.Expressions.ClusterGrant(grant) // a rule that does not compile says so itself
	s := &tenant.ClusterSituation{Grant: grant, Rule: rule, Allowed: allowed, Bindings: bindings}
	var err error
	if s.Instance, err = g.Expressions.Instance(ctx, g.Reader, grant.Spec.InstanceRef.Name); err != nil {
		return nil, err
	}
	s.Organizations = make([]tenant.NamedOrganization, len(grant.Spec.OrganizationIDs))
	for at, id := range grant.Spec.OrganizationIDs {
		organization, err := g.namedOrganization(ctx, grant.Spec.InstanceRef.Name, id)
		if err != nil || organization == nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		s.Organizations[at].Object = organization
		if s.Organizations[at].Subscription, err = subscriptionOf(ctx, g.Reader, s.Instance, organization); err != nil {
			return nil, err
		}
		if s.Organizations[at].Domains, err = domainsOf(ctx, g.Reader, organization); err != nil {
			return nil, err
		}
		if s.Organizations[at].Memberships, err = g.memberships(ctx, organization); err != nil {
			return nil, err
		}
	}
	s.Now = g.Now() // after all of it was read: what has ended by now has
	return s, nil
}

// ClusterGrantEnd is when a user loses what a ClusterGrant gives them by their memberships; nil if that does not end by itself, or is not
// to be. Memberships that it is not about are passed over.
func (e *Expressions) ClusterGrantEnd(
	ctx context.Context, reader client.Reader, grant *v1alpha1.ClusterGrant, memberships []*v1alpha1.ClerkMember, now time.Time,
) (*time.Time, error) {
	rule, _ := e.ClusterGrant(grant) // one that does not compile gives nothing
	var end *time.Time
	isGiven := false
	for _, member := range memberships {
		spec := &member.Spec
		if spec.Instance != grant.Spec.InstanceRef.Name || !slices.Contains(grant.Spec.OrganizationIDs, spec.OrganizationID) {
			continue
		}
		facts, err := e.MemberFacts(ctx, reader, member, now)
		if err != nil {
			return nil, err
		}
		given := tenant.Given{}
		if facts.MayBeGiven() {
			given = facts.Given(rule)
		}
		switch {
		case given.Holds && isGiven:
			end = tenant.LongerEnd(end, given.Until)
		case given.Holds:
			end, isGiven = given.Until, true
		}
	}
	return end, nil
}

// namedOrganization is the organization with an id that a ClerkInstance speaks of, nil if there is none.
func (g *Gatherer) namedOrganization(ctx context.Context, instance, id string) (*v1alpha1.ClerkOrganization, error) {
	var organization v1alpha1.ClerkOrganization
	err := g.Reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(instance, id)}, &organization)
	switch {
	case apierrors.IsNotFound(err), err == nil && (organization.Spec.ID != id || organization.Spec.Instance != instance):
		return nil, nil //nolint:nilnil // nothing is an answer
	case err != nil:
		return nil, fmt.Errorf("read an organization of a ClusterGrant: %w", err)
	}
	return &organization, nil
}

// OwningGrants are the names of the ClusterGrants that a ClusterRoleBinding belongs to by its owners and its label.
func OwningGrants(binding *rbacv1.ClusterRoleBinding) []string {
	var names []string
	for _, owner := range binding.OwnerReferences {
		if isClusterGrant(owner) {
			names = append(names, owner.Name)
		}
	}
	if name := tenant.GrantOfBinding(binding); name != "" {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isClusterGrant(owner metav1.OwnerReference) bool {
	return owner.Kind == v1alpha1.KindClusterGrant && owner.APIVersion == v1alpha1.GroupVersion.String()
}

// keepClusterBinding is the cache's transform for ClusterRoleBindings. Where the guards are switched off, others may write the operator's
// label on theirs: no more is kept than the operator could have written.
func keepClusterBinding(stored any) (any, error) {
	binding, ok := stored.(*rbacv1.ClusterRoleBinding)
	if !ok {
		return stored, nil // a tombstone of the cache itself
	}
	reduced := wasReducedHere(binding)
	owners := binding.OwnerReferences
	keepMetadata(binding, v1alpha1.ClusterGrantLabel)
	owners = slices.DeleteFunc(slices.Clone(owners), func(owner metav1.OwnerReference) bool { return !isClusterGrant(owner) })
	binding.OwnerReferences = slices.Clip(owners[:min(len(owners), maxOwners)])
	fits := len(binding.Subjects) <= maxBindingSubjects && len(binding.RoleRef.Name) <= maxRoleNameBytes && binding.Size() <= maxBindingBytes
	if fits && !reduced {
		return binding, nil
	}
	if !reduced {
		metrics.CacheReduced.WithLabelValues("ClusterRoleBinding").Inc()
	}
	dropContent(binding)
	return binding, nil
}
