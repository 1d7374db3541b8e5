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

package write

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// statusRate is how many statuses are written a second meanwhile. Each costs the API server some 7 ms of its time.
	statusRate = 10

	// statusPatience is how long a status gives way to access. It bounds how old statuses get where organizations never stop changing.
	statusPatience = time.Second
)

// StatusGate lets access go first. A member's status tells of access and changes none, yet it costs the API server more than the
// RoleBinding that it tells of: when many organizations come at once, some would wait for access while others' statuses are written. So do
// statuses while a resync mirrors what it found, which is of more use than what is to be said of the rest.
// Where access never rests, statuses come at statusRate all the same: they tell people what they wait for.
type StatusGate struct {
	rate *rate.Limiter // nil: no status comes before patience ends

	mu    sync.Mutex
	busy  int
	quiet chan struct{} // closed when nobody is busy any longer; nil while nobody is
}

// NewStatusGate returns a StatusGate.
func NewStatusGate() *StatusGate { return &StatusGate{rate: rate.NewLimiter(statusRate, 1)} }

// Begin says that something is being written that statuses wait for, until the function that it returns is called: access is being changed,
// or what a resync found is being mirrored.
func (g *StatusGate) Begin() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy == 0 {
		g.quiet = make(chan struct{})
	}
	g.busy++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.busy--
		if g.busy == 0 {
			close(g.quiet)
			g.quiet = nil
		}
	}
}

// IsBusy tells whether something of that kind is being written.
func (g *StatusGate) IsBusy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy > 0
}

// Wait waits until a status may be written, and tells whether it had to.
func (g *StatusGate) Wait(ctx context.Context) (waited bool) { return g.wait(ctx, statusPatience) }

// wait waits for a moment in which nothing of that kind is, though never longer than patience, and tells whether it had to.
func (g *StatusGate) wait(ctx context.Context, patience time.Duration) (waited bool) {
	g.mu.Lock()
	quiet := g.quiet
	g.mu.Unlock()
	if quiet == nil {
		return false
	}
	if g.rate != nil {
		turn := g.rate.Reserve()
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
