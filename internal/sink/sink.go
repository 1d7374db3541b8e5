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
	"context"
	"encoding/json"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/sink/cloudevent"
	"github.com/clerk-operator/clerk-operator/internal/sink/filter"
	"github.com/clerk-operator/clerk-operator/internal/sink/redact"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

const (
	// sourcePrefix and typePrefix are what a CloudEvent's source and type begin with.
	sourcePrefix, typePrefix = "urn:clerk:", "com.clerk."
)

// Sink is a ClerkSink at work.
type Sink struct {
	name       string
	generation int64
	version    string

	envelope, abort bool
	timeout         time.Duration
	filter          *filter.Filter
	rules           redact.Rules
	target          target.Target
	reader          client.Reader
	breaker         *breaker
	rooms, places   chan struct{}
}

// Message is a verified delivery.
type Message struct {
	// ID is the same for every attempt and replay.
	ID       string
	Instance *v1alpha1.ClerkInstance
	Event    *Event
}

// Rooms bound how many deliveries of this sink are read or wait at a time.
func (s *Sink) Rooms() chan struct{} { return s.rooms }

// Places bound how many of its events are handed on at a time.
func (s *Sink) Places() chan struct{} { return s.places }

// Generation is that of the spec it works by.
func (s *Sink) Generation() int64 { return s.generation }

// reuse keeps those bounds whose size is the same: who holds a place gives it back there.
func (s *Sink) reuse(next *Sink) (rooms, places chan struct{}) {
	if cap(s.places) == cap(next.places) {
		return s.rooms, s.places
	}
	return next.rooms, next.places
}

// Wants asks the filter. An error says why it could not judge the event, without any value.
func (s *Sink) Wants(m Message) (bool, error) {
	if !s.filter.WantsType(m.Event.Type) {
		return false, nil
	}
	if !s.filter.Reads() {
		return true, nil
	}
	return s.filter.Wants(filter.Event{
		ID: m.ID, Type: m.Event.Type, Time: m.Event.Time, Subject: m.Event.Subject, Organization: m.Event.Organization,
		Instance: environment(m), Data: s.rules.Apply(m.Event.Type, m.Event.values()),
	})
}

// Closed tells whether the breaker keeps everything from the target.
func (s *Sink) Closed() bool { return !s.breaker.closed() }

// Send hands an event on, and returns nil once the target has it.
func (s *Sink) Send(ctx context.Context, m Message) *target.FailureError {
	if !s.breaker.enter() {
		return &target.FailureError{Outcome: BreakerOpen, Reason: BreakerOpen}
	}
	told := untold
	defer func() {
		s.breaker.done(told)
		metrics.SinkBreakerOpen.WithLabelValues(s.name).Set(asNumber(s.breaker.isOpen()))
	}()
	event, err := s.cloudEvent(ctx, m)
	if err != nil {
		return &target.FailureError{Outcome: target.Rejected, Reason: "unwritable", OfEvent: true}
	}
	inFlight := metrics.SinkInFlight.WithLabelValues(s.name)
	inFlight.Inc()
	defer inFlight.Dec()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	failure := s.target.Send(ctx, target.Delivery{Event: event, Instance: m.Instance.Name, EventType: m.Event.Type})
	told = tells(failure)
	return failure
}

// BreakerOpen is the outcome of what is not sent, since the target takes nothing.
const BreakerOpen = "breaker_open"

// Aborts tells whether Clerk's sender is told not to try again.
func (s *Sink) Aborts(failure *target.FailureError) bool { return s.abort && failure.OfEvent }

func tells(failure *target.FailureError) verdict {
	if failure == nil || failure.Outcome == target.Rejected {
		return well
	}
	return failing
}

func asNumber(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func (s *Sink) cloudEvent(ctx context.Context, m Message) (cloudevent.Event, error) {
	data, err := s.data(m.Event)
	if err != nil {
		return cloudevent.Event{}, err
	}
	return cloudevent.Event{
		ID:           m.ID,
		Source:       sourcePrefix + environment(m),
		Type:         typePrefix + m.Event.Type,
		Subject:      m.Event.Subject,
		Time:         m.Event.Time,
		PartitionKey: m.Event.Subject,
		Organization: m.Event.Organization,
		UpdatedAt:    m.Event.UpdatedAt,
		Superseded:   superseded(ctx, s.reader, m.Instance.Name, m.Event),
		Data:         data,
	}, nil
}

// data is nil where none may leave.
func (s *Sink) data(event *Event) (json.RawMessage, error) {
	if s.envelope || !event.Known() {
		return nil, nil
	}
	if copied, ok := s.rules.Copy(make([]byte, 0, len(event.raw)), event.Type, event.raw); ok {
		return copied, nil
	}
	return s.rules.Encode(event.Type, event.values())
}

// environment is Clerk's id of the environment or, where nobody says, the name of the ClerkInstance.
func environment(m Message) string {
	for _, id := range []string{m.Event.InstanceID, m.Instance.Spec.InstanceID, m.Instance.Status.InstanceID} {
		if id != "" {
			return id
		}
	}
	return m.Instance.Name
}

// Refusal tells the reasons of a target that answers, and refuses, from those of one that does not.
func Refusal(reason string) bool {
	switch reason {
	case "http_408", "http_425", "http_429":
		return false
	case "too_large", "unwritable":
		return true
	}
	return strings.HasPrefix(reason, "http_4")
}
