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

package clerktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	svix "github.com/svix/svix-webhooks/go"
)

const (
	// answerTimeout is how long the sender waits for an answer, as Svix does.
	answerTimeout = 15 * time.Second
	// connections is how many are kept open for further deliveries: more than any test sends at a time.
	connections = 256
)

// Family is the prefix of the three headers that carry id, time and signature.
type Family string

const (
	// Svix is what Clerk's sender uses: svix-id, svix-timestamp, svix-signature. The default.
	Svix Family = "svix"
	// Webhook is what the Standard Webhooks specification says: webhook-id, webhook-timestamp, webhook-signature.
	Webhook Family = "webhook"
)

// Sender delivers to one endpoint. It can be used by many at a time, and a copy can have another secret or family.
type Sender struct {
	// URL of the endpoint.
	URL string
	// Secret that signs (whsec_…).
	Secret string
	// Family of the headers; Svix by default.
	Family Family
	// Client sends; by default one that keeps connections open, follows no redirect and waits as long as Svix does.
	Client *http.Client
}

// Delivery is one attempt to deliver a message.
type Delivery struct {
	// ID is the same for every attempt and replay of one message.
	ID string
	// Time of the attempt, not of the event; now when it is zero.
	Time time.Time
	// Body is what is signed and sent.
	Body []byte
}

// Deliver signs an event now and sends it once. It returns the status and the text of the answer.
func (s Sender) Deliver(ctx context.Context, id string, event Event) (status int, answer string, err error) {
	return s.Send(ctx, Delivery{ID: id, Body: event.Body()})
}

// Send signs a delivery and sends it once. It returns the status and the text of the answer.
func (s Sender) Send(ctx context.Context, d Delivery) (status int, answer string, err error) {
	request, err := s.request(ctx, d)
	if err != nil {
		return 0, "", err
	}
	client := s.Client
	if client == nil {
		client = defaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("deliver: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	// Read to its end, so that the connection serves the next delivery.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read the answer to a delivery: %w", err)
	}
	return response.StatusCode, strings.TrimSpace(string(text)), nil
}

func (s Sender) request(ctx context.Context, d Delivery) (*http.Request, error) {
	if d.Time.IsZero() {
		d.Time = time.Now()
	}
	webhook, err := svix.NewWebhook(s.Secret)
	if err != nil {
		return nil, fmt.Errorf("use the signing secret: %w", err)
	}
	signature, err := webhook.Sign(d.ID, d.Time, d.Body)
	if err != nil {
		return nil, fmt.Errorf("sign a delivery: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(d.Body))
	if err != nil {
		return nil, err
	}
	family := s.Family
	if family == "" {
		family = Svix
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Svix-Webhooks/1.98")
	request.Header.Set(string(family)+"-Id", d.ID)
	request.Header.Set(string(family)+"-Timestamp", strconv.FormatInt(d.Time.Unix(), 10))
	request.Header.Set(string(family)+"-Signature", signature)
	return request, nil
}

var defaultClient = &http.Client{
	Timeout: answerTimeout,
	// To the sender, a redirect is a failure like any other.
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	// No proxy: everything here is on this machine.
	Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections},
}
