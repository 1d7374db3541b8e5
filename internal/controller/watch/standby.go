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

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
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

// Standby takes access away on every replica that is not elected: the elected one may just have been killed, or be frozen. It gives
// nothing. That is safe anywhere, since it is decided from the same objects by the same code, and written against the resourceVersion of
// what gives the access.
type Standby struct {
	// Find decides about the object of a name, and sets its alarm. It returns what access is to be taken away and how; what an object gave
	// that is gone it takes away itself.
	Find func(ctx context.Context, name string, alarms *Alarms) (losses []tenant.Loss, takeAway func(context.Context) error, err error)

	// Now is the clock.
	Now func() time.Time

	// elected is closed once this replica is elected: then the other controller does all of it.
	elected <-chan struct{}

	// alarms go off StandbyDelay after the ends of grants.
	alarms  Alarms
	overdue overdueLosses
}

// Builder begins a controller of that name, with so many workers, that this reconciles for.
func (s *Standby) Builder(manager ctrl.Manager, name string, workers int) *builder.Builder {
	s.elected = manager.Elected()
	s.alarms = Alarms{Now: s.Now, Delay: StandbyDelay}
	options := Options(workers)
	options.NeedLeaderElection = new(false)
	return ctrl.NewControllerManagedBy(manager).Named(name).WithOptions(options).WatchesRawSource(s.alarms.Source())
}

// Reconcile takes away what should not be, if the elected replica did not for a moment.
func (s *Standby) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	select {
	case <-s.elected:
		return reconcile.Result{}, nil
	default:
	}
	losses, takeAway, err := s.Find(ctx, request.Name, &s.alarms)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case s.overdue.any(request.Name, losses, s.Now()):
		return reconcile.Result{}, takeAway(ctx)
	case len(losses) > 0:
		return reconcile.Result{RequeueAfter: StandbyDelay}, nil
	}
	return reconcile.Result{}, nil
}

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

// overdueLosses remembers since when what is to be taken away has been, by the name of the object by which it was given.
type overdueLosses struct {
	mu    sync.Mutex
	since map[string]map[tenant.Loss]time.Time
}

// any tells whether any loss of an object has been one for StandbyDelay. What is none any more is forgotten.
func (o *overdueLosses) any(name string, losses []tenant.Loss, now time.Time) bool {
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
