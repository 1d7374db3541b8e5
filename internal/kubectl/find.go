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

package kubectl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxTold is how many candidates an error names.
const maxTold = 5

// organization is the one that a text means: by its slug, its Clerk id, its name in Kubernetes, or its name in Clerk. One that was deleted
// in Clerk is meant only where no other is.
func (s *snapshot) organization(text string) (*v1alpha1.ClerkOrganization, error) {
	for _, means := range []func(*v1alpha1.ClerkOrganization) bool{
		func(o *v1alpha1.ClerkOrganization) bool { return o.Spec.ID == text || o.Name == text },
		func(o *v1alpha1.ClerkOrganization) bool { return o.Spec.Slug == text },
		func(o *v1alpha1.ClerkOrganization) bool { return strings.EqualFold(o.Spec.Name, text) },
	} {
		found := slices.DeleteFunc(all[v1alpha1.ClerkOrganization](s), func(o *v1alpha1.ClerkOrganization) bool { return !means(o) })
		living := slices.DeleteFunc(slices.Clone(found), func(o *v1alpha1.ClerkOrganization) bool { return o.Spec.DeletedAt != nil })
		if len(living) > 0 {
			found = living
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, fmt.Errorf("several organizations are called %q: name one by its id: %s", text, told(found,
				func(o *v1alpha1.ClerkOrganization) string { return o.Name }))
		}
	}
	return nil, fmt.Errorf("no organization %q is mirrored: kubectl get clerkorganizations lists them, "+
		"and kubectl clerk resync asks Clerk anew", text)
}

// organizationOfNamespace is the one that a namespace is marked as the property of.
func (s *snapshot) organizationOfNamespace(name string) (*v1alpha1.ClerkOrganization, error) {
	namespace := named[corev1.Namespace](s, name)
	if namespace == nil {
		return nil, fmt.Errorf("the namespace %q is no organization's: it lacks the label %s, or does not exist",
			name, v1alpha1.OrganizationIDLabel)
	}
	id, instance := namespace.Labels[v1alpha1.OrganizationIDLabel], namespace.Labels[v1alpha1.InstanceLabel]
	found := slices.DeleteFunc(all[v1alpha1.ClerkOrganization](s), func(o *v1alpha1.ClerkOrganization) bool {
		return o.Spec.ID != id || instance != "" && o.Spec.Instance != instance
	})
	if len(found) != 1 {
		return nil, fmt.Errorf("the namespace %q is labelled with the organization %s, of which %d are mirrored: correct its labels %s and %s",
			name, id, len(found), v1alpha1.OrganizationIDLabel, v1alpha1.InstanceLabel)
	}
	return found[0], nil
}

// person is a user of a ClerkInstance, mirrored or known by memberships alone.
type person struct {
	instance, id string
	user         *v1alpha1.ClerkUser // nil if not mirrored
	members      []*v1alpha1.ClerkMember
}

// errNoPerson: nobody is mirrored who could be meant.
var errNoPerson = errors.New("nobody who is mirrored is meant")

// person is who a text means: by the id in Clerk, the name in RBAC, an e-mail address, a user name, or first and last name. Where an
// organization was asked about, it is somebody of its ClerkInstance.
func (s *snapshot) person(text string, asked *v1alpha1.ClerkOrganization) (*person, error) {
	people := s.people()
	if asked != nil {
		people = slices.DeleteFunc(people, func(p *person) bool { return p.instance != asked.Spec.Instance })
	}
	for _, means := range []func(*person) bool{
		func(p *person) bool { return p.id == text || p.user != nil && p.user.Name == text },
		func(p *person) bool { return p.isSubject(text) },
		func(p *person) bool { return p.hasAddress(text) },
		func(p *person) bool { return p.isCalled(text) },
	} {
		found := slices.DeleteFunc(slices.Clone(people), func(p *person) bool { return !means(p) })
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, fmt.Errorf("several users are meant by that: name one by the id: %s",
				told(found, func(p *person) string { return p.id + " of " + p.instance }))
		}
	}
	return nil, errNoPerson
}

// people are all users, in a fixed order.
func (s *snapshot) people() []*person {
	known := map[string]*person{}
	of := func(instance, id string) *person {
		key := instance + "/" + id
		if known[key] == nil {
			known[key] = &person{instance: instance, id: id}
		}
		return known[key]
	}
	for _, user := range all[v1alpha1.ClerkUser](s) {
		of(user.Spec.Instance, user.Spec.ID).user = user
	}
	for _, member := range all[v1alpha1.ClerkMember](s) {
		if member.Spec.UserID != "" {
			found := of(member.Spec.Instance, member.Spec.UserID)
			found.members = append(found.members, member)
		}
	}
	people := make([]*person, 0, len(known))
	for _, found := range known {
		people = append(people, found)
	}
	slices.SortFunc(people, func(a, b *person) int {
		return cmp.Or(strings.Compare(a.instance, b.instance), strings.Compare(a.id, b.id))
	})
	return people
}

func (p *person) isSubject(text string) bool {
	return slices.ContainsFunc(p.members, func(m *v1alpha1.ClerkMember) bool { return m.Status.Subject == text })
}

func (p *person) hasAddress(text string) bool {
	if p.user != nil && strings.EqualFold(p.user.Spec.PrimaryEmail.Address, text) {
		return true
	}
	return slices.ContainsFunc(p.members, func(m *v1alpha1.ClerkMember) bool { return strings.EqualFold(m.Spec.User.Identifier, text) })
}

func (p *person) isCalled(text string) bool {
	is := func(username, first, last string) bool {
		return username != "" && strings.EqualFold(username, text) ||
			strings.EqualFold(strings.TrimSpace(first+" "+last), text)
	}
	if p.user != nil && is(p.user.Spec.Username, p.user.Spec.FirstName, p.user.Spec.LastName) {
		return true
	}
	return slices.ContainsFunc(p.members, func(m *v1alpha1.ClerkMember) bool {
		return is(m.Spec.User.Username, m.Spec.User.FirstName, m.Spec.User.LastName)
	})
}

// personName is how a user is called before others: by the e-mail address, the user name, or the id.
func personName(user *v1alpha1.ClerkUser, member *v1alpha1.ClerkMember, id string) string {
	var address, username string
	if user != nil {
		address, username = user.Spec.PrimaryEmail.Address, user.Spec.Username
	}
	if member == nil {
		return cmp.Or(address, username, id)
	}
	return cmp.Or(address, member.Spec.User.Identifier, username, member.Spec.User.Username, id)
}

// organizationName is how an organization is called: by its slug, its name, or the id.
func organizationName(organization *v1alpha1.ClerkOrganization, id string) string {
	if organization == nil {
		return id
	}
	return cmp.Or(organization.Spec.Slug, organization.Spec.Name, organization.Spec.ID)
}

// told names some candidates for an error.
func told[T any](found []T, name func(T) string) string {
	names := make([]string, 0, maxTold)
	for _, one := range found[:min(len(found), maxTold)] {
		names = append(names, name(one))
	}
	if len(found) > maxTold {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
