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

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/clerk-operator/clerk-operator/config/rbac"
	"github.com/clerk-operator/clerk-operator/internal/permission"
)

// checkRights asks the API server whether the operator may do what it has to, and give the ClusterRoles that the classes map.
func (d *doctor) checkRights(ctx context.Context) error {
	everywhere, own, err := permission.Required(rbac.Roles)
	if err != nil {
		return err
	}
	var missing []rbacv1.PolicyRule
	for _, group := range []struct {
		namespace string
		rules     []rbacv1.PolicyRule
	}{{"", everywhere}, {d.namespace, own}, {"", permission.Bind(d.mappedRoles()...)}} {
		for i := range group.rules {
			for _, rule := range validation.BreakdownRule(group.rules[i]) {
				allowed, err := d.operatorMay(ctx, group.namespace, &rule)
				if apierrors.IsForbidden(err) {
					d.unknown(checkRights, "you may not create SubjectAccessReviews, so what the operator may do is not known",
						"ask for the verb create on subjectaccessreviews.authorization.k8s.io")
					return nil
				}
				if err != nil {
					return fmt.Errorf("ask the API server what the operator may do: %w", err)
				}
				if !allowed {
					missing = append(missing, rule)
				}
			}
		}
	}
	account := d.namespace + "/" + d.serviceAccount
	isBind := func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Verbs, "bind") }
	if binds := slices.DeleteFunc(slices.Clone(missing), func(rule rbacv1.PolicyRule) bool { return !isBind(rule) }); len(binds) > 0 {
		d.wrong(checkRights, "", fmt.Sprintf("the operator's ServiceAccount %s may not %s, which a TenantClass maps",
			account, permission.Describe(binds)),
			"name them in the chart's value rbac.extraClusterRoles, or in the ClusterRole clerk-operator-bind; or map others")
	}
	if others := slices.DeleteFunc(slices.Clone(missing), isBind); len(others) > 0 {
		d.wrong(checkRights, "", fmt.Sprintf("the operator's ServiceAccount %s may not: %s", account, permission.Describe(others)),
			"give it the ClusterRole and the Role of the operator's version: upgrade the chart, or kubectl apply -k config/rbac")
	}
	if len(missing) == 0 {
		d.passed(checkRights, "the operator's ServiceAccount %s may do all that it has to", account)
	}
	return nil
}

// mappedRoles are the ClusterRoles that TenantClasses give.
func (d *doctor) mappedRoles() []string {
	var roles []string
	if d.classes != nil {
		for i := range d.classes.Items {
			for _, namespace := range d.classes.Items[i].Spec.Namespaces {
				for _, binding := range namespace.RoleBindings {
					roles = append(roles, binding.ClusterRole)
				}
			}
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// operatorMay asks for a rule that is broken down to one verb, one resource and at most one name.
func (d *doctor) operatorMay(ctx context.Context, namespace string, rule *rbacv1.PolicyRule) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + d.namespace + ":" + d.serviceAccount,
		Groups: []string{
			"system:serviceaccounts", "system:serviceaccounts:" + d.namespace, "system:authenticated",
		},
		ResourceAttributes: permission.Attributes(namespace, rule),
	}}
	err := d.cluster.Create(ctx, review)
	return review.Status.Allowed, err
}

// needs are what commands of the plugin have to list.
var needs = []struct {
	resources []string // each with its group
	commands  string
}{
	{[]string{"clerkinstances.clerk-operator.io", "tenantclasses.clerk-operator.io", "clerkorganizations.clerk-operator.io"}, "all commands"},
	{[]string{
		"clerkmembers.clerk-operator.io", "clerkusers.clerk-operator.io", "clerkroles.clerk-operator.io", "clerkpermissions.clerk-operator.io",
		"clerksubscriptionitems.clerk-operator.io", "clerkorganizationdomains.clerk-operator.io",
	}, "why, who, tree and plan"},
	{[]string{"namespaces", "rolebindings.rbac.authorization.k8s.io"}, "tree and plan"},
	{[]string{"resourcequotas", "limitranges", "networkpolicies.networking.k8s.io"}, "plan"},
}

// checkCaller looks for what the caller of the plugin has to be allowed.
func (d *doctor) checkCaller(ctx context.Context) error {
	var lacking []string
	for _, need := range needs {
		var resources []string
		for _, name := range need.resources {
			resource, group, _ := strings.Cut(name, ".")
			allowed, err := d.callerMay(ctx, &authorizationv1.ResourceAttributes{Verb: "list", Group: group, Resource: resource})
			if err != nil {
				return err
			}
			if !allowed {
				resources = append(resources, resource)
			}
		}
		if len(resources) > 0 {
			lacking = append(lacking, fmt.Sprintf("list %s (for %s)", strings.Join(resources, ", "), need.commands))
		}
	}
	mayPatch, err := d.callerMay(ctx, &authorizationv1.ResourceAttributes{
		Verb: "patch", Group: "clerk-operator.io", Resource: "clerkinstances",
	})
	if err != nil {
		return err
	}
	if !mayPatch {
		lacking = append(lacking, "patch clerkinstances (for resync and prune release)")
	}
	there, err := d.lackingThere(ctx)
	if err != nil {
		return err
	}
	lacking = append(lacking, there...)
	if len(lacking) > 0 {
		d.unknown(checkCaller, "you may not "+strings.Join(lacking, "; "), "if you need these commands, ask for the ClusterRole "+
			"clerk-operator-viewer or clerk-operator-editor, and for these rights on what is Kubernetes' own")
		return nil
	}
	d.passed(checkCaller, "you may do all that the plugin does")
	return nil
}

// lackingThere says what the caller lacks in the operator's namespace.
func (d *doctor) lackingThere(ctx context.Context) ([]string, error) {
	var lacking []string
	for _, need := range []struct{ verb, resource, subresource, commands string }{
		{"list", "services", "", "logs, send and listen"},
		{"list", "pods", "", "logs, send and listen"},
		{"get", "pods", "log", "logs"},
		{"create", "pods", "portforward", "send and listen"},
	} {
		allowed, err := d.callerMay(ctx, &authorizationv1.ResourceAttributes{
			Namespace: d.namespace, Verb: need.verb, Resource: need.resource, Subresource: need.subresource,
		})
		if err != nil {
			return nil, err
		}
		if !allowed {
			name := strings.TrimSuffix(need.resource+"/"+need.subresource, "/")
			lacking = append(lacking, fmt.Sprintf("%s %s in %s (for %s)", need.verb, name, d.namespace, need.commands))
		}
	}
	return lacking, nil
}

func (d *doctor) callerMay(ctx context.Context, what *authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: what}}
	if err := d.cluster.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask the API server what you may do: %w", err)
	}
	return review.Status.Allowed, nil
}
