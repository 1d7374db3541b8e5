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

package examples

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Subject is whom an event is to speak of. Each is Clerk's id or a name that stands for one: the same name always gives the same id.
type Subject struct {
	// Organization is the id (org_…) or a name; Slug is by default the name.
	Organization, Slug string

	// User is the id (user_…) or a name; Email is by default one of example.com.
	User, Email string

	// Membership is the id (orgmem_…) or a name; by default the one of User and Organization.
	Membership string

	// Role is the key of a role, such as org:member.
	Role string

	// Permissions are the keys of those that the membership or the role has, such as org:cargo:load.
	Permissions []string

	// Banned: Clerk lets the user in no more.
	Banned bool
}

func (s *Subject) organizationID() string { return idOf("org", s.Organization) }

func (s *Subject) userID() string { return idOf("user", s.User) }

func (s *Subject) membershipID() string {
	return idOf("orgmem", cmp.Or(s.Membership, s.User+" in "+s.Organization))
}

func (s *Subject) slug() string {
	return cmp.Or(s.Slug, strings.ToLower(strings.ReplaceAll(s.Organization, "_", "-")))
}

func (s *Subject) email() string { return cmp.Or(s.Email, s.User+"@example.com") }

// idOf is the id itself, or the one that a name stands for.
func idOf(prefix, name string) string {
	if strings.HasPrefix(name, prefix+"_") {
		return name
	}
	return ID(prefix, name)
}

// maker writes the subject into the data of an example. What the example does not have is not added.
type maker struct {
	subject *Subject
	now     time.Time
	about   map[string]string
}

// visit looks at an object of the example, and at all within.
func (m *maker) visit(key string, object map[string]any) {
	kind, _ := object["object"].(string)
	switch {
	case key == "public_user_data":
		m.publicUser(object)
	case kind == "organization" || key == "public_organization_data":
		m.organization(object, key == "data")
	case kind == "organization_membership":
		m.membership(object)
	case kind == "user":
		m.user(object)
	case kind == "role":
		m.role(object)
	case kind == "permission":
		m.permission(object)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch inner := object[name].(type) {
		case map[string]any:
			if !strings.HasSuffix(name, "_metadata") {
				m.visit(name, inner)
			}
		case string:
			if inner != "" {
				m.reference(object, name)
			}
		}
	}
}

// reference writes what names somebody by a single field.
func (m *maker) reference(object map[string]any, name string) {
	switch name {
	case "organization_id", "last_active_organization_id":
		object[name] = m.tell("organization", m.subject.organizationID())
	case "user_id":
		object[name] = m.tell("user", m.subject.userID())
	case "email_address":
		object[name] = m.subject.email()
	case "role":
		object[name] = m.subject.Role
	case "role_name":
		object[name] = strings.TrimPrefix(m.subject.Role, "org:")
	}
}

// tell remembers an id that the event speaks of.
func (m *maker) tell(what, id string) string {
	m.about[what] = id
	return id
}

// set writes what the example has.
func set(object, values map[string]any) {
	for name, value := range values {
		if _, there := object[name]; there {
			object[name] = value
		}
	}
}

func (m *maker) organization(object map[string]any, itself bool) {
	set(object, map[string]any{
		"id": m.tell("organization", m.subject.organizationID()), "name": m.subject.Organization, "slug": m.subject.slug(),
	})
	if !itself {
		before := m.now.Add(-organizationAge).UnixMilli()
		set(object, map[string]any{"created_at": before, "updated_at": before})
	}
}

func (m *maker) membership(object map[string]any) {
	set(object, map[string]any{
		"id": m.tell("membership", m.subject.membershipID()), "permissions": append([]string{}, m.subject.Permissions...),
	})
}

func (m *maker) publicUser(object map[string]any) {
	set(object, map[string]any{
		"first_name": m.subject.User, "last_name": nil, "username": nil, "identifier": m.subject.email(),
	})
	if m.subject.Banned {
		object["banned"] = true
	}
}

func (m *maker) user(object map[string]any) {
	const address = "idn_example"
	set(object, map[string]any{
		"id": m.tell("user", m.subject.userID()), "first_name": m.subject.User, "last_name": nil, "username": nil, "external_id": nil,
		"banned": m.subject.Banned, "primary_email_address_id": address,
		"email_addresses": []any{map[string]any{
			"object": "email_address", "id": address, "email_address": m.subject.email(), "linked_to": []any{},
			"verification": map[string]any{"status": "verified", "strategy": "email_code"},
		}},
	})
}

func (m *maker) role(object map[string]any) {
	permissions := []any{}
	for _, key := range m.subject.Permissions {
		permissions = append(permissions, map[string]any{
			"object": "permission", "id": ID("perm", key), "key": key, "name": key, "description": "", "type": "custom",
			"created_at": m.now.UnixMilli(), "updated_at": m.now.UnixMilli(),
		})
	}
	set(object, map[string]any{
		"id": m.tell("role", ID("role", m.subject.Role)), "key": m.subject.Role, "name": strings.TrimPrefix(m.subject.Role, "org:"),
		"permissions": permissions,
	})
}

func (m *maker) permission(object map[string]any) {
	key, _ := object["key"].(string)
	if len(m.subject.Permissions) > 0 {
		key = m.subject.Permissions[0]
	}
	if key == "" {
		return // the event of a deletion has the id alone
	}
	set(object, map[string]any{"id": m.tell("permission", ID("perm", key)), "key": key})
}
