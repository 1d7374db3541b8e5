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

package organization

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// markRight records that an object of the organization is as it should be.
func (e *enforcement) markRight(name, namespace, kind string, want any) {
	e.drift.markRight(e.organization().UID, objectKey(kind, namespace, name), hashOf(want))
}

// unmark records that an object is no longer wanted.
func (e *enforcement) unmark(name, namespace, kind string) {
	e.drift.unmark(e.organization().UID, objectKey(kind, namespace, name))
}

// reportDrift counts and tells that an object is about to be put right, if somebody else is why it has to be.
func (e *enforcement) reportDrift(ctx context.Context, name, namespace, kind string, want any) {
	if !e.drift.isDrift(e.organization().UID, objectKey(kind, namespace, name), hashOf(want)) {
		return
	}
	metrics.DriftRepaired.WithLabelValues(kind).Inc()
	if namespace == "" {
		name = "" // a namespace's own
	}
	e.tell(ctx, e.organization(), driftRepaired(kind, name))
}

func objectKey(kind, namespace, name string) string {
	return kind + "/" + namespace + "/" + name
}

// driftDetector remembers, for each object of a tenant, what it should have been when it last was right. If the same should be and no
// longer is, somebody else changed it: drift. It serves the count of repairs alone; nothing is decided by it.
type driftDetector struct {
	mu    sync.Mutex
	right map[types.UID]map[string]uint64
}

// markRight records that an object is as it should be.
func (d *driftDetector) markRight(organization types.UID, object string, hash uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.right == nil {
		d.right = map[types.UID]map[string]uint64{}
	}
	if d.right[organization] == nil {
		d.right[organization] = map[string]uint64{}
	}
	d.right[organization][object] = hash
}

// isDrift tells whether an object that is not as it should be once was, by the same measure.
func (d *driftDetector) isDrift(organization types.UID, object string, hash uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	right, known := d.right[organization][object]
	return known && right == hash
}

func (d *driftDetector) unmark(organization types.UID, object string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.right[organization], object)
}

func (d *driftDetector) forget(organization types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.right, organization)
}

// hashOf is equal for equal values; maps are written in the order of their keys.
func hashOf(value any) uint64 {
	hash := fnv.New64a()
	if err := json.NewEncoder(hash).Encode(value); err != nil {
		return 0
	}
	return hash.Sum64()
}
