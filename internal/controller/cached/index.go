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

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Field indexes: what the caches are asked by.
const (
	// ByOrganization finds what belongs to an organization by its Clerk id: itself, namespaces and what is in them; members, subscription
	// items, and ClusterGrants that name it, by the id within a ClerkInstance.
	ByOrganization = "organization"

	// ByOwner finds the RoleBindings that a ClerkOrganization owns, by its name.
	ByOwner = "owner"

	// ByUser finds the ClerkMembers of a user by its Clerk id.
	ByUser = "user"

	// ByKey finds, within a ClerkInstance, the ClerkMembers that carry a role's key, and the ClerkRoles that have it or formerly had it.
	ByKey = "key"

	// ByPermission finds, within a ClerkInstance, the ClerkRoles that have a permission, by the permission's Clerk id.
	ByPermission = "permission"

	// ByID finds, within a ClerkInstance, the ClerkUser or ClerkPermission with a Clerk id.
	ByID = "id"

	// ByClass finds the ClerkOrganizations that a TenantClass serves.
	ByClass = "class"

	// ByInstance finds the ClerkOrganizations, ClerkUsers and ClusterGrants of a ClerkInstance.
	ByInstance = "instance"

	// BySecret finds the ClerkInstances that read a Secret.
	BySecret = "secret"
)

// TenantKinds are the kinds that an organization has in the cluster, all marked with its id.
func TenantKinds() []client.Object {
	return []client.Object{
		&corev1.Namespace{}, &rbacv1.RoleBinding{}, &corev1.ResourceQuota{}, &corev1.LimitRange{}, &networkingv1.NetworkPolicy{},
	}
}

// AddIndexes adds them to the caches.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	type index struct {
		object client.Object
		field  string
		values client.IndexerFunc
	}
	indexes := []index{
		{&v1alpha1.ClerkMember{}, ByOrganization, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkMember).Spec
			return scopedAll(spec.Instance, nonEmpty(spec.OrganizationID))
		}},
		{&v1alpha1.ClerkMember{}, ByUser, func(object client.Object) []string {
			return nonEmpty(object.(*v1alpha1.ClerkMember).Spec.UserID)
		}},
		{&rbacv1.RoleBinding{}, ByOwner, OwnersOf},
		{&v1alpha1.ClerkMember{}, ByKey, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkMember).Spec
			if spec.Role == "" {
				return nil
			}
			return []string{Scoped(spec.Instance, spec.Role)}
		}},
		{&v1alpha1.ClerkUser{}, ByID, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkUser).Spec
			return []string{Scoped(spec.Instance, spec.ID)}
		}},
		{&v1alpha1.ClerkUser{}, ByInstance, instanceOf},
		{&v1alpha1.ClerkRole{}, ByKey, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkRole).Spec
			return scopedAll(spec.Instance, keysOf(spec))
		}},
		{&v1alpha1.ClerkRole{}, ByPermission, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkRole).Spec
			ids := make([]string, len(spec.Permissions))
			for i := range spec.Permissions {
				ids[i] = spec.Permissions[i].ID
			}
			return scopedAll(spec.Instance, ids)
		}},
		{&v1alpha1.ClerkPermission{}, ByID, func(object client.Object) []string {
			spec := &object.(*v1alpha1.ClerkPermission).Spec
			return []string{Scoped(spec.Instance, spec.ID)}
		}},
		{&v1alpha1.ClerkSubscriptionItem{}, ByOrganization, organizationOfItem},
		{&v1alpha1.ClerkOrganizationDomain{}, ByOrganization, organizationOfDomain},
		{&v1alpha1.ClerkOrganization{}, ByOrganization, func(object client.Object) []string {
			return nonEmpty(object.(*v1alpha1.ClerkOrganization).Spec.ID)
		}},
		{&v1alpha1.ClerkOrganization{}, ByClass, func(object client.Object) []string {
			return nonEmpty(object.(*v1alpha1.ClerkOrganization).Status.ClassName)
		}},
		{&v1alpha1.ClerkOrganization{}, ByInstance, instanceOf},
		{&v1alpha1.ClusterGrant{}, ByOrganization, organizationsOfGrant},
		{&v1alpha1.ClusterGrant{}, ByInstance, func(object client.Object) []string {
			return []string{object.(*v1alpha1.ClusterGrant).Spec.InstanceRef.Name}
		}},
		{&v1alpha1.ClerkInstance{}, BySecret, func(object client.Object) []string {
			return nonEmpty(object.(*v1alpha1.ClerkInstance).Spec.Webhook.SigningSecretRef.Name)
		}},
	}
	for _, kind := range TenantKinds() {
		indexes = append(indexes, index{kind, ByOrganization, func(object client.Object) []string {
			return nonEmpty(object.GetLabels()[v1alpha1.OrganizationIDLabel])
		}})
	}
	for _, i := range indexes {
		if err := indexer.IndexField(ctx, i.object, i.field, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

func organizationOfItem(object client.Object) []string {
	spec := &object.(*v1alpha1.ClerkSubscriptionItem).Spec
	return scopedAll(spec.Instance, nonEmpty(spec.OrganizationID))
}

func organizationOfDomain(object client.Object) []string {
	spec := &object.(*v1alpha1.ClerkOrganizationDomain).Spec
	return scopedAll(spec.Instance, nonEmpty(spec.OrganizationID))
}

// instanceOf is the ClerkInstance that a mirrored object was heard from.
func instanceOf(object client.Object) []string {
	return nonEmpty(object.(v1alpha1.Mirrored).GetEntity().Instance)
}

func organizationsOfGrant(object client.Object) []string {
	spec := &object.(*v1alpha1.ClusterGrant).Spec
	return scopedAll(spec.InstanceRef.Name, spec.OrganizationIDs)
}

// Scoped is a value of an index that holds within a ClerkInstance. No instance's name has a '/'.
func Scoped(instance, value string) string { return instance + "/" + value }

func scopedAll(instance string, values []string) []string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = Scoped(instance, value)
	}
	return all
}

// anyKey stands in the index for the key of a role that may have had any: which ones it had is known no longer.
const anyKey = ""

// keysOf are all keys that a role has or had.
func keysOf(role *v1alpha1.ClerkRoleSpec) []string {
	if role.KeysDropped != nil {
		return []string{anyKey}
	}
	keys := nonEmpty(role.Key)
	for _, seen := range role.Keys {
		if seen.Key != role.Key {
			keys = append(keys, seen.Key)
		}
	}
	return keys
}

// OwnersOf are the names of the ClerkOrganizations that own an object.
func OwnersOf(object client.Object) []string {
	var names []string
	for _, reference := range object.GetOwnerReferences() {
		if reference.Kind == v1alpha1.KindOrganization && reference.APIVersion == v1alpha1.GroupVersion.String() {
			names = append(names, reference.Name)
		}
	}
	return names
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// Items lists what the cache holds of a kind for one value of an index. The objects are the cache's own: they are not to be
// changed. It waits for no write to come back: whatever the cache has yet to see will cause another reconciliation.
func Items[L any, P interface {
	*L
	client.ObjectList
}](ctx context.Context, reader client.Reader, field, value string) (*L, error) {
	list := P(new(L))
	err := reader.List(ctx, list, client.MatchingFields{field: value}, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	if err != nil {
		return nil, fmt.Errorf("list %T of %s %s: %w", list, field, value, err)
	}
	return (*L)(list), nil
}

// Pointers are the addresses of the elements of a slice.
func Pointers[T any](values []T) []*T {
	result := make([]*T, len(values))
	for i := range values {
		result[i] = &values[i]
	}
	return result
}
