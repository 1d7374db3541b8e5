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
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// ClusterSituation is all that it depends on whom a ClusterGrant gives something. A decision reads nothing else, and changes none of it.
type ClusterSituation struct {
	Grant *v1alpha1.ClusterGrant

	// Rule is what the grant says, compiled by CompileClusterGrant.
	Rule *Rule

	// Allowed are the ClusterRoles that the operator may give in the whole cluster.
	Allowed []string

	// Instance is the grant's ClerkInstance, and Organizations are those that the grant names, as that instance speaks of them.
	Instance      Instance
	Organizations []NamedOrganization

	// Bindings are the ClusterRoleBindings that have the grant's label, that it owns, or that have the name that it needs.
	Bindings []*rbacv1.ClusterRoleBinding

	// RevokeOnly: whoever asks may be behind, so that access is to be taken away and none given.
	RevokeOnly bool

	// Now is when this is; without it, no grant is given that has an end.
	Now time.Time
}

// NamedOrganization is an organization that a ClusterGrant names by its id.
type NamedOrganization struct {
	// Object is nil where the ClerkInstance of the grant speaks of no such organization.
	Object *v1alpha1.ClerkOrganization

	// Memberships are the organization's, with what is known of each. They are not needed where it is deleted.
	Memberships []Membership

	// Subscription is what is known of the organization's plan.
	Subscription Subscription

	// Domains are all that the organization claims, those too that it has no longer.
	Domains []*v1alpha1.ClerkOrganizationDomain
}

// ClusterIntent is whom a ClusterGrant should give something, and what is to be done about it.
type ClusterIntent struct {
	// Observe: the ClerkInstance is in mode Observe, so all of this is to be told and none of it to be done.
	Observe bool

	// Frozen: it is not certain what should be, so nothing is added; grants that certainly should not be are taken away.
	Frozen bool

	// Due are those who should have the ClusterRole, and Held those who have it by the ClusterRoleBindings that were looked at.
	Due, Held Subjects

	// Plan is what is to be done to the ClusterRoleBindings.
	Plan ClusterBindingPlan

	// Next is when the first grant ends of those that members have or should have, or a plan that decides; nil if none does.
	Next *time.Time

	// Ends are when users who should have the ClusterRole lose it by themselves, by their names in RBAC: nil for those who do not. Expires is
	// when the first of them does; nil if none does.
	Ends    map[string]*time.Time
	Expires *time.Time

	// Subjects are the names in RBAC of all members that have one, by the ClerkMember's name; Passed, when a grant of theirs ended, the last
	// if there are several.
	Subjects map[string]string
	Passed   map[string]time.Time

	// Problems are what keeps the grant from being as it should be.
	Problems Problems
}

// CompileClusterGrant compiles the expressions of a ClusterGrant. With an error, it gives nothing to anybody.
func CompileClusterGrant(grant *v1alpha1.ClusterGrant) (*Rule, error) {
	spec := &grant.Spec
	rule, err := compileRule("", v1alpha1.TenantRoleBinding{
		Role: spec.Role, Permission: spec.Permission, ClusterRole: spec.ClusterRole, When: spec.When, Until: spec.Until,
	})
	return &rule, err
}

// DecideClusterGrant says whom a ClusterGrant should give something. It is the one place where that is decided.
func DecideClusterGrant(s *ClusterSituation) *ClusterIntent {
	intent := &ClusterIntent{
		Observe: s.Instance.Observes(), Due: Subjects{}, Held: HeldBy(s.Grant, s.Bindings), Ends: map[string]*time.Time{},
		Subjects: map[string]string{}, Passed: map[string]time.Time{},
	}
	if intent.mayGive(s) {
		intent.weigh(s)
	}
	due := intent.Due
	if intent.Frozen || s.RevokeOnly {
		due = both(intent.Due, intent.Held)
	}
	intent.plan(s, due)
	return intent
}

// mayGive tells whether anybody may have anything by a grant, and files why nobody may.
func (i *ClusterIntent) mayGive(s *ClusterSituation) bool {
	spec := &s.Grant.Spec
	switch {
	case s.Grant.DeletionTimestamp != nil:
		return false
	case !slices.Contains(s.Allowed, spec.ClusterRole):
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonClusterRoleNotAllowed, Stalled: true,
			Message: fmt.Sprintf("the ClusterRole %s is none of those that the operator may give in the whole cluster, so nobody has it by this "+
				"grant: name it in the chart's clusterGrants.clusterRoles (--cluster-grant-roles), or change spec.clusterRole", spec.ClusterRole)})
		return false
	case s.Rule.broken != nil:
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonInvalid, Stalled: true,
			Message: "an expression does not compile, so nobody has anything by this grant: correct it: " + s.Rule.broken.Error()})
		return false
	case s.Instance.object == nil:
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonInstanceNotFound, Stalled: true,
			Message: fmt.Sprintf("the ClerkInstance %s does not exist, so nobody has anything by this grant: create it again",
				spec.InstanceRef.Name)})
		return false
	}
	if found := s.Instance.Problem(); found != nil {
		i.Frozen = true
		i.Problems.Add(*found)
	}
	return true
}

// weigh finds those who should have the ClusterRole.
func (i *ClusterIntent) weigh(s *ClusterSituation) {
	missing, undecided := 0, undecidedMembers{}
	for at := range s.Organizations {
		named := &s.Organizations[at]
		if named.Object == nil {
			missing++
			continue
		}
		for _, holder := range i.nameMembers(s, named) {
			given := s.Rule.Given(holder, s.Now)
			holder.variables = nil
			i.take(holder, given)
			undecided.add(given)
		}
	}
	for _, end := range i.Ends {
		if end != nil && (i.Expires == nil || end.Before(*i.Expires)) {
			i.Expires = end
		}
	}
	if missing > 0 {
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonOrganizationsMissing, Stalled: true,
			Message: fmt.Sprintf("%d of the %d organizations are not mirrored from the ClerkInstance %s: correct spec.organizationIDs, or replay "+
				"their events in Clerk; the others are served", missing, len(s.Organizations), s.Grant.Spec.InstanceRef.Name)})
	}
	undecided.report(&i.Problems)
}

// take takes into account what the grant comes to for one member. Whoever is a member twice has it for as long as the longer of the two.
func (i *ClusterIntent) take(holder *Holder, given Given) {
	if given.Until != nil && !given.Holds {
		if _, isHeld := i.Held[holder.Subject]; isHeld && given.Until.After(i.Passed[holder.member.Name]) {
			i.Passed[holder.member.Name] = *given.Until
		}
		return
	}
	if !given.Holds {
		return
	}
	i.Due[holder.Subject] = struct{}{}
	if given.Until != nil && (i.Next == nil || given.Until.Before(*i.Next)) {
		i.Next = given.Until
	}
	if end, known := i.Ends[holder.Subject]; known {
		given.Until = LongerEnd(end, given.Until)
	}
	i.Ends[holder.Subject] = given.Until
}

// LongerEnd is the end of what is given twice: the later one, nil where one has none.
func LongerEnd(a, b *time.Time) *time.Time {
	if a == nil || b == nil {
		return nil
	}
	if b.After(*a) {
		return b
	}
	return a
}

// nameMembers finds the names in RBAC of an organization's members, and returns those who may have access.
func (i *ClusterIntent) nameMembers(s *ClusterSituation, named *NamedOrganization) []*Holder {
	var organization Organization // read where something depends on it alone
	if s.Rule.needsPlan() {
		plan := named.Subscription.Plan(s.Now)
		if plan.Ends != nil && (i.Next == nil || plan.Ends.Before(*i.Next)) {
			i.Next = plan.Ends
		}
		organization = OrganizationWith(named.Object, &plan).withDomains(named.Domains)
		organization.Members = int64(countMembers(named.Memberships))
	}
	var holders []*Holder
	for at := range named.Memberships {
		membership := &named.Memberships[at]
		subject, err := s.Instance.Subject(membership.ClerkMember, membership.User)
		if err != nil || subject == "" {
			continue
		}
		i.Subjects[membership.Name] = subject
		if named.Object.Spec.DeletedAt == nil && membership.mayHaveAccess() && membership.Role.Doubt == "" {
			holders = append(holders, NewHolder(subject, membership.ClerkMember, membership.Standing, organization))
		}
	}
	return holders
}

// undecidedMembers are those for whom an expression of a grant cannot be decided.
type undecidedMembers struct {
	count int

	// first is why, of several the first in their order, so that a status rests.
	first string
}

func (u *undecidedMembers) add(given Given) {
	if given.Reason != v1alpha1.ReasonConditionUndecided {
		return
	}
	u.count++
	if u.first == "" || given.Message < u.first {
		u.first = given.Message
	}
}

func (u *undecidedMembers) report(problems *Problems) {
	if u.count == 0 {
		return
	}
	problems.Add(Problem{Reason: v1alpha1.ReasonConditionUndecided, Stalled: true,
		Message: fmt.Sprintf("for %d members who have the role it cannot be decided, so they have nothing by this grant: correct the "+
			"expression, or in Clerk what it reads: %s", u.count, u.first)})
}

func both(a, b Subjects) Subjects {
	result := Subjects{}
	for subject := range a {
		if _, isInBoth := b[subject]; isInBoth {
			result[subject] = struct{}{}
		}
	}
	return result
}
