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

package examples_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// What docs/how-to/adopt-namespaces.md says, run as it stands there: in mode Observe nothing happens but the labels; then the organizations
// have the namespaces that were there before, and get no others.
func TestNamespacesAreAdoptedAsThePageSays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "how-to", "adopt-namespaces.md"))
	if err != nil {
		t.Fatal(err)
	}
	mapping, script := block(t, page, "csv"), block(t, page, "bash")
	sender := startOperator(t)
	mustKubectl(t, "apply", "--server-side", "--force-conflicts", "-f", filepath.Join(root, "config", "samples", "v1alpha1_tenantclass.yaml"))
	mode(t, "Observe")
	owners := map[string]string{}
	for line := range strings.Lines(mapping) {
		namespace, slug, _ := strings.Cut(strings.TrimSpace(line), ",")
		owners[namespace] = clerktest.ID("org", slug)
		if err := cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
		deliver(t, sender, clerktest.OrganizationCreated(clerktest.Organization{
			ID: owners[namespace], Slug: slug, Name: slug, UpdatedAt: time.Now(),
		}))
	}
	run(t, mapping, script)
	run(t, mapping, script) // again, as the page says
	mode(t, "Enforce")
	for namespace, id := range owners {
		eventually(t, func() error { return has(t, id, namespace) })
	}
	if err := unknownSlug(t, script); err == nil || !strings.Contains(err.Error(), "no single organization has the slug nobody") {
		t.Errorf("with a slug that nobody has: %v", err)
	}
}

// block is the first fenced block of a language on a page.
func block(t *testing.T, page []byte, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no block of %s", language)
	}
	return string(found[1])
}

func mode(t *testing.T, mode string) {
	t.Helper()
	mustKubectl(t, "patch", "clerkinstance", "default", "--type=merge", "-p", `{"spec":{"mode":"`+mode+`"}}`)
}

func run(t *testing.T, mapping, script string) {
	t.Helper()
	if err := bash(t, mapping, script); err != nil {
		t.Fatal(err)
	}
}

func unknownSlug(t *testing.T, script string) error {
	t.Helper()
	return bash(t, "team-acme,nobody\n", script)
}

// bash runs the script of the page beside a mapping.csv, with kubectl as the administrator's.
func bash(t *testing.T, mapping, script string) error {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	err := errors.Join(plane.Kubeconfig(kubeconfig), os.WriteFile(filepath.Join(dir, "mapping.csv"), []byte(mapping), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = dir
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Join(root, "bin", "k8s")+":"+os.Getenv("PATH"))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
}

// has says what is missing until an organization has one namespace and no other.
func has(t *testing.T, id, namespace string) error {
	t.Helper()
	var organizations v1alpha1.ClerkOrganizationList
	if err := cluster.List(t.Context(), &organizations, client.MatchingFields{"spec.id": id}); err != nil {
		return err
	}
	if len(organizations.Items) != 1 {
		return fmt.Errorf("%d organizations have the id %s", len(organizations.Items), id)
	}
	organization := &organizations.Items[0]
	var names []string
	for _, found := range organization.Status.Namespaces {
		names = append(names, found.Name)
	}
	if !slices.Equal(names, []string{namespace}) {
		return fmt.Errorf("%s has the namespaces %v, want %s", organization.Spec.Slug, names, namespace)
	}
	err := cluster.Get(t.Context(), client.ObjectKey{Name: "org-" + organization.Spec.Slug}, &corev1.Namespace{})
	if err == nil {
		return fmt.Errorf("%s has got a namespace of its own besides", organization.Spec.Slug)
	}
	return client.IgnoreNotFound(err)
}
