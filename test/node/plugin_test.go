//go:build linux

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

package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// printed is what a command has printed so far.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await waits until it has printed something, and returns that with its parts.
func (p *printed) await(t *testing.T, pattern string) (found []string) {
	t.Helper()
	eventually(t, pattern, func(context.Context) error {
		if found = regexp.MustCompile(pattern).FindStringSubmatch(p.String()); found == nil {
			return errors.New(p.String())
		}
		return nil
	})
	return found
}

// command is a command of the plugin that runs.
type command struct {
	out, problems *printed

	// stop ends it as Ctrl-C does, and ended has its exit code.
	stop  context.CancelFunc
	ended chan int
}

// plugin runs kubectl clerk as a person does who has a kubeconfig and nothing else.
func (s *story) plugin(ctx context.Context, args ...string) *command {
	log.SetLogger(logr.Discard()) // as the plugin's program does; without one, controller-runtime complains
	if !slices.Contains(args, "--kubeconfig") {
		args = append(args, "--kubeconfig", s.kubeconfig)
	}
	ctx, stop := context.WithCancel(ctx)
	c := &command{out: &printed{}, problems: &printed{}, stop: stop, ended: make(chan int, 1)}
	go func() {
		c.ended <- kubectl.Main(ctx, kubectl.Options{
			Streams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: c.out, ErrOut: c.problems}, Now: time.Now, Version: "e2e",
		}, args...)
	}()
	return c
}

// answer runs a command of the plugin to its end.
func (s *story) answer(t *testing.T, code int, args ...string) string {
	t.Helper()
	c := s.plugin(t.Context(), args...)
	if have := <-c.ended; have != code {
		t.Fatalf("kubectl clerk %s ends with %d, want %d: %s%s", strings.Join(args, " "), have, code, c.out, c.problems)
	}
	return c.out.String() + c.problems.String()
}

// send plays Clerk: the secret comes from the cluster, and the way to the operator is a port that the kubelet forwards. The event mirrors
// nothing, so the other steps do not see it.
func send(t *testing.T, s *story) {
	t.Helper()
	began := time.Now()
	text := s.answer(t, kubectl.ExitYes, "send", "session.created", "--instance", instance, "--yes", "-o", "json")
	var sent kubectl.Send
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&sent); err != nil || sent.Status != http.StatusNoContent {
		t.Fatalf("%v: %s", err, text)
	}
	say("session.created to %s: %d after %s", sent.To, sent.Status, since(began))
}

// receiving is what each replica logs once.
const receiving = "Receiving deliveries"

// logs reads the logs of both replicas.
func logs(t *testing.T, s *story) {
	t.Helper()
	text := s.answer(t, kubectl.ExitYes, "logs", "--timestamps")
	var times []string
	for line := range strings.Lines(text) {
		if parts := strings.SplitN(line, "  ", 3); len(parts) == 3 {
			times = append(times, parts[1])
		}
	}
	const form = "2006-01-02T15:04:05"
	if !slices.IsSortedFunc(times, func(a, b string) int { return strings.Compare(a[:len(form)], b[:len(form)]) }) || len(times) < 4 {
		t.Errorf("%d lines are not in the order of time:\n%s", len(times), text)
	}
	for _, pod := range s.pods(t) {
		if count := len(logged(text, pod, receiving)); count != 1 {
			t.Errorf("%s logged %q %d times:\n%s", pod.Name, receiving, count, text)
		}
	}
	if text := s.answer(t, kubectl.ExitYes, "logs", "--tail", "1"); strings.Count(text, "\n") != 2 {
		t.Errorf("the last line of each of two replicas is\n%s", text)
	}
	if text := s.answer(t, kubectl.ExitError, "logs", "--previous"); !strings.Contains(text, "no replica of the operator has restarted") {
		t.Error(text)
	}
	say("%d lines of both replicas, in the order of time", len(times))
}

// logged are the lines of a pod that have a text.
func logged(text string, pod corev1.Pod, part string) (lines []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, pod.Name+"  ") && strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}

// background are commands that go on while the steps after them do something to the pods.
type background struct {
	listen, follow *command
	url            string
	delivered      int
}

// listen starts to listen, and to follow the logs, in which a delivery is seen.
func listen(t *testing.T, s *story) {
	t.Helper()
	b := &background{
		listen: s.plugin(s.whole, "listen", "--port", "0", "--relay", "never"),
		follow: s.plugin(s.whole, "logs", "--follow", "--tail", "0"),
	}
	s.background = b
	b.url = b.listen.out.await(t, `come in at (http://\S+)\n(?s:.*)Ctrl-C ends it`)[1]
	// What is signed and speaks of nobody is refused, and logged each time: the first may come before the log is followed.
	number := 0
	eventually(t, "a delivery to be seen in the log", func(ctx context.Context) error {
		number++
		id := fmt.Sprintf("msg_e2e%d", number)
		nobody := clerktest.Event{Type: "organization.created", Time: time.Now(), Data: map[string]string{"object": "organization"}}
		status, answer, err := clerktest.Sender{URL: b.url, Secret: s.secret}.Deliver(ctx, id, nobody)
		if err != nil || status != http.StatusUnprocessableEntity {
			t.Fatalf("what speaks of nobody is answered %d %s (%v)", status, answer, err)
		}
		if text := b.follow.out.String(); !strings.Contains(text, "msg_e2e") {
			return fmt.Errorf("%s%s", text, b.follow.problems)
		}
		return nil
	})
	b.listen.out.await(t, `422  msg_e2e1 `)
	s.stillDelivers(t)
	say("listening at %s: what is refused is seen in the log that is followed", b.url)
}

// stillDelivers delivers by the port that is listened at. Nothing is tried again here.
func (s *story) stillDelivers(t *testing.T) {
	t.Helper()
	b := s.background
	b.delivered++
	id, began := fmt.Sprintf("msg_delivered%d", b.delivered), time.Now()
	event := clerktest.Event{Type: "session.created", Time: began, Data: map[string]string{"object": "session", "id": clerktest.RandomID("sess")}}
	status, answer, err := clerktest.Sender{URL: b.url, Secret: s.secret}.Deliver(t.Context(), id, event)
	if err != nil || status != http.StatusNoContent {
		t.Errorf("by the forwarded port: %d %s (%v)\n%s", status, answer, err, b.listen.out)
	}
	b.listen.out.await(t, "204  "+id+" ")
	say("a delivery by kubectl clerk listen: %d after %s", status, since(began))
}

// readAfterKill looks that the log that is followed goes on with the program that was started in the place of the one that was killed, and
// that what that one had logged is still read.
func (s *story) readAfterKill(t *testing.T, victim corev1.Pod) {
	t.Helper()
	s.background.follow.out.await(t, receiving)
	if !s.own {
		return // the pod is gone, and its log with it
	}
	text := s.answer(t, kubectl.ExitYes, "logs", "--previous")
	if count := len(logged(text, victim, receiving)); count != 1 {
		t.Errorf("%s logged %q %d times before it was killed:\n%s", victim.Name, receiving, count, text)
	}
	say("kubectl clerk logs --follow goes on with the new program, and --previous prints the log of the one that was killed")
}

// stopListening ends what goes on, as Ctrl-C does.
func (s *story) stopListening(t *testing.T) {
	t.Helper()
	for _, c := range []*command{s.background.listen, s.background.follow} {
		c.stop()
		if code := <-c.ended; code != kubectl.ExitYes {
			t.Errorf("it ends with %d: %s%s", code, c.out, c.problems)
		}
	}
	text := s.background.listen.out.String()
	if !strings.Contains(text, "went away: deliveries go to ") {
		t.Errorf("both pods were killed, and another was never taken:\n%s", text)
	}
	say("kubectl clerk listen printed:\n%s", indent(text))
}
