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

// Package tenantclass says in each TenantClass' status whether it can be carried out and whom it serves.
package tenantclass

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/permission"
)

// countPause is how long a class's count of organizations may lag: a thousand new organizations so cost one write every five seconds, not
// a thousand.
const countPause = 5 * time.Second

// permissionRetry is how often the operator looks whether it was given a permission that a class needs. No watch tells of it.
const permissionRetry = 30 * time.Second

// Reconciler says whether a TenantClass compiles, whether the operator may give away what it maps, and how many organizations
// it serves.
type Reconciler struct {
	Client      client.Client
	Expressions *cached.Expressions

	// Live reads from the API server itself. CreatorsPolicy is the name of the policy that has it record who makes what.
	Live           client.Reader
	CreatorsPolicy string

	creators creators

	// permitted are the classes, by name, of whose generation it is known that the operator may bind every ClusterRole. There is one worker.
	permitted map[string]int64
}

// Reconcile writes the status.
func (r *Reconciler) Reconcile(ctx context.Context, class *v1alpha1.TenantClass) (reconcile.Result, error) {
	organizations, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByClass, class.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	found, err := r.judge(ctx, class)
	if err != nil {
		return reconcile.Result{}, err
	}
	recorded, lookAgain, err := r.creators.condition(ctx, class)
	if err != nil {
		return reconcile.Result{}, err
	}
	status := v1alpha1.TenantClassStatus{
		ObservedGeneration: class.Generation,
		Organizations:      new(countServed(organizations)),
		Conditions:         found.Conditions(class.Status.Conditions, class.Generation),
	}
	if recorded != nil {
		condition.Set(&status.Conditions, class.Generation, *recorded)
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionCreatorsRecorded)
	}
	result := reconcile.Result{RequeueAfter: lookAgain}
	if found.Reason == v1alpha1.ReasonBindForbidden {
		result.RequeueAfter = permissionRetry
	}
	if equality.Semantic.DeepEqual(class.Status, status) {
		return result, nil
	}
	configuration := clerkac.TenantClassStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithOrganizations(*status.Organizations)
	configuration.Conditions = condition.Configurations(status.Conditions)
	return result, write.Status(ctx, r.Client, clerkac.TenantClass(class.Name).WithUID(class.UID).WithStatus(configuration))
}

func (r *Reconciler) judge(ctx context.Context, class *v1alpha1.TenantClass) (condition.Verdict, error) {
	if _, err := r.Expressions.Class(class); err != nil {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonInvalid, //nolint:nilerr // it is the administrator's to mend
			Message: "the class does not compile: correct it; until then no tenant is touched: " + err.Error()}, nil
	}
	forbidden, err := r.forbidden(ctx, class)
	if err != nil {
		return condition.Verdict{}, err
	}
	if len(forbidden) > 0 {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonBindForbidden,
			Message: "the operator may not give away the ClusterRoles " + strings.Join(forbidden, ", ") +
				": grant it the verb bind on them, or change the class; everything else of the class is done"}, nil
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
		Message: "every expression of the class compiles, and the operator may bind its ClusterRoles"}, nil
}

// forbidden are the ClusterRoles of a class that the operator may not bind. The API server is asked once for each generation of the class,
// and again as long as some are missing.
func (r *Reconciler) forbidden(ctx context.Context, class *v1alpha1.TenantClass) ([]string, error) {
	if r.permitted[class.Name] == class.Generation {
		return nil, nil
	}
	var clusterRoles []string
	for i := range class.Spec.Namespaces {
		for _, rule := range class.Spec.Namespaces[i].RoleBindings {
			clusterRoles = append(clusterRoles, rule.ClusterRole)
		}
	}
	if len(clusterRoles) == 0 {
		return nil, nil
	}
	missing, err := permission.Missing(ctx, r.Client, "", permission.Bind(clusterRoles...))
	if err != nil {
		return nil, err
	}
	var forbidden []string
	for i := range missing {
		forbidden = append(forbidden, missing[i].ResourceNames...)
	}
	if len(forbidden) == 0 {
		r.permitted[class.Name] = class.Generation
	}
	slices.Sort(forbidden)
	return slices.Compact(forbidden), nil
}

// countServed leaves out the deleted: they keep their class for its deletion policy alone.
func countServed(organizations *v1alpha1.ClerkOrganizationList) int32 {
	var n int32
	for i := range organizations.Items {
		if organizations.Items[i].Spec.DeletedAt == nil {
			n++
		}
	}
	return n
}

// Setup adds the controller to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	r.permitted = map[string]int64{}
	r.creators = creators{live: r.Live, mapper: manager.GetRESTMapper(), policy: r.CreatorsPolicy}
	return ctrl.NewControllerManagedBy(manager).
		Named("tenantclass").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.TenantClass{}, watch.OnObject(func(o *v1alpha1.TenantClass) any { return o.Status })).
		Watches(&v1alpha1.ClerkOrganization{}, onClassOfOrganization()).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}

// onClassOfOrganization causes a count, after a while, when an organization gets, changes or loses its class.
func onClassOfOrganization() handler.EventHandler {
	concerned := func(queue watch.Queue, objects ...client.Object) {
		for _, object := range objects {
			if name := object.(*v1alpha1.ClerkOrganization).Status.ClassName; name != "" {
				watch.EnqueueAfter(queue, countPause, name)
			}
		}
	}
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkOrganization), e.ObjectNew.(*v1alpha1.ClerkOrganization)
			deleted := (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil)
			if deleted || before.Status.ClassName != after.Status.ClassName {
				concerned(queue, before, after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue watch.Queue) { concerned(queue, e.Object) },
	}
}
