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
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// observation is what there is in the cluster.
type observation struct {
	organizations   map[string]*v1alpha1.ClerkOrganization // by Clerk's id, like the others
	members         map[string]*v1alpha1.ClerkMember
	users           map[string]*v1alpha1.ClerkUser
	namespaces      map[string]*corev1.Namespace // all of them, by name
	bindings        []rbacv1.RoleBinding         // without those of impostors, as objects of what is mirrored
	everyBinding    []rbacv1.RoleBinding
	bindingsVersion string

	items                  map[string]*v1alpha1.ClerkSubscriptionItem
	domains                map[string]*v1alpha1.ClerkOrganizationDomain
	clusterGrants          map[string]*v1alpha1.ClusterGrant // by name
	clusterBindings        []rbacv1.ClusterRoleBinding       // of ClusterGrants
	clusterBindingsVersion string

	// at is when it began to look.
	at time.Time
}

func observe(ctx context.Context) (*observation, error) {
	var organizations v1alpha1.ClerkOrganizationList
	var members v1alpha1.ClerkMemberList
	var users v1alpha1.ClerkUserList
	var namespaces corev1.NamespaceList
	var bindings rbacv1.RoleBindingList
	var items v1alpha1.ClerkSubscriptionItemList
	var domains v1alpha1.ClerkOrganizationDomainList
	var clusterGrants v1alpha1.ClusterGrantList
	at := time.Now()
	clusterBindings, err := listClusterBindings(ctx)
	err = errors.Join(
		err,
		cluster.List(ctx, &items),
		cluster.List(ctx, &domains),
		cluster.List(ctx, &clusterGrants),
		cluster.List(ctx, &organizations),
		cluster.List(ctx, &members),
		cluster.List(ctx, &users),
		cluster.List(ctx, &namespaces),
		cluster.List(ctx, &bindings, client.HasLabels{v1alpha1.OrganizationIDLabel}),
	)
	if err != nil {
		return nil, err
	}
	seen := &observation{
		organizations:   map[string]*v1alpha1.ClerkOrganization{},
		members:         map[string]*v1alpha1.ClerkMember{},
		users:           map[string]*v1alpha1.ClerkUser{},
		namespaces:      map[string]*corev1.Namespace{},
		everyBinding:    bindings.Items,
		bindingsVersion: bindings.ResourceVersion,

		items:                  map[string]*v1alpha1.ClerkSubscriptionItem{},
		domains:                map[string]*v1alpha1.ClerkOrganizationDomain{},
		clusterGrants:          map[string]*v1alpha1.ClusterGrant{},
		clusterBindings:        clusterBindings.Items,
		clusterBindingsVersion: clusterBindings.ResourceVersion,

		at: at,
	}
	for i := range clusterGrants.Items {
		seen.clusterGrants[clusterGrants.Items[i].Name] = &clusterGrants.Items[i]
	}
	for i := range items.Items {
		seen.items[items.Items[i].Spec.ID] = &items.Items[i]
	}
	domains.Items = slices.DeleteFunc(domains.Items, func(d v1alpha1.ClerkOrganizationDomain) bool { return ofImpostor(d.Spec.Instance) })
	for i := range domains.Items {
		seen.domains[domains.Items[i].Spec.ID] = &domains.Items[i]
	}
	for _, binding := range bindings.Items {
		if !isImpostor(binding.Labels) {
			seen.bindings = append(seen.bindings, binding)
		}
	}
	organizations.Items = slices.DeleteFunc(organizations.Items, func(o v1alpha1.ClerkOrganization) bool { return ofImpostor(o.Spec.Instance) })
	members.Items = slices.DeleteFunc(members.Items, func(m v1alpha1.ClerkMember) bool { return ofImpostor(m.Spec.Instance) })
	users.Items = slices.DeleteFunc(users.Items, func(u v1alpha1.ClerkUser) bool { return ofImpostor(u.Spec.Instance) })
	for i := range organizations.Items {
		seen.organizations[organizations.Items[i].Spec.ID] = &organizations.Items[i]
	}
	for i := range members.Items {
		seen.members[members.Items[i].Spec.ID] = &members.Items[i]
	}
	for i := range users.Items {
		seen.users[users.Items[i].Spec.ID] = &users.Items[i]
	}
	for i := range namespaces.Items {
		seen.namespaces[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	return seen, nil
}

// place is a namespace of an organization, once it was seen: it never goes, and never becomes another's.
type place struct {
	name, template string
	created        time.Time

	// released: no class wanted it when the cluster last agreed.
	released bool
}

// places are an organization's namespaces, oldest first.
func (s *observation) places(organization string) []*place {
	var own []*place
	for _, namespace := range s.namespaces {
		if namespace.Labels[v1alpha1.OrganizationIDLabel] == organization && !isImpostor(namespace.Labels) {
			own = append(own, &place{
				name:     namespace.Name,
				template: namespace.Annotations[v1alpha1.NameTemplateAnnotation],
				created:  namespace.CreationTimestamp.Time,
				released: s.isReleased(organization, namespace.Name),
			})
		}
	}
	slices.SortFunc(own, func(a, b *place) int {
		if order := a.created.Compare(b.created); order != 0 {
			return order
		}
		return strings.Compare(a.name, b.name)
	})
	return own
}

func (s *observation) isReleased(organization, namespace string) bool {
	object := s.organizations[organization]
	return object != nil && slices.Contains(object.Status.Namespaces,
		v1alpha1.OrganizationNamespace{Name: namespace, State: v1alpha1.NamespaceReleased})
}

// granted are the subjects of an organization's RoleBindings, by namespace and ClusterRole.
func (s *observation) granted(organization string) map[string][]string {
	granted := map[string][]string{}
	for _, binding := range s.bindings {
		if binding.Labels[v1alpha1.OrganizationIDLabel] != organization {
			continue
		}
		key := binding.Namespace + " " + binding.RoleRef.Name
		granted[key] = append(granted[key], "") // so that one without subjects is seen too
		for _, subject := range binding.Subjects {
			granted[key] = append(granted[key], subject.Name)
		}
	}
	return sortedValues(granted)
}

func sortedValues(all map[string][]string) map[string][]string {
	for _, values := range all {
		slices.Sort(values)
	}
	return all
}

// compare says what in the cluster is not as it should be.
func (w *world) compare(seen *observation) []error {
	var wrong []error
	for _, id := range w.heard.knownOrganizations() {
		for _, problem := range w.compareOrganization(seen, id) {
			wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
		}
	}
	wrong = append(wrong, w.compareMembers(seen)...)
	wrong = append(wrong, w.compareUsers(seen)...)
	wrong = append(wrong, w.compareItems(seen)...)
	wrong = append(wrong, w.compareDomains(seen)...)
	wrong = append(wrong, compareStaff(seen, w.staff, func(s *staff) map[grant]bool { return w.wantStaff(s, seen.at) })...)
	return append(wrong, w.findStrangers(seen)...)
}

// findStrangers says what exists that nobody was told of.
func (w *world) findStrangers(seen *observation) []error {
	var wrong []error
	known := union(w.heard.organizations, w.heard.deletedOrganizations)
	for name, namespace := range seen.namespaces {
		owner := namespace.Labels[v1alpha1.OrganizationIDLabel]
		if strings.Contains(name, "-"+w.clerk.prefix+"-") && !known[owner] {
			wrong = append(wrong, fmt.Errorf("the namespace %s is of %q", name, owner))
		}
	}
	for _, m := range w.clerk.outbox {
		if o := m.organization; o != nil && !known[o.id] && seen.organizations[o.id] != nil {
			wrong = append(wrong, fmt.Errorf("%s exists before it was told of", o.id))
		}
	}
	return wrong
}

func (w *world) compareOrganization(seen *observation, id string) []error {
	object := seen.organizations[id]
	if object == nil {
		return []error{errors.New("it is not mirrored")}
	}
	if w.heard.deletedOrganizations[id] {
		return w.compareDeleted(seen, object)
	}
	o := w.heard.organizations[id]
	wrong := []error{compareState(object, o), compareReady(object.Status.Conditions, object.Generation, v1alpha1.ReasonReady)}
	members := w.heard.members(id)
	if object.Status.ClassName != o.class() || object.Status.Members == nil || int(*object.Status.Members) != len(members) ||
		object.Status.ObservedGeneration != object.Generation {
		wrong = append(wrong, fmt.Errorf("its status is %+v, want class %s and %d members", object.Status, o.class(), len(members)))
	}

	filled, released, problems := w.assign(seen, o)
	wrong = append(wrong, problems...)
	states, granted := map[string]v1alpha1.NamespaceState{}, map[string][]string{}
	for i, place := range filled {
		if place == nil {
			continue
		}
		states[place.name] = v1alpha1.NamespaceActive
		if place.template != classes[o.class()][i].template {
			wrong = append(wrong, fmt.Errorf("the namespace %s is made from %q, want %q", place.name, place.template, classes[o.class()][i].template))
		}
		maps.Copy(granted, wantGranted(place.name, classes[o.class()][i], w.heard.holders(id, seen.at)))
	}
	for _, place := range released {
		states[place.name] = v1alpha1.NamespaceReleased
	}
	wrong = append(wrong, compareStates(object, states))
	wrong = append(wrong, compareLists(seen, w.heard.ownDomains(id), o.class() == planGold, states)...)
	if have := seen.granted(id); !equality.Semantic.DeepEqual(have, granted) {
		wrong = append(wrong, fmt.Errorf("its RoleBindings grant %v, want %v", have, granted))
	}
	return nonNil(wrong)
}

// wantGranted is what an entry of a class grants in its namespace, in the form of observation.granted.
func wantGranted(namespace string, e entry, holders []holder) map[string][]string {
	granted := map[string][]string{}
	for _, h := range holders {
		for _, role := range e.clusterRoles(h) {
			key := namespace + " " + role
			if granted[key] == nil {
				granted[key] = []string{""}
			}
			if name := subject(h.membership.user); !slices.Contains(granted[key], name) {
				granted[key] = append(granted[key], name)
			}
		}
	}
	return sortedValues(granted)
}

func compareState(object *v1alpha1.ClerkOrganization, o *organization) error {
	spec := object.Spec
	if spec.Instance != operatorproc.Instance || spec.Slug != o.slug || spec.Name != o.name || spec.DeletedAt != nil ||
		spec.UpdatedAt == nil || !spec.UpdatedAt.Time.Equal(o.updated) {
		return fmt.Errorf("it is mirrored as slug %q of %v, want %q of %s", spec.Slug, spec.UpdatedAt, o.slug, o.updated)
	}
	return nil
}

func compareReady(conditions []metav1.Condition, generation int64, reason string) error {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.Reason != reason || ready.ObservedGeneration != generation ||
		meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled) != nil {
		return fmt.Errorf("its conditions are %+v at generation %d, want it ready by %s", conditions, generation, reason)
	}
	return nil
}

func compareStates(object *v1alpha1.ClerkOrganization, want map[string]v1alpha1.NamespaceState) error {
	have := map[string]v1alpha1.NamespaceState{}
	for _, namespace := range object.Status.Namespaces {
		have[namespace.Name] = namespace.State
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("its status says of its namespaces %v, want %v", have, want)
	}
	return nil
}

// compareDeleted wants a tombstone with nothing but ids, no access, and every namespace where it was.
func (w *world) compareDeleted(seen *observation, object *v1alpha1.ClerkOrganization) []error {
	id := object.Spec.ID
	wrong := []error{compareReady(object.Status.Conditions, object.Generation, v1alpha1.ReasonDeleted)}
	tombstone := v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: operatorproc.Instance, ID: id, DeletedAt: object.Spec.DeletedAt}}
	if object.Spec.DeletedAt == nil || !equality.Semantic.DeepEqual(object.Spec, tombstone) {
		wrong = append(wrong, fmt.Errorf("it is deleted but mirrored as %+v", object.Spec))
	}
	if have := seen.granted(id); len(have) > 0 {
		wrong = append(wrong, fmt.Errorf("it is deleted but its RoleBindings grant %v", have))
	}
	own, fresh, problems := w.placesSince(seen, id)
	wrong = append(wrong, problems...)
	if len(fresh) > 0 && (w.settled.organizations[id] != nil || w.settled.deletedOrganizations[id]) {
		wrong = append(wrong, fmt.Errorf("it has new namespaces: %v", names(fresh)))
	}
	states := map[string]v1alpha1.NamespaceState{}
	for _, place := range own {
		states[place.name] = v1alpha1.NamespaceRetained
	}
	wrong = append(wrong, compareLists(seen, nil, false, states)...)
	return nonNil(append(wrong, compareStates(object, states)))
}

// placesSince are an organization's namespaces, and those of them that are new since the cluster last agreed. None may have gone.
func (w *world) placesSince(seen *observation, id string) (own, fresh []*place, wrong []error) {
	own = seen.places(id)
	for _, place := range own {
		if !slices.ContainsFunc(w.homes[id], named(place.name)) {
			fresh = append(fresh, place)
			wrong = append(wrong, w.checkName(seen, id, place))
		}
	}
	for _, old := range w.homes[id] {
		if !slices.ContainsFunc(own, named(old.name)) {
			wrong = append(wrong, fmt.Errorf("its namespace %s is no longer its own", old.name))
		}
	}
	return own, fresh, wrong
}

func named(name string) func(*place) bool {
	return func(p *place) bool { return p.name == name }
}

func names(places []*place) []string {
	var all []string
	for _, place := range places {
		all = append(all, place.name)
	}
	return all
}

// assign says which namespace fills which entry of an organization's class, by the rules: the one that was made from the entry's
// template; else the one of the entry's name, as it is or with a hash; and if one entry and one namespace, which was in use until now,
// are left over in the end, they belong together. What is then missing must have been made. The second result are the namespaces that no
// entry wants.
func (w *world) assign(seen *observation, o *organization) (filled, released []*place, wrong []error) {
	_, fresh, wrong := w.placesSince(seen, o.id)
	entries := classes[o.class()]
	filled = make([]*place, len(entries))
	rest := slices.Clone(w.homes[o.id])
	take := func(from *[]*place, fits func(entry, *place) bool) {
		for i := range entries {
			at := slices.IndexFunc(*from, func(p *place) bool { return filled[i] == nil && fits(entries[i], p) })
			if at >= 0 {
				filled[i] = (*from)[at]
				*from = slices.Delete(slices.Clone(*from), at, at+1)
			}
		}
	}
	ofTemplate := func(e entry, p *place) bool { return p.template == e.template }
	take(&rest, ofTemplate)
	take(&rest, func(e entry, p *place) bool { return p.name == w.expand(e.template, o) })
	take(&rest, func(e entry, p *place) bool { return isSuffixed(p.name, w.expand(e.template, o)) })
	if missing(filled) == 1 && len(rest) == 1 && !rest[0].released {
		take(&rest, func(entry, *place) bool { return true })
	}
	take(&fresh, ofTemplate)
	if n := missing(filled); n > 0 {
		wrong = append(wrong, fmt.Errorf("%d of its namespaces are missing", n))
	}
	if len(fresh) > 0 {
		wrong = append(wrong, fmt.Errorf("it has namespaces that it should not have: %v", names(fresh)))
	}
	return asSeen(seen, o.id, filled), rest, wrong
}

func missing(places []*place) int {
	n := 0
	for _, place := range places {
		if place == nil {
			n++
		}
	}
	return n
}

// asSeen replaces places by what they are now.
func asSeen(seen *observation, id string, places []*place) []*place {
	now := seen.places(id)
	result := make([]*place, len(places))
	for i, old := range places {
		if old == nil {
			continue
		}
		if at := slices.IndexFunc(now, named(old.name)); at >= 0 {
			result[i] = now[at]
		}
	}
	return result
}

// expand is what a template gives for an organization: its handle is the slug, or else the name made DNS-safe.
func (w *world) expand(template string, o *organization) string {
	handle := o.slug
	if handle == "" {
		handle = w.clerk.prefix + "-unnamed-co"
	}
	return strings.ReplaceAll(template, "${organization.handle}", handle)
}

// isSuffixed tells whether a name is another one with a hash.
func isSuffixed(name, plain string) bool {
	rest, extended := strings.CutPrefix(name, plain)
	return extended && suffix.MatchString(rest)
}

var suffix = regexp.MustCompile(`^-[0-9a-f]{8}$`)

// checkName wants of a new namespace the name that its template gives for a state of the organization, or that with a hash, if the name is
// taken: by somebody else's namespace, or by one of its own that has kept it from another template or slug.
func (w *world) checkName(seen *observation, id string, p *place) error {
	past := w.since[id]
	if past == nil {
		return fmt.Errorf("it got the namespace %s, though nothing was told of it", p.name)
	}
	for _, state := range past.states {
		plain := w.expand(p.template, state)
		if p.name == plain {
			return nil
		}
		if isSuffixed(p.name, plain) && seen.namespaces[plain] != nil {
			return nil
		}
	}
	return fmt.Errorf("it got the namespace %s, which no state of it gives", p.name)
}

func (w *world) compareMembers(seen *observation) []error {
	var wrong []error
	for id := range w.heard.deletedMemberships {
		if problem := w.compareFormer(seen.members[id], w.heard.deletedMemberships[id]); problem != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
		}
	}
	for id, m := range w.heard.memberships {
		object := seen.members[id]
		if object == nil {
			wrong = append(wrong, fmt.Errorf("%s is not mirrored", id))
			continue
		}
		for _, problem := range nonNil([]error{compareMembership(object, m), w.compareMemberStatus(seen, object, m)}) {
			wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
		}
	}
	return wrong
}

// compareFormer wants a tombstone with nothing but ids.
func (w *world) compareFormer(object *v1alpha1.ClerkMember, m *membership) error {
	if object == nil {
		return errors.New("it has no tombstone")
	}
	tombstone := v1alpha1.ClerkMemberSpec{
		Entity:         v1alpha1.Entity{Instance: operatorproc.Instance, ID: m.id, DeletedAt: object.Spec.DeletedAt},
		OrganizationID: m.organization,
		UserID:         m.user,
	}
	if object.Spec.DeletedAt == nil || !equality.Semantic.DeepEqual(object.Spec, tombstone) {
		return fmt.Errorf("it is deleted but mirrored as %+v", object.Spec)
	}
	if object.Status.Subject != "" || len(object.Status.Bindings) > 0 {
		return fmt.Errorf("it is deleted but its status says %+v", object.Status)
	}
	return errors.Join(
		compareReady(object.Status.Conditions, object.Generation, v1alpha1.ReasonDeleted),
		compareBound(object, metav1.ConditionFalse, v1alpha1.ReasonDeleted),
	)
}

func compareBound(object *v1alpha1.ClerkMember, status metav1.ConditionStatus, reason string) error {
	bound := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionBound)
	if bound == nil || bound.Status != status || bound.Reason != reason || object.Status.ObservedGeneration != object.Generation {
		return fmt.Errorf("its status is %+v, want Bound %s by %s", object.Status, status, reason)
	}
	return nil
}

func compareMembership(object *v1alpha1.ClerkMember, m *membership) error {
	spec := object.Spec
	banned := spec.User.Banned != nil && *spec.User.Banned
	deprovisioned := spec.User.Deprovisioned != nil && *spec.User.Deprovisioned
	if spec.Instance != operatorproc.Instance || spec.OrganizationID != m.organization || spec.UserID != m.user || spec.Role != m.role ||
		!slices.Equal(spec.Permissions, m.permissions) || banned != m.banned || deprovisioned != m.deprovisioned ||
		spec.DeletedAt != nil || spec.UpdatedAt == nil || !spec.UpdatedAt.Time.Equal(m.updated) {
		return fmt.Errorf("it is mirrored as role %s of %v, want %s of %s", spec.Role, spec.UpdatedAt, m.role, m.updated)
	}
	return nil
}

// compareUsers wants every user mirrored as last heard of, and of those deleted nothing but the id.
func (w *world) compareUsers(seen *observation) []error {
	var wrong []error
	for id, p := range w.heard.users {
		object := seen.users[id]
		if object == nil {
			wrong = append(wrong, fmt.Errorf("%s is not mirrored", id))
			continue
		}
		spec := object.Spec
		tombstone := v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{Instance: operatorproc.Instance, ID: id, DeletedAt: spec.DeletedAt}}
		switch {
		case p.deleted && (spec.DeletedAt == nil || !equality.Semantic.DeepEqual(spec, tombstone)):
			wrong = append(wrong, fmt.Errorf("%s is deleted but mirrored as %+v", id, spec))
		case !p.deleted && (spec.UpdatedAt == nil || !spec.UpdatedAt.Time.Equal(p.updated) || (spec.Banned != nil) != p.banned ||
			(spec.Deprovisioned != nil) != p.deprovisioned || isTrue(spec.TwoFactorEnabled) != p.twoFactor):
			wrong = append(wrong, fmt.Errorf("%s is mirrored as of %v, banned %t, want %s, banned %t",
				id, spec.UpdatedAt, spec.Banned != nil, p.updated, p.banned))
		}
	}
	return wrong
}

func (w *world) compareMemberStatus(seen *observation, object *v1alpha1.ClerkMember, m *membership) error {
	o := w.heard.organizations[m.organization]
	var want []string
	if o != nil {
		for key, subjects := range seen.granted(m.organization) {
			if slices.Contains(subjects, subject(m.user)) {
				want = append(want, key)
			}
		}
	}
	if w.isShared(m) {
		return nil // what one membership of a user gives and another does not, no status can tell apart
	}
	var have []string
	for _, binding := range object.Status.Bindings {
		have = append(have, binding.Namespace+" "+binding.ClusterRole)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) || object.Status.Subject != subject(m.user) {
		return fmt.Errorf("its status says %q is bound by %v, want %v", object.Status.Subject, have, want)
	}
	held := holder{m, w.heard.users[m.user], w.heard.planAt(m.organization, seen.at), w.heard.ownsDomain(m.organization), seen.at}
	switch {
	case o == nil:
		return compareBound(object, metav1.ConditionFalse, v1alpha1.ReasonDeleted)
	case !m.mayEnter(w.heard.users[m.user]):
		return compareBound(object, metav1.ConditionFalse, m.barredBy(w.heard.users[m.user]))
	case len(grants(o.id, o.class(), held)) == 0:
		return compareBound(object, metav1.ConditionFalse, v1alpha1.ReasonRoleNotMapped)
	}
	if have, want := object.Status.Expires, held.expires(o.class()); want.IsZero() != have.IsZero() || have != nil && !have.Time.Equal(want) {
		return fmt.Errorf("its status says that it ends at %v, want %s", have, clock(want))
	}
	return errors.Join(
		compareBound(object, metav1.ConditionTrue, v1alpha1.ReasonBound),
		compareReady(object.Status.Conditions, object.Generation, v1alpha1.ReasonReady),
	)
}

// isShared tells whether a user has another membership of the same organization, because the end of the first is not known yet.
func (w *world) isShared(m *membership) bool {
	return slices.ContainsFunc(w.heard.members(m.organization), func(other *membership) bool {
		return other.id != m.id && other.user == m.user
	})
}

func nonNil(errs []error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// power is what each ClusterRole lets do, each more than the one before it.
var power = []struct {
	clusterRole string
	attributes  authorizationv1.ResourceAttributes
}{
	{"view", authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"}},
	{"edit", authorizationv1.ResourceAttributes{Verb: "create", Resource: "pods"}},
	{"admin", authorizationv1.ResourceAttributes{Verb: "create", Resource: "rolebindings", Group: rbacv1.GroupName}},
}

// checkAccess asks the API server what each user who ever was a member of anything may do in each namespace, and wants exactly what the
// model gives. The API server itself takes a moment to notice RoleBindings.
func (w *world) checkAccess() {
	w.t.Helper()
	users := map[string]bool{}
	for _, all := range []map[string]*membership{w.heard.memberships, w.heard.deletedMemberships} {
		for _, m := range all {
			users[m.user] = true
		}
	}
	err := poll(w.t.Context(), func(ctx context.Context) error {
		seen, err := observe(ctx)
		if err != nil {
			return err
		}
		var wrong []error
		for user := range users {
			wrong = append(wrong, w.checkStaff(ctx, user, seen.at))
		}
		for _, id := range w.heard.knownOrganizations() {
			for _, place := range seen.places(id) {
				for user := range users {
					wrong = append(wrong, w.checkUser(ctx, seen, id, place, user))
				}
			}
		}
		return errors.Join(wrong...)
	})
	if err != nil {
		w.fail("access is not as it should be: %v", err)
	}
}

func (w *world) checkUser(ctx context.Context, seen *observation, id string, p *place, user string) error {
	want := -1
	if o := w.heard.organizations[id]; o != nil {
		filled, _, _ := w.assign(seen, o)
		if at := slices.IndexFunc(filled, func(f *place) bool { return f != nil && f.name == p.name }); at >= 0 {
			granted := wantGranted(p.name, classes[o.class()][at], w.heard.holders(id, seen.at))
			for i, level := range power {
				if slices.Contains(granted[p.name+" "+level.clusterRole], subject(user)) {
					want = i
				}
			}
		}
	}
	if want < 0 && w.isStaff(user, seen.at) {
		want = 0
	}
	var wrong []error
	for i, level := range power {
		attributes := level.attributes
		attributes.Namespace = p.name
		review := &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: subject(user), ResourceAttributes: &attributes},
		}
		if err := cluster.Create(ctx, review); err != nil {
			return err
		}
		if may := i <= want; review.Status.Allowed != may {
			wrong = append(wrong, fmt.Errorf("%s to %s %s in %s: allowed is %t", user, attributes.Verb, attributes.Resource, p.name, !may))
		}
	}
	return errors.Join(wrong...)
}
