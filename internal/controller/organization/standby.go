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
	"sync"
	"time"

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

const (
	// standbyDelay is how long something has to stand, in the eyes of another replica than the elected one, until that takes it away. The
	// elected one needs some tens of milliseconds.
	standbyDelay = 500 * time.Millisecond

	// standbyFirstLook is how long after a change it looks first: by then, the elected one has mostly done what there was to do.
	standbyFirstLook = 200 * time.Millisecond
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

	overdue overdueLosses

	// alarms go off standbyDelay after the ends of grants. They hide the elected replica's.
	alarms alarms
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
		r.alarms.reset(request.Name, nil)
		r.overdue.any(request.Name, nil, r.Now())
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
	if !r.overdue.any(request.Name, losses, r.Now()) {
		again := standbyDelay
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
		Watches(&v1alpha1.ClerkOrganization{}, delayed(unlessNew(r.onOrganization(), never))).
		Watches(&v1alpha1.ClerkMember{}, delayed(unlessNew(r.onMember(&timer{}, nil), r.takesByCount))).
		Watches(&v1alpha1.ClerkUser{}, delayed(r.onUser(nil))).
		Watches(&v1alpha1.ClerkRole{}, delayed(watch.OnRole(r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkPermission{}, delayed(watch.OnPermission(r.Client, r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, delayed(watch.OnSubscriptionItem(organizationOfItem))).
		Watches(&v1alpha1.TenantClass{}, delayed(watch.OnChange(r.allOrganizations))).
		Watches(&v1alpha1.ClerkInstance{}, delayed(watch.OnChange(r.organizationsOfInstance))).
		WatchesRawSource(r.alarms.source())
	nothing := func(client.Object) bool { return false } // what it took away itself, it has to see gone
	for _, kind := range cached.TenantKinds() {
		builder = builder.Watches(kind, delayed(r.onTenantObject(nothing)))
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

// delayed puts what a handler enqueues off until standbyFirstLook.
func delayed(inner handler.EventHandler) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			inner.Create(ctx, e, delayedQueue{queue})
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			inner.Update(ctx, e, delayedQueue{queue})
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			inner.Delete(ctx, e, delayedQueue{queue})
		},
	}
}

type delayedQueue struct{ watch.Queue }

// AddAfter adds a request, at standbyFirstLook from now at the earliest.
func (q delayedQueue) AddAfter(request reconcile.Request, after time.Duration) {
	q.Queue.AddAfter(request, max(after, standbyFirstLook))
}

// overdueLosses remembers since when what is to be taken away has been, by the organization's name.
type overdueLosses struct {
	mu    sync.Mutex
	since map[string]map[tenant.Loss]time.Time
}

// any tells whether any loss of an organization has been one for standbyDelay. What is none any more is forgotten.
func (o *overdueLosses) any(organization string, losses []tenant.Loss, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.since[organization]
	if len(losses) == 0 {
		delete(o.since, organization)
		return false
	}
	since, overdue := make(map[tenant.Loss]time.Time, len(losses)), false
	for _, loss := range losses {
		began, known := before[loss]
		if !known {
			began = now
		}
		since[loss] = began
		overdue = overdue || now.Sub(began) >= standbyDelay
	}
	if o.since == nil {
		o.since = map[string]map[tenant.Loss]time.Time{}
	}
	o.since[organization] = since
	return overdue
}
