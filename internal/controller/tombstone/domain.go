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

package tombstone

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// domainReconciler says in each ClerkOrganizationDomain's status what holds for the domain, and collects tombstones. It changes no access.
type domainReconciler struct{ Reconciler }

// Reconcile collects the tombstone or writes the status.
func (r *domainReconciler) Reconcile(ctx context.Context, domain *v1alpha1.ClerkOrganizationDomain) (reconcile.Result, error) {
	return r.reconcile(ctx, tombstone{
		object:      domain,
		whileLiving: whatCounts(&domain.Spec),
		onceDeleted: "the organization has the domain no longer in Clerk; this object is kept for a while as its tombstone",
		isNeeded:    func() (bool, error) { return false, nil },
		status: func(conditions []metav1.Condition) write.Configuration {
			status := clerkac.ClerkOrganizationDomainStatus()
			status.Conditions = condition.Configurations(conditions)
			return clerkac.ClerkOrganizationDomain(domain.Name).WithUID(domain.UID).WithStatus(status)
		},
	})
}

// whatCounts says what a domain counts for.
func whatCounts(domain *v1alpha1.ClerkOrganizationDomainSpec) string {
	switch {
	case tenant.IsOwn(domain):
		return "Clerk says that the organization has proven that it owns the domain, so it counts: of one organization 64 domains do at most"
	case domain.Name == "":
		return "what Clerk sent is no DNS name in ASCII with two labels or more, so the domain counts for nothing"
	case domain.Affiliation.Status == v1alpha1.DomainVerified:
		return "only a mailbox of the domain is verified, which is no proof of owning it, so it counts for nothing: verify its ownership in Clerk"
	}
	return "the organization has not proven that it owns the domain, so it counts for nothing: verify its ownership in Clerk"
}

func (r *domainReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("organizationdomain").
		WithOptions(watch.Options(1)).
		Watches(&v1alpha1.ClerkOrganizationDomain{}, watch.OnObject(func(o *v1alpha1.ClerkOrganizationDomain) any { return o.Status })).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}
