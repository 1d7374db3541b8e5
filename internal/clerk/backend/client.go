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

// Package backend reads Clerk's Backend API: what there is in Clerk, by lists that are proven complete, and second looks at single things.
package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// ClientOptions are what a Client works with.
type ClientOptions struct {
	// URL of the Backend API; DefaultURL when it is empty. Without TLS it may only be on this machine.
	URL string

	// Hosts are those that the key may be sent to, each as <host> or <host>:<port>; that of DefaultURL when there are none.
	Hosts []string

	// Key is the secret key (sk_…). White space around it does not count.
	Key string

	// Transport makes the requests; one with the machine's settings when it is nil.
	Transport http.RoundTripper

	// Answered, if not nil, is told of every attempt: the HTTP status, or 0 when there was no answer.
	Answered func(status int)

	// PageSize is how many rows are asked for at once; as many as Clerk gives when it is 0.
	PageSize int

	// Pause waits between attempts; with the machine's clock when it is nil.
	Pause func(ctx context.Context, pause time.Duration) error
}

// Client reads Clerk's Backend API, for one who asks one thing at a time. It is slow on purpose: it leaves most of what Clerk allows to the
// application itself.
//
// It is not made of clerk-sdk-go, which knows no memberships of a whole instance, tries nothing twice, gives up after five seconds, and
// loses the status of an error that a proxy answered. What is left of it would be types that hold what must never be held here.
type Client struct {
	options ClientOptions
	http    http.Client
	base    string
	limiter *rate.Limiter
	members map[string]Listing // of organizations, as far as they had to be listed
	domains map[string]Listing // likewise
}

// NewClient returns a Client. An error says what is wrong with the options and never holds the key.
func NewClient(options ClientOptions) (*Client, error) {
	base, err := baseURL(options.URL, options.Hosts)
	if err != nil {
		return nil, err
	}
	options.Key = strings.TrimSpace(options.Key)
	if options.Key == "" || strings.ContainsFunc(options.Key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("the API key is empty or holds characters that no key has: copy it from Clerk's dashboard (sk_…)")
	}
	if options.PageSize == 0 {
		options.PageSize = maxPageSize
	}
	if options.Pause == nil {
		options.Pause = pause
	}
	if options.Answered == nil {
		options.Answered = func(int) {}
	}
	return &Client{
		options: options,
		http: http.Client{
			Transport: options.Transport,
			// A redirect would take the key elsewhere. Clerk sends none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base:    base,
		limiter: rate.NewLimiter(otherRate, burst),
		members: map[string]Listing{},
		domains: map[string]Listing{},
	}, nil
}

// baseURL checks where a key would be sent.
func baseURL(text string, hosts []string) (string, error) {
	if text == "" {
		text = DefaultURL
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return "", errors.New("the URL of the API must be https://<host>/<path>, with nothing before or after it")
	}
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())) {
		return "", errors.New("the URL of the API must begin with https://: the key would be sent in the open")
	}
	if !isAllowed(parsed, hosts) {
		return "", errors.New("the URL of the API leads to a host that no key may be sent to: use " + DefaultURL +
			", or let the operator's --clerk-api-hosts name the host")
	}
	return strings.TrimRight(parsed.String(), "/"), nil
}

// isAllowed compares whole names: a host that only looks like another is none.
func isAllowed(address *url.URL, hosts []string) bool {
	if len(hosts) == 0 {
		hosts = []string{defaultHost}
	}
	return slices.ContainsFunc(hosts, func(host string) bool {
		return strings.EqualFold(host, address.Hostname()) || strings.EqualFold(host, address.Host)
	})
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Instance is the Clerk environment that a key is for.
type Instance struct {
	// ID is ins_…
	ID string
	// Environment is production, development or staging.
	Environment string
}

// Instance asks whose key it is, and from then on keeps to the pace that this environment allows.
func (c *Client) Instance(ctx context.Context) (Instance, error) {
	var answer struct {
		ID          string `json:"id"`
		Environment string `json:"environment_type"`
	}
	if err := c.get(ctx, "/instance", nil, &answer); err != nil {
		return Instance{}, err
	}
	if err := clerk.CheckID("id", answer.ID); err != nil {
		return Instance{}, fmt.Errorf("/instance: %w", err)
	}
	if answer.Environment == "production" {
		c.limiter.SetLimit(productionRate)
	}
	return Instance{ID: answer.ID, Environment: answer.Environment}, nil
}

// get reads path into target, which must be able to hold whatever may come. Failures that may pass are tried again.
func (c *Client) get(ctx context.Context, path string, query url.Values, target any) error {
	pauses := betweenAttempts
	for attempt := 1; ; attempt++ {
		if err := c.limiter.Wait(ctx); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		err := c.attempt(ctx, path, query, target)
		if err == nil {
			return nil
		}
		wait, again := pauseAfter(err, attempt, &pauses)
		if !again || ctx.Err() != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		if err := c.options.Pause(ctx, wait); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
	}
}

func (c *Client) attempt(ctx context.Context, path string, query url.Values, target any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errors.New("not a URL")
	}
	request.Header.Set("Authorization", "Bearer "+c.options.Key)
	request.Header.Set("Clerk-API-Version", apiVersion)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "clerk-operator")
	response, err := c.http.Do(request)
	if err != nil {
		c.options.Answered(0)
		return withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	c.options.Answered(response.StatusCode)
	if response.StatusCode != http.StatusOK {
		return apiError(response)
	}
	return readAnswer(response.Body, target)
}

// withoutURL drops the address from an error of net/http: the path is told anyway, and filters hold ids.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// readAnswer reads a whole answer: one that breaks off, or goes on after its end, is none.
func readAnswer(body io.Reader, target any) error {
	content, err := io.ReadAll(io.LimitReader(body, maxPageBytes+1))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if len(content) > maxPageBytes {
		return &APIError{Status: http.StatusOK, Reason: fmt.Sprintf("the answer is longer than %d bytes", maxPageBytes)}
	}
	if !json.Valid(content) {
		return errors.New("the answer is no JSON")
	}
	if err := clerk.Unmarshal(content, target); err != nil {
		return &APIError{Status: http.StatusOK, Reason: "the answer is not understood: " + err.Error()}
	}
	return nil
}
