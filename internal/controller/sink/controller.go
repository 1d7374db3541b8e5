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

// Package sink says in each ClerkSink's status whether events are handed on, and what to do where they are not.
package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/signing"
	"github.com/clerk-operator/clerk-operator/internal/sink"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerksinks,verbs=get;list;watch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerksinks/status,verbs=patch

const (
	// workers look at sinks at a time: a server that hangs keeps the others from being looked at for its five seconds only.
	workers = 4

	// lookInterval is how often a stream is looked at, since it changes without a word.
	lookInterval = 5 * time.Minute

	// fieldOwner is the field manager of the conditions.
	fieldOwner = client.FieldOwner("clerk-operator")
)

// Reconciler writes the conditions of ClerkSinks.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Sinks are those at work.
	Sinks *sink.Dispatcher
	// Namespace is the operator's own.
	Namespace string
	// Now is the clock.
	Now func() time.Time
}

// Setup adds the Reconciler to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("sink").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, EnableWarmup: new(true)}).
		Watches(&v1alpha1.ClerkSink{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: saysMore})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.sinksOf(func(s *v1alpha1.ClerkSink, o client.Object) bool {
			return slices.Contains(sink.SecretNames(s), o.GetName())
		}))).
		Watches(&v1alpha1.ClerkInstance{}, handler.EnqueueRequestsFromMapFunc(r.sinksOf(func(s *v1alpha1.ClerkSink, o client.Object) bool {
			return s.Spec.InstanceRef.Name == o.GetName()
		})), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// saysMore lets through what can change a condition. That one more event was accepted changes none, unless the last one was not.
func saysMore(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.ClerkSink), e.ObjectNew.(*v1alpha1.ClerkSink)
	was, is := facts{object: before}, facts{object: after}
	return before.Generation != after.Generation || was.failing() != is.failing() ||
		before.Status.LastFailure.Reason != after.Status.LastFailure.Reason ||
		before.Status.LastFilterFailure != after.Status.LastFilterFailure
}

func (r *Reconciler) sinksOf(concerns func(*v1alpha1.ClerkSink, client.Object) bool) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		var list v1alpha1.ClerkSinkList
		if err := r.Client.List(ctx, &list); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot tell which ClerkSinks something concerns")
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

// Reconcile writes the status.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.ClerkSink{}
	err := r.Client.Get(ctx, request.NamespacedName, object)
	if apierrors.IsNotFound(err) {
		metrics.ForgetSink(request.Name)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClerkSink %s: %w", request.Name, err)
	}
	found, err := r.gather(ctx, object)
	if err != nil {
		return reconcile.Result{}, err
	}
	report(object)
	return reconcile.Result{RequeueAfter: lookInterval}, r.write(ctx, object, found.conditions())
}

func report(object *v1alpha1.ClerkSink) {
	accepted := object.Status.LastAccepted.ReceivedAt
	if accepted.IsZero() {
		accepted = object.CreationTimestamp
	}
	metrics.SinkLastAcceptedTimestamp.WithLabelValues(object.Name).Set(float64(accepted.Unix()))
	if failed := object.Status.LastFailure.FailedAt; !failed.IsZero() {
		metrics.SinkLastFailureTimestamp.WithLabelValues(object.Name).Set(float64(failed.Unix()))
	}
}

func (r *Reconciler) gather(ctx context.Context, object *v1alpha1.ClerkSink) (facts, error) {
	found := facts{object: object, now: r.Now()}
	err := r.checkSecrets(ctx, object)
	if err == nil {
		found.stream, err = r.Sinks.Look(ctx, object)
	}
	if failure, ok := errors.AsType[*target.FailureError](err); ok {
		found.unreachable, err = failure.Reason, nil
	}
	if problem, ok := sink.AsProblem(err); ok {
		found.problem, err = problem, nil
	}
	return found, err
}

// checkSecrets returns a Problem where no delivery can be verified.
func (r *Reconciler) checkSecrets(ctx context.Context, object *v1alpha1.ClerkSink) error {
	var instance v1alpha1.ClerkInstance
	err := r.Client.Get(ctx, client.ObjectKey{Name: object.Spec.InstanceRef.Name}, &instance)
	if apierrors.IsNotFound(err) {
		return &sink.ProblemError{Reason: v1alpha1.ReasonInstanceNotFound, Message: "the ClerkInstance " + object.Spec.InstanceRef.Name +
			" does not exist: create it, or correct spec.instanceRef; until then deliveries are answered with 404"}
	}
	if err != nil {
		return fmt.Errorf("read ClerkInstance %s: %w", object.Spec.InstanceRef.Name, err)
	}
	name := object.Spec.Webhook.SigningSecretRef.Name
	own, there, err := r.verifier(ctx, name)
	if err != nil {
		return err
	}
	where := r.Namespace + "/" + name
	if !there {
		return &sink.ProblemError{Reason: v1alpha1.ReasonSecretNotFound, Message: "the Secret " + where +
			" does not exist: create it with the signing secret (whsec_…) of this sink's own endpoint; " +
			"until then deliveries are answered with 503"}
	}
	if !own.Usable() {
		return &sink.ProblemError{Reason: v1alpha1.ReasonSecretUnusable, Message: "the Secret " + where +
			" holds no usable signing secret: copy it from Clerk's dashboard (whsec_…); until then deliveries are answered with 503"}
	}
	theirs, _, err := r.verifier(ctx, instance.Spec.Webhook.SigningSecretRef.Name)
	if err == nil && own.Shares(theirs) {
		return &sink.ProblemError{Reason: v1alpha1.ReasonSameSecret,
			Message: "the Secret " + where + " holds a signing secret of the ClerkInstance: " +
				"make an endpoint of its own for " + path(object) + " in Clerk's dashboard; until then deliveries are answered with 503"}
	}
	return err
}

func (r *Reconciler) verifier(ctx context.Context, name string) (verifier signing.Verifier, there bool, err error) {
	if name == "" {
		return verifier, false, nil
	}
	var secret corev1.Secret
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return verifier, false, nil
	}
	if err != nil {
		return verifier, false, fmt.Errorf("read Secret %s/%s: %w", r.Namespace, name, err)
	}
	verifier, _ = signing.Parse(secret.Data)
	return verifier, true, nil
}

func (r *Reconciler) write(ctx context.Context, object *v1alpha1.ClerkSink, conditions []metav1.Condition) error {
	status := &object.Status
	if status.ObservedGeneration == object.Generation && status.Path == path(object) &&
		equality.Semantic.DeepEqual(status.Conditions, conditions) {
		return nil
	}
	wanted := clerkac.ClerkSinkStatus().WithObservedGeneration(object.Generation).WithPath(path(object))
	for i := range conditions {
		condition := &conditions[i]
		wanted.Conditions = append(wanted.Conditions, metav1ac.ConditionApplyConfiguration{
			Type: &condition.Type, Status: &condition.Status, ObservedGeneration: &condition.ObservedGeneration,
			LastTransitionTime: &condition.LastTransitionTime, Reason: &condition.Reason, Message: &condition.Message,
		})
	}
	configuration := clerkac.ClerkSink(object.Name).WithUID(object.UID).WithStatus(wanted)
	err := r.Client.Status().Apply(ctx, configuration, fieldOwner, client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of ClerkSink %s: %w", object.Name, err)
	}
	return nil
}
