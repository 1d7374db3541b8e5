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
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/transcript"
)

var (
	madeUpSecret  = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`)
	madeUpMessage = regexp.MustCompile(`msg_[A-Za-z0-9]{27}`)
	madeUpURL     = regexp.MustCompile(`http://127\.0\.0\.1:\d+/webhooks/default`)
	hash          = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
)

// visitor does what a page says, in a cluster that startRun has brought up.
type visitor struct {
	*running
	shell transcript.Shell
	// hash is the last one that was printed: it names what is released, and stands for that of the page.
	hash string
}

func (r *running) visitor(env ...string) *visitor {
	return &visitor{running: r, shell: transcript.Shell{Folder: r.root, Environ: append(append(os.Environ(),
		"KUBECONFIG="+r.kubeconfig, "KUBECACHEDIR="+r.t.TempDir(), "PATH="+filepath.Join(r.root, "bin", "k8s")+":"+os.Getenv("PATH")), env...)}}
}

// run runs a command until it prints what the page shows; where that is nothing, until it succeeds.
func (v *visitor) run(step transcript.Step) {
	v.t.Helper()
	var output string
	v.until(step.Command+" to print\n"+step.Output, func() (done bool) {
		var err error
		output, err = v.shell.Run(v.t.Context(), hash.ReplaceAllString(step.Command, v.hash))
		if step.Output == "" {
			return err == nil
		}
		return transcript.Same(step.Output, output) // whatever the exit code: kubectl auth can-i says no by it too
	})
	if found := hash.FindString(output); found != "" {
		v.hash = found
	}
}

// do runs a command of the test's own.
func (v *visitor) do(command string) {
	v.t.Helper()
	if _, err := v.shell.Run(v.t.Context(), command); err != nil {
		v.t.Fatal(err)
	}
}

// The tutorial on a laptop, command by command as the page has them. What the page shows below a command has to come of it.
func TestTheTutorialOnALaptopIsTrue(t *testing.T) {
	run := startRun(t, map[string]string{})
	steps, err := transcript.Read(filepath.Join(run.root, "docs", "tutorials", "laptop.md"))
	if err != nil {
		t.Fatal(err)
	}
	person := run.visitor("SEND="+sendCommand(madeUpURL.FindString(run.output.String())),
		"CLERK_SIGNING_SECRET="+madeUpSecret.FindString(run.output.String()))
	count := 0
	for _, step := range steps {
		if step.Command == "make run" || strings.HasPrefix(step.Command, "export ") {
			continue // this is what startRun and the visitor's environment are
		}
		count++
		person.run(step)
	}
	if count < 10 {
		t.Errorf("only %d commands of the tutorial were found", count)
	}
	run.end()
}

const (
	askForAResync = `kubectl annotate --overwrite clerkinstance default clerk-operator.io/resync-requested-at="$(date -u +%FT%T.%NZ)"`
	contradictory = `kubectl get clerkinstance default -o jsonpath='{.status.contradiction.count}'`
)

// What docs/resync.md and docs/operations.md have people type, against a fake Clerk: switching it on, releasing what is held and what
// contradicts, and looking at things.
func TestThePagesOnResyncAndOperationsAreTrue(t *testing.T) {
	clerk := fakeClerk(t)
	var others []clerktest.Membership // more than may always be removed
	for i := range 7 {
		membership := membershipOf(fmt.Sprintf("user-%d", i))
		clerk.SetUser(membership.User)
		clerk.SetMembership(membership)
		others = append(others, membership)
	}
	run := startRun(t, map[string]string{keyVariable: someKey, urlVariable: clerk.url})
	administrator := run.visitor(keyVariable + "=" + someKey)
	administrator.do("kubectl -n clerk-operator-system delete secret clerk-api") // as before the page
	prepare := map[string]func(){
		// Seven of eight members are deleted, by mistake maybe: that is held.
		".status.heldPrune": func() {
			administrator.synced()
			for _, membership := range others {
				clerk.DeleteMembership(membership.ID)
			}
			administrator.do(askForAResync)
		},
		// The removal was released; then Clerk lists them all the same. A tombstone of the last seconds does not count yet, so ask again.
		".status.contradiction": func() {
			administrator.synced()
			for _, membership := range others {
				clerk.SetMembership(membership)
			}
			administrator.run(transcript.Step{Command: askForAResync + "\n" + contradictory, Output: "… annotated\n" + strconv.Itoa(len(others))})
		},
	}
	for _, step := range stepsOf(t, filepath.Join(run.root, "docs", "resync.md"), "") {
		for command, before := range prepare {
			if strings.Contains(step.Command, command) {
				before()
			}
		}
		administrator.run(step)
	}
	administrator.synced()
	operations := filepath.Join(run.root, "docs", "operations.md")
	for _, section := range []string{"Tombstone retention", "Look at things"} {
		for _, step := range stepsOf(t, operations, section) {
			administrator.run(step)
		}
	}
	run.end()
}

// synced waits until a resync has found everything.
func (v *visitor) synced() {
	v.t.Helper()
	v.run(transcript.Step{
		Command: `kubectl get clerkinstance default -o jsonpath='{.status.conditions[?(@.type=="Synced")].status}'`, Output: "True",
	})
}
