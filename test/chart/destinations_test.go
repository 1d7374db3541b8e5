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

package chart_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// strictLabel marks the objects that are guarded by names as well.
const strictLabel = "destinations-test"

// destination is a ClerkSink or a ClerkDatabase that sends data somewhere.
func destination(kind, name string, labels map[string]string) client.Object {
	meta := metav1.ObjectMeta{Name: name, Labels: labels}
	instance := v1alpha1.InstanceReference{Name: "default"}
	if kind == "ClerkDatabase" {
		return &v1alpha1.ClerkDatabase{ObjectMeta: meta, Spec: v1alpha1.ClerkDatabaseSpec{
			InstanceRef: instance, Connection: v1alpha1.DatabaseConnection{SecretRef: v1alpha1.SecretReference{Name: "elsewhere"}},
		}}
	}
	return &v1alpha1.ClerkSink{ObjectMeta: meta, Spec: v1alpha1.ClerkSinkSpec{
		InstanceRef: instance,
		Webhook:     v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "sink"}},
		HTTP:        &v1alpha1.SinkHTTP{URL: "https://collector.example"},
	}}
}

// elsewhere changes where one leads to.
func elsewhere(kind string) client.Patch {
	if kind == "ClerkDatabase" {
		return merge(`{"spec":{"connection":{"secretRef":{"name":"somewhere"}}}}`)
	}
	return merge(`{"spec":{"http":{"url":"https://somewhere.example"}}}`)
}

// aggregated is somebody with a role that lists these kinds and the usual verbs, as a platform gives to its "admin" or "edit".
func aggregated(t *testing.T, user string) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test:aggregated"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"},
		Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
	}}}
	if err := client.IgnoreAlreadyExists(cluster.Create(t.Context(), role)); err != nil {
		t.Fatal(err)
	}
	return asUser(t, user, role.Name)
}

// asUser is a client of a user with a ClusterRole.
func asUser(t *testing.T, user, role string) client.Client {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test:" + user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if err := client.IgnoreAlreadyExists(cluster.Create(t.Context(), binding)); err != nil {
		t.Fatal(err)
	}
	config, err := plane.UserConfig(user)
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestOnlyWhoMayExportSaysWhereDataGoes(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	writer, editor := aggregated(t, "clerk:user_writer"), asUser(t, "test-editor", "clerk-operator-editor")
	for _, kind := range []string{"ClerkSink", "ClerkDatabase"} {
		made := destination(kind, strings.ToLower(kind)+"-made", nil)
		if err := who.admin.Create(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		create := func(c client.Client, name string) func(context.Context) error {
			return func(ctx context.Context) error { return c.Create(ctx, destination(kind, name, nil)) }
		}
		patch := func(c client.Client, p client.Patch) func(context.Context) error {
			return func(ctx context.Context) error { return c.Patch(ctx, destination(kind, made.GetName(), nil), p) }
		}
		for _, test := range []struct {
			name    string
			do      func(context.Context) error
			refused bool
		}{
			{"who has the usual verbs makes one", create(writer, strings.ToLower(kind)+"-writers"), true},
			{"who has the usual verbs leads one elsewhere", patch(writer, elsewhere(kind)), true},
			{"who has the usual verbs labels one", patch(writer, merge(`{"metadata":{"labels":{"example.com/team":"a"}}}`)), false},
			{"an editor makes one", create(editor, strings.ToLower(kind)+"-editors"), false},
			{"an editor leads one elsewhere", patch(editor, elsewhere(kind)), false},
			{"who has the usual verbs deletes one", func(ctx context.Context) error {
				return writer.Delete(ctx, destination(kind, strings.ToLower(kind)+"-editors", nil))
			}, false},
		} {
			t.Run(kind+": "+test.name, func(t *testing.T) { wantRefused(t, test.do(t.Context()), test.refused) })
		}
		err := create(writer, "refused")(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the verb export") || !strings.Contains(err.Error(), "clerk-operator-editor") {
			t.Errorf("the refusal does not say what it takes: %v", err)
		}
	}
}

// TestOnlyWhoIsNamedSaysWhereDataGoes has a second guard, with the names of a values file, for the objects with a label.
func TestOnlyWhoIsNamedSaysWhereDataGoes(t *testing.T) {
	t.Parallel()
	r := render(t, filepath.Join(chart, "ci", "hardened.yaml"))
	each(t, r, "ValidatingAdmissionPolicy", func(policy *admissionregistrationv1.ValidatingAdmissionPolicy) {
		if strings.HasSuffix(policy.Name, "-destinations") {
			policy.Name, policy.Namespace, policy.Labels = "clerk-operator-named-destinations", "", nil
			if err := cluster.Create(t.Context(), policy); err != nil {
				t.Fatal(err)
			}
		}
	})
	each(t, r, "ValidatingAdmissionPolicyBinding", func(binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		if !strings.HasSuffix(binding.Name, "-destinations") {
			return
		}
		binding.Name, binding.Namespace, binding.Labels = "clerk-operator-named-destinations", "", nil
		binding.Spec.PolicyName = binding.Name
		binding.Spec.MatchResources = &admissionregistrationv1.MatchResources{
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{strictLabel: "named"}},
		}
		if err := cluster.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	})
	named := map[string]string{strictLabel: "named"}
	admin := newActors(t).admin
	eventually(t, func() error { // the API server learns of a guard after a moment
		if admin.Create(t.Context(), destination("ClerkSink", "named-unguarded", named), client.DryRunAll) == nil {
			return fmt.Errorf("the guard is not enforced")
		}
		return nil
	})
	err := admin.Create(t.Context(), destination("ClerkDatabase", "named-refused", named))
	wantRefused(t, err, true)
	if err == nil || !strings.Contains(err.Error(), "admission.destinations") {
		t.Errorf("the refusal does not say whom to ask: %v", err)
	}
	gitops := asUser(t, "system:serviceaccount:flux-system:kustomize-controller", "clerk-operator-editor")
	wantRefused(t, gitops.Create(t.Context(), destination("ClerkDatabase", "named-applied", named)), false)
}
