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
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

func TestEveryExampleIsInTheTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, row := range regexp.MustCompile(`(?m)^\| \[([a-z-]+)\]\(([a-z-]+)\) \| .+ \|$`).FindAllSubmatch(page, -1) {
		if !bytes.Equal(row[1], row[2]) {
			t.Errorf("%s leads to %s", row[1], row[2])
		}
		told = append(told, string(row[1]))
	}
	slices.Sort(told)
	if there := examples(t); !slices.Equal(told, there) {
		t.Errorf("examples/README.md tells of %v, and there are %v", told, there)
	}
}

// The API server takes every example as it stands, unknown fields refused: also those of other projects, by these projects' own schemas.
func TestEveryExampleIsAccepted(t *testing.T) {
	t.Parallel()
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsesStrictly(t, name)
			if err := unchecked[name]; err != nil {
				t.Skipf("its kinds cannot be had here, so it is only parsed: %v", err)
			}
			output := mustKubectl(t, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", filepath.Join(folder, name))
			if strings.Contains(output, "Warning") {
				t.Error(output)
			}
		})
	}
}

// parsesStrictly looks that every document of an example is YAML without doubled keys, and one object.
func parsesStrictly(t *testing.T, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, name, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		for i, document := range documents(t, file) {
			if document["apiVersion"] == nil || document["kind"] == nil {
				t.Errorf("%s: document %d is no object", file, i)
			}
		}
	}
}

func documents(t *testing.T, file string) (objects []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		object := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		objects = append(objects, object)
	}
	return objects
}

// tenant is an organization, and what an example gives it.
type tenant struct {
	example, slug string
	metadata      map[string]any
	namespaces    []wanted
}

// wanted is a namespace: its name, what must be among its labels, its quota of pods and its NetworkPolicies. What an admin of the
// organization may do there is "<verb> <resource>".
type wanted struct {
	name, pods       string
	labels           map[string]string
	policies         []string
	adminMay, mayNot []string
}

var tenants = []tenant{
	{"saas-plans", "tiny", nil, []wanted{{
		name: "org-tiny", pods: "5", labels: map[string]string{"example.com/plan": "free", "pod-security.kubernetes.io/enforce": "restricted"},
		adminMay: []string{"create deployments"}, mayNot: []string{"create rolebindings", "delete resourcequotas"},
	}}},
	{"saas-plans", "strange", map[string]any{"plan": 7}, []wanted{{name: "org-strange", pods: "5"}}}, // no plan that is known: free
	{"saas-plans", "mid", map[string]any{"plan": "pro"}, []wanted{{
		name: "org-mid", pods: "50", labels: map[string]string{"example.com/plan": "pro"}, adminMay: []string{"create deployments"},
	}}},
	{"saas-plans", "big", map[string]any{"plan": "enterprise"}, []wanted{
		{name: "org-big", pods: "500", labels: map[string]string{"example.com/stage": "production"}},
		{name: "org-big-staging", pods: "100", labels: map[string]string{"example.com/stage": "staging"}},
	}},
	{"pod-security", "anyone", nil, []wanted{{
		name: "org-anyone", labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}},
	{"pod-security", "trusted", map[string]any{"podSecurity": "baseline"}, []wanted{{
		name: "org-trusted", labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted",
		},
	}}},
	{"default-deny", "alone", nil, []wanted{{
		name: "org-alone", policies: []string{"default-deny", "dns", "own-organization"},
		adminMay: []string{"create deployments", "create pods/exec"},
		mayNot:   []string{"create networkpolicies", "delete networkpolicies", "create rolebindings", "create serviceaccounts/token"},
	}}},
	{"preview-environments", "pr-42", map[string]any{"preview": true, "pullRequest": "42"}, []wanted{{
		name: "preview-pr-42", pods: "10", labels: map[string]string{"example.com/stage": "preview"}, adminMay: []string{"create deployments"},
	}}},
}

// An organization gets from each example what the example says.
func TestEveryClassServesItsOrganizations(t *testing.T) {
	sender := startOperator(t)
	// The classes that are there would serve organizations of the examples.
	mustKubectl(t, "delete", "--ignore-not-found", "-f", filepath.Join(root, "config", "samples", "v1alpha1_tenantclass.yaml"))
	for _, name := range slices.Sorted(maps.Keys(byExample())) {
		t.Run(name, func(t *testing.T) {
			mustKubectl(t, "apply", "--server-side", "-f", filepath.Join(folder, name))
			for _, tenant := range byExample()[name] {
				deliver(t, sender, tenant.joins())
				for _, want := range tenant.namespaces {
					eventually(t, func() error { return want.holds(t, tenant.admin()) })
				}
			}
			mustKubectl(t, "delete", "-f", filepath.Join(folder, name))
		})
	}
}

func byExample() map[string][]tenant {
	found := map[string][]tenant{}
	for _, tenant := range tenants {
		found[tenant.example] = append(found[tenant.example], tenant)
	}
	return found
}

// admin is the user who is admin of the organization.
func (o tenant) admin() string { return clerktest.ID("user", o.slug) }

// joins is the event of the organization's first member, which carries the organization.
func (o tenant) joins() clerktest.Event {
	now := time.Now()
	organization := clerktest.Organization{ID: clerktest.ID("org", o.slug), Slug: o.slug, Name: o.slug, UpdatedAt: now}
	if o.metadata != nil {
		organization.PublicMetadata = o.metadata
	}
	return clerktest.MembershipCreated(clerktest.Membership{
		ID: clerktest.ID("orgmem", o.slug), Role: "org:admin", Organization: organization,
		User: clerktest.User{ID: o.admin()}, UpdatedAt: now,
	})
}

func (w wanted) holds(t *testing.T, admin string) error {
	t.Helper()
	var namespace corev1.Namespace
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: w.name}, &namespace); err != nil {
		return err
	}
	if namespace.Labels[v1alpha1.OrganizationIDLabel] == "" {
		return fmt.Errorf("%s is no organization's", w.name)
	}
	for key, value := range w.labels {
		if namespace.Labels[key] != value {
			return fmt.Errorf("%s has the label %s=%q, want %q", w.name, key, namespace.Labels[key], value)
		}
	}
	if w.pods != "" {
		var quota corev1.ResourceQuota
		if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: w.name, Name: "clerk-operator"}, &quota); err != nil {
			return err
		}
		if got := quota.Spec.Hard.Pods().String(); got != w.pods {
			return fmt.Errorf("%s has a quota of %s pods, want %s", w.name, got, w.pods)
		}
	}
	return w.guards(t, admin)
}

// guards looks at NetworkPolicies and at what the admin may do.
func (w wanted) guards(t *testing.T, admin string) error {
	t.Helper()
	var policies networkingv1.NetworkPolicyList
	if err := cluster.List(t.Context(), &policies, client.InNamespace(w.name)); err != nil {
		return err
	}
	var names []string
	for _, policy := range policies.Items {
		names = append(names, policy.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, w.policies) {
		return fmt.Errorf("%s has the NetworkPolicies %v, want %v", w.name, names, w.policies)
	}
	for allowed, actions := range map[bool][]string{true: append(w.adminMay, "get pods"), false: append(w.mayNot, "create namespaces")} {
		for _, action := range actions {
			if got, err := w.allowed(t, admin, action); err != nil || got != allowed {
				return fmt.Errorf("may the admin %s in %s: %t, want %t (%w)", action, w.name, got, allowed, err)
			}
		}
	}
	return nil
}

// groups are the API groups of the resources that are asked about, where it is not the core.
var groups = map[string]string{
	"deployments": "apps", "rolebindings": "rbac.authorization.k8s.io", "networkpolicies": "networking.k8s.io",
}

func (w wanted) allowed(t *testing.T, admin, action string) (bool, error) {
	t.Helper()
	verb, resource, _ := strings.Cut(action, " ")
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "clerk:" + admin,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: w.name, Verb: verb, Group: groups[resource], Resource: resource, Subresource: subresource,
		},
	}}
	err := cluster.Create(t.Context(), review)
	return review.Status.Allowed, err
}
