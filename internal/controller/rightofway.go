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
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rightOfWay lets access go first. A member's status tells of access and changes none, yet it costs the API server more than the
// RoleBinding that it tells of: when many organizations come at once, some would wait for access while others' statuses are written.
// Where access never rests, statuses come at statusRate all the same: they tell people what they wait for.
type rightOfWay struct {
	rate *rate.Limiter // nil: no status comes before patience ends

	mu    sync.Mutex
	busy  int
	quiet chan struct{} // closed when nobody is busy any longer; nil while nobody is
}

// take says that access is being changed until the function that it returns is called.
func (w *rightOfWay) take() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == 0 {
		w.quiet = make(chan struct{})
	}
	w.busy++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy--
		if w.busy == 0 {
			close(w.quiet)
			w.quiet = nil
		}
	}
}

// give waits for a moment in which no access is being changed, though never longer than patience, and tells whether it had to.
func (w *rightOfWay) give(ctx context.Context, patience time.Duration) (waited bool) {
	w.mu.Lock()
	quiet := w.quiet
	w.mu.Unlock()
	if quiet == nil {
		return false
	}
	if w.rate != nil {
		turn := w.rate.Reserve()
		patience = min(patience, turn.Delay())
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-quiet:
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}
