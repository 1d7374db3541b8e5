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

	// mirrored are those objects of a ClerkInstance that stand for something that exists, by Clerk's id.
	mirrored func(ctx context.Context, reader client.Reader, instance string) (map[string]mirrored, error)

	// list lists it in Clerk.
	list func(ctx context.Context, r *run, before map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error)

	// exists is the second look at one.
	exists func(ctx context.Context, api *clerk.Client, object mirrored) (bool, error)

	// gone is the news that one is gone.
	gone func(object mirrored) clerk.Data
}

// kinds are all of them, in the order in which they are listed: what others refer to comes first.
var kinds = []*kind{
	{
		name: permissionKind,
		mirrored: mirroredOf(func(p *v1alpha1.ClerkPermission) (string, mirrored, bool) {
			return p.Spec.Instance, mirrored{id: p.Spec.ID, changed: latest(p.Spec.CreatedAt, p.Spec.UpdatedAt)}, p.Spec.DeletedAt == nil
		}, func(l *v1alpha1.ClerkPermissionList) []v1alpha1.ClerkPermission { return l.Items }),
		list: func(ctx context.Context, r *run, _ map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error) {
			return r.api.Permissions(ctx, visit)
		},
		exists: func(ctx context.Context, api *clerk.Client, p mirrored) (bool, error) {
			return api.HasPermission(ctx, p.id)
		},
		gone: func(p mirrored) clerk.Data { return &clerk.PermissionDeleted{ID: p.id} },
	},
	{
		name: roleKind,
		mirrored: mirroredOf(func(r *v1alpha1.ClerkRole) (string, mirrored, bool) {
			return r.Spec.Instance, mirrored{id: r.Spec.ID, changed: latest(r.Spec.CreatedAt, r.Spec.UpdatedAt)}, r.Spec.DeletedAt == nil
		}, func(l *v1alpha1.ClerkRoleList) []v1alpha1.ClerkRole { return l.Items }),
		list: func(ctx context.Context, r *run, _ map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error) {
			return r.api.Roles(ctx, visit)
		},
		exists: func(ctx context.Context, api *clerk.Client, r mirrored) (bool, error) { return api.HasRole(ctx, r.id) },
		gone:   func(r mirrored) clerk.Data { return &clerk.RoleDeleted{ID: r.id} },
	},
	{
		name: organizationKind,
		mirrored: mirroredOf(func(o *v1alpha1.ClerkOrganization) (string, mirrored, bool) {
			return o.Spec.Instance, mirrored{id: o.Spec.ID, changed: latest(o.Spec.CreatedAt, o.Spec.UpdatedAt)}, o.Spec.DeletedAt == nil
		}, func(l *v1alpha1.ClerkOrganizationList) []v1alpha1.ClerkOrganization { return l.Items }),
		list: func(ctx context.Context, r *run, _ map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error) {
			return r.api.Organizations(ctx, visit)
		},
		exists: func(ctx context.Context, api *clerk.Client, o mirrored) (bool, error) {
			return api.HasOrganization(ctx, o.id)
		},
		gone: func(o mirrored) clerk.Data { return &clerk.OrganizationDeleted{ID: o.id} },
	},
	{
		name:     memberKind,
		mirrored: mirroredOf(mirroredMember, func(l *v1alpha1.ClerkMemberList) []v1alpha1.ClerkMember { return l.Items }),
		list: func(ctx context.Context, r *run, _ map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error) {
			return r.api.Memberships(ctx, visit)
		},
		exists: func(ctx context.Context, api *clerk.Client, m mirrored) (bool, error) {
			return api.HasMembership(ctx, m.id, m.organizationID, m.userID)
		},
		gone: func(m mirrored) clerk.Data {
			return &clerk.MembershipDeleted{ID: m.id, OrganizationID: m.organizationID, UserID: m.userID}
		},
	},
	{
		name: userKind,
		mirrored: mirroredOf(func(u *v1alpha1.ClerkUser) (string, mirrored, bool) {
			return u.Spec.Instance, mirrored{id: u.Spec.ID, changed: latest(u.Spec.CreatedAt, u.Spec.UpdatedAt)}, u.Spec.DeletedAt == nil
		}, func(l *v1alpha1.ClerkUserList) []v1alpha1.ClerkUser { return l.Items }),
		list:   listUsers,
		exists: func(ctx context.Context, api *clerk.Client, u mirrored) (bool, error) { return api.HasUser(ctx, u.id) },
		gone:   func(u mirrored) clerk.Data { return &clerk.UserDeleted{ID: u.id} },
	},
}

func mirroredMember(m *v1alpha1.ClerkMember) (string, mirrored, bool) {
	return m.Spec.Instance, mirrored{
		id: m.Spec.ID, changed: latest(m.Spec.CreatedAt, m.Spec.UpdatedAt),
		organizationID: m.Spec.OrganizationID, userID: m.Spec.UserID,
	}, m.Spec.DeletedAt == nil
}

// listUsers lists as many users as are to be mirrored: by their ids, where not everyone is. Those who are mirrored are among them, since it
// matters whether they still exist.
func listUsers(ctx context.Context, r *run, before map[string]mirrored, visit func(clerk.Page) error) (clerk.Listing, error) {
	if r.instance.Spec.Users == v1alpha1.UsersAll {
		return r.api.Users(ctx, visit)
	}
	wanted := map[string]struct{}{}
	for id := range before {
		wanted[id] = struct{}{}
	}
	if r.instance.Spec.Users != v1alpha1.UsersNone {
		members, err := mirroredOf(mirroredMember, func(l *v1alpha1.ClerkMemberList) []v1alpha1.ClerkMember { return l.Items })(
			ctx, r.Client, r.instance.Name)
		if err != nil {
			return clerk.Listing{}, err
		}
		for _, member := range members {
			wanted[member.userID] = struct{}{}
		}
	}
	return r.api.UsersByID(ctx, slices.Sorted(maps.Keys(wanted)), visit)
}

// mirroredOf makes a function that reads the cache.
func mirroredOf[T any, L any, P interface {
	*L
	client.ObjectList
}](read func(*T) (instance string, object mirrored, exists bool), items func(P) []T) func(
	context.Context, client.Reader, string,
) (map[string]mirrored, error) {
	return func(ctx context.Context, reader client.Reader, instance string) (map[string]mirrored, error) {
		list := P(new(L))
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
		result := map[string]mirrored{}
		objects := items(list)
		for i := range objects {
			if of, object, exists := read(&objects[i]); exists && of == instance {
				result[object.id] = object
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
