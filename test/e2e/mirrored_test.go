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
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// What is mirrored is judged by Clerk's own past: each object is a state that Clerk had. What the operator made of it is then judged by
// the objects, whichever states they are. So nothing here has to know what a resync saw that ran in the middle of changes.

// sight is what there is in the cluster, those of another ClerkInstance too.
type sight struct {
	*observation

	users map[string]*v1alpha1.ClerkUser // by Clerk's id, like the others
	roles map[string]*v1alpha1.ClerkRole
}

func look(ctx context.Context) (*sight, error) {
	var users v1alpha1.ClerkUserList
	var roles v1alpha1.ClerkRoleList
	if err := errors.Join(cluster.List(ctx, &users), cluster.List(ctx, &roles)); err != nil {
		return nil, err
	}
	users.Items = slices.DeleteFunc(users.Items, func(u v1alpha1.ClerkUser) bool { return ofImpostor(u.Spec.Instance) })
	roles.Items = slices.DeleteFunc(roles.Items, func(r v1alpha1.ClerkRole) bool { return ofImpostor(r.Spec.Instance) })
	seen := &sight{users: map[string]*v1alpha1.ClerkUser{}, roles: map[string]*v1alpha1.ClerkRole{}}
	for i := range users.Items {
		seen.users[users.Items[i].Spec.ID] = &users.Items[i]
	}
	for i := range roles.Items {
		seen.roles[roles.Items[i].Spec.ID] = &roles.Items[i]
	}
	var err error
	seen.observation, err = observe(ctx)
	return seen, err
}

// unknown is the state of what is not mirrored.
const unknown = -1

// identify tells which state of everything is mirrored, and what of it Clerk never said.
func (t *truth) identify(seen *sight) (states map[string]int, wrong []error) {
	states = map[string]int{}
	note := func(id string, state int, err error) {
		states[id] = state
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", id, err))
		}
	}
	for id, l := range t.organizations {
		if object := seen.organizations[id]; object != nil {
			state, err := stateOf(l, object.Spec.UpdatedAt, object.Spec.DeletedAt, func(o organization) time.Time { return o.updated })
			if err == nil && !l.ended && state == l.now() && !l.last().odd && planOf(object) != l.last().plan {
				err = fmt.Errorf("its plan is %q, want %q", planOf(object), l.last().plan)
			}
			note(id, state, err)
			continue
		}
		note(id, unknown, nil)
	}
	for id, l := range t.memberships {
		if object := seen.members[id]; object != nil {
			state, err := stateOf(l, object.Spec.UpdatedAt, object.Spec.DeletedAt, func(m membership) time.Time { return m.updated })
			if err == nil && object.Spec.DeletedAt == nil {
				err = t.checkMembership(object, l.states[state])
			}
			note(id, state, err)
			continue
		}
		note(id, unknown, nil)
	}
	for id, l := range t.people {
		if object := seen.users[id]; object != nil {
			state, err := stateOf(l, object.Spec.UpdatedAt, object.Spec.DeletedAt, func(a clerkUser) time.Time { return a.updated })
			if err == nil && object.Spec.DeletedAt == nil &&
				(isTrue(object.Spec.Banned) != l.states[state].banned || isTrue(object.Spec.Deprovisioned) != l.states[state].deprovisioned ||
					isTrue(object.Spec.TwoFactorEnabled) != l.states[state].twoFactor) {
				err = fmt.Errorf("it is mirrored as %+v, want %+v", object.Spec, l.states[state])
			}
			note(id, state, err)
			continue
		}
		note(id, unknown, nil)
	}
	for id, l := range t.positions {
		if object := seen.roles[id]; object != nil {
			state, err := stateOf(l, object.Spec.UpdatedAt, object.Spec.DeletedAt, func(p position) time.Time { return p.updated })
			if err == nil && !slices.Equal(permissionsOf(object), l.states[state].permissions()) {
				err = fmt.Errorf("it is mirrored as %+v, want %+v", object.Spec, l.states[state])
			}
			note(id, state, err)
			continue
		}
		note(id, unknown, nil)
	}
	for id, l := range t.domains {
		state, err := unknown, error(nil)
		if object := seen.domains[id]; object != nil {
			state, err = stateOf(l, object.Spec.UpdatedAt, object.Spec.DeletedAt, func(d domain) time.Time { return d.updated })
			if err == nil && object.Spec.DeletedAt == nil {
				err = compareDomain(object, &l.states[state])
			}
		}
		note(id, state, err)
	}
	return states, wrong
}

// stateOf finds the state that an object was made of. Only what has ended may be a tombstone.
func stateOf[T any](l *life[T], updated, deleted *metav1.MicroTime, updatedAt func(T) time.Time) (int, error) {
	if deleted != nil {
		if !l.ended {
			return unknown, errors.New("it is a tombstone, though it exists")
		}
		return l.end(), nil
	}
	at := slices.IndexFunc(l.states, func(s T) bool { return updated != nil && updated.Time.Equal(updatedAt(s)) })
	if at < 0 {
		return unknown, fmt.Errorf("it is mirrored as of %v, which it never was", updated)
	}
	return at, nil
}

func isTrue(value *bool) bool { return value != nil && *value }

func planOf(object *v1alpha1.ClerkOrganization) string {
	var metadata struct {
		Plan string `json:"plan"`
	}
	if object.Spec.PublicMetadata != nil && json.Unmarshal(object.Spec.PublicMetadata.Raw, &metadata) != nil {
		return "no JSON"
	}
	return metadata.Plan
}

// holderOf is a mirrored membership as conditions see it. What is dropped is not there.
func (t *truth) holderOf(seen *sight, object *v1alpha1.ClerkMember) holder {
	var metadata struct {
		OnCall bool      `json:"oncall"`
		Until  time.Time `json:"until"`
	}
	if object.Spec.PublicMetadata != nil {
		_ = json.Unmarshal(object.Spec.PublicMetadata.Raw, &metadata) // else it says neither
	}
	h := holder{membership: &membership{
		user: object.Spec.UserID, role: object.Spec.Role, permissions: t.holds(seen, object), oncall: metadata.OnCall, until: metadata.Until,
	}, owner: slices.Contains(ownDomains(seen, object.Spec.OrganizationID), ownDomain), at: seen.at}
	if user := seen.users[object.Spec.UserID]; user != nil {
		h.user = &person{twoFactor: isTrue(user.Spec.TwoFactorEnabled)}
	}
	return h
}

func permissionsOf(object *v1alpha1.ClerkRole) []string {
	var keys []string
	for _, permission := range object.Spec.Permissions {
		keys = append(keys, permission.Key)
	}
	return keys
}

// checkMembership wants what Clerk said of a membership in one state of it. What it says of the user, and of what the role allows, may be
// from any time since.
func (t *truth) checkMembership(object *v1alpha1.ClerkMember, m membership) error {
	spec := object.Spec
	users := t.people[m.user].since(t.userAt(m))
	positions := t.position(m.role)
	known := slices.ContainsFunc(users, func(a clerkUser) bool {
		return a.banned == isTrue(spec.User.Banned) && a.deprovisioned == isTrue(spec.User.Deprovisioned)
	})
	allowed := slices.ContainsFunc(positions.since(stateAt(positions, m.updated, func(p position) time.Time { return p.updated })),
		func(p position) bool { return slices.Equal(p.permissions(), spec.Permissions) })
	if spec.OrganizationID != m.organization || spec.UserID != m.user || spec.Role != m.role || !known || !allowed {
		return fmt.Errorf("it is mirrored as role %s with %v, which it never was", spec.Role, spec.Permissions)
	}
	return nil
}

// userAt is the state that a member's user was in when the membership last changed.
func (t *truth) userAt(m membership) int {
	return stateAt(t.people[m.user], m.updated, func(a clerkUser) time.Time { return a.updated })
}

func stateAt[T any](l *life[T], at time.Time, updatedAt func(T) time.Time) int {
	state := 0
	for i, s := range l.states {
		if !updatedAt(s).After(at) {
			state = i
		}
	}
	return state
}

// templateGrant is one user's ClusterRole in the namespace of an organization that a template made.
type templateGrant struct {
	template, subject, clusterRole string
}

// wanted are the grants that follow from what is mirrored of an organization.
func (t *truth) wanted(seen *sight, id string) map[templateGrant]bool {
	want := map[templateGrant]bool{}
	object := seen.organizations[id]
	if object == nil || object.Spec.DeletedAt != nil {
		return want
	}
	class := (&organization{plan: planOf(object)}).class()
	for _, member := range seen.members {
		if member.Spec.OrganizationID != id || member.Spec.DeletedAt != nil || !letsIn(seen, member) {
			continue
		}
		for _, e := range classes[class] {
			for _, clusterRole := range e.clusterRoles(t.holderOf(seen, member)) {
				want[templateGrant{e.template, subject(member.Spec.UserID), clusterRole}] = true
			}
		}
	}
	return want
}

// letsIn tells whether a member's user may enter. What the user's object says counts; against that, the membership may only keep out, and
// only if it was said later, or at the same time.
func letsIn(seen *sight, member *v1alpha1.ClerkMember) bool {
	membershipLetsIn := !isTrue(member.Spec.User.Banned) && !isTrue(member.Spec.User.Deprovisioned)
	user := seen.users[member.Spec.UserID]
	switch {
	case user == nil:
		return membershipLetsIn
	case user.Spec.DeletedAt != nil || isTrue(user.Spec.Banned) || isTrue(user.Spec.Deprovisioned):
		return false
	}
	return membershipLetsIn || saidAt(user.Spec.AsOf, user.Spec.UpdatedAt).After(saidAt(member.Spec.AsOf, member.Spec.UpdatedAt))
}

// saidAt is when Clerk said something.
func saidAt(asOf, updatedAt *metav1.MicroTime) time.Time {
	if asOf != nil {
		return asOf.Time
	}
	return updatedAt.Time
}

// holds are the permissions of a member's role, or those that the membership tells while the role is not mirrored.
func (t *truth) holds(seen *sight, member *v1alpha1.ClerkMember) []string {
	if role := seen.roles[t.position(member.Spec.Role).last().id]; role != nil {
		return permissionsOf(role)
	}
	return member.Spec.Permissions
}

// judge says what the operator has not, or not yet, made of what is mirrored.
func (t *truth) judge(seen *sight) []error {
	var wrong []error
	for id := range t.organizations {
		if object := seen.organizations[id]; object != nil {
			for _, problem := range t.judgeOrganization(seen, object) {
				wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
			}
		}
	}
	for id := range t.memberships {
		if object := seen.members[id]; object != nil {
			if problem := judgeMember(seen, object); problem != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
			}
		}
	}
	return wrong
}

func (t *truth) judgeOrganization(seen *sight, object *v1alpha1.ClerkOrganization) []error {
	id := object.Spec.ID
	if len(object.Spec.DroppedFields) > 0 {
		return t.judgeAnyClass(seen, object) // it has ended, of which nothing was heard, and was odd until then
	}
	reason := v1alpha1.ReasonReady
	if object.Spec.DeletedAt != nil {
		reason = v1alpha1.ReasonDeleted
	}
	wrong := []error{compareReady(object.Status.Conditions, object.Generation, reason)}
	if object.Status.ObservedGeneration != object.Generation {
		wrong = append(wrong, fmt.Errorf("its status is of generation %d, want %d", object.Status.ObservedGeneration, object.Generation))
	}
	templates, have := map[string]string{}, map[templateGrant]bool{}
	for _, place := range seen.places(id) {
		templates[place.name] = place.template
	}
	for _, binding := range seen.bindings {
		if binding.Labels[v1alpha1.OrganizationIDLabel] != id {
			continue
		}
		if !slices.Contains(object.Status.Namespaces, v1alpha1.OrganizationNamespace{Name: binding.Namespace, State: v1alpha1.NamespaceActive}) {
			wrong = append(wrong, fmt.Errorf("the RoleBinding %s/%s is in no namespace of its class", binding.Namespace, binding.Name))
		}
		for _, s := range binding.Subjects {
			have[templateGrant{templates[binding.Namespace], s.Name, binding.RoleRef.Name}] = true
		}
	}
	if want := t.wanted(seen, id); !maps.Equal(have, want) {
		wrong = append(wrong, fmt.Errorf("its RoleBindings grant %v, want %v", have, want))
	}
	return nonNil(append(wrong, judgeLists(seen, object)...))
}

// judgeAnyClass wants that nobody has more in an organization than some class would give by what is mirrored of the members.
func (t *truth) judgeAnyClass(seen *sight, object *v1alpha1.ClerkOrganization) []error {
	may := map[grant]bool{}
	for _, member := range seen.members {
		if member.Spec.OrganizationID != object.Spec.ID || member.Spec.DeletedAt != nil || !letsIn(seen, member) {
			continue
		}
		for class := range classes {
			maps.Copy(may, grants(object.Spec.ID, class, t.holderOf(seen, member)))
		}
	}
	wrong := judgeLists(seen, object)
	for _, binding := range seen.bindings {
		for _, s := range binding.Subjects {
			if binding.Labels[v1alpha1.OrganizationIDLabel] == object.Spec.ID && !may[grant{object.Spec.ID, s.Name, binding.RoleRef.Name}] {
				wrong = append(wrong, fmt.Errorf("%s: %s has %s in %s", object.Spec.ID, s.Name, binding.RoleRef.Name, binding.Namespace))
			}
		}
	}
	return wrong
}

// judgeMember wants a status that says what the RoleBindings are.
func judgeMember(seen *sight, object *v1alpha1.ClerkMember) error {
	if object.Status.ObservedGeneration != object.Generation {
		return fmt.Errorf("its status is of generation %d, want %d", object.Status.ObservedGeneration, object.Generation)
	}
	for id, other := range seen.members {
		if id != object.Spec.ID && other.Spec.OrganizationID == object.Spec.OrganizationID && other.Spec.UserID == object.Spec.UserID &&
			other.Spec.DeletedAt == nil {
			return nil // what one membership of a user gives and another does not, no status can tell apart
		}
	}
	var have, want []string
	for _, binding := range object.Status.Bindings {
		have = append(have, binding.Namespace+" "+binding.ClusterRole)
	}
	for key, subjects := range seen.granted(object.Spec.OrganizationID) {
		if slices.Contains(subjects, subject(object.Spec.UserID)) {
			want = append(want, key)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("its status says that it is bound by %v, want %v", have, want)
	}
	return nil
}

// possible are all grants of an organization that may be seen from settledAt on, when what is mirrored of everything is the given state or a
// later one, and the domains that its namespaces may list: all that it ever owned.
func (t *truth) possible(id string, from map[string]int) map[grant]bool {
	all, o := t.everListed(id), t.organizations[id]
	holders := t.possibleHolders(id, from)
	if from[id] == o.end() {
		return all
	}
	for _, was := range o.since(from[id]) {
		maps.Copy(all, grants(id, was.class(), holders...))
	}
	return all
}

// possibleHolders are all that the members of an organization may be to rules, as in possible.
func (t *truth) possibleHolders(id string, from map[string]int) []holder {
	var all []holder
	owner := t.mayOwnDomain(id, from)
	for _, m := range t.memberships {
		if m.last().organization != id || from[m.last().id] == m.end() || from[id] == t.organizations[id].end() {
			continue
		}
		for _, state := range m.since(from[m.last().id]) {
			if !t.mayEverEnter(state, from) {
				continue
			}
			for _, h := range t.mayHold(state, from) {
				h.owner = owner
				all = append(all, h)
			}
		}
	}
	return all
}

// mayEverEnter tells whether any state of a member's user lets them in. What the membership tells of the user is left out: it counts for
// nothing against a listing that is newer, and by the clocks of these histories, which begin an hour ago, any listing is.
func (t *truth) mayEverEnter(m membership, from map[string]int) bool {
	user := t.people[m.user]
	if from[m.user] == user.end() {
		return false
	}
	return slices.ContainsFunc(user.since(from[m.user]), clerkUser.mayEnter)
}

// mayHold is a membership with all that its role may allow, and with two factors if the user may have them: nobody gets less by that.
func (t *truth) mayHold(m membership, from map[string]int) []holder {
	mayHaveTwo := slices.ContainsFunc(t.people[m.user].since(from[m.user]), func(a clerkUser) bool { return a.twoFactor })
	var all []holder
	role := t.position(m.role)
	for _, state := range role.since(from[role.last().id]) {
		held := m
		held.permissions = state.permissions()
		all = append(all, holder{membership: &held, user: &person{twoFactor: mayHaveTwo}, at: t.settledAt.Add(-late)})
	}
	return all
}
