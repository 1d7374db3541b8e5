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

package member

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Setup adds the controller to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("member").
		WithOptions(watch.Options(watch.StatusWorkers)).
		Watches(&v1alpha1.ClerkMember{}, onMember()).
		Watches(&v1alpha1.ClerkOrganization{}, r.onOrganizationStatus()).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnChange(r.membersOfInstance)).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnPlans(watch.BulkPriority, r.membersByPlan)).
		Watches(&v1alpha1.TenantClass{}, r.onClass()).
		Watches(&v1alpha1.ClerkUser{}, r.onUser()).
		Watches(&v1alpha1.ClerkRole{}, watch.OnRole(r.membersOfRoles)).
		Watches(&v1alpha1.ClerkPermission{}, watch.OnPermission(r.Client, r.membersOfRoles)).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, watch.OnSubscriptionItem(r.membersOfItem)).
		Watches(&v1alpha1.ClerkOrganizationDomain{}, watch.OnDomain(r.membersByConditions)).
		Watches(&rbacv1.RoleBinding{}, r.onRoleBinding()).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}

// onMember causes a reconciliation of a member that is new or changed. A status that changed may have been written by somebody's hand, or
// by a replica that was elected before, froze, and has gone on since; if it is the reconciler's own, nothing comes of it.
func onMember() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			watch.Enqueue(queue, watch.CreationPriority(e), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkMember), e.ObjectNew.(*v1alpha1.ClerkMember)
			switch {
			case before.Generation != after.Generation:
				watch.Enqueue(queue, watch.UsualPriority, after.Name)
			case !equality.Semantic.DeepEqual(before.Status, after.Status):
				watch.Enqueue(queue, watch.BulkPriority, after.Name)
			}
		},
	}
}

// onOrganizationStatus causes a reconciliation of all members when their organization comes or goes, is called otherwise, or something
// keeps it from being ready or no longer does.
func (r *Reconciler) onOrganizationStatus() handler.EventHandler {
	concerned := func(ctx context.Context, object client.Object, queue watch.Queue) {
		organization := object.(*v1alpha1.ClerkOrganization)
		everyone := func(*v1alpha1.ClerkMember) bool { return true }
		watch.Enqueue(queue, watch.BulkPriority, r.members(ctx, cached.Scoped(organization.Spec.Instance, organization.Spec.ID), everyone)...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			if !e.IsInInitialList {
				concerned(ctx, e.Object, queue)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkOrganization), e.ObjectNew.(*v1alpha1.ClerkOrganization)
			_, oldReason := condition.IsReady(before.Status.Conditions)
			_, newReason := condition.IsReady(after.Status.Conditions)
			deleted := (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil)
			renamed := before.Generation != after.Generation && tenant.Handle(before) != tenant.Handle(after)
			isRecounted := !equality.Semantic.DeepEqual(before.Status.Members, after.Status.Members)
			mayDecide := before.Generation != after.Generation && r.isServedBy(ctx, after, isConditional) ||
				isRecounted && r.isServedBy(ctx, after, tenant.CountsMembers)
			if deleted || renamed || mayDecide || oldReason != newReason || before.Status.ClassName != after.Status.ClassName {
				concerned(ctx, after, queue)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			concerned(ctx, e.Object, queue)
		},
	}
}

// isServedBy tells whether the class that serves an organization has a rule of some kind.
func (r *Reconciler) isServedBy(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, isSuch func(v1alpha1.TenantRoleBinding) bool,
) bool {
	var class v1alpha1.TenantClass
	name := client.ObjectKey{Name: organization.Status.ClassName}
	return name.Name != "" && r.Client.Get(ctx, name, &class, client.DisableReadYourWritesConsistency) == nil && tenant.HasRule(&class, isSuch)
}

// isConditional tells whether a rule gives something that depends on more than a role.
func isConditional(rule v1alpha1.TenantRoleBinding) bool { return rule.When != "" || rule.Until != "" }

// onClass causes a reconciliation of the members of the organizations that a class serves, where what it gives depends on more than roles,
// or did: their statuses say what that comes to, also where no RoleBinding changes.
func (r *Reconciler) onClass() handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
		before, after := e.ObjectOld.(*v1alpha1.TenantClass), e.ObjectNew.(*v1alpha1.TenantClass)
		if before.Generation != after.Generation && (tenant.HasRule(before, tenant.MayNeedPlan) || tenant.HasRule(after, tenant.MayNeedPlan)) {
			watch.Enqueue(queue, watch.BulkPriority, r.membersOfClass(ctx, after.Name)...)
		}
	}}
}

func (r *Reconciler) membersOfClass(ctx context.Context, class string) []string {
	organizations, err := cached.Items[v1alpha1.ClerkOrganizationList](ctx, r.Client, cached.ByClass, class)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	var names []string
	for i := range organizations.Items {
		spec := &organizations.Items[i].Spec
		everyone := func(*v1alpha1.ClerkMember) bool { return true }
		names = append(names, r.members(ctx, cached.Scoped(spec.Instance, spec.ID), everyone)...)
	}
	return names
}

// membersByConditions are the members of an organization, where the class that serves it has conditions: their statuses say what these come
// to, also where no RoleBinding changes.
func (r *Reconciler) membersByConditions(ctx context.Context, instance, organizationID string) []string {
	var organization v1alpha1.ClerkOrganization
	name := v1alpha1.ObjectName(instance, organizationID)
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &organization, client.DisableReadYourWritesConsistency)
	if err != nil || !r.isServedBy(ctx, &organization, isConditional) {
		return nil
	}
	everyone := func(*v1alpha1.ClerkMember) bool { return true }
	return r.members(ctx, cached.Scoped(instance, organizationID), everyone)
}

// onRoleBinding causes a reconciliation of the members whose users a RoleBinding began or ceased to name, or names as those of another
// organization: its labels say of which, and somebody may have changed them.
func (r *Reconciler) onRoleBinding() handler.EventHandler {
	concerned := func(ctx context.Context, queue watch.Queue, before, after client.Object) {
		was, is := organizationOf(before), organizationOf(after)
		ceased, began := subjectsOf(before), subjectsOf(after)
		if was == is {
			for subject := range began {
				if _, stays := ceased[subject]; stays {
					delete(ceased, subject)
					delete(began, subject)
				}
			}
		}
		watch.Enqueue(queue, watch.UsualPriority, r.membersNamed(ctx, was, ceased)...)
		watch.Enqueue(queue, watch.UsualPriority, r.membersNamed(ctx, is, began)...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue watch.Queue) {
			if !e.IsInInitialList {
				concerned(ctx, queue, nil, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue watch.Queue) {
			concerned(ctx, queue, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue watch.Queue) {
			concerned(ctx, queue, e.Object, nil)
		},
	}
}

// organizationOf is the value of the index of members for the organization that a RoleBinding is marked with.
func organizationOf(object client.Object) string {
	if object == nil {
		return ""
	}
	return cached.Scoped(object.GetLabels()[v1alpha1.InstanceLabel], object.GetLabels()[v1alpha1.OrganizationIDLabel])
}

func subjectsOf(object client.Object) map[string]struct{} {
	subjects := map[string]struct{}{}
	if binding, ok := object.(*rbacv1.RoleBinding); ok {
		for _, subject := range binding.Subjects {
			subjects[subject.Name] = struct{}{}
		}
	}
	return subjects
}

// membersNamed are the members of an organization, by the value of its index, by the names of their users in RBAC. A member's status says
// the name; where that is another one by now, the status is written anew, and read off the RoleBindings then. So only those have theirs
// evaluated that have none in their status yet. An index by name would need some 30 MB for 100,000 members.
func (r *Reconciler) membersNamed(ctx context.Context, organization string, subjects map[string]struct{}) []string {
	if len(subjects) == 0 {
		return nil
	}
	instances, registry := map[string]tenant.Instance{}, cached.NewRegistry(r.Client)
	return r.members(ctx, organization, func(member *v1alpha1.ClerkMember) bool {
		if known := member.Status.Subject; known != "" {
			_, named := subjects[known]
			return named
		}
		instance, read := instances[member.Spec.Instance]
		if !read {
			var err error
			if instance, err = r.Expressions.Instance(ctx, r.Client, member.Spec.Instance); err != nil {
				return true
			}
			instances[member.Spec.Instance] = instance
		}
		user, err := registry.UserOf(ctx, member)
		if err != nil {
			return true
		}
		subject, err := instance.Subject(member, user)
		_, named := subjects[subject]
		return named && err == nil
	})
}

func (r *Reconciler) members(ctx context.Context, organization string, concerned func(*v1alpha1.ClerkMember) bool) []string {
	list, err := cached.Items[v1alpha1.ClerkMemberList](ctx, r.Client, cached.ByOrganization, organization)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	var names []string
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func (r *Reconciler) membersOfInstance(ctx context.Context, instance client.Object) []string {
	var list v1alpha1.ClerkMemberList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	var names []string
	for i := range list.Items {
		if list.Items[i].Spec.Instance == instance.GetName() {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

// onUser causes a reconciliation of every membership of a user.
func (r *Reconciler) onUser() handler.EventHandler {
	return watch.OnUser(func(ctx context.Context, what watch.Effect, queue watch.Queue, users ...*v1alpha1.ClerkUser) {
		user := users[len(users)-1]
		for _, member := range cached.MembersOfUser(ctx, r.Client, user) {
			if what != watch.NoEffect || tenant.IsBarred(user) || tenant.BarOf(member, nil) != tenant.NotBarred {
				watch.Enqueue(queue, watch.UsualPriority, member.Name)
			}
		}
	})
}

func (r *Reconciler) membersOfRoles(ctx context.Context, roles []*v1alpha1.ClerkRole) []string {
	var names []string
	for _, member := range cached.MembersOfRoles(ctx, r.Client, roles) {
		names = append(names, member.Name)
	}
	return names
}
