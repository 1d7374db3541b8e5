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
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
)

// longestSleep is how long an alarm sleeps at a time: after it, the clock may say something else than expected, as in a virtual machine
// that was halted.
const longestSleep = time.Minute

// alarms have organizations looked at again when the next of their grants ends. A reconciliation that asked for that itself would have it
// only where nothing fails; and in the work queue, what waits for its end would give every other change of the organization its priority.
type alarms struct {
	now   func() time.Time
	delay time.Duration

	mu    sync.Mutex
	queue watch.Queue
	set   map[string]*alarm
}

type alarm struct {
	at    time.Time
	timer *time.Timer
}

// source has the alarms enqueue into a controller's work queue. None is set before it starts: its reconciliations set them.
func (a *alarms) source() source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		a.mu.Lock()
		a.queue = queue
		a.mu.Unlock()
		context.AfterFunc(ctx, a.stop)
		return nil
	})
}

// reset sets the alarm of an organization, in place of the one before; nil is none.
func (a *alarms) reset(organization string, at *time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.set[organization]
	if before != nil && at != nil && before.at.Equal(*at) {
		return
	}
	if before != nil {
		before.timer.Stop()
		delete(a.set, organization)
	}
	if at == nil {
		return
	}
	if a.set == nil {
		a.set = map[string]*alarm{}
	}
	made := &alarm{at: *at}
	a.set[organization] = made
	made.timer = time.AfterFunc(a.sleep(made), func() { a.wake(organization, made) })
}

func (a *alarms) sleep(which *alarm) time.Duration {
	return min(max(which.at.Add(a.delay).Sub(a.now()), 0), longestSleep)
}

// wake enqueues an organization if it is time, and else sleeps on.
func (a *alarms) wake(organization string, which *alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set[organization] != which {
		return
	}
	if wait := a.sleep(which); wait > 0 {
		which.timer.Reset(wait)
		return
	}
	delete(a.set, organization)
	if a.queue != nil {
		watch.Enqueue(a.queue, watch.RevocationPriority, organization)
	}
}

func (a *alarms) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, pending := range a.set {
		pending.timer.Stop()
	}
	a.set = nil
}
