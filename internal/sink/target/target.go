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

// Package target says what a sink's target is, whichever protocol it speaks.
package target

import (
	"context"

	"github.com/clerk-operator/clerk-operator/internal/sink/cloudevent"
)

// Delivery is an event on its way to a target.
type Delivery struct {
	Event cloudevent.Event

	// Instance is the name of the ClerkInstance, and EventType Clerk's name for what happened.
	Instance, EventType string
}

// Target takes events.
type Target interface {
	// Send returns nil once the target has durably taken the event.
	Send(ctx context.Context, delivery Delivery) *FailureError

	// Close gives up what is held open. What is being sent is not waited for.
	Close()
}

// The outcomes of what could not be handed on, as metrics name them.
const (
	// Timeout: the target did not answer in time.
	Timeout = "timeout"

	// Connection: the target could not be reached.
	Connection = "connection"

	// Unavailable: the target says that it cannot take events now.
	Unavailable = "unavailable"

	// Misconfigured: the target can take none as it is set up, such as one without a stream.
	Misconfigured = "misconfigured"

	// Rejected: the target refuses the event, or the operator.
	Rejected = "rejected"
)

// FailureError is why an event was not taken. It holds nothing of what the target answered.
type FailureError struct {
	// Outcome is one of those above.
	Outcome string

	// Reason is more exact, for the status: a word and perhaps a code.
	Reason string

	// OfEvent says that the target refuses this very event for what it is: another attempt would end the same.
	OfEvent bool
}

// Error implements error.
func (f *FailureError) Error() string { return f.Reason }
