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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// standbyWorkers look at ClusterGrants at a time. A look that finds nothing to take away makes no request, but one for a ClusterGrant of
// which the cache holds no ClusterRoleBinding.
const standbyWorkers = 2

// findLosses decides what access somebody has by a ClusterGrant that they should not have.
func (r *Reconciler) findLosses(
	ctx context.Context, name string, alarms *watch.Alarms,
) (losses []tenant.Loss, takeAway func(context.Context) error, err error) {
	var grant v1alpha1.ClusterGrant
	err = r.Client.Get(ctx, client.ObjectKey{Name: name}, &grant)
	if apierrors.IsNotFound(err) {
		alarms.Reset(name, nil)
		return nil, nil, r.takeFromOrphaned(ctx, name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read ClusterGrant %s: %w", name, err)
	}
	e := r.enforce(alarms)
	e.standby = true
	if err := e.look(ctx, &grant); err != nil || e.intent.Observe {
		return nil, nil, err
	}
	return e.intent.Losses(), e.takeAwayLosses, nil
}

func (e *enforcement) takeAwayLosses(ctx context.Context) error {
	if same, err := e.carryOut(ctx); err != nil || !same {
		return err
	}
	return retryErrors(e.problems)
}

// setupStandby adds the controller that takes access away on every other replica than the elected one.
func (r *Reconciler) setupStandby(manager ctrl.Manager) error {
	standby := &watch.Standby{Find: r.findLosses, Now: r.Now}
	builder := standby.Builder(manager, "clustergrant-standby", standbyWorkers)
	for _, watched := range r.watched(nil) {
		builder = builder.Watches(watched.object, watch.Delayed(watched.handler))
	}
	return builder.Complete(standby)
}
