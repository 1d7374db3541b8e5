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
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// hold puts a finalizer on the RoleBinding of the admins, as one of them may.
func hold(t *testing.T, namespace string) *rbacv1.RoleBinding {
	t.Helper()
	binding := get(t, &rbacv1.RoleBinding{}, namespace, "clerk:admin")
	edit(t, binding, func(b *rbacv1.RoleBinding) { b.Finalizers = append(b.Finalizers, "example.com/mine") })
	return binding
}

// letGo takes the finalizers off again.
func letGo(t *testing.T, binding *rbacv1.RoleBinding) {
	t.Helper()
	edit(t, binding, func(b *rbacv1.RoleBinding) { b.Finalizers = nil })
}

func TestAFinalizerOnARoleBindingKeepsNobodyIn(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), true)
	held := hold(t, tn.namespace())
	tn.leave(jane)
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), false)
	wantStalled(t, organization, v1alpha1.ReasonRoleBindingHeld, "example.com/mine")
	wantStalled(t, organization, v1alpha1.ReasonRoleBindingHeld, "field manager controller.test")

	// Whoever joins gets another RoleBinding meanwhile.
	joe := tn.join("org:admin")
	wantAccess(t, subjectOf(joe), "list", tn.namespace(), true)
	letGo(t, held)
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
}

func TestAHeldRoleBindingThatSomebodyDeletedKeepsNobodyIn(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane), subjectOf(joe))
	held := hold(t, tn.namespace())
	must(t, cluster.Delete(t.Context(), held))
	eventually(t, "both are bound by another RoleBinding", func(ctx context.Context) error {
		return cluster.Get(ctx, client.ObjectKey{Namespace: tn.namespace(), Name: "clerk-2:admin"}, &rbacv1.RoleBinding{})
	})
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane), subjectOf(joe))
	tn.leave(jane)
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), false)
	wantAccess(t, subjectOf(joe), "list", tn.namespace(), true)
	letGo(t, held)
}

func TestTheTombstoneOfAnOrganizationWaitsForAHeldRoleBinding(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	held := hold(t, tn.namespace())
	tn.deleteOrganization()
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), false)
	wantStalled(t, organization, v1alpha1.ReasonRoleBindingHeld, "example.com/mine")
	letGo(t, held)
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonDeleted)
	wantGone(t, organization)
}

func TestAHeldRoleBindingOfAnOrganizationDeletedByHandKeepsNobodyIn(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), true)
	held := hold(t, tn.namespace())
	must(t, cluster.Delete(t.Context(), organization))
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), false)
	letGo(t, held)
}

func TestAnotherInstanceGetsNoNamespaceThatItDoesNotOwn(t *testing.T) {
	t.Parallel()
	mine, others := newInstance(t, "clerk:${user.id}"), newInstance(t, "clerk:${user.id}")
	tn := newTenancy(t)
	tn.createOrganizationOf(mine.Name)
	jane := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = mine.Name })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	if got := get(t, &corev1.Namespace{}, "", tn.namespace()).Labels[v1alpha1.InstanceLabel]; got != mine.Name {
		t.Errorf("the namespace is of instance %q", got)
	}

	// The other one claims the id while the organization lives, and gets a namespace of its own.
	theirs := *tn
	theirs.createOrganizationOf(others.Name)
	mallory := theirs.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = others.Name })
	wantMalloryElsewhere := func() {
		t.Helper()
		eventually(t, "a namespace of its own", func(ctx context.Context) error {
			organization := &v1alpha1.ClerkOrganization{}
			if err := cluster.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(others.Name, tn.id)}, organization); err != nil {
				return err
			}
			names := organization.Status.Namespaces
			if len(names) != 1 || !strings.HasPrefix(names[0].Name, tn.namespace()+"-") {
				return errors.New("it has none")
			}
			ok, err := allowed(ctx, subjectOf(mallory), "list", names[0].Name)
			if err == nil && !ok {
				err = errors.New("no access there")
			}
			return err
		})
		wantAccess(t, subjectOf(mallory), "list", tn.namespace(), false)
	}
	wantMalloryElsewhere()
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))

	// Nor does it when the organization is deleted, its tombstone collected, and the namespace left.
	tn.deleteOrganization()
	wantGone(t, get(t, &v1alpha1.ClerkOrganization{}, "", v1alpha1.ObjectName(mine.Name, tn.id)))
	late := theirs.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = others.Name })
	wantMalloryElsewhere()
	wantAccess(t, subjectOf(late), "list", tn.namespace(), false)
}

func TestANamespaceWithAnIDAloneIsAdoptedForGood(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	legacy, organization, _ := tn.adopt()
	wantReady(t, organization)
	eventually(t, "it has the instance", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(legacy), legacy); err != nil {
			return err
		}
		if legacy.Labels[v1alpha1.InstanceLabel] != organization.Spec.Instance {
			return errors.New("it has not")
		}
		return nil
	})
	if !slices.ContainsFunc(organization.Status.Namespaces, func(n v1alpha1.OrganizationNamespace) bool { return n.Name == legacy.Name }) {
		t.Errorf("namespaces are %v", organization.Status.Namespaces)
	}
}

// TestAGrantThatWasDecidedIsNotWrittenWhenItsMemberHasLeft lets a member leave between the decision and the write: while the quota, which
// comes first, is on its way.
func TestAGrantThatWasDecidedIsNotWrittenWhenItsMemberHasLeft(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].ResourceQuota = &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{"pods": "5"}}
	})
	quota := "/api/v1/namespaces/" + tn.namespace() + "/resourcequotas/clerk-operator"
	letGo := hanging.hold(t, quota)
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	organization := tn.createOrganization()
	hanging.awaitHeld(t, quota)
	seen := watchSubjects(t, tn.namespace())
	tn.leave(jane)
	eventually(t, "the operator knows that she left", func(context.Context) error { return operatorKnows(t, jane) })
	letGo()
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
	if seen()[subjectOf(jane)] {
		t.Error("she was granted access after she had left")
	}
}

// operatorKnows tells whether the operator has taken note of a member's state: its status says so.
func operatorKnows(t *testing.T, member *v1alpha1.ClerkMember) error {
	t.Helper()
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(member), member); err != nil {
		return err
	}
	if member.Status.ObservedGeneration != member.Generation {
		return errors.New("its status is about an older state")
	}
	return nil
}

// watchSubjects watches who is named by any RoleBinding of a namespace, from now on.
func watchSubjects(t *testing.T, namespace string) (seen func() map[string]bool) {
	t.Helper()
	watching, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: cluster.Scheme()})
	must(t, err)
	changes, err := watching.Watch(t.Context(), &rbacv1.RoleBindingList{}, client.InNamespace(namespace))
	must(t, err)
	var mu sync.Mutex
	names := map[string]bool{}
	go func() {
		for change := range changes.ResultChan() {
			if binding, ok := change.Object.(*rbacv1.RoleBinding); ok {
				mu.Lock()
				for _, subject := range binding.Subjects {
					names[subject.Name] = true
				}
				mu.Unlock()
			}
		}
	}()
	t.Cleanup(changes.Stop)
	return func() map[string]bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(names)
	}
}
