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

package sinks_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// proxy stands between the operator and a NATS server. It always passes on what the operator says, and what the server says unless it
// withholds that.
type proxy struct {
	listener net.Listener
	server   string

	mutex     sync.Mutex
	withholds bool
	heard     strings.Builder // what the server said since it was last forgotten
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: server}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(t.Context(), client)
		}
	}()
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(ctx, "tcp4", p.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if p.passes(buffer[:n]) {
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
}

func (p *proxy) passes(said []byte) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.heard.Write(said)
	return !p.withholds
}

func (p *proxy) withhold(withholds bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.withholds = withholds
	p.heard.Reset()
}

func (p *proxy) said() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.heard.String()
}

func TestAServerKilledBetweenPublishAndAcknowledgementHasTheMessageOnce(t *testing.T) {
	const first, aimed = "msg_first", "msg_aimed"
	server, err := natsproc.Start(t.Context(), plane, "nats-acknowledgement")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Kill() }()
	if err := server.MakeStream(t.Context(), "ACKNOWLEDGED", "acknowledged"); err != nil {
		t.Fatal(err)
	}
	between := newProxy(t, server.Address())
	operator := start(t)
	defer operator.Kill()
	signingSecret := makeSink(t, "acknowledged", func(s *v1alpha1.ClerkSinkSpec) {
		s.NATS = &v1alpha1.SinkNATS{Servers: []string{between.url()}, SubjectPrefix: "acknowledged"}
		s.Delivery.Timeout = &metav1.Duration{Duration: 10 * time.Second}
	})
	sender := clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/acknowledged", Secret: signingSecret}
	taken(t, sender, first)

	between.withhold(true)
	status := make(chan int, 1)
	go func() {
		user := clerktest.User{ID: clerktest.ID("user", aimed), UpdatedAt: time.Now()}
		got, _, err := sender.Deliver(t.Context(), aimed, clerktest.UserCreated(user))
		if err != nil {
			t.Error(err)
		}
		status <- got
	}()
	waitFor(t, func() error { return stores(t, server, first, aimed) }) // the server has it, and the operator does not know
	select {
	case got := <-status:
		t.Fatalf("answered %d although nobody has acknowledged it", got)
	default:
	}
	server.Kill()
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Fatalf("answered %d although nobody has acknowledged it", got)
	}

	between.withhold(false)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken(t, sender, aimed) // Clerk's retry
	if err := stores(t, server, first, aimed); err != nil {
		t.Error(err)
	}
	if said := between.said(); !strings.Contains(said, `"duplicate"`) {
		t.Errorf("the server did not take the retry for a repeat, so nothing was shown: %q", said)
	}
}

// stores compares what a stream has, in order.
func stores(t *testing.T, server *natsproc.Server, want ...string) error {
	t.Helper()
	messages, err := server.Messages(t.Context(), "ACKNOWLEDGED")
	if err != nil {
		return err
	}
	var have []string
	for _, message := range messages {
		have = append(have, message.Header.Get("ce-id"))
	}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		return fmt.Errorf("the stream has %v, want %v", have, want)
	}
	return nil
}
