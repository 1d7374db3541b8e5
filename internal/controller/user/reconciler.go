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

// Package user says in each ClerkUser's status what holds for the user, and removes those that are not wanted any longer.
package user

import (
	"context"
	"fmt"
	"time"

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
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Reconciler says in each ClerkUser's status what holds for the user, and removes those that the ClerkInstance does not want kept. It
// changes no access: organizations look at users themselves.
type Reconciler struct {
	Client     client.Client
	Gate       *write.StatusGate
	Tombstones cached.Tombstones
	Now        func() time.Time
}

// Reconcile removes the user or writes the status.
func (r *Reconciler) Reconcile(ctx context.Context, user *v1alpha1.ClerkUser) (reconcile.Result, error) {
	facts, err := r.gather(ctx, user)
	if err != nil {
		return reconcile.Result{}, err
	}
	due := facts.removalDue(r.Tombstones.Retention, r.Now())
	if !due.IsZero() && !r.Now().Before(due) {
		return r.remove(ctx, user)
	}
	if err := r.writeStatus(ctx, user, facts.verdict()); err != nil {
		return reconcile.Result{}, err
	}
	if due.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(due.Sub(r.Now()), time.Second)}, nil
}

// facts are what it depends on whether a ClerkUser is kept.
type facts struct {
	user *v1alpha1.ClerkUser

	// mode is which users are wanted; isOrphan, that there is no ClerkInstance to say so.
	mode     v1alpha1.MirroredUsers
	isOrphan bool

	// horizon is what is written down of how long tombstones are kept.
	horizon v1alpha1.TombstoneHorizon

	// isMember: the user has a membership. wasMember: there is one, or the tombstone of one.
	isMember, wasMember bool
}

func (r *Reconciler) gather(ctx context.Context, user *v1alpha1.ClerkUser) (facts, error) {
	facts := facts{user: user, mode: v1alpha1.UsersMembers}
	var instance v1alpha1.ClerkInstance
	err := r.Client.Get(ctx, client.ObjectKey{Name: user.Spec.Instance}, &instance)
	if client.IgnoreNotFound(err) != nil {
		return facts, fmt.Errorf("read ClerkInstance %s: %w", user.Spec.Instance, err)
	}
	facts.isOrphan, facts.horizon = err != nil, instance.Status.Horizon
	if instance.Spec.Users != "" {
		facts.mode = instance.Spec.Users
	}
	members, err := cached.Items[v1alpha1.ClerkMemberList](ctx, r.Client, cached.ByUser, user.Spec.ID)
	if err != nil {
		return facts, err
	}
	for i := range members.Items {
		member := &members.Items[i]
		if member.Spec.Instance == user.Spec.Instance {
			facts.wasMember = true
			facts.isMember = facts.isMember || member.Spec.DeletedAt == nil
		}
	}
	return facts, nil
}

// removalDue is when the ClerkUser is to go; zero while it is to stay. One that keeps a member out always stays: without it, the word of
// the membership would count, which may not know of the ban.
func (f facts) removalDue(retention time.Duration, now time.Time) time.Time {
	user := f.user
	switch {
	case f.isMember && tenant.IsBarred(user):
		return time.Time{}
	case user.Spec.DeletedAt != nil:
		return f.collectionTime(user.Spec.DeletedAt.Time, retention, now)
	case f.isOrphan:
		return time.Time{}
	case f.mode == v1alpha1.UsersNone && !isImpersonal(user):
		return user.CreationTimestamp.Time
	case f.mode == v1alpha1.UsersAll, f.wasMember:
		return time.Time{}
	}
	// A membership that is created later than this is newer than what is known of the user, so that it tells of every ban itself.
	last := user.CreationTimestamp.Time
	if changed := tenant.UserChangedAt(user); changed.After(last) {
		last = changed
	}
	return f.collectionTime(last, retention, now)
}

func (f facts) collectionTime(from time.Time, retention time.Duration, now time.Time) time.Time {
	if f.isOrphan {
		return horizon.Orphaned(retention, from)
	}
	return horizon.CollectionTime(f.horizon, retention, from, now)
}

// isImpersonal tells whether nothing personal is known of a user: only whether Clerk lets them in. Where no users are wanted, such an
// object is there because the user was kept out. It stays as long as the user's membership does, or for the retention: a ban that is sent
// again would come back without it.
func isImpersonal(user *v1alpha1.ClerkUser) bool {
	spec := &user.Spec
	return spec.PrimaryEmail == (v1alpha1.ClerkUserEmail{}) && spec.Username == "" && spec.FirstName == "" && spec.LastName == "" &&
		spec.ImageURL == "" && spec.ExternalID == "" && spec.PublicMetadata == nil && spec.CreatedAt == nil &&
		spec.TwoFactorEnabled == nil && spec.EnterpriseAccount == nil && spec.Directory == nil
}

// verdict is what the status says.
func (f facts) verdict() condition.Verdict {
	spec := &f.user.Spec
	bar := tenant.BarOf(&v1alpha1.ClerkMember{}, f.user)
	switch {
	case spec.DeletedAt != nil:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonDeleted,
			Message: "the user was deleted in Clerk: every grant is removed; this object is kept for a while as a tombstone"}
	case bar != tenant.NotBarred:
		return bar.Verdict()
	case f.mode == v1alpha1.UsersMembers && !f.isMember:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonNoMembership,
			Message: "the user is no member of any organization; unless they join one, this object goes when the retention is over"}
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: "Clerk lets the user in; memberships say where"}
}

func (r *Reconciler) remove(ctx context.Context, user *v1alpha1.ClerkUser) (reconcile.Result, error) {
	// By its resourceVersion too: what Clerk says meanwhile may be a ban.
	err := write.DeleteUnchanged(ctx, r.Client, user)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("remove ClerkUser %s: %w", user.Name, err)
	}
	return reconcile.Result{}, nil
}

func (r *Reconciler) writeStatus(ctx context.Context, user *v1alpha1.ClerkUser, result condition.Verdict) error {
	conditions, changed := result.Without(user.Spec.DroppedFields).Changed(user.Status.Conditions)
	if !changed {
		return nil
	}
	r.Gate.Wait(ctx)
	status := clerkac.ClerkUserStatus()
	status.Conditions = condition.Configurations(conditions)
	return write.Status(ctx, r.Client, clerkac.ClerkUser(user.Name).WithUID(user.UID).WithStatus(status))
}

// Setup adds the controller to a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("user").
		WithOptions(watch.Options(watch.StatusWorkers)).
		Watches(&v1alpha1.ClerkUser{}, watch.OnObject(func(o *v1alpha1.ClerkUser) any { return o.Status })).
		Watches(&v1alpha1.ClerkMember{}, onMembership()).
		Watches(&v1alpha1.ClerkInstance{}, watch.OnChange(r.usersOfInstance)).
		Complete(reconcile.AsReconciler(write.OwnWrites{Client: manager.GetClient()}, r))
}

// onMembership causes a reconciliation of a user who joins, leaves, or of whose membership nothing is left.
func onMembership() handler.EventHandler {
	concerned := func(queue watch.Queue, objects ...client.Object) {
		for _, object := range objects {
			if spec := &object.(*v1alpha1.ClerkMember).Spec; spec.UserID != "" {
				watch.Enqueue(queue, watch.UsualPriority, v1alpha1.ObjectName(spec.Instance, spec.UserID))
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue watch.Queue) {
			if !e.IsInInitialList {
				concerned(queue, e.Object)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue watch.Queue) {
			before, after := e.ObjectOld.(*v1alpha1.ClerkMember), e.ObjectNew.(*v1alpha1.ClerkMember)
			if (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil) {
				concerned(queue, before, after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue watch.Queue) { concerned(queue, e.Object) },
	}
}

func (r *Reconciler) usersOfInstance(ctx context.Context, instance client.Object) []string {
	list, err := cached.Items[v1alpha1.ClerkUserList](ctx, r.Client, cached.ByInstance, instance.GetName())
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which users a change concerns")
		return nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}
