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
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// tester is a test, or one history of a property test.
type tester interface {
	rapid.TB
	Context() context.Context
}

// world is Clerk, the replicas that hear it, and what is known of the cluster.
type world struct {
	*courier

	clerk *simulatedClerk

	// accepted are the messages that were answered with success, each once, and heard is what they say all together.
	accepted []*message
	heard    *model

	// settled is what the cluster was last seen to agree with, and settledAt is when; the rest is about what happened since, and what is fixed
	// for good.
	settled   *model
	settledAt time.Time
	since     map[string]*window
	words     map[string][]*person // by user
	homes     map[string][]*place
	proven    map[grant]bool // what was ever told of own domains, as what namespaces may list
	guard     *watchman

	// staff are the ClusterGrants, if there are any.
	staff []*staff
}

// late is how long after its end a grant may be written that was decided before. By the time that the cluster agrees, it is gone again.
const late = 5 * time.Second

func newWorld(t tester, replicas []*replica) *world {
	clerk := newClerk()
	w := &world{
		courier: &courier{t: t, replicas: replicas, instance: operatorproc.Instance, tell: clerk.note}, clerk: clerk,
		heard: newModel(), settled: newModel(), settledAt: time.Now(),
		since: map[string]*window{}, words: map[string][]*person{}, homes: map[string][]*place{}, proven: map[grant]bool{},
	}
	w.guard = startWatchman(t)
	return w
}

// end tells t the history where it did not end well. rapid would not: what it prints is what happened when it tried once more.
func (w *world) end(t *testing.T) {
	t.Helper()
	dismiss(w.staff)
	w.guard.stop()
	if w.t.Failed() {
		t.Logf("the history of %s, which failed:\n%s\nit failed because: %s", w.clerk.prefix, join(w.clerk.history), w.failure)
	}
}

// window is what may have happened to an organization since the cluster was last seen to agree.
type window struct {
	states  map[time.Time]*organization
	members []*membership
	items   []*item
	domains []*domain
	deleted bool
}

// changesClass tells whether a state has another class than the settled one.
func (w *world) changesClass(o *organization) bool {
	known := w.settled.organizations[o.id]
	return known != nil && known.class() != o.class()
}

// clashes tells whether a message must not be delivered before the cluster has caught up with those before it. Which namespaces an
// organization has depends on the order in which it had its classes, so that order is made certain; nothing else is.
func (w *world) clashes(m *message) bool {
	past := w.since[m.organizationID()]
	if past == nil {
		return false
	}
	if m.deletedOrganization != "" {
		return w.anyChangesClass(past)
	}
	if !w.settled.isNewsOfOrganization(m) || past.states[m.organization.updated] != nil {
		return false
	}
	if w.changesClass(m.organization) {
		return len(past.states) > 0 || past.deleted
	}
	for _, state := range past.states {
		if state.class() != m.organization.class() {
			return true
		}
	}
	return false
}

func (w *world) anyChangesClass(past *window) bool {
	for _, state := range past.states {
		if w.changesClass(state) {
			return true
		}
	}
	return false
}

// expect takes note of what a message may lead to, before it is sent.
func (w *world) expect(m *message) {
	if m.person != nil {
		w.expectOfUser(m)
		return
	}
	id := m.organizationID()
	past := w.since[id]
	if past == nil {
		past = &window{states: map[time.Time]*organization{}}
		w.since[id] = past
	}
	past.deleted = past.deleted || m.deletedOrganization != ""
	if w.settled.isNewsOfOrganization(m) {
		past.states[m.organization.updated] = m.organization
	}
	if w.settled.isNewsOfMembership(m) {
		past.members = append(past.members, m.membership)
	}
	past.items = append(past.items, slices.DeleteFunc(slices.Clone(m.items), func(i *item) bool { return !w.settled.isNewsOfItem(i) })...)
	w.expectDomain(past, m.domain)
	w.allow(id)
}

// allow permits what may be seen of an organization from now on.
func (w *world) allow(organization string) {
	w.guard.allow(organization, w.possibleGrants(organization))
	for _, s := range w.staff {
		if slices.Contains(s.named, organization) || slices.Contains(s.since, organization) {
			w.guard.allow(s.key(), w.possibleStaff(s))
		}
	}
}

// expectOfUser is expect for a message about a user.
func (w *world) expectOfUser(m *message) {
	if !w.settled.isNewsOfUser(m) {
		return
	}
	w.words[m.person.id] = append(w.words[m.person.id], m.person)
	for id := range union(w.settled.organizations, w.since) {
		w.allow(id)
	}
}

// possibleHolders are all that an organization's members may have been to rules at some moment since the cluster was last seen to agree: in
// each state, with each of the user and of the plan. Their organization owns the domain if it may have: nobody gets less by that.
func (w *world) possibleHolders(id string) []holder {
	members, news := w.settled.members(id), []*item(nil)
	if past := w.since[id]; past != nil {
		members, news = append(members, past.members...), past.items
	}
	from, owner := w.settledAt.Add(-late), w.mayOwnDomain(id)
	var all []holder
	for plan := range w.settled.plansSince(id, from, news) {
		for _, m := range members {
			for _, user := range append([]*person{w.settled.users[m.user]}, w.words[m.user]...) {
				if m.mayEnter(user) {
					all = append(all, holder{m, user, plan, owner, from})
				}
			}
		}
	}
	return all
}

// possibleGrants are all grants that an organization's members may have had at some moment since the cluster was last seen to agree, and
// the domains that its namespaces may list.
func (w *world) possibleGrants(id string) map[grant]bool {
	current := map[string]bool{}
	if o := w.settled.organizations[id]; o != nil {
		current[o.class()] = true
	}
	if past := w.since[id]; past != nil {
		for _, state := range past.states {
			current[state.class()] = true
		}
	}
	holders, all := w.possibleHolders(id), map[grant]bool{}
	for listed := range w.proven {
		if listed.organization == id {
			all[listed] = true
		}
	}
	for class := range current {
		maps.Copy(all, grants(id, class, holders...))
	}
	return all
}

// deliver delivers messages, up to parallel at a time, until each is accepted, while disturbance happens. It waits for the cluster to
// agree where what comes next depends on it.
func (w *world) deliver(parallel int, disturb func(), deliveries ...delivery) {
	w.t.Helper()
	var group []delivery
	send := func() {
		w.sendAll(parallel, disturb, group)
		group, disturb = nil, nil
	}
	for _, d := range deliveries {
		if w.clashes(d.message) {
			send()
			w.settle()
		}
		w.expect(d.message)
		group = append(group, d)
	}
	send()
	for _, past := range w.since {
		if w.anyChangesClass(past) {
			w.settle()
			return
		}
	}
}

func (w *world) sendAll(parallel int, disturb func(), deliveries []delivery) {
	w.t.Helper()
	if err := w.courier.sendAll(parallel, disturb, deliveries); err != nil {
		w.fail("deliver: %v", err)
	}
	for _, d := range deliveries {
		w.heard.accept(d.message)
		if !slices.Contains(w.accepted, d.message) {
			w.accepted = append(w.accepted, d.message)
		}
	}
}

// deliverAll delivers the whole outbox in its order.
func (w *world) deliverAll() {
	w.t.Helper()
	pending := w.clerk.outbox
	w.clerk.outbox = nil
	deliveries := make([]delivery, len(pending))
	for i, m := range pending {
		deliveries[i] = delivery{message: m, attempts: []attempt{{replica: i % len(w.replicas)}}}
	}
	w.deliver(1, nil, deliveries...)
}

// settle waits until the cluster is as it should be after what was heard, and fails if it does not get there.
func (w *world) settle() {
	w.t.Helper()
	var seen *observation
	began := time.Now()
	err := poll(w.t.Context(), func(ctx context.Context) error {
		var err error
		if seen, err = observe(ctx); err != nil {
			return err
		}
		return errors.Join(w.compare(seen)...)
	})
	if err != nil {
		w.fail("the cluster does not become what it should be within %s:\n%v", patience, err)
	}
	w.note("the cluster agrees after %s", time.Since(began).Round(time.Millisecond))
	w.settled, w.settledAt = w.heard.copy(), seen.at
	w.since, w.words = map[string]*window{}, map[string][]*person{}
	for _, id := range w.heard.knownOrganizations() {
		w.homes[id] = seen.places(id)
		w.guard.permitOnly(id, w.possibleGrants(id), seen.bindingsVersion)
	}
	for _, s := range w.staff {
		s.since = nil
		w.guard.permitOnly(s.key(), w.possibleStaff(s), seen.clusterBindingsVersion)
	}
	w.checkGuard()
}

func (w *world) checkGuard() {
	w.t.Helper()
	if violations := w.guard.violations(); len(violations) > 0 {
		w.fail("somebody had access who should not:\n%s", join(violations))
	}
}
