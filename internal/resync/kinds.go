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

package resync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
)

// kind is one kind of what is mirrored: how it is listed here and there, and what is done about one that is gone.
type kind struct {
	name string

	// mirrored are a ClerkInstance's objects of the kind.
	mirrored func(ctx context.Context, reader client.Reader, instance string) (inventory, error)

	// list lists it in Clerk.
	list func(ctx context.Context, r *run, before inventory, visit func(backend.Page) error) (backend.Listing, error)

	// exists is the second look at one.
	exists func(ctx context.Context, api *backend.Client, object mirrored) (bool, error)

	// gone is the news that one is gone.
	gone func(object mirrored) clerk.Data

	// needed tells whether anything needs the list, where nothing of the kind is mirrored; nil where everything does.
	needed func(ctx context.Context, reader client.Reader) (bool, error)

	// empty is an object of the kind.
	empty func() client.Object
}

// inventory are the objects of a kind by Clerk's id: those that stand for something that exists, and tombstones.
type inventory struct {
	living, tombstones map[string]mirrored
}

// kinds are all of them, in the order in which they are listed: what others refer to comes first.
var kinds = []*kind{
	{
		name:     v1alpha1.KindPermission,
		mirrored: mirroredIn(&v1alpha1.ClerkPermissionList{}),
		list: func(ctx context.Context, r *run, _ inventory, visit func(backend.Page) error) (backend.Listing, error) {
			return r.api.Permissions(ctx, visit)
		},
		exists: func(ctx context.Context, api *backend.Client, p mirrored) (bool, error) {
			return api.HasPermission(ctx, p.id)
		},
		gone:  func(p mirrored) clerk.Data { return &clerk.PermissionDeleted{ID: p.id} },
		empty: func() client.Object { return &v1alpha1.ClerkPermission{} },
	},
	{
		name:     v1alpha1.KindRole,
		mirrored: mirroredIn(&v1alpha1.ClerkRoleList{}),
		list: func(ctx context.Context, r *run, _ inventory, visit func(backend.Page) error) (backend.Listing, error) {
			return r.api.Roles(ctx, visit)
		},
		exists: func(ctx context.Context, api *backend.Client, r mirrored) (bool, error) {
			return api.HasRole(ctx, r.id)
		},
		gone:  func(r mirrored) clerk.Data { return &clerk.RoleDeleted{ID: r.id} },
		empty: func() client.Object { return &v1alpha1.ClerkRole{} },
	},
	{
		name:     v1alpha1.KindSubscriptionItem,
		mirrored: mirroredIn(&v1alpha1.ClerkSubscriptionItemList{}),
		list:     listSubscriptionItems,
		exists: func(ctx context.Context, api *backend.Client, i mirrored) (bool, error) {
			return api.HasSubscriptionItem(ctx, i.id, i.organizationID)
		},
		gone: func(i mirrored) clerk.Data {
			return &clerk.SubscriptionItemEnded{ID: i.id, OrganizationID: i.organizationID, UpdatedAt: i.changed}
		},
		empty: func() client.Object { return &v1alpha1.ClerkSubscriptionItem{} },
	},
	{
		name:     v1alpha1.KindOrganization,
		mirrored: mirroredIn(&v1alpha1.ClerkOrganizationList{}),
		list: func(ctx context.Context, r *run, _ inventory, visit func(backend.Page) error) (backend.Listing, error) {
			return r.api.Organizations(ctx, visit)
		},
		exists: func(ctx context.Context, api *backend.Client, o mirrored) (bool, error) {
			return api.HasOrganization(ctx, o.id)
		},
		gone:  func(o mirrored) clerk.Data { return &clerk.OrganizationDeleted{ID: o.id} },
		empty: func() client.Object { return &v1alpha1.ClerkOrganization{} },
	},
	{
		name:     v1alpha1.KindMember,
		mirrored: mirroredIn(&v1alpha1.ClerkMemberList{}),
		list: func(ctx context.Context, r *run, _ inventory, visit func(backend.Page) error) (backend.Listing, error) {
			return r.api.Memberships(ctx, visit)
		},
		exists: func(ctx context.Context, api *backend.Client, m mirrored) (bool, error) {
			return api.HasMembership(ctx, m.id, m.organizationID, m.userID)
		},
		gone: func(m mirrored) clerk.Data {
			return &clerk.MembershipDeleted{ID: m.id, OrganizationID: m.organizationID, UserID: m.userID}
		},
		empty: func() client.Object { return &v1alpha1.ClerkMember{} },
	},
	{
		name:     v1alpha1.KindDomain,
		mirrored: mirroredIn(&v1alpha1.ClerkOrganizationDomainList{}),
		list: func(ctx context.Context, r *run, _ inventory, visit func(backend.Page) error) (backend.Listing, error) {
			return r.api.Domains(ctx, visit)
		},
		exists: func(ctx context.Context, api *backend.Client, d mirrored) (bool, error) {
			return api.HasDomain(ctx, d.id, d.organizationID)
		},
		gone:   func(d mirrored) clerk.Data { return &clerk.OrganizationDomainDeleted{ID: d.id} },
		empty:  func() client.Object { return &v1alpha1.ClerkOrganizationDomain{} },
		needed: readsDomains,
	},
	{
		name:     v1alpha1.KindUser,
		mirrored: mirroredIn(&v1alpha1.ClerkUserList{}),
		list:     listUsers,
		exists: func(ctx context.Context, api *backend.Client, u mirrored) (bool, error) {
			return api.HasUser(ctx, u.id)
		},
		gone:  func(u mirrored) clerk.Data { return &clerk.UserDeleted{ID: u.id} },
		empty: func() client.Object { return &v1alpha1.ClerkUser{} },
	},
}

// organizationKindOf is the kind of organizations.
func organizationKindOf() *kind {
	return kinds[slices.IndexFunc(kinds, func(k *kind) bool { return k.name == v1alpha1.KindOrganization })]
}

// mirroredFrom is how something stands by its object.
func mirroredFrom(object v1alpha1.Mirrored) mirrored {
	entity := object.GetEntity()
	from := mirrored{
		name: object.GetName(), uid: object.GetUID(), id: entity.ID,
		changed: latest(entity.CreatedAt, entity.UpdatedAt), deleted: latest(entity.DeletedAt),
	}
	switch object := object.(type) {
	case *v1alpha1.ClerkMember:
		from.organizationID, from.userID = object.Spec.OrganizationID, object.Spec.UserID
	case *v1alpha1.ClerkSubscriptionItem:
		from.organizationID = object.Spec.OrganizationID
	case *v1alpha1.ClerkOrganizationDomain:
		from.organizationID, from.idle = object.Spec.OrganizationID, object.Spec.Ownership.Status != v1alpha1.DomainVerified
	}
	return from
}

// listUsers lists as many users as are to be mirrored: by their ids, where not everyone is. Those who are mirrored are among them, since it
// matters whether they still exist; and those who are deleted here, since it matters whether Clerk agrees.
func listUsers(ctx context.Context, r *run, before inventory, visit func(backend.Page) error) (backend.Listing, error) {
	if r.instance.Spec.Users == v1alpha1.UsersAll {
		return r.api.Users(ctx, visit)
	}
	wanted := map[string]struct{}{}
	for _, known := range []map[string]mirrored{before.living, before.tombstones} {
		for id := range known {
			wanted[id] = struct{}{}
		}
	}
	if r.instance.Spec.Users != v1alpha1.UsersNone {
		members, err := mirroredIn(&v1alpha1.ClerkMemberList{})(ctx, r.Client, r.instance.Name)
		if err != nil {
			return backend.Listing{}, err
		}
		for _, member := range members.living {
			wanted[member.userID] = struct{}{}
		}
	}
	return r.api.UsersByID(ctx, slices.Sorted(maps.Keys(wanted)), visit)
}

// mirroredIn makes a function that reads a kind from the cache.
func mirroredIn(empty client.ObjectList) func(context.Context, client.Reader, string) (inventory, error) {
	return func(ctx context.Context, reader client.Reader, instance string) (inventory, error) {
		list := empty.DeepCopyObject().(client.ObjectList)
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return inventory{}, fmt.Errorf("list %T: %w", list, err)
		}
		result := inventory{living: map[string]mirrored{}, tombstones: map[string]mirrored{}}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(v1alpha1.Mirrored)
			if object.GetEntity().Instance != instance {
				return nil
			}
			from := mirroredFrom(object)
			if from.deleted.IsZero() {
				result.living[from.id] = from
			} else {
				result.tombstones[from.id] = from
			}
			return nil
		})
		return result, err
	}
}

func latest(times ...*metav1.MicroTime) time.Time {
	var last time.Time
	for _, t := range times {
		if t != nil && t.After(last) {
			last = t.Time
		}
	}
	return last
}
