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
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	organizationLabel = v1alpha1.OrganizationIDLabel
	breakGlass        = "clerk-operator:break-glass"
)

// actors are who tries something.
type actors struct {
	admin       client.Client // cluster-admin, as most administrators are: in no group that the API server lets do everything
	brokenGlass client.Client // the same person, who has said so
	operator    client.Client
	collector   client.Client // the garbage collector
	namespaces  client.Client // the namespace controller
	tenant      client.Client // admin of one namespace
}

func newActors(t *testing.T) actors {
	t.Helper()
	admin, err := plane.UserConfig("ordinary-admin", "administrators")
	if err != nil {
		t.Fatal(err)
	}
	bindClusterAdmin(t, "ordinary-admin")
	// Impersonation leaves the rights of the administrator's own groups behind: what the group has must do.
	brokenGlass := rest.CopyConfig(admin)
	brokenGlass.Impersonate = rest.ImpersonationConfig{UserName: "administrator-by-a-group", Groups: []string{breakGlass}}
	tenant, err := plane.UserConfig("clerk:user_tenant")
	if err != nil {
		t.Fatal(err)
	}
	account := func(namespace, name string) *rest.Config {
		config := plane.Config()
		config.Impersonate = rest.ImpersonationConfig{
			UserName: "system:serviceaccount:" + namespace + ":" + name,
			Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		}
		return config
	}
	as := func(config *rest.Config) client.Client {
		c, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return actors{
		admin: as(admin), brokenGlass: as(brokenGlass), tenant: as(tenant),
		operator:   as(account(namespace, operatorproc.ServiceAccount)),
		collector:  as(account("kube-system", "generic-garbage-collector")),
		namespaces: as(account("kube-system", "namespace-controller")),
	}
}

func bindClusterAdmin(t *testing.T, user string) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test:" + strings.ReplaceAll(user, "/", "_")},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if err := client.IgnoreAlreadyExists(cluster.Create(t.Context(), binding)); err != nil {
		t.Fatal(err)
	}
}

func organization(id string) *v1alpha1.ClerkOrganization {
	now := metav1.NewMicroTime(time.Now())
	return &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{
			Name:   strings.ReplaceAll(strings.ToLower(id), "_", "-"),
			Labels: map[string]string{organizationLabel: id},
		},
		Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: &now}, Name: "Acme"},
	}
}

// merge is a merge patch, as kubectl edit sends it.
func merge(format string, args ...any) client.Patch {
	return client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))
}

// applied is a part of an object as kubectl apply --server-side sends it.
func applied(t *testing.T, object client.Object, kind, content string) *unstructured.Unstructured {
	t.Helper()
	var u unstructured.Unstructured
	if err := json.Unmarshal([]byte(content), &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetAPIVersion("clerk-operator.io/v1alpha1")
	if kind == "Namespace" {
		u.SetAPIVersion("v1")
	}
	u.SetKind(kind)
	u.SetName(object.GetName())
	return &u
}

func apply(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("test"), client.ForceOwnership)
}

func TestOnlyTheOperatorWritesWhatClerkSays(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	mirrored := organization(clerktest.RandomID("org"))
	if err := who.operator.Create(t.Context(), mirrored); err != nil {
		t.Fatal(err)
	}
	patch := func(c client.Client, p client.Patch) func(context.Context) error {
		return func(ctx context.Context) error { return c.Patch(ctx, mirrored.DeepCopy(), p) }
	}
	status := func(c client.Client, class string) func(context.Context) error {
		return func(ctx context.Context) error {
			return c.Status().Patch(ctx, mirrored.DeepCopy(), merge(`{"status":{"className":%q}}`, class))
		}
	}
	create := func(c client.Client) func(context.Context) error {
		return func(ctx context.Context) error { return c.Create(ctx, organization(clerktest.RandomID("org"))) }
	}
	// What is refused is never what somebody else may have written before: that would be no change.
	edited := merge(`{"spec":{"name":"Other"}}`)
	for name, test := range map[string]struct {
		do      func(context.Context) error
		refused bool
	}{
		"an ordinary admin edits the spec":         {patch(who.admin, edited), true},
		"an ordinary admin restores from a backup": {create(who.admin), true},
		"an ordinary admin edits the status":       {status(who.admin, "a"), true},
		"an ordinary admin moves the label":        {patch(who.admin, merge(`{"metadata":{"labels":{%q:"org_other"}}}`, organizationLabel)), true},
		"an ordinary admin removes the label":      {patch(who.admin, merge(`{"metadata":{"labels":{%q:null}}}`, organizationLabel)), true},
		"an ordinary admin adds an own label":      {patch(who.admin, merge(`{"metadata":{"labels":{"example.com/team":"a"}}}`)), false},
		"an ordinary admin annotates":              {patch(who.admin, merge(`{"metadata":{"annotations":{"example.com/note":"a"}}}`)), false},
		"an ordinary admin writes by apply": {func(ctx context.Context) error {
			return apply(ctx, who.admin, applied(t, mirrored, "ClerkOrganization", `{"spec":{"name":"Other"}}`))
		}, true},
		"an ordinary admin deletes one": {func(ctx context.Context) error {
			extra := organization(clerktest.RandomID("org"))
			if err := who.operator.Create(ctx, extra); err != nil {
				return err
			}
			return who.admin.Delete(ctx, extra)
		}, false},
		"who broke the glass edits the spec":         {patch(who.brokenGlass, merge(`{"spec":{"name":"Repaired"}}`)), false},
		"who broke the glass restores from a backup": {create(who.brokenGlass), false},
		"who broke the glass edits the status":       {status(who.brokenGlass, "b"), false},
		"the operator edits the spec":                {patch(who.operator, merge(`{"spec":{"name":"New"}}`)), false},
		"the operator edits the status":              {status(who.operator, "c"), false},
		"the garbage collector takes off a finalizer": {
			patch(who.collector, merge(`{"metadata":{"finalizers":[],"ownerReferences":[]}}`)), false},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, test.do(t.Context()), test.refused) })
	}
	t.Run("a member is guarded as well", func(t *testing.T) {
		member := &v1alpha1.ClerkMember{
			ObjectMeta: metav1.ObjectMeta{Name: "orgmem-x"},
			Spec: v1alpha1.ClerkMemberSpec{
				Entity:         v1alpha1.Entity{Instance: "default", ID: "orgmem_x", UpdatedAt: new(metav1.NewMicroTime(time.Now()))},
				OrganizationID: mirrored.Spec.ID,
				UserID:         "user_x",
				Role:           "org:admin",
			},
		}
		wantRefused(t, who.admin.Create(t.Context(), member), true)
	})
	t.Run("a tenant may do nothing", func(t *testing.T) {
		if err := who.tenant.Patch(t.Context(), mirrored.DeepCopy(), edited); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want forbidden", err)
		}
	})
}

func TestOnlyTheOperatorSaysWhoseANamespaceIs(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const id = "org_ownership"
	owned := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ownership-owned", Labels: map[string]string{
		organizationLabel: id, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy,
	}, Annotations: map[string]string{v1alpha1.NameTemplateAnnotation: "a"}}}
	if err := who.operator.Create(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	free := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ownership-free"}}
	if err := who.admin.Create(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	grant := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant", Namespace: owned.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:user_tenant"}},
	}
	if err := who.operator.Create(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	patch := func(c client.Client, n *corev1.Namespace, p client.Patch) func(context.Context) error {
		return func(ctx context.Context) error { return c.Patch(ctx, n.DeepCopy(), p) }
	}
	claim := merge(`{"metadata":{"labels":{%q:"org_other"}}}`, organizationLabel)
	// through changes a namespace by a subresource.
	through := func(c client.Client, n *corev1.Namespace, subresource string, labels map[string]string) func(context.Context) error {
		return func(ctx context.Context) error {
			current := &corev1.Namespace{}
			if err := cluster.Get(ctx, client.ObjectKeyFromObject(n), current); err != nil {
				return err
			}
			for key, value := range labels {
				if current.Labels == nil {
					current.Labels = map[string]string{}
				}
				current.Labels[key] = value
			}
			return c.SubResource(subresource).Update(ctx, current)
		}
	}
	other := map[string]string{organizationLabel: "org_other"}
	for name, test := range map[string]struct {
		do      func(context.Context) error
		refused bool
	}{
		"an ordinary admin claims a namespace":         {patch(who.admin, free, claim), true},
		"an ordinary admin claims it with an empty id": {patch(who.admin, free, merge(`{"metadata":{"labels":{%q:""}}}`, organizationLabel)), true},
		"an ordinary admin claims it by apply": {func(ctx context.Context) error {
			return apply(ctx, who.admin, applied(t, free, "Namespace", `{"metadata":{"labels":{"`+organizationLabel+`":"org_other"}}}`))
		}, true},
		"an ordinary admin claims it by its status": {through(who.admin, free, "status", other), true},
		"an ordinary admin claims it by finalize":   {through(who.admin, free, "finalize", other), true},
		"an ordinary admin makes a claimed one": {func(ctx context.Context) error {
			return who.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ownership-made", Labels: other}})
		}, true},
		"an ordinary admin moves one":                       {patch(who.admin, owned, claim), true},
		"an ordinary admin gives one up":                    {patch(who.admin, owned, merge(`{"metadata":{"labels":{%q:null}}}`, organizationLabel)), true},
		"an ordinary admin edits an annotation of ours":     {patch(who.admin, owned, merge(`{"metadata":{"annotations":{%q:"b"}}}`, v1alpha1.NameTemplateAnnotation)), true},
		"an ordinary admin says that the operator made it":  {patch(who.admin, free, merge(`{"metadata":{"labels":{%q:%q}}}`, v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)), true},
		"an ordinary admin says that something else did":    {patch(who.admin, free, merge(`{"metadata":{"labels":{%q:"Helm"}}}`, v1alpha1.ManagedByLabel)), false},
		"an ordinary admin labels one of an organization":   {patch(who.admin, owned, merge(`{"metadata":{"labels":{"example.com/team":"a"}}}`)), false},
		"who broke the glass adopts one":                    {patch(who.brokenGlass, free, merge(`{"metadata":{"labels":{%q:"org_adopted"}}}`, organizationLabel)), false},
		"who broke the glass gives it up again":             {patch(who.brokenGlass, free, merge(`{"metadata":{"labels":{%q:null}}}`, organizationLabel)), false},
		"the operator labels one of an organization":        {patch(who.operator, owned, merge(`{"metadata":{"labels":{"example.com/plan":"a"}}}`)), false},
		"the garbage collector clears owners":               {patch(who.collector, owned, merge(`{"metadata":{"ownerReferences":null}}`)), false},
		"the namespace controller says how deletion stands": {through(who.namespaces, owned, "status", nil), false},
		"the namespace controller finalizes":                {through(who.namespaces, owned, "finalize", nil), false},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, test.do(t.Context()), test.refused) })
	}
	t.Run("a tenant may not", func(t *testing.T) {
		if err := patch(who.tenant, owned, claim)(t.Context()); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want forbidden", err)
		}
	})
	t.Run("it goes away when it is deleted", func(t *testing.T) {
		if err := who.admin.Delete(t.Context(), owned.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			err := cluster.Get(t.Context(), client.ObjectKeyFromObject(owned), &corev1.Namespace{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New("it is still there"), err)
		})
	})
}

// What a refusal says is all that the person has.
func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	err := who.admin.Create(t.Context(), organization(clerktest.RandomID("org")))
	if err == nil || !strings.Contains(err.Error(), "change it in Clerk") || !strings.Contains(err.Error(), "--as-group="+breakGlass) {
		t.Errorf("got %v", err)
	}
}
