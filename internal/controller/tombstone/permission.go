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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
)

// permissionReconciler says in each ClerkPermission's status what holds for the permission, and collects tombstones. It changes no access.
type permissionReconciler struct{ Reconciler }

// Reconcile collects the tombstone or writes the status.
func (r *permissionReconciler) Reconcile(ctx context.Context, permission *v1alpha1.ClerkPermission) (reconcile.Result, error) {
	return r.reconcile(ctx, tombstone{
		object:      permission,
		whileLiving: "whoever has a role with the permission has it",
		onceDeleted: "the permission was deleted in Clerk, and no role has it any more; this object is kept for a while as its tombstone",
		isNeeded: func() (bool, error) {
			// A role that still lists it would give it again.
			return len(cached.RolesWith(ctx, r.Client, permission)) > 0, nil
		},
		status: func(conditions []metav1.Condition) write.Configuration {
			status := clerkac.ClerkPermissionStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkPermission(permission.Name).WithUID(permission.UID).WithStatus(status)
		},
	})
}

func (r *permissionReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("permission").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkPermission{}, watch.OnObject(func(o *v1alpha1.ClerkPermission) any { return o.Status })).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}
