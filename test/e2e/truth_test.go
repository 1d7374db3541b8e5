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
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// fact is what a message tells of one thing: which state of it, counted from its first, or its end.
type fact struct {
	id    string
	state int
	says  string // for people
}

func (f fact) String() string { return fmt.Sprintf("%s[%d] %s; ", f.id, f.state, f.says) }

// life is all that something has been in Clerk, the oldest first. Its end, if it has come, counts as one more state.
type life[T any] struct {
	states []T
	ended  bool
}

func begin[T any](first T) *life[T] { return &life[T]{states: []T{first}} }

// end is the number of the state in which it is no more.
func (l *life[T]) end() int { return len(l.states) }

// now is the number of the state that it is in.
func (l *life[T]) now() int {
	if l.ended {
		return l.end()
	}
	return l.end() - 1
}

// last is what it is, or was before its end.
func (l *life[T]) last() T { return l.states[l.end()-1] }

// since are its states from one on, the end left out. What was never heard of may begin with the first.
func (l *life[T]) since(state int) []T { return l.states[max(state, 0):] }

// alive are the ids of what there is.
func alive[T any](lives map[string]*life[T]) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(lives)), func(id string) bool { return lives[id].ended })
}

// clerkUser is one state of a user.
type clerkUser struct {
	id                    string
	banned, deprovisioned bool
	twoFactor             bool
	updated               time.Time
}

func (a clerkUser) mayEnter() bool { return !a.banned && !a.deprovisioned }

// position is one state of a role.
type position struct {
	id, key string
	reads   bool // it has the permission to read
	updated time.Time
}

func (p position) permissions() []string {
	if p.reads {
		return []string{permissionRead}
	}
	return nil
}

// truth is Clerk with users, roles and its Backend API. It remembers every state of everything.
type truth struct {
	letterbox

	api           *clerkapi.API
	organizations map[string]*life[organization]
	memberships   map[string]*life[membership]
	people        map[string]*life[clerkUser]
	positions     map[string]*life[position] // by id
	domains       map[string]*life[domain]
	read          clerktest.Permission

	// odd: from now on, memberships and users come with what cannot be kept of them.
	odd bool

	// announce is called before anybody can know of a change.
	announce func()

	// settledAt is when the cluster was last seen to be as what is mirrored says.
	settledAt time.Time
}

func newTruth(key string) *truth {
	t := &truth{
		letterbox:     newLetterbox(),
		organizations: map[string]*life[organization]{},
		memberships:   map[string]*life[membership]{},
		people:        map[string]*life[clerkUser]{},
		positions:     map[string]*life[position]{},
		domains:       map[string]*life[domain]{},
		announce:      func() {},
		settledAt:     time.Now(),
	}
	t.api = clerkapi.New(clerkapi.Options{InstanceID: t.id("ins"), Key: key})
	t.read = clerktest.Permission{ID: t.id("perm"), Key: permissionRead, UpdatedAt: t.tick()}
	t.api.SetPermission(t.read)
	return t
}

// factOf is what is true of something now.
func factOf[T any](id string, l *life[T]) fact {
	f := fact{id: id, state: l.now(), says: "has ended"}
	if !l.ended {
		f.says = fmt.Sprintf("%+v", l.last())
	}
	return f
}

func (t *truth) createOrganization(plan string) {
	o := organization{id: t.id("org"), name: canary, plan: plan, updated: t.tick()}
	o.slug = fmt.Sprintf("%s-%d", t.prefix, t.serial)
	t.organizations[o.id] = begin(o)
	t.tellOrganization(o.id, clerktest.OrganizationCreated)
}

func (t *truth) changeOrganization(id string, change func(*organization)) {
	o := t.organizations[id].last()
	change(&o)
	o.updated = t.tick()
	t.organizations[id].states = append(t.organizations[id].states, o)
	t.tellOrganization(id, clerktest.OrganizationUpdated)
}

func (t *truth) tellOrganization(id string, event func(clerktest.Organization) clerktest.Event) {
	last := t.organizations[id].last()
	o := last.clerktest()
	t.announce()
	t.api.SetOrganization(o)
	t.say(event(o), &message{facts: []fact{factOf(id, t.organizations[id])}})
}

// deleteOrganization deletes an organization, its memberships and its domains, of whose ends Clerk may tell or not.
func (t *truth) deleteOrganization(id string, tellOfMembers bool) {
	gone := t.endMemberships(func(m membership) bool { return m.organization == id })
	domains := t.endDomains(id)
	t.organizations[id].ended = true
	t.announce()
	t.api.DeleteOrganization(id)
	if tellOfMembers {
		t.tellOfLeaving(gone)
		t.tellOfGivingUp(domains)
	}
	last := t.organizations[id].last()
	t.say(clerktest.OrganizationDeleted(last.clerktest(), t.tick()), &message{facts: []fact{factOf(id, t.organizations[id])}})
}

func (t *truth) endMemberships(of func(membership) bool) []string {
	gone := slices.DeleteFunc(alive(t.memberships), func(id string) bool { return !of(t.memberships[id].last()) })
	for _, id := range gone {
		t.memberships[id].ended = true
	}
	return gone
}

func (t *truth) tellOfLeaving(memberships []string) {
	for _, id := range memberships {
		t.say(clerktest.MembershipDeleted(t.membership(id), t.tick()), &message{facts: []fact{factOf(id, t.memberships[id])}})
	}
}

func (t *truth) join(organization, user, role string) {
	m := membership{id: t.id("orgmem"), organization: organization, user: user, role: role, updated: t.tick()}
	t.memberships[m.id] = begin(m)
	t.tellMembership(m.id, clerktest.MembershipCreated)
}

func (t *truth) changeRole(id, role string, oncall bool, until time.Time) {
	m := t.memberships[id].last()
	m.role, m.oncall, m.until, m.updated = role, oncall, until, t.tick()
	t.memberships[id].states = append(t.memberships[id].states, m)
	t.tellMembership(id, clerktest.MembershipUpdated)
}

func (t *truth) tellMembership(id string, event func(clerktest.Membership) clerktest.Event) {
	m := t.membership(id)
	t.announce()
	t.api.SetMembership(m)
	t.say(event(m), &message{facts: []fact{
		factOf(id, t.memberships[id]), factOf(m.Organization.ID, t.organizations[m.Organization.ID]),
	}})
}

func (t *truth) leave(id string) {
	t.memberships[id].ended = true
	t.announce()
	t.api.DeleteMembership(id)
	t.tellOfLeaving([]string{id})
}

// membership is one as Clerk writes it: with the organization, whether the user is let in, and what the role allows, as all of it is now.
func (t *truth) membership(id string) clerktest.Membership {
	m := t.memberships[id].last()
	user := t.people[m.user].last()
	m.banned, m.deprovisioned, m.permissions = user.banned, user.deprovisioned, t.position(m.role).last().permissions()
	o := t.organizations[m.organization].last()
	told := m.clerktest(&o)
	if t.odd {
		told.PublicMetadata = oddMetadata()
		told.User.Username, told.User.FirstName, told.User.Identifier = oddName(), oddName(), oddName()
	}
	return told
}

// oddMetadata is deeper than what Kubernetes keeps, and has a number beyond all ranges.
func oddMetadata() any {
	deep := any(json.Number("1e999"))
	for range 40 {
		deep = map[string]any{canary: deep}
	}
	return deep
}

// oddName is longer than any field of a name.
func oddName() string { return strings.Repeat(canary, 1000) }

// tellMembershipAgain tells what a membership shows of its user, its role and its organization now. Its own time of update is the same.
func (t *truth) tellMembershipAgain(id string) {
	m := t.membership(id)
	t.announce()
	t.api.SetMembership(m)
	event := clerktest.MembershipUpdated(m)
	event.Time = t.tick()
	t.say(event, &message{facts: []fact{
		factOf(id, t.memberships[id]), factOf(m.Organization.ID, t.organizations[m.Organization.ID]),
	}})
}

func (t *truth) createUser() {
	u := clerkUser{id: t.id("user"), updated: t.tick()}
	t.people[u.id] = begin(u)
	t.tellUser(u.id, clerktest.UserCreated)
}

func (t *truth) changeUser(id string, change func(*clerkUser)) {
	u := t.people[id].last()
	change(&u)
	u.updated = t.tick()
	t.people[id].states = append(t.people[id].states, u)
	t.tellUser(id, clerktest.UserUpdated)
}

func (t *truth) tellUser(id string, event func(clerktest.User) clerktest.Event) {
	u := t.people[id].last().clerktest()
	if t.odd {
		u.PublicMetadata, u.Username, u.LastName = oddMetadata(), oddName(), oddName()
	}
	t.announce()
	t.api.SetUser(u)
	t.say(event(u), &message{facts: []fact{factOf(id, t.people[id])}})
}

// deleteUser deletes a user and the user's memberships, of whose ends Clerk may tell or not.
func (t *truth) deleteUser(id string, tellOfMemberships bool) {
	gone := t.endMemberships(func(m membership) bool { return m.user == id })
	t.people[id].ended = true
	t.announce()
	t.api.DeleteUser(id)
	if tellOfMemberships {
		t.tellOfLeaving(gone)
	}
	t.say(clerktest.UserDeleted(t.people[id].last().clerktest(), t.tick()), &message{facts: []fact{factOf(id, t.people[id])}})
}

func (t *truth) createRole(key string, reads bool) {
	p := position{id: t.id("role"), key: key, reads: reads, updated: t.tick()}
	t.positions[p.id] = begin(p)
	t.tellRole(p.id, clerktest.RoleCreated)
}

// editRole gives a role its permission, or takes it away. Memberships then show it too, though nobody changed them.
func (t *truth) editRole(id string) {
	p := t.positions[id].last()
	p.reads, p.updated = !p.reads, t.tick()
	t.positions[id].states = append(t.positions[id].states, p)
	t.tellRole(id, clerktest.RoleUpdated)
	for _, m := range alive(t.memberships) {
		t.api.SetMembership(t.membership(m))
	}
}

func (t *truth) tellRole(id string, event func(clerktest.Role) clerktest.Event) {
	p := t.positions[id].last()
	role := clerktest.Role{ID: p.id, Key: p.key, Name: canary, CreatedAt: t.positions[id].states[0].updated, UpdatedAt: p.updated}
	if p.reads {
		role.Permissions = []clerktest.Permission{t.read}
	}
	t.announce()
	t.api.SetRole(role)
	t.say(event(role), &message{facts: []fact{factOf(id, t.positions[id])}})
}

// position is the role that has a key. No key changes in these histories.
func (t *truth) position(key string) *life[position] {
	for _, p := range t.positions {
		if p.last().key == key {
			return p
		}
	}
	panic("no role has the key " + key) // a mistake in this file
}

// present is the state that everything is in.
func (t *truth) present() map[string]int {
	states := map[string]int{}
	count(states, t.organizations)
	count(states, t.memberships)
	count(states, t.people)
	count(states, t.positions)
	count(states, t.domains)
	return states
}

func count[T any](states map[string]int, lives map[string]*life[T]) {
	for id, l := range lives {
		states[id] = l.now()
	}
}

// hasEnded tells whether a number of a state stands for the end.
func (t *truth) hasEnded(id string, state int) bool {
	switch {
	case t.organizations[id] != nil:
		return state == t.organizations[id].end()
	case t.memberships[id] != nil:
		return state == t.memberships[id].end()
	case t.people[id] != nil:
		return state == t.people[id].end()
	case t.domains[id] != nil:
		return state == t.domains[id].end()
	}
	return state == t.positions[id].end()
}

func (a clerkUser) clerktest() clerktest.User {
	return clerktest.User{
		ID: a.id, Identifier: canary + "." + a.id + "@example.com", Email: canary + "." + a.id + "@example.com",
		Username: canary + "_" + a.id, FirstName: canary + " Jane", LastName: canary + " Doe",
		Banned: a.banned, Deprovisioned: a.deprovisioned, TwoFactor: a.twoFactor, UpdatedAt: a.updated,
	}
}
