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
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// linkPatience is how long a delivery waits for a pod: well within what Clerk's sender does.
const linkPatience = 10 * time.Second

// redial is how long is waited before a port is forwarded again, after each time that it failed.
var redial = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 7, Cap: 10 * time.Second}

// link is a forwarded port of the operator's, which is forwarded again, to another pod, when its pod goes away.
type link struct {
	operator  *operatorAt
	transport *http.Transport
	say       func(format string, args ...any)
	done      <-chan struct{}

	mu      sync.Mutex
	current *forwarded
	// changed is closed when current is another.
	changed chan struct{}
}

// newLink forwards a port until ctx is done.
func newLink(ctx context.Context, operator *operatorAt, say func(format string, args ...any)) (*link, error) {
	ctx = logr.NewContext(ctx, logr.Discard()) // a pod that went away is told by say
	first, err := operator.forward(ctx, "")
	if err != nil {
		return nil, err
	}
	l := &link{operator: operator, transport: directTransport(), say: say, done: ctx.Done(), changed: make(chan struct{})}
	l.transport.DisableKeepAlives, l.transport.DisableCompression = true, true
	l.transport.ResponseHeaderTimeout = answerTimeout
	l.set(first)
	go l.keep(ctx, first)
	return l, nil
}

func (l *link) set(current *forwarded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = current
	close(l.changed)
	l.changed = make(chan struct{})
}

// keep replaces the forwarded port whenever its pod goes away.
func (l *link) keep(ctx context.Context, current *forwarded) {
	for {
		l.watch(ctx, current)
		next := l.again(ctx, current.pod)
		if next == nil {
			return
		}
		l.set(next)
		current.cancel() // what is still on its way there goes the new one
		if next.pod != current.pod {
			l.say("The pod %s went away: deliveries go to %s", current.pod, next.pod)
		}
		current = next
	}
}

// watch returns once a forwarded port leads nowhere any more, or is about to.
func (l *link) watch(ctx context.Context, current *forwarded) {
	ticker := time.NewTicker(podInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-current.ended:
			return
		case <-ticker.C:
			pods, err := l.operator.pods(ctx, toForward)
			stays := func(pod corev1.Pod) bool {
				return pod.Name == current.pod && pod.DeletionTimestamp == nil && isReady(&pod)
			}
			if err == nil && !slices.ContainsFunc(pods, stays) {
				return
			}
		}
	}
}

// again forwards a port until it works; nil if ctx is done before.
func (l *link) again(ctx context.Context, avoid string) *forwarded {
	pause := redial
	for told := false; ctx.Err() == nil; told = true {
		next, err := l.operator.forward(ctx, avoid)
		if err == nil {
			return next
		}
		if !told && ctx.Err() == nil {
			l.say("The operator is not reached now: %v. It is tried again", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.Step()):
		}
	}
	return nil
}

// get is the forwarded port, once it is another than one that failed.
func (l *link) get(ctx context.Context, failed *forwarded) (*forwarded, error) {
	for {
		l.mu.Lock()
		current, changed := l.current, l.changed
		l.mu.Unlock()
		if current != failed {
			return current, nil
		}
		select {
		case <-changed:
		case <-l.done:
			return nil, errors.New("listening has ended")
		case <-ctx.Done():
			return nil, fmt.Errorf("no pod of the operator's was reached within %s", linkPatience)
		}
	}
}

// RoundTrip passes on a delivery, and does so a second time where the pod has gone away meanwhile.
func (l *link) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		_ = request.Body.Close() // each attempt has one of its own
	}
	waiting, cancel := context.WithTimeout(request.Context(), linkPatience)
	defer cancel()
	var failed *forwarded
	for {
		current, err := l.get(waiting, failed)
		if err != nil {
			return nil, err
		}
		response, err := l.attempt(request, current)
		if err == nil || failed != nil || request.Context().Err() != nil {
			return response, err
		}
		current.cancel()
		failed = current
	}
}

func (l *link) attempt(request *http.Request, to *forwarded) (*http.Response, error) {
	attempt := request.Clone(request.Context())
	attempt.URL.Scheme, attempt.URL.Host = "http", to.address
	if to.tls {
		attempt.URL.Scheme = "https"
	}
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		attempt.Body = body
	}
	return l.transport.RoundTrip(attempt)
}
