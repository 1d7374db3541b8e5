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

package kubectl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// pageSize is how many objects are asked for at a time, as kubectl does.
const pageSize = 500

// listing is a kind to list.
type listing struct {
	list client.ObjectList

	// label, if set, is one that only what has it is asked for.
	label string

	// optional: what the caller may not list, or the cluster does not know yet, is left out, and noted.
	optional bool
}

// mirrored are the kinds that say who should have what.
func mirrored() []listing {
	return []listing{
		{list: &v1alpha1.ClerkInstanceList{}}, {list: &v1alpha1.TenantClassList{}}, {list: &v1alpha1.ClerkOrganizationList{}},
		{list: &v1alpha1.ClerkMemberList{}}, {list: &v1alpha1.ClerkUserList{}}, {list: &v1alpha1.ClerkRoleList{}},
		{list: &v1alpha1.ClerkPermissionList{}}, {list: &v1alpha1.ClerkSubscriptionItemList{}},
		{list: &v1alpha1.ClerkOrganizationDomainList{}},
	}
}

// bound are namespaces and RoleBindings of organizations.
func bound() []listing {
	return ofOrganizations(&corev1.NamespaceList{}, &rbacv1.RoleBindingList{})
}

// everywhere are ClusterGrants, and the ClusterRoleBindings by which they give something in the whole cluster.
func everywhere() []listing {
	return []listing{
		{list: &v1alpha1.ClusterGrantList{}}, {list: &rbacv1.ClusterRoleBindingList{}, label: v1alpha1.ClusterGrantLabel},
	}
}

// limiting are the kinds that limit namespaces of organizations.
func limiting() []listing {
	return ofOrganizations(&corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}, &networkingv1.NetworkPolicyList{})
}

// ofOrganizations are kinds of which only what is marked with an organization is listed.
func ofOrganizations(lists ...client.ObjectList) []listing {
	listings := make([]listing, len(lists))
	for i, list := range lists {
		listings[i] = listing{list: list, label: v1alpha1.OrganizationIDLabel}
	}
	return listings
}

func optional(listings []listing) []listing {
	listings = slices.Clone(listings)
	for i := range listings {
		listings[i].optional = true
	}
	return listings
}

// load lists kinds, all at once, with the caller's rights.
func load(ctx context.Context, reader client.Reader, groups ...[]listing) (*snapshot, error) {
	s, err := newSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	listings := slices.Concat(groups...)
	failures := make([]error, len(listings))
	var waiting sync.WaitGroup
	for i := range listings {
		waiting.Go(func() { failures[i] = listAll(ctx, reader, listings[i]) })
	}
	waiting.Wait()
	for _, failure := range failures {
		if unanswered, ok := errors.AsType[*url.Error](failure); ok { // once, though each kind met it
			return nil, fmt.Errorf("the API server does not answer: %w: try kubectl cluster-info, or another context with --context", unanswered.Err)
		}
	}
	for i, listing := range listings {
		switch {
		case failures[i] != nil && listing.optional && (apierrors.IsForbidden(failures[i]) || isUnknownKind(failures[i])):
			s.unread[resourceOf(listing.list)], failures[i] = failures[i], nil
			continue
		case failures[i] != nil:
			failures[i] = explainList(failures[i], listing.list)
			continue
		}
		err := meta.EachListItem(listing.list, func(item runtime.Object) error {
			object := item.(client.Object)
			s.objects[kindOf(object)] = append(s.objects[kindOf(object)], object)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s, errors.Join(failures...)
}

// isUnknownKind tells whether the cluster has no such kind, as where it was installed for an older version.
func isUnknownKind(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// listAll lists a kind page by page into the listing's own list.
func listAll(ctx context.Context, reader client.Reader, listing listing) error {
	options := []client.ListOption{client.Limit(pageSize)}
	if listing.label != "" {
		options = append(options, client.HasLabels{listing.label})
	}
	var items []runtime.Object
	page := listing.list.DeepCopyObject().(client.ObjectList)
	for {
		if err := reader.List(ctx, page, options...); err != nil {
			return err
		}
		found, err := meta.ExtractList(page)
		if err != nil {
			return err
		}
		items = append(items, found...)
		if page.GetContinue() == "" {
			return meta.SetList(listing.list, items)
		}
		options = append(options, client.Continue(page.GetContinue()))
		page = listing.list.DeepCopyObject().(client.ObjectList)
	}
}

// explainList says what to do where a kind cannot be listed.
func explainList(err error, list client.ObjectList) error {
	resource := resourceOf(list)
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server does not accept your credentials (401), so %s are not listed: log in again, or look at another "+
			"context with --context", resource)
	case apierrors.IsForbidden(err) && isOwn(list):
		return fmt.Errorf("you may not list %s: ask for the ClusterRole clerk-operator-viewer", resource)
	case apierrors.IsForbidden(err) && scopeOf(kindOfItem(list)) == meta.RESTScopeRoot:
		return fmt.Errorf("you may not list %s: ask for the verb list on it, in a ClusterRole", resource)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not list %s of all namespaces: ask for the verb list on it, in a ClusterRole", resource)
	case apierrors.IsNotFound(err) && isOwn(list):
		return fmt.Errorf("the cluster does not know %s: install clerk-operator, or look at another context with --context", resource)
	}
	return fmt.Errorf("list %s: %w", resource, err)
}

func isOwn(list client.ObjectList) bool { return kindOfList(list).Group == v1alpha1.GroupVersion.Group }

func kindOfList(list client.ObjectList) schema.GroupVersionKind {
	kinds, _, err := scheme.ObjectKinds(list)
	if err != nil {
		panic(err) // every kind that is listed here is in the scheme
	}
	return kinds[0]
}

// resourceOf is how kubectl calls a kind: clerkmembers.clerk-operator.io.
func resourceOf(list client.ObjectList) string {
	plural, _ := meta.UnsafeGuessKindToResource(kindOfItem(list))
	return plural.GroupResource().String()
}

func kindOfItem(list client.ObjectList) schema.GroupVersionKind {
	kind := kindOfList(list)
	kind.Kind = kind.Kind[:len(kind.Kind)-len("List")]
	return kind
}
