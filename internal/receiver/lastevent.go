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

package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// lastEventPause is how often a replica writes when the last event came: often enough to watch, and no load however many come.
const lastEventPause = 5 * time.Second

// lastWordTimeout is how long a stopping replica tries to write it: it has its deliveries to drain.
const lastWordTimeout = 2 * time.Second

// lastEventOwner is a field manager of its own: unlike conditions, every replica writes these fields.
const lastEventOwner = client.FieldOwner("clerk-operator-receiver")

// lastRefusalPause is how often a replica writes when the last refused delivery came. Anybody can cause refusals, so they cost less.
const lastRefusalPause = time.Minute

// lastRefusalOwner is another one, so that neither undoes the other.
const lastRefusalOwner = client.FieldOwner("clerk-operator-receiver-refusals")

// LastEvents writes into each ClerkInstance's status when it was last heard from. It runs on every replica, since every replica receives.
type LastEvents struct {
	client client.Client

	mu       sync.Mutex
	unsaid   map[string]v1alpha1.LastEvent
	refusals map[string]v1alpha1.LastRefusal
}

// NewLastEvents returns a LastEvents.
func NewLastEvents(c client.Client) *LastEvents {
	return &LastEvents{client: c, unsaid: map[string]v1alpha1.LastEvent{}, refusals: map[string]v1alpha1.LastRefusal{}}
}

// Received takes note of a verified event. It makes no request.
func (l *LastEvents) Received(instance, eventType string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsaid[instance] = v1alpha1.LastEvent{Type: eventType, ReceivedAt: metav1.NewTime(at)}
}

// Refused takes note of a delivery that was not accepted. It makes no request.
func (l *LastEvents) Refused(instance, reason string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals[instance] = v1alpha1.LastRefusal{Reason: reason, RefusedAt: metav1.NewTime(at)}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica runs it.
func (l *LastEvents) NeedLeaderElection() bool { return false }

// Start writes what was received until the context ends.
func (l *LastEvents) Start(ctx context.Context) error {
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := l.writeRefusals(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot write when the last refused delivery came")
		}
	}, lastRefusalPause)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := l.write(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot write when the last event came; it is tried again")
		}
	}, lastEventPause)
	// What came in the last seconds is said before the end; if it cannot be, the next event says more.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordTimeout)
	defer cancel()
	if err := l.write(last); err != nil {
		log.FromContext(ctx).V(1).Info("Cannot write when the last event came", "why", err.Error())
	}
	return nil
}

func (l *LastEvents) write(ctx context.Context) error {
	l.mu.Lock()
	unsaid := l.unsaid
	l.unsaid = map[string]v1alpha1.LastEvent{}
	l.mu.Unlock()
	var errs []error
	for instance, event := range unsaid {
		errs = append(errs, l.writeOne(ctx, instance, event))
	}
	return errors.Join(errs...)
}

func (l *LastEvents) writeOne(ctx context.Context, name string, event v1alpha1.LastEvent) error {
	var instance v1alpha1.ClerkInstance
	err := l.client.Get(ctx, client.ObjectKey{Name: name}, &instance)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && !instance.Status.LastEvent.ReceivedAt.Before(&event.ReceivedAt) {
		return nil
	}
	if err == nil {
		status := clerkac.ClerkInstanceStatus().WithLastEvent(clerkac.LastEvent().WithType(event.Type).WithReceivedAt(event.ReceivedAt))
		err = l.client.Status().Apply(ctx, clerkac.ClerkInstance(name).WithUID(instance.UID).WithStatus(status),
			lastEventOwner, client.ForceOwnership)
	}
	if client.IgnoreNotFound(err) != nil {
		l.keep(name, event)
		return fmt.Errorf("write the last event of ClerkInstance %s: %w", name, err)
	}
	return nil
}

// keep puts an event back that could not be written, unless a newer one came.
func (l *LastEvents) keep(instance string, event v1alpha1.LastEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, newer := l.unsaid[instance]; !newer {
		l.unsaid[instance] = event
	}
}

// writeRefusals drops what cannot be written: the next refusal says as much.
func (l *LastEvents) writeRefusals(ctx context.Context) error {
	l.mu.Lock()
	refusals := l.refusals
	l.refusals = map[string]v1alpha1.LastRefusal{}
	l.mu.Unlock()
	var errs []error
	for name, refusal := range refusals {
		var instance v1alpha1.ClerkInstance
		err := l.client.Get(ctx, client.ObjectKey{Name: name}, &instance)
		if err == nil && instance.Status.LastRefusal.RefusedAt.Before(&refusal.RefusedAt) {
			status := clerkac.ClerkInstanceStatus().
				WithLastRefusal(clerkac.LastRefusal().WithReason(refusal.Reason).WithRefusedAt(refusal.RefusedAt))
			err = l.client.Status().Apply(ctx, clerkac.ClerkInstance(name).WithUID(instance.UID).WithStatus(status),
				lastRefusalOwner, client.ForceOwnership)
		}
		errs = append(errs, client.IgnoreNotFound(err))
	}
	return errors.Join(errs...)
}
