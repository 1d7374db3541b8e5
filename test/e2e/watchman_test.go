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

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// watchman sees every state of every RoleBinding of an organization, of every ClusterRoleBinding of a ClusterGrant, and of the domains that
// an organization's namespaces list, also those that last for a moment, and knows who and what may be in them.
type watchman struct {
	stop context.CancelFunc

	mu      sync.Mutex
	permits map[string]*permit // by organization, or by what staffKey says; what is of no other concern has none
	wrongs  []string
}

// permit is what an organization's RoleBindings and namespaces, or the ClusterRoleBindings of a ClusterGrant, may grant; it counts for
// states newer than a version.
type permit struct {
	grants map[grant]bool
	after  int64
}

func startWatchman(t tester) *watchman {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	guard := &watchman{stop: stop, permits: map[string]*permit{}}
	var list rbacv1.RoleBindingList
	if err := cluster.List(ctx, &list, client.HasLabels{v1alpha1.OrganizationIDLabel}); err != nil {
		t.Fatalf("list RoleBindings: %v", err)
	}
	clusterBindings, err := listClusterBindings(ctx)
	if err != nil {
		t.Fatalf("list ClusterRoleBindings: %v", err)
	}
	var namespaces corev1.NamespaceList
	if err := cluster.List(ctx, &namespaces, client.HasLabels{v1alpha1.OrganizationIDLabel}); err != nil {
		t.Fatalf("list namespaces: %v", err)
	}
	go guard.watch(ctx, &rbacv1.RoleBindingList{}, list.ResourceVersion, v1alpha1.OrganizationIDLabel)
	go guard.watch(ctx, &rbacv1.ClusterRoleBindingList{}, clusterBindings.ResourceVersion, v1alpha1.ClusterGrantLabel)
	go guard.watch(ctx, &corev1.NamespaceList{}, namespaces.ResourceVersion, v1alpha1.OrganizationIDLabel)
	return guard
}

// watch looks on until ctx ends; a watch that breaks is taken up where it broke.
func (g *watchman) watch(ctx context.Context, kind client.ObjectList, from, label string) {
	for ctx.Err() == nil {
		stream, err := cluster.Watch(ctx, kind, client.HasLabels{label},
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: from}})
		if err != nil {
			continue
		}
		for event := range stream.ResultChan() {
			binding := roleBindingOf(event.Object)
			if binding == nil {
				break
			}
			from = binding.ResourceVersion
			if event.Type != watch.Deleted {
				g.see(binding, cmp.Or(binding.Labels[v1alpha1.OrganizationIDLabel], staffKey(binding.Labels[v1alpha1.ClusterGrantLabel])))
			}
		}
		stream.Stop()
	}
}

// roleBindingOf is a RoleBinding; or a ClusterRoleBinding as one of no namespace; or what a namespace lists as one in it, with the domains
// as subjects. It is nil for anything else.
func roleBindingOf(object runtime.Object) *rbacv1.RoleBinding {
	switch binding := object.(type) {
	case *rbacv1.RoleBinding:
		return binding
	case *rbacv1.ClusterRoleBinding:
		return &rbacv1.RoleBinding{ObjectMeta: binding.ObjectMeta, Subjects: binding.Subjects, RoleRef: binding.RoleRef}
	case *corev1.Namespace:
		listed := &rbacv1.RoleBinding{ObjectMeta: binding.ObjectMeta, RoleRef: rbacv1.RoleRef{Name: listing}}
		listed.Namespace = binding.Name
		for _, domain := range listedDomains(binding.Annotations) {
			listed.Subjects = append(listed.Subjects, rbacv1.Subject{Name: domain})
		}
		return listed
	}
	return nil
}

// see takes note of a state of a RoleBinding; id says whose permit it needs.
func (g *watchman) see(binding *rbacv1.RoleBinding, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if isImpostor(binding.Labels) {
		return // see checkBorders
	}
	may := g.permits[id]
	if may == nil || version(binding.ResourceVersion) <= may.after {
		return
	}
	for _, s := range binding.Subjects {
		if strings.HasPrefix(s.Name, intruder) {
			continue // somebody else has let them in: the cluster does not agree before they are out
		}
		if !may.grants[grant{id, s.Name, binding.RoleRef.Name}] {
			g.wrongs = append(g.wrongs, fmt.Sprintf("%s was bound to %s in %s, of %s", s.Name, binding.RoleRef.Name, binding.Namespace, id))
		}
	}
}

// allow permits further grants.
func (g *watchman) allow(id string, further map[grant]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.permits[id] == nil {
		g.permits[id] = &permit{grants: map[grant]bool{}}
	}
	maps.Copy(g.permits[id].grants, further)
}

// permitOnly permits nothing but these grants from a version on.
func (g *watchman) permitOnly(id string, only map[grant]bool, after string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.permits[id] = &permit{grants: only, after: version(after)}
}

func (g *watchman) violations() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.wrongs...)
}

// version reads a resource version, which since Kubernetes 1.35 is a number that grows.
func version(resourceVersion string) int64 {
	number, err := strconv.ParseInt(resourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return number
}
