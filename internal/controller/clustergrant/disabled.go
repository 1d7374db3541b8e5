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

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// disabled says of each ClusterGrant that it is not carried out. Nothing is watched but ClusterGrants.
type disabled struct {
	client write.Client

	// forbidden is what the operator would need and may not; "" where it was not told of any ClusterRole.
	forbidden string
}

// Reconcile writes the status.
func (d *disabled) Reconcile(ctx context.Context, grant *v1alpha1.ClusterGrant) (reconcile.Result, error) {
	status := v1alpha1.ClusterGrantStatus{
		ObservedGeneration: grant.Generation,
		Conditions:         d.verdict(grant).Conditions(grant.Status.Conditions, grant.Generation),
	}
	if equality.Semantic.DeepEqual(grant.Status, status) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, applyStatus(ctx, d.client, grant, status)
}

func (d *disabled) verdict(grant *v1alpha1.ClusterGrant) condition.Verdict {
	left := fmt.Sprintf("what it gave before, the operator cannot take away either: kubectl delete clusterrolebinding --ignore-not-found %s",
		tenant.ClusterBindingName(grant.Name))
	if d.forbidden != "" {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonForbidden, Message: fmt.Sprintf(
			"the grant is not carried out, since the operator lacks permissions (%s): install those of this version with "+
				"clusterGrants.clusterRoles, and restart it; %s", d.forbidden, left)}
	}
	return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonDisabled, Message: fmt.Sprintf(
		"the grant is not carried out, since the operator was told of no ClusterRole that it may give in the whole cluster: name %s in the "+
			"chart's clusterGrants.clusterRoles (--cluster-grant-roles); %s", grant.Spec.ClusterRole, left)}
}

func (d *disabled) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("clustergrant").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClusterGrant{}, watch.OnObject(func(g *v1alpha1.ClusterGrant) any { return g.Status })).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, d))
}
