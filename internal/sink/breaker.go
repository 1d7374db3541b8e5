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

package sink

import (
	"sync"
	"time"
)

// breaker keeps deliveries from a target that does not take any. It opens after some failures in a row; after a while it lets one through,
// and closes again when that is taken.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time
	probing  bool
}

// closed tells whether a delivery has a chance. It changes nothing: nobody without a signing secret moves a breaker.
func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passes()
}

// enter lets a delivery through, or not. Who is let through says with done how it went.
func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.passes() {
		return false
	}
	b.probing = b.failures >= breakerThreshold
	return true
}

func (b *breaker) passes() bool {
	return b.failures < breakerThreshold || !b.probing && !b.now().Before(b.until)
}

// verdict is what a delivery says of its target.
type verdict int

const (
	// untold: nothing was sent, or it says nothing of the target.
	untold verdict = iota
	// well: the target answers, if only to refuse one event.
	well
	// failing: the target does not answer, or says itself that it cannot.
	failing
)

func (b *breaker) done(told verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch told {
	case well:
		b.failures, b.pause = 0, 0
	case failing:
		b.failures++
		if b.failures < breakerThreshold {
			return
		}
		b.pause = min(max(2*b.pause, breakerFirst), breakerLast)
		b.until = b.now().Add(b.pause)
	}
}

func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= breakerThreshold
}
