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
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// MembersOfUser are the memberships of a user that are not deleted.
func MembersOfUser(ctx context.Context, reader client.Reader, user *v1alpha1.ClerkUser) []*v1alpha1.ClerkMember {
	list, err := Items[v1alpha1.ClerkMemberList](ctx, reader, ByUser, user.Spec.ID)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
		return nil
	}
	return slices.DeleteFunc(Pointers(list.Items), func(member *v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt != nil || member.Spec.Instance != user.Spec.Instance || member.Spec.OrganizationID == ""
	})
}

// MembersOfRoles are the memberships, not deleted, that carry a key that one of some roles has or formerly had, or may have had.
func MembersOfRoles(ctx context.Context, reader client.Reader, roles []*v1alpha1.ClerkRole) []*v1alpha1.ClerkMember {
	keys := map[string]struct{}{}
	for _, role := range roles {
		if role.Spec.KeysDropped != nil {
			return membersOfInstance(ctx, reader, role.Spec.Instance)
		}
		for _, key := range keysOf(&role.Spec) {
			keys[Scoped(role.Spec.Instance, key)] = struct{}{}
		}
	}
	var members []*v1alpha1.ClerkMember
	for key := range keys {
		list, err := Items[v1alpha1.ClerkMemberList](ctx, reader, ByKey, key)
		if err != nil {
			log.FromContext(ctx).Error(err, "cannot tell which members a change concerns")
			continue
		}
		members = append(members, Pointers(list.Items)...)
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
	return slices.DeleteFunc(Pointers(list.Items), func(member *v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt != nil || member.Spec.OrganizationID == "" || member.Spec.Instance != instance
	})
}

// RolesWith are the roles that have a permission.
func RolesWith(ctx context.Context, reader client.Reader, permission *v1alpha1.ClerkPermission) []*v1alpha1.ClerkRole {
	list, err := Items[v1alpha1.ClerkRoleList](ctx, reader, ByPermission, Scoped(permission.Spec.Instance, permission.Spec.ID))
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which roles a change concerns")
		return nil
	}
	return Pointers(list.Items)
}
