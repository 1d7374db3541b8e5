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

package controller

import (
	"encoding/json"
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// ledger remembers, for each object of a tenant, what it should have been when it last was right. If the same should be and no
// longer is, somebody else changed it: drift. It serves the count of repairs alone; nothing is decided by it.
type ledger struct {
	mu      sync.Mutex
	settled map[types.UID]map[string]uint64
}

// settle records that an object is as it should be.
func (l *ledger) settle(organization types.UID, object string, hash uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled == nil {
		l.settled = map[types.UID]map[string]uint64{}
	}
	if l.settled[organization] == nil {
		l.settled[organization] = map[string]uint64{}
	}
	l.settled[organization][object] = hash
}

// drifted tells whether an object that is not as it should be once was, by the same measure.
func (l *ledger) drifted(organization types.UID, object string, hash uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	settled, known := l.settled[organization][object]
	return known && settled == hash
}

func (l *ledger) unsettle(organization types.UID, object string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.settled[organization], object)
}

func (l *ledger) forget(organization types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.settled, organization)
}

// hashOf is equal for equal values; maps are written in the order of their keys.
func hashOf(value any) uint64 {
	hash := fnv.New64a()
	if err := json.NewEncoder(hash).Encode(value); err != nil {
		return 0
	}
	return hash.Sum64()
}

// maxPending bounds the changes whose way to the cluster is timed at once; more are handled but not timed.
const maxPending = 100_000

// stopwatch remembers which memberships changed and when, by Clerk's clock, until the change has reached the RoleBindings.
type stopwatch struct {
	mu      sync.Mutex
	pending map[string]time.Time
}

// start begins to time the change of a member.
func (s *stopwatch) start(member string, changed time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[string]time.Time{}
	}
	if len(s.pending) < maxPending {
		s.pending[member] = changed
	}
}

// stop ends the timing of a member's change; false if none is timed.
func (s *stopwatch) stop(member string) (changed time.Time, timed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, timed = s.pending[member]
	delete(s.pending, member)
	return changed, timed
}
