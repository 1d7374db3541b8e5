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

// Package database lets databases be kept in step as ClerkDatabases say, and says in the status of each whether it is.
package database

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkdatabases,verbs=get;list;watch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkdatabases/status,verbs=patch

const (
	// workers look at databases at a time. None waits for a database.
	workers = 2

	// reportInterval is how often the status is brought up to date.
	reportInterval = 10 * time.Second

	// fieldOwner is the field manager of the status.
	fieldOwner = client.FieldOwner("clerk-operator")
)

// Reconciler lets databases be kept in step, and writes the status of ClerkDatabases.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Keepers are those at work.
	Keepers *database.Keepers
	// Namespace is the operator's own.
	Namespace string
	// AllowLocal lets databases be on this machine, for development.
	AllowLocal bool
	// Now is the clock.
	Now func() time.Time
}

// Setup adds the Reconciler to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("database").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Watches(&v1alpha1.ClerkDatabase{}, &handler.EnqueueRequestForObject{},
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.databasesOf(usesSecret))).
		Watches(&v1alpha1.ClerkInstance{}, handler.EnqueueRequestsFromMapFunc(r.databasesOf(isOfInstance)),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.Keepers.Events(), &handler.EnqueueRequestForObject{})).
		Complete(r)
}

func usesSecret(d *v1alpha1.ClerkDatabase, secret client.Object) bool {
	return slices.Contains(database.SecretNames(d), secret.GetName())
}

func isOfInstance(d *v1alpha1.ClerkDatabase, instance client.Object) bool {
	return d.Spec.InstanceRef.Name == instance.GetName()
}

func (r *Reconciler) databasesOf(concerns func(*v1alpha1.ClerkDatabase, client.Object) bool) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		var list v1alpha1.ClerkDatabaseList
		if err := r.Client.List(ctx, &list); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot tell which ClerkDatabases something concerns")
			return nil
		}
		var requests []reconcile.Request
		for i := range list.Items {
			if concerns(&list.Items[i], object) {
				requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
			}
		}
		return requests
	}
}

// Reconcile begins or ends the work on a database, and writes the status.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.ClerkDatabase{}
	err := r.Client.Get(ctx, request.NamespacedName, object)
	if apierrors.IsNotFound(err) {
		r.Keepers.Forget(request.Name)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClerkDatabase %s: %w", request.Name, err)
	}
	found, err := r.gather(ctx, object)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: reportInterval}, r.write(ctx, object, found.status())
}

func (r *Reconciler) gather(ctx context.Context, object *v1alpha1.ClerkDatabase) (facts, error) {
	found := facts{object: object, now: r.Now()}
	plan, err := database.ReadPlan(ctx, r.Client, r.Namespace, object, r.AllowLocal)
	if err == nil {
		err = r.checkInstance(ctx, object)
	}
	if problem, ok := asProblem(err); ok {
		r.Keepers.Stop(object.Name) // what it was told to do before is not what it is told now
		metrics.DatabaseLagSeconds.WithLabelValues(object.Name).Set(found.silence().Seconds())
		found.problem = problem
		return found, nil
	}
	if err != nil {
		return found, err
	}
	r.Keepers.Keep(plan)
	found.state, _ = r.Keepers.State(object.Name)
	return found, nil
}

func (r *Reconciler) checkInstance(ctx context.Context, object *v1alpha1.ClerkDatabase) error {
	name := object.Spec.InstanceRef.Name
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClerkInstance{})
	if apierrors.IsNotFound(err) {
		return &database.ProblemError{Reason: v1alpha1.ReasonInstanceNotFound, Message: "the ClerkInstance " + name +
			" does not exist: create it, or make the ClerkDatabase anew with the right spec.instanceRef; the database is left as it is"}
	}
	if err != nil {
		return fmt.Errorf("read ClerkInstance %s: %w", name, err)
	}
	return nil
}

func (r *Reconciler) write(ctx context.Context, object *v1alpha1.ClerkDatabase, status v1alpha1.ClerkDatabaseStatus) error {
	if equality.Semantic.DeepEqual(object.Status, status) {
		return nil
	}
	wanted := clerkac.ClerkDatabaseStatus().WithObservedGeneration(status.ObservedGeneration)
	for i := range status.Conditions {
		condition := &status.Conditions[i]
		wanted.Conditions = append(wanted.Conditions, metav1ac.ConditionApplyConfiguration{
			Type: &condition.Type, Status: &condition.Status, ObservedGeneration: &condition.ObservedGeneration,
			LastTransitionTime: &condition.LastTransitionTime, Reason: &condition.Reason, Message: &condition.Message,
		})
	}
	if status.Lag.Objects != nil {
		wanted.WithLag(clerkac.DatabaseLag().WithObjects(*status.Lag.Objects).WithSeconds(*status.Lag.Seconds))
	}
	for _, table := range status.Tables {
		wanted.WithTables(clerkac.DatabaseTableStatus().WithName(table.Name).WithRows(*table.Rows).WithDeleted(*table.Deleted))
	}
	if !status.LastComparedAt.IsZero() {
		wanted.WithLastComparedAt(status.LastComparedAt)
	}
	if status.LastError.Code != "" {
		wanted.WithLastError(clerkac.DatabaseError().WithCode(status.LastError.Code).WithOccurredAt(status.LastError.OccurredAt))
	}
	configuration := clerkac.ClerkDatabase(object.Name).WithUID(object.UID).WithStatus(wanted)
	err := r.Client.Status().Apply(ctx, configuration, fieldOwner, client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of ClerkDatabase %s: %w", object.Name, err)
	}
	return nil
}
