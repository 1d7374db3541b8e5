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

// Package sink hands verified events on to where a ClerkSink says: it leaves out what may not leave, asks the filter, and waits until the
// target has taken the event. Nothing is queued or kept: until then the event is Clerk's sender's.
package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/sink/egress"
	"github.com/clerk-operator/clerk-operator/internal/sink/filter"
	"github.com/clerk-operator/clerk-operator/internal/sink/natstarget"
	"github.com/clerk-operator/clerk-operator/internal/sink/redact"
)

// Options are what a Dispatcher works with.
type Options struct {
	// Reader reads ClerkSinks, mirrored objects, and Secrets in Namespace. It should be a cache.
	Reader client.Reader

	// Namespace is the operator's own: the Secrets of sinks are in it.
	Namespace string

	// Token makes a token of the operator's own ServiceAccount for an audience. Nil where that is not known.
	Token func(ctx context.Context, audience string) (string, error)

	// AllowLocal lets sinks lead to this machine's own addresses, for development.
	AllowLocal bool

	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Dispatcher keeps what each ClerkSink needs at work: its connection, its compiled filter, its places and its breaker.
type Dispatcher struct {
	options Options

	mu    sync.Mutex
	sinks map[types.UID]*Sink
}

// New returns a Dispatcher.
func New(options Options) *Dispatcher {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Dispatcher{options: options, sinks: map[types.UID]*Sink{}}
}

func (d *Dispatcher) dialer() egress.Dialer { return egress.Dialer{AllowLocal: d.options.AllowLocal} }

// Find reads a ClerkSink.
func (d *Dispatcher) Find(ctx context.Context, name string) (*v1alpha1.ClerkSink, error) {
	sink := &v1alpha1.ClerkSink{}
	err := d.options.Reader.Get(ctx, client.ObjectKey{Name: name}, sink)
	return sink, err
}

// Open returns a ClerkSink at work: the same one as before, unless its spec or one of its Secrets changed. An error that is a
// ProblemError lasts until somebody acts.
func (d *Dispatcher) Open(ctx context.Context, object *v1alpha1.ClerkSink) (*Sink, error) {
	secrets, err := readSecrets(ctx, d.options.Reader, d.options.Namespace, namesOf(&object.Spec))
	if err != nil {
		return nil, err
	}
	version := fmt.Sprintf("%d%s", object.Generation, secrets.versions())
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.sinks[object.UID]
	if before != nil && before.version == version {
		return before, nil
	}
	sink, err := d.start(object, secrets, version)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if before.generation == sink.generation {
			sink.breaker = before.breaker // a touched Secret makes no failing target well
		}
		sink.rooms, sink.places = before.reuse(sink)
		before.target.Close()
	}
	d.sinks[object.UID] = sink
	return sink, nil
}

// start makes a sink ready. It waits for nothing: the target is connected to with the first event.
func (d *Dispatcher) start(object *v1alpha1.ClerkSink, secrets *secrets, version string) (*Sink, error) {
	wanted, err := filter.New(object.Spec.Filter.Types, object.Spec.Filter.Expression)
	if err != nil {
		return nil, &ProblemError{Reason: v1alpha1.ReasonFilterInvalid,
			Message: "spec.filter: " + err.Error() + ": correct it; until then deliveries are answered with 503"}
	}
	target, err := d.newTarget(&object.Spec, secrets)
	if err != nil {
		return nil, err
	}
	places := inFlight(&object.Spec)
	return &Sink{
		name:       object.Name,
		generation: object.Generation,
		version:    version,
		envelope:   object.Spec.Data.Mode == v1alpha1.SinkDataEnvelope,
		abort:      object.Spec.Delivery.OnRejected == v1alpha1.SinkAbort,
		timeout:    timeout(&object.Spec),
		filter:     wanted,
		rules:      redact.New(object.Spec.Data.Include),
		target:     target,
		reader:     d.options.Reader,
		breaker:    &breaker{now: d.options.Now},
		rooms:      make(chan struct{}, places*roomsPerPlace),
		places:     make(chan struct{}, places),
	}, nil
}

func timeout(spec *v1alpha1.ClerkSinkSpec) time.Duration {
	if spec.Delivery.Timeout == nil || spec.Delivery.Timeout.Duration <= 0 {
		return DefaultTimeout
	}
	return min(spec.Delivery.Timeout.Duration, MaxTimeout)
}

// Look looks at the stream of a sink that has one.
func (d *Dispatcher) Look(ctx context.Context, object *v1alpha1.ClerkSink) (*natstarget.Stream, error) {
	sink, err := d.Open(ctx, object)
	if err != nil {
		return nil, err
	}
	nats, ok := sink.target.(*natstarget.Target)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	stream, failure := nats.Look(ctx, object.Spec.InstanceRef.Name)
	if failure != nil {
		return nil, failure
	}
	return &stream, nil
}

// NeedLeaderElection is false: every replica hands events on.
func (d *Dispatcher) NeedLeaderElection() bool { return false }

// Start forgets the sinks that are gone, until the context ends.
func (d *Dispatcher) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, d.sweep, sweepInterval)
	return nil
}

// sweep forgets the sinks that are gone.
func (d *Dispatcher) sweep(ctx context.Context) {
	for uid, sink := range d.running() {
		object, err := d.Find(ctx, sink.name)
		if err == nil && object.UID == uid || client.IgnoreNotFound(err) != nil {
			continue
		}
		d.forget(uid, sink)
		if apierrors.IsNotFound(err) {
			metrics.ForgetSink(sink.name)
		}
	}
}

func (d *Dispatcher) running() map[types.UID]*Sink {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.sinks)
}

func (d *Dispatcher) forget(uid types.UID, sink *Sink) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sinks, uid)
	sink.target.Close()
}

// AsProblem tells whether an error lasts until somebody acts.
func AsProblem(err error) (*ProblemError, bool) { return errors.AsType[*ProblemError](err) }
