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
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// setPlans says which plans there are, as a resync does.
func setPlans(t *testing.T, instance string, plans ...v1alpha1.InstancePlan) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"plans": plans}})
	must(t, err)
	object := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: instance}}
	must(t, cluster.Status().Patch(t.Context(), object, client.RawPatch(types.MergePatchType, patch)))
}

// A permission counts with its feature alone, whoever changes what: the plan of the organization, what the plan gives, or the default plan.
func TestAPlanDecidesWhichPermissionsCount(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = []v1alpha1.TenantRoleBinding{
			{Permission: "org:cargo:load", ClusterRole: "edit"}, {Role: "org:member", ClusterRole: "view"},
		}
	})
	instance := "plans-" + tn.class
	must(t, createInstance(t.Context(), instance, "clerk:${user.id}"))
	organization := tn.mirrorOrganization(instance)
	member := tn.join("org:member", func(m *v1alpha1.ClerkMember) {
		m.Spec.Instance, m.Spec.Permissions = instance, []string{"org:cargo:load", "org:sys_profile:manage"}
	})
	wants := func(mayEdit bool, says string) {
		t.Helper()
		if mayEdit {
			wantSubjects(t, tn.namespace(), "edit", subjectOf(member))
		} else {
			wantSubjects(t, tn.namespace(), "edit")
		}
		wantSubjects(t, tn.namespace(), "view", subjectOf(member))
		wantMessage(t, member, v1alpha1.ConditionBound, says)
	}
	// Where plans are not known, nothing is withheld, and the ClerkInstance says so.
	wants(true, "ClusterRole")
	item := tn.subscribe("free")
	wantCondition(t, &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: instance}}, v1alpha1.ConditionPlansKnown,
		metav1.ConditionFalse, v1alpha1.ReasonPlansUnknown)
	wants(true, "ClusterRole")

	free := v1alpha1.InstancePlan{ID: "cplan_free", Slug: "free", Default: new(true)}
	pro := v1alpha1.InstancePlan{ID: "cplan_pro", Slug: "pro", Features: []string{"cargo"}}
	setPlans(t, instance, free, pro)
	wants(false, "the organization's plan free does not have")
	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Plan = "pro" })
	wants(true, "ClusterRole")
	wantPlan(t, organization, "pro", "active")
	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Plan = "team" })
	wants(false, "Clerk did not list the plan")
	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Plan = "pro" })
	wants(true, "ClusterRole")
	pro.Features = nil
	setPlans(t, instance, free, pro)
	wants(false, "the organization's plan pro does not have")
	tn.endItem(item, time.Now())
	wants(false, "the organization's plan free does not have")
	wantPlan(t, organization, "free", "ended")
	free.Features = []string{"cargo"}
	setPlans(t, instance, free, pro)
	wants(true, "ClusterRole")
	setPlans(t, instance)
	wants(true, "ClusterRole")
}

// Who holds nothing but what is withheld has no access, and is told why.
func TestWhoeverHoldsOnlyWhatIsWithheldIsToldWhy(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = []v1alpha1.TenantRoleBinding{{Permission: "org:cargo:load", ClusterRole: "edit"}}
		class.Spec.Namespaces[0].Labels["example.com/sso"] = `${"sso" in organization.features ? "yes" : "no"}`
	})
	instance := "withheld-" + tn.class
	must(t, createInstance(t.Context(), instance, "clerk:${user.id}"))
	organization := tn.mirrorOrganization(instance)
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed, "organization.features, which is not known")
	setPlans(t, instance, v1alpha1.InstancePlan{ID: "cplan_free", Slug: "free", Default: new(true), Features: []string{"sso"}})
	wantReady(t, organization)
	member := tn.join("org:member", func(m *v1alpha1.ClerkMember) {
		m.Spec.Instance, m.Spec.Permissions = instance, []string{"org:cargo:load"}
	})
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonFeatureNotInPlan)
	wantReason(t, member, v1alpha1.ReasonFeatureNotInPlan)
	wantSubjects(t, tn.namespace(), "edit")
	setPlans(t, instance, v1alpha1.InstancePlan{ID: "cplan_free", Slug: "free", Default: new(true), Features: []string{"cargo"}})
	wantSubjects(t, tn.namespace(), "edit", subjectOf(member))
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
}

// wantMessage waits until a condition's message says something.
func wantMessage(t *testing.T, object client.Object, kind, says string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s of %s says %q", kind, object.GetName(), says), func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(conditionsOf(object), kind)
		if condition == nil || !strings.Contains(condition.Message, says) {
			return fmt.Errorf("have %+v", condition)
		}
		return nil
	})
}

// wantPlan waits until an organization's status says which plan it has.
func wantPlan(t *testing.T, organization *v1alpha1.ClerkOrganization, plan, subscription string) {
	t.Helper()
	eventually(t, organization.Name+" has the plan "+plan, func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization); err != nil {
			return err
		}
		if status := organization.Status; status.Plan != plan || status.SubscriptionStatus != subscription {
			return fmt.Errorf("have %q, %q", status.Plan, status.SubscriptionStatus)
		}
		return nil
	})
}
