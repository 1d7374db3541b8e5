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

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// senderPatience is how long Svix waits for an answer.
const senderPatience = 15 * time.Second

// TestAnOutageOfTheAPIServerLosesNothing stops the API server while deliveries come in. Each is answered in time with a request to try
// again, except those that say nothing new; afterwards they are accepted, and the cluster is as if nothing had been.
func TestAnOutageOfTheAPIServerLosesNothing(t *testing.T) {
	replicas := startReplicas(t, 2)
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(4, 3)
	w.deliver(4, nil, w.toAll()...)
	w.settle()
	known := w.accepted[0]

	w.clerk.found(3, 2)
	for _, id := range w.clerk.membershipIDs()[:4] {
		w.clerk.leave(w.clerk.memberships[id])
	}
	w.clerk.deleteOrganization(w.clerk.organizations[w.clerk.organizationIDs()[0]], true)

	plane.StopAPIServer()
	news := w.toAll()
	for _, r := range replicas {
		w.wantAnswers(r, http.StatusServiceUnavailable, messagesOf(news)...)
		w.wantAnswers(r, http.StatusNoContent, known)
	}
	must(t, plane.StartAPIServer(t.Context()))
	began := time.Now()
	w.deliver(4, nil, news...)
	t.Logf("everything was accepted %s after the API server was back", time.Since(began).Round(time.Millisecond))
	w.settle()
	t.Logf("the cluster agreed %s after the API server was back", time.Since(began).Round(time.Millisecond))
	w.checkAccess()
	w.checkTombstones()
}

func messagesOf(deliveries []delivery) []*message {
	messages := make([]*message, len(deliveries))
	for i, d := range deliveries {
		messages[i] = d.message
	}
	return messages
}

// wantAnswers delivers messages to one replica, all at a time, and wants each answered so within the sender's patience.
func (w *world) wantAnswers(r *replica, status int, messages ...*message) {
	w.t.Helper()
	var mu sync.Mutex
	var wrong []error
	var sending sync.WaitGroup
	for _, m := range messages {
		sending.Go(func() {
			ctx, cancel := context.WithTimeout(w.t.Context(), senderPatience)
			defer cancel()
			have, err := post(ctx, r.sender(), m.id, m.body)
			if err == nil && have.status != status {
				err = fmt.Errorf("the answer is %d %s", have.status, have.text)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, fmt.Errorf("%s to %s, wanted %d: %w", m.what, r.name, status, err))
			}
		})
	}
	sending.Wait()
	if len(wrong) > 0 {
		w.fail("answers are not as they should be:\n%v", errors.Join(wrong...))
	}
}

// TestAnAPIServerThatDoesNotAnswerKeepsNobodyWaiting lets the API server take requests and not answer them. Deliveries are answered in
// time all the same, and accepted when it answers again.
func TestAnAPIServerThatDoesNotAnswerKeepsNobodyWaiting(t *testing.T) {
	replicas := startReplicas(t, 2)
	leads, others := leader(t, replicas)
	follows := others[0]
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(2, 2)
	w.deliver(4, nil, w.toAll()...)
	w.settle()
	known := w.accepted[0]
	w.clerk.found(2, 2)
	news := w.toAll()

	wires := []*wire{leads.link(), follows.link()}
	for _, wire := range wires {
		wire.hold()
	}
	for _, r := range replicas {
		w.wantAnswers(r, http.StatusNoContent, known)
	}
	// Now each replica wants to write when it last heard something. That write is not answered either, and must not stand in the way.
	for _, wire := range wires {
		eventually(t, "the write of the last event", func(context.Context) error {
			if wire.waiting("clerkinstances/status") == 0 {
				return errors.New("it has not begun")
			}
			return nil
		})
	}
	// The leader ends after a while, as it cannot renew its Lease. The other one stays.
	w.wantAnswers(follows, http.StatusServiceUnavailable, messagesOf(news)...)
	w.wantAnswers(follows, http.StatusNoContent, known)
	for _, wire := range wires {
		wire.release()
	}
	began := time.Now()
	w.deliver(4, nil, news...)
	t.Logf("everything was accepted %s after the API server answered again", time.Since(began).Round(time.Millisecond))
	w.settle()
	w.checkAccess()
}
