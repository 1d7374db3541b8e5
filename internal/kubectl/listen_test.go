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

package kubectl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

// soFar is what a command that goes on has printed so far.
type soFar struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *soFar) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *soFar) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await waits until something has been printed.
func (p *soFar) await(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	wait.Within(t, patience, pattern, func(context.Context) error {
		if found = regexp.MustCompile(pattern).FindStringSubmatch(p.String()); found == nil {
			return errors.New(p.String())
		}
		return nil
	})
	return found
}

// listening is a listen that goes on.
type listening struct {
	out *soFar
	url string

	// end ends it as Ctrl-C does.
	end func() (code int)
}

// listen runs listen against the receiver of the tests.
func listen(t *testing.T, path string, args ...string) *listening {
	t.Helper()
	t.Setenv("PATH", path)
	ctx, stop := context.WithCancel(t.Context())
	l := &listening{out: &soFar{}}
	ended := make(chan int, 1)
	go func() {
		ended <- kubectl.Main(ctx, kubectl.Options{
			Streams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: l.out, ErrOut: l.out},
			Now:     func() time.Time { return now }, Version: "test",
		}, append([]string{"listen", "--kubeconfig", kubeconfig, "--port", "0"}, args...)...)
	}()
	l.end = sync.OnceValue(func() int {
		stop()
		return <-ended
	})
	t.Cleanup(func() { l.end() })
	l.url = l.out.await(t, `come in at (http://127\.0\.0\.1:\d+/webhooks/\S+)\n(?s:.*)Ctrl-C ends it`)[1]
	return l
}

// deliver delivers an event as Clerk's relay does.
func (l *listening) deliver(t *testing.T, secret, id string) int {
	t.Helper()
	organization := clerktest.Organization{ID: clerktest.ID("org", "lunar"), Name: "Lunar", Slug: "lunar", CreatedAt: now, UpdatedAt: now}
	status, answer, err := clerktest.Sender{URL: l.url, Secret: secret}.Deliver(t.Context(), id, clerktest.OrganizationCreated(organization))
	if err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	return status
}

// varying are what differs each time.
var varying = regexp.MustCompile(`127\.0\.0\.1:\d+|\d+(\.\d+)?(ms|s|µs)\n`)

// TestListen passes deliveries on to the operator, which takes them, and tells of each.
func TestListen(t *testing.T) {
	secret := newSendInstance(t)
	l := listen(t, t.TempDir(), "send", "--url", "http://"+receiverAt+"/webhooks/send")
	for _, delivery := range []struct {
		secret, id string
		want       int
	}{
		{secret, "msg_1", http.StatusNoContent},
		{clerktest.NewSecret(), "msg_2", http.StatusUnauthorized},
		{clerktest.NewSecret(), "msg_3", http.StatusUnauthorized},
		{secret, "msg_4", http.StatusNoContent},
	} {
		if status := l.deliver(t, delivery.secret, delivery.id); status != delivery.want {
			t.Errorf("%s: answered %d, want %d", delivery.id, status, delivery.want)
		}
		l.out.await(t, delivery.id+` `)
	}
	if code := l.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text := varying.ReplaceAllStringFunc(l.out.String(), func(found string) string {
		if strings.HasPrefix(found, "127.") {
			return shownAt
		}
		return "4ms\n"
	})
	wantGolden(t, "listen", "listen send --port 0 --url http://"+shownAt+"/webhooks/send", result{out: text})
	address := strings.TrimSuffix(strings.TrimPrefix(l.url, "http://"), "/webhooks/send")
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
		t.Error("it still listens")
	}
}

// What is passed on is what came: no header is added, changed or left out, and the body is the same, whatever it is.
func TestListenChangesNothing(t *testing.T) {
	type seen struct {
		path, host string
		header     http.Header
		body       []byte
	}
	heard := make(chan seen, 1)
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- seen{r.URL.RequestURI(), r.Host, r.Header, body}
		w.Header().Set("Webhook-Delivery", "abort-message")
		w.WriteHeader(http.StatusTeapot)
	})}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	l := listen(t, t.TempDir(), "send", "--url", "http://"+listener.Addr().String()+"/webhooks/send")
	body := []byte("{\"type\":\"\xff\x00\r\n \"}")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+"/sinks/a?x=1;y=%zz", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sent := http.Header{
		"Svix-Id": {"msg_1"}, "Svix-Signature": {"v1,a v1,b"}, "Svix-Timestamp": {"1"}, "User-Agent": {"Svix-Webhooks/1"},
		"Accept-Encoding": {"br"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "Content-Type": {"application/json"},
	}
	request.Header = sent.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusTeapot || response.Header.Get("Webhook-Delivery") != "abort-message" {
		t.Errorf("answered %d %v", response.StatusCode, response.Header)
	}
	have := <-heard
	sent["Content-Length"] = []string{fmt.Sprint(len(body))}
	if fmt.Sprint(have.header) != fmt.Sprint(sent) || !bytes.Equal(have.body, body) || have.path != "/webhooks/send/sinks/a?x=1;y=%zz" ||
		have.host != listener.Addr().String() {
		t.Errorf("heard %+v, want %v", have, sent)
	}
}

// What comes is bounded, and where nobody answers, the sender is told to try again.
func TestListenIsBounded(t *testing.T) {
	nobody, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, t.TempDir(), "send", "--url", "http://"+nobody+"/webhooks/send", "--relay", "never")
	post := func(body io.Reader, id string) (status int, header http.Header) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Svix-Id", id)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode, response.Header
	}
	if status, _ := post(strings.NewReader(strings.Repeat("x", 2<<20+1)), "msg_1"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of more than 2 MiB is answered %d", status)
	}
	if status, _ := post(http.NoBody, strings.Repeat("x", 64<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers of 64 KiB are answered %d", status)
	}
	if status, header := post(http.NoBody, "not an id"); status != http.StatusBadGateway || header.Get("Retry-After") == "" {
		t.Errorf("where nobody answers: %d %v", status, header)
	}
	l.out.await(t, `502  \(no id\) .*\n.*connection refused`)
	if strings.Contains(l.out.String(), "not an id") {
		t.Errorf("what came is printed: %s", l.out)
	}
}

// relayScript is in the place of Clerk's command line: it writes down how it was called and that it was asked to end.
const relayScript = `#!/bin/sh
echo "$$ $*" >"%[1]s"
echo "Relay is at https://relay.example"
trap 'echo asked >>"%[1]s"; exit 130' INT
while :; do sleep 0.1; done
`

// Clerk's relay is started where it is installed, prints as it does, and is asked to end before listen ends.
func TestListenStartsAndStopsTheRelay(t *testing.T) {
	folder := t.TempDir()
	noted := filepath.Join(folder, "noted")
	if err := os.WriteFile(filepath.Join(folder, "clerk"), fmt.Appendf(nil, relayScript, noted), 0o700); err != nil {
		t.Fatal(err)
	}
	path := folder + string(os.PathListSeparator) + os.Getenv("PATH")
	to := "http://" + receiverAt + "/webhooks/send"
	never := listen(t, path, "send", "--url", to, "--relay", "never")
	never.out.await(t, `npx clerk webhooks listen --forward-to `+regexp.QuoteMeta(never.url))
	if code := never.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(noted); err == nil {
		t.Error("--relay never starts it")
	}
	l := listen(t, path, "send", "--url", to)
	l.out.await(t, "Relay is at https://relay.example")
	if code := l.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	content, err := os.ReadFile(noted)
	pid, called, _ := strings.Cut(string(content), " ")
	if want := "webhooks listen --forward-to " + l.url + "\nasked\n"; err != nil || called != want {
		t.Errorf("the relay noted %q (%v), want %q", called, err, want)
	}
	if _, err := os.Stat("/proc/" + pid); err == nil {
		t.Error("the relay still runs")
	}
}

// A relay that ends by itself is told, and listening goes on.
func TestListenOutlivesTheRelay(t *testing.T) {
	secret := newSendInstance(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "clerk"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := listen(t, folder, "send", "--url", "http://"+receiverAt+"/webhooks/send")
	l.out.await(t, `The relay has ended \(exit status 3\).*npx clerk webhooks listen --forward-to `)
	if status := l.deliver(t, secret, "msg_1"); status != http.StatusNoContent {
		t.Errorf("answered %d", status)
	}
}

// What stands in the way is said, and what to do.
func TestListenSaysWhatStandsInTheWay(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for name, test := range map[string]struct{ args, says string }{
		"nothing runs":     {"listen default --port 0", "no Service of the operator's can be seen"},
		"nobody is misled": {"listen nowhere", `there is no ClerkInstance "nowhere"`},
		"no rights":        {"listen default --as nobody", "you may not read clerkinstances"},
		"another path":     {"listen default --url https://example.com/webhooks/other", "deliveries of the ClerkInstance default go to /webhooks/default"},
		"a port in use":    {"listen send --url http://127.0.0.1:1/webhooks/send --port " + port, "try another --port"},
		"a relay":          {"listen default --relay always", "--relay is auto or never"},
		"a form":           {"listen default -o json", "leave -o out"},
	} {
		if found := run(t, strings.Fields(test.args)...); found.code != 1 || found.out != "" || !strings.Contains(found.errors, test.says) {
			t.Errorf("%s: %+v, want %q", name, found, test.says)
		}
	}
	namespace := operatorElsewhere(t)
	in := " --port 0 --operator-namespace " + namespace
	allow(t, namespace, "lister", listOf("services"))
	allow(t, namespace, "looker", listOf("services"), listOf("pods"))
	for _, user := range []string{"lister", "looker"} {
		viewer := &rbacv1.ClusterRoleBinding{
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "clerk-operator-viewer"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		viewer.Name = "listen-" + user
		create(t, viewer)
	}
	check := func(args, says string) {
		t.Helper()
		if found := run(t, strings.Fields(args+in)...); found.code != 1 || found.out != "" || !strings.Contains(found.errors, says) {
			t.Errorf("%s: %+v, want %q", args, found, says)
		}
	}
	check("listen default --as lister", "ask for the verb list on pods, and create on pods/portforward")
	check("listen default", "no pod of the Service "+namespace+"/clerk-operator is ready")
	pod := podElsewhere(namespace)
	create(t, pod)
	ready(t, pod)
	check("listen default --as looker", "which takes the right to create pods/portforward there")
}
