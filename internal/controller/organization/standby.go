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

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// standbyWorkers look at organizations at a time. A look that finds nothing to take away makes no request.
const standbyWorkers = 4

// findLosses decides what access an organization's members have that they should not. A changed name in RBAC, for one, the elected replica
// moves in one write, where this could but take away the former one.
func (r *Reconciler) findLosses(
	ctx context.Context, name string, alarms *watch.Alarms,
) (losses []tenant.Loss, takeAway func(context.Context) error, err error) {
	var organization v1alpha1.ClerkOrganization
	err = r.Client.Get(ctx, client.ObjectKey{Name: name}, &organization)
	if apierrors.IsNotFound(err) {
		alarms.Reset(name, nil)
		return nil, nil, r.takeFromOrphaned(ctx, name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read ClerkOrganization %s: %w", name, err)
	}
	e := r.enforce(true, alarms)
	if err := e.look(ctx, &organization); err != nil || e.intent.Observe {
		return nil, nil, err
	}
	return e.intent.Losses(), e.takeAwayLosses, nil
}

func (e *enforcement) takeAwayLosses(ctx context.Context) error {
	if same, err := e.bind(ctx, revokeOnly); err != nil || !same {
		return err
	}
	return retryErrors(e.problems)
}

// setupStandby adds the controller that takes access away on every other replica than the elected one.
func (r *Reconciler) setupStandby(manager ctrl.Manager) error {
	standby := &watch.Standby{Find: r.findLosses, Now: r.Now}
	builder := standby.Builder(manager, "standby", standbyWorkers).
		Watches(&v1alpha1.ClerkOrganization{}, watch.Delayed(unlessNew(r.onOrganization(), never))).
		Watches(&v1alpha1.ClerkMember{}, watch.Delayed(unlessNew(r.onMember(&watch.Timer{}, nil), r.takesByCount))).
		Watches(&v1alpha1.ClerkUser{}, watch.Delayed(r.onUser(nil))).
		Watches(&v1alpha1.ClerkRole{}, watch.Delayed(watch.OnRole(r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkPermission{}, watch.Delayed(watch.OnPermission(r.Client, r.organizationsOfRoles))).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, watch.Delayed(watch.OnSubscriptionItem(organizationOfItem))).
		Watches(&v1alpha1.ClerkOrganizationDomain{}, watch.Delayed(watch.OnDomain(organizationOfDomain))).
		Watches(&v1alpha1.TenantClass{}, watch.Delayed(watch.OnChange(r.allOrganizations))).
		Watches(&v1alpha1.ClerkInstance{}, watch.Delayed(watch.OnChange(r.organizationsOfInstance))).
		Watches(&v1alpha1.ClerkInstance{}, watch.Delayed(watch.OnPlans(watch.RevocationPriority, r.organizationsOfInstance)))
	nothing := func(client.Object) bool { return false } // what it took away itself, it has to see gone
	for _, kind := range cached.TenantKinds() {
		builder = builder.Watches(kind, watch.Delayed(r.onTenantObject(nothing)))
	}
	return builder.Complete(standby)
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
