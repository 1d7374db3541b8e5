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

package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// heldPause is how often it is looked whether the tombstone of a role or a permission is still needed. Nothing waits for it to go.
const heldPause = 10 * time.Minute

// roleReconciler says in each ClerkRole's status what holds for the role, and collects tombstones. It changes no access.
type roleReconciler struct{ sexton }

// permissionReconciler does the same for each ClerkPermission.
type permissionReconciler struct{ sexton }

// Reconcile collects the tombstone or writes the status.
func (r *roleReconciler) Reconcile(ctx context.Context, role *v1alpha1.ClerkRole) (reconcile.Result, error) {
	return r.look(ctx, grave{
		object: role, deletedAt: role.Spec.DeletedAt, before: role.Status.Conditions,
		live: "whoever has the role has its permissions",
		dead: "the role was deleted in Clerk and grants nothing; this object is kept for a while as its tombstone",
		isNeeded: func() (bool, error) {
			return r.isHeld(ctx, role)
		},
		status: func(conditions []metav1.Condition) runtime.ApplyConfiguration {
			status := clerkac.ClerkRoleStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkRole(role.Name).WithUID(role.UID).WithStatus(status)
		},
	})
}

// isHeld tells whether a membership may mean this role: without its tombstone, the membership's own word would count.
func (r *roleReconciler) isHeld(ctx context.Context, role *v1alpha1.ClerkRole) (bool, error) {
	registry := newRegistry(r.client)
	for _, member := range membersOfRoles(ctx, r.client, []*v1alpha1.ClerkRole{role}) {
		candidates, err := registry.rolesByKey(ctx, member.Spec.Instance, member.Spec.Role)
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

// Reconcile collects the tombstone or writes the status.
func (r *permissionReconciler) Reconcile(ctx context.Context, permission *v1alpha1.ClerkPermission) (reconcile.Result, error) {
	return r.look(ctx, grave{
		object: permission, deletedAt: permission.Spec.DeletedAt, before: permission.Status.Conditions,
		live: "whoever has a role with the permission has it",
		dead: "the permission was deleted in Clerk, and no role has it any more; this object is kept for a while as its tombstone",
		isNeeded: func() (bool, error) {
			// A role that still lists it would give it again.
			return len(rolesWith(ctx, r.client, permission)) > 0, nil
		},
		status: func(conditions []metav1.Condition) runtime.ApplyConfiguration {
			status := clerkac.ClerkPermissionStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkPermission(permission.Name).WithUID(permission.UID).WithStatus(status)
		},
	})
}

// sexton looks after tombstones: it says what they are, and removes those that nothing needs any longer.
type sexton struct {
	client    client.Client
	way       *rightOfWay
	retention time.Duration
	now       func() time.Time
}

// grave is an object that is, or may become, a tombstone.
type grave struct {
	object    client.Object
	deletedAt *metav1.MicroTime
	before    []metav1.Condition

	// live and dead are what the status says.
	live, dead string

	// isNeeded tells whether the tombstone still keeps something from coming back, however old it is.
	isNeeded func() (bool, error)

	// status writes conditions as the kind takes them.
	status func([]metav1.Condition) runtime.ApplyConfiguration
}

func (s *sexton) look(ctx context.Context, g grave) (reconcile.Result, error) {
	if g.deletedAt == nil {
		return reconcile.Result{}, s.say(ctx, g, condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: g.live})
	}
	due := tenant.CollectionTime(g.deletedAt.Time, s.retention)
	if !s.now().Before(due) {
		needed, err := g.isNeeded()
		if err != nil {
			return reconcile.Result{}, err
		}
		if !needed {
			return reconcile.Result{}, s.remove(ctx, g.object)
		}
		due = s.now().Add(min(heldPause, s.retention))
	}
	err := s.say(ctx, g, condition.Verdict{Ready: true, Reason: v1alpha1.ReasonDeleted, Message: g.dead})
	return reconcile.Result{RequeueAfter: max(due.Sub(s.now()), time.Second)}, err
}

func (s *sexton) say(ctx context.Context, g grave, result condition.Verdict) error {
	conditions, changed := result.Changed(g.before)
	if !changed {
		return nil
	}
	s.way.give(ctx, statusPatience)
	err := s.client.Status().Apply(ctx, g.status(conditions), fieldOwner, client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %T %s: %w", g.object, g.object.GetName(), err)
	}
	return nil
}

func (s *sexton) remove(ctx context.Context, object client.Object) error {
	err := s.client.Delete(ctx, object.DeepCopyObject().(client.Object),
		client.Preconditions{UID: new(object.GetUID())}, client.DisableReadYourWritesConsistency)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("collect %T %s: %w", object, object.GetName(), err)
	}
	return nil
}

func (r *roleReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("role").
		WithOptions(options(1)).
		Watches(&v1alpha1.ClerkRole{}, onSpec()).
		Complete(reconcile.AsReconciler(ownWrites{manager.GetClient()}, r))
}

func (r *permissionReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("permission").
		WithOptions(options(1)).
		Watches(&v1alpha1.ClerkPermission{}, onSpec()).
		Complete(reconcile.AsReconciler(ownWrites{manager.GetClient()}, r))
}
