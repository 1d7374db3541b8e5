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
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

const (
	// notePause is how often a replica writes how deliveries ended, however many come.
	notePause = 5 * time.Second

	// refusalPause is the same for what was refused: anybody can cause that, so it costs less.
	refusalPause = time.Minute

	// lastWordTimeout is how long a stopping replica tries to write it.
	lastWordTimeout = 2 * time.Second

	// maxNote bounds a note's text, in bytes: as the rules of the kind do.
	maxNote = 128
)

// Every replica writes these fields, each field with a field manager of its own: so none undoes another.
const (
	acceptedOwner = client.FieldOwner("clerk-operator-sink-accepted")
	failureOwner  = client.FieldOwner("clerk-operator-sink-failure")
	filterOwner   = client.FieldOwner("clerk-operator-sink-filter")
	refusalOwner  = client.FieldOwner("clerk-operator-sink-refusal")
)

// Notes write into each ClerkSink's status how its deliveries last ended. They run on every replica, since every replica receives.
type Notes struct {
	client client.Client

	mu       sync.Mutex
	unsaid   map[string]note
	refusals map[string]note
}

// note is what is to be written of one ClerkSink; what is nil is not.
type note struct {
	accepted *v1alpha1.LastEvent
	failure  *v1alpha1.SinkFailure
	filter   *v1alpha1.SinkFilterFailure
	refusal  *v1alpha1.LastRefusal
}

// NewNotes returns Notes.
func NewNotes(c client.Client) *Notes {
	return &Notes{client: c, unsaid: map[string]note{}, refusals: map[string]note{}}
}

// Accepted takes note of an event that was answered with success.
func (n *Notes) Accepted(sink, eventType string, at time.Time) {
	n.take(sink, func(said *note) { said.accepted = &v1alpha1.LastEvent{Type: eventType, ReceivedAt: metav1.NewTime(at)} })
}

// Failed takes note of a verified event that could not be handed on.
func (n *Notes) Failed(sink, reason string, at time.Time) {
	n.take(sink, func(said *note) {
		said.failure = &v1alpha1.SinkFailure{Reason: bounded(reason, maxNote), FailedAt: metav1.NewTime(at)}
	})
}

// FilterFailed takes note of an event that the filter could not judge.
func (n *Notes) FilterFailed(sink, eventType, message string, generation int64, at time.Time) {
	n.take(sink, func(said *note) {
		said.filter = &v1alpha1.SinkFilterFailure{
			Type: eventType, Message: bounded(message, 2*maxNote), Generation: generation, FailedAt: metav1.NewTime(at),
		}
	})
}

// Refused takes note of a delivery that was refused.
func (n *Notes) Refused(sink, outcome string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusals[sink] = note{refusal: &v1alpha1.LastRefusal{Reason: bounded(outcome, maxNote), RefusedAt: metav1.NewTime(at)}}
}

func (n *Notes) take(sink string, add func(*note)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	said := n.unsaid[sink]
	add(&said)
	n.unsaid[sink] = said
}

func bounded(text string, length int) string {
	return text[:min(len(text), length)]
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica runs it.
func (n *Notes) NeedLeaderElection() bool { return false }

// Start writes what was noted until the context ends.
func (n *Notes) Start(ctx context.Context) error {
	go wait.UntilWithContext(ctx, func(ctx context.Context) { n.write(ctx, &n.refusals) }, refusalPause)
	wait.UntilWithContext(ctx, func(ctx context.Context) { n.write(ctx, &n.unsaid) }, notePause)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordTimeout)
	defer cancel()
	n.write(last, &n.unsaid)
	return nil
}

// write drops what cannot be written: the next delivery says as much.
func (n *Notes) write(ctx context.Context, from *map[string]note) { //nolint:gocritic // the map is replaced
	n.mu.Lock()
	notes := *from
	*from = map[string]note{}
	n.mu.Unlock()
	for name, said := range notes {
		if err := n.writeOne(ctx, name, said); err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot write how deliveries to a ClerkSink ended; the next one says more", "sink", name)
		}
	}
}

func (n *Notes) writeOne(ctx context.Context, name string, said note) error {
	var sink v1alpha1.ClerkSink
	if err := n.client.Get(ctx, client.ObjectKey{Name: name}, &sink); err != nil {
		return client.IgnoreNotFound(err)
	}
	var errs []error
	apply := func(owner client.FieldOwner, status *clerkac.ClerkSinkStatusApplyConfiguration) {
		err := n.client.Status().Apply(ctx, clerkac.ClerkSink(name).WithUID(sink.UID).WithStatus(status), owner, client.ForceOwnership)
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("write the status of ClerkSink %s: %w", name, err))
		}
	}
	if a := said.accepted; a != nil && sink.Status.LastAccepted.ReceivedAt.Before(&a.ReceivedAt) {
		apply(acceptedOwner, clerkac.ClerkSinkStatus().WithLastAccepted(clerkac.LastEvent().WithType(a.Type).WithReceivedAt(a.ReceivedAt)))
	}
	if f := said.failure; f != nil && sink.Status.LastFailure.FailedAt.Before(&f.FailedAt) {
		apply(failureOwner, clerkac.ClerkSinkStatus().WithLastFailure(clerkac.SinkFailure().WithReason(f.Reason).WithFailedAt(f.FailedAt)))
	}
	if f := said.filter; f != nil && sink.Status.LastFilterFailure.FailedAt.Before(&f.FailedAt) {
		apply(filterOwner, clerkac.ClerkSinkStatus().WithLastFilterFailure(clerkac.SinkFilterFailure().
			WithType(f.Type).WithMessage(f.Message).WithFailedAt(f.FailedAt).WithGeneration(f.Generation)))
	}
	if r := said.refusal; r != nil && sink.Status.LastRefusal.RefusedAt.Before(&r.RefusedAt) {
		apply(refusalOwner, clerkac.ClerkSinkStatus().WithLastRefusal(clerkac.LastRefusal().WithReason(r.Reason).WithRefusedAt(r.RefusedAt)))
	}
	return errors.Join(errs...)
}
