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

package kubectl

import (
	"context"
	"fmt"
	"slices"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Steps from a user to access, in the order in which the operator decides.
const (
	stepIdentity     = "identity"
	stepMembership   = "membership"
	stepOrganization = "organization"
	stepPlan         = "plan"
	stepBan          = "ban"
	stepName         = "name"
	stepRole         = "role"
	stepClass        = "class"
	stepRule         = "rule"
	stepRoleBinding  = "rolebinding"
	stepAPIServer    = "apiserver"
)

// brokenAt is the step that is broken where the operator gives a reason.
var brokenAt = map[string]string{
	v1alpha1.ReasonOrganizationNotFound: stepOrganization,
	v1alpha1.ReasonUserBanned:           stepBan,
	v1alpha1.ReasonUserDeprovisioned:    stepBan,
	v1alpha1.ReasonUserDeleted:          stepBan,
	v1alpha1.ReasonInstanceNotFound:     stepName,
	v1alpha1.ReasonInstanceInvalid:      stepName,
	v1alpha1.ReasonUsersNotMirrored:     stepName,
	v1alpha1.ReasonUserNotMirrored:      stepName,
	v1alpha1.ReasonEmailNotVerified:     stepName,
	v1alpha1.ReasonUsernameRefused:      stepName,
	v1alpha1.ReasonRoleDeleted:          stepRole,
	v1alpha1.ReasonRoleUnknown:          stepRole,
	v1alpha1.ReasonRoleAmbiguous:        stepRole,
	v1alpha1.ReasonRoleNotMapped:        stepRule,
	v1alpha1.ReasonFeatureNotInPlan:     stepRule,
	v1alpha1.ReasonConditionNotMet:      stepRule,
	v1alpha1.ReasonConditionUndecided:   stepRule,
	v1alpha1.ReasonExpired:              stepRule,
}

// membership explains one membership. What is decided is decided by the operator's own code.
func (e *explainer) membership(ctx context.Context, person *person, member *v1alpha1.ClerkMember) (*WhyMembership, error) {
	facts, err := e.expressions.MemberFacts(ctx, e.snapshot, member, e.now)
	if err != nil {
		return nil, err
	}
	e.addBindings(facts)
	verdict := e.whyNot(facts)
	explained := &WhyMembership{
		Member: member.Name, UserID: member.Spec.UserID, OrganizationID: member.Spec.OrganizationID,
		Person:       personName(person.user, member, member.Spec.UserID),
		Organization: organizationName(facts.Organization, member.Spec.OrganizationID),
		Subject:      facts.Subject,
		HasAccess:    len(facts.Bindings) > 0,
		Reason:       verdict.Reason, Message: verdict.Message,
	}
	broken := e.brokenStep(facts, verdict.Reason)
	explained.Steps = e.steps(ctx, person, facts)
	explained.stopAt(broken, verdict.Message, len(facts.Bindings) > 0)
	if err := e.askAPIServer(ctx, explained, facts, broken); err != nil {
		return nil, err
	}
	explained.conclude(facts, broken)
	explained.ClusterGrants = e.clusterGrants(facts)
	return explained, nil
}

// addBindings takes the RoleBindings from the member's status where the caller may list none, and leaves out those in namespaces that were
// not asked about.
func (e *explainer) addBindings(facts *tenant.MemberFacts) {
	if e.snapshot.unread[roleBindings] != nil {
		facts.Bindings = slices.Clone(facts.Member.Status.Bindings)
	}
	facts.Bindings = slices.DeleteFunc(facts.Bindings, func(binding v1alpha1.MemberBinding) bool {
		return e.namespace != "" && binding.Namespace != e.namespace
	})
}

// whyNot is why the member should have no access. In a namespace that was asked about, its rules alone count.
func (e *explainer) whyNot(facts *tenant.MemberFacts) condition.Verdict {
	if e.namespace != "" {
		here := *facts
		here.Rules = e.rulesOf(facts)
		if verdict := here.WhyNot(); verdict.Reason != v1alpha1.ReasonRoleNotMapped || facts.WhyNot().Reason == v1alpha1.ReasonRoleNotMapped {
			return verdict
		}
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonRoleNotMapped,
			Message: fmt.Sprintf("no role binding of the TenantClass %s is for the role %s or its permissions in the namespace %s",
				facts.Organization.Status.ClassName, facts.Standing.Role.Key, e.namespace)}
	}
	return facts.WhyNot()
}

// brokenStep is the first step that is broken, "" if the RoleBindings are there that should be.
func (e *explainer) brokenStep(facts *tenant.MemberFacts, reason string) string {
	switch {
	case reason == v1alpha1.ReasonDeleted && facts.Member.Spec.DeletedAt != nil:
		return stepMembership
	case reason == v1alpha1.ReasonDeleted:
		return stepOrganization
	case brokenAt[reason] != "":
		return brokenAt[reason]
	case len(facts.Bindings) > 0:
		return ""
	case facts.Organization.Status.ClassName == "":
		return stepClass
	}
	return stepRoleBinding
}

// steps are all of them, as if none were broken.
func (e *explainer) steps(ctx context.Context, person *person, facts *tenant.MemberFacts) []WhyStep {
	steps := []WhyStep{identityStep(person, facts.Member), membershipStep(facts.Member), organizationStep(facts.Organization)}
	plan := facts.Plan()
	if step := planStep(&plan, facts.Member.Spec.Instance); step.Message != "" { // most have no billing
		steps = append(steps, step)
	}
	steps = append(steps, e.banStep(facts), e.nameStep(facts), e.roleStep(ctx, facts), classStep(facts.Organization), e.ruleStep(facts),
		e.bindingStep(facts))
	for i := range steps {
		steps[i].State = StepPassed
	}
	return steps
}

// stopAt breaks the steps at one, and leaves out those behind it. Where there still are RoleBindings, that one stays.
func (m *WhyMembership) stopAt(broken, message string, bound bool) {
	reached := true
	for i := range m.Steps {
		step := &m.Steps[i]
		switch {
		case step.Name == broken && reached:
			step.State, step.Message, reached = StepBroken, message, false
		case !reached && step.Name == stepRoleBinding && bound:
		case !reached:
			*step = WhyStep{Name: step.Name, State: StepNotReached}
		}
	}
}

// conclude says in one sentence what the steps come to.
func (m *WhyMembership) conclude(facts *tenant.MemberFacts, broken string) {
	switch {
	case broken != "" && len(facts.Bindings) > 0:
		m.Message = "not for long: it is being taken away: " + m.Message
	case m.HasAccess:
		m.Reason, m.Message = v1alpha1.ReasonBound, accessText(facts.Bindings, false)
	}
	if !m.HasAccess {
		m.Advice = advice[m.Reason]
	}
}

// advice is what to do, where the reason's own sentence does not say it.
var advice = map[string]string{
	v1alpha1.ReasonDeleted:              "if they should be in again, add them to the organization in Clerk, as a new membership",
	v1alpha1.ReasonUserDeleted:          "nothing, unless they should be in again: then they need a new account in Clerk",
	v1alpha1.ReasonRoleNotMapped:        "add a role binding for it to the TenantClass, or give them another role in Clerk",
	v1alpha1.ReasonConditionNotMet:      "see to it in Clerk that the condition is met, or change the role binding of the TenantClass",
	v1alpha1.ReasonConditionUndecided:   "set in Clerk what the expression reads, or change it in the TenantClass",
	v1alpha1.ReasonExpired:              "set another end in Clerk, or change the role binding of the TenantClass",
	v1alpha1.ReasonOrganizationNotReady: "kubectl clerk status says what keeps the organization from being ready",
	v1alpha1.ReasonProgressing:          "wait a moment; if it stays so, kubectl clerk status says whether the operator is at work",
}
