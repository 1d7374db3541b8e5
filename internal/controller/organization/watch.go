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

package organization

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Setup adds the controllers to a manager: that of the elected replica, and that which takes access away on every other.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	r.recent.now, r.beside, r.statuses = r.Now, make(spare, grantsBeside), newWrittenStatuses()
	r.alarms.Now, r.sweeper = r.Now, &sweeper{Reconciler: r, news: watch.Alarms{Now: r.Now}}
	if err := r.sweeper.setup(manager); err != nil {
		return err
	}
	if err := r.setup(manager); err != nil {
		return err
	}
	return r.setupStandby(manager)
}

func (r *Reconciler) setup(manager ctrl.Manager) error {
	builder := ctrl.NewControllerManagedBy(manager).
		Named("organization").
		WithOptions(watch.Options(workers)).
		Watches(&v1alpha1.ClerkOrganization{}, r.onOrganization()).
		Watches(&v1alpha1.ClerkMember{}, r.onMember(&r.changes, manager.Elected())).
		Watches(&v1alpha1.ClerkUser{}, r.onUser(manager.Elected())).
		Watches(&v1alpha1.ClerkRole{}, watch.OnRole(r.organizationsOfRoles)).
		Watches(&v1alpha1.ClerkPermission{}, watch.OnPermission(r.Client, r.organizationsOfRoles)).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, watch.OnSubscriptionItem(organizationOfItem)).
		Watches(&v1alpha1.ClerkOrganizationDomain{}, watch.OnDomain(organizationOfDomain)).
		Watches(&v1alpha1.TenantClass{}, watch.OnChange(r.allOrganizations)).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnChange(r.organizationsOfInstance)).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnPlans(watch.RevocationPriority, r.organizationsOfInstance)).
		WatchesRawSource(r.alarms.Source()).
		WatchesRawSource(r.sweeper.news.Source())
	for _, kind := range cached.TenantKinds() {
		builder = builder.Watches(kind, r.onTenantObject(r.recent.isOwn))
	}
	return builder.Complete(r)
}

// onOrganization ranks a deletion ahead of everything: it takes access away. The status is no news, unless somebody else wrote it.
func (r *Reconciler) onOrganization() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			watch.Enqueue(queue, min(watch.CreationPriority(e), watch.ProvisioningPriority), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkOrganization), e.ObjectNew.(*v1alpha1.ClerkOrganization)
			switch {
			case before.Generation == after.Generation:
				if !equality.Semantic.DeepEqual(before.Status, after.Status) && !r.statuses.isOwn(after.UID, after.Status) {
					watch.Enqueue(queue, watch.UsualPriority, after.Name)
				}
			case after.Spec.DeletedAt != nil, !sameFacts(&before.Spec, &after.Spec):
				watch.Enqueue(queue, watch.RevocationPriority, after.Name)
			default:
				watch.Enqueue(queue, watch.UsualPriority, after.Name)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ watch.Queue) {
			r.drift.forget(e.Object.GetUID())
			r.recent.forget(e.Object.GetUID())
			r.statuses.forget(e.Object.GetUID())
			r.alarms.Reset(e.Object.GetName(), nil)
			r.sweeper.forget(e.Object.GetName())
			r.sweeper.news.Reset(e.Object.GetName(), nil)
		},
	}
}

// onMember causes a reconciliation of the member's organization, ahead of everything where somebody may have lost access.
func (r *Reconciler) onMember(changes *watch.Timer, elected <-chan struct{}) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			member := e.Object.(*v1alpha1.ClerkMember)
			priority := watch.CreationPriority(e)
			if !e.IsInInitialList && !r.hasNamespace(ctx, member.Spec.OrganizationID) {
				priority = watch.ProvisioningPriority
			}
			if !e.IsInInitialList && isClosed(elected) && member.Spec.OrganizationID != "" {
				changes.Start(member.Name, tenant.MemberChangedAt(member))
			}
			enqueueOrganization(queue, priority, member)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkMember), e.ObjectNew.(*v1alpha1.ClerkMember)
			if before.Generation == after.Generation {
				return
			}
			if isClosed(elected) {
				changes.Start(after.Name, tenant.MemberChangedAt(after))
			}
			priority := watch.UsualPriority
			if mayLoseAccess(before, after) {
				priority = watch.RevocationPriority
			}
			// A deletion may come without the organization's id: what was known before says whose member it was.
			enqueueOrganization(queue, priority, before)
			enqueueOrganization(queue, priority, after)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue watch.Queue) {
			changes.Stop(e.Object.GetName())
			enqueueOrganization(queue, watch.RevocationPriority, e.Object.(*v1alpha1.ClerkMember))
		},
	}
}

// hasNamespace tells whether an organization has any namespace yet.
func (r *Reconciler) hasNamespace(ctx context.Context, organizationID string) bool {
	namespaces, err := cached.Items[corev1.NamespaceList](ctx, r.Client, cached.ByOrganization, organizationID)
	return err == nil && len(namespaces.Items) > 0
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
		!equality.Semantic.DeepEqual(before.Spec.User, after.Spec.User) ||
		!equality.Semantic.DeepEqual(before.Spec.PublicMetadata, after.Spec.PublicMetadata) ||
		!slices.Equal(before.Spec.DroppedFields, after.Spec.DroppedFields))
}

// sameFacts tells whether two states of an organization say the same of what rules are likely to read: another class, or a condition that
// is not met any longer, may take access away. What people only look at is left out.
func sameFacts(a, b *v1alpha1.ClerkOrganizationSpec) bool {
	return a.Name == b.Name && a.Slug == b.Slug && a.RoleSetKey == b.RoleSetKey &&
		equality.Semantic.DeepEqual(a.PublicMetadata, b.PublicMetadata) &&
		equality.Semantic.DeepEqual(a.MaxAllowedMemberships, b.MaxAllowedMemberships) && slices.Equal(a.DroppedFields, b.DroppedFields)
}

func enqueueOrganization(queue watch.Queue, priority int, member *v1alpha1.ClerkMember) {
	if member.Spec.OrganizationID != "" {
		watch.Enqueue(queue, priority, v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID))
	}
}

// onTenantObject causes a reconciliation of the organization that an object is marked with: it may have been changed by somebody else.
// Of what is expected nothing comes.
func (r *Reconciler) onTenantObject(isExpected func(client.Object) bool) handler.EventHandler {
	concerned := func(ctx context.Context, queue watch.Queue, priority int, objects ...client.Object) {
		for _, object := range objects {
			id := object.GetLabels()[v1alpha1.OrganizationIDLabel]
			list, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByOrganization, id)
			// The owner of a RoleBinding may be gone.
			watch.Enqueue(queue, priority, append(organizationNames(ctx, list, err), cached.OwnersOf(object)...)...)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			if isExpected(e.Object) {
				return
			}
			concerned(ctx, queue, watch.CreationPriority(e), e.Object)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			if isQuotaUsage(e) || isExpected(e.ObjectNew) {
				return
			}
			concerned(ctx, queue, watch.UsualPriority, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			r.recent.lose(e.Object)
			concerned(ctx, queue, watch.UsualPriority, e.Object)
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

func (r *Reconciler) allOrganizations(ctx context.Context, _ client.Object) []string {
	var list v1alpha1.ClerkOrganizationList
	err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency)
	return organizationNames(ctx, &list, err)
}

func (r *Reconciler) organizationsOfInstance(ctx context.Context, instance client.Object) []string {
	list, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByInstance, instance.GetName())
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

// onUser causes a reconciliation of every organization that a user is a member of.
func (r *Reconciler) onUser(elected <-chan struct{}) handler.EventHandler {
	return watch.OnUser(func(ctx context.Context, what watch.Effect, queue watch.Queue, users ...*v1alpha1.ClerkUser) {
		user := users[len(users)-1]
		priority := watch.UsualPriority
		if what == watch.MayTake {
			priority = watch.RevocationPriority
		}
		names := map[string]struct{}{}
		for _, member := range cached.MembersOfUser(ctx, r.Client, user) {
			if what == watch.NoEffect && tenant.BarOf(member, nil) == tenant.NotBarred {
				continue // where the membership keeps the user out, the user's word may be newer now
			}
			if isClosed(elected) && what != watch.NoEffect {
				r.changes.Start(member.Name, tenant.UserChangedAt(user))
			}
			names[v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID)] = struct{}{}
		}
		watch.Enqueue(queue, priority, slices.Sorted(maps.Keys(names))...)
	})
}

// organizationOfItem is the organization that has a subscription item.
func organizationOfItem(_ context.Context, item *v1alpha1.ClerkSubscriptionItem) []string {
	if item.Spec.OrganizationID == "" {
		return nil
	}
	return []string{v1alpha1.ObjectName(item.Spec.Instance, item.Spec.OrganizationID)}
}

// organizationOfDomain is the organization that has a domain.
func organizationOfDomain(_ context.Context, instance, organizationID string) []string {
	return []string{v1alpha1.ObjectName(instance, organizationID)}
}

func (r *Reconciler) organizationsOfRoles(ctx context.Context, roles []*v1alpha1.ClerkRole) []string {
	names := map[string]struct{}{}
	for _, member := range cached.MembersOfRoles(ctx, r.Client, roles) {
		names[v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}
