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

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httputil"
	"regexp"
	"sync"
	"time"
)

// deliverTimeout is how long a delivery may take from here to its answer: twice what Clerk's sender waits, for a pod that goes in between.
const deliverTimeout = 2 * answerTimeout

// deliveries takes deliveries, passes them on and tells of each.
type deliveries struct {
	*plugin
	out     *sharedWriter
	colored bool

	mu sync.Mutex
	// told are the answers of which it has been said what they mean.
	told map[int]bool
}

// say prints a line.
func (d *deliveries) say(format string, args ...any) {
	_, _ = fmt.Fprintln(d.out, clean(fmt.Sprintf(format, args...)))
}

// way is how deliveries get where they go.
func (d *deliveries) way(ctx context.Context, to *target) (http.RoundTripper, error) {
	if to.url == nil {
		return newLink(ctx, to.operator, d.say)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, ResponseHeaderTimeout: answerTimeout}
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		request.URL.Scheme, request.URL.Host, request.Host = to.url.Scheme, to.url.Host, to.url.Host
		return transport.RoundTrip(request)
	}), nil
}

// forwardedHeaders are those that a proxy writes. Nothing of a delivery is changed here.
var forwardedHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// server takes deliveries and passes them on as they came: body, headers and path.
func (d *deliveries) server(way http.RoundTripper) *http.Server {
	quiet := stdlog.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Transport: way, ErrorLog: quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			for _, name := range forwardedHeaders {
				if values, found := r.In.Header[name]; found {
					r.Out.Header[name] = values
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if answer, ok := w.(*answered); ok {
				answer.problem = err
			}
			w.Header().Set("Retry-After", "5")
			http.Error(w, "kubectl clerk listen does not reach the operator: try again", http.StatusBadGateway)
		},
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began, answer := time.Now(), &answered{ResponseWriter: w}
			defer func() { d.tell(r.Header, answer, time.Since(began)) }() // also where the proxy gives up an answer, by a panic
			passOn(proxy, answer, r)
		}),
		ReadHeaderTimeout: listenReadTimeout, ReadTimeout: listenReadTimeout, WriteTimeout: listenReadTimeout + deliverTimeout + listenDrain,
		IdleTimeout: listenIdleTimeout, MaxHeaderBytes: maxListenHeader, ErrorLog: quiet,
		DisableGeneralOptionsHandler: true, Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	return server
}

// passOn reads a delivery whole, so that it can be passed on a second time if a pod goes meanwhile: to the operator, twice is as good as
// once.
func passOn(proxy http.Handler, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "the body is larger than a delivery can be", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the body did not arrive whole", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), deliverTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength, r.TransferEncoding = int64(len(body)), nil
	proxy.ServeHTTP(w, r)
}

// answered notes what was answered.
type answered struct {
	http.ResponseWriter
	status int

	// problem is why it was not the operator that answered.
	problem error
}

// WriteHeader notes the status.
func (a *answered) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// tell prints a line about a delivery: nothing of what it says. What an answer means is said once.
func (d *deliveries) tell(header http.Header, answer *answered, took time.Duration) {
	out := &page{colored: d.colored, now: d.Now()}
	look := red
	switch {
	case answer.status/100 == 2:
		look = green
	case answer.status >= http.StatusInternalServerError:
		look = yellow
	}
	out.line("%s  %s  %-31s  %s", out.now.Format(time.TimeOnly), out.in(look, fmt.Sprint(answer.status)), messageID(header),
		out.in(dim, took.Round(time.Millisecond).String()))
	d.mu.Lock()
	fresh := !d.told[answer.status]
	d.told[answer.status] = true
	d.mu.Unlock()
	if fresh && answer.status != http.StatusNoContent {
		meaning := meaningOf(answer.status)
		if answer.problem != nil {
			meaning = clean(answer.problem.Error())
		}
		out.paragraph("          ", "          ", meaning, dim)
	}
	_, _ = io.WriteString(d.out, out.String())
}

// plainID is an id of a message as senders have it. Whoever connects can send any other.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// messageID is the id of a delivery's message, by either name of the header.
func messageID(header http.Header) string {
	for _, name := range []string{"Svix-Id", "Webhook-Id"} {
		if id := header.Get(name); plainID.MatchString(id) {
			return id
		}
	}
	return "(no id)"
}
