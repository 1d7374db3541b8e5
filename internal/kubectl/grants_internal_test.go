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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Where a ClusterGrant is not ready, only the API server knows who has something by it.
func TestWhyIsNotSureOfAClusterGrantThatIsNotReady(t *testing.T) {
	t.Parallel()
	due, lost := tenant.Given{Holds: true}, tenant.Given{Reason: v1alpha1.ReasonExpired, Message: "it ended"}
	const perhaps, not, yes = "+ perhaps ClusterRole", "+ no ClusterRole", "+ ClusterRole"
	for _, test := range []struct {
		reason string
		given  tenant.Given
		says   string
	}{
		{v1alpha1.ReasonReady, due, yes},
		{v1alpha1.ReasonReady, lost, not},
		{v1alpha1.ReasonOrganizationsMissing, due, yes},
		{v1alpha1.ReasonObserving, due, perhaps},
		{v1alpha1.ReasonObserving, lost, perhaps},
		{v1alpha1.ReasonInstanceInvalid, due, perhaps},
		{v1alpha1.ReasonInstanceInvalid, lost, not},
		{v1alpha1.ReasonUsersNotMirrored, due, perhaps},
		{v1alpha1.ReasonTooManyMembers, due, perhaps},
		{v1alpha1.ReasonTooManyMembers, lost, not},
		{v1alpha1.ReasonProgressing, due, perhaps},
		{v1alpha1.ReasonDisabled, due, perhaps},
		{v1alpha1.ReasonDisabled, lost, perhaps},
		{v1alpha1.ReasonClusterRoleNotAllowed, due, not},
		{"", due, not},
	} {
		grant := &v1alpha1.ClusterGrant{Spec: v1alpha1.ClusterGrantSpec{ClusterRole: "view"}}
		if test.reason != "" {
			grant.Status.Conditions = condition.Verdict{Ready: test.reason == v1alpha1.ReasonReady, Reason: test.reason}.Conditions(nil, 1)
		}
		found, out := whyClusterGrant(grant, test.given, holdingUnseen), page{}
		found.text(&out)
		isExplained := test.says == yes || found.Message != ""
		if !strings.HasPrefix(out.String(), "  "+test.says) || !isExplained || found.Given != (test.says == yes) {
			t.Errorf("%q, to have it %t: got %+v:\n%s", test.reason, test.given.Holds, found, &out)
		}
	}
}

// Who may see the ClusterRoleBindings is sure.
func TestWhySaysWhatThereIsWhereItMayBeSeen(t *testing.T) {
	t.Parallel()
	due, lost, other := tenant.Given{Holds: true}, tenant.Given{Message: "it ended"}, tenant.Given{}
	const yes, no = "+ ClusterRole view in the whole cluster, by the ClusterGrant staff", "+ no ClusterRole view in the whole cluster, by the ClusterGrant staff"
	for _, test := range []struct {
		reason string
		given  tenant.Given
		now    holding
		says   string
	}{
		{v1alpha1.ReasonReady, due, holds, yes},
		{v1alpha1.ReasonObserving, due, holds, yes},
		{v1alpha1.ReasonReady, due, holdsNot, no + ": that is about to change"},
		{v1alpha1.ReasonTooManyMembers, due, holdsNot, no + ": the ClusterGrant is not ready (TooManyMembers): see kubectl describe clustergrant staff"},
		{v1alpha1.ReasonReady, lost, holdsNot, no + ": it ended"},
		{v1alpha1.ReasonDisabled, lost, holds, yes + ": they should not have it (it ended), and have it: the ClusterGrant is not ready (Disabled): " +
			"see kubectl describe clustergrant staff"},
		{v1alpha1.ReasonReady, other, holds, yes + ": they should not have it, and have it: that is about to change"},
	} {
		grant := &v1alpha1.ClusterGrant{ObjectMeta: metav1.ObjectMeta{Name: "staff"}, Spec: v1alpha1.ClusterGrantSpec{ClusterRole: "view"}}
		grant.Status.Conditions = condition.Verdict{Ready: test.reason == v1alpha1.ReasonReady, Reason: test.reason}.Conditions(nil, 1)
		found, out := whyClusterGrant(grant, test.given, test.now), page{}
		found.text(&out)
		said := strings.Join(strings.Fields(out.String()), " ")
		if said != test.says || found.Given != (test.now == holds) || found.Uncertain {
			t.Errorf("%s, to have it %t: got %+v:\n%s", test.reason, test.given.Holds, found, said)
		}
	}
}

// staff are the members of a world of two organizations, of which both are named by the ClusterGrant staff.
func staff(t *testing.T, change func(*snapshot)) *explainer {
	t.Helper()
	s, err := newSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	s.put(&v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: "prod", UID: "prod"},
		Spec:       v1alpha1.ClerkInstanceSpec{Username: "clerk:${user.id}", Mode: v1alpha1.ModeEnforce},
	})
	for _, id := range []string{"org_a", "org_b"} {
		s.put(&v1alpha1.ClerkOrganization{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("prod", id)},
			Spec:       v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "prod", ID: id}, Slug: strings.TrimPrefix(id, "org_")},
		})
	}
	for _, member := range []struct{ organization, user, role string }{
		{"org_a", "jane", "org:admin"}, {"org_b", "jane", "org:admin"}, {"org_a", "joe", "org:member"}, {"org_b", "lea", "org:admin"},
	} {
		id := "orgmem_" + member.organization + member.user
		s.put(&v1alpha1.ClerkMember{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("prod", id)},
			Spec: v1alpha1.ClerkMemberSpec{
				Entity: v1alpha1.Entity{Instance: "prod", ID: id}, OrganizationID: member.organization, UserID: member.user, Role: member.role,
				User: v1alpha1.ClerkMemberUser{Identifier: member.user + "@a.example"},
			},
		})
	}
	grant := &v1alpha1.ClusterGrant{
		ObjectMeta: metav1.ObjectMeta{Name: "staff", UID: "staff"},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: "prod"}, OrganizationIDs: []string{"org_a", "org_b"}, Role: "org:admin", ClusterRole: "view",
			Until: "organization.slug == 'a' ? timestamp('2026-07-01T00:00:00Z') : timestamp('2026-08-01T00:00:00Z')",
		},
	}
	grant.Status.Conditions = condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady}.Conditions(nil, 1)
	s.put(grant)
	s.put(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant.ClusterBindingName("staff"), Labels: tenant.ClusterGrantLabels(grant)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{
			{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:jane"}, {APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:joe"},
		},
	})
	change(s)
	return &explainer{snapshot: s, expressions: cached.NewExpressions(), now: at}
}

func TestWhoHasSomethingByAClusterGrant(t *testing.T) {
	t.Parallel()
	july, august := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	until := func(at time.Time) *metav1.Time { return new(metav1.NewTime(at)) }
	holder := func(user string, organizations ...string) ClusterHolder {
		return ClusterHolder{
			Name: "staff", ClusterRole: "view", Subject: "clerk:" + user, Person: user + "@a.example", Organizations: organizations,
		}
	}
	janeInBoth, joe, janeInA := holder("jane", "a", "b"), holder("joe", "a"), holder("jane", "a")
	janeInBoth.Until, janeInA.Until = until(august), until(july)
	joe.Message = "they should not have it, and have it: that is about to change"
	lea := holder("lea", "b")
	lea.Until = until(august)
	kept := joe
	kept.Message = "they should not have it, and have it: the ClusterGrant is not ready (Disabled): see kubectl describe clustergrant staff"
	nobody := joe
	nobody.Person, nobody.Organizations = "", nil
	for name, test := range map[string]struct {
		reason       string
		organization string
		change       func(*snapshot)
		want         []ClusterHolder
	}{
		"what there is": {
			"who is to lose it has it still, who is to get it has not, and the longer end counts", "", func(*snapshot) {},
			[]ClusterHolder{janeInBoth, joe},
		},
		"of an organization": {
			"members of the other are left out", "org_b", func(*snapshot) {}, []ClusterHolder{janeInBoth},
		},
		"left one": {
			"the end is that of the membership that is left", "", func(s *snapshot) {
				named[v1alpha1.ClerkMember](s, v1alpha1.ObjectName("prod", "orgmem_org_bjane")).Spec.DeletedAt = new(metav1.NowMicro())
			}, []ClusterHolder{janeInA, joe},
		},
		"unknown": {
			"whoever is named is told of", "", func(s *snapshot) {
				named[v1alpha1.ClerkMember](s, v1alpha1.ObjectName("prod", "orgmem_org_ajoe")).Spec.UserID = "other"
			}, []ClusterHolder{nobody, janeInBoth},
		},
		"not seen": {
			"then it is told who should have it", "", func(s *snapshot) {
				s.unread[clusterRoleBindings], s.objects[kindOf(&rbacv1.ClusterRoleBinding{})] = errNoPerson, nil
			}, []ClusterHolder{janeInBoth, lea},
		},
		"not carried out": {
			"who has it still is told of, with what keeps it from being taken away", "", func(s *snapshot) {
				grant := named[v1alpha1.ClusterGrant](s, "staff")
				grant.Status.Conditions = condition.Verdict{Reason: v1alpha1.ReasonDisabled}.Conditions(nil, 1)
			}, []ClusterHolder{janeInBoth, kept},
		},
	} {
		e := staff(t, test.change)
		organization := named[v1alpha1.ClerkOrganization](e.snapshot, v1alpha1.ObjectName("prod", test.organization))
		have, err := e.clusterHolders(t.Context(), organization)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, have); diff != "" {
			t.Errorf("%s: %s (-want +have):\n%s", name, test.reason, diff)
		}
	}
}

// What the operator says of its ClusterGrants counts before what it is told.
func TestWhichClusterRolesTheOperatorMayGive(t *testing.T) {
	t.Parallel()
	grant := func(clusterRole, reason string, observed int64) *v1alpha1.ClusterGrant {
		grant := &v1alpha1.ClusterGrant{
			ObjectMeta: metav1.ObjectMeta{Name: clusterRole, Generation: 2}, Spec: v1alpha1.ClusterGrantSpec{ClusterRole: clusterRole},
		}
		grant.Status.ObservedGeneration = observed
		grant.Status.Conditions = condition.Verdict{Ready: reason == v1alpha1.ReasonReady, Reason: reason}.Conditions(nil, 1)
		return grant
	}
	deployment := func(args ...string) *appsv1.Deployment {
		found := &appsv1.Deployment{}
		found.Spec.Template.Spec.Containers = []corev1.Container{{Args: append([]string{"--leader-elect"}, args...)}}
		return found
	}
	for name, test := range map[string]struct {
		grant          *v1alpha1.ClusterGrant
		deployment     *appsv1.Deployment
		allowed, known bool
	}{
		"nothing is known":         {grant("edit", v1alpha1.ReasonReady, 2), nil, true, false},
		"it gives it":              {grant("view", v1alpha1.ReasonReady, 2), deployment(), true, true},
		"it may, and has not":      {grant("view", v1alpha1.ReasonInvalid, 2), deployment(), true, true},
		"it may not":               {grant("view", v1alpha1.ReasonClusterRoleNotAllowed, 2), deployment("--cluster-grant-roles=view"), false, true},
		"of an older generation":   {grant("view", v1alpha1.ReasonClusterRoleNotAllowed, 1), nil, true, false},
		"it carries out none":      {grant("edit", v1alpha1.ReasonDisabled, 2), nil, false, true},
		"it lacks rights":          {grant("view", v1alpha1.ReasonForbidden, 2), nil, true, false},
		"by the flag":              {grant("edit", v1alpha1.ReasonReady, 2), deployment("--cluster-grant-roles=edit,view"), true, true},
		"by the flag in two parts": {grant("edit", v1alpha1.ReasonReady, 2), deployment("--cluster-grant-roles", "view"), true, true},
		"not by the flag":          {grant("edit", v1alpha1.ReasonReady, 2), deployment("--cluster-grant-roles=edit"), false, true},
		"without the flag":         {grant("edit", v1alpha1.ReasonReady, 2), deployment(), false, true},
	} {
		found := &allowance{byStatus: map[string]bool{}}
		found.read(test.grant)
		if test.deployment != nil {
			found.isFlagKnown, found.byFlag = true, flagOf(test.deployment)
		}
		if roles, isKnown := found.of("view"); len(roles) == 1 != test.allowed || isKnown != test.known {
			t.Errorf("%s: %v, known: %t", name, roles, isKnown)
		}
	}
}
