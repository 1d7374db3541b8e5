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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	namespace = "clerk-operator-system"
	release   = "clerk-operator"
	// instance is the ClerkInstance that the chart makes.
	instance = "default"

	// patience is for states that come within seconds on an idle machine.
	patience = 3 * time.Minute
	// helmTimeout is what helm waits for pods and everything else.
	helmTimeout = "5m"
	// pollInterval is how often a state is asked for.
	pollInterval = 20 * time.Millisecond
)

// story is what the steps share.
type story struct {
	*world
	secret string
	// organizations are those that were told of, by their id: what the cluster has to hold in the end.
	organizations map[string]*told
	// meAuthority is the authority, in PEM, of the certificate that GET /me is served with.
	meAuthority []byte
	// whole lasts as long as all steps, and what goes on during several of them is in background.
	whole      context.Context
	background *background
}

// told is what an organization's object has to look like: each event of it changed it once.
type told struct {
	last   clerktest.Organization
	events int64
}

// TestEndToEnd is one story; each step stands on those before it, so the first that fails is the last.
func TestEndToEnd(t *testing.T) {
	if skipped != "" {
		t.Skip(skipped)
	}
	s := &story{world: cluster, secret: clerktest.NewSecret(), organizations: map[string]*told{}, whole: t.Context()}
	t.Cleanup(func() { s.leave(t) })
	steps := []struct {
		claim string
		run   func(*testing.T, *story)
	}{
		{"the tutorial for kind is true", tutorial},
		{"helm install makes a working operator of two replicas", install},
		{"kubectl clerk send delivers through a forwarded port", send},
		{"kubectl clerk logs prints the logs of both replicas", logs},
		{"kubectl clerk listen forwards deliveries, and kubectl clerk logs follows what comes of them", listen},
		{"the ServiceAccount may do what the documentation lists and nothing else", rights},
		{"deliveries come in over the network and become tenants", deliveries},
		{"a token opens the doors of its organization while the membership lasts", access},
		{"a tenant's limits hold", limits},
		{"what a member made of their access opens nothing after they left", derivedAccess},
		{"an organization uses the hosts of its own domains alone", ownHosts},
		{"nobody but the operator writes what Clerk says", guards},
		{"a receiver that is killed loses nothing and doubles nothing", killReceiver},
		{"a leader that is killed loses nothing and doubles nothing", killLeader},
		{"a rolling upgrade refuses no delivery", upgrade},
		{"helm uninstall leaves the tenants and nothing that is stuck", uninstall},
	}
	for _, step := range steps {
		began := time.Now()
		if !t.Run(step.claim, func(t *testing.T) { step.run(t, s) }) {
			s.explain(t)
			t.FailNow()
		}
		fmt.Printf("    %s: %s\n\n", since(began), step.claim)
	}
}

// say tells what was seen, with the time since the start of the step.
func say(format string, args ...any) { fmt.Printf("    · "+format+"\n", args...) }

// install does what the README says.
func install(t *testing.T, s *story) {
	t.Helper()
	s.certifyMe(t)
	began := time.Now()
	s.helm(t, append([]string{"install", release, s.chart(), "--create-namespace"}, s.values()...)...)
	say("helm install --wait: ready after %s", since(began))
	var pods corev1.PodList
	s.list(t, &pods, client.InNamespace(namespace))
	if len(pods.Items) != 2 {
		t.Fatalf("%d pods, want 2", len(pods.Items))
	}
	for _, pod := range pods.Items {
		status := pod.Status.ContainerStatuses[0]
		if !status.Ready || status.RestartCount != 0 {
			t.Errorf("%s: ready %v after %d restarts", pod.Name, status.Ready, status.RestartCount)
		}
		say("%s runs on %s at %s", pod.Name, pod.Spec.NodeName, pod.Status.PodIP)
	}
	var crds, instances strings.Builder
	s.kubectl(t, &crds, "get", "crds", "-o", "name")
	s.kubectl(t, &instances, "get", "clerkinstances,tenantclasses")
	say("the kinds, the instance and the classes:\n%s%s", indent(crds.String()), indent(instances.String()))
}

func (w *world) chart() string { return filepath.Join(w.root, "charts", "clerk-operator") }

func (s *story) values() []string {
	repository, tag := s.image[:strings.LastIndex(s.image, ":")], s.image[strings.LastIndex(s.image, ":")+1:]
	return []string{
		"--values", filepath.Join(s.root, "test", "node", "testdata", "values.yaml"),
		"--set", "clerk.signingSecret=" + s.secret,
		"--set", "image.repository=" + repository + ",image.tag=" + tag,
	}
}

// helm runs helm in the operator's namespace, and waits as helm does.
func (s *story) helm(t *testing.T, args ...string) {
	t.Helper()
	folder := t.TempDir()
	args = append(args, "--namespace", namespace, "--wait", "--timeout", helmTimeout)
	command := exec.CommandContext(t.Context(), filepath.Join(s.root, "bin", "helm"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig,
		"HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args[:2], " "), err, output)
	}
}

// kubectl runs kubectl as the administrator.
func (s *story) kubectl(t *testing.T, into *strings.Builder, args ...string) {
	t.Helper()
	output, err := s.kubectlOutput(t.Context(), args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	into.WriteString(output)
}

func (s *story) kubectlOutput(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(s.root, "bin", "k8s", "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "KUBECACHEDIR="+os.TempDir(), "KUBERC=off")
	output, err := command.CombinedOutput()
	return string(output), err
}

func (s *story) list(t *testing.T, into client.ObjectList, options ...client.ListOption) {
	t.Helper()
	if err := s.client.List(t.Context(), into, options...); err != nil {
		t.Fatalf("list %T: %v", into, err)
	}
}

func (s *story) get(t *testing.T, into client.Object, namespace, name string) {
	t.Helper()
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatalf("get %T %s: %v", into, name, err)
	}
}

// eventually waits until there is no problem any more, and tells how long that took.
func eventually(t *testing.T, what string, problem func(context.Context) error) time.Duration {
	t.Helper()
	return wait.Within(t, patience, what, problem).Round(10 * time.Millisecond)
}

// explain prints what a person would look at after a failure.
func (s *story) explain(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-n", namespace, "--sort-by=.lastTimestamp"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/name=clerk-operator", "--tail=10", "--prefix"},
	} {
		output, err := s.kubectlOutput(ctx, args...)
		if err != nil {
			output += err.Error()
		}
		fmt.Printf("--- kubectl %s\n%s\n", strings.Join(args, " "), indent(output))
	}
}

func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		out.WriteString("        " + strings.TrimRight(line, "\n") + "\n")
	}
	return out.String()
}
