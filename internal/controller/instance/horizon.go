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

package instance

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
)

// horizonOwner is the field manager of status.horizon.
const horizonOwner = client.FieldOwner("clerk-operator-horizon")

// HorizonReconciler writes into each ClerkInstance's status how long tombstones are kept, before one is removed. The elected replica alone
// does, which removes them: so it is its own retention.
type HorizonReconciler struct {
	Client     client.Client
	Tombstones cached.Tombstones
}

// Reconcile writes it down if it changes.
func (r *HorizonReconciler) Reconcile(ctx context.Context, instance *v1alpha1.ClerkInstance) (reconcile.Result, error) {
	next, isNew := horizon.Next(instance.Status.Horizon, r.Tombstones.Retention, r.Tombstones.Now())
	if !isNew {
		return reconcile.Result{}, nil
	}
	status := clerkac.ClerkInstanceStatus().WithHorizon(clerkac.TombstoneHorizon().
		WithRetentionSeconds(next.RetentionSeconds).WithFloor(next.Floor).WithChangedAt(next.ChangedAt))
	// By its resourceVersion: the next horizon is made from this one.
	err := r.Client.Status().Apply(ctx, clerkac.ClerkInstance(instance.Name).WithUID(instance.UID).
		WithResourceVersion(instance.ResourceVersion).WithStatus(status), horizonOwner, client.ForceOwnership)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: watch.FirstRetry}, nil // somebody else wrote to it meanwhile
	}
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("write the horizon of ClerkInstance %s: %w", instance.Name, err)
	}
	return reconcile.Result{}, nil
}

// Setup adds the controller to a manager.
func (r *HorizonReconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("horizon").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkInstance{}, onHorizon()).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}

// onHorizon causes a reconciliation of each ClerkInstance at the start, and when its horizon is not what it was.
func onHorizon() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			watch.Enqueue(queue, watch.UsualPriority, e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkInstance), e.ObjectNew.(*v1alpha1.ClerkInstance)
			if before.Status.Horizon != after.Status.Horizon {
				watch.Enqueue(queue, watch.UsualPriority, after.Name)
			}
		},
	}
}
