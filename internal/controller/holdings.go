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
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// holdings are what an organization has in the cluster. All but the namespaces are by namespace.
type holdings struct {
	namespaces      []corev1.Namespace
	bindings        map[string][]*rbacv1.RoleBinding
	quotas          map[string][]client.Object
	limits          map[string][]client.Object
	networkPolicies map[string][]client.Object
}

func (r *organizationReconciler) holdings(ctx context.Context, organization *v1alpha1.ClerkOrganization) (holdings, error) {
	id := organization.Spec.ID
	var have holdings
	namespaces, err := items[corev1.NamespaceList](ctx, r.client, byOrganization, id)
	if err != nil {
		return have, err
	}
	bindings, err := items[rbacv1.RoleBindingList](ctx, r.client, byOrganization, id)
	if err != nil {
		return have, err
	}
	quotas, err := items[corev1.ResourceQuotaList](ctx, r.client, byOrganization, id)
	if err != nil {
		return have, err
	}
	limits, err := items[corev1.LimitRangeList](ctx, r.client, byOrganization, id)
	if err != nil {
		return have, err
	}
	policies, err := items[networkingv1.NetworkPolicyList](ctx, r.client, byOrganization, id)
	if err != nil {
		return have, err
	}
	have.quotas = byNamespace[client.Object](pointers(quotas.Items))
	have.limits = byNamespace[client.Object](pointers(limits.Items))
	have.networkPolicies = byNamespace[client.Object](pointers(policies.Items))
	have.namespaces, err = r.ownNamespaces(ctx, organization, namespaces.Items)
	labelled := latest(&r.recent, organization.UID, pointers(bindings.Items))
	have.bindings = byNamespace[*rbacv1.RoleBinding](concerning(organization.UID, have.namespaces, labelled))
	return have, err
}

// maxForeignBindings is how many RoleBindings that are not the organization's by their owner are looked at in one pass. A member who may
// write RoleBindings could label thousands, and the organization would do nothing but delete them. Each deletion brings about another pass.
const maxForeignBindings = 32

// concerning are the RoleBindings that an organization looks at: those that it owns, wherever they are, before some others that have its
// label, in its own namespaces alone. Elsewhere the label says nothing: it may be there to keep the organization busy.
func concerning(owner types.UID, namespaces []corev1.Namespace, labelled []*rbacv1.RoleBinding) []*rbacv1.RoleBinding {
	own := map[string]bool{}
	for i := range namespaces {
		own[namespaces[i].Name] = true
	}
	var owned, foreign []*rbacv1.RoleBinding
	for _, binding := range labelled {
		switch {
		case tenant.IsOwnedBy(binding, owner):
			owned = append(owned, binding)
		case own[binding.Namespace] && len(foreign) < maxForeignBindings:
			foreign = append(foreign, binding)
		}
	}
	return append(owned, foreign...)
}

func pointers[T any](values []T) []*T {
	result := make([]*T, len(values))
	for i := range values {
		result[i] = &values[i]
	}
	return result
}

func byNamespace[O client.Object, P client.Object](objects []P) map[string][]O {
	grouped := map[string][]O{}
	for _, object := range objects {
		grouped[object.GetNamespace()] = append(grouped[object.GetNamespace()], any(object).(O))
	}
	return grouped
}

// ownNamespaces are the organization's namespaces: those that the cache has, and those just made that it has yet to see. Without
// the latter, a slug that changes right after the organization was made would make it a second namespace.
func (r *organizationReconciler) ownNamespaces(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, cached []corev1.Namespace,
) ([]corev1.Namespace, error) {
	adopts, err := r.isOnlyOne(ctx, organization)
	if err != nil {
		return nil, err
	}
	var own []corev1.Namespace
	for _, namespace := range latest(&r.recent, organization.UID, pointers(cached)) {
		mine := isOf(namespace, organization) && (adopts || namespace.Labels[v1alpha1.InstanceLabel] != "")
		if mine && !tenant.Protected(namespace.Name, r.operatorNamespace) {
			own = append(own, *namespace)
		}
	}
	return own, nil
}

// isOf tells whether a namespace's labels say that it is an organization's, or would be if no other ClerkInstance spoke of that id.
func isOf(namespace *corev1.Namespace, organization *v1alpha1.ClerkOrganization) bool {
	instance := namespace.Labels[v1alpha1.InstanceLabel]
	return namespace.Labels[v1alpha1.OrganizationIDLabel] == organization.Spec.ID &&
		(instance == "" || instance == organization.Spec.Instance)
}

// isOnlyOne tells whether no other ClerkInstance speaks of an organization of the same id: a namespace with the id alone is then meant
// for this one.
func (r *organizationReconciler) isOnlyOne(ctx context.Context, organization *v1alpha1.ClerkOrganization) (bool, error) {
	all, err := items[v1alpha1.ClerkOrganizationList](ctx, r.client, byOrganization, organization.Spec.ID)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(all.Items, func(other v1alpha1.ClerkOrganization) bool { return other.UID != organization.UID }), nil
}

// remove deletes an object, if it is still the one that was seen.
func (r *organizationReconciler) remove(ctx context.Context, object client.Object, uid types.UID) error {
	err := r.client.Delete(ctx, object, client.Preconditions{UID: &uid}, client.DisableReadYourWritesConsistency)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
