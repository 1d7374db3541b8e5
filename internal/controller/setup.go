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

package controller

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/clustergrant"
	"github.com/clerk-operator/clerk-operator/internal/controller/instance"
	"github.com/clerk-operator/clerk-operator/internal/controller/member"
	"github.com/clerk-operator/clerk-operator/internal/controller/organization"
	"github.com/clerk-operator/clerk-operator/internal/controller/tenantclass"
	"github.com/clerk-operator/clerk-operator/internal/controller/tombstone"
	"github.com/clerk-operator/clerk-operator/internal/controller/user"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/permission"
)

// What the operator may do. The verb bind, what ClusterGrants need, the Lease, the metrics' own permissions and what bounds derived access
// are in config/rbac as they stand.
//
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkorganizations;clerkmembers;clerkusers;clerkroles;clerkpermissions;clerksubscriptionitems;clerkorganizationdomains,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkorganizations/status;clerkmembers/status;clerkusers/status;clerkroles/status;clerkpermissions/status;clerksubscriptionitems/status;clerkorganizationdomains/status,verbs=patch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkinstances;tenantclasses;clustergrants,verbs=get;list;watch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkinstances/status;tenantclasses/status;clustergrants/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces;resourcequotas;limitranges,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",namespace=clerk-operator-system,resources=secrets,verbs=get;list;watch

// Options are what the controllers need to know.
type Options struct {
	// Namespace is the operator's own: Secrets are read there alone, and it is never an organization's.
	Namespace string

	// TombstoneRetention is how long tombstones are kept.
	TombstoneRetention time.Duration

	// Now is the clock.
	Now func() time.Time

	// MissingUser is told of each user who is a member and has no ClerkUser, time and again, so that somebody may fetch it. It must not
	// wait. Nil where nobody can.
	MissingUser func(instance, userID string)

	// OrganizationExists asks Clerk about an organization before its namespaces are deleted; known is false where nobody can tell. It must
	// not take long. Nil where nobody can be asked.
	OrganizationExists func(ctx context.Context, instance, id string) (exists, known bool, err error)

	// ClusterGrantRoles are the ClusterRoles that ClusterGrants may give. Without any, none is carried out.
	ClusterGrantRoles []string

	// CreatorsPolicy is the name of the MutatingAdmissionPolicy that has the API server record who makes what.
	CreatorsPolicy string

	// ClusterGrantsForbidden is what MissingForGrants says: with anything, none is carried out either.
	ClusterGrantsForbidden string

	// Gate is what statuses wait for; nil for one that nobody else knows.
	Gate *write.StatusGate

	// TenantObjects is the one that the manager's cache was made with.
	TenantObjects *cached.TenantObjects
}

// Setup adds all controllers to a manager, whose cache is to be made with cached.Options.
func Setup(ctx context.Context, manager ctrl.Manager, options Options) error {
	if err := cached.AddIndexes(ctx, manager.GetFieldIndexer()); err != nil {
		return err
	}
	if err := options.TenantObjects.Follow(ctx, manager.GetCache()); err != nil {
		return err
	}
	expressions, prompt := cached.NewExpressions(), write.NewClient(manager)
	gate := options.Gate
	if gate == nil {
		gate = write.NewStatusGate()
	}
	tombstones := cached.Tombstones{Reader: prompt, Retention: options.TombstoneRetention, Now: options.Now}
	controllers := []interface{ Setup(ctrl.Manager) error }{
		&organization.Reconciler{
			Client: prompt, Live: manager.GetAPIReader(), Expressions: expressions, Gate: gate,
			Recorder: manager.GetEventRecorder("clerk-operator"), OperatorNamespace: options.Namespace,
			Tombstones: tombstones, Now: options.Now, Exists: options.OrganizationExists,
		},
		&member.Reconciler{
			Client: prompt, Expressions: expressions, Gate: gate, Tombstones: tombstones, Now: options.Now,
			MissingUser: options.MissingUser,
		},
		&user.Reconciler{Client: prompt, Gate: gate, Tombstones: tombstones, Now: options.Now},
		&tombstone.Reconciler{Client: prompt, Gate: gate, Tombstones: tombstones, Now: options.Now},
		&instance.Reconciler{Client: prompt, Expressions: expressions, OperatorNamespace: options.Namespace},
		&instance.HorizonReconciler{Client: prompt, Tombstones: tombstones},
		&tenantclass.Reconciler{
			Client: prompt, Expressions: expressions, Live: manager.GetAPIReader(), CreatorsPolicy: options.CreatorsPolicy,
		},
		&clustergrant.Reconciler{
			Client: prompt, Live: manager.GetAPIReader(), Expressions: expressions, Gate: gate,
			Recorder: manager.GetEventRecorder("clerk-operator"), Now: options.Now,
			ClusterRoles: options.ClusterGrantRoles, Forbidden: options.ClusterGrantsForbidden,
		},
	}
	for _, controller := range controllers {
		if err := controller.Setup(manager); err != nil {
			return fmt.Errorf("set up %T: %w", controller, err)
		}
	}
	return manager.Add(&counter{client: prompt, retention: options.TombstoneRetention, now: options.Now})
}

// MissingForGrants says what the operator would need to look at ClusterGrants and may not; "" if it may, or has not to. Without these
// rights a watch of ClusterRoleBindings would never begin, and nothing else would. Any other right is missed by what needs it alone, which
// the ClusterGrant then says: without create, what has to go is taken away all the same.
func MissingForGrants(ctx context.Context, c client.Client, clusterRoles []string) (string, error) {
	if len(clusterRoles) == 0 {
		return "", nil
	}
	missing, err := permission.Missing(ctx, c, "", []rbacv1.PolicyRule{{
		APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterrolebindings"},
		Verbs: []string{"list", "watch"},
	}})
	return permission.Describe(missing), err
}
