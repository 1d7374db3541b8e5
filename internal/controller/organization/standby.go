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

package organization

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// standbyWorkers look at organizations at a time. A look that finds nothing to take away makes no request.
const standbyWorkers = 4

// standbyReconciler takes away access on every replica that is not elected: the elected one may just have been killed, or be frozen. It
// gives nothing. That is safe anywhere, since it is decided from the same objects by the same code, and written against the resourceVersion
// of the RoleBinding.
type standbyReconciler struct {
	*Reconciler

	// elected is closed once this replica is elected: then the other controller does all of it.
	elected <-chan struct{}

	overdue watch.OverdueLosses

	// alarms go off watch.StandbyDelay after the ends of grants. They hide the elected replica's.
	alarms watch.Alarms
}

// Reconcile takes away every grant that should not be, if the elected replica did not for a moment. A changed name in RBAC, for one, it
// moves in one write, where this could but take away the former one.
func (r *standbyReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	select {
	case <-r.elected:
		return reconcile.Result{}, nil
	default:
	}
	var organization v1alpha1.ClerkOrganization
	err := r.Client.Get(ctx, request.NamespacedName, &organization)
	if apierrors.IsNotFound(err) {
		r.alarms.Reset(request.Name, nil)
		r.overdue.Any(request.Name, nil, r.Now())
		return reconcile.Result{}, r.takeFromOrphaned(ctx, request.Name)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClerkOrganization %s: %w", request.Name, err)
	}
	e := r.enforce(true, &r.alarms)
	if err := e.look(ctx, &organization); err != nil || e.intent.Observe {
		return reconcile.Result{}, err
	}
	losses := e.intent.Losses()
	if !r.overdue.Any(request.Name, losses, r.Now()) {
		again := watch.StandbyDelay
		if len(losses) == 0 {
			again = 0
		}
		return reconcile.Result{RequeueAfter: again}, nil
	}
	if same, err := e.bind(ctx, revokeOnly); err != nil || !same {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, retryErrors(e.problems)
}

func (r *standbyReconciler) setup(manager ctrl.Manager) error {
	settings := watch.Options(standbyWorkers)
	settings.NeedLeaderElection = new(false)
	builder := ctrl.NewControllerManagedBy(manager).
		Named("standby").
		WithOptions(settings).
		Watches(&v1alpha1.ClerkOrganization{}, watch.Delayed(unlessNew(r.onOrganization(), never))).
		Watches(&v1alpha1.ClerkMember{}, watch.Delayed(unlessNew(r.onMember(&watch.Timer{}, nil), r.takesByCount))).
		Watches(&v1alpha1.ClerkUser{}, watch.Delayed(r.onUser(nil))).
		Watches(&v1alpha1.ClerkRole{}, watch.Delayed(watch.OnRole(r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkPermission{}, watch.Delayed(watch.OnPermission(r.Client, r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, watch.Delayed(watch.OnSubscriptionItem(organizationOfItem))).
		Watches(&v1alpha1.TenantClass{}, watch.Delayed(watch.OnChange(r.allOrganizations))).
		Watches(&v1alpha1.ClerkInstance{}, watch.Delayed(watch.OnChange(r.organizationsOfInstance))).
		WatchesRawSource(r.alarms.Source())
	nothing := func(client.Object) bool { return false } // what it took away itself, it has to see gone
	for _, kind := range cached.TenantKinds() {
		builder = builder.Watches(kind, watch.Delayed(r.onTenantObject(nothing)))
	}
	return builder.Complete(r)
}

// takesByCount tells whether any class may take access from members since somebody joins.
func (r *Reconciler) takesByCount(ctx context.Context) bool {
	var classes v1alpha1.TenantClassList
	err := r.Client.List(ctx, &classes, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return err != nil || slices.ContainsFunc(classes.Items, func(class v1alpha1.TenantClass) bool { return tenant.TakesByCount(&class) })
}

func never(context.Context) bool { return false }

// unlessNew leaves out what is new and lives, unless that may take access from somebody else.
func unlessNew(inner handler.EventHandler, mayTake func(context.Context) bool) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			isNew := !e.IsInInitialList && e.Object.(v1alpha1.Mirrored).GetEntity().DeletedAt == nil
			if !isNew || mayTake(ctx) {
				inner.Create(ctx, e, queue)
			}
		},
		UpdateFunc: inner.Update,
		DeleteFunc: inner.Delete,
	}
}
