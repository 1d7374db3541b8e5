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

// Package tombstone says in the statuses of roles, permissions, subscription items and domains what holds for them, and collects those
// that are gone in Clerk when nothing needs them any longer.
package tombstone

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
)

// neededPause is how often it is looked whether the tombstone of a role, a permission or a subscription item is still needed.
// Nothing waits for it to go.
const neededPause = 10 * time.Minute

// Reconciler looks after ClerkRoles, ClerkPermissions, ClerkSubscriptionItems and ClerkOrganizationDomains. It changes no access:
// organizations look at them themselves.
type Reconciler struct {
	Client     client.Client
	Gate       *write.StatusGate
	Tombstones cached.Tombstones
	Now        func() time.Time
}

// Setup adds the controllers of all four kinds to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	if err := (&roleReconciler{*r}).setup(manager); err != nil {
		return err
	}
	if err := (&permissionReconciler{*r}).setup(manager); err != nil {
		return err
	}
	if err := (&itemReconciler{*r}).setup(manager); err != nil {
		return err
	}
	return (&domainReconciler{*r}).setup(manager)
}

// tombstone is an object that is, or may become, one.
type tombstone struct {
	object v1alpha1.Mirrored

	// whileLiving and onceDeleted are what the status says.
	whileLiving, onceDeleted string

	// isNeeded tells whether the tombstone still keeps something from coming back, however old it is.
	isNeeded func() (bool, error)

	// status writes conditions as the kind takes them.
	status func([]metav1.Condition) write.Configuration
}

func (r *Reconciler) reconcile(ctx context.Context, t tombstone) (reconcile.Result, error) {
	if t.object.GetEntity().DeletedAt == nil {
		return reconcile.Result{}, r.writeStatus(ctx, t, v1alpha1.ReasonReady, t.whileLiving)
	}
	due, err := r.Tombstones.CollectionTime(ctx, t.object)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !r.Now().Before(due) {
		needed, err := t.isNeeded()
		if err != nil {
			return reconcile.Result{}, err
		}
		if !needed {
			return reconcile.Result{}, write.Delete(ctx, r.Client, t.object)
		}
		due = r.Now().Add(min(neededPause, r.Tombstones.Retention))
	}
	if err := r.writeStatus(ctx, t, v1alpha1.ReasonDeleted, t.onceDeleted); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(due.Sub(r.Now()), time.Second)}, nil
}

func (r *Reconciler) writeStatus(ctx context.Context, t tombstone, reason, message string) error {
	conditions, changed := condition.Verdict{Ready: true, Reason: reason, Message: message}.Changed(t.object.GetConditions())
	if !changed {
		return nil
	}
	r.Gate.Wait(ctx)
	return write.Status(ctx, r.Client, t.status(conditions))
}
