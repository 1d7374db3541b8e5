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
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestLeavers(t *testing.T) {
	t.Parallel()
	bounded := namespaceClass("standard", "org-${organization.handle}")
	bounded.Spec.DerivedAccess = v1alpha1.DerivedAccessCapped
	unlimited := bounded.DeepCopy()
	unlimited.Spec.DerivedAccess = v1alpha1.DerivedAccessUnlimited
	broken := bounded.DeepCopy()
	broken.Spec.Namespaces[0].Name = "${"
	jane := func(change func(*Membership)) func(*Situation) {
		return func(s *Situation) { change(&s.Memberships[0]) }
	}
	left := jane(func(m *Membership) { m.Spec.DeletedAt = new(metav1.NewMicroTime(time.Now())) })
	joinsAgain := func(s *Situation) { s.Memberships = append(s.Memberships, membership("jane", "org:member")) }
	for name, test := range map[string]struct {
		changes []func(*Situation)
		want    []string
		reason  string
	}{
		"everybody is in":       {[]func(*Situation){onlyClass(bounded)}, nil, "both have access"},
		"who left":              {[]func(*Situation){onlyClass(bounded), left}, []string{"clerk:jane"}, "nothing may let her in"},
		"a class without bound": {[]func(*Situation){onlyClass(unlimited), left}, nil, "the class does not ask for it"},
		"no class":              {[]func(*Situation){func(s *Situation) { s.Classes = &Classes{} }, left}, nil, "nobody asks for it"},
		"who is in again":       {[]func(*Situation){onlyClass(bounded), left, joinsAgain}, nil, "the former membership says nothing"},
		"a role without access": {[]func(*Situation){onlyClass(bounded), jane(func(m *Membership) { m.Role.Key = "org:guest" })},
			nil, "she is a member, and a role may give her something in a moment"},
		"who is banned": {[]func(*Situation){onlyClass(bounded), jane(func(m *Membership) { m.Bar = BarredByBan })},
			[]string{"clerk:jane"}, "Clerk does not let her in"},
		"a role in doubt": {[]func(*Situation){onlyClass(bounded), jane(func(m *Membership) { m.Role.Doubt = "RoleUnknown" })},
			nil, "the doubt may be over in a moment, and what is removed does not come back"},
		"a former name": {[]func(*Situation){onlyClass(bounded), jane(func(m *Membership) { m.Status.Subject = "jane@example.com" })},
			[]string{"jane@example.com"}, "that is not her name any longer"},
		"a class that does not compile": {[]func(*Situation){onlyClass(broken), servedBy("standard"), left},
			nil, "it is not certain who has access"},
		"a deleted organization": {[]func(*Situation){onlyClass(bounded), servedBy("standard"), deleted},
			[]string{"clerk:jane", "clerk:joe"}, "nobody has access"},
		"an instance that observes": {[]func(*Situation){onlyClass(bounded), left,
			func(s *Situation) { s.Instance.object.Spec.Mode = v1alpha1.ModeObserve }}, nil, "nothing is touched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation(test.changes...)
			leavers, _ := Decide(s).Leavers(s)
			got := slices.Sorted(maps.Keys(leavers))
			if difference := cmp.Diff(test.want, got); difference != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, difference)
			}
		})
	}
}

func TestWithoutTakesUsersAlone(t *testing.T) {
	t.Parallel()
	user := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "org-acme", Name: "jane"}
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "jane"}
	got := Without([]rbacv1.Subject{user("jane"), account, group, user("joe")}, Subjects{"jane": {}})
	if difference := cmp.Diff([]rbacv1.Subject{account, group, user("joe")}, got); difference != "" {
		t.Errorf("(-want +got):\n%s", difference)
	}
}

// What somebody made who left keeps nobody who may be them, or whom Clerk does not know of.
func TestKeptSubjects(t *testing.T) {
	t.Parallel()
	bounded := namespaceClass("standard", "org-${organization.handle}")
	bounded.Spec.DerivedAccess = v1alpha1.DerivedAccessCapped
	user := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	account := func(namespace string) rbacv1.Subject {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "default"}
	}
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "clerk:joe"}
	all := []rbacv1.Subject{user("clerk:jane"), user("clerk:joe"), user("friend"), account("org-acme"), account("elsewhere"), group}
	withoutJane := all[1:]
	left := func(s *Situation) { s.Memberships[0].Spec.DeletedAt = new(metav1.NewMicroTime(time.Now())) }
	renamed := func(s *Situation) { s.Memberships[0].Status.Subject = "jane@example.com" }
	for name, test := range map[string]struct {
		change            func(*Situation)
		creator, operator string
		want              []rbacv1.Subject
		reason            string
	}{
		"nobody knows who made it": {left, "", "", withoutJane, "it may be an administrator's"},
		"a member made it":         {left, "clerk:joe", "", withoutJane, "he may let in whom he likes"},
		"somebody else made it":    {left, "admin", "", withoutJane, "an administrator may let in whom they like"},
		"who left made it": {left, "clerk:jane", "", []rbacv1.Subject{user("clerk:joe"), account("org-acme")},
			"she may be any of the others"},
		"the operator's own":       {left, "clerk:jane", v1alpha1.ManagedBy, withoutJane, "it names whom Clerk knows"},
		"a member of another name": {renamed, "jane@example.com", "", all, "she is a member"},
		"everybody is a member":    {func(*Situation) {}, "clerk:jane", "", all, "she is a member"},
		"the organization is deleted": {deleted, "clerk:jane", "", []rbacv1.Subject{account("org-acme")},
			"nobody is a member any longer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation(onlyClass(bounded), servedBy("standard"), hasNamespace("org-acme"), test.change)
			intent := Decide(s)
			leavers, _ := intent.Leavers(s)
			binding := &rbacv1.RoleBinding{Subjects: slices.Clone(all)}
			binding.Labels = map[string]string{v1alpha1.ManagedByLabel: test.operator}
			binding.Annotations = map[string]string{v1alpha1.CreatedByAnnotation: test.creator}
			got := intent.KeptSubjects(s, binding, leavers, nil)
			if difference := cmp.Diff(test.want, got); difference != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, difference)
			}
		})
	}
}

func TestWhoIsCalledOtherwiseHasNotLeft(t *testing.T) {
	t.Parallel()
	bounded := namespaceClass("standard", "org-${organization.handle}")
	bounded.Spec.DerivedAccess = v1alpha1.DerivedAccessCapped
	s := situation(onlyClass(bounded), servedBy("standard"), hasNamespace("org-acme"),
		func(s *Situation) { s.Memberships[0].Status.Subject = "jane@example.com" })
	intent := Decide(s)
	leavers, _ := intent.Leavers(s)
	names := intent.FormerNames(s)
	if _, left := leavers["jane@example.com"]; !left || len(names) != 1 {
		t.Fatalf("the leavers are %v and the former names %v", leavers, names)
	}
	s.Memberships[0].Status.Subject = "clerk:jane" // her status has the present name by now
	binding := &rbacv1.RoleBinding{Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "friends"}}}
	binding.Annotations = map[string]string{v1alpha1.CreatedByAnnotation: "jane@example.com"}
	if kept := intent.KeptSubjects(s, binding, leavers, names); len(kept) != 1 {
		t.Errorf("what she made keeps %v", kept)
	}
	s.Memberships[0].Spec.DeletedAt = new(metav1.NewMicroTime(time.Now()))
	if kept := Decide(s).KeptSubjects(s, binding, leavers, names); len(kept) != 0 {
		t.Errorf("once she has left, what she made keeps %v", kept)
	}
}

func TestLastLeft(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	unbound := func(m *Membership, at time.Time) {
		m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionBound, Status: metav1.ConditionFalse, ObservedGeneration: m.Generation,
			LastTransitionTime: metav1.NewTime(at)}}
	}
	left := func(m *Membership, at time.Time) { m.Spec.DeletedAt = new(metav1.NewMicroTime(at)) }
	for name, test := range map[string]struct {
		change func(jane, joe *Membership)
		want   time.Time
		reason string
	}{
		"nobody left": {func(_, _ *Membership) {}, time.Time{}, "no token is to end"},
		"who is banned, and had no access before": {func(jane, _ *Membership) {
			jane.Bar = BarredByBan
			jane.User = &v1alpha1.ClerkUser{}
			jane.User.Spec.UpdatedAt = new(metav1.NewMicroTime(now.Add(-time.Hour)))
			unbound(jane, now.Add(-72*time.Hour))
		}, now.Add(-time.Hour), "she may have had some that her status never told of"},
		"who left, and whose status says so": {func(jane, _ *Membership) {
			left(jane, now.Add(-72*time.Hour))
			unbound(jane, now.Add(-time.Hour))
		}, now.Add(-time.Hour + time.Second), "Clerk's word came late: until then she had access"},
		"who left, and had no access before": {func(jane, _ *Membership) {
			left(jane, now.Add(-time.Hour))
			unbound(jane, now.Add(-72*time.Hour))
		}, now.Add(-time.Hour), "she may have had some that her status never told of"},
		"who left, and whose status says nothing yet": {func(jane, _ *Membership) { left(jane, now.Add(-time.Hour)) }, now,
			"she may have had access until now"},
		"whose status is of before": {func(jane, _ *Membership) {
			left(jane, now.Add(-time.Hour))
			unbound(jane, now.Add(-time.Hour))
			jane.Generation = 7
		}, now, "she may have had access until now"},
		"the last of two": {func(jane, joe *Membership) {
			left(jane, now.Add(-3*time.Hour))
			unbound(jane, now.Add(-3*time.Hour))
			joe.Bar = BarredByBan
			unbound(joe, now.Add(-2*time.Hour))
		}, now.Add(-2*time.Hour + time.Second), "he had access for longer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation()
			s.Now = now
			test.change(&s.Memberships[0], &s.Memberships[1])
			got, isKnown := Decide(s).LastLeft(s)
			if !got.Equal(test.want) || isKnown == test.want.Equal(now) {
				t.Errorf("%s (known: %t), want %s: %s", got, isKnown, test.want, test.reason)
			}
		})
	}
}
