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

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// What the operator may do. The verb bind, the Lease and the metrics' own permissions are in config/rbac as they stand.
//
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkorganizations;clerkmembers;clerkusers;clerkroles;clerkpermissions,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkorganizations/status;clerkmembers/status;clerkusers/status;clerkroles/status;clerkpermissions/status,verbs=patch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkinstances;tenantclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups=clerk-operator.io,resources=clerkinstances/status;tenantclasses/status,verbs=patch
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
}

// Setup adds all controllers to a manager, whose cache is to be made with CacheOptions.
func Setup(ctx context.Context, manager ctrl.Manager, options Options) error {
	if err := addIndexes(ctx, manager.GetFieldIndexer()); err != nil {
		return err
	}
	shared, way := newExpressions(), &rightOfWay{rate: rate.NewLimiter(statusRate, 1)}
	prompt := promptClient{Client: manager.GetClient(), cache: manager.GetCache()}
	undertaker := sexton{client: prompt, way: way, retention: options.TombstoneRetention, now: options.Now}
	organization := &organizationReconciler{
		client:            prompt,
		live:              manager.GetAPIReader(),
		expressions:       shared,
		way:               way,
		recorder:          manager.GetEventRecorder("clerk-operator"),
		operatorNamespace: options.Namespace,
		retention:         options.TombstoneRetention,
		now:               options.Now,
		recent:            recentWrites{now: options.Now},
		exists:            options.OrganizationExists,
	}
	controllers := map[string]interface{ setup(ctrl.Manager) error }{
		"organization": organization,
		"standby":      &standbyReconciler{organization},
		"member": &memberReconciler{
			client: prompt, expressions: shared, way: way, retention: options.TombstoneRetention, now: options.Now,
			missingUser: options.MissingUser,
		},
		"user": &userReconciler{
			client: prompt, way: way, retention: options.TombstoneRetention, now: options.Now,
		},
		"role":        &roleReconciler{undertaker},
		"permission":  &permissionReconciler{undertaker},
		"instance":    &instanceReconciler{client: prompt, expressions: shared, operatorNamespace: options.Namespace},
		"tenantclass": &tenantClassReconciler{client: prompt, expressions: shared, permitted: map[string]int64{}},
	}
	for name, c := range controllers {
		if err := c.setup(manager); err != nil {
			return fmt.Errorf("set up the %s controller: %w", name, err)
		}
	}
	return manager.Add(&census{client: prompt, retention: options.TombstoneRetention, now: options.Now})
}

// CacheOptions keep in memory what is the operator's business and nothing else: of the tenants' kinds those objects that are marked
// with an organization, as far as the operator can have written them, Secrets from one namespace alone, and never the managed fields.
func CacheOptions(namespace string) cache.Options {
	ofAnOrganization := requirement(v1alpha1.OrganizationIDLabel, selection.Exists)
	madeByUs := requirement(v1alpha1.ManagedByLabel, selection.Equals, v1alpha1.ManagedBy)
	marked := cache.ByObject{Label: labels.NewSelector().Add(ofAnOrganization), Transform: keepNamespace}
	ours := cache.ByObject{Label: labels.NewSelector().Add(ofAnOrganization, madeByUs), Transform: keepTenantObject}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Namespace{}:           marked,
			&rbacv1.RoleBinding{}:         ours,
			&corev1.ResourceQuota{}:       ours,
			&corev1.LimitRange{}:          ours,
			&networkingv1.NetworkPolicy{}: ours,
			&corev1.Secret{}:              {Namespaces: map[string]cache.Config{namespace: {}}, Transform: keepSecret},
			&v1alpha1.ClerkInstance{}:     {},
			&v1alpha1.ClerkOrganization{}: {},
			&v1alpha1.ClerkMember{}:       {},
			&v1alpha1.ClerkUser{}:         {},
			&v1alpha1.ClerkRole{}:         {},
			&v1alpha1.ClerkPermission{}:   {},
			&v1alpha1.TenantClass{}:       {},
		},
	}
}

// requirement is one of the operator's own labels as a selector takes it.
func requirement(key string, operator selection.Operator, values ...string) labels.Requirement {
	parsed, err := labels.NewRequirement(key, operator, values)
	if err != nil {
		panic(err) // the labels are constants
	}
	return *parsed
}
