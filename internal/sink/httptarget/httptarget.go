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

// Package httptarget posts CloudEvents to a service. What it does not do matters as much: it follows no redirect, heeds no proxy in the
// environment, keeps nothing of what the service answers, and connects to no address that no sink may lead to.
package httptarget

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/sink/cloudevent"
	"github.com/clerk-operator/clerk-operator/internal/sink/egress"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

const (
	// maxAnswerBytes is how much of an answer is read, so that the connection can be used again. A longer one is hung up on.
	maxAnswerBytes = 16 << 10

	// maxAnswerHeaderBytes bounds an answer's headers.
	maxAnswerHeaderBytes = 16 << 10

	// idleTimeout is how long a connection waits for its next event. Below the 60 s of common load balancers, so that it is never used at the
	// moment in which they close it.
	idleTimeout = 50 * time.Second

	// tlsTimeout is how long a TLS handshake may take.
	tlsTimeout = 5 * time.Second
)

// Options are what a target works with.
type Options struct {
	URL        string
	Structured bool
	// TLS is nil for the defaults.
	TLS *tls.Config
	// Token is asked for the bearer token of each request. Nil for none.
	Token  func(ctx context.Context) (string, error)
	Dialer egress.Dialer
	// Connections is how many are kept open.
	Connections int
}

// Target posts to a URL.
type Target struct {
	options   Options
	transport *http.Transport
}

// New returns a Target. Nothing is connected yet.
func New(options Options) *Target {
	return &Target{options: options, transport: &http.Transport{
		Proxy:                  nil,
		DialContext:            options.Dialer.DialContext,
		TLSClientConfig:        options.TLS,
		TLSHandshakeTimeout:    tlsTimeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    options.Connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaderBytes,
	}}
}

// Close closes the connections that are idle.
func (t *Target) Close() { t.transport.CloseIdleConnections() }

// Send posts an event.
func (t *Target) Send(ctx context.Context, delivery target.Delivery) *target.FailureError {
	request, failure := t.request(ctx, delivery)
	if failure != nil {
		return failure
	}
	// The transport itself, unlike a client, follows no redirect.
	response, err := t.transport.RoundTrip(request)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	// What it says is of no interest; a failure to read it changes nothing.
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswerBytes)
	return judge(response.StatusCode)
}

func (t *Target) request(ctx context.Context, delivery target.Delivery) (*http.Request, *target.FailureError) {
	body, contentType, err := t.body(delivery.Event)
	if err != nil {
		return nil, &target.FailureError{Outcome: target.Rejected, Reason: "unwritable", OfEvent: true}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.options.URL, bytes.NewReader(body))
	if err != nil {
		return nil, &target.FailureError{Outcome: target.Misconfigured, Reason: "url_invalid"}
	}
	request.Header.Set("User-Agent", "clerk-operator")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if !t.options.Structured {
		for _, header := range delivery.Event.Headers() {
			request.Header.Set(header.Name, header.Value)
		}
	}
	if t.options.Token == nil {
		return request, nil
	}
	token, err := t.options.Token(ctx)
	if err != nil {
		return nil, &target.FailureError{Outcome: target.Misconfigured, Reason: "no_token"}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return request, nil
}

func (t *Target) body(event cloudevent.Event) (body []byte, contentType string, err error) {
	if t.options.Structured {
		body, err = event.Structured()
		return body, cloudevent.StructuredContentType, err
	}
	if event.Data == nil {
		return nil, "", nil
	}
	return event.Data, cloudevent.DataContentType, nil
}

// unanswered says why there was no answer. The error's own text is not kept: it can name what the target's certificate holds.
func unanswered(ctx context.Context, err error) *target.FailureError {
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || ok && timeout.Timeout() {
		return &target.FailureError{Outcome: target.Timeout, Reason: "timeout"}
	}
	if errors.Is(err, egress.ErrRefusedAddress) {
		return &target.FailureError{Outcome: target.Misconfigured, Reason: "address_refused"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &target.FailureError{Outcome: target.Connection, Reason: "certificate"}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return &target.FailureError{Outcome: target.Connection, Reason: "name_not_found"}
	}
	return &target.FailureError{Outcome: target.Connection, Reason: "connection"}
}

// judge says what an answer means. A redirect is tried again: it is how services say that they have moved for a while, and no event is
// given up for it.
func judge(status int) *target.FailureError {
	reason := fmt.Sprintf("http_%d", status)
	switch {
	case status >= 200 && status < 300:
		return nil
	case status < 400, status >= 500,
		status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return &target.FailureError{Outcome: target.Unavailable, Reason: reason}
	}
	return &target.FailureError{Outcome: target.Rejected, Reason: reason, OfEvent: speaksOfEvent(status)}
}

// speaksOfEvent tells the refusals that are about what was sent from those about who sent it and where to.
func speaksOfEvent(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity:
		return true
	}
	return false
}
