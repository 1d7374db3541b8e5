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
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// roleBindings is the resource that many may not list.
const roleBindings = "rolebindings.rbac.authorization.k8s.io"

// maxReviews is how many questions the API server is asked about one membership.
const maxReviews = 20

// askAPIServer has the API server say whether a member may do what the ClusterRoles of the RoleBindings allow: one thing of each.
func (e *explainer) askAPIServer(ctx context.Context, m *WhyMembership, facts *tenant.MemberFacts, broken string) error {
	step := WhyStep{Name: stepAPIServer, State: StepNotReached}
	defer func() { m.Steps = append(m.Steps, step) }()
	if len(facts.Bindings) == 0 {
		return nil
	}
	subject := facts.Subject
	if subject == "" {
		subject = facts.Member.Status.Subject
	}
	var answers []string
	for _, binding := range facts.Bindings[:min(len(facts.Bindings), maxReviews)] {
		review, doubt := e.question(ctx, subject, binding)
		if doubt != "" {
			step.State, step.Message = StepUnknown, doubt
			continue
		}
		err := e.cluster.Create(ctx, review)
		if apierrors.IsForbidden(err) {
			step.State = StepUnknown
			step.Message = "not asked: you may not create subjectaccessreviews.authorization.k8s.io"
			return nil
		}
		if err != nil {
			return fmt.Errorf("ask the API server what it lets the user do: %w", err)
		}
		asked := review.Spec.ResourceAttributes
		what := fmt.Sprintf("%s %s in %s", asked.Verb, strings.Trim(asked.Resource+"."+asked.Group, "."), binding.Namespace)
		if !review.Status.Allowed {
			step.State, step.Message = StepBroken, "says no: they may not "+what
			if broken == "" {
				m.HasAccess, m.Message = false, fmt.Sprintf("the RoleBinding %s/%s is there, and the API server says no all the same",
					binding.Namespace, binding.Name)
				m.Advice = fmt.Sprintf("look at the ClusterRole %s, and whether the API server authorizes by RBAC", binding.ClusterRole)
			}
			return nil
		}
		answers = append(answers, what)
	}
	if step.State == StepNotReached {
		step.State, step.Message = StepPassed, "says yes: they may "+strings.Join(answers, ", ")
	}
	return nil
}

// question asks for the first thing that a ClusterRole allows; the doubt says why there is nothing to ask for.
func (e *explainer) question(
	ctx context.Context, subject string, binding v1alpha1.MemberBinding,
) (review *authorizationv1.SubjectAccessReview, doubt string) {
	var role rbacv1.ClusterRole
	err := e.cluster.Get(ctx, client.ObjectKey{Name: binding.ClusterRole}, &role)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Sprintf("the ClusterRole %s does not exist, so its RoleBinding gives nothing: create it", binding.ClusterRole)
	}
	if err != nil {
		return nil, fmt.Sprintf("not asked: you may not read the ClusterRole %s, so what to ask for is not known", binding.ClusterRole)
	}
	rule := allowsOf(role.Rules)
	if rule == nil {
		return nil, fmt.Sprintf("the ClusterRole %s allows nothing within a namespace", binding.ClusterRole)
	}
	asked := &authorizationv1.ResourceAttributes{Namespace: binding.Namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0]}
	asked.Resource, asked.Subresource, _ = strings.Cut(rule.Resources[0], "/")
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: subject, ResourceAttributes: asked}}, ""
}

// allowsOf is the first rule about resources of any name, nil if there is none: one of Kubernetes' core, where there is one.
func allowsOf(rules []rbacv1.PolicyRule) *rbacv1.PolicyRule {
	var first *rbacv1.PolicyRule
	for i := range rules {
		rule := &rules[i]
		if len(rule.Verbs) == 0 || len(rule.APIGroups) == 0 || len(rule.Resources) == 0 || len(rule.ResourceNames) > 0 {
			continue
		}
		if rule.APIGroups[0] == "" {
			return rule
		}
		if first == nil {
			first = rule
		}
	}
	return first
}
