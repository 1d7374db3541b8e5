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
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

func TestMemberStatus(t *testing.T) {
	t.Parallel()
	now := metav1.NowMicro()
	admin := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin"})
	bound := []v1alpha1.MemberBinding{{Namespace: "org-acme", Name: "clerk:admin", ClusterRole: "admin"}}
	organization := func(reason string) *v1alpha1.ClerkOrganization {
		return &v1alpha1.ClerkOrganization{Status: v1alpha1.ClerkOrganizationStatus{
			ClassName:  "default",
			Conditions: condition.Verdict{Ready: reason == v1alpha1.ReasonReady, Reason: reason}.Conditions(nil, 1),
		}}
	}
	served := organization(v1alpha1.ReasonReady)
	deleted := organization(v1alpha1.ReasonReady)
	deleted.Spec.DeletedAt = &now
	member := v1alpha1.ClerkMemberSpec{Role: "org:admin"}

	tests := map[string]struct {
		reason       string
		facts        MemberFacts
		spec         v1alpha1.ClerkMemberSpec
		bound, ready bool
		boundReason  string
	}{
		"bound": {
			reason: "the RoleBinding is there and should be",
			facts:  MemberFacts{Organization: served, Rules: admin, Subject: "jane", Bindings: bound}, spec: member,
			bound: true, ready: true, boundReason: v1alpha1.ReasonBound,
		},
		"on its way": {
			reason: "the RoleBinding should be there and is not yet",
			facts:  MemberFacts{Organization: served, Rules: admin, Subject: "jane"}, spec: member,
			boundReason: v1alpha1.ReasonProgressing,
		},
		"some missing": {
			reason: "one RoleBinding is there, but the organization says that something is amiss",
			facts: MemberFacts{
				Organization: organization(v1alpha1.ReasonBindForbidden), Rules: admin, Subject: "jane", Bindings: bound,
			},
			spec: member, bound: true, boundReason: v1alpha1.ReasonBound,
		},
		"nothing to be bound in": {
			reason: "the organization is kept from getting its namespace",
			facts:  MemberFacts{Organization: organization(v1alpha1.ReasonNamespaceTaken), Rules: admin, Subject: "jane"}, spec: member,
			boundReason: v1alpha1.ReasonOrganizationNotReady,
		},
		"being taken away": {
			reason: "the status says what is, not what was intended: the RoleBinding of a deleted membership is still there",
			facts:  MemberFacts{Organization: served, Rules: admin, Subject: "jane", Bindings: bound},
			spec:   v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{DeletedAt: &now}}, bound: true, boundReason: v1alpha1.ReasonProgressing,
		},
		"deleted": {
			reason: "a tombstone without access is as it should be",
			facts:  MemberFacts{Organization: served, Rules: admin}, spec: v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{DeletedAt: &now}},
			ready: true, boundReason: v1alpha1.ReasonDeleted,
		},
		"organization deleted": {
			reason: "nobody has access through a deleted organization",
			facts:  MemberFacts{Organization: deleted, Rules: admin, Subject: "jane"}, spec: member,
			ready: true, boundReason: v1alpha1.ReasonDeleted,
		},
		"no organization": {
			reason:      "the organization is not mirrored",
			facts:       MemberFacts{Rules: admin, Subject: "jane"},
			spec:        member,
			boundReason: v1alpha1.ReasonOrganizationNotFound,
		},
		"role nobody mapped": {
			reason: "it grants nothing, and that is as it should be",
			facts:  MemberFacts{Organization: served, Rules: admin, Subject: "jane"}, spec: v1alpha1.ClerkMemberSpec{Role: "org:guest"},
			ready: true, boundReason: v1alpha1.ReasonRoleNotMapped,
		},
		"no name": {
			reason: "the expression gives a name that is refused",
			facts:  MemberFacts{Organization: served, Rules: admin, SubjectError: errors.New("it is one of Kubernetes' own")}, spec: member,
			boundReason: v1alpha1.ReasonUsernameRefused,
		},
		"banned": {
			reason: "nobody is bound, and that is as it should be", spec: member,
			facts: MemberFacts{Organization: served, Rules: admin, Subject: "jane", Standing: Standing{Bar: BarredByBan}},
			ready: true, boundReason: v1alpha1.ReasonUserBanned,
		},
		"banned, and still bound": {
			reason: "the status says what is", spec: member,
			facts: MemberFacts{Organization: served, Rules: admin, Subject: "jane", Standing: Standing{Bar: BarredByBan}, Bindings: bound},
			bound: true, boundReason: v1alpha1.ReasonProgressing,
		},
		"deprovisioned": {
			spec: member, facts: MemberFacts{Organization: served, Rules: admin, Standing: Standing{Bar: BarredByDirectory}},
			ready: true, boundReason: v1alpha1.ReasonUserDeprovisioned,
		},
		"user deleted": {
			spec: member, facts: MemberFacts{Organization: served, Rules: admin, Standing: Standing{Bar: BarredByDeletion}},
			ready: true, boundReason: v1alpha1.ReasonUserDeleted,
		},
		"user unknown": {
			reason: "the expression needs a ClerkUser", spec: member,
			facts:       MemberFacts{Organization: served, Rules: admin, SubjectError: ErrUserNotMirrored},
			boundReason: v1alpha1.ReasonUserNotMirrored,
		},
		"no verified address": {
			spec: member, facts: MemberFacts{Organization: served, Rules: admin, SubjectError: ErrEmailNotVerified},
			boundReason: v1alpha1.ReasonEmailNotVerified,
		},
		"role deleted": {
			reason: "it grants nothing, and that is as it should be", spec: member,
			facts: MemberFacts{
				Organization: served, Rules: admin, Subject: "jane", Standing: Standing{Role: Role{Doubt: RoleDeleted}},
			},
			ready: true, boundReason: v1alpha1.ReasonRoleDeleted,
		},
		"role in doubt": {
			reason: "somebody has to say which role is meant", spec: member,
			facts: MemberFacts{
				Organization: served, Rules: admin, Subject: "jane", Standing: Standing{Role: Role{Doubt: RoleAmbiguous}},
			},
			boundReason: v1alpha1.ReasonRoleAmbiguous,
		},
		"instance is gone": {
			reason: "without the ClerkInstance users have no names",
			facts:  MemberFacts{Organization: served, Rules: admin, Instance: &Problem{Reason: v1alpha1.ReasonInstanceNotFound}},
			spec:   member, boundReason: v1alpha1.ReasonInstanceNotFound,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.facts.Member = &v1alpha1.ClerkMember{Spec: test.spec}
			if test.facts.Standing.Role.Doubt == "" {
				test.facts.Standing.Role.Key = test.spec.Role
			}
			conditions := test.facts.Status().Conditions
			bound := meta.FindStatusCondition(conditions, v1alpha1.ConditionBound)
			if (bound.Status == metav1.ConditionTrue) != test.bound || bound.Reason != test.boundReason {
				t.Errorf("%s: Bound is %s (%s), want %t (%s)", test.reason, bound.Status, bound.Reason, test.bound, test.boundReason)
			}
			if ready, _ := condition.IsReady(conditions); ready != test.ready {
				t.Errorf("%s: Ready is %t, want %t", test.reason, ready, test.ready)
			}
		})
	}
}

func TestAMembersStatusCallsTheOrganizationAndTheNamespacesByName(t *testing.T) {
	t.Parallel()
	now := metav1.NowMicro()
	bound := []v1alpha1.MemberBinding{
		{Namespace: "org-acme", Name: "clerk:admin", ClusterRole: "admin"},
		{Namespace: "org-acme", Name: "clerk:edit", ClusterRole: "edit"},
		{Namespace: "org-acme-preview", Name: "clerk:admin", ClusterRole: "admin"},
	}
	organization := func(slug, name string, deletedAt *metav1.MicroTime) *v1alpha1.ClerkOrganization {
		return &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{
			Entity: v1alpha1.Entity{ID: "org_2A", DeletedAt: deletedAt}, Slug: slug, Name: name,
		}}
	}
	tests := map[string]struct {
		reason       string
		organization *v1alpha1.ClerkOrganization
		memberGone   bool
		want         string
	}{
		"slug":                 {"it is what people type", organization("acme", "Acme, Inc.", nil), false, "acme"},
		"no slug":              {"slugs may be switched off in Clerk", organization("", "Acme, Inc.", nil), false, "acme-inc"},
		"no slug, no name":     {"something has to be there", organization("", "株式会社", nil), false, "org-2a"},
		"organization deleted": {"a tombstone keeps ids alone", organization("", "", &now), false, ""},
		"member deleted":       {"a tombstone keeps ids alone", organization("acme", "Acme", nil), true, ""},
		"not mirrored":         {"nobody knows how it is called", nil, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := &v1alpha1.ClerkMember{}
			if test.memberGone {
				member.Spec.DeletedAt = &now
			}
			facts := MemberFacts{Member: member, Organization: test.organization, Subject: "jane", Bindings: bound}
			status := facts.Status()
			if status.Organization != test.want {
				t.Errorf("%s: the organization is called %q, want %q", test.reason, status.Organization, test.want)
			}
			if want := []string{"org-acme", "org-acme-preview"}; !slices.Equal(status.Namespaces, want) {
				t.Errorf("the namespaces are %q, want %q", status.Namespaces, want)
			}
		})
	}
}
