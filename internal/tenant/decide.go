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

package tenant

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Intent is what an organization should have, and what is to be done about access.
type Intent struct {
	// Observe: the ClerkInstance is in mode Observe, so all of this is to be told and none of it to be done.
	Observe bool

	// Deleted: the organization was deleted in Clerk. Nobody has access; PlanDeletion says what becomes of its namespaces.
	Deleted bool

	// ClassName is the TenantClass that serves the organization, "" if none does.
	ClassName string

	// Plan is the slug of the organization's plan, and SubscriptionStatus how its subscription stands; each is empty where it is not known.
	Plan, SubscriptionStatus string

	// Frozen: it is not certain what should be, so nothing is added; grants that certainly should not be are taken away.
	Frozen bool

	// Entries are the namespaces that the organization should have, in the order of the class.
	Entries []Entry

	// Namespaces are those that are the organization's; Released, by name, those of them that no entry wants.
	Namespaces []*corev1.Namespace
	Released   []string

	// RoleBindings are those that were looked at, by namespace; Bindings, what is to be done to them.
	RoleBindings map[string][]*rbacv1.RoleBinding
	Bindings     map[string]BindingPlan

	// OwnDomains are the domains that the organization has proven to own.
	OwnDomains []string

	// Ends are the ends of what the members are given.
	Ends Ends

	// Subjects are the names in RBAC of all members that have one, by the ClerkMember's name.
	Subjects map[string]string

	// Problems are what keeps the organization from being as it should be.
	Problems Problems
}

// Entry is a namespace that an organization should have.
type Entry struct {
	Namespace

	// Existing is the namespace that fills the entry, nil where it has yet to be made.
	Existing *corev1.Namespace

	// Grants are who should have which ClusterRole in it.
	Grants map[string]Subjects
}

// Decide says what should be. It is the one place where that is decided: equal situations have equal intents.
func Decide(s *Situation) *Intent {
	intent := &Intent{
		Observe: s.Instance.Observes(), Deleted: s.Organization.Spec.DeletedAt != nil,
		Namespaces: s.ownNamespaces(), Subjects: map[string]string{},
	}
	var rules []Rule
	var namespaces []Namespace
	var holders []*Holder
	if intent.Deleted {
		intent.ClassName = s.Organization.Status.ClassName
	} else {
		plan := s.Subscription.Plan(s.Now)
		intent.Ends.wakeBy(plan.Ends)
		intent.Plan, intent.SubscriptionStatus = plan.Slug, plan.Status
		organization := OrganizationWith(s.Organization, &plan).withDomains(s.Domains)
		organization.Members = int64(countMembers(s.Memberships))
		intent.OwnDomains = organization.domainNames()
		namespaces = intent.choose(s.Classes, s.Organization, organization)
		rules = s.Classes.rules(intent.ClassName)
		holders = intent.nameMembers(s, organization)
		for _, holder := range holders {
			holder.decide(rules, s.Now)
		}
	}
	intent.assign(s, namespaces, holders)
	intent.planBindings(s, rules, holders)
	intent.findEnds(rules, holders, s.Now)
	return intent
}

// choose finds the class and returns what it gives. It freezes an organization whose class does not compile; where not even the rule does
// that says for whom the class is, those are whom it served before.
func (i *Intent) choose(classes *Classes, organization *v1alpha1.ClerkOrganization, view Organization) []Namespace {
	current := organization.Status.ClassName
	class, err := Select(classes.matchable, view, current)
	switch {
	case classes.broken[current] != nil && !classes.isMatchable(current):
		i.freezeWith(classes, current)
		return nil
	case err != nil:
		i.ClassName = current
		i.freeze(v1alpha1.ReasonExpressionFailed, "which TenantClass is for this organization is not certain: %s", err)
		return nil
	case class == nil:
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonNoTenantClass, Stalled: true,
			Message: "no TenantClass is for this organization: create one without a match rule to serve as the default"})
		return nil
	case classes.broken[class.Name()] != nil:
		i.freezeWith(classes, class.Name())
		return nil
	}
	i.ClassName = class.Name()
	namespaces, err := class.Render(view)
	if err != nil {
		i.freeze(v1alpha1.ReasonExpressionFailed, "the TenantClass %s fails for this organization: correct it or the organization's metadata: %s",
			class.Name(), err)
	}
	return namespaces
}

// freezeWith freezes an organization with a class that does not compile. Its role bindings still say whose grants have to go: one whose own
// expressions do not compile gives nothing.
func (i *Intent) freezeWith(classes *Classes, class string) {
	i.ClassName = class
	i.freeze(v1alpha1.ReasonTenantClassInvalid, "the TenantClass %s does not compile: correct it: %s", class, classes.broken[class])
}

func (i *Intent) freeze(reason, format string, args ...any) {
	i.Frozen = true
	i.Problems.Add(Problem{Reason: reason, Stalled: true, Message: fmt.Sprintf(format, args...)})
}

// nameMembers finds the members' names in RBAC, and returns those who may have access. Where the ClerkInstance cannot tell the names, the
// last known ones serve to take grants away.
func (i *Intent) nameMembers(s *Situation, organization Organization) []*Holder {
	if found := s.Instance.Problem(); found != nil {
		i.Frozen = true
		i.Problems.Add(*found)
	}
	var holders []*Holder
	for at := range s.Memberships {
		membership := &s.Memberships[at]
		subject, err := s.Instance.Subject(membership.ClerkMember, membership.User)
		if subject == "" && s.Instance.Problem() == nil { // who left before any status said their name, which is timed all the same
			subject, err = s.Instance.username.Of(UserOf(membership.ClerkMember, membership.User))
		}
		if err != nil || subject == "" {
			continue
		}
		i.Subjects[membership.Name] = subject
		if membership.mayHaveAccess() && membership.Role.Doubt == "" {
			holders = append(holders, NewHolder(subject, membership.ClerkMember, membership.Standing, organization))
		}
	}
	return holders
}

// assign finds out which namespace fills which entry of the class, which are no longer wanted, and who should have access where.
func (i *Intent) assign(s *Situation, wanted []Namespace, holders []*Holder) {
	filled, rest := Assign(wanted, i.Namespaces, releasedBefore(s.Organization))
	i.Entries = make([]Entry, len(wanted))
	for at := range wanted {
		i.Entries[at] = Entry{Namespace: wanted[at], Existing: filled[at], Grants: Grants(wanted[at].RoleBindings, holders, s.Now)}
	}
	if i.Frozen || i.Deleted {
		return
	}
	for _, namespace := range rest {
		i.Released = append(i.Released, namespace.Name)
	}
}

// releasedBefore are the namespaces that the organization no longer had access to when it was last reconciled.
func releasedBefore(organization *v1alpha1.ClerkOrganization) []string {
	var names []string
	for _, namespace := range organization.Status.Namespaces {
		if namespace.State == v1alpha1.NamespaceReleased {
			names = append(names, namespace.Name)
		}
	}
	return names
}

// ownNamespaces are those of the labelled namespaces that are the organization's.
func (s *Situation) ownNamespaces() []*corev1.Namespace {
	var own []*corev1.Namespace
	for _, namespace := range s.Namespaces {
		isMine := IsNamespaceOf(namespace, s.Organization) && (s.IsOnlyOne || namespace.Labels[v1alpha1.InstanceLabel] != "")
		if isMine && !Protected(namespace.Name, s.OperatorNamespace) {
			own = append(own, namespace)
		}
	}
	return own
}

// IsNamespaceOf tells whether a namespace's labels say that it is an organization's, or would be if no other ClerkInstance spoke of that
// id.
func IsNamespaceOf(namespace *corev1.Namespace, organization *v1alpha1.ClerkOrganization) bool {
	instance := namespace.Labels[v1alpha1.InstanceLabel]
	return namespace.Labels[v1alpha1.OrganizationIDLabel] == organization.Spec.ID &&
		(instance == "" || instance == organization.Spec.Instance)
}
