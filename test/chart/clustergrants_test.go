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
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// waitForDisabled makes a ClusterGrant, and waits until the operator, which was told of no ClusterRole, says that it carries out none.
func waitForDisabled(t *testing.T, n tenant) {
	t.Helper()
	grant := &v1alpha1.ClusterGrant{
		ObjectMeta: metav1.ObjectMeta{Name: "disabled"},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: "default"}, OrganizationIDs: []string{n.organization.ID}, Role: "org:admin", ClusterRole: "view",
		},
	}
	if err := cluster.Create(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	removeLater(t, grant)
	eventually(t, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(grant), grant); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonDisabled || !strings.Contains(ready.Message, "name view in the chart's clusterGrants.clusterRoles") {
			return fmt.Errorf("it says %+v", grant.Status.Conditions)
		}
		return nil
	})
}

// removeLater deletes objects of fixed names at the end of the test, so that it can run again.
func removeLater(t *testing.T, objects ...client.Object) {
	t.Helper()
	t.Cleanup(func() {
		for _, object := range objects {
			err := client.IgnoreNotFound(cluster.Delete(context.WithoutCancel(t.Context()), object))
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// thieves have a token of the operator, which has more rights than the chart gives it: that is what the guard is for.
const thieves = "thieves-of-cluster-grants"

// stolen is a client of the operator of a release that uses ClusterGrants. What the values change of the installed guard is put there, and the
// rights are given to the thieves alone: other tests ask for those of the release.
func stolen(t *testing.T) client.Client {
	t.Helper()
	r := render(t, filepath.Join(chart, "ci", "cluster-grants.yaml"))
	each(t, r, "ClusterRole", func(role *rbacv1.ClusterRole) {
		if role.Name != "clerk-operator-cluster-grants" {
			return
		}
		all := rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}}
		made := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: thieves}, Rules: append(role.Rules, all)}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: thieves},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: thieves},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: thieves}},
		}
		if err := errors.Join(cluster.Create(t.Context(), made), cluster.Create(t.Context(), binding)); err != nil {
			t.Fatal(err)
		}
		removeLater(t, made, binding)
	})
	each(t, r, "ValidatingAdmissionPolicy", func(policy *admissionregistrationv1.ValidatingAdmissionPolicy) {
		if policy.Name != "clerk-operator-cluster-grants-only" {
			return
		}
		installed := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(policy), installed); err != nil {
			t.Fatal(err)
		}
		installed.Spec = policy.Spec
		if err := cluster.Update(t.Context(), installed); err != nil {
			t.Fatal(err)
		}
	})
	config := plane.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + namespace + ":" + operatorproc.ServiceAccount
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated", thieves}
	operator, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { // until the API server knows the rights and the guard
		return operator.Create(t.Context(), grantBinding("new", "view", userOf("clerk:user_a")), client.DryRunAll)
	})
	return operator
}

// grantBinding is the ClusterRoleBinding of a ClusterGrant, as the operator makes it.
func grantBinding(grant, clusterRole string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "clerk-operator:" + grant, Labels: map[string]string{
			v1alpha1.ClusterGrantLabel: grant, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy,
		}},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects: subjects,
	}
}

// A stolen token of an operator that uses ClusterGrants gives nobody more than these may, and nobody else writes what is theirs.
func TestClusterRoleBindingsOfClusterGrantsAreGuarded(t *testing.T) {
	t.Parallel()
	thief, who := stolen(t), newActors(t)
	crowd := make([]rbacv1.Subject, 500)
	for i := range crowd {
		crowd[i] = userOf(fmt.Sprintf("clerk:user_%0240d", i))
	}
	ours, foreign := grantBinding("ours", "view", crowd...), grantBinding("foreign", "view", userOf("somebody"))
	foreign.Labels = nil
	for _, object := range []client.Object{ours, foreign} {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	free := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "free"}, RoleRef: foreign.RoleRef}
	if err := who.admin.Create(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	removeLater(t, ours, foreign, free)
	create := func(by client.Client, binding *rbacv1.ClusterRoleBinding) func(context.Context) error {
		return func(ctx context.Context) error { return by.Create(ctx, binding, client.DryRunAll) }
	}
	patch := func(by client.Client, binding *rbacv1.ClusterRoleBinding, format string, args ...any) func(context.Context) error {
		return func(ctx context.Context) error {
			return by.Patch(ctx, binding.DeepCopy(), merge(format, args...), client.DryRunAll)
		}
	}
	remove := func(by client.Client, binding *rbacv1.ClusterRoleBinding) func(context.Context) error {
		return func(ctx context.Context) error { return by.Delete(ctx, binding.DeepCopy(), client.DryRunAll) }
	}
	edited := func(change func(*rbacv1.ClusterRoleBinding)) *rbacv1.ClusterRoleBinding {
		binding := grantBinding("new", "view", userOf("clerk:user_a"))
		change(binding)
		return binding
	}
	crowded := func(subjects []rbacv1.Subject) func(context.Context) error {
		return func(ctx context.Context) error {
			binding := ours.DeepCopy()
			binding.Subjects = subjects
			return thief.Patch(ctx, binding, client.MergeFrom(ours), client.DryRunAll)
		}
	}
	const owner = `{"metadata":{"ownerReferences":[{"apiVersion":"clerk-operator.io/v1alpha1","kind":"ClusterGrant","name":"a","uid":"b"}]}}`
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}
	for name, test := range map[string]struct {
		do      func(context.Context) error
		refused bool
	}{
		"the operator makes one":                   {create(thief, grantBinding("new", "view", userOf("clerk:user_a"))), false},
		"the operator makes one of 500":            {create(thief, grantBinding("new", "view", crowd...)), false},
		"the operator takes one out of 500":        {crowded(crowd[1:]), false},
		"the operator puts others in":              {crowded(append(slices.Clone(crowd[2:]), userOf("clerk:user_b"), userOf("clerk:user_c"))), false},
		"the operator binds another ClusterRole":   {create(thief, grantBinding("new", "edit", userOf("clerk:user_a"))), true},
		"the operator makes a cluster-admin":       {create(thief, grantBinding("new", "cluster-admin", userOf("clerk:user_a"))), true},
		"the operator makes one by another name":   {create(thief, edited(func(b *rbacv1.ClusterRoleBinding) { b.Name = "new" })), true},
		"the operator makes one without the label": {create(thief, edited(func(b *rbacv1.ClusterRoleBinding) { b.Labels = nil })), true},
		"the operator binds a group":               {create(thief, grantBinding("new", "view", group)), true},
		"the operator binds a ServiceAccount":      {create(thief, grantBinding("new", "view", accountOf("default"))), true},
		"the operator binds a system user":         {create(thief, grantBinding("new", "view", userOf("system:anonymous"))), true},
		"the operator changes somebody else's":     {patch(thief, foreign, `{"metadata":{"labels":{%q:"foreign"}},"subjects":null}`, v1alpha1.ClusterGrantLabel), true},
		"the operator deletes somebody else's":     {remove(thief, foreign), true},
		"the operator empties its own":             {patch(thief, ours, `{"subjects":null}`), false},
		"the operator deletes its own":             {remove(thief, ours), false},

		"somebody makes one":           {create(who.admin, grantBinding("new", "view", userOf("a"))), true},
		"somebody labels another":      {patch(who.admin, free, `{"metadata":{"labels":{%q:"ours"}}}`, v1alpha1.ClusterGrantLabel), true},
		"somebody calls it managed":    {patch(who.admin, free, `{"metadata":{"labels":{%q:%q}}}`, v1alpha1.ManagedByLabel, v1alpha1.ManagedBy), true},
		"somebody makes it a grant's":  {patch(who.admin, free, owner), true},
		"somebody hides one":           {patch(who.admin, ours, `{"metadata":{"labels":{%q:null}}}`, v1alpha1.ClusterGrantLabel), true},
		"somebody holds one":           {patch(who.admin, ours, `{"metadata":{"finalizers":["example.com/keep"]}}`), true},
		"somebody joins one":           {patch(who.admin, ours, `{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"a"}]}`), true},
		"somebody writes a note on it": {patch(who.admin, ours, `{"metadata":{"labels":{"example.com/team":"a"}}}`), false},
		"somebody deletes one":         {remove(who.admin, ours), false},
		"somebody writes another":      {patch(who.admin, free, `{"metadata":{"labels":{"example.com/team":"a"},"finalizers":["example.com/keep"]}}`), false},
		"the collector disowns one":    {patch(who.collector, ours, `{"metadata":{"ownerReferences":null}}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.do(t.Context())
			switch {
			case !test.refused && err != nil:
				t.Errorf("it was refused: %v", err)
			case test.refused && err == nil:
				t.Error("it was not refused")
			case test.refused && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'clerk-operator-cluster-grants")):
				t.Errorf("it was refused by something else than a guard: %v", err)
			}
		})
	}
}
