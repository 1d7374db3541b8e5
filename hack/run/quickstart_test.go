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
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/transcript"
)

// Where the quickstart is, and what stands in it for what everybody has of their own.
const (
	withKey      = "With an API key alone: see what each organization would get"
	withWebhooks = "With webhooks: see a change within a second"
	withoutClerk = "Without Clerk"

	keyOnPage     = "sk_test_…"
	secretOnPage  = "whsec_…"
	messageOnPage = "msg_…"
	pageAddress   = "127.0.0.1:8090"
	// fakeAddress is what the transcript calls the address of the fake Clerk.
	fakeAddress = "127.0.0.1:9000"
)

// Each path of the quickstart, from an empty folder: with the commands of README.md as they stand there, which have to print what it shows.
// Where Clerk cannot be reached, a fake answers: its API by Clerk's schema, its webhooks by signed deliveries. The transcripts are kept.
func TestEachPathOfTheQuickstartFromAnEmptyFolder(t *testing.T) {
	folder := freshCopy(t)
	for _, path := range []struct {
		name, section, begin string
		clerk                *fake
		// played is what Clerk does once everything is up.
		played func(q *quickstart)
		// after looks at what the commands have led to.
		after func(q *quickstart)
	}{
		{name: "api-key", section: withKey, clerk: fakeClerk(t), after: enforced},
		{name: "webhooks", section: withWebhooks, clerk: fakeClerk(t), played: joins},
		{name: "without-clerk", section: withoutClerk, begin: "make run"},
	} {
		t.Run(path.name, func(t *testing.T) {
			q := newQuickstart(t, folder, path.clerk)
			steps := stepsOf(t, filepath.Join(folder, "README.md"), path.section)
			if path.begin != "" {
				steps = slices.Insert(steps, 0, transcript.Step{Command: path.begin})
			}
			for _, step := range steps {
				switch {
				case strings.HasPrefix(step.Command, "npx "):
					q.write("# Not run here, since it needs Clerk: " + step.Command)
				case strings.HasSuffix(step.Command, "make run"):
					q.start(step.Command)
					if path.played != nil {
						path.played(q)
					}
				case strings.Contains(step.Command, `"mode":"Enforce"`):
					q.untouched()
					q.run(step)
				default:
					q.run(step)
				}
			}
			if path.after != nil {
				path.after(q)
			}
			q.stop()
			if err := transcript.Keep(filepath.Join(q.root, "docs", "tutorials", "transcripts.md"), path.name, q.text.String()); err != nil {
				t.Error(err)
			}
		})
	}
}

// freshCopy is a folder that was empty and now holds the repository, as git clone makes one: nothing is built in it.
func freshCopy(t *testing.T) string {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	script := `tar --exclude=./bin --exclude=./.git --exclude=./.cache --exclude=node_modules --exclude=.site -cf - . | tar -xf - -C "$1"`
	command := exec.CommandContext(t.Context(), "bash", "-c", "set -euo pipefail; "+script, "copy", folder)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return folder
}

// stepsOf are the commands of a page under a heading; without one, all of the page.
func stepsOf(t *testing.T, page, section string) []transcript.Step {
	t.Helper()
	all, err := transcript.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	steps := slices.DeleteFunc(all, func(step transcript.Step) bool { return section != "" && step.Section != section })
	if len(steps) == 0 {
		t.Fatalf("%s has no commands under %q", page, section)
	}
	return steps
}

// quickstart is a person who does what the page says.
type quickstart struct {
	t               *testing.T
	root, folder    string
	address, secret string
	clerk           *fake // nil where nothing is asked of Clerk
	shell           *transcript.Shell
	output          *printed
	process         *exec.Cmd
	ended           chan error
	text            strings.Builder
}

func newQuickstart(t *testing.T, folder string, clerk *fake) *quickstart {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	q := &quickstart{
		t: t, root: root, folder: folder, address: free.Addr().String(), secret: clerktest.NewSecret(), output: new(printed), clerk: clerk,
	}
	environ := append(os.Environ(), addressVariable+"="+q.address, "KUBECACHEDIR="+t.TempDir())
	if clerk != nil {
		environ = append(environ, urlVariable+"="+clerk.url)
	}
	// Of a make that runs this test, nothing is handed on.
	for _, name := range []string{"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "KUBECONFIG"} {
		environ = slices.DeleteFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
	}
	q.shell = &transcript.Shell{Folder: folder, Environ: environ}
	return q
}

// typed is a command of the page with what this person has of their own.
func (q *quickstart) typed(command string) string {
	return strings.NewReplacer(keyOnPage, someKey, secretOnPage, q.secret, pageAddress, q.address).Replace(command)
}

// write adds to the transcript, with what stands on the page for what this person has of their own.
func (q *quickstart) write(text string) {
	own := []string{someKey, keyOnPage, q.secret, secretOnPage, q.address, pageAddress}
	if q.clerk != nil {
		own = append(own, strings.TrimPrefix(strings.TrimSuffix(q.clerk.url, clerkapi.Prefix), "http://"), fakeAddress)
	}
	text = madeUpMessage.ReplaceAllString(strings.NewReplacer(own...).Replace(text), messageOnPage)
	q.text.WriteString(strings.TrimRight(madeUpSecret.ReplaceAllString(text, secretOnPage), "\n") + "\n")
}

// start is the first terminal: it begins a command that stays, and waits until everything is up.
func (q *quickstart) start(command string) {
	q.t.Helper()
	if q.clerk == nil {
		q.write("$ " + command)
	} else {
		q.write("$ " + urlVariable + "=" + q.clerk.url + " " + command)
	}
	q.process = exec.CommandContext(q.t.Context(), "bash", "-c", q.typed(command))
	q.process.Dir, q.process.Env, q.process.Stdout, q.process.Stderr = q.folder, q.shell.Environ, q.output, q.output
	q.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := q.process.Start(); err != nil {
		q.t.Fatal(err)
	}
	q.ended = make(chan error, 1)
	go func() { q.ended <- q.process.Wait() }()
	q.t.Cleanup(func() { _ = syscall.Kill(-q.process.Process.Pid, syscall.SIGKILL) })
	q.until("the instructions", func() bool { return strings.Contains(q.output.String(), "The operator's log:") })
	shown, _, _ := strings.Cut(q.output.String(), "The operator's log:")
	if begin := strings.Index(shown, "Starting etcd"); begin > 0 {
		shown = shown[begin:] // before it, what was built
	}
	q.write(shown)
	if secret := madeUpSecret.FindString(shown); secret != "" {
		q.secret = secret
	}
	q.write("# In a second terminal:")
}

// run is the second terminal: it runs a command until it prints what the page shows, since what the operator does takes a moment.
func (q *quickstart) run(step transcript.Step) {
	q.t.Helper()
	var output string
	q.until(step.Command+" to print\n"+step.Output, func() (done bool) {
		var err error
		output, err = q.shell.Run(q.t.Context(), q.typed(step.Command))
		return err == nil && (step.Output == "" || transcript.Same(step.Output, output))
	})
	q.write("$ " + step.Command)
	if output != "" {
		q.write(output)
	}
}

func (q *quickstart) until(what string, seen func() bool) {
	q.t.Helper()
	tired := time.After(patience)
	for !seen() {
		select {
		case err := <-q.ended:
			q.t.Fatalf("make run ended before %s: %v\n%s", what, err, q.output)
		case <-tired:
			q.t.Fatalf("no %s:\n%s", what, q.output)
		case <-time.After(followInterval):
		}
	}
}

// stop is Ctrl-C in the first terminal.
func (q *quickstart) stop() {
	q.t.Helper()
	if err := syscall.Kill(-q.process.Process.Pid, syscall.SIGINT); err != nil {
		q.t.Fatal(err)
	}
	q.t.Logf("make run: %v", <-q.ended) // it says that it was interrupted, whatever it ran
	if !strings.Contains(q.output.String(), "Everything is stopped.") {
		q.t.Errorf("not everything is stopped:\n%s", q.output)
	}
	for _, secret := range []string{someKey, clerktest.Private} {
		if strings.Contains(q.output.String(), secret) {
			q.t.Errorf("%q was printed", secret)
		}
	}
}

// untouched looks that mode Observe has made nothing so far.
func (q *quickstart) untouched() {
	q.t.Helper()
	namespaces, err := q.shell.Run(q.t.Context(), "bin/k8s/kubectl get namespaces")
	if err != nil || strings.Contains(namespaces, "org-acme") {
		q.t.Errorf("mode Observe made a namespace (%v):\n%s", err, namespaces)
	}
}

// enforced looks that mode Enforce gives the access that was announced.
func enforced(q *quickstart) {
	q.t.Helper()
	q.until("access in mode Enforce", func() bool {
		output, err := q.shell.Run(q.t.Context(), "bin/k8s/kubectl get rolebindings -n org-acme -o yaml")
		return err == nil && strings.Contains(output, "clerk:"+clerktest.ID("user", "jane"))
	})
}

// joins is Clerk: an organization is made, and somebody joins it.
func joins(q *quickstart) {
	q.t.Helper()
	now := time.Now()
	globex := clerktest.Organization{ID: clerktest.ID("org", "globex"), Name: "Globex", Slug: "globex", CreatedAt: now, UpdatedAt: now}
	lea := clerktest.User{ID: clerktest.ID("user", "lea"), Identifier: "lea@globex.example", Email: "lea@globex.example", UpdatedAt: now}
	membership := clerktest.Membership{
		ID: clerktest.ID("orgmem", "lea in globex"), Role: "org:admin", Organization: globex, User: lea, CreatedAt: now, UpdatedAt: now,
	}
	q.clerk.SetOrganization(globex)
	q.clerk.SetUser(lea)
	q.clerk.SetMembership(membership)
	sender := clerktest.Sender{URL: "http://" + q.address + "/webhooks/default", Secret: q.secret}
	for _, event := range []clerktest.Event{
		clerktest.OrganizationCreated(globex),
		clerktest.MembershipCreated(membership),
	} {
		status, answer, err := sender.Deliver(q.t.Context(), clerktest.RandomID("msg"), event)
		if err != nil || status != http.StatusNoContent {
			q.t.Fatalf("%s: %d %s (%v)", event.Type, status, answer, err)
		}
		q.write(fmt.Sprintf("# The test, which plays Clerk, delivers %s: %d %s", event.Type, status, http.StatusText(status)))
	}
}
