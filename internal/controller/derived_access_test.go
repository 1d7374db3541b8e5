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

package controller_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// derivedAccess sets spec.derivedAccess of a class.
func derivedAccess(access v1alpha1.DerivedAccess) func(*v1alpha1.TenantClass) {
	return func(class *v1alpha1.TenantClass) { class.Spec.DerivedAccess = access }
}

// setDerivedAccess changes the class of a tenancy, and waits until its namespace says so.
func (tn *tenancy) setDerivedAccess(access v1alpha1.DerivedAccess, label string) {
	tn.t.Helper()
	edit(tn.t, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}, derivedAccess(access))
	tn.wantDerivedAccess(tn.namespace(), label)
}

func (tn *tenancy) wantDerivedAccess(namespace, want string) {
	tn.t.Helper()
	eventually(tn.t, "the label of "+namespace, func(ctx context.Context) error {
		var have corev1.Namespace
		err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, &have)
		if err == nil && have.Labels[v1alpha1.DerivedAccessLabel] != want {
			err = fmt.Errorf("it is %q, want %q", have.Labels[v1alpha1.DerivedAccessLabel], want)
		}
		return err
	})
}

// as is a client of a member.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	made, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	must(t, err)
	return made
}

// requestToken asks for a token of a namespace's ServiceAccount default.
func requestToken(ctx context.Context, c client.Client, namespace string, seconds *int64) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}
	return c.SubResource("token").Create(ctx, account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: seconds}})
}

// tokenSecret has the controller manager put a token of the ServiceAccount default into it.
func tokenSecret(namespace, name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

// bindingTo gives the ClusterRole view.
func bindingTo(namespace, name string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   subjects,
	}
}

func userNamed(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

func accountIn(namespace string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "default"}
}

// wantGuarded checks whether a guard refuses something. What the API server knows of a namespace's labels is a moment behind.
func wantGuarded(t *testing.T, what string, refused bool, do func(context.Context) error) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) error {
		err := do(ctx)
		switch {
		case refused && err == nil:
			return fmt.Errorf("it is not refused")
		case refused && !apierrors.IsForbidden(err), !refused && err != nil:
			return err
		}
		return nil
	})
}

func TestDerivedAccessIsBoundedAsTheClassSays(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := subjectOf(tn.join("org:admin"))
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", jane)
	tn.wantDerivedAccess(namespace, "")
	asJane := as(t, jane)
	eventually(t, "the ServiceAccount default", func(ctx context.Context) error {
		return cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &corev1.ServiceAccount{})
	})
	try := func(capped, none bool, label string) {
		t.Helper()
		create := func(object client.Object) func(context.Context) error {
			return func(ctx context.Context) error {
				return asJane.Create(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)
			}
		}
		token := func(seconds *int64) func(context.Context) error {
			return func(ctx context.Context) error { return requestToken(ctx, asJane, namespace, seconds) }
		}
		wantGuarded(t, label+": a token for an hour", capped, token(nil))
		wantGuarded(t, label+": a token for 10 minutes", none, token(new(int64(600))))
		wantGuarded(t, label+": a Secret with a token", capped, create(tokenSecret(namespace, "token")))
		plain := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}
		wantGuarded(t, label+": another Secret", false, create(plain))
		wantGuarded(t, label+": a RoleBinding for a friend", capped, create(bindingTo(namespace, "friend", userNamed("friend"))))
		wantGuarded(t, label+": a RoleBinding for a ServiceAccount", none, create(bindingTo(namespace, "own", accountIn(namespace))))
	}
	try(false, false, "Unlimited")
	tn.setDerivedAccess(v1alpha1.DerivedAccessCapped, "Capped")
	try(true, false, "Capped")
	tn.setDerivedAccess(v1alpha1.DerivedAccessNone, "None")
	try(true, true, "None")
	// Only an administrator can take the label away, and the operator puts it back.
	edit(t, get(t, &corev1.Namespace{}, "", namespace), func(n *corev1.Namespace) { delete(n.Labels, v1alpha1.DerivedAccessLabel) })
	tn.wantDerivedAccess(namespace, "None")
	edit(t, get(t, &corev1.Namespace{}, "", namespace), func(n *corev1.Namespace) { n.Labels[v1alpha1.DerivedAccessLabel] = "Capped" })
	tn.wantDerivedAccess(namespace, "None")
	// Members come and go as before: the operator's own RoleBindings are none of the guards' business.
	wantSubjects(t, namespace, "view", subjectOf(tn.join("org:member")))
	tn.setDerivedAccess(v1alpha1.DerivedAccessUnlimited, "")
	try(false, false, "Unlimited again")
}

// Who has access by a ServiceAccount that was left behind must not get more than that in a namespace that no class wants any longer.
func TestAReleasedNamespaceStaysBounded(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, derivedAccess(v1alpha1.DerivedAccessCapped))
	organization := tn.createOrganization()
	tn.wantDerivedAccess(tn.namespace(), "Capped")
	wantReady(t, organization)
	edit(t, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces, class.Spec.DerivedAccess = []v1alpha1.TenantNamespace{}, v1alpha1.DerivedAccessUnlimited
	})
	wantEvent(t, organization.Name, "NamespaceReleased")
	tn.wantDerivedAccess(tn.namespace(), "Capped")
}

// loseAccess has a member banned. Unlike a tombstone, which this package collects within seconds, the member is known
// for as long as the test takes.
func loseAccess(t *testing.T, tn *tenancy, member *v1alpha1.ClerkMember) {
	t.Helper()
	edit(t, member, func(m *v1alpha1.ClerkMember) { m.Spec.User.Banned, m.Spec.UpdatedAt = new(true), tn.tick() })
}

// Who has no access is in no RoleBinding of the organization's namespaces, whoever made it, and nobody else loses anything.
func TestWhoLeftIsTakenOutOfEveryRoleBinding(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	namespace, left, stays := tn.namespace(), subjectOf(jane), subjectOf(joe)
	wantSubjects(t, namespace, "admin", left, stays)
	// What she makes while the class bounds nothing: for herself alone, with a friend and a ServiceAccount, and by a Role that the operator
	// may not bind, held by a finalizer.
	asJane := as(t, left)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "own"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}}
	unbindable := bindingTo(namespace, "unbindable", userNamed(left), userNamed("friend"))
	unbindable.RoleRef.Kind, unbindable.RoleRef.Name, unbindable.Finalizers = "Role", "own", []string{"example.com/hold"}
	shared := bindingTo(namespace, "shared", userNamed("friend"), userNamed(left), accountIn(namespace))
	made := []client.Object{role, unbindable, shared, bindingTo(namespace, "others", userNamed(stays))}
	for number := range 20 { // more than a page
		made = append(made, bindingTo(namespace, fmt.Sprintf("own-%d", number), userNamed(left)))
	}
	for _, object := range made {
		must(t, asJane.Create(t.Context(), object))
	}
	loseAccess(t, tn, jane)
	wantSubjects(t, namespace, "admin", stays)
	wantAccess(t, left, "get", namespace, true) // by what she made

	// That she left long ago makes no difference: it is decided by what there is.
	tn.setDerivedAccess(v1alpha1.DerivedAccessCapped, "Capped")
	wantNobody := func() {
		t.Helper()
		wantSubjects(t, namespace, "view", "friend", "default", stays)
		wantAccess(t, left, "get", namespace, false)
		err := cluster.Get(t.Context(), client.ObjectKeyFromObject(unbindable), &rbacv1.RoleBinding{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("a RoleBinding that cannot be changed is there: %v", err)
		}
	}
	wantNobody()
	wantEvent(t, organization.Name, "DerivedAccessRemoved")

	// Who leaves now is taken out as well: an administrator had named them.
	must(t, cluster.Create(t.Context(), bindingTo(namespace, "by-an-administrator", userNamed(stays), userNamed("friend"))))
	loseAccess(t, tn, joe)
	wantSubjects(t, namespace, "admin")
	wantSubjects(t, namespace, "view", "friend", "default", "friend")
	wantAccess(t, stays, "get", namespace, false)
}

// Whoever changes a RoleBinding all the time, faster than the operator reads and writes it, is not kept in by that.
func TestNobodyStaysInARoleBindingByChangingIt(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, derivedAccess(v1alpha1.DerivedAccessCapped))
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjectOf(jane), subjectOf(joe))
	busy := bindingTo(namespace, "busy", userNamed(subjectOf(jane)), userNamed(subjectOf(joe)))
	busy.RoleRef.Name, busy.Finalizers = "admin", []string{"example.com/hold"}
	must(t, cluster.Create(t.Context(), busy))
	asJane := as(t, subjectOf(jane))
	change := func(ctx context.Context, number int) error {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/changed":"%d"}}}`, number)
		return asJane.Patch(ctx, busy.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
	}
	eventually(t, "she may change it", func(ctx context.Context) error { return change(ctx, 0) })
	refused := make(chan struct{}, 4)
	for worker := range cap(refused) {
		go func() {
			number := worker
			for t.Context().Err() == nil {
				number += cap(refused)
				if err := change(t.Context(), number); apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
					refused <- struct{}{}
					return
				}
			}
		}()
	}
	loseAccess(t, tn, jane)
	for range cap(refused) {
		select {
		case <-refused:
		case <-time.After(patience):
			t.Fatal("she still may change it")
		}
	}
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionTrue, v1alpha1.ReasonRemoved)
	var have rbacv1.RoleBinding
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(busy), &have); client.IgnoreNotFound(err) != nil ||
		slices.Contains(have.Subjects, userNamed(subjectOf(jane))) {
		t.Errorf("she is in %v (%v)", have.Subjects, err)
	}
}
