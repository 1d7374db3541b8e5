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

// Package instance says in each ClerkInstance's status whether it can be heard.
package instance

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/signing"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Reconciler says whether a ClerkInstance can be heard: whether its signing secrets are there and its expression compiles.
type Reconciler struct {
	Client            client.Client
	Expressions       *cached.Expressions
	OperatorNamespace string
}

// Reconcile writes the status.
func (r *Reconciler) Reconcile(ctx context.Context, instance *v1alpha1.ClerkInstance) (reconcile.Result, error) {
	result, err := r.judge(ctx, instance)
	if err != nil {
		return reconcile.Result{}, err
	}
	// Of the conditions, those of a resync are not its own: to write them back would undo what was written meanwhile.
	before := ownConditions(instance.Status.Conditions)
	conditions := result.Conditions(before, instance.Generation)
	if instance.Status.ObservedGeneration == instance.Generation && equality.Semantic.DeepEqual(before, conditions) {
		return reconcile.Result{}, nil
	}
	status := clerkac.ClerkInstanceStatus().WithObservedGeneration(instance.Generation)
	status.Conditions = condition.Configurations(conditions)
	return reconcile.Result{}, write.Status(ctx, r.Client, clerkac.ClerkInstance(instance.Name).WithUID(instance.UID).WithStatus(status))
}

func ownConditions(conditions []metav1.Condition) []metav1.Condition {
	var own []metav1.Condition
	for _, condition := range conditions {
		if condition.Type == v1alpha1.ConditionReady || condition.Type == v1alpha1.ConditionStalled {
			own = append(own, condition)
		}
	}
	return own
}

func (r *Reconciler) judge(ctx context.Context, instance *v1alpha1.ClerkInstance) (condition.Verdict, error) {
	if instance.Spec.Webhook.SigningSecretRef.Name == "" {
		return r.judgeUsername(instance, "no delivery is accepted, since spec.webhook is not set: all that is heard is what a resync finds"), nil
	}
	name := instance.Spec.Webhook.SigningSecretRef.Name
	var secret corev1.Secret
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.OperatorNamespace, Name: name}, &secret)
	if apierrors.IsNotFound(err) {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonSecretNotFound,
			Message: fmt.Sprintf("the Secret %s/%s does not exist: create it with the endpoint's signing secret (whsec_…); "+
				"until then deliveries are answered with 503", r.OperatorNamespace, name)}, nil
	}
	if err != nil {
		return condition.Verdict{}, fmt.Errorf("read Secret %s/%s: %w", r.OperatorNamespace, name, err)
	}
	verifier, unusable := signing.Parse(secret.Data)
	if !verifier.Usable() {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonSecretUnusable,
			Message: fmt.Sprintf("the Secret %s/%s holds no usable signing secret: copy it from Clerk's dashboard (whsec_…); "+
				"until then deliveries are answered with 503%s", r.OperatorNamespace, name, describeKeys(unusable))}, nil
	}
	return r.judgeUsername(instance, fmt.Sprintf("deliveries to /webhooks/%s are verified%s", instance.Name, describeKeys(unusable))), nil
}

func (r *Reconciler) judgeUsername(instance *v1alpha1.ClerkInstance, allIsWell string) condition.Verdict {
	username, err := r.Expressions.Username(instance)
	if err != nil {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonUsernameInvalid,
			Message: "spec.username does not compile: correct it; until then no grant is added: " + err.Error()}
	}
	if tenant.NeedsUsers(instance, username) {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonUsersNotMirrored,
			Message: "spec.username reads what only a mirrored user has, and spec.users is None: set spec.users to Members or All, " +
				"or use user.id or user.username alone; until then no grant is added"}
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: allIsWell}
}

func describeKeys(unusable []signing.Problem) string {
	var text strings.Builder
	for _, problem := range unusable {
		fmt.Fprintf(&text, "; the key %s %s and is not used", problem.Key, problem.Reason)
	}
	return text.String()
}

// Setup adds the controller to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("instance").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnObject(func(o *v1alpha1.ClerkInstance) any { return ownConditions(o.Status.Conditions) })).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.instancesOfSecret)).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}

func (r *Reconciler) instancesOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	list, err := cached.Items[v1alpha1.ClerkInstanceList](ctx, r.Client, cached.BySecret, secret.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot tell which ClerkInstances a Secret concerns")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
