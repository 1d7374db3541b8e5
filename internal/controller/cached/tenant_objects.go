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
	"sync"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

const (
	// maxKeptBytes bounds what is kept of all objects in one namespace together: 290 full RoleBindings, which is 145,000 grants.
	maxKeptBytes = 16 << 20

	// maxKeptPolicies bounds the NetworkPolicies that are kept in one namespace: twice of what a class can give, since those of a class that
	// no longer counts are there until they are removed.
	maxKeptPolicies = 64
)

// TenantObjects decides what the cache keeps of the objects that the operator has in namespaces: see Options. In each namespace it keeps
// no more than the operator can have there, and it counts what is held without content.
type TenantObjects struct {
	shared *shared

	mu         sync.Mutex
	namespaces map[string]*keptContent
}

// keptContent is what is kept with its content in one namespace.
type keptContent struct {
	objects         map[types.UID]int // their sizes in bytes
	bytes, policies int
}

// NewTenantObjects makes one, for one cache.
func NewTenantObjects() *TenantObjects {
	return &TenantObjects{namespaces: map[string]*keptContent{}, shared: newShared()}
}

// keep is the cache's transform. It may see an object twice.
func (c *TenantObjects) keep(stored any) (any, error) {
	object, ok := stored.(client.Object)
	if !ok {
		return stored, nil // a tombstone of the cache itself
	}
	reduced := wasReducedHere(object)
	keepMetadata(object)
	kind, fits := contentFits(object)
	if fits && !reduced && c.claim(object) {
		if binding, ok := object.(*rbacv1.RoleBinding); ok {
			c.shared.binding(binding)
		}
		return object, nil
	}
	c.release(object)
	if !reduced {
		metrics.CacheReduced.WithLabelValues(kind).Inc()
	}
	dropContent(object)
	return object, nil
}

// claim takes an object into what is kept in its namespace, in place of what was kept of it before. It refuses what is too much.
func (c *TenantObjects) claim(object client.Object) bool {
	size := 0
	if sized, ok := object.(interface{ Size() int }); ok {
		size = sized.Size()
	}
	policies := countPolicy(object)
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.namespaces[object.GetNamespace()]
	if kept == nil {
		kept = &keptContent{objects: map[types.UID]int{}}
		c.namespaces[object.GetNamespace()] = kept
	}
	before, known := kept.objects[object.GetUID()]
	if known {
		policies = 0
	}
	if kept.bytes-before+size > maxKeptBytes || kept.policies+policies > maxKeptPolicies {
		return false
	}
	kept.objects[object.GetUID()] = size
	kept.bytes += size - before
	kept.policies += policies
	return true
}

// release makes room for others: the object is gone, or is no longer kept with its content.
func (c *TenantObjects) release(object client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.namespaces[object.GetNamespace()]
	if kept == nil {
		return
	}
	size, known := kept.objects[object.GetUID()]
	if !known {
		return
	}
	delete(kept.objects, object.GetUID())
	kept.bytes -= size
	kept.policies -= countPolicy(object)
	if len(kept.objects) == 0 {
		delete(c.namespaces, object.GetNamespace())
	}
}

func countPolicy(object client.Object) int {
	if _, isPolicy := object.(*networkingv1.NetworkPolicy); isPolicy {
		return 1
	}
	return 0
}

// Follow lets it know what goes from the cache.
func (c *TenantObjects) Follow(ctx context.Context, informers cache.Informers) error {
	for _, kind := range TenantKinds() {
		if _, isNamespace := kind.(*corev1.Namespace); isNamespace {
			continue // only a cluster administrator writes those
		}
		name, _ := contentFits(kind)
		metrics.CacheReducedObjects.WithLabelValues(name) // so that it is there from the start
		informer, err := informers.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(c); err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}

// OnAdd implements toolscache.ResourceEventHandler.
func (c *TenantObjects) OnAdd(added any, _ bool) { countReduced(added, 1) }

// OnUpdate implements toolscache.ResourceEventHandler.
func (c *TenantObjects) OnUpdate(before, after any) {
	countReduced(before, -1)
	countReduced(after, 1)
}

// OnDelete implements toolscache.ResourceEventHandler.
func (c *TenantObjects) OnDelete(deleted any) {
	if unseen, ok := deleted.(toolscache.DeletedFinalStateUnknown); ok {
		deleted = unseen.Obj
	}
	countReduced(deleted, -1)
	if object, ok := deleted.(client.Object); ok {
		c.release(object)
	}
}

func countReduced(stored any, change float64) {
	if object, ok := stored.(client.Object); ok && IsReduced(object) {
		kind, _ := contentFits(object)
		metrics.CacheReducedObjects.WithLabelValues(kind).Add(change)
	}
}
