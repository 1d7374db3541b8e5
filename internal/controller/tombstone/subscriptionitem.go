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

package tombstone

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
)

// itemReconciler says in each ClerkSubscriptionItem's status what holds for the item, and collects tombstones. It changes no access.
type itemReconciler struct{ Reconciler }

// Reconcile collects the tombstone or writes the status.
func (r *itemReconciler) Reconcile(ctx context.Context, item *v1alpha1.ClerkSubscriptionItem) (reconcile.Result, error) {
	return r.reconcile(ctx, tombstone{
		object: item,
		whileLiving: "the organization has the plan while the status is active, past_due, or canceled before periodEnd, " +
			"and no later item has another",
		onceDeleted: "the item has ended in Clerk and gives no plan; this object is kept for a while as its tombstone",
		isNeeded: func() (bool, error) {
			return r.isAllThatIsKnown(ctx, item)
		},
		status: func(conditions []metav1.Condition) write.Configuration {
			status := clerkac.ClerkSubscriptionItemStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkSubscriptionItem(item.Name).WithUID(item.UID).WithStatus(status)
		},
	})
}

// isAllThatIsKnown tells whether an organization that exists has no item that is alive or ended later: without the last one it would not be
// known that its subscription has ended.
func (r *itemReconciler) isAllThatIsKnown(ctx context.Context, item *v1alpha1.ClerkSubscriptionItem) (bool, error) {
	if item.Spec.OrganizationID == "" {
		return false, nil
	}
	var organization v1alpha1.ClerkOrganization
	name := client.ObjectKey{Name: v1alpha1.ObjectName(item.Spec.Instance, item.Spec.OrganizationID)}
	err := r.Client.Get(ctx, name, &organization, client.DisableReadYourWritesConsistency)
	if err != nil || organization.Spec.DeletedAt != nil {
		return false, client.IgnoreNotFound(err)
	}
	items, err := cached.Items[v1alpha1.ClerkSubscriptionItemList](ctx, r.Client, cached.ByOrganization,
		cached.Scoped(item.Spec.Instance, item.Spec.OrganizationID))
	if err != nil {
		return false, err
	}
	isAfter := func(other v1alpha1.ClerkSubscriptionItem) bool {
		ended := other.Spec.DeletedAt
		return ended == nil || ended.After(item.Spec.DeletedAt.Time) || ended.Equal(item.Spec.DeletedAt) && other.Name > item.Name
	}
	return !slices.ContainsFunc(items.Items, isAfter), nil
}

func (r *itemReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("subscriptionitem").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, watch.OnObject(func(o *v1alpha1.ClerkSubscriptionItem) any { return o.Status })).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}
