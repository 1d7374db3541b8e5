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
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

var grantNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// clusterSituation is that of a ClusterGrant of view to admins of Acme, in which Jane is an admin and Joe is a member.
func clusterSituation(changes ...func(*ClusterSituation)) *ClusterSituation {
	acme := situation()
	s := &ClusterSituation{
		Grant: &v1alpha1.ClusterGrant{
			ObjectMeta: metav1.ObjectMeta{Name: "staff", UID: "staff-uid", Generation: 1},
			Spec: v1alpha1.ClusterGrantSpec{
				InstanceRef: v1alpha1.InstanceReference{Name: "prod"}, OrganizationIDs: []string{"org_acme"}, Role: "org:admin", ClusterRole: "view",
			},
		},
		Allowed:       []string{"edit", "view"},
		Instance:      acme.Instance,
		Organizations: []NamedOrganization{{Object: acme.Organization, Memberships: acme.Memberships}},
		Now:           grantNow,
	}
	for _, change := range changes {
		change(s)
	}
	s.Rule, _ = CompileClusterGrant(s.Grant)
	return s
}

// hasClusterBinding: there is the grant's ClusterRoleBinding, as the operator makes it.
func hasClusterBinding(clusterRole string, users ...string) func(*ClusterSituation) {
	return func(s *ClusterSituation) { s.Bindings = append(s.Bindings, clusterBinding(s, clusterRole, users...)) }
}

func clusterBinding(s *ClusterSituation, clusterRole string, users ...string) *rbacv1.ClusterRoleBinding {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "clerk-operator:staff", UID: "1", Labels: ClusterGrantLabels(s.Grant),
			OwnerReferences: []metav1.OwnerReference{{UID: s.Grant.UID}}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
	}
	for _, user := range users {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:" + user})
	}
	return binding
}

// ofBinding changes the ClusterRoleBinding that there is.
func ofBinding(change func(*rbacv1.ClusterRoleBinding)) func(*ClusterSituation) {
	return func(s *ClusterSituation) { change(s.Bindings[0]) }
}

func ofGrant(change func(*v1alpha1.ClusterGrant)) func(*ClusterSituation) {
	return func(s *ClusterSituation) { change(s.Grant) }
}

// ofJane changes what is known of Jane.
func ofJane(change func(*Membership)) func(*ClusterSituation) {
	return func(s *ClusterSituation) { change(&s.Organizations[0].Memberships[0]) }
}

func describeGrant(i *ClusterIntent) string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if i.Observe {
		say("observe")
	}
	if i.Frozen {
		say("frozen")
	}
	say("due: %s", strings.Join(slices.Sorted(maps.Keys(i.Due)), ", "))
	for _, binding := range i.Plan.Delete {
		say("delete %s", binding.Name)
	}
	for _, binding := range i.Plan.Held {
		say("held %s", binding.Name)
	}
	for verb, want := range map[string]*Binding{"shrink": i.Plan.Shrink, "write": i.Plan.Grow, "leave": i.Plan.Keep} {
		if want != nil {
			say("%s %s to %s: %s", verb, want.Name, want.ClusterRole, strings.Join(want.Subjects, ", "))
		}
	}
	for _, found := range i.Problems {
		say("problem %s", found.Reason)
	}
	return strings.Join(lines, "\n")
}

func TestDecideClusterGrant(t *testing.T) {
	t.Parallel()
	settled := hasClusterBinding("view", "jane")
	left := ofJane(func(m *Membership) { m.Spec.DeletedAt = new(metav1.NowMicro()) })
	when := func(expression string) func(*ClusterSituation) {
		return ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.When = expression })
	}
	until := func(end string) func(*ClusterSituation) {
		return ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.Until = "'" + end + "'" })
	}
	observes := func(s *ClusterSituation) { s.Instance.object.Spec.Mode = v1alpha1.ModeObserve }
	revokeOnly := func(s *ClusterSituation) { s.RevokeOnly = true }
	unnamed := func(s *ClusterSituation) { s.Instance = NewInstance("prod", s.Instance.object, nil) }
	known := ofJane(func(m *Membership) { m.Status.Subject = "clerk:jane" })
	finalized := ofBinding(func(b *rbacv1.ClusterRoleBinding) {
		b.Finalizers, b.DeletionTimestamp = []string{"example.com/keep"}, new(metav1.Now())
	})
	for name, test := range map[string]struct {
		reason string
		given  []func(*ClusterSituation)
		want   string
	}{
		"new": {"those with the role get it, others do not", nil, `
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"settled": {"nothing is to be done", []func(*ClusterSituation){settled}, `
due: clerk:jane
leave clerk-operator:staff to view: clerk:jane`},
		"a permission": {"the role's permissions count", []func(*ClusterSituation){
			ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.Role, g.Spec.Permission = "", "org:cluster:read" }),
			ofJane(func(m *Membership) { m.Role.Permissions = []string{"org:cluster:read"} })}, `
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"who left": {"nobody is left", []func(*ClusterSituation){settled, left}, `
due: 
delete clerk-operator:staff`},
		"who left, while others stay": {"the others keep it", []func(*ClusterSituation){hasClusterBinding("view", "jane", "jim"), left,
			func(s *ClusterSituation) {
				s.Organizations[0].Memberships = append(s.Organizations[0].Memberships, membership("jim", "org:admin"))
			}}, `
due: clerk:jim
shrink clerk-operator:staff to view: clerk:jim`},
		"banned": {"Clerk lets them in nowhere", []func(*ClusterSituation){settled, ofJane(func(m *Membership) { m.Bar = BarredByBan })}, `
due: 
delete clerk-operator:staff`},
		"another role": {"the role decides", []func(*ClusterSituation){settled, ofJane(func(m *Membership) { m.Role.Key = "org:member" })}, `
due: 
delete clerk-operator:staff`},
		"a role in doubt": {"what is in doubt gives nothing", []func(*ClusterSituation){settled,
			ofJane(func(m *Membership) { m.Role = Role{Doubt: RoleAmbiguous} })}, `
due: 
delete clerk-operator:staff`},
		"another name": {"the former one goes", []func(*ClusterSituation){hasClusterBinding("view", "janet")}, `
due: clerk:jane
shrink clerk-operator:staff to view: clerk:jane`},
		"a deleted organization": {"nobody has anything by it", []func(*ClusterSituation){settled,
			func(s *ClusterSituation) { s.Organizations[0].Object.Spec.DeletedAt = new(metav1.NowMicro()) }}, `
due: 
delete clerk-operator:staff`},
		"no such organization": {"another instance's counts for nothing, and a mistyped id is to be seen", []func(*ClusterSituation){settled,
			func(s *ClusterSituation) { s.Organizations[0] = NamedOrganization{} }}, `
due: 
delete clerk-operator:staff
problem OrganizationsMissing`},
		"no such instance": {"what it said counts no longer", []func(*ClusterSituation){settled,
			func(s *ClusterSituation) { s.Instance = NewInstance("prod", nil, nil) }}, `
due: 
delete clerk-operator:staff
problem InstanceNotFound`},
		"no names": {"who has it keeps it, and nobody is added", []func(*ClusterSituation){settled, unnamed, known,
			func(s *ClusterSituation) {
				jim := membership("jim", "org:admin")
				jim.Status.Subject = "clerk:jim"
				s.Organizations[0].Memberships = append(s.Organizations[0].Memberships, jim)
			}}, `
frozen
due: clerk:jane, clerk:jim
leave clerk-operator:staff to view: clerk:jane
problem InstanceInvalid`},
		"no names, and who left": {"what is certain is taken away", []func(*ClusterSituation){settled, unnamed, known, left}, `
frozen
due: 
delete clerk-operator:staff
problem InstanceInvalid`},
		"observed": {"it is told, and not done", []func(*ClusterSituation){observes}, `
observe
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"another replica": {"it adds nobody", []func(*ClusterSituation){hasClusterBinding("view", "joe"), revokeOnly}, `
due: clerk:jane
delete clerk-operator:staff`},
		"a ClusterRole that is not allowed": {"the operator gives none but those it was told", []func(*ClusterSituation){
			hasClusterBinding("cluster-admin", "jane"), ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "cluster-admin" })}, `
due: 
delete clerk-operator:staff
problem ClusterRoleNotAllowed`},
		"another ClusterRole": {"a roleRef never changes, so it is made anew", []func(*ClusterSituation){settled,
			ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "edit" })}, `
due: clerk:jane
delete clerk-operator:staff
write clerk-operator:staff to edit: clerk:jane`},
		"a deleted grant": {"before it is gone", []func(*ClusterSituation){settled,
			ofGrant(func(g *v1alpha1.ClusterGrant) { g.DeletionTimestamp = new(metav1.Now()) })}, `
due: 
delete clerk-operator:staff`},
		"a condition that holds": {"", []func(*ClusterSituation){when("organization.members == 2")}, `
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"a condition that does not": {"", []func(*ClusterSituation){settled, when("user.username == 'jane'")}, `
due: 
delete clerk-operator:staff`},
		"a condition that fails": {"what cannot be decided gives nothing", []func(*ClusterSituation){settled, when("user.twoFactorEnabled")}, `
due: 
delete clerk-operator:staff
problem ConditionUndecided`},
		"a condition that does not compile": {"it gives nothing to anybody", []func(*ClusterSituation){settled, when("user.nothing")}, `
due: 
delete clerk-operator:staff
problem Invalid`},
		"before its end": {"", []func(*ClusterSituation){settled, until("2026-06-01T12:00:01Z")}, `
due: clerk:jane
leave clerk-operator:staff to view: clerk:jane`},
		"at its end": {"it ends at that second", []func(*ClusterSituation){settled, until("2026-06-01T12:00:00Z")}, `
due: 
delete clerk-operator:staff`},
		"a group in it": {"somebody else put it there", []func(*ClusterSituation){settled, ofBinding(func(b *rbacv1.ClusterRoleBinding) {
			b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "clerk:jane"})
		})}, `
due: clerk:jane
shrink clerk-operator:staff to view: clerk:jane`},
		"its labels are gone": {"its owner tells whose it is", []func(*ClusterSituation){settled,
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { b.Labels = nil })}, `
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"its owner is gone": {"or is the grant of that name from before", []func(*ClusterSituation){settled,
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { b.OwnerReferences = nil })}, `
due: clerk:jane
write clerk-operator:staff to view: clerk:jane`},
		"somebody else's": {"it is left alone, and nobody gets anything by it", []func(*ClusterSituation){settled,
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { b.OwnerReferences, b.Labels = nil, nil })}, `
due: clerk:jane
problem ClusterRoleBindingTaken`},
		"a copy by another name": {"whoever made it, the grant is not for that", []func(*ClusterSituation){settled, hasClusterBinding("view", "eve"),
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { b.Name = "copy" })}, `
due: clerk:jane
delete copy
shrink clerk-operator:staff to view: clerk:jane`},
		"deleted, and held": {"RBAC honours it, so it is emptied; a new one has to wait", []func(*ClusterSituation){settled, finalized}, `
due: clerk:jane
delete clerk-operator:staff`},
		"emptied, and held": {"", []func(*ClusterSituation){hasClusterBinding("view"), finalized}, `
due: clerk:jane
held clerk-operator:staff
problem ClusterRoleBindingHeld`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := describeGrant(DecideClusterGrant(clusterSituation(test.given...)))
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// With an end from the metadata of each, or none.
func TestTheEndOfAClusterGrant(t *testing.T) {
	t.Parallel()
	ends := func(user string, metadata string) Membership {
		m := membership(user, "org:admin")
		m.Spec.PublicMetadata = &runtime.RawExtension{Raw: []byte(metadata)}
		return m
	}
	at := func(hour int) *time.Time { return new(time.Date(2026, 6, 1, hour, 0, 0, 0, time.UTC)) }
	const one, two, past = `{"until":"2026-06-01T13:00:00Z"}`, `{"until":"2026-06-01T14:00:00Z"}`, `{"until":"2026-06-01T11:00:00Z"}`
	for name, test := range map[string]struct {
		memberships, others []Membership
		next, expires       *time.Time
		passed              map[string]time.Time
		each                map[string]*time.Time
		reason              string
	}{
		"none": {[]Membership{ends("jane", `{}`)}, nil, nil, nil, nil, map[string]*time.Time{"clerk:jane": nil},
			"without a value there is no end"},
		"two": {[]Membership{ends("jane", two), ends("jim", one)}, nil, at(13), at(13), nil,
			map[string]*time.Time{"clerk:jane": at(14), "clerk:jim": at(13)}, "the first counts"},
		"passed": {[]Membership{ends("jane", past), ends("jim", one)}, nil, at(13), at(13), map[string]time.Time{"jane": *at(11)},
			map[string]*time.Time{"clerk:jim": at(13)}, "Jane still has it"},
		"nobody's": {[]Membership{ends("joe", past)}, nil, nil, nil, nil, map[string]*time.Time{}, "Joe had nothing by it"},
		"a member twice": {[]Membership{ends("jane", one)}, []Membership{ends("jane", two)}, at(13), at(14), nil,
			map[string]*time.Time{"clerk:jane": at(14)}, "she has it for as long as the longer of the two"},
		"a member twice, the longer first": {[]Membership{ends("jane", two)}, []Membership{ends("jane", one)}, at(13), at(14), nil,
			map[string]*time.Time{"clerk:jane": at(14)}, "the same"},
		"a member twice, once without end": {[]Membership{ends("jane", one)}, []Membership{ends("jane", `{}`)}, at(13), nil, nil,
			map[string]*time.Time{"clerk:jane": nil}, "she has it for good"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intent := DecideClusterGrant(clusterSituation(hasClusterBinding("view", "jane"), func(s *ClusterSituation) {
				s.Grant.Spec.Until = "member.publicMetadata.?until"
				s.Organizations[0].Memberships = test.memberships
				s.Organizations = append(s.Organizations, NamedOrganization{Object: s.Organizations[0].Object, Memberships: test.others})
			}))
			if test.passed == nil {
				test.passed = map[string]time.Time{}
			}
			want, have := []any{test.next, test.expires, test.passed, test.each}, []any{intent.Next, intent.Expires, intent.Passed, intent.Ends}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestTheOutcomeOfAClusterGrant(t *testing.T) {
	t.Parallel()
	settled := hasClusterBinding("view", "jane")
	role := func(clusterRole string) func(*ClusterSituation) {
		return ofGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = clusterRole })
	}
	unnamed := func(s *ClusterSituation) { s.Instance = NewInstance("prod", s.Instance.object, nil) }
	known := ofJane(func(m *Membership) { m.Status.Subject = "clerk:jane" })
	for name, test := range map[string]struct {
		reason string
		given  []func(*ClusterSituation)
		want   string
	}{
		"new":         {"she gets it", nil, "clerk:jane"},
		"right":       {"she keeps it", []func(*ClusterSituation){settled}, "clerk:jane"},
		"too many":    {"Joe loses it", []func(*ClusterSituation){hasClusterBinding("view", "jane", "joe")}, "clerk:jane"},
		"another":     {"Joe loses it, and she gets it", []func(*ClusterSituation){hasClusterBinding("view", "joe")}, "clerk:jane"},
		"not allowed": {"nobody has it", []func(*ClusterSituation){settled, role("admin")}, ""},
		"observed": {"nothing is done", []func(*ClusterSituation){hasClusterBinding("view", "joe"),
			func(s *ClusterSituation) { s.Instance.object.Spec.Mode = v1alpha1.ModeObserve }}, "clerk:joe"},
		"frozen": {"she keeps it, though a label is missing", []func(*ClusterSituation){settled, unnamed, known,
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { delete(b.Labels, v1alpha1.InstanceLabel) })}, "clerk:jane"},
		"frozen, and new": {"nobody is added", []func(*ClusterSituation){unnamed, known}, ""},
		"taken": {"somebody else's is in the way", []func(*ClusterSituation){settled,
			ofBinding(func(b *rbacv1.ClusterRoleBinding) { b.OwnerReferences, b.Labels = nil, nil })}, ""},
	} {
		got := strings.Join(slices.Sorted(maps.Keys(DecideClusterGrant(clusterSituation(test.given...)).Outcome())), ", ")
		if got != test.want {
			t.Errorf("%s: %s: got %q, want %q", name, test.reason, got, test.want)
		}
	}
}

func TestAClusterGrantIsForSoManyAndSaysSo(t *testing.T) {
	t.Parallel()
	crowd := func(s *ClusterSituation) {
		s.Organizations[0].Memberships = nil
		for n := range MaxSubjects + 3 {
			s.Organizations[0].Memberships = append(s.Organizations[0].Memberships, membership(fmt.Sprintf("u%03d", n), "org:admin"))
		}
	}
	intent := DecideClusterGrant(clusterSituation(crowd, hasClusterBinding("view", "u502", "u501")))
	want := intent.Plan.Grow
	if want == nil || len(want.Subjects) != MaxSubjects {
		t.Fatalf("the plan is %+v, want a ClusterRoleBinding of %d", intent.Plan, MaxSubjects)
	}
	for _, name := range []string{"clerk:u501", "clerk:u502"} {
		if !slices.Contains(want.Subjects, name) {
			t.Errorf("%s had it and has it no longer", name)
		}
	}
	if first := intent.Problems.First(); first.Reason != v1alpha1.ReasonTooManyMembers || !strings.Contains(first.Message, "3 have nothing") {
		t.Errorf("it says %+v", first)
	}
}

func TestAClusterGrantsStatusNamesNobody(t *testing.T) {
	t.Parallel()
	refused := Problems{{Reason: v1alpha1.ReasonBindForbidden, Stalled: true, Message: "refused"}}
	for name, test := range map[string]struct {
		given  []func(*ClusterSituation)
		failed Problems
		status metav1.ConditionStatus
		reason string
		says   string
		count  int32
	}{
		"settled":    {[]func(*ClusterSituation){hasClusterBinding("view", "jane")}, nil, metav1.ConditionTrue, v1alpha1.ReasonReady, "have it", 1},
		"nobody":     {[]func(*ClusterSituation){ofJane(func(m *Membership) { m.Role.Key = "a" })}, nil, metav1.ConditionTrue, v1alpha1.ReasonReady, "none has", 0},
		"on its way": {nil, nil, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "being changed", 0},
		"refused":    {nil, refused, metav1.ConditionFalse, v1alpha1.ReasonBindForbidden, "refused", 0},
		"only watched": {[]func(*ClusterSituation){hasClusterBinding("view", "joe"), func(s *ClusterSituation) { s.Instance.object.Spec.Mode = v1alpha1.ModeObserve }},
			nil, metav1.ConditionFalse, v1alpha1.ReasonObserving, "to 1 users more, and take it from 1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clusterSituation(test.given...)
			status := ClusterGrantStatus(s, DecideClusterGrant(s), test.failed)
			ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
			if ready.Status != test.status || ready.Reason != test.reason || !strings.Contains(ready.Message, test.says) || *status.Members != test.count {
				t.Errorf("it says %+v of %d members", ready, *status.Members)
			}
			if strings.Contains(ready.Message, "jane") || strings.Contains(ready.Message, "joe") {
				t.Errorf("it names somebody: %s", ready.Message)
			}
		})
	}
}
