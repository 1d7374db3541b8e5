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
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// roleReconciler says in each ClerkRole's status what holds for the role, and collects tombstones. It changes no access.
type roleReconciler struct{ Reconciler }

// Reconcile collects the tombstone or writes the status.
func (r *roleReconciler) Reconcile(ctx context.Context, role *v1alpha1.ClerkRole) (reconcile.Result, error) {
	return r.reconcile(ctx, tombstone{
		object:      role,
		whileLiving: "whoever has the role has its permissions",
		onceDeleted: "the role was deleted in Clerk and grants nothing; this object is kept for a while as its tombstone",
		isNeeded: func() (bool, error) {
			return r.isHeld(ctx, role)
		},
		status: func(conditions []metav1.Condition) write.Configuration {
			status := clerkac.ClerkRoleStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkRole(role.Name).WithUID(role.UID).WithStatus(status)
		},
	})
}

// isHeld tells whether a membership may mean this role: without its tombstone, the membership's own word would count.
func (r *roleReconciler) isHeld(ctx context.Context, role *v1alpha1.ClerkRole) (bool, error) {
	registry := cached.NewRegistry(r.Client)
	for _, member := range cached.MembersOfRoles(ctx, r.Client, []*v1alpha1.ClerkRole{role}) {
		candidates, err := registry.RolesByKey(ctx, member.Spec.Instance, member.Spec.Role)
		if err != nil {
			return false, err
		}
		held, doubt := tenant.Holds(member, candidates)
		if doubt != "" || held != nil && held.UID == role.UID {
			return true, nil
		}
	}
	return false, nil
}

func (r *roleReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("role").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkRole{}, watch.OnObject(func(o *v1alpha1.ClerkRole) any { return o.Status })).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}
