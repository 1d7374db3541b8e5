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
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

func (r *organizationReconciler) setup(manager ctrl.Manager) error {
	builder := ctrl.NewControllerManagedBy(manager).
		Named("organization").
		WithOptions(options(organizationWorkers)).
		Watches(&v1alpha1.ClerkOrganization{}, r.onOrganization()).
		Watches(&v1alpha1.ClerkMember{}, onMember(&r.stopwatch, manager.Elected())).
		Watches(&v1alpha1.ClerkUser{}, r.onUser(manager.Elected())).
		Watches(&v1alpha1.ClerkRole{}, onRole(r.organizationsOfRoles)).
		Watches(&v1alpha1.ClerkPermission{}, onPermission(r.client, r.organizationsOfRoles)).
		Watches(&v1alpha1.TenantClass{}, onChange(r.allOrganizations)).
		Watches(&v1alpha1.ClerkInstance{}, onChange(r.organizationsOfInstance))
	for _, kind := range tenantKinds() {
		builder = builder.Watches(kind, r.onTenantObject())
	}
	return builder.Complete(r)
}

// onOrganization ranks a deletion ahead of everything: it takes access away. The status is the reconciler's own and no news.
func (r *organizationReconciler) onOrganization() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workQueue) {
			enqueue(queue, creationPriority(e), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workQueue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkOrganization), e.ObjectNew.(*v1alpha1.ClerkOrganization)
			switch {
			case before.Generation == after.Generation:
			case after.Spec.DeletedAt != nil:
				enqueue(queue, revocationPriority, after.Name)
			default:
				enqueue(queue, usualPriority, after.Name)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ workQueue) {
			r.ledger.forget(e.Object.GetUID())
			r.recent.forget(e.Object.GetUID())
		},
	}
}

// onMember causes a reconciliation of the member's organization, ahead of everything where somebody may have lost access.
func onMember(timer *stopwatch, elected <-chan struct{}) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workQueue) {
			member := e.Object.(*v1alpha1.ClerkMember)
			if !e.IsInInitialList && isClosed(elected) && member.Spec.OrganizationID != "" {
				timer.start(member.Name, changedAt(member))
			}
			enqueueOrganization(queue, creationPriority(e), member)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workQueue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkMember), e.ObjectNew.(*v1alpha1.ClerkMember)
			if before.Generation == after.Generation {
				return
			}
			if isClosed(elected) {
				timer.start(after.Name, changedAt(after))
			}
			priority := usualPriority
			if mayLoseAccess(before, after) {
				priority = revocationPriority
			}
			// A deletion may come without the organization's id: what was known before says whose member it was.
			enqueueOrganization(queue, priority, before)
			enqueueOrganization(queue, priority, after)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workQueue) {
			timer.stop(e.Object.GetName())
			enqueueOrganization(queue, revocationPriority, e.Object.(*v1alpha1.ClerkMember))
		},
	}
}

// changedAt is when a member last changed, by Clerk's clock.
func changedAt(member *v1alpha1.ClerkMember) time.Time {
	switch {
	case member.Spec.DeletedAt != nil:
		return member.Spec.DeletedAt.Time
	case member.Spec.UpdatedAt != nil:
		return member.Spec.UpdatedAt.Time
	}
	return member.CreationTimestamp.Time
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

func mayLoseAccess(before, after *v1alpha1.ClerkMember) bool {
	return before.Spec.DeletedAt == nil && (after.Spec.DeletedAt != nil || tenant.BarOf(after, nil) != tenant.NotBarred ||
		before.Spec.Role != after.Spec.Role ||
		!slices.Equal(before.Spec.Permissions, after.Spec.Permissions) ||
		!equality.Semantic.DeepEqual(before.Spec.User, after.Spec.User))
}

func enqueueOrganization(queue workQueue, priority int, member *v1alpha1.ClerkMember) {
	if member.Spec.OrganizationID != "" {
		enqueue(queue, priority, v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID))
	}
}

// onTenantObject causes a reconciliation of the organization that an object is marked with: it may have been changed by somebody else.
func (r *organizationReconciler) onTenantObject() handler.EventHandler {
	concerned := func(ctx context.Context, queue workQueue, priority int, objects ...client.Object) {
		for _, object := range objects {
			id := object.GetLabels()[v1alpha1.OrganizationIDLabel]
			list, err := items[v1alpha1.ClerkOrganizationList](ctx, r.client, byOrganization, id)
			// The owner of a RoleBinding may be gone.
			enqueue(queue, priority, append(organizationNames(ctx, list, err), ownersOf(object)...)...)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workQueue) {
			concerned(ctx, queue, creationPriority(e), e.Object)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workQueue) {
			if isQuotaUsage(e) {
				return
			}
			concerned(ctx, queue, usualPriority, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workQueue) {
			r.recent.lose(e.Object)
			concerned(ctx, queue, usualPriority, e.Object)
		},
	}
}

// isQuotaUsage tells whether all that changed is how much of a quota is used: that happens with every pod and means nothing here.
func isQuotaUsage(e event.UpdateEvent) bool {
	before, isQuota := e.ObjectOld.(*corev1.ResourceQuota)
	if !isQuota {
		return false
	}
	after := e.ObjectNew.(*corev1.ResourceQuota)
	return equality.Semantic.DeepEqual(before.Spec, after.Spec) && equality.Semantic.DeepEqual(before.Labels, after.Labels)
}

// onChange causes a reconciliation of many organizations when the spec of an object that they depend on changes.
func onChange(concerned func(context.Context, client.Object) []string) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workQueue) {
			if !e.IsInInitialList {
				enqueue(queue, bulkPriority, concerned(ctx, e.Object)...)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workQueue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				enqueue(queue, bulkPriority, concerned(ctx, e.ObjectNew)...)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workQueue) {
			enqueue(queue, bulkPriority, concerned(ctx, e.Object)...)
		},
	}
}

func (r *organizationReconciler) allOrganizations(ctx context.Context, _ client.Object) []string {
	var list v1alpha1.ClerkOrganizationList
	err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return organizationNames(ctx, &list, err)
}

func (r *organizationReconciler) organizationsOfInstance(ctx context.Context, instance client.Object) []string {
	list, err := items[v1alpha1.ClerkOrganizationList](ctx, r.client, byInstance, instance.GetName())
	return organizationNames(ctx, list, err)
}

func organizationNames(ctx context.Context, list *v1alpha1.ClerkOrganizationList, err error) []string {
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which organizations a change concerns")
		return nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}
