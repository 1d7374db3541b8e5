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

package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// What should be is compared with what the API server stores. Where the two differ for any other reason than drift, every look
// would find drift and write.
func TestWhatAClassAsksForIsWhatTheAPIServerStores(t *testing.T) {
	t.Parallel()
	entries := map[string]struct{ reason, entry string }{
		"quota": {"", "resourceQuota: {hard: {requests.cpu: '8', requests.memory: 16Gi, pods: '50', count/secrets: '9'}}"},
		"quota, odd quantities": {
			"quantities below a thousandth are rounded up, and written in other ways",
			"resourceQuota: {hard: {requests.cpu: 100u, limits.cpu: 1500m, requests.memory: 1024Mi, limits.memory: '1e9', requests.storage: 0.5Gi}}",
		},
		"quota with scopes": {
			"", "resourceQuota: {hard: {pods: 5}, scopes: [NotTerminating], scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: Exists}]}}",
		},
		"empty quota": {"", "resourceQuota: {}"},
		"limits": {
			"", "limitRange: {limits: [{type: Container, default: {cpu: 500m, memory: 512Mi}, defaultRequest: {cpu: 100m, memory: 128Mi}}]}",
		},
		"limits, maximum": {"the default limit is the maximum", "limitRange: {limits: [{type: Container, max: {cpu: '2', memory: 1Gi}}]}"},
		"limits, minimum": {"the default request is the minimum", "limitRange: {limits: [{type: Container, min: {cpu: 10m, memory: 1Mi}}]}"},
		"limits, all": {
			"", "limitRange: {limits: [{type: Container, max: {cpu: '2', memory: 1Gi}, min: {cpu: 10m, memory: 1Mi}, default: {cpu: '1'}, " +
				"defaultRequest: {memory: 2Mi}, maxLimitRequestRatio: {cpu: '200'}}, {type: Pod, max: {cpu: '4'}}, " +
				"{type: PersistentVolumeClaim, min: {storage: 100u}, max: {storage: 1Ti}}]}",
		},
		"limits, odd": {"", "limitRange: {limits: [{type: Container, max: {cpu: 100u}}]}"},
		"policy, empty": {
			"a policy without rules lets nothing in", "networkPolicies: [{name: p, spec: {podSelector: {}}}]",
		},
		"policy, ingress": {
			"", "networkPolicies: [{name: p, spec: {podSelector: {matchLabels: {a: b}}, ingress: [{}, {from: [{podSelector: {}}], ports: [{port: 80}, " +
				"{port: http, protocol: UDP}, {port: 1, endPort: 9}, {}]}]}}]",
		},
		"policy, egress": {
			"", "networkPolicies: [{name: p, spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 53}]}]}}]",
		},
		"policy, both": {"", "networkPolicies: [{name: p, spec: {podSelector: {}, ingress: [{}], egress: [{}]}}]"},
		"policy, egress alone": {
			"", "networkPolicies: [{name: p, spec: {podSelector: {}, policyTypes: [Egress], egress: []}}]",
		},
		"policy, empty lists": {"", "networkPolicies: [{name: p, spec: {podSelector: {matchExpressions: []}, ingress: [], egress: []}}]"},
		"policy, selectors": {
			"", "networkPolicies: [{name: p, spec: {podSelector: {matchExpressions: [{key: a, operator: In, values: [c, b]}]}, " +
				"ingress: [{from: [{namespaceSelector: {matchLabels: {x: '${organization.id}'}}, podSelector: {}}]}]}}]",
		},
	}
	for name, tc := range entries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, want := range rendered(t, "{name: a, "+tc.entry+"}") {
				name := newName()
				for _, object := range []client.Object{
					&corev1.Namespace{},
					&corev1.ResourceQuota{Spec: deref(want.ResourceQuota)},
					&corev1.LimitRange{Spec: deref(want.LimitRange)},
					&networkingv1.NetworkPolicy{Spec: want.NetworkPolicies["p"]},
				} {
					object.SetName(name)
					object.SetNamespace(name)
					if _, isNamespace := object.(*corev1.Namespace); isNamespace {
						object.SetNamespace("")
					}
					if isAskedFor(object, want) {
						store(t, object)
					}
				}
				checkStored(t, name, want)
			}
		})
	}
}

// rendered is what an organization gets by an entry of a class that went through the API server.
func rendered(t *testing.T, entry string) []tenant.Namespace {
	t.Helper()
	name := newName()
	if err := apply(t.Context(), "TenantClass", name, "{namespaces: ["+entry+"]}"); err != nil {
		t.Fatal(err)
	}
	class, err := tenant.CompileClass(get[v1alpha1.TenantClass](t, name))
	if err != nil {
		t.Fatal(err)
	}
	namespaces, err := class.Render(tenant.OrganizationOf(&v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: "org-2a"}, Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_2A"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	return namespaces
}

func deref[T any](pointer *T) T {
	if pointer == nil {
		return *new(T)
	}
	return *pointer
}

func isAskedFor(object client.Object, want tenant.Namespace) bool {
	switch object.(type) {
	case *corev1.ResourceQuota:
		return want.ResourceQuota != nil
	case *corev1.LimitRange:
		return want.LimitRange != nil
	case *networkingv1.NetworkPolicy:
		return len(want.NetworkPolicies) > 0
	}
	return true
}

func store(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.Create(t.Context(), object.DeepCopyObject().(client.Object)); err != nil {
		t.Fatal(err)
	}
}

func checkStored(t *testing.T, namespace string, want tenant.Namespace) {
	t.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: namespace}
	var quota corev1.ResourceQuota
	var limits corev1.LimitRange
	var policy networkingv1.NetworkPolicy
	for _, object := range []client.Object{&quota, &limits, &policy} {
		if err := cluster.Get(t.Context(), key, object); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	compare(t, deref(want.ResourceQuota), quota.Spec)
	compare(t, deref(want.LimitRange), limits.Spec)
	compare(t, want.NetworkPolicies["p"], policy.Spec)
}

func compare(t *testing.T, want, got any) {
	t.Helper()
	if !equality.Semantic.DeepEqual(want, got) {
		t.Errorf("the API server stores something else (-want +got):\n%s", cmp.Diff(want, got))
	}
}
