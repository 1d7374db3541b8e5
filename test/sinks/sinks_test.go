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

// Package sinks_test hands events on with the real operator to a real NATS server and a real service, kills what can be killed, and compares
// what arrived with what was answered.
package sinks_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// patience bounds every wait for a state.
	patience = 2 * time.Minute
	// pollInterval is how often a state is looked at.
	pollInterval = 100 * time.Millisecond

	stream = "CLERK"
)

var (
	plane   *controlplane.ControlPlane
	cluster client.Client
	secret  string
)

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, cp *controlplane.ControlPlane) (err error) {
		plane = cp
		if secret, err = operatorproc.Install(ctx, cp); err != nil {
			return err
		}
		cluster, err = operatorproc.NewClient(cp)
		return err
	})
}

// start runs an operator whose sinks may lead to this machine.
func start(t *testing.T, args ...string) *operatorproc.Operator {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), plane, operatorproc.Options{
		Args: append([]string{"--sink-allow-local-targets"}, args...), LogDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return operator
}

// makeSink makes a ClerkSink with an endpoint of its own, and returns the secret of that.
func makeSink(t *testing.T, name string, change func(*v1alpha1.ClerkSinkSpec)) (signingSecret string) {
	t.Helper()
	signingSecret = clerktest.NewSecret()
	sink := &v1alpha1.ClerkSink{ObjectMeta: metav1.ObjectMeta{Name: name}}
	sink.Spec.InstanceRef.Name = operatorproc.Instance
	sink.Spec.Webhook.SigningSecretRef.Name = "sink-" + name
	change(&sink.Spec)
	for _, object := range []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: "sink-" + name},
			StringData: map[string]string{"endpoint": signingSecret},
		},
		sink,
	} {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cluster.Delete(context.Background(), object) })
	}
	return signingSecret
}

// condition waits until a condition of the sink "checks" has a reason.
func condition(t *testing.T, kind, reason string) {
	t.Helper()
	var sink v1alpha1.ClerkSink
	waitFor(t, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: "checks"}, &sink); err != nil {
			return err
		}
		if found := meta.FindStatusCondition(sink.Status.Conditions, kind); found == nil || found.Reason != reason {
			return fmt.Errorf("the ClerkSink %s has the conditions %+v, want %s with the reason %s", sink.Name, sink.Status.Conditions, kind, reason)
		}
		return nil
	})
}

func waitFor(t *testing.T, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(pollInterval)
	}
}

// service takes events over HTTP, when it is not told to fail, and remembers every byte.
type service struct {
	*httptest.Server
	mutex sync.Mutex
	taken map[string]int
	text  strings.Builder
	fails func() bool
}

func newService(t *testing.T, fails func() bool) *service {
	t.Helper()
	s := &service{taken: map[string]int{}, fails: fails}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		fmt.Fprintln(&s.text, request.URL, request.Header, string(body))
		if s.fails() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.taken[request.Header.Get("ce-id")]++
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(s.Close)
	return s
}

// answers are the messages that were answered with success.
type answers struct {
	mutex sync.Mutex
	ids   map[string]bool
}

// deliver tries a message once, and says whether it is done.
func (a *answers) deliver(ctx context.Context, through clerktest.Sender, id string, event clerktest.Event) bool {
	status, _, err := through.Deliver(ctx, id, event)
	if err != nil || status != http.StatusNoContent {
		return false
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.ids[id] = true
	return true
}

func TestWhatWasAnsweredIsWhatArrivedWhateverIsKilled(t *testing.T) {
	const messages, workers, kills = 240, 8, 6
	server, err := natsproc.Start(t.Context(), plane, "nats-kills")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Kill() }()
	if err := server.MakeStream(t.Context(), stream, "clerk"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	target := newService(t, func() bool { return rand.IntN(8) == 0 })
	filter := v1alpha1.SinkFilter{Types: []string{"user.*"}, Expression: `event.data.username != "left-out"`}
	secrets := map[string]string{
		"kills-nats": makeSink(t, "kills-nats", func(s *v1alpha1.ClerkSinkSpec) {
			s.Filter, s.NATS = filter, &v1alpha1.SinkNATS{Servers: []string{server.URL()}}
		}),
		"kills-http": makeSink(t, "kills-http", func(s *v1alpha1.ClerkSinkSpec) { s.Filter, s.HTTP = filter, &v1alpha1.SinkHTTP{URL: target.URL} }),
	}
	var current sync.RWMutex // who delivers reads the operator that runs now
	operator := start(t)
	defer func() { operator.Kill() }()

	ids := map[string]clerktest.Event{}
	want := map[string]bool{}
	for i := range messages {
		user := clerktest.User{ID: clerktest.RandomID("user"), Username: "taken", UpdatedAt: time.Now()}
		if i%5 == 0 {
			user.Username = "left-out"
		}
		id := clerktest.RandomID("msg")
		ids[id], want[id] = clerktest.UserUpdated(user), user.Username == "taken"
	}
	var all sync.WaitGroup
	answered := map[string]*answers{}
	for name, signingSecret := range secrets {
		done := &answers{ids: map[string]bool{}}
		answered[name] = done
		queue := make(chan string, 2*messages)
		for id := range ids {
			queue <- id
			if random.IntN(4) == 0 {
				queue <- id // Clerk may send twice what was answered
			}
		}
		close(queue)
		to := func() clerktest.Sender {
			current.RLock()
			defer current.RUnlock()
			return clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/" + name, Secret: signingSecret}
		}
		for range workers {
			all.Go(func() {
				for id := range queue {
					for !done.deliver(t.Context(), to(), id, ids[id]) && t.Context().Err() == nil {
						time.Sleep(pollInterval) // as Clerk's sender does, if for longer
					}
				}
			})
		}
	}
	for i := range kills {
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) // anywhere in what goes on
		if i%2 == 0 {
			server.Kill()
			if err := server.Start(t.Context()); err != nil {
				t.Error(err)
			}
			continue
		}
		current.Lock()
		operator.Kill()
		operator = start(t)
		current.Unlock()
	}
	all.Wait()

	stored, err := server.Messages(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	inStream := map[string]int{}
	var text strings.Builder
	for _, message := range stored {
		inStream[message.Header["ce-id"][0]]++
		fmt.Fprintln(&text, message.Subject, message.Header, string(message.Data))
	}
	compare(t, "NATS", want, answered["kills-nats"].ids, inStream, true)
	target.mutex.Lock()
	defer target.mutex.Unlock()
	compare(t, "HTTP", want, answered["kills-http"].ids, target.taken, false)
	for name, bytes := range map[string]string{"NATS": text.String(), "HTTP": target.text.String()} {
		for _, forbidden := range []string{clerktest.Private, "203.0.113.7", "private_metadata", "unsafe_metadata", secret} {
			if strings.Contains(bytes, forbidden) {
				t.Errorf("%s received %q", name, forbidden)
			}
		}
	}
}

// compare wants the set of what arrived to be that of what was answered and passes the filter; a stream has each once.
func compare(t *testing.T, where string, want, answered map[string]bool, arrived map[string]int, once bool) {
	t.Helper()
	for id, passes := range want {
		if !answered[id] {
			t.Errorf("%s: %s was never answered", where, id)
		}
		switch count := arrived[id]; {
		case passes && count == 0:
			t.Errorf("%s: %s was answered 2xx and did not arrive", where, id)
		case !passes && count > 0:
			t.Errorf("%s: %s arrived although the filter leaves it out", where, id)
		case once && count > 1:
			t.Errorf("%s: %s is stored %d times", where, id, count)
		}
	}
	for id := range arrived {
		if _, known := want[id]; !known {
			t.Errorf("%s: %s arrived, and nobody sent it", where, id)
		}
	}
}

func TestAStreamsConditionSaysWhatToDo(t *testing.T) {
	server, err := natsproc.Start(t.Context(), plane, "nats-checks")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Kill() }()
	operator := start(t)
	defer operator.Kill()
	signingSecret := makeSink(t, "checks", func(s *v1alpha1.ClerkSinkSpec) {
		s.NATS = &v1alpha1.SinkNATS{Servers: []string{server.URL()}, SubjectPrefix: "checks"}
	})
	sender := clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/checks", Secret: signingSecret}
	condition(t, v1alpha1.ConditionReady, v1alpha1.ReasonStreamNotFound)
	deliver := func(want int) {
		t.Helper()
		user := clerktest.User{ID: clerktest.RandomID("user"), UpdatedAt: time.Now()}
		status, answer, err := sender.Deliver(t.Context(), clerktest.RandomID("msg"), clerktest.UserCreated(user))
		if err != nil || status != want {
			t.Fatalf("answered %d %s (%v), want %d; the log:\n%s", status, answer, err, want, operator.LogTail())
		}
	}
	deliver(http.StatusServiceUnavailable)
	if err := server.MakeStream(t.Context(), "CHECKS", "checks"); err != nil {
		t.Fatal(err)
	}
	deliver(http.StatusNoContent)
	condition(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	condition(t, v1alpha1.ConditionDurable, v1alpha1.ReasonNotReplicated)
	var sink v1alpha1.ClerkSink
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "checks"}, &sink); err != nil {
		t.Fatal(err)
	}
	if want := "/webhooks/default/sinks/checks"; sink.Status.Path != want || sink.Status.LastFailure.Reason != "stream_not_found" {
		t.Errorf("status %+v", sink.Status)
	}
	messages, err := server.Messages(t.Context(), "CHECKS")
	if err != nil || len(messages) != 1 || !strings.HasPrefix(messages[0].Subject, "checks.default._.user.created") {
		t.Errorf("%v: %+v", err, messages)
	}

	// A secret of the ClerkInstance among the sink's own.
	var own corev1.Secret
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: operatorproc.Namespace, Name: "sink-checks"}, &own); err != nil {
		t.Fatal(err)
	}
	own.StringData = map[string]string{"second": secret}
	if err := cluster.Update(t.Context(), &own); err != nil {
		t.Fatal(err)
	}
	condition(t, v1alpha1.ConditionStalled, v1alpha1.ReasonSameSecret)
	deliver(http.StatusServiceUnavailable)
}
