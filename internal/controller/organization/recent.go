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
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// recentFor is how long a write is remembered that the cache does not show. A watch is behind by milliseconds, and by some seconds when it
// has to be begun anew.
const recentFor = 10 * time.Second

// recentWrites remembers, for each organization, what was just written of its namespaces and RoleBindings until the cache shows it. Without
// that, the next look would make a second namespace, or would not see the grant that it has to take away.
type recentWrites struct {
	now func() time.Time

	mu      sync.Mutex
	written map[types.UID]map[types.UID]recentWrite // by organization, by object
}

// recentWrite is an object as it was written, or deleted.
type recentWrite struct {
	object  client.Object // nil where it is gone
	at      time.Time
	version uint64
}

// put remembers an object as the API server returned it.
func (r *recentWrites) put(organization types.UID, object client.Object) {
	r.remember(organization, object.GetUID(), recentWrite{object: object, at: r.now(), version: versionOf(object)})
}

// remove remembers that an object is gone.
func (r *recentWrites) remove(organization, object types.UID) {
	r.remember(organization, object, recentWrite{at: r.now()})
}

func (r *recentWrites) remember(organization, object types.UID, write recentWrite) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written == nil {
		r.written = map[types.UID]map[types.UID]recentWrite{}
	}
	if r.written[organization] == nil {
		r.written[organization] = map[types.UID]recentWrite{}
	}
	r.written[organization][object] = write
}

// forget drops all of an organization.
func (r *recentWrites) forget(organization types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, organization)
}

// lose drops what was written of an object that the cache has lost since: somebody deleted it, or took its label away, before anybody
// looked. Otherwise it would be taken for one that the cache has yet to see.
func (r *recentWrites) lose(object client.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for organization, written := range r.written {
		if write, known := written[object.GetUID()]; known && versionOf(object) > write.version {
			delete(written, object.GetUID())
		}
		if len(written) == 0 {
			delete(r.written, organization)
		}
	}
}

// isOwn tells whether an object is exactly what this process wrote: the look that followed the write has seen it, and another one would
// find nothing.
func (r *recentWrites) isOwn(object client.Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, written := range r.written {
		if write, known := written[object.GetUID()]; known {
			return write.object != nil && write.object.GetResourceVersion() == object.GetResourceVersion()
		}
	}
	return false
}

// pending is how long the last of an organization's writes that the cache has yet to show will be remembered; 0 if there is none. By then
// the organization has to be looked at again: the event that would have said otherwise may have been missed.
func (r *recentWrites) pending(organization types.UID) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last time.Duration
	for _, write := range r.written[organization] {
		if write.object == nil {
			continue // an object that is gone never comes back
		}
		last = max(last, write.at.Add(recentFor+time.Millisecond).Sub(r.now()))
	}
	return last
}

// latest are the objects of one kind as the cache has them or, where that is newer, as they were written. What the cache shows by now is
// forgotten.
func latest[O client.Object](r *recentWrites, organization types.UID, cached []O) []O {
	r.mu.Lock()
	defer r.mu.Unlock()
	written := r.written[organization]
	if len(written) == 0 {
		return cached
	}
	result := make([]O, 0, len(cached))
	seen := map[types.UID]bool{}
	for _, object := range cached {
		seen[object.GetUID()] = true
		write, known := written[object.GetUID()]
		switch {
		case !known:
			result = append(result, object)
		case write.object == nil:
			// It is gone, though the cache has yet to see that.
		case versionOf(object) >= write.version:
			delete(written, object.GetUID())
			result = append(result, object)
		default:
			result = append(result, write.object.(O))
		}
	}
	for uid, write := range written {
		if r.now().Sub(write.at) > recentFor {
			delete(written, uid)
			continue
		}
		if object, ofKind := write.object.(O); ofKind && !seen[uid] {
			result = append(result, object)
		}
	}
	return result
}

// versionOf is an object's resourceVersion as a number, as which Kubernetes lets it be compared; 0 where it is none.
func versionOf(object client.Object) uint64 {
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return version
}
