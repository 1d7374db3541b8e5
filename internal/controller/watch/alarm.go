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
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// longestSleep is how long an alarm sleeps at a time: after it, the clock may say something else than expected, as in a virtual machine
// that was halted.
const longestSleep = time.Minute

// Alarms have objects looked at again when the next of the grants by them ends. A reconciliation that asked for that itself would have it
// only where nothing fails; and in the work queue, what waits for its end would give every other change of the object its priority.
type Alarms struct {
	// Now is the clock.
	Now func() time.Time

	// Delay is how long after the end the object is looked at.
	Delay time.Duration

	mu    sync.Mutex
	queue Queue
	set   map[string]*alarm
}

type alarm struct {
	at    time.Time
	timer *time.Timer
}

// Source has the alarms enqueue into a controller's work queue. None is set before it starts: its reconciliations set them.
func (a *Alarms) Source() source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		a.mu.Lock()
		a.queue = queue
		a.mu.Unlock()
		context.AfterFunc(ctx, a.stop)
		return nil
	})
}

// Reset sets the alarm of an object, in place of the one before; nil is none.
func (a *Alarms) Reset(name string, at *time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.set[name]
	if before != nil && at != nil && before.at.Equal(*at) {
		return
	}
	if before != nil {
		before.timer.Stop()
		delete(a.set, name)
	}
	if at == nil {
		return
	}
	if a.set == nil {
		a.set = map[string]*alarm{}
	}
	made := &alarm{at: *at}
	a.set[name] = made
	made.timer = time.AfterFunc(a.sleep(made), func() { a.wake(name, made) })
}

func (a *Alarms) sleep(which *alarm) time.Duration {
	return min(max(which.at.Add(a.Delay).Sub(a.Now()), 0), longestSleep)
}

// wake enqueues an object if it is time, and else sleeps on.
func (a *Alarms) wake(name string, which *alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set[name] != which {
		return
	}
	if wait := a.sleep(which); wait > 0 {
		which.timer.Reset(wait)
		return
	}
	delete(a.set, name)
	if a.queue != nil {
		Enqueue(a.queue, RevocationPriority, name)
	}
}

func (a *Alarms) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, pending := range a.set {
		pending.timer.Stop()
	}
	a.set = nil
}
