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

package watch

import (
	"sync"
	"time"
)

// maxPending bounds the changes whose way to the cluster is timed at once; more are handled but not timed.
const maxPending = 100_000

// Timer remembers which memberships changed and when, by Clerk's clock, until the change has reached the RoleBindings.
type Timer struct {
	mu      sync.Mutex
	pending map[string]time.Time
}

// Start begins to time the change of a member.
func (t *Timer) Start(member string, changed time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending == nil {
		t.pending = map[string]time.Time{}
	}
	if len(t.pending) < maxPending {
		t.pending[member] = changed
	}
}

// Stop ends the timing of a member's change; false if none is timed.
func (t *Timer) Stop(member string) (changed time.Time, timed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed, timed = t.pending[member]
	delete(t.pending, member)
	return changed, timed
}
