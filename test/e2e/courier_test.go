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
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// courier carries messages to the replicas, and lets replicas end and start in the middle of it.
type courier struct {
	t        tester
	replicas []*replica
	instance string // the ClerkInstance to which the messages go

	// frozen is the replica that is frozen, if any: it takes deliveries and answers none.
	frozen *frozen

	// tell adds to the history, and failure is why that ended badly, where it did.
	tell    func(format string, args ...any)
	failure string

	mu sync.Mutex // guards the history, into which deliveries write at the same time
}

// attempt is one attempt to deliver a message.
type attempt struct {
	replica int
	// hangUp is when the sender gives up waiting for an answer; never when it is zero.
	hangUp time.Duration
}

// firstHangUp is when the sender gives up waiting first, where replicas can be frozen.
const firstHangUp = 250 * time.Millisecond

// delivery is a message and how it is delivered first. After that it is sent until it is accepted, as Svix does, but without its pauses.
type delivery struct {
	message  *message
	attempts []attempt
}

// note adds to the history.
func (c *courier) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell("%s "+format, append([]any{time.Now().Format("05.000")}, args...)...)
}

func (c *courier) fail(format string, args ...any) {
	c.t.Helper()
	c.failure = fmt.Sprintf(format, args...)
	c.t.Fatal(c.failure)
}

// sendAll delivers messages, up to parallel at a time, until each is accepted, while disturb happens.
func (c *courier) sendAll(parallel int, disturb func(), deliveries []delivery) error {
	var sending errgroup.Group
	sending.SetLimit(parallel)
	disturbed := make(chan struct{})
	go func() {
		defer close(disturbed)
		if disturb != nil {
			disturb()
		}
	}()
	for _, d := range deliveries {
		sending.Go(func() error { return c.send(d) })
	}
	err := sending.Wait()
	<-disturbed
	return err
}

// hangUp is when the sender gives up waiting in an attempt, or 0. Where replicas can be frozen, that is long before Svix does, so that a history
// goes on, and later from attempt to attempt, in case that all is but slow.
func (c *courier) hangUp(attempt int) time.Duration {
	if c.replicas[0].process == nil {
		return 0
	}
	return min(firstHangUp<<min(attempt, 10), senderPatience)
}

// send delivers one message until it is accepted.
func (c *courier) send(d delivery) error {
	accepted := false
	for _, a := range d.attempts {
		if a.hangUp == 0 {
			a.hangUp = c.hangUp(0)
		}
		answer, err := c.try(d.message, a)
		if err != nil {
			return err
		}
		accepted = accepted || answer
	}
	next := 0
	if len(d.attempts) > 0 {
		next = d.attempts[len(d.attempts)-1].replica
	}
	deadline := time.Now().Add(patience)
	for number := 1; !accepted; number++ {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not accepted for %s", d.message.what, patience)
		}
		var err error
		if accepted, err = c.try(d.message, attempt{replica: next % len(c.replicas), hangUp: c.hangUp(number)}); err != nil {
			return err
		}
		next++
		if !accepted {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// try makes one attempt. Whatever the sender would try again is no error.
func (c *courier) try(m *message, a attempt) (accepted bool, err error) {
	ctx := c.t.Context()
	if a.hangUp > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.hangUp)
		defer cancel()
	}
	r := c.replicas[a.replica]
	sender := clerktest.Sender{URL: r.url(c.instance), Secret: signingSecret}
	if a.replica%2 == 1 {
		sender.Family = clerktest.Webhook
	}
	status, answer, err := sender.Send(ctx, clerktest.Delivery{ID: m.id, Body: m.body})
	switch {
	case c.t.Context().Err() != nil:
		return false, c.t.Context().Err()
	case err != nil:
		c.note("  %s to %s: no answer", m.what, r.name)
		return false, nil
	case status == http.StatusNoContent:
		c.note("  %s to %s: accepted", m.what, r.name)
		return true, nil
	case status == http.StatusServiceUnavailable:
		c.note("  %s to %s: 503 %s", m.what, r.name, answer)
		return false, nil
	}
	return false, fmt.Errorf("%s to %s is answered with %d %s", m.what, r.name, status, answer)
}

// restart ends a replica, by a crash or in order, and starts it again.
func (c *courier) restart(at int, crash bool) {
	r := c.replicas[at]
	if !crash {
		c.note("  %s stops and starts", r.name)
		r.shutDown()
	} else {
		c.note("  %s crashes and starts (it leads: %t)", r.name, r.leads())
		if err := r.killAndForget(context.Background()); err != nil {
			c.note("  the Lease cannot be taken from %s: %v", r.name, err)
		}
	}
	if err := r.start(); err != nil {
		c.note("  %s does not start: %v", r.name, err)
	}
}
