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

package main

import (
	"fmt"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// grant is what a role of Clerk gives in these measurements.
type grant struct {
	role, clusterRole string
	permissions       []string
}

// grants are the three mapped roles. Every organization has one member of each.
var grants = []grant{
	{"org:admin", "admin", []string{
		"org:sys_profile:manage", "org:sys_profile:delete", "org:sys_memberships:read", "org:sys_memberships:manage", "org:sys_domains:manage",
	}},
	{"org:editor", "edit", []string{"org:sys_memberships:read", "org:content:edit"}},
	{"org:member", "view", []string{"org:sys_memberships:read"}},
}

func roleBindings() []v1alpha1.TenantRoleBinding {
	var bindings []v1alpha1.TenantRoleBinding
	for _, g := range grants {
		bindings = append(bindings, v1alpha1.TenantRoleBinding{Role: g.role, ClusterRole: g.clusterRole})
	}
	return bindings
}

// newOrganization is an organization as one looks, of a size that real ones have.
func newOrganization(group string, number int) clerktest.Organization {
	slug := fmt.Sprintf("%s-%04d", group, number)
	return clerktest.Organization{
		ID:                    clerktest.ID("org", slug),
		Name:                  "Organization " + slug,
		Slug:                  slug,
		ImageURL:              "https://img.example.com/" + slug + ".png",
		PublicMetadata:        map[string]any{"plan": "team", "region": "eu-central", "seats": 25},
		MaxAllowedMemberships: 25,
		Members:               len(grants),
		UpdatedAt:             time.Now(),
	}
}

// newMembership is a membership of an organization with one of the mapped roles.
func newMembership(organization clerktest.Organization, number int) clerktest.Membership {
	name := fmt.Sprintf("%s-%d", organization.Slug, number)
	g := grants[number%len(grants)]
	return clerktest.Membership{
		ID:           clerktest.ID("orgmem", name),
		Role:         g.role,
		Permissions:  g.permissions,
		Organization: organization,
		User: clerktest.User{
			ID: clerktest.ID("user", name), Identifier: name + "@example.com", FirstName: "Jane", LastName: "Doe",
		},
		UpdatedAt: time.Now(),
	}
}

// subjectOf is the name of a membership's user in RBAC.
func subjectOf(m clerktest.Membership) string { return "clerk:" + m.User.ID }

// namespaceOf is the namespace that the TenantClass gives to an organization.
func namespaceOf(o clerktest.Organization) string { return "org-" + o.Slug }
