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

// Package database keeps databases in step with what is mirrored. It is fed by the mirrored objects and not by deliveries: the first look
// is the backfill, and an outage is lag and not loss. Each database has a goroutine, a connection and a bounded memory of its own.
package database

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// Options are what Keepers need to know.
type Options struct {
	// Cache is where the mirrored objects are.
	Cache cache.Informers
	// Live reads from the API server itself.
	Live client.Reader
	// Now is the clock.
	Now func() time.Time
}

// Keepers are the databases at work. The elected replica alone runs them.
type Keepers struct {
	options Options
	events  chan event.GenericEvent

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // that of Start, within which keepers run
	source  *source
	keepers map[string]*keeper
}

// New returns Keepers.
func New(options Options) *Keepers {
	return &Keepers{options: options, events: make(chan event.GenericEvent, 64), keepers: map[string]*keeper{}}
}

// Events tell which ClerkDatabases stand differently than before.
func (k *Keepers) Events() <-chan event.GenericEvent { return k.events }

// Start runs the keepers until the context ends.
func (k *Keepers) Start(ctx context.Context) error {
	source, err := newSource(ctx, k.options.Cache, k.options.Live, k.handler())
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.ctx, k.source = ctx, source
	for _, keeper := range k.keepers {
		k.launch(keeper)
	}
	k.mu.Unlock()
	wait.UntilWithContext(ctx, func(context.Context) { k.report() }, reportInterval)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, keeper := range k.keepers {
		<-keeper.stopped
	}
	return nil
}

// handler tells the keepers what changes. The first list is not told: each keeper begins by comparing everything.
func (k *Keepers) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(added any, isInInitialList bool) {
			if object, ok := added.(client.Object); ok && !isInInitialList {
				k.note(object, change{})
			}
		},
		UpdateFunc: func(before, after any) {
			old, okOld := before.(client.Object)
			object, ok := after.(client.Object)
			if !ok || !okOld || old.GetUID() == object.GetUID() && old.GetGeneration() == object.GetGeneration() {
				return // a status, or a label
			}
			if old.GetUID() != object.GetUID() {
				k.note(object, change{gone: old.GetUID()})
				return
			}
			k.note(object, change{})
		},
		DeleteFunc: func(deleted any) {
			if unknown, ok := deleted.(toolscache.DeletedFinalStateUnknown); ok {
				deleted = unknown.Obj
			}
			if object, ok := deleted.(client.Object); ok {
				k.note(object, change{gone: object.GetUID()})
			}
		},
	}
}

func (k *Keepers) note(object client.Object, news change) {
	at, isMirrored := rows.Identify(object)
	if !isMirrored {
		return
	}
	news.since = k.options.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, keeper := range k.keepers {
		keeper.note(at, news)
	}
}

// launch needs the lock, and the context of Start.
func (k *Keepers) launch(keeper *keeper) {
	ctx, cancel := context.WithCancel(k.ctx)
	keeper.source, keeper.stop = k.source, cancel
	go keeper.run(ctx)
}

// Keep lets a database be kept in step by a plan. One that is at work by the same plan goes on.
func (k *Keepers) Keep(plan Plan) {
	k.mu.Lock()
	running, isKept := k.keepers[plan.Name]
	k.mu.Unlock()
	if isKept && running.plan.UID == plan.UID && running.plan.Version == plan.Version {
		return
	}
	k.end(plan.Name)
	made := &keeper{
		plan: plan, now: k.options.Now, changed: func() { k.tell(plan.Name) },
		pending: newPending(), stopped: make(chan struct{}), state: newState(),
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keepers[plan.Name] = made
	if k.ctx != nil {
		k.launch(made)
	}
}

// Stop ends the work on a ClerkDatabase that cannot go on as it stands.
func (k *Keepers) Stop(name string) { k.end(name) }

// Forget ends the work on a ClerkDatabase, and forgets what was told of it.
func (k *Keepers) Forget(name string) {
	k.end(name)
	metrics.ForgetDatabase(name)
}

// end returns when the keeper has ended.
func (k *Keepers) end(name string) {
	k.mu.Lock()
	running, isKept := k.keepers[name]
	delete(k.keepers, name)
	k.mu.Unlock()
	if isKept && running.stop != nil {
		running.stop()
		<-running.stopped
	}
}

// State says how a ClerkDatabase stands; false where it is not at work.
func (k *Keepers) State(name string) (State, bool) {
	k.mu.Lock()
	running, isKept := k.keepers[name]
	k.mu.Unlock()
	if !isKept {
		return State{}, false
	}
	return running.report(), true
}

// tell never waits: what is not told is looked at again soon.
func (k *Keepers) tell(name string) {
	select {
	case k.events <- event.GenericEvent{Object: &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	default:
	}
}

func (k *Keepers) report() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, keeper := range k.keepers {
		state := keeper.report()
		metrics.DatabaseLagObjects.WithLabelValues(name).Set(float64(state.Objects))
		metrics.DatabaseLagSeconds.WithLabelValues(name).Set(state.Seconds(k.options.Now()))
		metrics.DatabaseRefused.WithLabelValues(name).Set(float64(state.Refused))
		for _, table := range keeper.plan.Tables {
			counts := state.Counts[table]
			metrics.DatabaseRows.WithLabelValues(name, string(table), "living").Set(float64(counts.Living))
			metrics.DatabaseRows.WithLabelValues(name, string(table), "deleted").Set(float64(counts.Deleted))
		}
	}
}
