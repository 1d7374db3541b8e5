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

package clerktest

// OrganizationObject is an organization as Clerk's API answers it: as in events, but that a missing slug is empty.
func OrganizationObject(o Organization) any {
	return organizationObject(o)
}

func organizationObject(o Organization) organizationJSON {
	object := organizationPayload(o)
	if object.Slug == nil {
		object.Slug = new("")
	}
	return object
}

// MembershipObject is a membership as Clerk's API answers it.
func MembershipObject(m Membership) any {
	object := membershipPayload(m)
	object.Organization = organizationObject(m.Organization)
	return object
}

// UserObject is a user as Clerk's API answers it.
func UserObject(u User) any { return userPayload(u) }

// RoleObject is a role as Clerk's API answers it.
func RoleObject(r Role) any { return rolePayload(r) }

// PermissionObject is a permission as Clerk's API answers it.
func PermissionObject(p Permission) any { return permissionPayload(p) }
