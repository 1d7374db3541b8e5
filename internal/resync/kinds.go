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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
)

// Names of the kinds, as in the status and in metrics.
const (
	permissionKind   = "ClerkPermission"
	roleKind         = "ClerkRole"
	organizationKind = "ClerkOrganization"
	memberKind       = "ClerkMember"
	userKind         = "ClerkUser"
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
		name: permissionKind,
		mirrored: mirroredOf(func(p *v1alpha1.ClerkPermission) (string, mirrored) {
			return p.Spec.Instance, standing(p.Spec.ID, p.Spec.DeletedAt, p.Spec.CreatedAt, p.Spec.UpdatedAt)
		}, func(l *v1alpha1.ClerkPermissionList) []v1alpha1.ClerkPermission { return l.Items }),
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
		name: roleKind,
		mirrored: mirroredOf(func(r *v1alpha1.ClerkRole) (string, mirrored) {
			return r.Spec.Instance, standing(r.Spec.ID, r.Spec.DeletedAt, r.Spec.CreatedAt, r.Spec.UpdatedAt)
		}, func(l *v1alpha1.ClerkRoleList) []v1alpha1.ClerkRole { return l.Items }),
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
		name: organizationKind,
		mirrored: mirroredOf(func(o *v1alpha1.ClerkOrganization) (string, mirrored) {
			return o.Spec.Instance, standing(o.Spec.ID, o.Spec.DeletedAt, o.Spec.CreatedAt, o.Spec.UpdatedAt)
		}, func(l *v1alpha1.ClerkOrganizationList) []v1alpha1.ClerkOrganization { return l.Items }),
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
		name:     memberKind,
		mirrored: mirroredOf(mirroredMember, func(l *v1alpha1.ClerkMemberList) []v1alpha1.ClerkMember { return l.Items }),
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
		name: userKind,
		mirrored: mirroredOf(func(u *v1alpha1.ClerkUser) (string, mirrored) {
			return u.Spec.Instance, standing(u.Spec.ID, u.Spec.DeletedAt, u.Spec.CreatedAt, u.Spec.UpdatedAt)
		}, func(l *v1alpha1.ClerkUserList) []v1alpha1.ClerkUser { return l.Items }),
		list: listUsers,
		exists: func(ctx context.Context, api *backend.Client, u mirrored) (bool, error) {
			return api.HasUser(ctx, u.id)
		},
		gone:  func(u mirrored) clerk.Data { return &clerk.UserDeleted{ID: u.id} },
		empty: func() client.Object { return &v1alpha1.ClerkUser{} },
	},
}

// organizationKindOf is the kind of organizations.
func organizationKindOf() *kind {
	return kinds[slices.IndexFunc(kinds, func(k *kind) bool { return k.name == organizationKind })]
}

func mirroredMember(m *v1alpha1.ClerkMember) (string, mirrored) {
	member := standing(m.Spec.ID, m.Spec.DeletedAt, m.Spec.CreatedAt, m.Spec.UpdatedAt)
	member.organizationID, member.userID = m.Spec.OrganizationID, m.Spec.UserID
	return m.Spec.Instance, member
}

// standing is how something stands by the times of its object.
func standing(id string, deletedAt *metav1.MicroTime, changes ...*metav1.MicroTime) mirrored {
	return mirrored{id: id, changed: latest(changes...), deleted: latest(deletedAt)}
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
		members, err := mirroredOf(mirroredMember, func(l *v1alpha1.ClerkMemberList) []v1alpha1.ClerkMember { return l.Items })(
			ctx, r.Client, r.instance.Name)
		if err != nil {
			return backend.Listing{}, err
		}
		for _, member := range members.living {
			wanted[member.userID] = struct{}{}
		}
	}
	return r.api.UsersByID(ctx, slices.Sorted(maps.Keys(wanted)), visit)
}

// mirroredOf makes a function that reads the cache.
func mirroredOf[T any, O interface {
	*T
	client.Object
}, L any, P interface {
	*L
	client.ObjectList
}](read func(O) (instance string, object mirrored), items func(P) []T) func(context.Context, client.Reader, string) (inventory, error) {
	return func(ctx context.Context, reader client.Reader, instance string) (inventory, error) {
		list := P(new(L))
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return inventory{}, fmt.Errorf("list %T: %w", list, err)
		}
		result := inventory{living: map[string]mirrored{}, tombstones: map[string]mirrored{}}
		objects := items(list)
		for i := range objects {
			of, object := read(&objects[i])
			if of != instance {
				continue
			}
			object.name, object.uid = O(&objects[i]).GetName(), O(&objects[i]).GetUID()
			if object.deleted.IsZero() {
				result.living[object.id] = object
			} else {
				result.tombstones[object.id] = object
			}
		}
		return result, nil
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
