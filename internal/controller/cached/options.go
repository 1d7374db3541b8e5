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

// Package cached is what the operator keeps in memory of the cluster: what of each object, by what it is found, and what it means.
package cached

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Options keep in memory what is the operator's business and nothing else: of the tenants' kinds those objects that are marked
// with an organization, as far as the operator can have written them, Secrets from one namespace alone, and never the managed fields.
func Options(namespace string, tenants *TenantObjects) cache.Options {
	ofAnOrganization := requirement(v1alpha1.OrganizationIDLabel, selection.Exists)
	madeByUs := requirement(v1alpha1.ManagedByLabel, selection.Equals, v1alpha1.ManagedBy)
	marked := cache.ByObject{Label: labels.NewSelector().Add(ofAnOrganization), Transform: keepNamespace}
	ours := cache.ByObject{Label: labels.NewSelector().Add(ofAnOrganization, madeByUs), Transform: tenants.keep}
	mirrored := cache.ByObject{Transform: tenants.shared.keep}
	ofAGrant := cache.ByObject{
		Label:     labels.NewSelector().Add(requirement(v1alpha1.ClusterGrantLabel, selection.Exists), madeByUs),
		Transform: keepClusterBinding,
	}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Namespace{}:                 marked,
			&rbacv1.RoleBinding{}:               ours,
			&corev1.ResourceQuota{}:             ours,
			&corev1.LimitRange{}:                ours,
			&networkingv1.NetworkPolicy{}:       ours,
			&corev1.Secret{}:                    {Namespaces: map[string]cache.Config{namespace: {}}, Transform: keepSecret},
			&v1alpha1.ClerkInstance{}:           {},
			&v1alpha1.ClerkOrganization{}:       mirrored,
			&v1alpha1.ClerkMember{}:             mirrored,
			&v1alpha1.ClerkUser{}:               mirrored,
			&v1alpha1.ClerkRole{}:               mirrored,
			&v1alpha1.ClerkPermission{}:         mirrored,
			&v1alpha1.ClerkSubscriptionItem{}:   mirrored,
			&v1alpha1.ClerkOrganizationDomain{}: mirrored,
			&v1alpha1.TenantClass{}:             {},
			&v1alpha1.ClusterGrant{}:            {},
			&rbacv1.ClusterRoleBinding{}:        ofAGrant, // watched only where ClusterGrants are carried out
		},
	}
}

// requirement is one of the operator's own labels as a selector takes it.
func requirement(key string, operator selection.Operator, values ...string) labels.Requirement {
	parsed, err := labels.NewRequirement(key, operator, values)
	if err != nil {
		panic(err) // the labels are constants
	}
	return *parsed
}
