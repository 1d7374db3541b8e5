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
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// settlingTime is how long a new member may be on the way to its first RoleBinding before its status says that it waits. It spares
// the API server a write for each member that gets access at once.
const settlingTime = 3 * time.Second

// memberReconciler says in each ClerkMember's status where its user has access, and collects tombstones. It changes no access.
type memberReconciler struct {
	client      client.Client
	expressions *expressions
	way         *rightOfWay
	retention   time.Duration
	now         func() time.Time

	// missingUser is told of each user who is a member and not mirrored, time and again; nil where nobody can do anything about it.
	missingUser func(instance, userID string)
}

// Reconcile reads the status off the RoleBindings that exist.
func (r *memberReconciler) Reconcile(ctx context.Context, member *v1alpha1.ClerkMember) (reconcile.Result, error) {
	facts, err := r.gather(ctx, member)
	if err != nil {
		return reconcile.Result{}, err
	}
	if due := r.collectionDue(member); !due.IsZero() && !r.now().Before(due) && len(facts.bindings) == 0 {
		return reconcile.Result{}, r.collect(ctx, member)
	}
	status := facts.status()
	if wait := r.settling(member, status); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if !equality.Semantic.DeepEqual(member.Status, status) && r.way.give(ctx, statusPatience) {
		// While it waited, the RoleBindings may have changed.
		if facts, err = r.gather(ctx, member); err != nil {
			return reconcile.Result{}, err
		}
		status = facts.status()
	}
	if err := r.writeStatus(ctx, member, status); err != nil {
		return reconcile.Result{}, err
	}
	if due := r.collectionDue(member); !due.IsZero() {
		return reconcile.Result{RequeueAfter: max(due.Sub(r.now()), time.Second)}, nil
	}
	return reconcile.Result{}, nil
}

// collectionDue is when a tombstone may go; zero for a member who is one.
func (r *memberReconciler) collectionDue(member *v1alpha1.ClerkMember) time.Time {
	if member.Spec.DeletedAt == nil {
		return time.Time{}
	}
	return tenant.CollectionTime(member.Spec.DeletedAt.Time, r.retention)
}

func (r *memberReconciler) collect(ctx context.Context, member *v1alpha1.ClerkMember) error {
	err := r.client.Delete(ctx, &v1alpha1.ClerkMember{ObjectMeta: nameOf(member)},
		client.Preconditions{UID: &member.UID}, client.DisableReadYourWritesConsistency)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("collect ClerkMember %s: %w", member.Name, err)
	}
	return nil
}

// settling is how much longer to wait before the first status of a member that is on its way to access.
func (r *memberReconciler) settling(member *v1alpha1.ClerkMember, status v1alpha1.ClerkMemberStatus) time.Duration {
	_, reason := condition.IsReady(status.Conditions)
	if len(member.Status.Conditions) > 0 || reason != v1alpha1.ReasonProgressing {
		return 0
	}
	return settlingTime - r.now().Sub(member.CreationTimestamp.Time)
}

// memberFacts are what a member's status is made from.
type memberFacts struct {
	member       *v1alpha1.ClerkMember
	standing     tenant.Standing
	organization *v1alpha1.ClerkOrganization // nil if not mirrored
	rules        []v1alpha1.TenantRoleBinding
	subject      string
	subjectError error
	instance     *tenant.Problem
	bindings     []v1alpha1.MemberBinding
}

func (r *memberReconciler) gather(ctx context.Context, member *v1alpha1.ClerkMember) (*memberFacts, error) {
	facts := &memberFacts{member: member}
	instance, err := r.expressions.instance(ctx, r.client, member.Spec.Instance)
	if err != nil {
		return nil, err
	}
	if facts.standing, err = newRegistry(r.client).standingOf(ctx, member); err != nil {
		return nil, err
	}
	facts.instance = instance.Problem()
	facts.subject, facts.subjectError = instance.Subject(member, facts.standing.User)
	if facts.standing.User == nil && member.Spec.DeletedAt == nil && r.missingUser != nil {
		r.missingUser(member.Spec.Instance, member.Spec.UserID)
	}
	if member.Spec.OrganizationID == "" {
		return facts, nil
	}
	if err := r.readOrganization(ctx, facts); err != nil {
		return nil, err
	}
	shared, err := r.isSucceeded(ctx, member)
	if err != nil || shared {
		return facts, err
	}
	bindings, err := items[rbacv1.RoleBindingList](ctx, r.client, byOrganization, member.Spec.OrganizationID)
	if err != nil {
		return nil, err
	}
	// A user who has no name any more may still be bound by the last one.
	facts.bindings = bindingsOf(cmp.Or(facts.subject, member.Status.Subject), ofInstance(member.Spec.Instance, bindings.Items))
	return facts, nil
}

// readOrganization reads the member's organization and the rules of its class.
func (r *memberReconciler) readOrganization(ctx context.Context, facts *memberFacts) error {
	var organization v1alpha1.ClerkOrganization
	spec := &facts.member.Spec
	err := r.client.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(spec.Instance, spec.OrganizationID)}, &organization)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the organization of ClerkMember %s: %w", facts.member.Name, err)
	}
	if organization.Spec.Instance != facts.member.Spec.Instance {
		return nil
	}
	facts.organization = &organization
	if organization.Status.ClassName == "" {
		return nil
	}
	var class v1alpha1.TenantClass
	err = r.client.Get(ctx, client.ObjectKey{Name: organization.Status.ClassName}, &class)
	if err == nil {
		facts.rules = tenant.Rules(&class)
	}
	return client.IgnoreNotFound(err)
}

// isSucceeded tells whether the user of a deleted membership is back with another one: the RoleBindings are then that one's.
func (r *memberReconciler) isSucceeded(ctx context.Context, member *v1alpha1.ClerkMember) (bool, error) {
	if member.Spec.DeletedAt == nil {
		return false, nil
	}
	members, err := items[v1alpha1.ClerkMemberList](ctx, r.client, byOrganization, scoped(member.Spec.Instance, member.Spec.OrganizationID))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(members.Items, func(other v1alpha1.ClerkMember) bool {
		return other.Spec.DeletedAt == nil && other.Spec.UserID == member.Spec.UserID
	}), nil
}

// ofInstance are the RoleBindings of organizations that a ClerkInstance speaks of.
func ofInstance(instance string, all []rbacv1.RoleBinding) []rbacv1.RoleBinding {
	return slices.DeleteFunc(slices.Clone(all), func(binding rbacv1.RoleBinding) bool {
		return binding.Labels[v1alpha1.InstanceLabel] != instance
	})
}

// bindingsOf are the RoleBindings that name a subject, in the order of their names.
func bindingsOf(subject string, all []rbacv1.RoleBinding) []v1alpha1.MemberBinding {
	if subject == "" {
		return nil
	}
	var bindings []v1alpha1.MemberBinding
	for i := range all {
		binding := &all[i]
		names := func(s rbacv1.Subject) bool { return s.Kind == rbacv1.UserKind && s.Name == subject }
		if slices.ContainsFunc(binding.Subjects, names) {
			bindings = append(bindings, v1alpha1.MemberBinding{
				Namespace: binding.Namespace, Name: binding.Name, ClusterRole: binding.RoleRef.Name,
			})
		}
	}
	slices.SortFunc(bindings, func(a, b v1alpha1.MemberBinding) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return bindings
}

func (r *memberReconciler) writeStatus(ctx context.Context, member *v1alpha1.ClerkMember, status v1alpha1.ClerkMemberStatus) error {
	if equality.Semantic.DeepEqual(member.Status, status) {
		return nil
	}
	configuration := clerkac.ClerkMemberStatus().WithObservedGeneration(status.ObservedGeneration)
	configuration.Conditions = condition.Configurations(status.Conditions)
	if status.Subject != "" {
		configuration.WithSubject(status.Subject)
	}
	for i := range status.Bindings {
		binding := &status.Bindings[i]
		configuration.WithBindings(clerkac.MemberBinding().
			WithNamespace(binding.Namespace).WithName(binding.Name).WithClusterRole(binding.ClusterRole))
	}
	err := r.client.Status().Apply(ctx, clerkac.ClerkMember(member.Name).WithUID(member.UID).WithStatus(configuration),
		fieldOwner, client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of ClerkMember %s: %w", member.Name, err)
	}
	return nil
}

func (r *memberReconciler) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("member").
		WithOptions(options(statusWorkers)).
		Watches(&v1alpha1.ClerkMember{}, onSpec()).
		Watches(&v1alpha1.ClerkOrganization{}, r.onOrganizationStatus()).
		Watches(&v1alpha1.ClerkInstance{}, onChange(r.membersOfInstance)).
		Watches(&v1alpha1.ClerkUser{}, r.onUser()).
		Watches(&v1alpha1.ClerkRole{}, onRole(r.membersOfRoles)).
		Watches(&v1alpha1.ClerkPermission{}, onPermission(r.client, r.membersOfRoles)).
		Watches(&rbacv1.RoleBinding{}, r.onRoleBinding()).
		Complete(reconcile.AsReconciler(ownWrites{manager.GetClient()}, r))
}

// onSpec causes a reconciliation of an object itself when it is new or its spec changed.
func onSpec() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workQueue) {
			enqueue(queue, creationPriority(e), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workQueue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				enqueue(queue, usualPriority, e.ObjectNew.GetName())
			}
		},
	}
}

// onOrganizationStatus causes a reconciliation of all members when their organization comes or goes, or something keeps it from
// being ready or no longer does.
func (r *memberReconciler) onOrganizationStatus() handler.EventHandler {
	concerned := func(ctx context.Context, object client.Object, queue workQueue) {
		organization := object.(*v1alpha1.ClerkOrganization)
		everyone := func(*v1alpha1.ClerkMember) bool { return true }
		enqueue(queue, bulkPriority, r.members(ctx, scoped(organization.Spec.Instance, organization.Spec.ID), everyone)...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workQueue) {
			if !e.IsInInitialList {
				concerned(ctx, e.Object, queue)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workQueue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkOrganization), e.ObjectNew.(*v1alpha1.ClerkOrganization)
			_, oldReason := condition.IsReady(before.Status.Conditions)
			_, newReason := condition.IsReady(after.Status.Conditions)
			deleted := (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil)
			if deleted || oldReason != newReason || before.Status.ClassName != after.Status.ClassName {
				concerned(ctx, after, queue)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workQueue) {
			concerned(ctx, e.Object, queue)
		},
	}
}

// onRoleBinding causes a reconciliation of the members whose users a RoleBinding began or ceased to name.
func (r *memberReconciler) onRoleBinding() handler.EventHandler {
	concerned := func(ctx context.Context, queue workQueue, before, after client.Object) {
		changed := subjectsOf(before)
		organization := ""
		for _, object := range []client.Object{before, after} {
			if object != nil {
				organization = scoped(object.GetLabels()[v1alpha1.InstanceLabel], object.GetLabels()[v1alpha1.OrganizationIDLabel])
			}
		}
		for subject := range subjectsOf(after) {
			if _, stays := changed[subject]; stays {
				delete(changed, subject)
				continue
			}
			changed[subject] = struct{}{}
		}
		enqueue(queue, usualPriority, r.membersNamed(ctx, organization, changed)...)
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workQueue) {
			if !e.IsInInitialList {
				concerned(ctx, queue, nil, e.Object)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workQueue) {
			concerned(ctx, queue, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workQueue) { concerned(ctx, queue, e.Object, nil) },
	}
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

// membersNamed are the members of an organization, by the value of its index, by the names of their users in RBAC.
func (r *memberReconciler) membersNamed(ctx context.Context, organization string, subjects map[string]struct{}) []string {
	if len(subjects) == 0 {
		return nil
	}
	instances, registry := map[string]tenant.Instance{}, newRegistry(r.client)
	return r.members(ctx, organization, func(member *v1alpha1.ClerkMember) bool {
		if _, named := subjects[member.Status.Subject]; named {
			return true
		}
		instance, read := instances[member.Spec.Instance]
		if !read {
			var err error
			if instance, err = r.expressions.instance(ctx, r.client, member.Spec.Instance); err != nil {
				return true
			}
			instances[member.Spec.Instance] = instance
		}
		user, err := registry.userOf(ctx, member)
		if err != nil {
			return true
		}
		subject, err := instance.Subject(member, user)
		_, named := subjects[subject]
		return named && err == nil
	})
}

func (r *memberReconciler) members(ctx context.Context, organization string, concerned func(*v1alpha1.ClerkMember) bool) []string {
	list, err := items[v1alpha1.ClerkMemberList](ctx, r.client, byOrganization, organization)
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

func (r *memberReconciler) membersOfInstance(ctx context.Context, instance client.Object) []string {
	var list v1alpha1.ClerkMemberList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
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
