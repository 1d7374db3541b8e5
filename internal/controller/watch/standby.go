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

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

const (
	// StandbyDelay is how long something has to stand, in the eyes of another replica than the elected one, until that takes it away. The
	// elected one needs some tens of milliseconds.
	StandbyDelay = 500 * time.Millisecond

	// standbyFirstLook is how long after a change it looks first: by then, the elected one has mostly done what there was to do.
	standbyFirstLook = 200 * time.Millisecond
)

// Delayed puts what a handler enqueues off until another replica than the elected one looks first.
func Delayed(inner handler.EventHandler) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue Queue) {
			inner.Create(ctx, e, delayedQueue{queue})
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue Queue) {
			inner.Update(ctx, e, delayedQueue{queue})
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue Queue) {
			inner.Delete(ctx, e, delayedQueue{queue})
		},
	}
}

type delayedQueue struct{ Queue }

// AddAfter adds a request, at standbyFirstLook from now at the earliest.
func (q delayedQueue) AddAfter(request reconcile.Request, after time.Duration) {
	q.Queue.AddAfter(request, max(after, standbyFirstLook))
}

// OverdueLosses remembers since when what is to be taken away has been, by the name of the object by which it was given.
type OverdueLosses struct {
	mu    sync.Mutex
	since map[string]map[tenant.Loss]time.Time
}

// Any tells whether any loss of an object has been one for StandbyDelay. What is none any more is forgotten.
func (o *OverdueLosses) Any(name string, losses []tenant.Loss, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.since[name]
	if len(losses) == 0 {
		delete(o.since, name)
		return false
	}
	since, overdue := make(map[tenant.Loss]time.Time, len(losses)), false
	for _, loss := range losses {
		began, known := before[loss]
		if !known {
			began = now
		}
		since[loss] = began
		overdue = overdue || now.Sub(began) >= StandbyDelay
	}
	if o.since == nil {
		o.since = map[string]map[tenant.Loss]time.Time{}
	}
	o.since[name] = since
	return overdue
}
