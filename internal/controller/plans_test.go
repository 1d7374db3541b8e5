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
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// subscribe makes an item of the organization's subscription, as the mirror does.
func (tn *tenancy) subscribe(plan string, change ...func(*v1alpha1.ClerkSubscriptionItemSpec)) *v1alpha1.ClerkSubscriptionItem {
	tn.t.Helper()
	item := &v1alpha1.ClerkSubscriptionItem{Spec: v1alpha1.ClerkSubscriptionItemSpec{
		Entity:         v1alpha1.Entity{Instance: tn.instance, ID: uniqueID("csub_item"), UpdatedAt: tn.tick()},
		OrganizationID: tn.id,
		Status:         v1alpha1.SubscriptionActive,
		Plan:           plan,
		PeriodStart:    tn.tick(),
	}}
	for _, edit := range change {
		edit(&item.Spec)
	}
	item.Name = v1alpha1.ObjectName(item.Spec.Instance, item.Spec.ID)
	must(tn.t, cluster.Create(tn.t.Context(), item))
	return item
}

func (tn *tenancy) changeItem(item *v1alpha1.ClerkSubscriptionItem, change func(*v1alpha1.ClerkSubscriptionItemSpec)) {
	tn.t.Helper()
	edit(tn.t, item, func(i *v1alpha1.ClerkSubscriptionItem) {
		i.Spec.UpdatedAt = tn.tick()
		change(&i.Spec)
	})
}

// endItem makes an item's tombstone.
func (tn *tenancy) endItem(item *v1alpha1.ClerkSubscriptionItem, at time.Time) {
	tn.t.Helper()
	edit(tn.t, item, func(i *v1alpha1.ClerkSubscriptionItem) {
		i.Spec = v1alpha1.ClerkSubscriptionItemSpec{
			Entity:         v1alpha1.Entity{Instance: i.Spec.Instance, ID: i.Spec.ID, DeletedAt: new(metav1.NewMicroTime(at))},
			OrganizationID: i.Spec.OrganizationID,
		}
	})
}

func (tn *tenancy) wantPods(want string) {
	tn.t.Helper()
	eventually(tn.t, "the quota has "+want+" pods", func(ctx context.Context) error {
		var quota corev1.ResourceQuota
		key := client.ObjectKey{Namespace: tn.namespace(), Name: tenant.PolicyName}
		if err := cluster.Get(ctx, key, &quota); err != nil {
			return err
		}
		if got := quota.Spec.Hard[corev1.ResourcePods]; got.String() != want {
			return fmt.Errorf("it has %s", got.String())
		}
		return nil
	})
}

// withPlans makes a class for each plan: its quota is what the plan gives. The class of the tenancy itself serves those who have none.
func withPlans(t *testing.T, pods map[string]string) *tenancy {
	t.Helper()
	quota := func(class *v1alpha1.TenantClass, plan string) {
		class.Spec.Namespaces[0].ResourceQuota = &v1alpha1.TenantResourceQuota{
			Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourcePods: v1alpha1.TenantQuantity(pods[plan])},
		}
		class.Spec.Namespaces[0].Labels["example.com/plan"] = "${organization.plan}"
		class.Spec.Namespaces[0].Annotations = map[string]string{"example.com/subscription": "${organization.subscriptionStatus}"}
	}
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) { quota(class, "") })
	for plan := range pods {
		if plan == "" {
			continue
		}
		class := tn.newClass()
		class.Name += "-" + plan
		class.Spec.Match = fmt.Sprintf(`organization.publicMetadata.?test.orValue("") == %q && organization.plan == %q`, tn.id, plan)
		class.Spec.Priority = new(int32(1))
		quota(class, plan)
		must(t, cluster.Create(t.Context(), class))
	}
	return tn
}

func TestAChangeOfPlanChangesWhatAnOrganizationGets(t *testing.T) {
	t.Parallel()
	tn := withPlans(t, map[string]string{"": "1", "free": "2", "pro": "20"})
	organization := tn.createOrganization()
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed, "organization.plan, which Clerk has not told")

	free := tn.subscribe("free")
	tn.wantPods("2")
	pro := tn.subscribe("pro")
	tn.endItem(free, time.Now())
	tn.wantPods("20")
	tn.changeItem(pro, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Status = v1alpha1.SubscriptionPastDue })
	eventually(t, "the namespace says so", func(ctx context.Context) error {
		var namespace corev1.Namespace
		if err := cluster.Get(ctx, client.ObjectKey{Name: tn.namespace()}, &namespace); err != nil {
			return err
		}
		if plan, status := namespace.Labels["example.com/plan"], namespace.Annotations["example.com/subscription"]; plan != "pro" || status != "past_due" {
			return fmt.Errorf("it says %q, %q", plan, status)
		}
		return nil
	})
	tn.endItem(pro, time.Now())
	tn.wantPods("1")
	wantReady(t, organization)
}

func TestWhoeverHadAccessByAPlanLosesItWithThePlan(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen(`organization.plan == "pro" && organization.seats >= 2`, ""))
	tn.createOrganization()
	member := tn.join("org:admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
	item := tn.subscribe("pro", func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Seats = new(int64(2)) })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)

	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Seats = new(int64(1)) })
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Seats = nil })
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
	tn.changeItem(item, func(i *v1alpha1.ClerkSubscriptionItemSpec) { i.Seats = new(int64(3)) })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	tn.endItem(item, time.Now())
	wantSubjects(t, tn.namespace(), "admin")
}

// An item that nobody has heard of before it ended says that the organization has no plan.
func TestTheEndOfAnUnknownItemTakesAccessAway(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	member := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(c *v1alpha1.TenantClass) { c.Spec.Match += ` && organization.plan == "pro"` })
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed, "organization.plan, which Clerk has not told")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	tn.subscribe("", func(i *v1alpha1.ClerkSubscriptionItemSpec) {
		*i = v1alpha1.ClerkSubscriptionItemSpec{
			Entity:         v1alpha1.Entity{Instance: i.Instance, ID: i.ID, DeletedAt: new(metav1.NowMicro())},
			OrganizationID: i.OrganizationID,
		}
	})
	wantSubjects(t, tn.namespace(), "admin")
}

// A canceled plan ends when its period does, without a word of Clerk's.
func TestACanceledPlanEndsByItself(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen(`organization.plan == "pro"`, ""))
	tn.createOrganization()
	member := tn.join("org:admin")
	canceledUntil := func(end time.Time) func(*v1alpha1.ClerkSubscriptionItemSpec) {
		return func(i *v1alpha1.ClerkSubscriptionItemSpec) {
			i.Status, i.PeriodEnd = v1alpha1.SubscriptionCanceled, new(metav1.NewMicroTime(end))
		}
	}
	item := tn.subscribe("pro", canceledUntil(time.Now().Add(time.Hour)))
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	end := time.Now().Add(3 * time.Second)
	tn.changeItem(item, canceledUntil(end))
	wantSubjects(t, tn.namespace(), "admin")
	if early := time.Until(end); early > 0 {
		t.Errorf("the plan ended %v before its period", early)
	}
}

// The tombstone of an item goes when nothing needs it: the last one says that the subscription has ended.
func TestATombstoneOfAnItemIsCollectedUnlessItIsTheLast(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	wantReady(t, organization)
	first, last := tn.subscribe("free"), tn.subscribe("pro")
	long := time.Now().Add(-30 * 24 * time.Hour)
	tn.endItem(first, long)
	tn.endItem(last, long.Add(time.Second))
	eventually(t, "the first is collected", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(first), &v1alpha1.ClerkSubscriptionItem{})
		if client.IgnoreNotFound(err) != nil || err != nil {
			return client.IgnoreNotFound(err)
		}
		return errors.New("it is there")
	})
	eventually(t, "the last one stays", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(last), last); err != nil {
			return err
		}
		if _, reason := condition.IsReady(last.Status.Conditions); reason != v1alpha1.ReasonDeleted {
			return fmt.Errorf("its status says %s", reason)
		}
		return nil
	})
}
