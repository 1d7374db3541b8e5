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

// Package natstarget publishes CloudEvents to a JetStream stream, and has each acknowledged.
package natstarget

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/clerk-operator/clerk-operator/internal/sink/cloudevent"
	"github.com/clerk-operator/clerk-operator/internal/sink/egress"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

const (
	// connectTimeout is how long one server may take to be connected to.
	connectTimeout = 3 * time.Second

	// reconnectWait is the pause between two rounds over the servers once a connection was lost.
	reconnectWait = 500 * time.Millisecond

	// pingInterval and maxPings bound how long a dead connection goes unnoticed.
	pingInterval = 10 * time.Second
	maxPings     = 2

	// permissionMemory is how long the server's word that publishing is not permitted explains why an acknowledgement does not come.
	permissionMemory = 15 * time.Second
)

// Options are what a target works with.
type Options struct {
	Servers       []string
	SubjectPrefix string
	// Stream is empty for whichever takes the subject.
	Stream     string
	Structured bool
	// TLS is nil for the defaults.
	TLS *tls.Config
	// Credentials are a .creds file's bytes; User and Password are the other way. All empty: neither.
	Credentials    []byte
	User, Password string
	Dialer         egress.Dialer
	// Now is the clock.
	Now func() time.Time
}

// Target publishes to a server.
type Target struct {
	options Options

	mu        sync.Mutex
	attempt   *attempt
	conn      *nats.Conn
	stream    jetstream.JetStream
	closed    bool
	forbidden time.Time
}

// New returns a Target. Nothing is connected yet.
func New(options Options) *Target {
	return &Target{options: options}
}

// Close closes the connection.
func (t *Target) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.conn != nil {
		t.conn.Close()
	}
}

// Send publishes an event, and waits until the stream has it.
func (t *Target) Send(ctx context.Context, delivery target.Delivery) *target.FailureError {
	message, err := t.message(delivery)
	if err != nil {
		return &target.FailureError{Outcome: target.Rejected, Reason: "unwritable", OfEvent: true}
	}
	stream, failure := t.connect(ctx)
	if failure != nil {
		return failure
	}
	options := []jetstream.PublishOpt{jetstream.WithMsgID(delivery.Event.ID), jetstream.WithRetryAttempts(1)}
	if t.options.Stream != "" {
		options = append(options, jetstream.WithExpectStream(t.options.Stream))
	}
	if _, err := stream.PublishMsg(ctx, message, options...); err != nil {
		return t.judge(err)
	}
	return nil
}

// message has the same id for every attempt, by which the stream tells a repeat from news.
func (t *Target) message(delivery target.Delivery) (*nats.Msg, error) {
	event := delivery.Event
	message := nats.NewMsg(Subject(t.options.SubjectPrefix, delivery.Instance, event.Organization, delivery.EventType))
	if t.options.Structured {
		body, err := event.Structured()
		message.Data = body
		message.Header["content-type"] = []string{cloudevent.StructuredContentType}
		return message, err
	}
	for _, header := range event.Headers() {
		message.Header[header.Name] = []string{header.Value}
	}
	if event.Data != nil {
		message.Header["content-type"] = []string{cloudevent.DataContentType}
		message.Data = event.Data
	}
	return message, nil
}

// connect returns the connection, and makes it first where there is none. Others that come meanwhile wait for the same one, each as long as
// it may.
func (t *Target) connect(ctx context.Context) (jetstream.JetStream, *target.FailureError) {
	attempt, stream, failure := t.connection()
	if attempt == nil {
		return stream, failure
	}
	select {
	case <-attempt.done:
		return attempt.stream, attempt.failure
	case <-ctx.Done():
		return nil, &target.FailureError{Outcome: target.Timeout, Reason: "timeout"}
	}
}

// attempt is a connection in the making.
type attempt struct {
	done    chan struct{}
	stream  jetstream.JetStream
	failure *target.FailureError
}

// connection is what there is: a connection, why there is none, or an attempt at one.
func (t *Target) connection() (*attempt, jetstream.JetStream, *target.FailureError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, nil, &target.FailureError{Outcome: target.Connection, Reason: "closed"}
	case t.attempt != nil:
		return t.attempt, nil, nil
	case t.conn != nil && t.conn.IsConnected():
		return nil, t.stream, nil
	case t.conn != nil && !t.conn.IsClosed():
		// While it reconnects, nothing is held back to be sent later: the sender tries again.
		return nil, nil, &target.FailureError{Outcome: target.Connection, Reason: "connection"}
	}
	t.attempt = &attempt{done: make(chan struct{})}
	go t.try(t.attempt)
	return t.attempt, nil, nil
}

func (t *Target) try(attempt *attempt) {
	defer close(attempt.done)
	conn, err := t.dial()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt = nil
	if err != nil {
		attempt.failure = unreachable(err)
		return
	}
	stream, err := jetstream.New(conn)
	if err != nil || t.closed {
		conn.Close()
		attempt.failure = &target.FailureError{Outcome: target.Connection, Reason: "closed"}
		return
	}
	t.conn, t.stream, attempt.stream = conn, stream, stream
}

func (t *Target) dial() (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("clerk-operator"),
		nats.SetCustomDialer(t.options.Dialer),
		nats.SkipHostLookup(), // the dialer looks names up, and judges the address that it then dials
		nats.IgnoreDiscoveredServers(),
		nats.Timeout(connectTimeout),
		nats.ReconnectWait(reconnectWait),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // what was answered with 503 must not be sent later
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.NoCallbacksAfterClientClose(),
		nats.ErrorHandler(t.heard),
	}
	if t.options.TLS != nil {
		options = append(options, nats.Secure(t.options.TLS))
	}
	if len(t.options.Credentials) > 0 {
		options = append(options, nats.UserCredentialBytes(t.options.Credentials))
	}
	if t.options.User != "" {
		options = append(options, nats.UserInfo(t.options.User, t.options.Password))
	}
	conn, err := nats.Connect(strings.Join(t.options.Servers, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return conn, nil
}

// heard takes what the server says of its own accord: that publishing is not permitted is told so and no other way.
func (t *Target) heard(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forbidden = t.options.Now()
}

func (t *Target) isForbidden() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.options.Now().Sub(t.forbidden) < permissionMemory
}

func unreachable(err error) *target.FailureError {
	switch {
	case errors.Is(err, egress.ErrRefusedAddress):
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "address_refused"}
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "unauthorized"}
	}
	return &target.FailureError{Outcome: target.Connection, Reason: "connection"}
}

// wrongStream is JetStream's code for a message that another stream than the expected one takes.
const wrongStream jetstream.ErrorCode = 10060

// judge says what went wrong with a publish.
func (t *Target) judge(err error) *target.FailureError {
	if refusal, ok := errors.AsType[*jetstream.APIError](err); ok {
		return refused(refusal)
	}
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "stream_not_found"}
	case errors.Is(err, nats.ErrMaxPayload):
		return &target.FailureError{Outcome: target.Rejected, Reason: "too_large", OfEvent: true}
	case errors.Is(err, nats.ErrPermissionViolation), t.isForbidden():
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "forbidden"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return &target.FailureError{Outcome: target.Timeout, Reason: "timeout"}
	case errors.Is(err, jetstream.ErrInvalidJSAck):
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "no_acknowledgement"}
	}
	return &target.FailureError{Outcome: target.Connection, Reason: "connection"}
}

func refused(refusal *jetstream.APIError) *target.FailureError {
	reason := fmt.Sprintf("jetstream_%d", refusal.ErrorCode)
	switch refusal.ErrorCode {
	case jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return &target.FailureError{Outcome: target.Rejected, Reason: "too_large", OfEvent: true}
	case wrongStream:
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "wrong_stream"}
	}
	return &target.FailureError{Outcome: target.Unavailable, Reason: reason}
}
