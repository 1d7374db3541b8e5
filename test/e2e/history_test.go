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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	// minSteps and maxSteps bound the length of a history.
	minSteps, maxSteps = 55, 105

	// users and organizations bound how many there are at a time: few, so that they come across each other.
	users, organizations = 4, 4

	// most bounds how many messages are delivered at a time, and echoesAtMost how many of those before it come with one.
	most, echoesAtMost = 10, 3
)

// slugs are few, so that they are used again and get into each other's way: the third is the second's namespace of the first.
var slugs = []string{"acme", "acme-data", "globex", ""}

// player makes random things happen in Clerk and on the way from it.
type player struct {
	*world
	dice
}

// dice draw how messages are delivered, and what happens to the replicas meanwhile.
type dice struct {
	r    *rapid.T
	mail *courier
}

// TestTheClusterEqualsTheModelAfterAnyHistory plays random histories: whatever happens in Clerk, and however its messages are delayed,
// doubled, put out of order, dropped, tried again and replayed, while either replica crashes or restarts, the cluster becomes what the
// model says, and nobody ever has access who should not. A failure prints the history and the seed that plays it again.
func TestTheClusterEqualsTheModelAfterAnyHistory(t *testing.T) {
	replicas := startReplicas(t, 2)
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(r, replicas)
		defer w.end(t)
		p := &player{w, dice{r, w.courier}}
		began := time.Now()
		p.createOrganization()
		p.appoint(p.clerk.ever[0])
		for range users {
			p.join()
		}
		for range rapid.IntRange(minSteps, maxSteps).Draw(r, "steps") {
			rapid.SampledFrom(p.moves()).Draw(r, "move").make()
			w.checkGuard()
		}
		w.deliverAll()
		w.settle()
		p.replayEverything()
		w.settle()
		w.checkAccess()
		w.checkTombstones()
		t.Logf("%d messages in %s", len(w.accepted), time.Since(began).Round(time.Millisecond))
	})
}

// move is something that can happen.
type move struct {
	name string
	make func()
}

// GoString is what rapid shows of it.
func (m move) GoString() string { return m.name }

// GoString is what rapid shows of it.
func (m *message) GoString() string {
	number, _, _ := strings.Cut(m.what, " ")
	return number
}

// moves are what can happen next. What stands here more than once happens more often.
func (p *player) moves() []move {
	clerk := []move{
		{"create an organization", p.createOrganization}, {"change a user", p.changeUser}, {"change a user", p.changeUser},
		{"name other staff", p.nameStaff}, {"name other staff", p.nameStaff},
	}
	if len(p.clerk.organizations) > 0 {
		clerk = append(clerk,
			move{"change a slug", p.changeSlug}, move{"change a plan", p.changePlan}, move{"change a name", p.changeName},
			move{"delete an organization", p.deleteOrganization},
			move{"join", p.join}, move{"join", p.join}, move{"join", p.join}, move{"come back", p.comeBack},
			move{"subscribe", p.subscribe}, move{"subscribe", p.subscribe}, move{"tell of a subscription", p.tellSubscription},
			move{"claim a domain", p.claimDomain}, move{"claim a domain", p.claimDomain},
		)
	}
	if len(p.clerk.items) > 0 {
		clerk = append(clerk, move{"change an item", p.changeItem}, move{"change an item", p.changeItem})
	}
	if len(p.clerk.domains) > 0 {
		clerk = append(clerk,
			move{"change a domain", p.changeDomain}, move{"change a domain", p.changeDomain}, move{"give up a domain", p.giveUpDomain},
		)
	}
	if len(p.clerk.memberships) > 0 {
		clerk = append(clerk,
			move{"change a role", p.changeRole}, move{"change a role", p.changeRole}, move{"ban or not", p.ban},
			move{"leave", p.leave}, move{"leave", p.leave},
		)
	}
	if len(p.clerk.outbox) > 0 {
		clerk = append(clerk, move{"deliver", p.deliverSome}, move{"deliver", p.deliverSome}, move{"deliver", p.deliverSome})
	}
	if len(p.accepted) > 0 {
		clerk = append(clerk, move{"replay", p.replaySome}, move{"settle", p.settle})
	}
	return clerk
}

func (p *player) drawOrganization() *organization {
	return p.clerk.organizations[rapid.SampledFrom(p.clerk.organizationIDs()).Draw(p.r, "organization")]
}

func (p *player) drawMembership() *membership {
	return p.clerk.memberships[rapid.SampledFrom(p.clerk.membershipIDs()).Draw(p.r, "membership")]
}

func (p *player) drawSlug() string {
	free := slices.DeleteFunc(slices.Clone(slugs), func(s string) bool { return !p.clerk.freeSlug(p.clerk.slug(s)) })
	return p.clerk.slug(rapid.SampledFrom(free).Draw(p.r, "slug"))
}

func (p *player) drawPlan() string {
	return rapid.SampledFrom([]string{"", "free", planGold, planSilver}).Draw(p.r, "plan")
}

// mayLose loses the last message for good, now and then: later ones must make up for it.
func (p *player) mayLose() {
	if rapid.IntRange(0, 9).Draw(p.r, "lost if 9") == 9 {
		p.clerk.loseLast()
	}
}

func (p *player) createOrganization() {
	if len(p.clerk.organizations) < organizations {
		p.clerk.createOrganization(p.drawSlug(), p.drawPlan())
		p.mayLose()
	}
}

func (p *player) changeSlug() {
	slug := p.drawSlug()
	p.clerk.changeOrganization(p.drawOrganization(), func(o *organization) {
		o.slug = slug
		if slug == "" {
			o.name = p.clerk.unnamed()
		}
	})
	p.mayLose()
}

func (p *player) changePlan() {
	plan := p.drawPlan()
	p.clerk.changeOrganization(p.drawOrganization(), func(o *organization) { o.plan = plan })
	p.mayLose()
}

func (p *player) changeName() {
	p.clerk.changeOrganization(p.drawOrganization(), func(o *organization) {
		if o.slug != "" {
			o.name = fmt.Sprintf("%s %d", canary, p.clerk.serial)
		}
	})
	p.mayLose()
}

func (p *player) deleteOrganization() {
	if rapid.Bool().Draw(p.r, "really") {
		p.clerk.deleteOrganization(p.drawOrganization(), rapid.Bool().Draw(p.r, "tell of members"))
	}
}

func (p *player) drawRole() (role string, permissions []string) {
	role = rapid.SampledFrom([]string{roleAdmin, roleMember, roleGuest}).Draw(p.r, "role")
	if rapid.Bool().Draw(p.r, "may read") {
		permissions = []string{permissionRead}
	}
	return role, permissions
}

func (p *player) join() {
	o, user := p.drawOrganization(), p.clerk.user(rapid.IntRange(1, users).Draw(p.r, "user"))
	role, permissions := p.drawRole()
	if !p.clerk.isMember(o, user) {
		p.clerk.join(o, user, role, permissions...)
		p.mayLose()
	}
}

// comeBack lets someone join who left.
func (p *player) comeBack() {
	o := p.drawOrganization()
	role, permissions := p.drawRole()
	for _, user := range p.clerk.formerUsers[o.id] {
		if !p.clerk.isMember(o, user) {
			p.clerk.join(o, user, role, permissions...)
			return
		}
	}
}

func (p *player) changeRole() {
	m := p.drawMembership()
	role, permissions := p.drawRole()
	oncall, until := rapid.Bool().Draw(p.r, "on call"), p.drawEnd()
	p.clerk.changeMembership(m, func(m *membership) { m.role, m.permissions, m.oncall, m.until = role, permissions, oncall, until })
	p.mayLose()
}

func (p *player) ban() {
	banned, deprovisioned := rapid.Bool().Draw(p.r, "banned"), rapid.Bool().Draw(p.r, "deprovisioned")
	p.clerk.changeMembership(p.drawMembership(), func(m *membership) { m.banned, m.deprovisioned = banned, deprovisioned })
}

// changeUser changes what holds for a user, in every organization. Now and then the user is deleted, for good.
func (p *player) changeUser() {
	id := p.clerk.user(rapid.IntRange(1, users).Draw(p.r, "user"))
	what := rapid.IntRange(0, 9).Draw(p.r, "let in below 5, banned below 8, deprovisioned at 8, deleted at 9")
	if what == 9 {
		if rapid.Bool().Draw(p.r, "really") {
			p.clerk.deleteUser(id)
		}
		return
	}
	twoFactor := rapid.Bool().Draw(p.r, "two factors")
	p.clerk.changeUser(&person{id: id, banned: 5 <= what && what < 8, deprovisioned: what == 8, twoFactor: twoFactor})
	p.mayLose()
}

func (p *player) leave() { p.clerk.leave(p.drawMembership()) }

// deliverSome delivers some of the messages that are on their way, in any order.
func (p *player) deliverSome() {
	shuffled := rapid.Permutation(p.clerk.outbox).Draw(p.r, "order")
	n := rapid.IntRange(1, min(most, len(shuffled))).Draw(p.r, "how many")
	p.clerk.outbox = slices.DeleteFunc(p.clerk.outbox, func(m *message) bool { return slices.Contains(shuffled[:n], m) })
	parallel, disturbance := p.drawParallel(), p.drawDisturbance()
	var deliveries []delivery
	for _, d := range p.drawDeliveries(shuffled[:n]) {
		deliveries = append(deliveries, d)
		if rapid.Bool().Draw(p.r, "with echoes") {
			deliveries = append(deliveries, p.echoes(d)...)
		}
	}
	p.deliver(parallel, disturbance, deliveries...)
}

// echoes replay to the other replica, at the same moment, what was said before of somebody whose end a message tells. That replica may
// not have heard of the end.
func (p *player) echoes(d delivery) []delivery {
	var echoes []delivery
	for _, m := range p.accepted {
		if len(echoes) < echoesAtMost && m.isAboutTheEndOf(d.message) {
			other := (d.attempts[0].replica + 1) % len(p.replicas)
			echoes = append(echoes, delivery{message: m, attempts: []attempt{{replica: other}}})
		}
	}
	return echoes
}

// isAboutTheEndOf tells whether a message spoke of what another message says is deleted.
func (m *message) isAboutTheEndOf(end *message) bool {
	if end.person != nil {
		return m.person != nil && m.person.id == end.person.id && m.person.updated.Before(end.person.updated)
	}
	if len(end.items) > 0 {
		return slices.ContainsFunc(m.items, func(i *item) bool {
			return slices.ContainsFunc(end.items, func(later *item) bool { return i.id == later.id && i.updated.Before(later.updated) })
		})
	}
	if end.domain != nil {
		return m.domain != nil && m.domain.id == end.domain.id && m.domain.updated.Before(end.domain.updated)
	}
	if end.deletedMembership != nil {
		return m.membership != nil && m.membership.id == end.deletedMembership.id
	}
	return end.deletedOrganization != "" && m.organization != nil && m.organization.id == end.deletedOrganization
}

// replaySome sends messages again that were accepted long ago.
func (p *player) replaySome() {
	again := rapid.SliceOfN(rapid.SampledFrom(p.accepted), 1, most).Draw(p.r, "replayed")
	p.deliver(p.drawParallel(), nil, p.drawDeliveries(again)...)
}

func (d dice) drawParallel() int { return rapid.SampledFrom([]int{1, 4}).Draw(d.r, "at a time") }

func (d dice) drawDeliveries(messages []*message) []delivery {
	deliveries := make([]delivery, len(messages))
	for i, m := range messages {
		deliveries[i] = delivery{message: m}
		for range rapid.IntRange(1, 3).Draw(d.r, "attempts") {
			a := attempt{replica: rapid.IntRange(0, len(d.mail.replicas)-1).Draw(d.r, "replica")}
			if rapid.IntRange(0, 4).Draw(d.r, "hangs up if 4") == 4 {
				a.hangUp = time.Duration(rapid.IntRange(1, 5).Draw(d.r, "after milliseconds")) * time.Millisecond
			}
			deliveries[i].attempts = append(deliveries[i].attempts, a)
		}
	}
	return deliveries
}

// drawDisturbance lets replicas crash or restart, now and then.
func (d dice) drawDisturbance() func() {
	victims := rapid.SampledFrom([][]int{nil, nil, nil, nil, nil, nil, nil, {0}, {1}, {0, 1}}).Draw(d.r, "restarted")
	crash := rapid.Bool().Draw(d.r, "by a crash")
	if d.mail.frozen != nil {
		victims = slices.DeleteFunc(slices.Clone(victims), func(at int) bool { return at == d.mail.frozen.replica })
	}
	if len(victims) == 0 {
		return nil
	}
	return func() {
		var restarts sync.WaitGroup
		for _, at := range victims {
			restarts.Go(func() { d.mail.restart(at, crash) })
		}
		restarts.Wait()
	}
}

// replayEverything sends the whole history again, in any order, to either replica.
func (p *player) replayEverything() {
	all := rapid.Permutation(p.accepted).Draw(p.r, "replayed in the end")
	deliveries := make([]delivery, len(all))
	for i, m := range all {
		deliveries[i] = delivery{message: m, attempts: []attempt{{replica: i % len(p.replicas)}}}
	}
	p.deliver(4, nil, deliveries...)
}
