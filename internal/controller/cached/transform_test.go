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
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// hugeMetadata is as much as the API server takes, around the operator's own labels.
func hugeMetadata(owned bool) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name: "any", Namespace: "tenant", UID: "uid", ResourceVersion: "1",
		Labels:      map[string]string{v1alpha1.OrganizationIDLabel: "org_1", v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
		Annotations: map[string]string{"example.com/a": strings.Repeat("a", 200<<10)},
	}
	for i := range 2000 {
		meta.Labels[fmt.Sprintf("example.com/l%d", i)] = "x"
		meta.Finalizers = append(meta.Finalizers, fmt.Sprintf("example.com/f%d", i))
		meta.OwnerReferences = append(meta.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", UID: "a"})
		if owned {
			meta.OwnerReferences = append(meta.OwnerReferences, metav1.OwnerReference{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClerkOrganization", UID: "b"})
		}
	}
	return meta
}

func subjects(count int) []rbacv1.Subject {
	return make([]rbacv1.Subject, count)
}

func TestNothingLargeIsKeptInTheCacheWhoeverWroteIt(t *testing.T) {
	const small = 4 << 10
	for name, test := range map[string]struct {
		object  client.Object
		reduced bool
	}{
		"a RoleBinding of an organization": {&rbacv1.RoleBinding{ObjectMeta: hugeMetadata(true), Subjects: subjects(3)}, false},
		"one that nobody owns":             {&rbacv1.RoleBinding{ObjectMeta: hugeMetadata(false), Subjects: subjects(3)}, true},
		"one with too many subjects":       {&rbacv1.RoleBinding{ObjectMeta: hugeMetadata(true), Subjects: subjects(80000)}, true},
		"one with a long ClusterRole": {&rbacv1.RoleBinding{ObjectMeta: hugeMetadata(true),
			RoleRef: rbacv1.RoleRef{Name: strings.Repeat("a", 1<<20)}}, true},
		"a NetworkPolicy": {&networkingv1.NetworkPolicy{ObjectMeta: hugeMetadata(false)}, false},
		"one with 80,000 empty rules": {&networkingv1.NetworkPolicy{ObjectMeta: hugeMetadata(false),
			Spec: networkingv1.NetworkPolicySpec{Ingress: make([]networkingv1.NetworkPolicyIngressRule, 80000)}}, true},
		"a ResourceQuota of another name": {&corev1.ResourceQuota{ObjectMeta: hugeMetadata(false)}, true},
		"a LimitRange of another name":    {&corev1.LimitRange{ObjectMeta: hugeMetadata(false)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tenants := NewTenantObjects()
			for range 2 { // the cache may hand it over again
				kept, err := tenants.keep(test.object)
				if err != nil {
					t.Fatal(err)
				}
				object := kept.(client.Object)
				if size := kept.(interface{ Size() int }).Size(); size > small {
					t.Errorf("%d bytes are kept", size)
				}
				if IsReduced(object) != test.reduced {
					t.Errorf("reduced: %t, want %t", IsReduced(object), test.reduced)
				}
				if object.GetUID() != "uid" || object.GetResourceVersion() != "1" || len(object.GetLabels()) != 2 {
					t.Errorf("it is no longer known what it is: %v", object)
				}
			}
		})
	}
}

func TestOfANamespaceAndASecretOnlyWhatIsNeededIsKept(t *testing.T) {
	meta := hugeMetadata(false)
	meta.Annotations[v1alpha1.ManagedMetadataAnnotation] = `{"annotations":["example.com/class"]}`
	meta.Annotations["example.com/class"] = "gold"
	kept, _ := keepNamespace(&corev1.Namespace{ObjectMeta: meta})
	annotations := kept.(*corev1.Namespace).Annotations
	if len(annotations) != 2 || annotations["example.com/class"] != "gold" {
		t.Errorf("%d annotations are kept", len(annotations))
	}
	kept, _ = keepSecret(&corev1.Secret{Data: map[string][]byte{"endpoint": []byte("whsec_a"), "release": make([]byte, 1<<20)}})
	if data := kept.(*corev1.Secret).Data; len(data) != 1 || string(data["endpoint"]) != "whsec_a" {
		t.Errorf("%d values are kept", len(data))
	}
}
