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

package cached

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// MemberFacts gathers what it depends on whether a member has access now.
func (e *Expressions) MemberFacts(
	ctx context.Context, reader client.Reader, member *v1alpha1.ClerkMember, now time.Time,
) (*tenant.MemberFacts, error) {
	facts := &tenant.MemberFacts{Member: member, Now: now}
	instance, err := e.Instance(ctx, reader, member.Spec.Instance)
	if err != nil {
		return nil, err
	}
	if facts.Standing, err = NewRegistry(reader).StandingOf(ctx, member); err != nil {
		return nil, err
	}
	facts.Instance = instance.Problem()
	facts.Subject, facts.SubjectError = instance.Subject(member, facts.Standing.User)
	if member.Spec.OrganizationID == "" {
		return facts, nil
	}
	if err := e.readOrganization(ctx, reader, instance, facts); err != nil {
		return nil, err
	}
	shared, err := isSucceeded(ctx, reader, member)
	if err != nil || shared {
		return facts, err
	}
	bindings, err := Items[rbacv1.RoleBindingList](ctx, reader, ByOrganization, member.Spec.OrganizationID)
	if err != nil {
		return nil, err
	}
	// A user who has no name any more may still be bound by the last one.
	facts.Bindings = bindingsOf(cmp.Or(facts.Subject, member.Status.Subject), ofInstance(member.Spec.Instance, bindings.Items))
	return facts, nil
}

// readOrganization reads the member's organization and the rules of its class.
func (e *Expressions) readOrganization(
	ctx context.Context, reader client.Reader, instance tenant.Instance, facts *tenant.MemberFacts,
) error {
	var organization v1alpha1.ClerkOrganization
	spec := &facts.Member.Spec
	err := reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(spec.Instance, spec.OrganizationID)}, &organization)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the organization of ClerkMember %s: %w", facts.Member.Name, err)
	}
	if organization.Spec.Instance != facts.Member.Spec.Instance {
		return nil
	}
	facts.Organization = &organization
	if facts.Subscription, err = subscriptionOf(ctx, reader, instance, &organization); err != nil {
		return err
	}
	if facts.Domains, err = domainsOf(ctx, reader, &organization); err != nil {
		return err
	}
	if organization.Status.ClassName == "" {
		return nil
	}
	var class v1alpha1.TenantClass
	err = reader.Get(ctx, client.ObjectKey{Name: organization.Status.ClassName}, &class)
	if err == nil {
		compiled, _ := e.Class(&class) // a role binding that does not compile says so itself
		facts.Rules = compiled.Rules()
	}
	return client.IgnoreNotFound(err)
}

// isSucceeded tells whether the user of a deleted membership is back with another one: the RoleBindings are then that one's.
func isSucceeded(ctx context.Context, reader client.Reader, member *v1alpha1.ClerkMember) (bool, error) {
	if member.Spec.DeletedAt == nil {
		return false, nil
	}
	members, err := Items[v1alpha1.ClerkMemberList](ctx, reader, ByOrganization,
		Scoped(member.Spec.Instance, member.Spec.OrganizationID))
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
