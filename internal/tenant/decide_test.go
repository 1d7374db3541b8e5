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
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// situation is that of the organization Acme, in which Jane is an admin and Joe is a member, before anything was made for it.
func situation(changes ...func(*Situation)) *Situation {
	username, err := CompileUsername("clerk:${user.id}")
	if err != nil {
		panic(err)
	}
	instance := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: "prod"}}
	s := &Situation{
		Organization: &v1alpha1.ClerkOrganization{
			ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "acme-uid"},
			Spec:       v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "prod", ID: "org_acme"}, Name: "Acme", Slug: "acme"},
		},
		Instance:          NewInstance("prod", instance, username),
		Classes:           &Classes{},
		Memberships:       []Membership{membership("jane", "org:admin"), membership("joe", "org:member")},
		IsOnlyOne:         true,
		OperatorNamespace: operatorNamespace,
	}
	addClass(s, namespaceClass("standard", "org-${organization.handle}"))
	for _, change := range changes {
		change(s)
	}
	return s
}

func membership(user, role string) Membership {
	return Membership{
		ClerkMember: &v1alpha1.ClerkMember{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			Spec:       v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{Instance: "prod"}, OrganizationID: "org_acme", UserID: user, Role: role},
		},
		Standing: Standing{Role: Role{Key: role}},
	}
}

// namespaceClass gives one namespace, in which admins are admin and members may view.
func namespaceClass(name, namespace string) *v1alpha1.TenantClass {
	class := classOf(v1alpha1.TenantNamespace{Name: namespace, RoleBindings: []v1alpha1.TenantRoleBinding{
		{Role: "org:admin", ClusterRole: "admin"}, {Role: "org:member", ClusterRole: "view"},
	}})
	class.Name = name
	return class
}

func addClass(s *Situation, class *v1alpha1.TenantClass) {
	compiled, err := CompileClass(class)
	s.Classes.Add(class, compiled, err)
}

// hasNamespace: there is a namespace with these labels, as the operator made it for the class "standard".
func hasNamespace(name string, labels ...string) func(*Situation) {
	return func(s *Situation) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name,
			Labels: map[string]string{v1alpha1.OrganizationIDLabel: "org_acme", v1alpha1.InstanceLabel: "prod",
				v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
			Annotations: map[string]string{v1alpha1.NameTemplateAnnotation: "org-${organization.handle}"}}}
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			namespace.Labels[key] = value
		}
		s.Namespaces = append(s.Namespaces, namespace)
	}
}

// hasBinding: there is a RoleBinding of the organization's in org-acme, as the operator makes it.
func hasBinding(clusterRole string, users ...string) func(*Situation) {
	return func(s *Situation) {
		made := binding("clerk:"+clusterRole, clusterRole)
		made.Namespace, made.Labels = "org-acme", Labels(s.Organization)
		made.OwnerReferences = []metav1.OwnerReference{{UID: s.Organization.UID}}
		for _, user := range users {
			made.Subjects = append(made.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:" + user})
		}
		s.RoleBindings = append(s.RoleBindings, made)
	}
}

func onlyClass(class *v1alpha1.TenantClass) func(*Situation) {
	return func(s *Situation) {
		s.Classes = &Classes{}
		addClass(s, class)
	}
}

func servedBy(class string) func(*Situation) {
	return func(s *Situation) { s.Organization.Status.ClassName = class }
}

func deleted(s *Situation) {
	s.Organization.Spec.DeletedAt = new(metav1.NewMicroTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
}

// describe prints an intent as a person would tell it.
func describe(i *Intent) string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if i.Observe {
		say("observe")
	}
	if i.Frozen {
		say("frozen")
	}
	if i.ClassName != "" {
		say("class %s", i.ClassName)
	}
	for _, entry := range i.Entries {
		if entry.Existing == nil {
			say("make namespace %s", entry.Name)
		} else {
			say("keep namespace %s", entry.Existing.Name)
		}
	}
	for _, name := range i.Released {
		say("release namespace %s", name)
	}
	for _, namespace := range slices.Sorted(maps.Keys(i.Bindings)) {
		plan := i.Bindings[namespace]
		for _, binding := range plan.Delete {
			say("delete %s/%s", namespace, binding.Name)
		}
		for _, change := range []struct {
			verb     string
			bindings []Binding
		}{{"shrink", plan.Shrink}, {"write", plan.Grow}, {"leave", plan.Keep}} {
			for _, binding := range change.bindings {
				say("%s %s/%s: %s", change.verb, namespace, binding.Name, strings.Join(binding.Subjects, ", "))
			}
		}
	}
	for _, found := range i.Problems {
		say("problem %s", found.Reason)
	}
	return strings.Join(lines, "\n")
}

func TestDecide(t *testing.T) {
	t.Parallel()
	broken := namespaceClass("standard", "org-${organization.nothing}")
	matchless := namespaceClass("standard", "org-${organization.handle}")
	matchless.Spec.Match = "organization.nothing"
	failing := namespaceClass("standard", "org-${organization.publicMetadata.team}")
	full := []func(*Situation){hasNamespace("org-acme"), hasBinding("admin", "jane"), hasBinding("view", "joe")}
	with := func(more ...func(*Situation)) []func(*Situation) { return slices.Concat(full, more) }
	banned := func(s *Situation) { s.Memberships[0].Bar = BarredByBan }
	tests := map[string]struct {
		reason string
		given  []func(*Situation)
		want   string
	}{
		"new": {"nobody is let in before the namespace is there", nil, `
class standard
make namespace org-acme`},
		"its namespace is there": {"each gets what their role maps to", []func(*Situation){hasNamespace("org-acme")}, `
class standard
keep namespace org-acme
write org-acme/clerk:admin: clerk:jane
write org-acme/clerk:view: clerk:joe`},
		"settled": {"nothing is to be done", full, `
class standard
keep namespace org-acme
leave org-acme/clerk:admin: clerk:jane
leave org-acme/clerk:view: clerk:joe`},
		"banned": {"who is kept out by Clerk loses everything", with(banned), `
class standard
keep namespace org-acme
delete org-acme/clerk:admin
leave org-acme/clerk:view: clerk:joe`},
		"unmarked": {"a RoleBinding that lost its labels gets them back", with(func(s *Situation) { s.RoleBindings[0].Labels = nil }), `
class standard
keep namespace org-acme
write org-acme/clerk:admin: clerk:jane
leave org-acme/clerk:view: clerk:joe`},
		"no class": {"without a class nobody has access", with(func(s *Situation) { s.Classes = &Classes{} }), `
release namespace org-acme
delete org-acme/clerk:admin
delete org-acme/clerk:view
problem NoTenantClass`},
		"another class": {"the one of higher priority serves, and moves nobody", with(func(s *Situation) {
			class := namespaceClass("gold", "gold-${organization.handle}")
			class.Spec.Match, class.Spec.Priority = "organization.slug == 'acme'", new(int32(5))
			addClass(s, class)
		}), `
class gold
keep namespace org-acme
leave org-acme/clerk:admin: clerk:jane
leave org-acme/clerk:view: clerk:joe`},
		"a class that does not compile": {"nobody gains, and who has to go goes", with(onlyClass(broken), servedBy("standard"), banned), `
frozen
class standard
delete org-acme/clerk:admin
leave org-acme/clerk:view: clerk:joe
problem TenantClassInvalid`},
		"a match that does not compile": {"it stays with whom it served", with(onlyClass(matchless), servedBy("standard")), `
frozen
class standard
leave org-acme/clerk:admin: clerk:jane
leave org-acme/clerk:view: clerk:joe
problem TenantClassInvalid`},
		"a class that fails for it": {"its metadata lacks what the name needs", with(onlyClass(failing)), `
frozen
class standard
leave org-acme/clerk:admin: clerk:jane
leave org-acme/clerk:view: clerk:joe
problem ExpressionFailed`},
		"no instance": {"names cannot be told, so nobody gains; the last known names take away", with(func(s *Situation) {
			s.Instance = NewInstance("prod", nil, nil)
			s.Memberships[0].Status.Subject = "clerk:jane"
		}), `
frozen
class standard
keep namespace org-acme
delete org-acme/clerk:view
leave org-acme/clerk:admin: clerk:jane
problem InstanceNotFound`},
		"adopted by id": {"a namespace with the id alone is this one's", []func(*Situation){hasNamespace("legacy", v1alpha1.InstanceLabel+"=")}, `
class standard
keep namespace legacy
write legacy/clerk:admin: clerk:jane
write legacy/clerk:view: clerk:joe`},
		"two instances": {"an id alone does not say of which ClerkInstance the namespace is", []func(*Situation){
			hasNamespace("legacy", v1alpha1.InstanceLabel+"="), func(s *Situation) { s.IsOnlyOne = false },
		}, `
class standard
make namespace org-acme`},
		"another instance's namespace": {"", []func(*Situation){hasNamespace("org-acme", v1alpha1.InstanceLabel+"=dev")}, `
class standard
make namespace org-acme`},
		"a protected namespace": {"no label makes it an organization's", []func(*Situation){hasNamespace("kube-system")}, `
class standard
make namespace org-acme`},
		"revoke only": {"who is behind takes away, and gives nothing, not even in the same write", with(func(s *Situation) {
			s.RevokeOnly = true
			s.RoleBindings[0].Subjects = nil
			hasBinding("view", "joe", "eve")(s)
			s.RoleBindings = slices.Delete(s.RoleBindings, 1, 2)
			s.Memberships = append(s.Memberships, membership("max", "org:member"))
		}), `
class standard
keep namespace org-acme
delete org-acme/clerk:admin
shrink org-acme/clerk:view: clerk:joe`},
		"deleted": {"every grant goes", with(deleted, servedBy("standard")), `
class standard
delete org-acme/clerk:admin
delete org-acme/clerk:view`},
		"observed": {"the same is decided, and is not to be done", []func(*Situation){func(s *Situation) {
			s.Instance.object.Spec.Mode = v1alpha1.ModeObserve
		}}, `
observe
class standard
make namespace org-acme`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(strings.TrimSpace(test.want), describe(Decide(situation(test.given...)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestLabelledRoleBindingsOfOthersKeepAnOrganizationFromNothing(t *testing.T) {
	t.Parallel()
	labelled := func(namespace, name string, owner types.UID) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
			OwnerReferences: []metav1.OwnerReference{{UID: owner}}}}
	}
	s := situation(hasNamespace("own"))
	for i := range 5000 {
		s.RoleBindings = append(s.RoleBindings,
			labelled("attacker", fmt.Sprintf("a-%d", i), "other"), labelled("own", fmt.Sprintf("b-%d", i), "other"))
	}
	s.RoleBindings = append(s.RoleBindings, labelled("own", "clerk:admin", "acme-uid"), labelled("given-up", "clerk:admin", "acme-uid"))
	got := Decide(s).RoleBindings
	if len(got) != 2 || len(got["given-up"]) != 1 || len(got["own"]) != 1+maxForeignBindings {
		t.Errorf("%d are looked at in its own namespace, %d in one given up, and %d elsewhere",
			len(got["own"]), len(got["given-up"]), len(got["attacker"]))
	}
	if named(got["own"], "clerk:admin") == nil {
		t.Error("its own RoleBinding is not looked at")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	rejected := Problems{{Reason: v1alpha1.ReasonRejected, Stalled: true, Message: "the API server refuses it"}}
	observe := func(s *Situation) { s.Instance.object.Spec.Mode = v1alpha1.ModeObserve }
	tests := map[string]struct {
		given    []func(*Situation)
		failures Problems
		want     string
	}{
		"ready":            {[]func(*Situation){hasNamespace("org-acme")}, nil, "Ready: the organization has what the TenantClass standard gives; org-acme Active"},
		"something failed": {[]func(*Situation){hasNamespace("org-acme")}, rejected, "Rejected: the API server refuses it; org-acme Active"},
		"one namespace too many": {[]func(*Situation){hasNamespace("org-acme"), hasNamespace("org-old")}, nil,
			"Ready: the organization has what the TenantClass standard gives; no longer wanted and without grants: org-old; " +
				"org-acme Active; org-old Released"},
		"observed": {[]func(*Situation){observe}, nil, "Observing: the ClerkInstance prod only observes (spec.mode); with mode Enforce it would " +
			"create namespace org-acme; grant admin in org-acme to 1 users; grant view in org-acme to 1 users"},
		"observed, nothing to do": {
			[]func(*Situation){observe, hasNamespace("org-acme"), hasBinding("admin", "jane"), hasBinding("view", "joe")}, nil,
			"Observing: the ClerkInstance prod only observes (spec.mode); with mode Enforce it would change no namespace and no access"},
		"observed, somebody has to go": {[]func(*Situation){observe, hasNamespace("org-acme"), hasBinding("view", "joe", "eve"),
			hasBinding("admin", "jane")}, nil,
			"Observing: the ClerkInstance prod only observes (spec.mode); with mode Enforce it would take view in org-acme from 1 users"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation(test.given...)
			status := Status(s, Decide(s), test.failures)
			got := status.Conditions[0].Reason + ": " + status.Conditions[0].Message
			for _, namespace := range status.Namespaces {
				got += fmt.Sprintf("; %s %s", namespace.Name, namespace.State)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if *status.Members != 2 {
				t.Errorf("it counts %d members", *status.Members)
			}
		})
	}
}

func TestPlanDeletion(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	deletedAt := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	class := func(policy v1alpha1.DeletionPolicy, after time.Duration) func(*Situation) {
		class := namespaceClass("standard", "org-${organization.handle}")
		class.Spec.Deletion = &v1alpha1.DeletionRule{Policy: policy, After: &metav1.Duration{Duration: after}}
		return onlyClass(class)
	}
	adopted := func(s *Situation) { delete(s.Namespaces[0].Labels, v1alpha1.ManagedByLabel) }
	terminating := func(s *Situation) { s.Namespaces[0].DeletionTimestamp = new(metav1.NewTime(deletedAt)) }
	tests := map[string]struct {
		given []func(*Situation)
		after time.Duration
		want  string
	}{
		"retained":              {[]func(*Situation){class(v1alpha1.DeletionRetain, 0)}, hour, "org-acme Retained; look again after 10h1m0s"},
		"no class":              {[]func(*Situation){servedBy("gone")}, hour, "org-acme Retained; look again after 10h1m0s"},
		"not yet due":           {[]func(*Situation){class(v1alpha1.DeletionDelete, 2*hour)}, hour, "org-acme Deleting; look again after 2h0m0s"},
		"due":                   {[]func(*Situation){class(v1alpha1.DeletionDelete, 2*hour)}, 2 * hour, "org-acme Deleting; delete org-acme; look again after 10h1m0s"},
		"already terminating":   {[]func(*Situation){class(v1alpha1.DeletionDelete, hour), terminating}, 2 * hour, "org-acme Deleting; look again after 10h1m0s"},
		"not the operator's":    {[]func(*Situation){class(v1alpha1.DeletionDelete, hour), adopted}, 2 * hour, "org-acme Retained; look again after 10h1m0s"},
		"the retention is over": {[]func(*Situation){class(v1alpha1.DeletionRetain, 0)}, 11 * hour, "org-acme Retained; collect members; collect tombstone"},
		"it waits for a namespace": {[]func(*Situation){class(v1alpha1.DeletionDelete, 20*hour)}, 11 * hour,
			"org-acme Deleting; collect members; look again after 20h0m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation(append([]func(*Situation){hasNamespace("org-acme"), servedBy("standard"), deleted}, test.given...)...)
			plan := PlanDeletion(s, Decide(s), deletedAt.Add(10*hour+time.Minute), deletedAt.Add(test.after))
			var got []string
			for _, state := range plan.States {
				got = append(got, fmt.Sprintf("%s %s", state.Name, state.State))
			}
			for _, namespace := range plan.Delete {
				got = append(got, "delete "+namespace.Name)
			}
			if plan.Collect {
				got = append(got, "collect members")
			}
			if plan.CollectTombstone {
				got = append(got, "collect tombstone")
			}
			if !plan.Next.IsZero() {
				got = append(got, fmt.Sprintf("look again after %s", plan.Next.Sub(deletedAt)))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	username, err := CompileUsername("${user.username}")
	if err != nil {
		t.Fatal(err)
	}
	object := &v1alpha1.ClerkInstance{Spec: v1alpha1.ClerkInstanceSpec{Users: v1alpha1.UsersAll}}
	member := &v1alpha1.ClerkMember{Status: v1alpha1.ClerkMemberStatus{Subject: "before"}}
	member.Spec.User.Username = "jane"
	gone := member.DeepCopy()
	gone.Spec.DeletedAt = new(metav1.NowMicro())
	nameless := member.DeepCopy()
	nameless.Spec.User.Username = ""
	tests := map[string]struct {
		instance Instance
		member   *v1alpha1.ClerkMember
		want     string
		fails    bool
	}{
		"a member":                 {NewInstance("prod", object, username), member, "jane", false},
		"no name":                  {NewInstance("prod", object, username), nameless, "", true},
		"a deleted membership":     {NewInstance("prod", object, username), gone, "before", false},
		"no instance":              {NewInstance("prod", nil, nil), member, "before", false},
		"an expression is invalid": {NewInstance("prod", object, nil), member, "before", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.instance.Subject(test.member, nil)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("it is %q (%v), want %q", got, errors.Join(err), test.want)
			}
		})
	}
}

// Whoever leaves before any status said their name is taken out all the same, and it is known who that was.
func TestWhoLeftAtOnceHasAName(t *testing.T) {
	t.Parallel()
	s := situation(hasNamespace("org-acme"), hasBinding("admin", "jane"))
	s.Memberships[0].Spec.DeletedAt = new(metav1.NowMicro())
	intent := Decide(s)
	if got := intent.Subjects["jane"]; got != "clerk:jane" || !intent.Held().Loses(intent.Due(), got) {
		t.Errorf("the name is %q", got)
	}
}

func TestLosses(t *testing.T) {
	t.Parallel()
	given := situation(hasNamespace("org-acme"), hasBinding("admin", "jane", "eve"), hasBinding("view", "joe"), hasBinding("edit", "max"))
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "clerk:joe"}
	given.RoleBindings[1].Subjects = append(given.RoleBindings[1].Subjects, group)
	for _, binding := range given.RoleBindings {
		binding.UID = types.UID(binding.Name)
	}
	var got []string
	for _, loss := range Decide(given).Losses() {
		got = append(got, fmt.Sprintf("%s %s %s", loss.RoleBinding, loss.Subject.Kind, loss.Subject.Name))
	}
	slices.Sort(got)
	want := []string{"clerk:admin User clerk:eve", "clerk:edit User clerk:max", "clerk:view Group clerk:joe"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who loses what (-want +got):\n%s", diff)
	}
}

// A tenant's administrator may label RoleBindings with any number of subjects, and what is remembered of them is bounded.
func TestLossesOfARoleBindingAreBounded(t *testing.T) {
	t.Parallel()
	flood := hasBinding("edit", slices.Repeat([]string{"mallory"}, 3*MaxSubjects)...)
	if got := len(Decide(situation(hasNamespace("org-acme"), flood)).Losses()); got != MaxSubjects {
		t.Errorf("there are %d losses, want %d", got, MaxSubjects)
	}
}
