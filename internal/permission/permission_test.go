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

package permission_test

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/permission"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

// patience is how long the API server may take to notice new roles.
const patience = 60 * time.Second

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(_ context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		return nil
	})
}

func rule(group, resource string, names []string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names, Verbs: verbs}
}

func TestWhatIsMissingIsNamedAndNothingElse(t *testing.T) {
	t.Parallel()
	administrator, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "operator"}}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}}
	meta := metav1.ObjectMeta{Name: "partly"}
	own := metav1.ObjectMeta{Namespace: account.Namespace, Name: "partly"}
	for _, object := range []client.Object{
		account,
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			rule("", "namespaces", nil, "get", "list"),
			rule("clerk-operator.io", "clerkmembers/status", nil, "patch"),
			rule(rbacv1.GroupName, "clusterroles", []string{"edit"}, "bind"),
		}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "partly"}},
		&rbacv1.Role{ObjectMeta: own, Rules: []rbacv1.PolicyRule{rule("", "secrets", nil, "get")}},
		&rbacv1.RoleBinding{ObjectMeta: own, Subjects: subjects, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "partly"}},
	} {
		if err := administrator.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	config, err := plane.ServiceAccountConfig(t.Context(), account.Namespace, account.Name)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	tests := map[string]struct {
		namespace string
		required  []rbacv1.PolicyRule
		want      string
	}{
		"what is granted everywhere": {required: []rbacv1.PolicyRule{rule("", "namespaces", nil, "list")}},
		"a subresource":              {required: []rbacv1.PolicyRule{rule("clerk-operator.io", "clerkmembers/status", nil, "patch")}},
		"a verb too few": {
			required: []rbacv1.PolicyRule{rule("", "namespaces", nil, "get", "list", "delete", "watch")},
			want:     "delete, watch namespaces",
		},
		"the subresource alone": {
			required: []rbacv1.PolicyRule{rule("clerk-operator.io", "clerkorganizations/status", nil, "patch")},
			want:     "patch clerkorganizations.clerk-operator.io/status",
		},
		"what is granted in one namespace, there":      {namespace: "kube-public", required: []rbacv1.PolicyRule{rule("", "secrets", nil, "get")}},
		"what is granted in one namespace, everywhere": {required: []rbacv1.PolicyRule{rule("", "secrets", nil, "get")}, want: "get secrets"},
		"one ClusterRole of two": {
			required: permission.Bind("edit", "admin"), want: "bind clusterroles.rbac.authorization.k8s.io admin",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var missing string
			deadline := time.Now().Add(patience)
			for {
				rules, err := permission.Missing(t.Context(), operator, test.namespace, test.required)
				if err != nil {
					t.Fatal(err)
				}
				missing = permission.Describe(rules)
				if missing == test.want {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("missing is %q, want %q", missing, test.want)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

func TestAnAdministratorMissesNothing(t *testing.T) {
	t.Parallel()
	administrator, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	required := slices.Concat(permission.Bind("anything"), []rbacv1.PolicyRule{rule("example.com", "things", nil, "create")})
	missing, err := permission.Missing(t.Context(), administrator, "", required)
	if err != nil || len(missing) > 0 {
		t.Errorf("missing are %s (%v)", permission.Describe(missing), err)
	}
}
