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

package watch

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// What is known of users, roles and permissions decides about the access of members. Whatever may take some away goes ahead of everything.

// Effect is what a change may do to access.
type Effect int

const (
	// NoEffect: nobody's access can change.
	NoEffect Effect = iota

	// MayGive: somebody may gain access, and nobody loses any.
	MayGive

	// MayTake: somebody may lose access.
	MayTake
)

// effectOfUser tells what a changed ClerkUser may do to access; before or after is nil where the object is new or gone. Most changes in
// Clerk, such as a sign-in, do nothing.
func effectOfUser(before, after *v1alpha1.ClerkUser) Effect {
	switch {
	case after == nil:
		return MayTake // what is known of the user is known no longer; to one whom only this object kept out, it gives
	case tenant.IsBarred(after) && (before == nil || !tenant.IsBarred(before)):
		return MayTake
	case tenant.IsBarred(after):
		return NoEffect
	case before == nil, tenant.IsBarred(before):
		return MayGive
	case !sameFacts(&before.Spec, &after.Spec):
		return MayTake // the name may change, and so be somebody else's; a condition may not be met any longer
	}
	return NoEffect
}

// sameFacts tells whether two states of a user say the same of all that an expression may read.
func sameFacts(a, b *v1alpha1.ClerkUserSpec) bool {
	return a.Username == b.Username && a.FirstName == b.FirstName && a.LastName == b.LastName && a.ExternalID == b.ExternalID &&
		equality.Semantic.DeepEqual(a.PrimaryEmail, b.PrimaryEmail) && equality.Semantic.DeepEqual(a.PublicMetadata, b.PublicMetadata) &&
		equality.Semantic.DeepEqual(a.TwoFactorEnabled, b.TwoFactorEnabled) &&
		equality.Semantic.DeepEqual(a.EnterpriseAccount, b.EnterpriseAccount) &&
		equality.Semantic.DeepEqual(a.Directory, b.Directory) && slices.Equal(a.DroppedFields, b.DroppedFields)
}

// effectOfRole is effectOfUser for a ClerkRole.
func effectOfRole(before, after *v1alpha1.ClerkRole) Effect {
	switch {
	case after == nil:
		return MayGive
	case before == nil:
		return MayTake // what memberships say of the role counts no longer
	case !sameHolders(&before.Spec, &after.Spec):
		return MayTake
	case equality.Semantic.DeepEqual(before.Spec.Permissions, after.Spec.Permissions):
		return NoEffect
	}
	has := map[string]bool{}
	for _, permission := range after.Spec.Permissions {
		has[permission.ID+" "+permission.Key] = true
	}
	for _, permission := range before.Spec.Permissions {
		if !has[permission.ID+" "+permission.Key] {
			return MayTake
		}
	}
	return MayGive
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
func effectOfPermission(before, after *v1alpha1.ClerkPermission) Effect {
	switch {
	case after == nil:
		return MayGive
	case before == nil, before.Spec.Key != after.Spec.Key, (before.Spec.DeletedAt == nil) != (after.Spec.DeletedAt == nil):
		return MayTake
	}
	return NoEffect
}

// effectOfSubscriptionItem is effectOfUser for a ClerkSubscriptionItem.
func effectOfSubscriptionItem(before, after *v1alpha1.ClerkSubscriptionItem) Effect {
	switch {
	case before == nil && after.Spec.OrganizationID == "":
		return NoEffect // nobody knows of which organization the item was
	case before == nil, after == nil, !sameOffer(&before.Spec, &after.Spec):
		return MayTake // another plan may give less
	}
	return NoEffect
}

// sameOffer tells whether two states of an item say the same of all that decides which plan counts, and of what an expression may read.
func sameOffer(a, b *v1alpha1.ClerkSubscriptionItemSpec) bool {
	return (a.DeletedAt == nil) == (b.DeletedAt == nil) && a.Status == b.Status && a.Plan == b.Plan && a.PlanID == b.PlanID &&
		a.OrganizationID == b.OrganizationID && a.PeriodStart.Equal(b.PeriodStart) && a.PeriodEnd.Equal(b.PeriodEnd) &&
		equality.Semantic.DeepEqual(a.Seats, b.Seats) && slices.Equal(a.DroppedFields, b.DroppedFields)
}

// OnSubscriptionItem causes a reconciliation of what concerns the organization that has a subscription item.
func OnSubscriptionItem(find func(ctx context.Context, item *v1alpha1.ClerkSubscriptionItem) []string) handler.EventHandler {
	return onKnowledge(effectOfSubscriptionItem,
		func(ctx context.Context, what Effect, queue Queue, items ...*v1alpha1.ClerkSubscriptionItem) {
			if what == NoEffect {
				return
			}
			for _, item := range items {
				Enqueue(queue, bulkPriorityOf(what), find(ctx, item)...)
			}
		})
}

// effectOfDomain is effectOfUser for a ClerkOrganizationDomain. One that counts for nothing does nothing.
func effectOfDomain(before, after *v1alpha1.ClerkOrganizationDomain) Effect {
	was, is := before != nil && tenant.IsOwn(&before.Spec), after != nil && tenant.IsOwn(&after.Spec)
	if !was && !is || was && is && sameDomain(&before.Spec, &after.Spec) {
		return NoEffect
	}
	return MayTake // an expression may ask for the absence of a domain as well
}

// sameDomain tells whether two states of a domain say the same of all that an expression may read.
func sameDomain(a, b *v1alpha1.ClerkOrganizationDomainSpec) bool {
	return a.OrganizationID == b.OrganizationID && a.Name == b.Name && a.EnrollmentMode == b.EnrollmentMode &&
		a.Affiliation.Status == b.Affiliation.Status && a.CreatedAt.Equal(b.CreatedAt)
}

// OnDomain causes a reconciliation of what concerns the organization that has a domain. A tombstone may not say whose the domain was: what
// was known before does.
func OnDomain(find func(ctx context.Context, instance, organizationID string) []string) handler.EventHandler {
	return onKnowledge(effectOfDomain,
		func(ctx context.Context, what Effect, queue Queue, domains ...*v1alpha1.ClerkOrganizationDomain) {
			if what == NoEffect {
				return
			}
			for _, domain := range domains {
				if domain.Spec.OrganizationID != "" {
					Enqueue(queue, bulkPriorityOf(what), find(ctx, domain.Spec.Instance, domain.Spec.OrganizationID)...)
				}
			}
		})
}

// OnUser hands on what a changed ClerkUser may do to access, with the object as it was, if it was, and as it is, if it is.
func OnUser(act func(ctx context.Context, what Effect, queue Queue, users ...*v1alpha1.ClerkUser)) handler.EventHandler {
	return onKnowledge(effectOfUser, act)
}

// concerned finds the names of the objects that a change of roles concerns.
type concerned func(ctx context.Context, roles []*v1alpha1.ClerkRole) []string

// OnRole causes a reconciliation of what concerns those who hold a role.
func OnRole(find concerned) handler.EventHandler {
	return onKnowledge(effectOfRole, func(ctx context.Context, what Effect, queue Queue, roles ...*v1alpha1.ClerkRole) {
		if what != NoEffect {
			Enqueue(queue, bulkPriorityOf(what), find(ctx, roles)...)
		}
	})
}

// OnPermission causes a reconciliation of what concerns those who hold a role that has the permission.
func OnPermission(reader client.Reader, find concerned) handler.EventHandler {
	return onKnowledge(effectOfPermission, func(ctx context.Context, what Effect, queue Queue, permissions ...*v1alpha1.ClerkPermission) {
		if what != NoEffect {
			Enqueue(queue, bulkPriorityOf(what), find(ctx, cached.RolesWith(ctx, reader, permissions[0]))...)
		}
	})
}

// bulkPriorityOf is the priority of a change that may concern many.
func bulkPriorityOf(what Effect) int {
	if what == MayTake {
		return RevocationPriority
	}
	return BulkPriority
}

// onKnowledge hands on what a changed object may do to access, with the object as it was, if it was, and as it is, if it is. Those found
// at a start are left out: everything is looked at then.
func onKnowledge[T any, P interface {
	*T
	client.Object
}](effectOf func(before, after P) Effect, act func(ctx context.Context, what Effect, queue Queue, objects ...P)) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue Queue) {
			if !e.IsInInitialList {
				after := e.Object.(P)
				act(ctx, effectOf(nil, after), queue, after)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue Queue) {
			before, after := e.ObjectOld.(P), e.ObjectNew.(P)
			if before.GetGeneration() != after.GetGeneration() {
				act(ctx, effectOf(before, after), queue, before, after)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue Queue) {
			before := e.Object.(P)
			act(ctx, effectOf(before, nil), queue, before)
		},
	}
}
