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
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

func identityStep(person *person, member *v1alpha1.ClerkMember) WhyStep {
	step := WhyStep{Name: stepIdentity}
	if person.user == nil {
		step.Message = strings.Join(slices.DeleteFunc([]string{person.id, member.Spec.User.Identifier, "known by the membership alone"},
			func(text string) bool { return text == "" }), ", ")
		step.From, step.SaidAt = reference("clerkmember", member.Name), timeOf(member.Spec.AsOf, member.Spec.UpdatedAt, member.Spec.DeletedAt)
		return step
	}
	spec := &person.user.Spec
	step.Message = person.id
	if spec.PrimaryEmail.Address != "" {
		state := "not verified"
		if spec.PrimaryEmail.Verified != nil && *spec.PrimaryEmail.Verified {
			state = "verified"
		}
		step.Message = fmt.Sprintf("%s, %s (%s)", person.id, spec.PrimaryEmail.Address, state)
	}
	step.From, step.SaidAt = reference("clerkuser", person.user.Name), timeOf(spec.AsOf, spec.UpdatedAt, spec.DeletedAt)
	return step
}

func membershipStep(member *v1alpha1.ClerkMember) WhyStep {
	step := WhyStep{Name: stepMembership, Message: "a member", From: reference("clerkmember", member.Name),
		SaidAt: timeOf(member.Spec.AsOf, member.Spec.UpdatedAt, member.Spec.DeletedAt)}
	if joined := timeOf(member.Spec.CreatedAt); joined != nil {
		step.Message = "a member since " + day(joined)
	}
	return step
}

func organizationStep(organization *v1alpha1.ClerkOrganization) WhyStep {
	step := WhyStep{Name: stepOrganization}
	if organization != nil {
		spec := &organization.Spec
		step.Message = fmt.Sprintf("%s (%s)", organizationName(organization, ""), spec.ID)
		step.From, step.SaidAt = reference("clerkorganization", organization.Name), timeOf(spec.AsOf, spec.UpdatedAt, spec.DeletedAt)
	}
	return step
}

// planStep says which plan the organization has in Clerk's billing; nothing where nothing is known of one.
func planStep(plan *tenant.Plan, instance string) WhyStep {
	step := WhyStep{Name: stepPlan, Message: plan.Text(), From: reference("clerkinstance", instance)}
	if item := plan.Source(); item != nil {
		step.From, step.SaidAt = reference("clerksubscriptionitem", item.Name), timeOf(item.Spec.AsOf, item.Spec.UpdatedAt)
	}
	return step
}

// banStep says by whose word a user is let in or not.
func (e *explainer) banStep(facts *tenant.MemberFacts) WhyStep {
	step := WhyStep{Name: stepBan, Message: "let in: neither banned nor removed by a directory"}
	member, user := facts.Member, facts.Standing.User
	if user == nil {
		step.From, step.SaidAt = reference("clerkmember", member.Name), timeOf(member.Spec.AsOf, member.Spec.UpdatedAt)
		return step
	}
	step.From, step.SaidAt = reference("clerkuser", user.Name), timeOf(user.Spec.AsOf, user.Spec.UpdatedAt, user.Spec.DeletedAt)
	return step
}

func (e *explainer) nameStep(facts *tenant.MemberFacts) WhyStep {
	return WhyStep{Name: stepName, Message: "in RBAC: " + facts.Subject, From: reference("clerkinstance", facts.Member.Spec.Instance)}
}

// roleStep says which role the member holds, and which ClerkRole says so.
func (e *explainer) roleStep(ctx context.Context, facts *tenant.MemberFacts) WhyStep {
	member := facts.Member
	step := WhyStep{Name: stepRole, Message: facts.Standing.Role.Key, From: reference("clerkmember", member.Name),
		SaidAt: timeOf(member.Spec.AsOf, member.Spec.UpdatedAt)}
	if permissions := facts.Standing.Role.Permissions; len(permissions) > 0 {
		step.Message += fmt.Sprintf(", with %s: %s", counted(len(permissions), "permission", "permissions"),
			told(permissions, func(key string) string { return key }))
	}
	candidates, err := cached.NewRegistry(e.snapshot).RolesByKey(ctx, member.Spec.Instance, member.Spec.Role)
	if err != nil {
		return step
	}
	if role, _ := tenant.Holds(member, candidates); role != nil {
		step.From, step.SaidAt = reference("clerkrole", role.Name), timeOf(role.Spec.AsOf, role.Spec.UpdatedAt, role.Spec.DeletedAt)
	}
	return step
}

func classStep(organization *v1alpha1.ClerkOrganization) WhyStep {
	step := WhyStep{Name: stepClass}
	if organization != nil && organization.Status.ClassName != "" {
		step.Message = organization.Status.ClassName + " serves the organization"
		step.From = reference("tenantclass", organization.Status.ClassName)
	}
	return step
}

// rulesOf are the rules of the entry that the namespace fills which was asked about, or all.
func (e *explainer) rulesOf(facts *tenant.MemberFacts) []tenant.Rule {
	namespace := named[corev1.Namespace](e.snapshot, e.namespace)
	if namespace == nil || facts.Organization == nil {
		return facts.Rules
	}
	return slices.DeleteFunc(slices.Clone(facts.Rules), func(rule tenant.Rule) bool {
		return rule.Entry != namespace.Annotations[v1alpha1.NameTemplateAnnotation]
	})
}

// ruleStep says what the role bindings for the member's role are, and which of them give nothing.
func (e *explainer) ruleStep(facts *tenant.MemberFacts) WhyStep {
	step := WhyStep{Name: stepRule}
	var texts []string
	for _, rule := range e.rulesOf(facts) {
		if rule.IsFor(facts.Standing.Role) {
			texts = append(texts, ruleText(&rule, facts))
		}
	}
	if len(texts) == 0 {
		return step
	}
	slices.Sort(texts)
	step.Message, step.From = strings.Join(slices.Compact(texts), "; "), reference("tenantclass", facts.Organization.Status.ClassName)
	return step
}

func ruleText(rule *tenant.Rule, facts *tenant.MemberFacts) string {
	text := "role " + rule.Role + " means " + rule.ClusterRole
	if rule.Role == "" {
		text = "permission " + rule.Permission + " means " + rule.ClusterRole
	}
	if rule.When != "" {
		text += " when " + rule.When
	}
	switch given := facts.Given(rule); {
	case !given.Holds:
		text += " (not now: " + given.Message + ")"
	case given.Until != nil:
		text += " until " + given.Until.Format(time.RFC3339)
	}
	return text
}

func (e *explainer) bindingStep(facts *tenant.MemberFacts) WhyStep {
	step := WhyStep{Name: stepRoleBinding}
	texts := make([]string, len(facts.Bindings))
	for i, binding := range facts.Bindings {
		texts[i] = fmt.Sprintf("%s in %s, by %s", binding.ClusterRole, binding.Namespace, binding.Name)
	}
	step.Message = strings.Join(texts, "; ")
	if e.snapshot.unread[roleBindings] != nil && step.Message != "" {
		step.From = reference("clerkmember", facts.Member.Name) + " (its status: you may not list RoleBindings)"
	}
	return step
}
