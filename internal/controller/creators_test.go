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
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// recordCreators has the API server record who makes what. It is false where the API server has no such kind, as before Kubernetes 1.36.
func recordCreators(t *testing.T) bool {
	t.Helper()
	output, err := plane.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "creators")).CombinedOutput()
	if err != nil && strings.Contains(string(output), "no matches for kind") {
		return false
	}
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return true
}

// What somebody made who left lets in no more than members and the organization's own ServiceAccounts, and its record outlives all.
func TestWhatSomebodyMadeWhoLeft(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) { class.Spec.Creators = v1alpha1.CreatorsRecorded })
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}
	if !recordCreators(t) {
		wantCondition(t, class, v1alpha1.ConditionCreatorsRecorded, metav1.ConditionFalse, v1alpha1.ReasonNotServed)
		return
	}
	wantCondition(t, class, v1alpha1.ConditionCreatorsRecorded, metav1.ConditionTrue, v1alpha1.ReasonRecorded)
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	namespace, left, stays := tn.namespace(), subjectOf(jane), subjectOf(joe)
	wantSubjects(t, namespace, "admin", left, stays)
	eventually(t, "the record of who made what", func(ctx context.Context) error {
		probe := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
		err := as(t, left).Create(ctx, probe, client.DryRunAll)
		if err == nil && probe.Annotations[v1alpha1.CreatedByAnnotation] != left {
			err = fmt.Errorf("its annotations are %v", probe.Annotations)
		}
		return err
	})
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "friends"}
	elsewhere := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "elsewhere"}
	robot := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "robot"}}
	for _, object := range []client.Object{robot,
		bindingTo(namespace, "shared", userNamed("friend"), userNamed(stays), accountIn(namespace), elsewhere, group),
		bindingTo(namespace, "friends-alone", userNamed("friend"), group)} {
		must(t, as(t, left).Create(t.Context(), object))
	}
	must(t, as(t, stays).Create(t.Context(), bindingTo(namespace, "by-joe", userNamed("friend-of-joe"))))
	edit(t, class, func(class *v1alpha1.TenantClass) {
		class.Spec.DerivedAccess, class.Spec.ServiceAccounts = v1alpha1.DerivedAccessCapped, v1alpha1.ServiceAccountsRecycled
	})
	tn.wantDerivedAccess(namespace, "Capped")
	wantReady(t, organization)
	loseAccess(t, tn, jane)
	wantSubjects(t, namespace, "admin", stays)
	wantSubjects(t, namespace, "view", stays, "default", "friend-of-joe")
	eventually(t, "another ServiceAccount, with the record of the first", func(ctx context.Context) error {
		var again corev1.ServiceAccount
		err := cluster.Get(ctx, client.ObjectKeyFromObject(robot), &again)
		if err == nil && (again.UID == robot.UID || again.Annotations[v1alpha1.CreatedByAnnotation] != left) {
			err = fmt.Errorf("it is %s, with %v", again.UID, again.Annotations)
		}
		return err
	})
	edit(t, class, func(class *v1alpha1.TenantClass) { class.Spec.Creators = v1alpha1.CreatorsIgnored })
	eventually(t, "nothing of creators", func(ctx context.Context) error {
		var have corev1.Namespace
		if err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, &have); err != nil {
			return err
		}
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
			return err
		}
		for _, said := range class.Status.Conditions {
			if said.Type == v1alpha1.ConditionCreatorsRecorded {
				return fmt.Errorf("the class says %v", said)
			}
		}
		if label, is := have.Labels[v1alpha1.CreatorsLabel]; is {
			return fmt.Errorf("the namespace says %s", label)
		}
		return nil
	})
}
