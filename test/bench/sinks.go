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
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
)

const (
	// sinkGoal is how much of the throughput of publishing directly a sink should reach, with goalAtATime at a time.
	sinkGoal = 0.8

	// sinkName names the ClerkSink, and is what its subjects begin with; directName is that of what is published directly.
	sinkName, directName = "bench", "direct"

	// mostInFlight is how many events a sink may have in flight at most.
	mostInFlight = 64
)

// The ways in which an event gets into a stream.
const (
	throughSink = iota
	byHand
	directly
	ways
)

// publisher gets events into streams of one server in each of the ways.
type publisher struct {
	sink     *benchSink
	handler  *httptest.Server
	stream   jetstream.JetStream
	template *nats.Msg
	body     []byte
}

// handed is what was measured with one size.
type handed struct {
	size   sinkSize
	taken  [ways]timing
	did    [ways]work
	ratios []float64
}

// measureSinks hands events on to a NATS server: through a sink, through a handler as one writes it by hand, and without any HTTP.
func measureSinks(ctx context.Context, b *bench) error {
	if err := b.startReplica(ctx, receiving); err != nil {
		return err
	}
	var results []handed
	for _, synced := range []bool{true, false} {
		measured, err := measureServer(ctx, b, synced)
		if err != nil {
			return err
		}
		results = append(results, measured...)
	}
	reportSinks(b.report, results)
	return nil
}

func measureServer(ctx context.Context, b *bench, synced bool) (results []handed, err error) {
	options := natsproc.Options{}
	if synced {
		options.JetStream = "sync_interval: always"
	}
	server, err := natsproc.StartWith(ctx, b.plane, fmt.Sprintf("nats-synced-%t", synced), options)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	if err := errors.Join(server.MakeStream(ctx, "SINK", sinkName), server.MakeStream(ctx, "DIRECT", directName)); err != nil {
		return nil, err
	}
	connection, err := nats.Connect(server.URL())
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	p := &publisher{body: clerktest.UserUpdated(sinkUser()).Body()}
	if p.stream, err = jetstream.New(connection); err != nil {
		return nil, err
	}
	if p.sink, err = b.addSink(ctx, sinkName, func(spec *v1alpha1.ClerkSinkSpec) {
		spec.NATS = &v1alpha1.SinkNATS{Servers: []string{server.URL()}, SubjectPrefix: sinkName}
		spec.Delivery.MaxInFlight = new(int32(mostInFlight))
	}); err != nil {
		return nil, err
	}
	defer p.sink.remove()
	p.handler = httptest.NewServer(http.HandlerFunc(p.handle))
	defer p.handler.Close()
	if err := p.learn(ctx, server); err != nil {
		return nil, err
	}
	for _, size := range b.sizes.sinks {
		if size.synced != synced {
			continue
		}
		result, err := p.compare(ctx, size)
		if err != nil {
			return nil, err
		}
		progress("%d events at a time, synced: %t: %.2f of publishing directly", size.atATime, synced,
			result.taken[throughSink].rate()/result.taken[directly].rate())
		results = append(results, result)
	}
	return results, p.check(ctx, results)
}

func sinkUser() clerktest.User {
	return clerktest.User{
		ID: clerktest.ID("user", "sink"), FirstName: "Jane", LastName: "Doe", Email: "jane@example.com", Username: "jane", UpdatedAt: time.Now(),
		PublicMetadata: map[string]any{"plan": "team", "region": "eu-central"},
	}
}

// learn delivers one event through the sink, and takes what arrived for what is published in the other ways.
func (p *publisher) learn(ctx context.Context, server *natsproc.Server) error {
	if err := deliver(ctx, p.sink.Sender, clerktest.RandomID("msg"), p.body); err != nil {
		return err
	}
	stored, err := server.Messages(ctx, "SINK")
	if err != nil {
		return err
	}
	if len(stored) != 1 {
		return fmt.Errorf("one event was handed on, and the stream has %d", len(stored))
	}
	p.template = &nats.Msg{
		Subject: directName + strings.TrimPrefix(stored[0].Subject, sinkName), Header: stored[0].Header, Data: stored[0].Data,
	}
	return nil
}

// publish publishes the same as the sink does, with an id of its own.
func (p *publisher) publish(ctx context.Context, id string) error {
	message := &nats.Msg{Subject: p.template.Subject, Header: maps.Clone(p.template.Header), Data: p.template.Data}
	message.Header["ce-id"] = []string{id}
	_, err := p.stream.PublishMsg(ctx, message, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(1))
	return err
}

// handle is the least that somebody writes by hand: verify the signature, publish, answer. It leaves nothing out and has no limits.
func (p *publisher) handle(w http.ResponseWriter, request *http.Request) {
	status := http.StatusNoContent
	if err := p.take(request); err != nil {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
}

func (p *publisher) take(request *http.Request) error {
	webhook, err := svix.NewWebhook(p.sink.Secret)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return err
	}
	if err := webhook.Verify(body, request.Header); err != nil {
		return err
	}
	return p.publish(request.Context(), request.Header.Get("svix-id"))
}

func (p *publisher) compare(ctx context.Context, size sinkSize) (handed, error) {
	result := handed{size: size, did: [ways]work{{}, {}, {}}}
	for round := range size.rounds + 1 {
		var measured [ways]timing
		for turn := range ways {
			way := (turn + round) % ways
			before := workSoFar()
			took, err := perform(ctx, p.operations(way, size.perRound), size.atATime)
			if err != nil {
				return result, err
			}
			measured[way] = took
			if round > 0 { // the first one warms everything up
				result.taken[way].add(took)
				result.did[way].add(workSoFar().since(before))
			}
		}
		if round > 0 {
			result.ratios = append(result.ratios, measured[throughSink].rate()/measured[directly].rate())
		}
	}
	return result, nil
}

func (p *publisher) operations(way, count int) []operation {
	manual := clerktest.Sender{URL: p.handler.URL, Secret: p.sink.Secret}
	operations := make([]operation, count)
	for i := range operations {
		id := clerktest.RandomID("msg")
		switch way {
		case throughSink:
			operations[i] = func(ctx context.Context) error { return deliver(ctx, p.sink.Sender, id, p.body) }
		case byHand:
			operations[i] = func(ctx context.Context) error { return deliver(ctx, manual, id, p.body) }
		case directly:
			operations[i] = func(ctx context.Context) error { return p.publish(ctx, id) }
		}
	}
	return operations
}

// check makes sure that the streams have everything, once.
func (p *publisher) check(ctx context.Context, results []handed) error {
	var each int
	for _, result := range results {
		each += result.size.perRound * (result.size.rounds + 1)
	}
	for name, want := range map[string]int{"SINK": each + 1, "DIRECT": 2 * each} {
		stream, err := p.stream.Stream(ctx, name)
		if err != nil {
			return err
		}
		if have := int(stream.CachedInfo().State.Msgs); have != want {
			return fmt.Errorf("the stream %s has %d messages, want %d: nothing was measured", name, have, want)
		}
	}
	return nil
}

func reportSinks(r *report, results []handed) {
	rows := r.table("The server's disk", "At a time", "Sink", "By hand", "Directly", "Sink ÷ directly", "Rounds", "Sink ÷ by hand",
		"p50", "p50 by hand", "p50 directly", "Goal")
	for _, result := range results {
		sink, hand, direct := result.taken[throughSink], result.taken[byHand], result.taken[directly]
		ratio, goal, disk := sink.rate()/direct.rate(), "–", "written through every 2 minutes"
		if result.size.synced {
			disk = "written through each time"
		}
		if result.size.atATime == goalAtATime {
			goal = fmt.Sprintf("≥ %.1f: %s", sinkGoal, met(ratio >= sinkGoal))
		}
		rows.row(disk, strconv.Itoa(result.size.atATime), perSecond(sink.rate()), perSecond(hand.rate()), perSecond(direct.rate()),
			fmt.Sprintf("**%.2f**", ratio), spread(result.ratios), fmt.Sprintf("%.2f", sink.rate()/hand.rate()),
			duration(sink.percentile(50)), duration(hand.percentile(50)), duration(direct.percentile(50)), goal)
	}
	rows.end()
	last := results[len(results)-1]
	count := len(last.taken[directly].each)
	reportWork(r, workColumn{"Sink, each event", last.did[throughSink].each(count)},
		workColumn{"By hand", last.did[byHand].each(count)}, workColumn{"Directly", last.did[directly].each(count)})
}
