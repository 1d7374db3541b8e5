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
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// MemberFacts are what it depends on whether a member has access, and the RoleBindings by which they have.
type MemberFacts struct {
	Member   *v1alpha1.ClerkMember
	Standing Standing

	// Organization is the member's, nil if it is not mirrored; Rules are the role bindings of the class that serves it.
	Organization *v1alpha1.ClerkOrganization
	Rules        []Rule

	// Subscription is what is known of the organization's plan.
	Subscription Subscription

	// Domains are all that the organization claims, those too that it has no longer.
	Domains []*v1alpha1.ClerkOrganizationDomain

	// Now is when this is.
	Now time.Time

	// Subject is the member's name in RBAC; SubjectError says why there is none; Instance, why nobody has one.
	Subject      string
	SubjectError error
	Instance     *Problem

	// Bindings are the RoleBindings that name the subject.
	Bindings []v1alpha1.MemberBinding
}

// Status says where the member has access, by the RoleBindings that exist, and whether that is as it should be.
func (f *MemberFacts) Status() v1alpha1.ClerkMemberStatus {
	member := f.Member
	status := v1alpha1.ClerkMemberStatus{
		ObservedGeneration: member.Generation,
		Subject:            f.Subject,
		Namespaces:         namespacesOf(f.Bindings),
		Bindings:           f.Bindings,
	}
	if f.Organization != nil && f.Organization.Spec.DeletedAt == nil && member.Spec.DeletedAt == nil {
		status.Organization = Handle(f.Organization)
	}
	switch {
	case len(f.Bindings) == 0 && member.Spec.DeletedAt != nil:
		status.Subject = "" // a tombstone keeps ids alone
	case len(f.Bindings) > 0 && f.Subject == "":
		status.Subject = member.Status.Subject
	}
	given := f.given()
	status.Expires = given.expires
	bound := metav1.Condition{Type: v1alpha1.ConditionBound, Status: condition.StatusOf(len(f.Bindings) > 0)}
	unbound := f.WhyNot()
	result := unbound
	switch {
	case len(f.Bindings) > 0 && unbound.Reason == v1alpha1.ReasonProgressing:
		bound.Reason, bound.Message = v1alpha1.ReasonBound, boundMessage(f.Bindings)
		result = condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: "the member has the access that the TenantClass gives"}
		if given.lacking != "" {
			bound.Message += "; not all that the role could give: " + given.lacking
			result.Message += "; not all that the role could give: " + given.lacking
		}
	case len(f.Bindings) > 0 && unbound.Reason == v1alpha1.ReasonOrganizationNotReady:
		bound.Reason, bound.Message = v1alpha1.ReasonBound, boundMessage(f.Bindings)+"; some may be missing: "+unbound.Message
	case len(f.Bindings) > 0:
		bound.Reason, bound.Message = v1alpha1.ReasonProgressing, "the access is being taken away: "+unbound.Message
		result = condition.Verdict{Reason: v1alpha1.ReasonProgressing, Message: bound.Message}
	default:
		bound.Reason, bound.Message = unbound.Reason, unbound.Message
	}
	status.Conditions = result.Without(member.Spec.DroppedFields).Conditions(member.Status.Conditions, member.Generation, bound)
	return status
}

// namespacesOf are the namespaces of RoleBindings, in order, each once.
func namespacesOf(bindings []v1alpha1.MemberBinding) []string {
	var namespaces []string
	for i := range bindings {
		namespaces = append(namespaces, bindings[i].Namespace)
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

func boundMessage(bindings []v1alpha1.MemberBinding) string {
	first := bindings[0]
	if len(bindings) == 1 {
		return fmt.Sprintf("ClusterRole %s in namespace %s", first.ClusterRole, first.Namespace)
	}
	return fmt.Sprintf("ClusterRole %s in namespace %s, and %d more: see status.bindings", first.ClusterRole, first.Namespace, len(bindings)-1)
}

// WhyNot says why the member should not have access; Progressing if it should. It reads like a checklist, and stops at the first
// reason.
func (f *MemberFacts) WhyNot() condition.Verdict {
	member := f.Member
	switch {
	case member.Spec.DeletedAt != nil:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonDeleted,
			Message: "the membership was deleted in Clerk; this object is kept for a while as its tombstone"}
	case f.Organization == nil:
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonOrganizationNotFound,
			Message: "the member's organization is not mirrored from the same ClerkInstance: replay its events in Clerk"}
	case f.Organization.Spec.DeletedAt != nil:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonDeleted, Message: "the organization was deleted in Clerk"}
	case f.Standing.Bar != NotBarred:
		return f.Standing.Bar.Verdict()
	case f.Instance != nil:
		return condition.Verdict{Stalled: true, Reason: f.Instance.Reason, Message: f.Instance.Message}
	case errors.Is(f.SubjectError, ErrUserNotMirrored):
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonUserNotMirrored,
			Message: "ClerkInstance.spec.username needs more than a membership tells, and the user is not mirrored: " +
				"replay the user's events in Clerk"}
	case errors.Is(f.SubjectError, ErrEmailNotVerified):
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonEmailNotVerified,
			Message: "ClerkInstance.spec.username needs a verified primary e-mail address: the user has to verify theirs in Clerk"}
	case f.SubjectError != nil:
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonUsernameRefused,
			Message: "ClerkInstance.spec.username gives this user no name to bind: " + f.SubjectError.Error()}
	case f.Standing.Role.Doubt == RoleDeleted:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonRoleDeleted,
			Message: fmt.Sprintf("the role %s was deleted in Clerk, so it grants nothing: give the member another role there", member.Spec.Role)}
	case f.Standing.Role.Doubt == RoleUnknown:
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonRoleUnknown,
			Message: fmt.Sprintf("the role that has the key %s now is not known yet, only one that had it at another time, so it grants nothing: "+
				"replay the role's events in Clerk, ask for a resync, or give the member the role again there", member.Spec.Role)}
	case f.Standing.Role.Doubt != "":
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonRoleAmbiguous,
			Message: fmt.Sprintf("several roles had the key %s, and it is not certain which of them is meant, so it grants nothing: "+
				"give the member the role again in Clerk", member.Spec.Role)}
	case !f.isMapped():
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonRoleNotMapped,
			Message: fmt.Sprintf("no role binding of the TenantClass %s is for the role %s or its permissions, so it grants nothing",
				f.Organization.Status.ClassName, f.Standing.Role.Key)}
	}
	return f.whyNotGiven()
}

// whyNotGiven says why the rules for the member's role give nothing; Progressing if they do.
func (f *MemberFacts) whyNotGiven() condition.Verdict {
	if given := f.given(); f.Organization.Status.ClassName != "" && !given.any {
		return given.verdict
	}
	return f.waiting()
}

// isMapped is true also where it is not known yet which class is for the organization.
func (f *MemberFacts) isMapped() bool {
	return f.Organization.Status.ClassName == "" || slices.ContainsFunc(f.Rules, func(rule Rule) bool { return rule.IsFor(f.Standing.Role) })
}

// givenByRules is what the rules for a member's role come to.
type givenByRules struct {
	// any: some rule gives something. verdict says why none does.
	any     bool
	verdict condition.Verdict

	// lacking is why one of them gives nothing, where somebody may want to know it of a member who has access by another one.
	lacking string

	// ends are when each grant ends, nil where it does not; expires is when the first does, nil if none does.
	ends    map[grantedAt]*time.Time
	expires *metav1.Time
}

// grantedAt is a ClusterRole in the namespace of an entry.
type grantedAt struct{ entry, clusterRole string }

// Given is what a rule comes to for the member, whose organization has to be known.
func (f *MemberFacts) Given(rule *Rule) Given {
	return rule.Given(NewHolder(f.Subject, f.Member, f.Standing, f.organization()), f.Now)
}

// Plan is the plan of the member's organization.
func (f *MemberFacts) Plan() Plan { return f.Subscription.Plan(f.Now) }

// MayBeGiven tells whether the member may be given anything at all, as DecideClusterGrant has it of members.
func (f *MemberFacts) MayBeGiven() bool {
	membership := Membership{ClerkMember: f.Member, Standing: f.Standing}
	isLiving := f.Organization != nil && f.Organization.Spec.DeletedAt == nil
	return isLiving && membership.mayHaveAccess() && f.Standing.Role.Doubt == "" && f.SubjectError == nil && f.Subject != ""
}

// organization is what expressions see of the member's organization.
func (f *MemberFacts) organization() Organization {
	plan := f.Plan()
	return OrganizationWith(f.Organization, &plan).withDomains(f.Domains)
}

// given says what the rules for the member's role come to. Of several reasons the one counts that somebody can do something about.
func (f *MemberFacts) given() givenByRules {
	found := givenByRules{ends: map[grantedAt]*time.Time{}}
	isKept := f.Organization != nil && f.Member.Spec.DeletedAt == nil
	if !isKept || f.Standing.Bar != NotBarred || f.Standing.Role.Doubt != "" {
		return found
	}
	var organization Organization // read where something depends on it alone
	if slices.ContainsFunc(f.Rules, func(rule Rule) bool { return rule.needsPlan() && rule.IsFor(f.Standing.Role) }) {
		organization = f.organization()
	}
	holder := NewHolder(f.Subject, f.Member, f.Standing, organization)
	for i := range f.Rules {
		found.add(&f.Rules[i], f.Rules[i].Given(holder, f.Now), f.Organization.Status.ClassName)
	}
	for _, end := range found.ends {
		if end != nil && (found.expires == nil || end.Before(found.expires.Time)) {
			found.expires = new(metav1.NewTime(*end))
		}
	}
	return found
}

// reasonsByUrgency are those for which a rule gives nothing, the most urgent last.
var reasonsByUrgency = []string{
	v1alpha1.ReasonConditionNotMet, v1alpha1.ReasonExpired, v1alpha1.ReasonFeatureNotInPlan, v1alpha1.ReasonConditionUndecided,
}

// add takes into account what one rule of a class comes to.
func (g *givenByRules) add(rule *Rule, given Given, class string) {
	if given.Holds {
		at := grantedAt{rule.Entry, rule.ClusterRole}
		if end, known := g.ends[at]; known {
			given.Until = LongerEnd(end, given.Until)
		}
		g.ends[at] = given.Until
		g.any = true
		return
	}
	isUndecided := given.Reason == v1alpha1.ReasonConditionUndecided
	if g.lacking == "" && (isUndecided || given.Reason == v1alpha1.ReasonFeatureNotInPlan) {
		g.lacking = given.Message
	}
	if slices.Index(reasonsByUrgency, given.Reason) > slices.Index(reasonsByUrgency, g.verdict.Reason) {
		g.verdict = condition.Verdict{Ready: !isUndecided, Stalled: isUndecided, Reason: given.Reason, Message: fmt.Sprintf(
			"the role binding of the TenantClass %s to the ClusterRole %s grants nothing: %s", class, rule.ClusterRole, given.Message)}
	}
}

// waiting is what holds for a member who should have access: it is on the way, or something keeps the organization from giving it.
func (f *MemberFacts) waiting() condition.Verdict {
	ready, reason := condition.IsReady(f.Organization.Status.Conditions)
	if ready || reason == "" || reason == v1alpha1.ReasonProgressing {
		return condition.Verdict{Reason: v1alpha1.ReasonProgressing, Message: "the access is on its way"}
	}
	return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonOrganizationNotReady,
		Message: fmt.Sprintf("the organization is not ready (%s): see kubectl describe clerkorganization %s", reason, f.Organization.Name)}
}
