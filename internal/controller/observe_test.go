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
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// observedTenancy is a tenancy whose ClerkInstance is its own, in a mode.
func observedTenancy(t *testing.T, mode v1alpha1.InstanceMode) (tn *tenancy, instance string) {
	t.Helper()
	tn = newTenancy(t)
	instance = "observed-" + tn.class
	// In this mode from the beginning: the operator may hear of an organization before it does of another mode.
	must(t, createInstance(t.Context(), instance, "clerk:${user.id}", func(i *v1alpha1.ClerkInstance) { i.Spec.Mode = mode }))
	return tn, instance
}

func setMode(t *testing.T, instance string, mode v1alpha1.InstanceMode) {
	t.Helper()
	edit(t, &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: instance}}, func(i *v1alpha1.ClerkInstance) { i.Spec.Mode = mode })
}

// mirrorOrganization makes the organization as one that the ClerkInstance speaks of.
func (tn *tenancy) mirrorOrganization(instance string) *v1alpha1.ClerkOrganization {
	tn.t.Helper()
	tn.instance = instance
	organization := &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(instance, tn.id), Labels: map[string]string{v1alpha1.OrganizationIDLabel: tn.id}},
		Spec: v1alpha1.ClerkOrganizationSpec{
			Entity:         v1alpha1.Entity{Instance: instance, ID: tn.id, UpdatedAt: tn.tick()},
			Name:           "Test",
			Slug:           tn.slug,
			PublicMetadata: tn.metadata(),
		},
	}
	must(tn.t, cluster.Create(tn.t.Context(), organization))
	return organization
}

// wantPreview waits until an organization's status says what would be done.
func wantPreview(t *testing.T, organization *v1alpha1.ClerkOrganization, says ...string) {
	t.Helper()
	eventually(t, "the status says what would be done", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonObserving {
			return fmt.Errorf("have %+v", ready)
		}
		for _, text := range says {
			if !strings.Contains(ready.Message, text) {
				return fmt.Errorf("%q does not say %q", ready.Message, text)
			}
		}
		return nil
	})
}

// saysReady tells whether the condition Ready says something.
func saysReady(object client.Object, text string) error {
	ready := meta.FindStatusCondition(conditionsOf(object), v1alpha1.ConditionReady)
	if ready == nil || !strings.Contains(ready.Message, text) {
		return fmt.Errorf("%+v does not say %q", ready, text)
	}
	return nil
}

func TestObservingTouchesNothingUntilItEnforces(t *testing.T) {
	t.Parallel()
	tn, instance := observedTenancy(t, v1alpha1.ModeObserve)
	organization := tn.mirrorOrganization(instance)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance }
	member := tn.join("org:member", of)
	tn.join("org:admin", of)
	wantPreview(t, organization, "create namespace "+tn.namespace(), "grant view in "+tn.namespace()+" to 1 users",
		"grant admin in "+tn.namespace()+" to 1 users")
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: tn.namespace()}, &corev1.Namespace{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the namespace: got %v, want that there is none", err)
	}

	setMode(t, instance, v1alpha1.ModeEnforce)
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "view", subjectOf(member))
}

func TestObservingTakesNothingAwayUntilItEnforces(t *testing.T) {
	t.Parallel()
	tn, instance := observedTenancy(t, v1alpha1.ModeEnforce)
	organization := tn.mirrorOrganization(instance)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance }
	member := tn.join("org:member", of)
	stays := tn.join("org:member", of)
	wantSubjects(t, tn.namespace(), "view", subjectOf(member), subjectOf(stays))

	setMode(t, instance, v1alpha1.ModeObserve)
	wantPreview(t, organization, "change no namespace and no access")
	tn.leave(member)
	wantPreview(t, organization, "take view in "+tn.namespace()+" from 1 users")
	wantSubjects(t, tn.namespace(), "view", subjectOf(member), subjectOf(stays))
	tn.deleteOrganization()
	wantPreview(t, organization, "handle the deletion", "remove its 1 RoleBindings")
	wantSubjects(t, tn.namespace(), "view", subjectOf(member), subjectOf(stays))

	setMode(t, instance, v1alpha1.ModeEnforce)
	eventually(t, "every grant is taken away", func(ctx context.Context) error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(ctx, &bindings, client.InNamespace(tn.namespace())); err != nil {
			return err
		}
		if len(bindings.Items) > 0 {
			return errors.New("RoleBindings are left")
		}
		return nil
	})
}
