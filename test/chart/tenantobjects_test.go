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
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// tenantObjects are one object of each kind that the operator keeps in a namespace.
func tenantObjects(meta metav1.ObjectMeta) map[string]client.Object {
	return map[string]client.Object{
		"a RoleBinding": &rbacv1.RoleBinding{ObjectMeta: *meta.DeepCopy(),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:user_tenant"}}},
		"a NetworkPolicy": &networkingv1.NetworkPolicy{ObjectMeta: *meta.DeepCopy()},
		"a ResourceQuota": &corev1.ResourceQuota{ObjectMeta: *meta.DeepCopy()},
		"a LimitRange": &corev1.LimitRange{ObjectMeta: *meta.DeepCopy(),
			Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{}}},
	}
}

func TestOnlyTheOperatorMarksWhatItKeepsInANamespace(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const place = "marked"
	marks := map[string]string{organizationLabel: "org_marked", v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
	if err := who.operator.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: place, Labels: marks}}); err != nil {
		t.Fatal(err)
	}
	ours := tenantObjects(metav1.ObjectMeta{Name: "ours", Namespace: place, Labels: marks})
	free := tenantObjects(metav1.ObjectMeta{Name: "free", Namespace: place})
	claimed := tenantObjects(metav1.ObjectMeta{Name: "claimed", Namespace: place, Labels: map[string]string{organizationLabel: "org_victim"}})
	// An owner that is not there would have the garbage collector delete what it owns.
	organization := &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("nobody", "org_owner")},
		Spec:       v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "nobody", ID: "org_owner", UpdatedAt: new(metav1.NowMicro())}},
	}
	if err := who.operator.Create(t.Context(), organization); err != nil {
		t.Fatal(err)
	}
	owner := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":%q,"kind":"ClerkOrganization","name":%q,"uid":%q}]}}`,
		v1alpha1.GroupVersion, organization.Name, organization.UID)
	for kind, object := range ours {
		t.Run(kind, func(t *testing.T) {
			for _, made := range []client.Object{object, free[kind]} {
				creator := who.operator
				if made == free[kind] {
					creator = who.admin
				}
				if err := creator.Create(t.Context(), made); err != nil {
					t.Fatal(err)
				}
			}
			patch := func(c client.Client, o client.Object, p client.Patch) func(context.Context) error {
				return func(ctx context.Context) error { return c.Patch(ctx, o.DeepCopyObject().(client.Object), p) }
			}
			_, isBinding := object.(*rbacv1.RoleBinding)
			for name, test := range map[string]struct {
				do      func(context.Context) error
				refused bool
			}{
				"made with a victim's id": {func(ctx context.Context) error { return who.admin.Create(ctx, claimed[kind]) }, true},
				"labelled with a victim's id": {
					patch(who.admin, free[kind], merge(`{"metadata":{"labels":{%q:"org_victim"}}}`, organizationLabel)), true},
				"annotated as the operator's": {
					patch(who.admin, free[kind], merge(`{"metadata":{"annotations":{"clerk-operator.io/x":"a"}}}`)), true},
				"said to be the operator's": {
					patch(who.admin, free[kind], merge(`{"metadata":{"labels":{%q:%q}}}`, v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)), true},
				"said to be Helm's": {
					patch(who.admin, free[kind], merge(`{"metadata":{"labels":{%q:"Helm"}}}`, v1alpha1.ManagedByLabel)), false},
				"given to an organization":      {patch(who.admin, free[kind], merge(`%s`, owner)), true},
				"the operator's moved":          {patch(who.admin, object, merge(`{"metadata":{"labels":{%q:"org_victim"}}}`, organizationLabel)), true},
				"the operator's hidden":         {patch(who.admin, object, merge(`{"metadata":{"labels":{%q:null}}}`, organizationLabel)), true},
				"the operator's disowned":       {patch(who.admin, object, merge(`{"metadata":{"labels":{%q:"a"}}}`, v1alpha1.ManagedByLabel)), true},
				"the operator's finalized":      {patch(who.admin, object, merge(`{"metadata":{"finalizers":["example.com/keep"]}}`)), isBinding},
				"the operator's with a team":    {patch(who.admin, object, merge(`{"metadata":{"labels":{"example.com/team":"a"}}}`)), false},
				"the operator's by itself":      {patch(who.operator, object, merge(`%s`, owner)), false},
				"what the collector takes away": {patch(who.collector, object, merge(`{"metadata":{"ownerReferences":null}}`)), false},
			} {
				t.Run(name, func(t *testing.T) { wantRefused(t, test.do(t.Context()), test.refused) })
			}
			wantRefused(t, who.admin.Patch(t.Context(), object, merge(`{"metadata":{"finalizers":null}}`)), false)
			wantRefused(t, who.admin.Delete(t.Context(), object), false)
		})
	}
}
