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

// Package permission asks the API server what the operator itself may do, so that a missing permission is said in one place and in plain
// words, before a tenant feels it.
package permission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// anyNamespace is where permissions that hold everywhere are asked for: one where nobody gives the operator anything else.
const anyNamespace = "default"

// Required reads the rules of the ClusterRoles and of the Roles in a stream of manifests.
func Required(manifests []byte) (everywhere, own []rbacv1.PolicyRule, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		var role rbacv1.ClusterRole // a Role's rules have the same form
		err := decoder.Decode(&role)
		switch {
		case errors.Is(err, io.EOF):
			return everywhere, own, nil
		case err != nil:
			return nil, nil, fmt.Errorf("read the operator's own roles: %w", err)
		case role.Kind == "ClusterRole":
			everywhere = append(everywhere, role.Rules...)
		case role.Kind == "Role":
			own = append(own, role.Rules...)
		}
	}
}

// Missing are those of the required rules that the caller of the API server does not have, broken down to single verbs. They must hold in
// a namespace or, where that is empty, everywhere.
func Missing(ctx context.Context, c client.Client, namespace string, required []rbacv1.PolicyRule) ([]rbacv1.PolicyRule, error) {
	if namespace == "" {
		namespace = anyNamespace
	}
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if err := c.Create(ctx, review, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("ask the API server for the operator's own permissions: %w", err)
	}
	_, missing := validation.Covers(granted(review), required)
	var confirmed []rbacv1.PolicyRule
	for i := range missing {
		// The list need not be complete, since not every authorizer can tell: for what is not in it, the API server decides.
		allowed, err := isAllowed(ctx, c, namespace, &missing[i])
		if err != nil {
			return nil, err
		}
		if !allowed {
			confirmed = append(confirmed, missing[i])
		}
	}
	return confirmed, nil
}

// granted are the rules of a review, as RBAC writes them.
func granted(review *authorizationv1.SelfSubjectRulesReview) []rbacv1.PolicyRule {
	rules := make([]rbacv1.PolicyRule, len(review.Status.ResourceRules))
	for i, rule := range review.Status.ResourceRules {
		rules[i] = rbacv1.PolicyRule{
			Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames,
		}
	}
	return rules
}

// isAllowed asks for a rule that is broken down to one verb, one group, one resource and at most one name.
func isAllowed(ctx context.Context, c client.Client, namespace string, rule *rbacv1.PolicyRule) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: Attributes(namespace, rule),
	}}
	if err := c.Create(ctx, review, client.DisableReadYourWritesConsistency); err != nil {
		return false, fmt.Errorf("ask the API server whether the operator may %s: %w", Describe([]rbacv1.PolicyRule{*rule}), err)
	}
	return review.Status.Allowed, nil
}

// Attributes are what an access review asks for by a rule that is broken down to one verb, one group, one resource and at most one name.
func Attributes(namespace string, rule *rbacv1.PolicyRule) *authorizationv1.ResourceAttributes {
	resource, subresource, _ := strings.Cut(only(rule.Resources), "/")
	return &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: only(rule.Verbs), Group: only(rule.APIGroups),
		Resource: resource, Subresource: subresource, Name: only(rule.ResourceNames),
	}
}

func only(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Bind is the permission to give away ClusterRoles.
func Bind(clusterRoles ...string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{
		Verbs: []string{"bind"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: clusterRoles,
	}}
}

// Describe says what rules allow, for people: "create, patch events.events.k8s.io; bind clusterroles.rbac.authorization.k8s.io deployer".
func Describe(rules []rbacv1.PolicyRule) string {
	var subjects []string
	verbs := map[string][]string{}
	for i := range rules {
		rule := &rules[i]
		subject := only(rule.Resources)
		if group := only(rule.APIGroups); group != "" {
			resource, subresource, found := strings.Cut(subject, "/")
			subject = resource + "." + group
			if found {
				subject += "/" + subresource
			}
		}
		if len(rule.ResourceNames) > 0 {
			subject += " " + strings.Join(rule.ResourceNames, ", ")
		}
		if verbs[subject] == nil {
			subjects = append(subjects, subject)
		}
		verbs[subject] = append(verbs[subject], rule.Verbs...)
	}
	slices.Sort(subjects)
	for i, subject := range subjects {
		subjects[i] = strings.Join(verbs[subject], ", ") + " " + subject
	}
	return strings.Join(subjects, "; ")
}
