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
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// minMoves and maxMoves bound the length of a history with resyncs.
	minMoves, maxMoves = 35, 70

	// lostOneIn is how many messages there are to one that is lost for good.
	lostOneIn = 4

	// slowest bounds how late the API answers in a slow resync, which so takes a second or two.
	slowest = 150 * time.Millisecond
)

// repaired is a Clerk whose messages get lost, the replicas that hear the rest, and what is certain of the cluster. Each has a
// ClerkInstance of its own, so that none resyncs what another made.
type repaired struct {
	*courier

	clerk    *truth
	accepted []*message
	guard    *watchman

	// heard is the least state of everything that the cluster must know; settled is what it certainly has acted on.
	heard, settled map[string]int

	// witnesses are users who do nothing, see askWitnesses.
	witnesses map[string]bool

	// held: somebody has put a finalizer on a RoleBinding. hands counts what was done by hand.
	held  bool
	hands int

	// complete: a resync has found everything, so it is known which environment the ClerkInstance is of.
	complete bool

	// staff are the ClusterGrants. settles counts how often the cluster was waited for.
	staff   []*staff
	settles int

	// url is that of the API, and stranger that of another environment's.
	url, stranger string

	// freezes is how often a replica was frozen.
	freezes int

	// asked is the resync that was asked for last, if it is not known to have ended.
	asked *askedResync
	asks  int
}

// askedResync is a resync that was asked for: what was true then, and what the cluster had acted on.
type askedResync struct {
	request      string
	true, before map[string]int
}

func newRepaired(t tester, replicas []*replica) (w *repaired, end func(*testing.T)) {
	t.Helper()
	clerk := newTruth("sk_test_" + canary)
	server := httptest.NewServer(clerk.api)
	stranger := httptest.NewServer(clerkapi.New(clerkapi.Options{InstanceID: clerk.id("ins"), Key: "sk_test_" + canary}))
	w = &repaired{
		courier: &courier{t: t, replicas: replicas, instance: "resynced-" + clerk.prefix, tell: clerk.note}, clerk: clerk,
		heard: map[string]int{}, settled: map[string]int{}, witnesses: map[string]bool{},
		url: server.URL + clerkapi.Prefix, stranger: stranger.URL + clerkapi.Prefix,
	}
	for _, object := range w.setup(w.url) {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatalf("create %s: %v", object.GetName(), err)
		}
	}
	w.guard = startWatchman(t)
	clerk.announce = w.permit
	return w, func(t *testing.T) {
		t.Helper()
		if w.frozen != nil {
			w.frozen.resume()
		}
		dismiss(w.staff)
		w.guard.stop()
		server.Close()
		stranger.Close()
		if w.t.Failed() {
			t.Logf("the history of %s, which failed:\n%s\nit failed because: %s", clerk.prefix, join(clerk.history), w.failure)
		}
	}
}

// setup is what an administrator makes. Resyncs come on demand alone, and may remove as much as they find gone.
func (w *repaired) setup(url string) []client.Object {
	key := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorproc.Namespace, Name: w.instance, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		StringData: map[string]string{"key": "sk_test_" + canary},
	}
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: w.instance},
		Spec: v1alpha1.ClerkInstanceSpec{
			Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "clerk-webhook"}},
			API: v1alpha1.ClerkInstanceAPI{
				SecretKeyRef:   v1alpha1.SecretKeyReference{Name: w.instance, Key: "key"},
				URL:            url,
				ResyncInterval: &metav1.Duration{},
				Prune:          v1alpha1.ClerkInstancePrune{MaxCount: new(int32(1000)), MaxPercent: new(int32(100))},
			},
		},
	}
	return []client.Object{key, instance, w.impostorInstance()}
}

// permit lets the watchman know what may be seen from now on.
func (w *repaired) permit() {
	for id := range w.clerk.organizations {
		w.guard.allow(id, w.clerk.possible(id, w.settled))
	}
	for _, s := range w.staff {
		w.guard.allow(s.key(), w.possibleStaff(s, w.settled))
	}
}

// deliver delivers messages until each is accepted, while disturb happens.
func (w *repaired) deliver(parallel int, disturb func(), deliveries ...delivery) {
	w.t.Helper()
	if err := w.sendAll(parallel, disturb, deliveries); err != nil {
		w.fail("deliver: %v", err)
	}
	for _, d := range deliveries {
		for _, f := range d.message.facts {
			w.heard[f.id] = max(w.heard[f.id], f.state)
		}
		if !slices.Contains(w.accepted, d.message) {
			w.accepted = append(w.accepted, d.message)
		}
	}
}

// deliverOutbox delivers everything that is on its way, in its order.
func (w *repaired) deliverOutbox() {
	w.t.Helper()
	pending := w.clerk.outbox
	w.clerk.outbox = nil
	w.deliver(1, nil, plainly(pending, len(w.replicas))...)
}

// plainly delivers messages to the replicas in turn.
func plainly(messages []*message, replicas int) []delivery {
	deliveries := make([]delivery, len(messages))
	for i, m := range messages {
		deliveries[i] = delivery{message: m, attempts: []attempt{{replica: i % replicas}}}
	}
	return deliveries
}

// askForResync asks for one, which begins as soon as one that is under way has ended. The fault befalls the API from now on.
func (w *repaired) askForResync(fault func(*http.Request) clerkapi.Fault) {
	w.t.Helper()
	w.clerk.api.Intercept(fault)
	w.asks++
	w.asked = &askedResync{request: fmt.Sprint(w.asks), true: w.clerk.present(), before: maps.Clone(w.settled)}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		v1alpha1.ResyncAnnotation: w.asked.request,
	}}})
	if err == nil {
		err = cluster.Patch(w.t.Context(), &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: w.instance}},
			client.RawPatch(types.MergePatchType, patch))
	}
	if err != nil {
		w.fail("ask for a resync: %v", err)
	}
	w.note("resync %s is asked for", w.asked.request)
}

// awaitResync waits for the end of the resync that was asked for last, and takes note of what the cluster must know by then.
func (w *repaired) awaitResync() v1alpha1.ResyncResult {
	w.t.Helper()
	var last v1alpha1.LastResync
	err := poll(w.t.Context(), func(ctx context.Context) error {
		var instance v1alpha1.ClerkInstance
		if err := cluster.Get(ctx, client.ObjectKey{Name: w.instance}, &instance); err != nil {
			return err
		}
		if last = instance.Status.LastResync; last.RequestedAt != w.asked.request {
			return fmt.Errorf("its status says %+v", instance.Status)
		}
		return nil
	})
	if err != nil {
		w.fail("resync %s does not end: %v", w.asked.request, err)
	}
	w.note("resync %s is %s", w.asked.request, last.Result)
	if last.Result == v1alpha1.ResyncComplete {
		now := w.clerk.present()
		for id, state := range w.asked.true {
			// What ended meanwhile may not have been listed any more. That something has ended is said of what was known to be mirrored;
			// and of users, those are listed who are mirrored.
			known, settled := w.asked.before[id]
			if settled && known > unknown || !w.clerk.hasEnded(id, now[id]) && w.clerk.people[id] == nil {
				w.heard[id] = max(w.heard[id], state)
			}
		}
	}
	w.asked = nil
	w.complete = w.complete || last.Result == v1alpha1.ResyncComplete
	return last.Result
}

// settle waits until the operator has made of what is mirrored what it should, and has certainly looked at all of it: after that, it can do
// nothing that follows from older states alone.
func (w *repaired) settle() {
	w.t.Helper()
	var states map[string]int
	w.until("what is mirrored is as new as it must be", func(seen *sight) (wrong []error) {
		states, wrong = w.clerk.identify(seen)
		for id, least := range w.heard {
			if states[id] < least {
				wrong = append(wrong, fmt.Errorf("%s is known in state %d, want %d", id, states[id], least))
			}
		}
		return wrong
	})
	w.askWitnesses()
	w.checkOdd()
	w.letGo()
	// An organization is reconciled once at a time: the look that finds its new name is after every one that began before.
	renamed := map[string]bool{}
	from := len(w.clerk.outbox)
	for _, id := range alive(w.clerk.organizations) {
		w.clerk.changeOrganization(id, func(o *organization) { o.name, o.odd = fmt.Sprintf("%s %d", canary, w.clerk.serial), false })
		renamed[id] = true
	}
	w.deliverFrom(from)
	looked := w.staff[w.settles%len(w.staff)] // one at a time is enough: of the others, what was permitted stays so
	w.settles++
	w.haveLookedAt(looked)
	var seen *sight
	w.until("the cluster is as what is mirrored says", func(now *sight) []error {
		seen = now
		current, wrong := w.clerk.identify(now)
		for id := range renamed {
			if current[id] < w.heard[id] {
				wrong = append(wrong, fmt.Errorf("%s is known in state %d, want %d", id, current[id], w.heard[id]))
			}
		}
		wrong = append(wrong, w.judgeStaff(now)...)
		return append(append(wrong, checkBorders(now.observation)...), w.clerk.judge(now)...)
	})
	if w.frozen != nil {
		w.checkGuard()
		return // what it has begun follows from what was so before, and may still come
	}
	w.settled, w.clerk.settledAt = states, seen.at
	for id, o := range w.clerk.organizations {
		if renamed[id] || states[id] == o.end() {
			w.guard.permitOnly(id, w.clerk.possible(id, states), seen.bindingsVersion)
		}
	}
	looked.since = nil
	w.guard.permitOnly(looked.key(), w.possibleStaff(looked, states), seen.clusterBindingsVersion)
	w.checkGuard()
}

// askWitnesses waits until the operator has seen of users, roles and memberships all that is mirrored by now: it says something of a user
// and of a role who come last, and of every membership.
func (w *repaired) askWitnesses() {
	w.t.Helper()
	from := len(w.clerk.outbox)
	w.clerk.createUser()
	w.clerk.createRole(fmt.Sprintf("org:witness_%d", w.clerk.serial), false)
	witnesses := w.clerk.outbox[from:]
	user, role := witnesses[0].facts[0].id, witnesses[1].facts[0].id
	w.witnesses[user] = true
	w.deliverFrom(from)
	w.until("the operator has looked", func(seen *sight) (wrong []error) {
		if object := seen.users[user]; object == nil || len(object.Status.Conditions) == 0 {
			wrong = append(wrong, fmt.Errorf("%s is not looked at", user))
		}
		if object := seen.roles[role]; object == nil || len(object.Status.Conditions) == 0 {
			wrong = append(wrong, fmt.Errorf("%s is not looked at", role))
		}
		for id := range w.clerk.memberships {
			if object := seen.members[id]; object != nil && object.Status.ObservedGeneration != object.Generation {
				wrong = append(wrong, fmt.Errorf("%s is looked at in generation %d of %d", id, object.Status.ObservedGeneration, object.Generation))
			}
		}
		return wrong
	})
}

// deliverFrom delivers the messages of the outbox from one on, ahead of the others.
func (w *repaired) deliverFrom(first int) {
	w.t.Helper()
	some := slices.Clone(w.clerk.outbox[first:])
	w.clerk.outbox = w.clerk.outbox[:first]
	w.deliver(len(w.replicas), nil, plainly(some, len(w.replicas))...)
}

func (w *repaired) until(what string, check func(*sight) []error) {
	w.t.Helper()
	began := time.Now()
	err := poll(w.t.Context(), func(ctx context.Context) error {
		seen, err := look(ctx)
		if err != nil {
			return err
		}
		return errors.Join(check(seen)...)
	})
	if err != nil {
		w.fail("waiting until %s, for %s:\n%v", what, patience, err)
	}
	w.note("%s, after %s", what, time.Since(began).Round(time.Millisecond))
}

func (w *repaired) checkGuard() {
	w.t.Helper()
	if violations := w.guard.violations(); len(violations) > 0 {
		w.fail("somebody had access who should not:\n%s", join(violations))
	}
}

// checkTruth wants what is mirrored to be what is true: nothing is missing, nothing is older, and nothing that has ended is still there.
func (w *repaired) checkTruth() {
	w.t.Helper()
	w.until("what is mirrored is what is true", func(seen *sight) []error {
		states, wrong := w.clerk.identify(seen)
		isMember := map[string]bool{}
		for _, id := range alive(w.clerk.memberships) {
			m, object := w.clerk.membership(id), seen.members[id]
			isMember[m.User.ID] = true
			if object != nil && (isTrue(object.Spec.User.Banned) != m.User.Banned || isTrue(object.Spec.User.Deprovisioned) != m.User.Deprovisioned ||
				!slices.Equal(object.Spec.Permissions, m.Permissions)) {
				wrong = append(wrong, fmt.Errorf("%s is mirrored as %+v, want %+v", id, object.Spec, m))
			}
		}
		for id, state := range w.clerk.present() {
			needless := w.clerk.hasEnded(id, state) || w.clerk.people[id] != nil && !isMember[id]
			if states[id] != state && (states[id] != unknown || !needless) {
				wrong = append(wrong, fmt.Errorf("%s is known in state %d, and is in %d", id, states[id], state))
			}
		}
		return append(append(wrong, w.judgeStaff(seen)...), w.clerk.judge(seen)...)
	})
}

// misfortune makes things happen in a repaired world.
type misfortune struct {
	*repaired
	dice
}

// TestAResyncRepairsWhateverWasLost plays random histories in which many messages are lost for good, of every type: people join, leave, are
// banned and let in again, users and organizations are deleted, roles change what they allow, domains are proven and given up. Resyncs run at
// any moment, also in the middle of changes, slowly, failing half-way, and while the replica that runs them ends. After a last one the
// cluster is what is true in Clerk; and nobody ever has access that does not follow from what Clerk had since the last that was delivered,
// or listed, of those it depends on.
func TestAResyncRepairsWhateverWasLost(t *testing.T) {
	playMisfortunes(t, startReplicas(t, 2))
}

// playMisfortunes plays random histories, and wants what is true in Clerk in the end.
func playMisfortunes(t *testing.T, replicas []*replica) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) {
		w, end := newRepaired(r, replicas)
		defer end(t)
		p := &misfortune{w, dice{r, w.courier}}
		began := time.Now()
		p.begin()
		for range rapid.IntRange(minMoves, maxMoves).Draw(r, "moves") {
			rapid.SampledFrom(p.moves()).Draw(r, "move").make()
			w.checkGuard()
		}
		p.endFreezes()
		w.deliverOutbox()
		w.deliver(4, nil, plainly(rapid.Permutation(w.accepted).Draw(r, "replayed in the end"), len(replicas))...)
		w.settle()
		w.askForResync(nil)
		if result := w.awaitResync(); result != v1alpha1.ResyncComplete {
			w.fail("the last resync is %s", result)
		}
		w.checkTruth()
		w.settle()
		t.Logf("%d messages, %d resyncs and %d freezes in %s", len(w.accepted), w.asks, w.freezes, time.Since(began).Round(time.Millisecond))
	})
}

// begin lets there be roles and users, of which nothing has to be heard.
func (p *misfortune) begin() {
	for _, key := range []string{roleAdmin, roleMember, roleGuest} {
		p.clerk.createRole(key, rapid.Bool().Draw(p.r, "may read"))
	}
	for range users {
		p.clerk.createUser()
	}
	p.clerk.createOrganization(p.drawPlan())
	p.staff = p.appoint(p.clerk.prefix, alive(p.clerk.organizations)[0])
	p.loseSome(0)
}

// loseSome loses messages for good, from one on.
func (p *misfortune) loseSome(from int) {
	kept := p.clerk.outbox[:from:from]
	for _, m := range p.clerk.outbox[from:] {
		if rapid.IntRange(1, lostOneIn).Draw(p.r, "lost if 1") == 1 {
			p.clerk.note("%s is lost for good", m.what)
			continue
		}
		kept = append(kept, m)
	}
	p.clerk.outbox = kept
}

// changing is a move that changes something in Clerk, of which not every message gets through.
func (p *misfortune) changing(name string, change func()) move {
	return move{name, func() {
		from := len(p.clerk.outbox)
		change()
		p.loseSome(from)
	}}
}

// moves are what can happen next. What stands here more than once happens more often.
func (p *misfortune) moves() []move {
	members, tenants, domains := alive(p.clerk.memberships), alive(p.clerk.organizations), alive(p.clerk.domains)
	happens := []move{
		p.changing("edit a role", p.editRole), {"ask for a resync", p.resync}, {"ask for a resync", p.resync}, {"settle", p.settle},
		{"name other staff", p.nameStaff}, {"name other staff", p.nameStaff},
	}
	add := func(n int, m move) {
		for range n {
			happens = append(happens, m)
		}
	}
	if len(tenants) < organizations {
		add(1, p.changing("create an organization", func() { p.clerk.createOrganization(p.drawPlan()) }))
	}
	if len(tenants) > 0 {
		add(3, p.changing("join", p.join))
		add(1, p.changing("change a plan", func() {
			plan := p.drawPlan()
			p.clerk.changeOrganization(draw(p.r, "organization", tenants), func(o *organization) { o.plan = plan })
		}))
		add(1, p.changing("delete an organization", func() {
			if rapid.Bool().Draw(p.r, "really") {
				p.clerk.deleteOrganization(draw(p.r, "organization", tenants), rapid.Bool().Draw(p.r, "tell of members"))
			}
		}))
	}
	if len(tenants)+len(members) > 0 {
		add(2, move{"do something by hand", p.meddle})
		add(1, move{"delete an object by hand", p.deleteByHand})
		add(2, move{"let another instance speak", p.impersonate})
	}
	if len(tenants) > 0 {
		add(1, p.changing("write odd metadata", func() {
			p.clerk.odd = rapid.Bool().Draw(p.r, "odd memberships")
			p.clerk.changeOrganization(draw(p.r, "organization", tenants), func(o *organization) { o.odd = true })
		}))
	}
	if len(tenants) > 0 && len(domains) < mostDomains {
		add(2, p.changing("claim a domain", func() { p.clerk.claimDomain(draw(p.r, "organization", tenants), p.drawDomainName(), p.drawProofs()) }))
	}
	if len(domains) > 0 {
		add(2, p.changing("change a domain", func() { p.clerk.changeDomain(draw(p.r, "domain", domains), p.drawProofs()) }))
		add(1, p.changing("give up a domain", func() { p.clerk.giveUp(draw(p.r, "domain", domains)) }))
	}
	if len(members) > 0 {
		add(2, p.changing("tell a membership again", func() { p.clerk.tellMembershipAgain(draw(p.r, "membership", members)) }))
		add(2, p.changing("change a role", func() {
			p.clerk.changeRole(draw(p.r, "membership", members), p.drawRole(), rapid.Bool().Draw(p.r, "on call"), p.drawEnd())
		}))
		add(2, p.changing("leave", func() { p.clerk.leave(draw(p.r, "membership", members)) }))
		add(3, p.changing("ban or not", p.ban))
		add(1, p.changing("delete a user", func() {
			p.clerk.deleteUser(p.clerk.memberships[draw(p.r, "membership", members)].last().user, rapid.Bool().Draw(p.r, "tell of memberships"))
		}))
	}
	if len(p.clerk.outbox) > 0 {
		add(4, move{"deliver", p.deliverSome})
	}
	if len(p.accepted) > 0 {
		add(1, move{"replay", func() {
			again := rapid.SliceOfN(rapid.SampledFrom(p.accepted), 1, most).Draw(p.r, "replayed")
			p.deliver(p.drawParallel(), nil, p.drawDeliveries(again)...)
		}})
	}
	for _, m := range p.freezing() {
		add(3, m)
	}
	if p.asked == nil && p.complete {
		add(1, move{"resync from another environment", p.resyncFromAnother})
	}
	if p.asked != nil {
		add(2, move{"await the resync", func() { p.awaitResync() }})
	}
	return happens
}

func draw(r *rapid.T, what string, ids []string) string { return rapid.SampledFrom(ids).Draw(r, what) }

func (p *misfortune) drawPlan() string {
	return rapid.SampledFrom([]string{"", planGold, planGold, planSilver}).Draw(p.r, "plan")
}

func (p *misfortune) drawRole() string {
	return rapid.SampledFrom([]string{roleAdmin, roleMember, roleGuest}).Draw(p.r, "role")
}

func (p *misfortune) editRole() { p.clerk.editRole(p.clerk.position(p.drawRole()).last().id) }

// join makes a user a member, mostly one of few; a user who has gone is another one when they come again.
func (p *misfortune) join() {
	people := p.people()
	for len(people) < users {
		p.clerk.createUser()
		people = p.people()
	}
	organization, user, role := draw(p.r, "organization", alive(p.clerk.organizations)), draw(p.r, "user", people), p.drawRole()
	for _, id := range alive(p.clerk.memberships) {
		if m := p.clerk.memberships[id].last(); m.organization == organization && m.user == user {
			return
		}
	}
	p.clerk.join(organization, user, role)
}

// ban changes whether somebody who is a member is let in.
func (p *misfortune) ban() {
	m := p.clerk.memberships[draw(p.r, "membership", alive(p.clerk.memberships))].last()
	state := rapid.SampledFrom([]clerkUser{{}, {}, {banned: true}, {banned: true}, {deprovisioned: true}}).Draw(p.r, "state")
	twoFactor := rapid.Bool().Draw(p.r, "two factors")
	p.clerk.changeUser(m.user, func(a *clerkUser) {
		a.banned, a.deprovisioned, a.twoFactor = state.banned, state.deprovisioned, twoFactor
	})
}

// deliverSome delivers some of the messages that are on their way, in any order.
func (p *misfortune) deliverSome() { p.deliverSomeWhile(p.drawDisturbance()) }

// deliverSomeWhile is deliverSome while something happens, also where no message is on its way.
func (p *misfortune) deliverSomeWhile(disturb func()) {
	if len(p.clerk.outbox) == 0 {
		p.deliver(1, disturb)
		return
	}
	shuffled := rapid.Permutation(p.clerk.outbox).Draw(p.r, "order")
	some := shuffled[:rapid.IntRange(1, min(most, len(shuffled))).Draw(p.r, "how many")]
	p.clerk.outbox = slices.DeleteFunc(p.clerk.outbox, func(m *message) bool { return slices.Contains(some, m) })
	p.deliver(p.drawParallel(), disturb, p.drawDeliveries(some)...)
}

// resync asks for a resync, to which something may happen.
func (p *misfortune) resync() {
	at := int64(rapid.IntRange(1, 8).Draw(p.r, "request"))
	delay := time.Duration(rapid.IntRange(1, int(slowest.Milliseconds())).Draw(p.r, "milliseconds")) * time.Millisecond
	faults := map[string]clerkapi.Fault{
		"none": {}, "slow": {Delay: delay},
		"refused": clerkapi.Refused(http.StatusForbidden), "unauthorized": clerkapi.Refused(http.StatusUnauthorized),
		"unavailable": clerkapi.ProxyError(http.StatusBadGateway), "too many": clerkapi.TooManyRequests("1"),
		"not JSON": clerkapi.NotJSON(), "truncated": {Truncated: true}, "dropped": {Drop: true},
	}
	names := slices.Sorted(maps.Keys(faults))
	name := rapid.SampledFrom(append(names, "none", "slow", "slow", "refused")).Draw(p.r, "fault")
	p.note("the API: %s, %s, request %d", name, delay, at)
	lists := []string{
		"/users", "/organizations", "/organization_memberships", "/organization_roles", "/organization_permissions", "/organization_domains",
	}
	list := rapid.SampledFrom(append(lists, "", "", "")).Draw(p.r, "the list that is refused")
	if list != "" {
		p.note("the API: 403 on %s", list)
	}
	var requests atomic.Int64
	p.askForResync(func(request *http.Request) clerkapi.Fault {
		if n := requests.Add(1); name == "slow" || n == at {
			return faults[name]
		}
		if list != "" && request.URL.Path == clerkapi.Prefix+list {
			return clerkapi.Refused(http.StatusForbidden)
		}
		return clerkapi.Fault{}
	})
}

// resyncFromAnother lets an administrator enter the URL of another environment. Nothing may come of it.
func (p *misfortune) resyncFromAnother() {
	p.setURL(p.stranger)
	p.askForResync(nil)
	if result := p.awaitResync(); result != v1alpha1.ResyncFailed {
		p.fail("a resync from another environment is %s", result)
	}
	p.setURL(p.url)
}

func (w *repaired) setURL(url string) {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"api":{"url":%q}}}`, url))
	if err := cluster.Patch(w.t.Context(), &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: w.instance}}, patch); err != nil {
		w.fail("set the URL of the API: %v", err)
	}
	w.note("the API is at %s", url)
}

// checkOdd wants that organizations whose metadata cannot be kept give nobody more than they may have by any class: what blocks a class
// blocks no demotion.
func (w *repaired) checkOdd() {
	w.t.Helper()
	w.until("odd metadata keeps nobody's access", func(seen *sight) (wrong []error) {
		for _, id := range alive(w.clerk.organizations) {
			if object := seen.organizations[id]; object != nil && w.clerk.organizations[id].last().odd {
				wrong = append(wrong, w.clerk.judgeAnyClass(seen, object)...)
			}
		}
		return wrong
	})
}

// people are the users who may join: those who were not made to bear witness.
func (p *misfortune) people() []string {
	return slices.DeleteFunc(alive(p.clerk.people), func(id string) bool { return p.witnesses[id] })
}
