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
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/transcript"
)

// What docs/sinks.md shows of a sink that has taken an event is what kubectl prints.
func TestThePageShowsWhatKubectlPrints(t *testing.T) {
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	steps, err := transcript.Read(filepath.Join(root, "docs", "sinks.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps = slices.DeleteFunc(steps, func(step transcript.Step) bool { return step.Output == "" })
	if len(steps) == 0 {
		t.Fatal("docs/sinks.md shows no output any more")
	}
	operator := start(t)
	defer operator.Kill()
	target := newService(t, func() bool { return false })
	signingSecret := makeSink(t, "audit", func(s *v1alpha1.ClerkSinkSpec) { s.HTTP = &v1alpha1.SinkHTTP{URL: target.URL} })
	taken(t, clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/audit", Secret: signingSecret}, "shown")
	folder := t.TempDir()
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := plane.Kubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	shell := transcript.Shell{Folder: folder, Environ: []string{
		"KUBECONFIG=" + kubeconfig, "KUBECACHEDIR=" + folder, "PATH=" + filepath.Join(root, "bin", "k8s") + ":/usr/bin:/bin",
	}}
	for _, step := range steps {
		waitFor(t, func() error {
			output, err := shell.Run(t.Context(), step.Command)
			if err == nil && !transcript.Same(step.Output, output) {
				err = fmt.Errorf("%s prints\n%s, and the page shows\n%s", step.Command, output, step.Output)
			}
			return err
		})
	}
}
