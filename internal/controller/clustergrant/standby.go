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

package clustergrant

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
)

// standbyWorkers look at ClusterGrants at a time. A look that finds nothing to take away makes no request, but one for a ClusterGrant of
// which the cache holds no ClusterRoleBinding.
const standbyWorkers = 2

// standbyReconciler takes away access on every replica that is not elected: the elected one may just have been killed, or be frozen. It
// gives nothing. That is safe anywhere, since it is decided from the same objects by the same code, and written against the resourceVersion
// of the ClusterRoleBinding.
type standbyReconciler struct {
	*Reconciler

	// elected is closed once this replica is elected: then the other controller does all of it.
	elected <-chan struct{}

	overdue watch.OverdueLosses

	// alarms go off watch.StandbyDelay after the ends of grants. They hide the elected replica's.
	alarms watch.Alarms
}

// Reconcile takes away what should not be, if the elected replica did not for a moment.
func (r *standbyReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	select {
	case <-r.elected:
		return reconcile.Result{}, nil
	default:
	}
	var grant v1alpha1.ClusterGrant
	err := r.Client.Get(ctx, request.NamespacedName, &grant)
	if apierrors.IsNotFound(err) {
		r.alarms.Reset(request.Name, nil)
		r.overdue.Any(request.Name, nil, r.Now())
		return reconcile.Result{}, r.takeFromOrphaned(ctx, request.Name)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClusterGrant %s: %w", request.Name, err)
	}
	e := r.enforce(&r.alarms)
	e.standby = true
	if err := e.look(ctx, &grant); err != nil || e.intent.Observe {
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
	if same, err := e.carryOut(ctx); err != nil || !same {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, retryErrors(e.problems)
}

func (r *standbyReconciler) setup(manager ctrl.Manager) error {
	settings := watch.Options(standbyWorkers)
	settings.NeedLeaderElection = new(false)
	builder := ctrl.NewControllerManagedBy(manager).Named("clustergrant-standby").WithOptions(settings)
	for _, watched := range r.watched(nil) {
		builder = builder.Watches(watched.object, watch.Delayed(watched.handler))
	}
	return builder.WatchesRawSource(r.alarms.Source()).Complete(r)
}
