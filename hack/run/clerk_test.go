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

package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	someSecret  = "whsec_plJ3nmyCDGBKInavdOK15jsl"
	otherSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
	someKey     = "sk_test_5b8d1f"
)

func TestTheEnvironmentSaysWhichClerkIsHeard(t *testing.T) {
	cases := map[string]struct {
		reason  string
		env     map[string]string
		problem string
		real    bool
		secrets int
		mode    v1alpha1.InstanceMode
		hosts   string
		sink    string
	}{
		"nothing":          {reason: "is for playing", secrets: 1, mode: v1alpha1.ModeEnforce, hosts: clerkHost},
		"a key alone":      {reason: "needs no tunnel", env: map[string]string{keyVariable: someKey}, real: true, mode: v1alpha1.ModeEnforce, hosts: clerkHost},
		"a secret alone":   {reason: "hears webhooks", env: map[string]string{secretVariable: someSecret}, real: true, secrets: 1, mode: v1alpha1.ModeEnforce, hosts: clerkHost},
		"several secrets":  {reason: "a rotation", env: map[string]string{secretVariable: someSecret + ", " + otherSecret + ","}, real: true, secrets: 2, mode: v1alpha1.ModeEnforce, hosts: clerkHost},
		"mode Observe":     {reason: "touches nothing", env: map[string]string{keyVariable: someKey, modeVariable: "Observe"}, real: true, mode: v1alpha1.ModeObserve, hosts: clerkHost},
		"another API":      {reason: "its host alone gets the key", env: map[string]string{keyVariable: someKey, urlVariable: "https://proxy.example.com:8443/v1"}, real: true, mode: v1alpha1.ModeEnforce, hosts: "proxy.example.com:8443"},
		"a secret that is": {reason: "is not signed with", env: map[string]string{secretVariable: someSecret + ",whsec_!"}, problem: "number 2 is no signing secret"},
		"a short secret":   {reason: "can be guessed", env: map[string]string{secretVariable: "whsec_MDEy"}, problem: "too short"},
		"a publishable key": {
			reason: "is the other of the two that the dashboard shows", env: map[string]string{keyVariable: "pk_test_1"}, problem: "begins with sk_",
		},
		"another mode":      {reason: "would be taken for Enforce", env: map[string]string{modeVariable: "observe"}, problem: "Observe or Enforce"},
		"a URL without key": {reason: "would do nothing", env: map[string]string{urlVariable: "https://a.example"}, problem: keyVariable},
		"no URL":            {reason: "has no host", env: map[string]string{keyVariable: someKey, urlVariable: "api.clerk.com"}, problem: "no URL"},
		"a sink over HTTP": {
			reason: "hands on what its own endpoint delivers", env: map[string]string{sinkSecretVariable: someSecret, sinkHTTPVariable: "http://127.0.0.1:8080/events"},
			real: true, mode: v1alpha1.ModeEnforce, hosts: clerkHost, sink: "http://127.0.0.1:8080/events",
		},
		"a sink to NATS": {
			reason: "hands on beside webhooks", env: map[string]string{secretVariable: someSecret, sinkSecretVariable: otherSecret, sinkNATSVariable: "nats://127.0.0.1:4222"},
			real: true, secrets: 1, mode: v1alpha1.ModeEnforce, hosts: clerkHost, sink: "nats://127.0.0.1:4222",
		},
		"a sink's secret alone": {reason: "leads nowhere", env: map[string]string{sinkSecretVariable: someSecret}, problem: sinkHTTPVariable},
		"two targets":           {reason: "would be two sinks", env: map[string]string{sinkSecretVariable: someSecret, sinkHTTPVariable: "http://a", sinkNATSVariable: "nats://a"}, problem: "either"},
		"a target alone":        {reason: "nobody could deliver", env: map[string]string{sinkHTTPVariable: "http://a"}, problem: sinkSecretVariable},
		"one secret for both":   {reason: "would be refused at the sink", env: map[string]string{secretVariable: someSecret, sinkSecretVariable: someSecret, sinkHTTPVariable: "http://a"}, problem: "another endpoint"},
		"a sink's bad secret":   {reason: "is not signed with", env: map[string]string{sinkSecretVariable: "whsec_!", sinkHTTPVariable: "http://a"}, problem: sinkSecretVariable + ": number 1 is no signing secret"},
		"a sink's user":         {reason: "would be printed", env: map[string]string{sinkSecretVariable: someSecret, sinkHTTPVariable: "http://a:b@c"}, problem: sinkHTTPVariable},
		"NATS by HTTP":          {reason: "is the other variable", env: map[string]string{sinkSecretVariable: someSecret, sinkNATSVariable: "http://a"}, problem: sinkNATSVariable},
		"a URL with a user":     {reason: "would be printed", env: map[string]string{keyVariable: someKey, urlVariable: "https://a:b@c.example"}, problem: "no URL"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := readSettings(func(name string) string { return tc.env[name] })
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("it %s: got %v, want %q", tc.reason, err, tc.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.real != tc.real || len(got.SigningSecrets) != tc.secrets || got.Mode != tc.mode {
				t.Errorf("it %s: got real %t, %d secrets, %s", tc.reason, got.real, len(got.SigningSecrets), got.Mode)
			}
			want := []string{"--clerk-api-hosts=" + tc.hosts}
			if tc.sink != "" {
				want = append(want, "--sink-allow-local-targets")
			}
			if args := got.operatorArgs(); !slices.Equal(args, want) {
				t.Errorf("it %s: the operator gets %v, want %v", tc.reason, args, want)
			}
			if got.sink == nil && tc.sink != "" || got.sink != nil && got.sink.http+got.sink.nats != tc.sink {
				t.Errorf("it %s: the sink is %+v, want one to %q", tc.reason, got.sink, tc.sink)
			}
		})
	}
}

func TestTheInstructionsSayWhatIsMissingAndNoSecret(t *testing.T) {
	where := placeAt("root", "http://127.0.0.1:8090/webhooks/default", filepath.Join("root", "bin", "k8s", "kubectl"))
	for name, tc := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"a key alone":    {map[string]string{keyVariable: someKey, modeVariable: "Observe"}, []string{"missing (" + secretVariable, "nothing is touched"}},
		"a secret alone": {map[string]string{secretVariable: someSecret}, []string{"missing (" + keyVariable, "--forward-to http://127.0.0.1:8090/webhooks/default"}},
		"both":           {map[string]string{secretVariable: someSecret, keyVariable: someKey}, []string{"given (1)", "from " + clerkURL}},
		"a sink": {
			map[string]string{sinkSecretVariable: someSecret, sinkNATSVariable: "nats://127.0.0.1:4222"},
			[]string{"http://127.0.0.1:8090/webhooks/default/sinks/run", "nats://127.0.0.1:4222", "nats stream add", "get clerksinks"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := readSettings(func(name string) string { return tc.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			text := instructions(s, where)
			for _, want := range append(tc.want, "bin/k8s/kubectl get clerkorganizations") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in:\n%s", want, text)
				}
			}
			if strings.Contains(text, someSecret) || strings.Contains(text, someKey) {
				t.Errorf("a secret is printed:\n%s", text)
			}
		})
	}
}

// patience bounds every wait. What is waited for takes seconds on an idle machine.
const patience = 2 * time.Minute

// running is what make run has brought up.
type running struct {
	t          *testing.T
	root       string
	kubeconfig string
	output     *printed
	interrupt  context.CancelFunc
	ended      chan error
}

func startRun(t *testing.T, env map[string]string) *running {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	clerk, err := readSettings(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	folder := t.TempDir()
	r := &running{
		t: t, root: root, kubeconfig: filepath.Join(folder, "kubeconfig"), output: new(printed), interrupt: interrupt, ended: make(chan error, 1),
	}
	s := session{root: root, kubeconfig: r.kubeconfig, logs: filepath.Join(folder, "logs"), clerk: clerk, out: r.output, log: r.output}
	go func() { r.ended <- s.serve(ctx) }()
	t.Cleanup(interrupt)
	r.until("the instructions", func() bool { return strings.Contains(r.output.String(), "Everything is up") })
	return r
}

// fake plays Clerk's Backend API, and is where its URL says.
type fake struct {
	*clerkapi.API
	url string
}

// membershipOf is somebody's in Acme.
func membershipOf(name string) clerktest.Membership {
	created := time.Now().Add(-time.Hour)
	acme := clerktest.Organization{ID: clerktest.ID("org", "acme"), Name: "Acme", Slug: "acme", CreatedAt: created, UpdatedAt: created}
	email := name + "@acme.example"
	user := clerktest.User{ID: clerktest.ID("user", name), Identifier: email, Email: email, UpdatedAt: created}
	return clerktest.Membership{
		ID: clerktest.ID("orgmem", name), Role: "org:admin", Organization: acme, User: user, CreatedAt: created, UpdatedAt: created,
	}
}

// fakeClerk plays Clerk's Backend API with one organization.
func fakeClerk(t *testing.T) *fake {
	t.Helper()
	jane := membershipOf("jane")
	api := clerkapi.New(clerkapi.Options{InstanceID: clerktest.ID("ins", "run"), Key: someKey})
	api.SetOrganization(jane.Organization)
	api.SetUser(jane.User)
	api.SetMembership(jane)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return &fake{api, server.URL + clerkapi.Prefix}
}

// kubectl runs a command as it is printed, and returns its output.
func (r *running) kubectl(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), filepath.Join(r.root, "bin", "k8s", "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig)
	output, err := command.CombinedOutput()
	if err != nil {
		return err.Error() + "\n" + string(output)
	}
	return string(output)
}

func (r *running) until(what string, seen func() bool) {
	r.t.Helper()
	tired := time.After(patience)
	for !seen() {
		select {
		case err := <-r.ended:
			r.t.Fatalf("it ended before %s: %v\n%s", what, err, r.output)
		case <-tired:
			r.t.Fatalf("no %s:\n%s", what, r.output)
		case <-time.After(followInterval):
		}
	}
}

// end is Ctrl-C.
func (r *running) end() {
	r.t.Helper()
	r.interrupt()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	if _, err := os.Stat(r.kubeconfig); !os.IsNotExist(err) {
		r.t.Errorf("the kubeconfig stays: %v", err)
	}
}

// printed is what was printed, by several at once.
type printed struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (p *printed) Write(text []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.buffer.Write(text)
}

func (p *printed) String() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.buffer.String()
}
