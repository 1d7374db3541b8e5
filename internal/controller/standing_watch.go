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
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// What is known of users, roles and permissions decides about the access of members. Whatever may take some away goes ahead of everything.

// effect is what a change may do to access.
type effect int

const (
	noEffect effect = iota
	mayGive
	mayTake
)

// effectOfUser tells what a changed ClerkUser may do to access; before or after is nil where the object is new or gone. Most changes in
// Clerk, such as a sign-in, do nothing.
func effectOfUser(before, after *v1alpha1.ClerkUser) effect {
	switch {
	case after == nil:
		return mayGive // to one whom only this object kept out
	case isBarred(after) && (before == nil || !isBarred(before)):
		return mayTake
	case isBarred(after):
		return noEffect
	case before == nil, isBarred(before):
		return mayGive
	case !sameNames(&before.Spec, &after.Spec):
		return mayTake // the name may change, and so be somebody else's
	}
	return noEffect
}

func isBarred(user *v1alpha1.ClerkUser) bool {
	return tenant.BarOf(&v1alpha1.ClerkMember{}, user) != tenant.NotBarred
}

// sameNames tells whether two states of a user say the same of all that a name in RBAC may be made of.
func sameNames(a, b *v1alpha1.ClerkUserSpec) bool {
	return a.Username == b.Username && a.FirstName == b.FirstName && a.LastName == b.LastName && a.ExternalID == b.ExternalID &&
		equality.Semantic.DeepEqual(a.PrimaryEmail, b.PrimaryEmail) && equality.Semantic.DeepEqual(a.PublicMetadata, b.PublicMetadata)
}

// effectOfRole is effectOfUser for a ClerkRole.
func effectOfRole(before, after *v1alpha1.ClerkRole) effect {
	switch {
	case after == nil:
		return mayGive
	case before == nil:
		return mayTake // what memberships say of the role counts no longer
	case !sameHolders(&before.Spec, &after.Spec):
		return mayTake
	case equality.Semantic.DeepEqual(before.Spec.Permissions, after.Spec.Permissions):
		return noEffect
	}
	has := map[string]bool{}
	for _, permission := range after.Spec.Permissions {
		has[permission.ID+" "+permission.Key] = true
	}
	for _, permission := range before.Spec.Permissions {
		if !has[permission.ID+" "+permission.Key] {
			return mayTake
		}
	}
	return mayGive
}

// sameHolders tells whether two states of a role are held by the same members.
func sameHolders(a, b *v1alpha1.ClerkRoleSpec) bool {
	return a.Key == b.Key && (a.KeysDropped == nil) == (b.KeysDropped == nil) && equality.Semantic.DeepEqual(a.DeletedAt, b.DeletedAt) &&
		equality.Semantic.DeepEqual(a.CreatedAt, b.CreatedAt) && slices.EqualFunc(a.Keys, b.Keys, func(x, y v1alpha1.RoleKey) bool {
		// That a role still has the key that it had changes nothing.
		return x.Key == y.Key && x.FirstSeen.Equal(y.FirstSeen) && (x.Key == a.Key || x.LastSeen.Equal(y.LastSeen))
	})
}

// effectOfPermission is effectOfUser for a ClerkPermission.
func effectOfPermission(before, after *v1alpha1.ClerkPermission) effect {
	switch {
	case after == nil:
		return mayGive
	case before == nil, before.Spec.Key != after.Spec.Key, (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil):
		return mayTake
	}
	return noEffect
}

// onUser causes a reconciliation of every organization that a user is a member of.
func (r *organizationReconciler) onUser(elected <-chan struct{}) handler.EventHandler {
	return onKnowledge(effectOfUser, func(ctx context.Context, what effect, queue workQueue, users ...*v1alpha1.ClerkUser) {
		user := users[len(users)-1]
		priority := usualPriority
		if what == mayTake {
			priority = revocationPriority
		}
		names := map[string]struct{}{}
		for _, member := range membersOfUser(ctx, r.client, user) {
			if what == noEffect && tenant.BarOf(member, nil) == tenant.NotBarred {
				continue // where the membership keeps the user out, the user's word may be newer now
			}
			if isClosed(elected) && what != noEffect {
				r.stopwatch.start(member.Name, userChangedAt(user))
			}
			names[v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID)] = struct{}{}
		}
		enqueue(queue, priority, slices.Sorted(maps.Keys(names))...)
	})
}

// userChangedAt is when a user last changed, by Clerk's clock.
func userChangedAt(user *v1alpha1.ClerkUser) time.Time {
	switch {
	case user.Spec.DeletedAt != nil:
		return user.Spec.DeletedAt.Time
	case user.Spec.UpdatedAt != nil:
		return user.Spec.UpdatedAt.Time
	}
	return user.CreationTimestamp.Time
}

// onUser causes a reconciliation of every membership of a user.
func (r *memberReconciler) onUser() handler.EventHandler {
	return onKnowledge(effectOfUser, func(ctx context.Context, what effect, queue workQueue, users ...*v1alpha1.ClerkUser) {
		user := users[len(users)-1]
		for _, member := range membersOfUser(ctx, r.client, user) {
			if what != noEffect || isBarred(user) || tenant.BarOf(member, nil) != tenant.NotBarred {
				enqueue(queue, usualPriority, member.Name)
			}
		}
	})
}

// membersOfUser are the memberships of a user that are not deleted.
func membersOfUser(ctx context.Context, reader client.Reader, user *v1alpha1.ClerkUser) []*v1alpha1.ClerkMember {
	list, err := items[v1alpha1.ClerkMemberList](ctx, reader, byUser, user.Spec.ID)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	return slices.DeleteFunc(pointers(list.Items), func(member *v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt != nil || member.Spec.Instance != user.Spec.Instance || member.Spec.OrganizationID == ""
	})
}

// membersOfRoles are the memberships, not deleted, that carry a key that one of some roles has or formerly had, or may have had.
func membersOfRoles(ctx context.Context, reader client.Reader, roles []*v1alpha1.ClerkRole) []*v1alpha1.ClerkMember {
	keys := map[string]struct{}{}
	for _, role := range roles {
		if role.Spec.KeysDropped != nil {
			return membersOfInstance(ctx, reader, role.Spec.Instance)
		}
		for _, key := range keysOf(&role.Spec) {
			keys[scoped(role.Spec.Instance, key)] = struct{}{}
		}
	}
	var members []*v1alpha1.ClerkMember
	for key := range keys {
		list, err := items[v1alpha1.ClerkMemberList](ctx, reader, byKey, key)
		if err != nil {
			log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
			continue
		}
		members = append(members, pointers(list.Items)...)
	}
	return slices.DeleteFunc(members, func(member *v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt != nil || member.Spec.OrganizationID == ""
	})
}

// membersOfInstance are the memberships, not deleted, of a ClerkInstance. That is needed so rarely that there is no index for it.
func membersOfInstance(ctx context.Context, reader client.Reader, instance string) []*v1alpha1.ClerkMember {
	var list v1alpha1.ClerkMemberList
	if err := reader.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	return slices.DeleteFunc(pointers(list.Items), func(member *v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt != nil || member.Spec.OrganizationID == "" || member.Spec.Instance != instance
	})
}

// rolesWith are the roles that have a permission.
func rolesWith(ctx context.Context, reader client.Reader, permission *v1alpha1.ClerkPermission) []*v1alpha1.ClerkRole {
	list, err := items[v1alpha1.ClerkRoleList](ctx, reader, byPermission, scoped(permission.Spec.Instance, permission.Spec.ID))
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which roles a change concerns")
		return nil
	}
	return pointers(list.Items)
}

// concerned finds the names of the objects that a change of roles concerns.
type concerned func(ctx context.Context, roles []*v1alpha1.ClerkRole) []string

func (r *organizationReconciler) organizationsOfRoles(ctx context.Context, roles []*v1alpha1.ClerkRole) []string {
	names := map[string]struct{}{}
	for _, member := range membersOfRoles(ctx, r.client, roles) {
		names[v1alpha1.ObjectName(member.Spec.Instance, member.Spec.OrganizationID)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}

func (r *memberReconciler) membersOfRoles(ctx context.Context, roles []*v1alpha1.ClerkRole) []string {
	var names []string
	for _, member := range membersOfRoles(ctx, r.client, roles) {
		names = append(names, member.Name)
	}
	return names
}

// onRole causes a reconciliation of what concerns those who hold a role.
func onRole(find concerned) handler.EventHandler {
	return onKnowledge(effectOfRole, func(ctx context.Context, what effect, queue workQueue, roles ...*v1alpha1.ClerkRole) {
		if what != noEffect {
			enqueue(queue, bulkPriorityOf(what), find(ctx, roles)...)
		}
	})
}

// onPermission causes a reconciliation of what concerns those who hold a role that has the permission.
func onPermission(reader client.Reader, find concerned) handler.EventHandler {
	return onKnowledge(effectOfPermission, func(ctx context.Context, what effect, queue workQueue, permissions ...*v1alpha1.ClerkPermission) {
		if what != noEffect {
			enqueue(queue, bulkPriorityOf(what), find(ctx, rolesWith(ctx, reader, permissions[0]))...)
		}
	})
}

// bulkPriorityOf is the priority of a change that may concern many.
func bulkPriorityOf(what effect) int {
	if what == mayTake {
		return revocationPriority
	}
	return bulkPriority
}

// onKnowledge hands on what a changed object may do to access, with the object as it was, if it was, and as it is, if it is. Those found
// at a start are left out: everything is looked at then.
func onKnowledge[T any, P interface {
	*T
	client.Object
}](effectOf func(before, after P) effect, act func(ctx context.Context, what effect, queue workQueue, objects ...P)) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workQueue) {
			if !e.IsInInitialList {
				after := e.Object.(P)
				act(ctx, effectOf(nil, after), queue, after)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workQueue) {
			before, after := e.ObjectOld.(P), e.ObjectNew.(P)
			if before.GetGeneration() != after.GetGeneration() {
				act(ctx, effectOf(before, after), queue, before, after)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workQueue) {
			before := e.Object.(P)
			act(ctx, effectOf(before, nil), queue, before)
		},
	}
}
