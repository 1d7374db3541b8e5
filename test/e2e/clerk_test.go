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
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// What the classes of these tests are for, and what they give; see goldClass, silverClass, and config/samples for the default.
const (
	planGold   = "gold"
	planSilver = "silver"
	planEnding = "ending"

	// planPro and planFree are plans of Clerk's billing.
	planPro  = "pro"
	planFree = "free"

	classDefault = "default"

	templateOrg  = "org-${organization.handle}"
	templateData = "org-${organization.handle}-data"
	templateTeam = "team-${organization.handle}"
	templateEnds = "ends-${organization.handle}"

	roleAdmin  = "org:admin"
	roleMember = "org:member"
	roleGuest  = "org:guest" // no class maps it

	permissionRead = "org:data:read"
)

// organization is one state of an organization in Clerk.
type organization struct {
	id, slug, name, plan string
	updated              time.Time

	// odd: its metadata is such that it cannot be kept, and with it the plan.
	odd bool
}

// membership is one state of a membership in Clerk.
type membership struct {
	id, organization, user, role string
	permissions                  []string
	banned, deprovisioned        bool
	oncall                       bool      // in the public metadata
	until                        time.Time // there too: when that ends, zero if it does not
	updated                      time.Time
}

// person is one state of a user in Clerk.
type person struct {
	id                    string
	banned, deprovisioned bool
	deleted               bool
	twoFactor             bool
	updated               time.Time
}

// message is an event on its way from Clerk, and what it tells; a message keeps its id and its body however often it is sent.
type message struct {
	id, what string
	body     []byte

	// organization is the state that the event carries, its own or, within a membership's, that of the membership's organization.
	organization        *organization
	membership          *membership
	deletedOrganization string
	deletedMembership   *membership

	// person is the state of a user that the event carries.
	person *person

	// items are those of an organization's subscription that the event carries.
	items []*item

	// domain is the state of a domain that the event carries, or its end.
	domain *domain

	// facts are what the event tells, in histories that count states.
	facts []fact
}

func (m *message) organizationID() string {
	switch {
	case m.organization != nil:
		return m.organization.id
	case m.deletedMembership != nil:
		return m.deletedMembership.organization
	case len(m.items) > 0:
		return m.items[0].organization
	case m.domain != nil:
		return m.domain.organization
	}
	return m.deletedOrganization
}

var clerks atomic.Int64

// simulatedClerk is Clerk: it knows what is true and says so in messages. Its ids and slugs are no other's.
type simulatedClerk struct {
	letterbox

	organizations map[string]*organization
	memberships   map[string]*membership
	items         map[string]*item
	domains       map[string]*domain
	formerUsers   map[string][]string // by organization
	ever          []string            // the organizations that there ever were
}

// letterbox is what every simulated Clerk has: times and ids, which are no other's, and messages on their way.
type letterbox struct {
	prefix string
	now    time.Time
	serial int

	// outbox are the messages that were never accepted; history is what happened, for people.
	outbox  []*message
	history []string
}

func newLetterbox() letterbox {
	return letterbox{prefix: fmt.Sprintf("p%d", clerks.Add(1)), now: time.Now().Add(-time.Hour).Truncate(time.Millisecond)}
}

func newClerk() *simulatedClerk {
	return &simulatedClerk{
		letterbox:     newLetterbox(),
		organizations: map[string]*organization{},
		memberships:   map[string]*membership{},
		items:         map[string]*item{},
		domains:       map[string]*domain{},
		formerUsers:   map[string][]string{},
	}
}

// tick is the time of a change: later at every call.
func (c *letterbox) tick() time.Time {
	c.now = c.now.Add(7 * time.Millisecond)
	return c.now
}

// id is a new id; no two tests get the same, and the same history always gets the same but for the prefix.
func (c *letterbox) id(prefix string) string {
	c.serial++
	return clerktest.ID(prefix, fmt.Sprintf("%s %d", c.prefix, c.serial))
}

func (c *simulatedClerk) organizationIDs() []string { return slices.Sorted(maps.Keys(c.organizations)) }

func (c *simulatedClerk) membershipIDs() []string { return slices.Sorted(maps.Keys(c.memberships)) }

// freeSlug tells whether no organization has a slug now. Clerk keeps them unique, and lets them be used again.
func (c *simulatedClerk) freeSlug(slug string) bool {
	for _, o := range c.organizations {
		if slug != "" && o.slug == slug {
			return false
		}
	}
	return true
}

func (c *simulatedClerk) slug(base string) string {
	if base == "" {
		return ""
	}
	return c.prefix + "-" + base
}

// createOrganization makes an organization; without a slug, as where the application has slugs off, its name is all there is to go by.
func (c *simulatedClerk) createOrganization(slug, plan string) *organization {
	o := &organization{id: c.id("org"), slug: slug, name: canary + " " + slug, plan: plan, updated: c.tick()}
	if slug == "" {
		o.name = c.unnamed()
	}
	c.organizations[o.id], c.ever = o, append(c.ever, o.id)
	c.say(clerktest.OrganizationCreated(o.clerktest()), &message{organization: o.copy()})
	return o
}

// unnamed is the name of organizations without a slug. It becomes a namespace's name, so it is no secret.
func (c *simulatedClerk) unnamed() string { return c.prefix + " Ünnamed & Co." }

// changeOrganization makes a change to an organization and tells of it.
func (c *simulatedClerk) changeOrganization(o *organization, change func(*organization)) {
	change(o)
	o.updated = c.tick()
	c.say(clerktest.OrganizationUpdated(o.clerktest()), &message{organization: o.copy()})
}

// deleteOrganization deletes an organization. It is not known whether Clerk then tells of every membership too, so it may or may not.
func (c *simulatedClerk) deleteOrganization(o *organization, tellOfMembers bool) {
	for _, id := range c.membershipIDs() {
		m := c.memberships[id]
		if m.organization != o.id {
			continue
		}
		if tellOfMembers {
			c.leave(m)
		}
		delete(c.memberships, id)
	}
	maps.DeleteFunc(c.items, func(_ string, i *item) bool { return i.organization == o.id })
	c.endDomains(o.id, tellOfMembers)
	delete(c.organizations, o.id)
	c.say(clerktest.OrganizationDeleted(o.clerktest(), c.tick()), &message{deletedOrganization: o.id})
}

// join makes a user a member.
func (c *simulatedClerk) join(o *organization, user, role string, permissions ...string) *membership {
	m := &membership{id: c.id("orgmem"), organization: o.id, user: user, role: role, permissions: permissions, updated: c.tick()}
	c.memberships[m.id] = m
	c.say(clerktest.MembershipCreated(m.clerktest(o)), &message{organization: o.copy(), membership: m.copy()})
	return m
}

// changeMembership makes a change to a membership and tells of it.
func (c *simulatedClerk) changeMembership(m *membership, change func(*membership)) {
	change(m)
	m.updated = c.tick()
	o := c.organizations[m.organization]
	c.say(clerktest.MembershipUpdated(m.clerktest(o)), &message{organization: o.copy(), membership: m.copy()})
}

// leave ends a membership. Who comes back gets another one.
func (c *simulatedClerk) leave(m *membership) {
	o := c.organizations[m.organization]
	delete(c.memberships, m.id)
	c.formerUsers[m.organization] = append(c.formerUsers[m.organization], m.user)
	c.say(clerktest.MembershipDeleted(m.clerktest(o), c.tick()), &message{deletedMembership: m.copy()})
}

// changeUser changes what holds for a user and tells of it. Their memberships know nothing of it.
func (c *simulatedClerk) changeUser(p *person) {
	p.updated = c.tick()
	c.say(clerktest.UserUpdated(p.clerktest()), &message{person: p})
}

// deleteUser deletes a user and tells of it alone: it is not known whether Clerk tells of the memberships too.
func (c *simulatedClerk) deleteUser(id string) {
	p := &person{id: id, deleted: true, updated: c.tick()}
	c.say(clerktest.UserDeleted(p.clerktest(), p.updated), &message{person: p})
}

// isMember tells whether a user is a member of an organization.
func (c *simulatedClerk) isMember(o *organization, user string) bool {
	for _, m := range c.memberships {
		if m.organization == o.id && m.user == user {
			return true
		}
	}
	return false
}

// user is one of the users, of which each history has a few.
func (c *simulatedClerk) user(n int) string {
	return clerktest.ID("user", fmt.Sprintf("%s user %d", c.prefix, n))
}

// say puts an event into the outbox.
func (c *letterbox) say(event clerktest.Event, m *message) {
	m.id = c.id("msg")
	m.body = event.Body()
	m.what = fmt.Sprintf("#%d %s %s", len(c.history), event.Type, m.describe())
	c.history = append(c.history, "Clerk says "+m.what)
	c.outbox = append(c.outbox, m)
}

// loseLast takes back the last message, as if it had never been delivered: Clerk promises no delivery.
func (c *letterbox) loseLast() {
	last := c.outbox[len(c.outbox)-1]
	c.outbox = c.outbox[:len(c.outbox)-1]
	c.note("%s is lost for good", last.what)
}

func (c *letterbox) note(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf(format, args...))
}

// describe tells what a message says, without anything personal.
func (m *message) describe() string {
	text := ""
	if o := m.organization; o != nil {
		text += fmt.Sprintf("%s slug=%q plan=%q at %s", o.id, o.slug, o.plan, clock(o.updated))
	}
	if s := m.membership; s != nil {
		text += fmt.Sprintf("; %s of %s role=%s permissions=%v banned=%t deprovisioned=%t on call=%t until %s at %s",
			s.id, s.user, s.role, s.permissions, s.banned, s.deprovisioned, s.oncall, clock(s.until), clock(s.updated))
	}
	if d := m.deletedMembership; d != nil {
		text += fmt.Sprintf("%s of %s in %s", d.id, d.user, d.organization)
	}
	if p := m.person; p != nil {
		text += fmt.Sprintf("%s banned=%t deprovisioned=%t deleted=%t two factors=%t at %s",
			p.id, p.banned, p.deprovisioned, p.deleted, p.twoFactor, clock(p.updated))
	}
	for _, i := range m.items {
		text += fmt.Sprintf("%s of %s %s plan=%s ends %s at %s; ", i.id, i.organization, i.status, i.plan, clock(i.ends), clock(i.updated))
	}
	if d := m.domain; d != nil {
		text += fmt.Sprintf("%s of %s %q ownership=%q affiliation=%q deleted=%t at %s",
			d.id, d.organization, d.name, d.ownership, d.affiliation, d.deleted, clock(d.updated))
	}
	for _, f := range m.facts {
		text += f.String()
	}
	return text + m.deletedOrganization
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("04:05.000")
}

func (o *organization) copy() *organization {
	other := *o
	return &other
}

func (m *membership) copy() *membership {
	other := *m
	other.permissions = slices.Clone(m.permissions)
	return &other
}

// clerktest is the organization as Clerk writes it, with everything that must not get out.
func (o *organization) clerktest() clerktest.Organization {
	metadata := map[string]any{canary + "Key": canary, "note": canary + " in public metadata"}
	if o.plan != "" {
		metadata["plan"] = o.plan
	}
	if o.odd {
		metadata["odd"] = oddMetadata()
	}
	return clerktest.Organization{
		ID: o.id, Name: o.name, Slug: o.slug, ImageURL: "https://img.example/" + canary + ".png", PublicMetadata: metadata,
		MaxAllowedMemberships: 5, UpdatedAt: o.updated,
	}
}

// clerktest is the user as Clerk writes it, with everything that must not get out.
func (p *person) clerktest() clerktest.User {
	return clerktest.User{
		ID: p.id, Email: canary + "." + p.id + "@example.com", Username: canary + "_" + p.id, FirstName: canary + " Jane",
		LastName: canary + " Doe", ExternalID: canary + " 7", PublicMetadata: map[string]any{canary + "Note": canary},
		Banned: p.banned, Deprovisioned: p.deprovisioned, TwoFactor: p.twoFactor, UpdatedAt: p.updated,
	}
}

func (m *membership) clerktest(o *organization) clerktest.Membership {
	metadata := map[string]any{canary + "Note": canary}
	if m.oncall {
		metadata["oncall"] = true
	}
	if !m.until.IsZero() {
		metadata["until"] = m.until.UTC().Format(time.RFC3339)
	}
	return clerktest.Membership{
		ID: m.id, Role: m.role, Permissions: m.permissions, Organization: o.clerktest(), UpdatedAt: m.updated,
		PublicMetadata: metadata,
		User: clerktest.User{
			ID: m.user, Identifier: canary + "." + m.user + "@example.com", Username: canary + "_" + m.user,
			FirstName: canary + " Jane", LastName: canary + " Doe", Banned: m.banned, Deprovisioned: m.deprovisioned,
		},
	}
}
