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
	"runtime"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// labelled is the metadata of an object that looks like the operator's.
func labelled(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), ResourceVersion: "1234567",
		Labels: map[string]string{v1alpha1.OrganizationIDLabel: "org_2g7np7Hrk0SN6kj5EDMLDaKNL0S", v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClerkOrganization", Name: "org-2g7np7hrk0sn6kj5edmldaknl0s", UID: "uid"}},
	}
}

// full is a RoleBinding with as much as is kept of one.
func full(namespace, name string) *rbacv1.RoleBinding {
	binding := &rbacv1.RoleBinding{ObjectMeta: labelled(namespace, name)}
	for i := range maxBindingSubjects {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: "User", Name: fmt.Sprintf("%0200d", i)})
	}
	return binding
}

// keptOf says whether the cache keeps the content of an object that it is shown.
func keptOf(t *testing.T, tenants *TenantObjects, object client.Object) bool {
	t.Helper()
	kept, err := tenants.keep(object)
	if err != nil {
		t.Fatal(err)
	}
	return !IsReduced(kept.(client.Object))
}

func TestOfANamespaceNoMoreIsKeptThanTheOperatorCanHaveThere(t *testing.T) {
	for name, build := range map[string]func(namespace, name string) client.Object{
		"RoleBindings of a copied owner": func(namespace, name string) client.Object { return full(namespace, name) },
		"NetworkPolicies": func(namespace, name string) client.Object {
			return &networkingv1.NetworkPolicy{ObjectMeta: labelled(namespace, name)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const flood = 1000
			tenants, kept := NewTenantObjects(), []client.Object{}
			for i := range flood {
				if object := build("attacker", fmt.Sprint(i)); keptOf(t, tenants, object) {
					kept = append(kept, object)
				}
			}
			if len(kept) < 32 || len(kept) == flood {
				t.Fatalf("%d of %d are kept", len(kept), flood)
			}
			if !keptOf(t, tenants, build("attacker", kept[0].GetName())) {
				t.Error("what is kept is no longer kept when it is seen again")
			}
			if !keptOf(t, tenants, build("victim", "clerk:admin")) {
				t.Error("what is in another namespace is not kept")
			}
			if keptOf(t, tenants, build("attacker", "one-more")) {
				t.Fatal("there is still room")
			}
			tenants.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: kept[0]})
			if !keptOf(t, tenants, build("attacker", "one-more")) {
				t.Error("what goes leaves no room")
			}
			for _, object := range append(kept[1:], build("attacker", "one-more"), build("victim", "clerk:admin")) {
				tenants.OnDelete(object)
			}
			if len(tenants.namespaces) > 0 {
				t.Errorf("of namespaces without any object something is held: %v", tenants.namespaces)
			}
		})
	}
}

// Somebody who may write annotations must not have the operator overlook whom a RoleBinding names.
func TestNobodyElseCanMarkAnObjectAsReduced(t *testing.T) {
	binding := &rbacv1.RoleBinding{ObjectMeta: labelled("tenant", "clerk:admin"), Subjects: subjects(3)}
	binding.Annotations = map[string]string{ReducedAnnotation: ""}
	if !keptOf(t, NewTenantObjects(), binding) || len(binding.Subjects) != 3 {
		t.Errorf("it is kept as %+v", binding)
	}
}

func TestWhatIsReducedIsCountedWhileItIsThere(t *testing.T) {
	count := func() float64 {
		t.Helper()
		var gauge dto.Metric
		if err := metrics.CacheReducedObjects.WithLabelValues("RoleBinding").Write(&gauge); err != nil {
			t.Fatal(err)
		}
		return gauge.GetGauge().GetValue()
	}
	before := count()
	want := func(more float64) {
		t.Helper()
		if have := count() - before; have != more {
			t.Errorf("%v are counted, want %v", have, more)
		}
	}
	tenants := NewTenantObjects()
	small, large := &rbacv1.RoleBinding{ObjectMeta: labelled("tenant", "a")}, &rbacv1.RoleBinding{ObjectMeta: labelled("tenant", "a")}
	large.Subjects = make([]rbacv1.Subject, maxBindingSubjects+1)
	keptOf(t, tenants, small)
	keptOf(t, tenants, large)
	tenants.OnAdd(small, true)
	want(0)
	tenants.OnUpdate(small, large)
	want(1)
	tenants.OnUpdate(large, large)
	want(1)
	tenants.OnDelete(large)
	want(0)
}

// TestAReducedObjectCostsLittleMemory holds as many as it needs for a measurement in the store that informers have, with their index. What
// one costs bounds how many an attacker needs: docs/security.md says so, and an alert comes far before.
func TestAReducedObjectCostsLittleMemory(t *testing.T) {
	const (
		objects = 20000
		most    = 2 << 10
	)
	tenants := NewTenantObjects()
	store := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{
		ByOrganization: func(object any) ([]string, error) {
			return nonEmpty(object.(client.Object).GetLabels()[v1alpha1.OrganizationIDLabel]), nil
		},
	})
	before := heap()
	for i := range objects {
		binding := &rbacv1.RoleBinding{ObjectMeta: labelled("a-tenant-of-a-usual-name", fmt.Sprintf("%s-%06d", strings.Repeat("long-", 10), i))}
		binding.OwnerReferences, binding.Subjects = nil, []rbacv1.Subject{{Name: fmt.Sprintf("%04000d", i)}}
		binding.Finalizers = []string{strings.Repeat("a", maxFinalizerBytes), strings.Repeat("b", maxFinalizerBytes)}
		if keptOf(t, tenants, binding) {
			t.Fatal("it is not reduced")
		}
		if err := store.Add(binding); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / objects
	t.Logf("a reduced RoleBinding takes %d bytes: 100,000 take %d MiB", each, each*100000>>20)
	if each > most {
		t.Errorf("that is more than %d bytes", most)
	}
	runtime.KeepAlive(store)
}

func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
