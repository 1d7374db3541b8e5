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
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// admin is a person with the ClusterRole cluster-admin, as platform teams have it; not a member of system:masters.
	admin = "e2e-admin"
	// rightsBegin and rightsEnd are around the list in docs/security.md.
	rightsBegin, rightsEnd = "<!-- rights: begin -->\n```\n", "```\n<!-- rights: end -->"
	// updateVariable has the test write the list instead of comparing it.
	updateVariable = "CLERK_OPERATOR_E2E_UPDATE"
)

// as is a client that acts as a user by impersonation, which admission and authorization see as the user.
func (s *story) as(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	made, err := client.New(config, client.Options{Scheme: s.client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func bindingOf(user string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-" + strings.NewReplacer(":", "-", "_", "-").Replace(strings.ToLower(user))},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

func guards(t *testing.T, s *story) {
	t.Helper()
	organization := clerktest.ID("org", "first")
	mirrored := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", organization)}}
	rename := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"name":"mine"}}`))
	tenant := "clerk:" + clerktest.ID("user", "bob")

	err := s.as(t, tenant).Patch(t.Context(), mirrored.DeepCopy(), rename)
	if refused(err) != nil {
		t.Errorf("a tenant: %v", err)
	}
	say("a tenant is refused by RBAC: %v", err)

	for _, user := range []string{tenant, admin} {
		binding := bindingOf(user)
		if err := s.client.Create(t.Context(), binding); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.client.Delete(context.WithoutCancel(t.Context()), binding) })
		as := s.as(t, user)
		err := s.guarded(as.Patch(t.Context(), mirrored.DeepCopy(), rename))
		if err != nil {
			t.Errorf("%s as cluster-admin: %v", user, err)
		}
		say("%s is refused by the ValidatingAdmissionPolicy even as cluster-admin", user)

		whose := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "org-first"}}
		steal := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:"org_mine"}}}`, v1alpha1.OrganizationIDLabel))
		if err := s.guarded(as.Patch(t.Context(), whose, steal)); err != nil {
			t.Errorf("%s gives a namespace to another organization: %v", user, err)
		}
		annotate := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/note":"free"}}}`))
		if err := as.Patch(t.Context(), mirrored.DeepCopy(), annotate); err != nil {
			t.Errorf("%s may not even annotate: %v", user, err)
		}
	}
	say("neither can give a namespace to another organization; annotations are free")
}

// guarded is nil when a policy of the chart, and nothing else, has refused.
func (s *story) guarded(err error) error {
	if refused(err) == nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+release+"-") {
		return nil
	}
	return fmt.Errorf("not refused by a policy: %w", err)
}

// rights compares what the installed ServiceAccount may do with what docs/security.md says.
func rights(t *testing.T, s *story) {
	t.Helper()
	account := "system:serviceaccount:" + namespace + ":" + release
	var list strings.Builder
	for _, where := range []string{namespace, "default"} {
		fmt.Fprintf(&list, "$ kubectl auth can-i --list --as=%s -n %s\n", account, where)
		s.kubectl(t, &list, "auth", "can-i", "--list", "--as="+account, "-n", where)
	}
	var got strings.Builder
	for line := range strings.Lines(list.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	path := filepath.Join(s.root, "docs", "security.md")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, remainder, found := strings.Cut(string(content), rightsBegin)
	want, after, complete := strings.Cut(remainder, rightsEnd)
	if !found || !complete {
		t.Fatalf("%s has no list between %q and %q", path, rightsBegin, rightsEnd)
	}
	if os.Getenv(updateVariable) != "" {
		if err := os.WriteFile(path, []byte(before+rightsBegin+got.String()+rightsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		want = got.String()
	}
	if got.String() != want {
		t.Errorf("the ServiceAccount's rights are not those that docs/security.md lists; %s=1 make e2e writes them there.\n%s",
			updateVariable, difference(want, got.String()))
	}
	say("kubectl auth can-i --list, in its own namespace and in another, prints the %d lines of docs/security.md",
		strings.Count(got.String(), "\n"))
}

func difference(want, got string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, text, other string }{{"-", want, got}, {"+", got, want}} {
		for line := range strings.Lines(side.text) {
			if !strings.Contains(side.other, line) {
				out.WriteString(side.sign + " " + line)
			}
		}
	}
	return out.String()
}

func uninstall(t *testing.T, s *story) {
	t.Helper()
	var before, after rbacv1.RoleBindingList
	s.list(t, &before, client.HasLabels{v1alpha1.OrganizationIDLabel})
	s.helm(t, "uninstall", release)
	say("helm uninstall --wait: done")
	eventually(t, "the pods to go", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := s.client.List(ctx, &pods, client.InNamespace(namespace)); err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("%d are left: %w", len(pods.Items), err)
		}
		return nil
	})
	s.compare(t)
	var namespaces corev1.NamespaceList
	s.list(t, &namespaces, client.HasLabels{v1alpha1.OrganizationIDLabel})
	if len(namespaces.Items) != len(s.organizations) {
		t.Errorf("%d namespaces of organizations are left, want all %d", len(namespaces.Items), len(s.organizations))
	}
	s.list(t, &after, client.HasLabels{v1alpha1.OrganizationIDLabel})
	if len(after.Items) != len(before.Items) {
		t.Errorf("%d RoleBindings are left, want all %d", len(after.Items), len(before.Items))
	}
	say("the kinds, %d organizations, their namespaces and %d RoleBindings are there as before", len(s.organizations), len(after.Items))
	if stuck := s.stuck(t); len(stuck) > 0 {
		t.Errorf("stuck, or left of the release: %s", strings.Join(stuck, ", "))
	}
	say("no object in the cluster is about to be deleted, and none is the release's, apart from the kinds")
}

// stuck are all objects in the cluster that wait for their deletion or belong to the release.
func (s *story) stuck(t *testing.T) []string {
	t.Helper()
	_, lists, err := s.clientset.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if strings.Contains(resource.Name, "/") || !strings.Contains(strings.Join(resource.Verbs, " "), "list") {
				continue
			}
			var objects unstructured.UnstructuredList
			objects.SetAPIVersion(list.GroupVersion)
			objects.SetKind(resource.Kind + "List")
			err := s.client.List(t.Context(), &objects)
			if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue
			}
			if err != nil {
				t.Fatal(errors.Join(fmt.Errorf("list %s", resource.Name), err))
			}
			for _, object := range objects.Items {
				ours := object.GetLabels()["app.kubernetes.io/instance"] == release && object.GetKind() != "CustomResourceDefinition"
				if object.GetDeletionTimestamp() != nil || ours {
					found = append(found, object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName())
				}
			}
		}
	}
	return found
}

// leave takes away what the tests made in a cluster that is not theirs.
func (s *story) leave(t *testing.T) {
	t.Helper()
	if s.own {
		return
	}
	ctx := context.WithoutCancel(t.Context())
	for id := range s.organizations {
		_ = s.client.Delete(ctx, &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", id)}})
		var namespaces corev1.NamespaceList
		_ = s.client.List(ctx, &namespaces, client.MatchingLabels{v1alpha1.OrganizationIDLabel: id})
		for _, left := range namespaces.Items {
			_ = s.client.Delete(ctx, &left)
		}
	}
	_ = s.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	fmt.Println("e2e: the custom resource definitions stay, as helm uninstall leaves them")
}
