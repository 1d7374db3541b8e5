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

package e2e

import (
	"maps"
	"slices"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// model is what the cluster should know of Clerk after some messages, in whatever order they came: of each organization, membership, user,
// item of a subscription and domain the newest state that any message carried, unless one said that it is deleted or has ended.
type model struct {
	organizations        map[string]*organization
	deletedOrganizations map[string]bool
	memberships          map[string]*membership
	deletedMemberships   map[string]*membership
	users                map[string]*person
	items                map[string]*item
	domains              map[string]*domain
}

func newModel() *model {
	return &model{
		organizations:        map[string]*organization{},
		deletedOrganizations: map[string]bool{},
		memberships:          map[string]*membership{},
		deletedMemberships:   map[string]*membership{},
		users:                map[string]*person{},
		items:                map[string]*item{},
		domains:              map[string]*domain{},
	}
}

func (m *model) copy() *model {
	return &model{
		organizations:        maps.Clone(m.organizations),
		deletedOrganizations: maps.Clone(m.deletedOrganizations),
		memberships:          maps.Clone(m.memberships),
		deletedMemberships:   maps.Clone(m.deletedMemberships),
		users:                maps.Clone(m.users),
		items:                maps.Clone(m.items),
		domains:              maps.Clone(m.domains),
	}
}

// accept takes a message into account.
func (m *model) accept(news *message) {
	if news.deletedOrganization != "" {
		m.deletedOrganizations[news.deletedOrganization] = true
		delete(m.organizations, news.deletedOrganization)
	}
	if news.deletedMembership != nil {
		m.deletedMemberships[news.deletedMembership.id] = news.deletedMembership
		delete(m.memberships, news.deletedMembership.id)
	}
	if m.isNewsOfOrganization(news) {
		m.organizations[news.organization.id] = news.organization
	}
	if m.isNewsOfMembership(news) {
		m.memberships[news.membership.id] = news.membership
	}
	if m.isNewsOfUser(news) {
		m.users[news.person.id] = news.person
	}
	for _, i := range news.items {
		if m.isNewsOfItem(i) {
			m.items[i.id] = i
		}
	}
	if m.isNewsOfDomain(news.domain) {
		m.domains[news.domain.id] = news.domain
	}
}

// isNewsOfUser is isNewsOfOrganization for users.
func (m *model) isNewsOfUser(news *message) bool {
	if news.person == nil {
		return false
	}
	known := m.users[news.person.id]
	return known == nil || !known.deleted && (news.person.deleted || known.updated.Before(news.person.updated))
}

// isNewsOfOrganization tells whether a message carries a state of an organization that is newer than what is known.
func (m *model) isNewsOfOrganization(news *message) bool {
	if news.organization == nil || m.deletedOrganizations[news.organization.id] {
		return false
	}
	known := m.organizations[news.organization.id]
	return known == nil || known.updated.Before(news.organization.updated)
}

// isNewsOfMembership is isNewsOfOrganization for memberships.
func (m *model) isNewsOfMembership(news *message) bool {
	if news.membership == nil || m.deletedMemberships[news.membership.id] != nil {
		return false
	}
	known := m.memberships[news.membership.id]
	return known == nil || known.updated.Before(news.membership.updated)
}

// knownOrganizations are the ids of all organizations that were heard of, those deleted too.
func (m *model) knownOrganizations() []string {
	return slices.Sorted(maps.Keys(union(m.organizations, m.deletedOrganizations)))
}

func union[A, B any](a map[string]A, b map[string]B) map[string]bool {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

// members are the memberships of an organization, by id.
func (m *model) members(organization string) []*membership {
	var members []*membership
	for _, id := range slices.Sorted(maps.Keys(m.memberships)) {
		if m.memberships[id].organization == organization {
			members = append(members, m.memberships[id])
		}
	}
	return members
}

// entry is one namespace that a class gives: its template, and what a role or a permission means in it.
type entry struct {
	template string
	rules    []rule
}

// rule gives a ClusterRole to those with a role or a permission for whom a condition holds, if there is one; with ends, as long as their
// membership says.
type rule struct {
	role, permission, clusterRole string

	when func(holder) bool
	ends bool
}

// classes are the entries of each class, in their order.
var classes = map[string][]entry{
	classDefault: {{templateOrg, []rule{{role: roleAdmin, clusterRole: "admin"}, {role: roleMember, clusterRole: "view"}}}},
	planGold: {
		{templateOrg, []rule{{role: roleAdmin, clusterRole: "admin"}, {role: roleMember, clusterRole: "edit"}}},
		{templateData, []rule{
			{role: roleAdmin, clusterRole: "admin"}, {permission: permissionRead, clusterRole: "view"},
			{role: roleMember, clusterRole: "edit", when: holder.isOfOwner},
		}},
	},
	planEnding: {{templateEnds, []rule{{role: roleAdmin, clusterRole: "admin"}, {role: roleMember, clusterRole: "view"}}}},
	planSilver: {{templateTeam, []rule{
		{role: roleAdmin, clusterRole: "edit"}, {role: roleMember, clusterRole: "view"},
		{role: roleMember, clusterRole: "admin", when: holder.isOnCall, ends: true},
		{role: roleMember, clusterRole: "edit", when: holder.isPro},
		{role: roleAdmin, clusterRole: "admin", when: holder.hasTwoFactors},
	}}},
}

// class is the class that serves an organization.
func (o *organization) class() string {
	if _, isPlan := classes[o.plan]; isPlan {
		return o.plan
	}
	return classDefault
}

// mayEnter tells whether Clerk lets a member in, by what is known of the user, nil if nothing: the user's own word keeps out, and the
// membership's unless the user's is newer.
func (m *membership) mayEnter(user *person) bool { return m.barredBy(user) == "" }

// barredBy is the reason for which a member is kept out; empty if there is none.
func (m *membership) barredBy(user *person) string {
	switch {
	case user != nil && user.deleted:
		return v1alpha1.ReasonUserDeleted
	case user != nil && user.banned:
		return v1alpha1.ReasonUserBanned
	case user != nil && user.deprovisioned:
		return v1alpha1.ReasonUserDeprovisioned
	case user != nil && m.updated.Before(user.updated):
		return ""
	case m.banned:
		return v1alpha1.ReasonUserBanned
	case m.deprovisioned:
		return v1alpha1.ReasonUserDeprovisioned
	}
	return ""
}

// holder is a member whom Clerk lets in, as conditions see them at one moment.
type holder struct {
	*membership

	// user is what is known of the user, nil if nothing. plan is the organization's; empty if it has none, or nothing is known of it.
	// owner: it owns the domain that gives more.
	user  *person
	plan  string
	owner bool
	at    time.Time
}

func (h holder) isOnCall() bool      { return h.oncall }
func (h holder) isPro() bool         { return h.plan == planPro }
func (h holder) isOfOwner() bool     { return h.owner }
func (h holder) hasTwoFactors() bool { return h.user != nil && h.user.twoFactor }

// holders are those members of an organization whom Clerk lets in.
func (m *model) holders(organization string, at time.Time) []holder {
	plan, owner := m.planAt(organization, at), m.ownsDomain(organization)
	var admitted []holder
	for _, member := range m.members(organization) {
		if user := m.users[member.user]; member.mayEnter(user) {
			admitted = append(admitted, holder{member, user, plan, owner, at})
		}
	}
	return admitted
}

// gives tells whether a member gets what a rule gives.
func (r rule) gives(h holder) bool {
	isFor := r.role != "" && r.role == h.role || r.permission != "" && slices.Contains(h.permissions, r.permission)
	return isFor && (r.when == nil || r.when(h)) && (!r.ends || h.until.IsZero() || h.at.Before(h.until))
}

// expires is when a member loses something by itself that a class gives them; zero if they do not.
func (h holder) expires(class string) time.Time {
	for _, e := range classes[class] {
		for _, r := range e.rules {
			if r.ends && r.gives(h) {
				return h.until
			}
		}
	}
	return time.Time{}
}

// clusterRoles are those that a member gets by an entry.
func (e entry) clusterRoles(h holder) []string {
	var granted []string
	for _, r := range e.rules {
		if r.gives(h) {
			granted = append(granted, r.clusterRole)
		}
	}
	return granted
}

// subject is the name in RBAC that the ClerkInstance "default" gives a user.
func subject(user string) string { return "clerk:" + user }

// grant is one user's ClusterRole in one organization, in whichever namespace.
type grant struct {
	organization, subject, clusterRole string
}

// grants are what a class gives members of an organization who are let in, anywhere.
func grants(organization, class string, holders ...holder) map[grant]bool {
	all := map[grant]bool{}
	for _, e := range classes[class] {
		for _, h := range holders {
			for _, role := range e.clusterRoles(h) {
				all[grant{organization, subject(h.membership.user), role}] = true
			}
		}
	}
	return all
}
