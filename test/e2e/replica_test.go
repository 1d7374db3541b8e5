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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/operator"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// retention is how long tombstones are kept: none is collected in these tests, so every late replay finds one.
const retention = 7 * 24 * time.Hour

// replica is one replica of the operator, with what runs it: like a Deployment, it starts the operator again when it ends by itself.
type replica struct {
	name string

	// run runs the operator once, until ctx ends or it ends by itself.
	run func(ctx context.Context) error

	mu      sync.Mutex
	address string
	wire    *wire // where the operator runs in this process
	stop    func()

	process *process // where it is a process of its own
}

// startReplicas starts that many replicas, and stops them with the test.
func startReplicas(t *testing.T, n int) []*replica {
	t.Helper()
	replicas := make([]*replica, n)
	for i := range replicas {
		replicas[i] = &replica{name: string(rune('A' + i))}
		replicas[i].run = replicas[i].runHere
		t.Cleanup(replicas[i].shutDown)
	}
	for _, r := range replicas {
		must(t, r.start())
	}
	return replicas
}

// start runs the operator until shutDown or kill, and returns when it receives.
func (r *replica) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.mu.Lock()
	r.stop = func() { cancel(); <-ended }
	r.mu.Unlock()
	go func() {
		defer close(ended)
		r.supervise(ctx)
	}()
	return r.untilReceiving()
}

// supervise starts the operator again and again until ctx ends.
func (r *replica) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.run(ctx); err != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// runHere runs the operator in this process.
func (r *replica) runHere(ctx context.Context) error {
	w, address := newWire(), freeAddress()
	r.mu.Lock()
	r.wire, r.address = w, address
	r.mu.Unlock()
	defer w.cut()
	config := rest.CopyConfig(account)
	config.WrapTransport = w.wrap
	return operator.Run(ctx, config, operator.Config{
		Namespace:              operatorproc.Namespace,
		ReceiverBindAddress:    address,
		MetricsBindAddress:     "0",
		HealthProbeBindAddress: "0",
		LeaderElect:            true,
		ClerkAPIHosts:          []string{"127.0.0.1"},
		TombstoneRetention:     retention,
		ClusterGrantRoles:      []string{staffRole},
	})
}

// untilReceiving waits until deliveries are answered in whatever way.
func (r *replica) untilReceiving() error {
	deadline := time.Now().Add(patience)
	for {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url("none"), http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("replica %s does not receive: %w", r.name, err)
		}
		time.Sleep(pollInterval)
	}
}

// shutDown ends the operator as SIGTERM does: it answers what it has begun and gives the Lease away.
func (r *replica) shutDown() {
	r.mu.Lock()
	stop := r.stop
	r.stop = nil
	r.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// leads tells whether this replica holds the Lease, or did when it ended.
func (r *replica) leads() bool {
	if r.process != nil {
		return r.process.leads()
	}
	return r.link().count(func(q apiRequest) bool { return q.writes() && q.resource == "leases" && q.code < http.StatusBadRequest }) > 0
}

func (r *replica) link() *wire {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wire
}

// url is where deliveries for a ClerkInstance come in, at present.
func (r *replica) url(instance string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return "http://" + r.address + "/webhooks/" + instance
}

// sender is Clerk, as the replica's endpoint for the ClerkInstance "default" sees it.
func (r *replica) sender() clerktest.Sender {
	return clerktest.Sender{URL: r.url(operatorproc.Instance), Secret: signingSecret}
}

// leader waits until one of the replicas leads, and returns it and the others.
func leader(t *testing.T, replicas []*replica) (leads *replica, others []*replica) {
	t.Helper()
	eventually(t, "a replica to lead", func(context.Context) error {
		at := slices.IndexFunc(replicas, (*replica).leads)
		if at < 0 {
			return errors.New("none does")
		}
		leads, others = replicas[at], slices.Concat(replicas[:at], replicas[at+1:])
		return nil
	})
	return leads, others
}

// kill ends the operator as a crash does: from one moment to the next, nothing of it reaches the API server any more, also not what it
// has begun, and not its word that it gives the Lease away.
func (r *replica) kill() {
	if r.process != nil {
		r.process.endsBy(killed)
	} else {
		r.link().cut()
	}
	r.shutDown()
}

// killAndForget is kill, and then does to its Lease, if it held it, what time would do.
func (r *replica) killAndForget(ctx context.Context) error {
	if !r.leads() {
		r.kill()
		return nil
	}
	lease := &coordinationv1.Lease{}
	err := cluster.Get(ctx, client.ObjectKey{Namespace: operatorproc.Namespace, Name: "clerk-operator"}, lease)
	holder := lease.Spec.HolderIdentity
	r.kill()
	if err != nil || holder == nil {
		return client.IgnoreNotFound(err)
	}
	// Whoever may hold it by now keeps it.
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/spec/holderIdentity", "value": *holder},
		{"op": "replace", "path": "/spec/holderIdentity", "value": ""},
	})
	if err != nil {
		return err
	}
	err = cluster.Patch(ctx, lease, client.RawPatch(types.JSONPatchType, patch))
	if apierrors.IsInvalid(err) {
		return nil
	}
	return err
}

const (
	// firstPort and lastPort bound the ports that are tried: below those that systems give to outgoing connections.
	firstPort, lastPort = 10000, 19999
)

// freeAddress is a free port of 127.0.0.1. Should somebody else take it in between, the replica ends and is started with another.
func freeAddress() string {
	for {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort+1)))
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", address)
		if err == nil {
			_ = listener.Close()
			return address
		}
	}
}

// apiRequest is a request to the API server.
type apiRequest struct {
	method, path, resource string
	code                   int // 0 if there was no answer
}

func (q apiRequest) writes() bool { return q.method != http.MethodGet }

func (q apiRequest) String() string { return fmt.Sprintf("%s %s: %d", q.method, q.path, q.code) }

// wire is the connection of one run of a replica to the API server: it counts, and it can be cut, as when the process dies, or held, as
// when the API server takes requests and does not answer.
type wire struct {
	life context.Context
	cut  context.CancelFunc

	mu       sync.Mutex
	released chan struct{} // closed when what was held goes on; nil when nothing is held
	waits    []string      // the resources of the requests that were held
	requests []apiRequest
}

func newWire() *wire {
	life, cut := context.WithCancel(context.Background())
	return &wire{life: life, cut: cut}
}

// hold makes every request from now on wait for its answer until release. A watch that has begun goes on.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released = make(chan struct{})
}

// release ends hold.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.released)
	w.released = nil
}

// gate is what a request has to wait for, if anything, and takes note of it.
func (w *wire) gate(request *http.Request) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released != nil {
		w.waits = append(w.waits, resourceOf(request.URL.Path))
	}
	return w.released
}

// waiting is how many requests about a resource have been held.
func (w *wire) waiting(resource string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, held := range w.waits {
		if held == resource {
			n++
		}
	}
	return n
}

// list are the requests so far that are of interest.
func (w *wire) list(interesting func(apiRequest) bool) []apiRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []apiRequest
	for _, q := range w.requests {
		if interesting(q) {
			found = append(found, q)
		}
	}
	return found
}

func (w *wire) count(interesting func(apiRequest) bool) int { return len(w.list(interesting)) }

func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	return &wiredTransport{wire: w, next: next}
}

type wiredTransport struct {
	wire *wire
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *wiredTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.wire.life.Err() != nil {
		return nil, errors.New("the wire is cut")
	}
	if gate := t.wire.gate(request); gate != nil {
		select {
		case <-gate:
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-t.wire.life.Done():
			return nil, errors.New("the wire is cut")
		}
	}
	ctx, cancel := context.WithCancel(request.Context())
	stop := context.AfterFunc(t.wire.life, cancel)
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	t.wire.note(request, response)
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	response.Body = &wiredBody{ReadCloser: response.Body, done: func() { stop(); cancel() }}
	return response, nil
}

func (w *wire) note(request *http.Request, response *http.Response) {
	q := apiRequest{method: request.Method, path: request.URL.RequestURI(), resource: resourceOf(request.URL.Path)}
	if response != nil {
		q.code = response.StatusCode
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, q)
}

// wiredBody frees what a request holds when its answer has been read.
type wiredBody struct {
	io.ReadCloser

	done func()
}

// Close implements io.Closer.
func (b *wiredBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// resourceOf is the resource of an API path, with its subresource: /apis/GROUP/VERSION/[namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]].
func resourceOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	skip := 3
	if parts[0] == "api" {
		skip = 2
	}
	if len(parts) <= skip {
		return ""
	}
	parts = parts[skip:]
	if len(parts) > 2 && parts[0] == "namespaces" && parts[2] != "status" && parts[2] != "finalize" {
		parts = parts[2:]
	}
	if len(parts) > 2 {
		return parts[0] + "/" + parts[2]
	}
	return parts[0]
}
