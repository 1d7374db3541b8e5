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

package cached

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Registry finds the standing of members in the cache. It remembers what it read of roles and permissions, which many members share, so it
// serves one reconciliation and no longer. Its objects are the cache's own.
type Registry struct {
	reader      client.Reader
	roles       map[string][]*v1alpha1.ClerkRole
	permissions map[string]*v1alpha1.ClerkPermission
}

// NewRegistry returns a Registry that reads from the cache.
func NewRegistry(reader client.Reader) *Registry {
	return &Registry{
		reader: reader, roles: map[string][]*v1alpha1.ClerkRole{}, permissions: map[string]*v1alpha1.ClerkPermission{},
	}
}

// StandingOf is the standing of a member. Users, roles and permissions that another ClerkInstance speaks of have no part in it.
func (r *Registry) StandingOf(ctx context.Context, member *v1alpha1.ClerkMember) (tenant.Standing, error) {
	user, err := r.UserOf(ctx, member)
	if err != nil {
		return tenant.Standing{}, err
	}
	candidates, err := r.RolesByKey(ctx, member.Spec.Instance, member.Spec.Role)
	if err != nil {
		return tenant.Standing{}, err
	}
	if err := r.readPermissions(ctx, candidates); err != nil {
		return tenant.Standing{}, err
	}
	role := tenant.RoleOf(member, candidates, func(id string) *v1alpha1.ClerkPermission {
		return r.permissions[Scoped(member.Spec.Instance, id)]
	})
	return tenant.Standing{User: user, Bar: tenant.BarOf(member, user), Role: role}, nil
}

// UserOf is the user of a member, nil if not mirrored.
func (r *Registry) UserOf(ctx context.Context, member *v1alpha1.ClerkMember) (*v1alpha1.ClerkUser, error) {
	if member.Spec.UserID == "" {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	list, err := Items[v1alpha1.ClerkUserList](ctx, r.reader, ByID, Scoped(member.Spec.Instance, member.Spec.UserID))
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	return &list.Items[0], nil
}

// RolesByKey are the roles that have a key or formerly had it, and those that may have had any.
func (r *Registry) RolesByKey(ctx context.Context, instance, key string) ([]*v1alpha1.ClerkRole, error) {
	if key == "" {
		return nil, nil
	}
	at := Scoped(instance, key)
	if known, read := r.roles[at]; read {
		return known, nil
	}
	var roles []*v1alpha1.ClerkRole
	for _, value := range []string{at, Scoped(instance, anyKey)} {
		list, err := Items[v1alpha1.ClerkRoleList](ctx, r.reader, ByKey, value)
		if err != nil {
			return nil, err
		}
		roles = append(roles, Pointers(list.Items)...)
	}
	r.roles[at] = roles
	return roles, nil
}

func (r *Registry) readPermissions(ctx context.Context, roles []*v1alpha1.ClerkRole) error {
	for _, role := range roles {
		for _, permission := range role.Spec.Permissions {
			at := Scoped(role.Spec.Instance, permission.ID)
			if _, read := r.permissions[at]; read {
				continue
			}
			list, err := Items[v1alpha1.ClerkPermissionList](ctx, r.reader, ByID, at)
			if err != nil {
				return err
			}
			r.permissions[at] = nil
			if len(list.Items) > 0 {
				r.permissions[at] = &list.Items[0]
			}
		}
	}
	return nil
}
