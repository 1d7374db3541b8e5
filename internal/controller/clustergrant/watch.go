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
	"maps"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
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

// Setup adds the controllers to a manager: that of the elected replica, and that which takes access away on every other. Where nothing may
// be given, there is one that says so.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	if len(r.ClusterRoles) == 0 || r.Forbidden != "" {
		return (&disabled{client: r.Client, forbidden: r.Forbidden}).setup(manager)
	}
	r.alarms.Now = r.Now
	builder := ctrl.NewControllerManagedBy(manager).Named("clustergrant").WithOptions(watch.Options(workers))
	for _, watched := range r.watched(manager.Elected()) {
		builder = builder.Watches(watched.object, watched.handler)
	}
	if err := builder.WatchesRawSource(r.alarms.Source()).Complete(r); err != nil {
		return err
	}
	return r.setupStandby(manager)
}

// watched is a kind, and what its changes have looked at.
type watched struct {
	object  client.Object
	handler handler.EventHandler
}

// watched are all kinds that decide about ClusterGrants. elected is closed once this replica is; nil where that does not matter.
func (r *Reconciler) watched(elected <-chan struct{}) []watched {
	return []watched{
		{&v1alpha1.ClusterGrant{}, r.onGrant()},
		{&rbacv1.ClusterRoleBinding{}, r.onBinding()},
		{&v1alpha1.ClerkMember{}, r.onMember(elected)},
		{&v1alpha1.ClerkUser{}, r.onUser(elected)},
		{&v1alpha1.ClerkOrganization{}, r.onOrganization()},
		{&v1alpha1.ClerkRole{}, watch.OnRole(r.grantsOfRoles)},
		{&v1alpha1.ClerkPermission{}, watch.OnPermission(r.Client, r.grantsOfRoles)},
		{&v1alpha1.ClerkSubscriptionItem{}, watch.OnSubscriptionItem(func(ctx context.Context, item *v1alpha1.ClerkSubscriptionItem) []string {
			return r.names(ctx, cached.ByOrganization, cached.Scoped(item.Spec.Instance, item.Spec.OrganizationID))
		})},
		{&v1alpha1.ClerkOrganizationDomain{}, watch.OnDomain(func(ctx context.Context, instance, organizationID string) []string {
			return r.names(ctx, cached.ByOrganization, cached.Scoped(instance, organizationID))
		})},
		{&v1alpha1.ClerkInstance{}, watch.OnChange(r.grantsOfInstanceObject)},
		{&v1alpha1.ClerkInstance{}, watch.OnPlans(watch.RevocationPriority, r.grantsOfInstanceObject)},
	}
}

func (r *Reconciler) grantsOfInstanceObject(ctx context.Context, instance client.Object) []string {
	return r.grantsOfInstance(ctx, instance.GetName())
}

// onGrant causes a look at a ClusterGrant that is new, changed or gone, and at one whose status somebody else wrote.
func (r *Reconciler) onGrant() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			watch.Enqueue(queue, watch.CreationPriority(e), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClusterGrant), e.ObjectNew.(*v1alpha1.ClusterGrant)
			switch {
			case before.Generation != after.Generation, before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero():
				watch.Enqueue(queue, watch.RevocationPriority, after.Name)
			case !equality.Semantic.DeepEqual(before.Status, after.Status):
				watch.Enqueue(queue, watch.BulkPriority, after.Name)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue watch.Queue) {
			r.drift.Delete(e.Object.GetUID())
			watch.Enqueue(queue, watch.RevocationPriority, e.Object.GetName())
		},
	}
}

// onBinding causes a look at the ClusterGrants that a ClusterRoleBinding is of, or was: somebody else may have changed it. One that is gone
// from the cache may have lost its labels alone.
func (r *Reconciler) onBinding() handler.EventHandler {
	concerned := func(queue watch.Queue, priority int, objects ...client.Object) {
		for _, object := range objects {
			watch.Enqueue(queue, priority, cached.OwningGrants(object.(*rbacv1.ClusterRoleBinding))...)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			concerned(queue, watch.CreationPriority(e), e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			concerned(queue, watch.UsualPriority, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue watch.Queue) {
			for _, name := range cached.OwningGrants(e.Object.(*rbacv1.ClusterRoleBinding)) {
				r.checked.Delete(name)
			}
			concerned(queue, watch.UsualPriority, e.Object)
		},
	}
}

// onMember causes a look at the ClusterGrants that name a member's organization. Those found at a start are left out: everything is looked
// at then.
func (r *Reconciler) onMember(elected <-chan struct{}) handler.EventHandler {
	concerned := func(ctx context.Context, queue watch.Queue, priority int, member *v1alpha1.ClerkMember, changed time.Time) {
		if member.Spec.OrganizationID == "" {
			return
		}
		names := r.grantsOf(ctx, member)
		r.startTimer(elected, names, member, changed)
		watch.Enqueue(queue, priority, names...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			if member := e.Object.(*v1alpha1.ClerkMember); !e.IsInInitialList {
				concerned(ctx, queue, watch.UsualPriority, member, tenant.MemberChangedAt(member))
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkMember), e.ObjectNew.(*v1alpha1.ClerkMember)
			if before.Generation == after.Generation {
				return
			}
			changed := tenant.MemberChangedAt(after)
			// A deletion may come without the organization's id: what was known before says whose member it was.
			concerned(ctx, queue, watch.RevocationPriority, before, changed)
			if after.Spec.OrganizationID != before.Spec.OrganizationID {
				concerned(ctx, queue, watch.RevocationPriority, after, changed)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			concerned(ctx, queue, watch.RevocationPriority, e.Object.(*v1alpha1.ClerkMember), time.Time{})
		},
	}
}

// startTimer begins to time the change of a member, where this replica is elected.
func (r *Reconciler) startTimer(elected <-chan struct{}, grants []string, member *v1alpha1.ClerkMember, changed time.Time) {
	if changed.IsZero() {
		return
	}
	select {
	case <-elected:
	default:
		return
	}
	for _, grant := range grants {
		r.changes.Start(timed(grant, member.Name), changed)
	}
}

// onUser causes a look at the ClusterGrants that name an organization of a user.
func (r *Reconciler) onUser(elected <-chan struct{}) handler.EventHandler {
	return watch.OnUser(func(ctx context.Context, what watch.Effect, queue watch.Queue, users ...*v1alpha1.ClerkUser) {
		user := users[len(users)-1]
		if len(r.grantsOfInstance(ctx, user.Spec.Instance)) == 0 {
			return
		}
		names := map[string]struct{}{}
		for _, member := range cached.MembersOfUser(ctx, r.Client, user) {
			if what == watch.NoEffect && tenant.BarOf(member, nil) == tenant.NotBarred {
				continue // where the membership keeps the user out, the user's word may be newer now
			}
			found := r.grantsOf(ctx, member)
			if what != watch.NoEffect {
				r.startTimer(elected, found, member, tenant.UserChangedAt(user))
			}
			for _, name := range found {
				names[name] = struct{}{}
			}
		}
		priority := watch.UsualPriority
		if what == watch.MayTake {
			priority = watch.RevocationPriority
		}
		watch.Enqueue(queue, priority, slices.Sorted(maps.Keys(names))...)
	})
}

// onOrganization causes a look at the ClusterGrants that name an organization. Its status decides nothing.
func (r *Reconciler) onOrganization() handler.EventHandler {
	concerned := func(ctx context.Context, queue watch.Queue, priority int, object client.Object) {
		spec := &object.(*v1alpha1.ClerkOrganization).Spec
		watch.Enqueue(queue, priority, r.names(ctx, cached.ByOrganization, cached.Scoped(spec.Instance, spec.ID))...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			if !e.IsInInitialList {
				concerned(ctx, queue, watch.UsualPriority, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				concerned(ctx, queue, watch.RevocationPriority, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			concerned(ctx, queue, watch.RevocationPriority, e.Object)
		},
	}
}

// grantsOfRoles are all ClusterGrants of the roles' ClerkInstances: there are few, and a role has any number of members.
func (r *Reconciler) grantsOfRoles(ctx context.Context, roles []*v1alpha1.ClerkRole) []string {
	names := map[string]struct{}{}
	for _, role := range roles {
		for _, name := range r.grantsOfInstance(ctx, role.Spec.Instance) {
			names[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (r *Reconciler) grantsOfInstance(ctx context.Context, instance string) []string {
	return r.names(ctx, cached.ByInstance, instance)
}

func (r *Reconciler) grantsOf(ctx context.Context, member *v1alpha1.ClerkMember) []string {
	return r.names(ctx, cached.ByOrganization, cached.Scoped(member.Spec.Instance, member.Spec.OrganizationID))
}

// names are those of the ClusterGrants with a value of an index.
func (r *Reconciler) names(ctx context.Context, field, value string) []string {
	list, err := cached.Items[v1alpha1.ClusterGrantList](ctx, r.Client, field, value)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which ClusterGrants a change concerns")
		return nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}
