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

package member

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// facts are what a member's status is made from.
type facts struct {
	member       *v1alpha1.ClerkMember
	standing     tenant.Standing
	organization *v1alpha1.ClerkOrganization // nil if not mirrored
	rules        []v1alpha1.TenantRoleBinding
	subject      string
	subjectError error
	instance     *tenant.Problem
	bindings     []v1alpha1.MemberBinding
}

func (r *Reconciler) gather(ctx context.Context, member *v1alpha1.ClerkMember) (*facts, error) {
	facts := &facts{member: member}
	instance, err := r.Expressions.Instance(ctx, r.Client, member.Spec.Instance)
	if err != nil {
		return nil, err
	}
	if facts.standing, err = cached.NewRegistry(r.Client).StandingOf(ctx, member); err != nil {
		return nil, err
	}
	facts.instance = instance.Problem()
	facts.subject, facts.subjectError = instance.Subject(member, facts.standing.User)
	if facts.standing.User == nil && member.Spec.DeletedAt == nil && r.MissingUser != nil {
		r.MissingUser(member.Spec.Instance, member.Spec.UserID)
	}
	if member.Spec.OrganizationID == "" {
		return facts, nil
	}
	if err := r.readOrganization(ctx, facts); err != nil {
		return nil, err
	}
	shared, err := r.isSucceeded(ctx, member)
	if err != nil || shared {
		return facts, err
	}
	bindings, err := cached.Items[rbacv1.RoleBindingList](ctx, r.Client, cached.ByOrganization, member.Spec.OrganizationID)
	if err != nil {
		return nil, err
	}
	// A user who has no name any more may still be bound by the last one.
	facts.bindings = bindingsOf(cmp.Or(facts.subject, member.Status.Subject), ofInstance(member.Spec.Instance, bindings.Items))
	return facts, nil
}

// readOrganization reads the member's organization and the rules of its class.
func (r *Reconciler) readOrganization(ctx context.Context, facts *facts) error {
	var organization v1alpha1.ClerkOrganization
	spec := &facts.member.Spec
	err := r.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(spec.Instance, spec.OrganizationID)}, &organization)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the organization of ClerkMember %s: %w", facts.member.Name, err)
	}
	if organization.Spec.Instance != facts.member.Spec.Instance {
		return nil
	}
	facts.organization = &organization
	if organization.Status.ClassName == "" {
		return nil
	}
	var class v1alpha1.TenantClass
	err = r.Client.Get(ctx, client.ObjectKey{Name: organization.Status.ClassName}, &class)
	if err == nil {
		facts.rules = tenant.Rules(&class)
	}
	return client.IgnoreNotFound(err)
}

// isSucceeded tells whether the user of a deleted membership is back with another one: the RoleBindings are then that one's.
func (r *Reconciler) isSucceeded(ctx context.Context, member *v1alpha1.ClerkMember) (bool, error) {
	if member.Spec.DeletedAt == nil {
		return false, nil
	}
	members, err := cached.Items[v1alpha1.ClerkMemberList](ctx, r.Client, cached.ByOrganization,
		cached.Scoped(member.Spec.Instance, member.Spec.OrganizationID))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(members.Items, func(other v1alpha1.ClerkMember) bool {
		return other.Spec.DeletedAt == nil && other.Spec.UserID == member.Spec.UserID
	}), nil
}

// ofInstance are the RoleBindings of organizations that a ClerkInstance speaks of.
func ofInstance(instance string, all []rbacv1.RoleBinding) []rbacv1.RoleBinding {
	return slices.DeleteFunc(slices.Clone(all), func(binding rbacv1.RoleBinding) bool {
		return binding.Labels[v1alpha1.InstanceLabel] != instance
	})
}

// bindingsOf are the RoleBindings that name a subject, in the order of their names.
func bindingsOf(subject string, all []rbacv1.RoleBinding) []v1alpha1.MemberBinding {
	if subject == "" {
		return nil
	}
	var bindings []v1alpha1.MemberBinding
	for i := range all {
		binding := &all[i]
		names := func(s rbacv1.Subject) bool { return s.Kind == rbacv1.UserKind && s.Name == subject }
		if slices.ContainsFunc(binding.Subjects, names) {
			bindings = append(bindings, v1alpha1.MemberBinding{
				Namespace: binding.Namespace, Name: binding.Name, ClusterRole: binding.RoleRef.Name,
			})
		}
	}
	slices.SortFunc(bindings, func(a, b v1alpha1.MemberBinding) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return bindings
}
