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
	"errors"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// impersonated is a client of somebody in some groups, with all rights by RBAC.
func impersonated(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	bindClusterAdmin(t, user)
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	made, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// boundedNamespace is an organization's, whose class says what of derivedAccess.
func boundedNamespace(t *testing.T, by client.Client, name string, access v1alpha1.DerivedAccess) {
	t.Helper()
	labels := map[string]string{organizationLabel: "org_" + name}
	if access != v1alpha1.DerivedAccessUnlimited {
		labels[v1alpha1.DerivedAccessLabel] = string(access)
	}
	if err := by.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	})
}

// derivation is what somebody makes of their access.
type derivation struct {
	name         string
	do           func(ctx context.Context, by client.Client) error
	capped, none bool // whether it is refused
}

func derivations(namespace string) []derivation {
	token := func(seconds *int64) func(context.Context, client.Client) error {
		return func(ctx context.Context, by client.Client) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
			return by.SubResource("token").Create(ctx, account,
				&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: seconds}})
		}
	}
	secret := func(kind corev1.SecretType) func(context.Context, client.Client) error {
		return func(ctx context.Context, by client.Client) error {
			meta := metav1.ObjectMeta{Namespace: namespace, Name: "made", Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}}
			return by.Create(ctx, &corev1.Secret{ObjectMeta: meta, Type: kind}, client.DryRunAll)
		}
	}
	binding := func(subjects ...rbacv1.Subject) func(context.Context, client.Client) error {
		return func(ctx context.Context, by client.Client) error {
			return by.Create(ctx, viewersIn(namespace, "made", subjects...), client.DryRunAll)
		}
	}
	change := func(patch client.Patch) func(context.Context, client.Client) error {
		return func(ctx context.Context, by client.Client) error {
			return by.Patch(ctx, viewersIn(namespace, "there"), patch, client.DryRunAll)
		}
	}
	return []derivation{
		{"a token that says nothing of its life", token(nil), true, true},
		{"a token for an hour", token(new(int64(3600))), true, true},
		{"a token for 601 seconds", token(new(int64(601))), true, true},
		{"a token for 10 minutes", token(new(int64(600))), false, true},
		{"a Secret with a token", secret(corev1.SecretTypeServiceAccountToken), true, true},
		{"a Secret with something else", secret(corev1.SecretTypeOpaque), false, false},
		{"a change of a Secret with a token", func(ctx context.Context, by client.Client) error {
			held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "there"}}
			return by.Patch(ctx, held, merge(`{"metadata":{"annotations":{"example.com/note":"a"}}}`), client.DryRunAll)
		}, true, true},
		{"a RoleBinding that names nobody", binding(), false, true},
		{"a RoleBinding for a ServiceAccount of the namespace", binding(accountOf(namespace)), false, true},
		{"a RoleBinding for another namespace's", binding(accountOf("default")), true, true},
		{"a RoleBinding for a user", binding(userOf("friend")), true, true},
		{"a RoleBinding for a group", binding(rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "friends"}), true, true},
		{"a user put into a RoleBinding that is there", change(merge(
			`{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"friend"}]}`)), true, true},
		{"a label for a RoleBinding that is there", change(merge(`{"metadata":{"labels":{"example.com/a":"b"}}}`)), false, false},
		{"an empty RoleBinding", change(merge(`{"subjects":null}`)), false, false},
	}
}

func viewersIn(namespace, name string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   subjects,
	}
}

func userOf(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

func accountOf(namespace string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "default"}
}

// What is there already was made by somebody whom the guards let through, or before the class bounded anything.
func TestWhatMembersMakeOfTheirAccessIsBounded(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	accounts := func(namespace string) []string {
		return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
	}
	for access, namespace := range map[v1alpha1.DerivedAccess]string{
		v1alpha1.DerivedAccessUnlimited: "derived-unlimited",
		v1alpha1.DerivedAccessCapped:    "derived-capped",
		v1alpha1.DerivedAccessNone:      "derived-none",
	} {
		t.Run(string(access), func(t *testing.T) {
			t.Parallel()
			boundedNamespace(t, who.operator, namespace, access)
			there := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "there",
				Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}}, Type: corev1.SecretTypeServiceAccountToken}
			if err := errors.Join(cluster.Create(t.Context(), there),
				cluster.Create(t.Context(), viewersIn(namespace, "there", userOf("stays"), accountOf("default")))); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error { // the controller manager is not held up
				if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(there), there); err != nil || len(there.Data["token"]) > 0 {
					return err
				}
				return errors.New("the Secret has no token yet")
			})
			account := "system:serviceaccount:" + namespace + ":default"
			actors := map[string]struct {
				by    client.Client
				bound bool
			}{
				"a member":                                     {impersonated(t, "clerk:user_derived"), true},
				"a cluster administrator":                      {who.admin, true},
				"a ServiceAccount of the namespace":            {impersonated(t, account, accounts(namespace)...), true},
				"a ServiceAccount of another one":              {impersonated(t, "system:serviceaccount:default:default", accounts("default")...), true},
				"a cluster administrator who breaks the glass": {impersonated(t, "administrator-by-a-group", breakGlass), false},
				"a node":                           {impersonated(t, "system:node:one", "system:nodes"), false},
				"a controller of the cluster":      {impersonated(t, "system:serviceaccount:kube-system:any", accounts("kube-system")...), false},
				"the controller manager as a user": {impersonated(t, "system:kube-controller-manager"), false},
			}
			for name, actor := range actors {
				for _, made := range derivations(namespace) {
					refused := actor.bound &&
						(access == v1alpha1.DerivedAccessCapped && made.capped || access == v1alpha1.DerivedAccessNone && made.none)
					t.Run(name+": "+made.name, func(t *testing.T) {
						wantRefused(t, made.do(t.Context(), actor.by), refused)
					})
				}
			}
		})
	}
}

func TestARefusalOfDerivedAccessSaysWhatToDo(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	boundedNamespace(t, who.operator, "derived-said", v1alpha1.DerivedAccessCapped)
	for _, made := range derivations("derived-said") {
		want := map[string]string{
			"a token for an hour":       "--duration=10m",
			"a Secret with a token":     "serviceAccountName",
			"a RoleBinding for a user":  "a member of the organization",
			"a RoleBinding for a group": "a member of the organization",
		}[made.name]
		if want == "" {
			continue
		}
		if err := made.do(t.Context(), who.admin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want something of %q", made.name, err, want)
		}
	}
}
