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
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/transcript"
)

const (
	// forwarded is where the tutorial forwards the Service to.
	forwarded = "127.0.0.1:8090"
	// secretOnPage stands on pages for a signing secret.
	secretOnPage = "whsec_…"
	// needsAnAPI is the section of the tutorial that needs Clerk's API. hack/run runs the same commands, against a fake.
	needsAnAPI = "6. Find what was there before"
)

// elsewhere are commands of the tutorial that this test does otherwise, and how.
var elsewhere = []struct{ prefix, instead string }{
	{"kind create cluster", "the node is there: containerd, kubelet, kube-proxy"},
	{"make image", "make e2e has run it, for this platform alone"},
	{"kind load image-archive", "ctr images import, of the same archive"},
	{"npx clerk webhooks listen", "the test delivers to the forwarded port"},
	{"kind delete cluster", "uninstalled as docs/install.md says"},
}

// tutorial does what docs/tutorials/kind.md says, with this node in the place of kind's, and then uninstalls as docs/install.md says.
func tutorial(t *testing.T, s *story) {
	t.Helper()
	if !s.own {
		t.Skip("the tutorial begins with an empty cluster")
	}
	folder := t.TempDir()
	v := &visitor{story: s, shell: transcript.Shell{Folder: s.root, Environ: append(os.Environ(),
		"KUBECONFIG="+s.kubeconfig, "KUBECACHEDIR="+folder,
		"PATH="+filepath.Join(s.root, "bin")+":"+filepath.Join(s.root, "bin", "k8s")+":"+os.Getenv("PATH"),
		"HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)}}
	for _, step := range v.steps(t, "docs/tutorials/kind.md") {
		if step.Section == needsAnAPI {
			continue
		}
		v.follow(t, step)
	}
	if err := transcript.Keep(filepath.Join(s.root, "docs", "tutorials", "transcripts.md"), "cluster", v.text.String()); err != nil {
		t.Error(err)
	}
	say("docs/tutorials/kind.md is true, with this node for kind's")
	v.clean(t)
}

// visitor does what a page says.
type visitor struct {
	*story
	shell transcript.Shell
	text  strings.Builder
	// end ends what goes on in the background.
	end func()
}

func (v *visitor) steps(t *testing.T, page string) []transcript.Step {
	t.Helper()
	steps, err := transcript.Read(filepath.Join(v.root, page))
	if err != nil || len(steps) == 0 {
		t.Fatalf("%s has %d commands: %v", page, len(steps), err)
	}
	return steps
}

// write adds to the transcript.
func (v *visitor) write(text string) {
	v.text.WriteString(strings.TrimRight(strings.ReplaceAll(text, v.secret, secretOnPage), "\n") + "\n")
}

func (v *visitor) follow(t *testing.T, step transcript.Step) {
	t.Helper()
	for _, other := range elsewhere {
		if strings.HasPrefix(step.Command, other.prefix) {
			v.write("# Not run here: " + step.Command + "\n# In its place: " + other.instead)
			return
		}
	}
	v.write("$ " + step.Command)
	if strings.Contains(step.Command, "port-forward") {
		v.forward(t, step.Command)
		return
	}
	eventually(t, step.Command, func(ctx context.Context) error {
		output, err := v.shell.Run(ctx, strings.ReplaceAll(step.Command, secretOnPage, v.secret))
		if step.Output == "" && err != nil {
			t.Fatal(err) // such as helm install, which cannot be tried again
		}
		if err == nil && step.Output != "" && !transcript.Same(step.Output, output) {
			err = fmt.Errorf("it prints\n%s, and the page shows\n%s", output, step.Output)
		}
		if err == nil {
			v.write(output)
		}
		return err
	})
}

// forward keeps a port forwarded, and then plays Clerk: an organization is made, and somebody joins it.
func (v *visitor) forward(t *testing.T, command string) {
	t.Helper()
	forwarding := exec.CommandContext(t.Context(), "bash", "-c", "exec "+command)
	forwarding.Dir, forwarding.Env = v.shell.Folder, v.shell.Environ
	if err := forwarding.Start(); err != nil {
		t.Fatal(err)
	}
	v.end = func() {
		_ = forwarding.Process.Signal(syscall.SIGINT)
		_ = forwarding.Wait()
	}
	t.Cleanup(func() { _ = forwarding.Process.Kill() })
	eventually(t, "the forwarded port", func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", forwarded)
		if err != nil {
			return err
		}
		return connection.Close()
	})
	now := time.Now()
	acme := clerktest.Organization{ID: clerktest.ID("org", "acme"), Name: "Acme", Slug: "acme", CreatedAt: now, UpdatedAt: now}
	jane := clerktest.User{ID: clerktest.ID("user", "jane"), Identifier: "jane@acme.example", Email: "jane@acme.example", UpdatedAt: now}
	sender := clerktest.Sender{URL: "http://" + forwarded + "/webhooks/" + instance, Secret: v.secret}
	for _, event := range []clerktest.Event{
		clerktest.OrganizationCreated(acme),
		clerktest.MembershipCreated(clerktest.Membership{
			ID: clerktest.ID("orgmem", "jane"), Role: "org:admin", Organization: acme, User: jane, CreatedAt: now, UpdatedAt: now,
		}),
	} {
		status, answer, err := sender.Deliver(t.Context(), clerktest.RandomID("msg"), event)
		if err != nil || status != http.StatusNoContent {
			t.Fatalf("%s: %d %s (%v)", event.Type, status, answer, err)
		}
		v.write(fmt.Sprintf("# The test, which plays Clerk, delivers %s: %d %s", event.Type, status, http.StatusText(status)))
	}
}

// clean leaves the cluster as it was, with the commands of docs/install.md: they have to end all access and leave no kind of the operator.
func (v *visitor) clean(t *testing.T) {
	t.Helper()
	if v.end == nil {
		t.Fatal("the tutorial forwards no port any more")
	}
	v.end()
	count := 0
	for _, step := range v.steps(t, "docs/install.md") {
		if step.Section != "Uninstall" {
			continue
		}
		count++
		if _, err := v.shell.Run(t.Context(), step.Command); err != nil {
			t.Fatal(err)
		}
	}
	if count < 3 {
		t.Errorf("docs/install.md has %d commands to uninstall, want 3 or more", count)
	}
	left, err := v.shell.Run(t.Context(),
		"kubectl get crd -o name; kubectl get rolebindings -n org-acme -o name; kubectl delete namespace org-acme")
	if err != nil || strings.Contains(left, "clerk-operator.io") || strings.Contains(left, "rolebinding") {
		t.Errorf("after uninstalling there are\n%s(%v)", left, err)
	}
	eventually(t, "the pods to go", func(ctx context.Context) error {
		output, err := v.shell.Run(ctx, "kubectl get pods -n "+namespace+" -o name")
		if err == nil && output != "" && !strings.HasPrefix(output, "No resources") {
			err = errors.New(output)
		}
		return err
	})
	say("uninstalled as docs/install.md says: no access and no kind of the operator is left")
}
