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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// hangingSinks are how many sinks hang, each with as many events as it may have in flight.
	hangingSinks = 8

	// hangingGoal is how much of its throughput the mirror should keep meanwhile.
	hangingGoal = 0.95

	// hangingTimeout is how long the sinks wait for their service, and hangingAttempts how often they are made to hang on a slow machine.
	hangingTimeout  = 10 * time.Second
	hangingAttempts = 5

	// askSinksAgain is the pause after a delivery that a sink has not taken.
	askSinksAgain = 20 * time.Millisecond
)

// The two states that are compared.
const (
	idleSinks = iota
	hung
	states
)

// measureHanging delivers to the mirror while no sink has anything to do, and while every sink hangs with all that it may have in flight.
func measureHanging(ctx context.Context, b *bench) error {
	if err := b.startReplica(ctx, receiving); err != nil {
		return err
	}
	service := newHangingService()
	defer service.Close()
	senders, remove, err := b.addHangingSinks(ctx, service)
	defer remove()
	if err != nil {
		return err
	}
	var (
		taken  [states]timing
		did    = [states]work{{}, {}}
		ratios []float64
	)
	size := b.sizes.hanging
	for round := range size.rounds + 1 {
		measured, done, err := hangingRound(ctx, b, service, senders, round)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // It warms everything up.
		}
		for state := range states {
			taken[state].add(measured[state])
			did[state].add(done[state])
		}
		ratios = append(ratios, measured[hung].rate()/measured[idleSinks].rate())
	}
	reportHanging(b.report, size, taken, ratios)
	b.report.line("Of %d events, at least %d hung until the last delivery beside them was answered.", hangingSinks*defaultInFlight,
		service.least)
	count := len(taken[hung].each)
	reportWork(b.report, workColumn{"Without", did[idleSinks].each(count)}, workColumn{"While sinks hang", did[hung].each(count)})
	return nil
}

// addHangingSinks makes the sinks. What it returns takes away those that were made.
func (b *bench) addHangingSinks(ctx context.Context, service *hangingService) (senders []clerktest.Sender, remove func(), err error) {
	var made []*benchSink
	remove = func() {
		for _, sink := range made {
			sink.remove()
		}
	}
	for i := range hangingSinks {
		sink, err := b.addSink(ctx, fmt.Sprintf("hanging-%d", i), func(spec *v1alpha1.ClerkSinkSpec) {
			spec.HTTP = &v1alpha1.SinkHTTP{URL: service.URL}
			spec.Delivery.Timeout = &metav1.Duration{Duration: hangingTimeout}
		})
		if err != nil {
			return nil, remove, err
		}
		made, senders = append(made, sink), append(senders, sink.Sender)
	}
	return senders, remove, nil
}

func hangingRound(
	ctx context.Context, b *bench, service *hangingService, senders []clerktest.Sender, round int,
) (measured [states]timing, done [states]work, err error) {
	size := b.sizes.hanging
	var waves [states][len(eventKinds)][]clerktest.Event
	for state := range states {
		done[state] = work{}
		waves[state] = lives(fmt.Sprintf("h%d-%d", round, state), size.perKind)
	}
	for i := range eventKinds {
		for turn := range states {
			state := (turn + round + i) % states // Whatever is second one time is first the next.
			operations, err := operationsFor(ctx, b, nil, receiver, eventKinds[i], waves[state][i])
			if err != nil {
				return measured, done, err
			}
			letGo := func() error { return nil }
			if state == hung {
				if letGo, err = service.hang(ctx, senders); err != nil {
					return measured, done, err
				}
			}
			before := workSoFar()
			took, err := perform(ctx, operations, size.atATime)
			if err != nil {
				return measured, done, err
			}
			done[state].add(workSoFar().since(before))
			measured[state].add(took)
			if err := letGo(); err != nil {
				return measured, done, err
			}
		}
	}
	return measured, done, nil
}

func reportHanging(r *report, size deliverySize, taken [states]timing, ratios []float64) {
	rows := r.table(fmt.Sprintf("The mirror, %d at a time", size.atATime), "Deliveries", "Rate", "p50", "p99")
	hanging := fmt.Sprintf("%d sinks hang, with %d events each", hangingSinks, defaultInFlight)
	for state, name := range []string{"sinks have nothing to do", hanging} {
		took := taken[state]
		rows.row(name, strconv.Itoa(len(took.each)), perSecond(took.rate()), duration(took.percentile(50)), duration(took.percentile(99)))
	}
	rows.end()
	ratio := taken[hung].rate() / taken[idleSinks].rate()
	r.line("Throughput with every sink hanging ÷ without: **%.2f** (rounds: %s); goal ≥ %.2f: %s.", ratio, spread(ratios), hangingGoal,
		met(ratio >= hangingGoal))
}

// hangingService takes an event only when it is let go.
type hangingService struct {
	*httptest.Server
	holds atomic.Int64
	// least is how many events hung at least, whenever something was measured beside them.
	least int64

	mutex sync.Mutex
	gate  chan struct{}
}

func newHangingService() *hangingService {
	h := &hangingService{gate: make(chan struct{}), least: hangingSinks * defaultInFlight}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		h.holds.Add(1)
		defer h.holds.Add(-1)
		select {
		case <-h.closed():
		case <-request.Context().Done():
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	return h
}

func (h *hangingService) closed() <-chan struct{} {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.gate
}

// open lets go what hangs, and lets what comes from now on hang.
func (h *hangingService) open() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	close(h.gate)
	h.gate = make(chan struct{})
}

// defaultInFlight is how many events a sink may have in flight, where its spec does not say.
const defaultInFlight = 16

// hang delivers to the sinks until each has all in flight that it may have. The function that it returns ends that.
func (h *hangingService) hang(ctx context.Context, senders []clerktest.Sender) (letGo func() error, err error) {
	for range hangingAttempts {
		inner, cancel := context.WithCancel(ctx)
		group, _ := errgroup.WithContext(inner)
		body := clerktest.UserUpdated(clerktest.User{ID: clerktest.ID("user", "hanging"), UpdatedAt: time.Now()}).Body()
		for _, sender := range senders {
			for range defaultInFlight {
				group.Go(func() error { return untilTaken(inner, sender, body) })
			}
		}
		end := func() error {
			cancel() // those that are answered meanwhile are not sent again
			h.open()
			return errors.Join(group.Wait(), until(ctx, "no sink hangs", askSinksAgain, func(context.Context) (bool, error) {
				return h.holds.Load() == 0, nil
			}))
		}
		if h.allHang(ctx, int64(len(senders)*defaultInFlight)) {
			return func() error {
				h.least = min(h.least, h.holds.Load())
				return end()
			}, nil
		}
		if err := end(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the sinks never hung all at a time: nothing was measured")
}

// allHang waits until so many events hang, but not so long that the first are given up: a sink that has given up spares its target.
func (h *hangingService) allHang(ctx context.Context, all int64) bool {
	ctx, cancel := context.WithTimeout(ctx, hangingTimeout/2)
	defer cancel()
	return until(ctx, "every sink hangs", askSinksAgain, func(context.Context) (bool, error) { return h.holds.Load() == all, nil }) == nil
}

// untilTaken delivers a message until it is taken, or nobody waits for that.
func untilTaken(ctx context.Context, sender clerktest.Sender, body []byte) error {
	id := clerktest.RandomID("msg")
	for {
		// The delivery itself is not given up: what hangs is to be answered.
		status, _, err := sender.Send(context.WithoutCancel(ctx), clerktest.Delivery{ID: id, Body: body})
		if err != nil || status == http.StatusNoContent {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askSinksAgain):
		}
	}
}
