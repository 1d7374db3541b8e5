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
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const owner = types.UID("organization")

// binding is a RoleBinding of the operator's.
func binding(name, clusterRole string, users ...string) *rbacv1.RoleBinding {
	object := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{{UID: owner}}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
	}
	for _, user := range users {
		object.Subjects = append(object.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
	}
	return object
}

// with changes a RoleBinding and returns it.
func with(object *rbacv1.RoleBinding, change func(*rbacv1.RoleBinding)) *rbacv1.RoleBinding {
	change(object)
	return object
}

// terminating marks a RoleBinding as deleted.
func terminating(object *rbacv1.RoleBinding) *rbacv1.RoleBinding {
	object.DeletionTimestamp = new(metav1.Now())
	return object
}

func subjects(names ...string) Subjects {
	set := Subjects{}
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

// users are n names, sorted.
func users(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("user-%05d", i)
	}
	return names
}

func TestARoleOrAPermissionGrants(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t,
		v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin"},
		v1alpha1.TenantRoleBinding{Role: "org:member", ClusterRole: "view"},
		v1alpha1.TenantRoleBinding{Permission: "org:deploy", ClusterRole: "edit"},
		v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "edit"},
	)
	holds := func(role string, permissions ...string) *Holder {
		return &Holder{Subject: "a", Role: Role{Key: role, Permissions: permissions}}
	}
	cases := map[string]struct {
		reason  string
		holders []*Holder
		want    map[string]Subjects
	}{
		"nobody":   {"", nil, map[string]Subjects{}},
		"by role":  {"", []*Holder{holds("org:member")}, map[string]Subjects{"view": subjects("a")}},
		"unmapped": {"a role nobody mapped grants nothing", []*Holder{holds("org:guest")}, map[string]Subjects{}},
		"no prefix": {
			"old instances have other keys: they are other roles", []*Holder{holds("admin")}, map[string]Subjects{},
		},
		"by permission": {
			"", []*Holder{holds("org:guest", "org:read", "org:deploy")},
			map[string]Subjects{"edit": subjects("a")},
		},
		"several rules": {
			"each that is for a member counts", []*Holder{holds("org:admin")},
			map[string]Subjects{"admin": subjects("a"), "edit": subjects("a")},
		},
		"twice": {
			"by role and by permission: one grant",
			[]*Holder{holds("org:admin", "org:deploy")},
			map[string]Subjects{"admin": subjects("a"), "edit": subjects("a")},
		},
		"two memberships of one user": {
			"someone who left and joined again", []*Holder{holds("org:member"), holds("org:member")},
			map[string]Subjects{"view": subjects("a")},
		},
		"a permission is no role": {"", []*Holder{holds("org:deploy")}, map[string]Subjects{}},
		"without a role":          {"nothing matches what is empty", []*Holder{holds("")}, map[string]Subjects{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Grants(rules, tc.holders, time.Time{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRestrictNeverAdds(t *testing.T) {
	t.Parallel()
	grants := map[string]Subjects{"admin": subjects("a", "b"), "view": subjects("a", "c")}
	cases := map[string]struct {
		reason   string
		existing []*rbacv1.RoleBinding
		want     map[string]Subjects
	}{
		"nothing yet":         {"", nil, map[string]Subjects{}},
		"what is there stays": {"", []*rbacv1.RoleBinding{binding("clerk:admin", "admin", "a")}, map[string]Subjects{"admin": subjects("a")}},
		"what has to go goes": {
			"", []*rbacv1.RoleBinding{binding("clerk:view", "view", "a", "x")}, map[string]Subjects{"view": subjects("a")},
		},
		"each role for itself": {
			"c may view, and has admin", []*rbacv1.RoleBinding{binding("clerk:admin", "admin", "c")}, map[string]Subjects{},
		},
		"a Role of that name": {
			"it is another role: nothing says that its users have the ClusterRole",
			[]*rbacv1.RoleBinding{with(binding("clerk:admin", "admin", "a"), func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" })},
			map[string]Subjects{},
		},
		"a group of that name": {
			"it is no user",
			[]*rbacv1.RoleBinding{with(binding("clerk:admin", "admin", "a"), func(b *rbacv1.RoleBinding) { b.Subjects[0].Kind = "Group" })},
			map[string]Subjects{},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Restrict(grants, tc.existing)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// planned is a BindingPlan without pointers.
type planned struct {
	Delete, Held       []string
	Shrink, Grow, Keep []Binding
}

func TestPlanBindings(t *testing.T) {
	t.Parallel()
	full := users(MaxSubjects)
	cases := map[string]struct {
		reason   string
		grants   map[string]Subjects
		existing []*rbacv1.RoleBinding
		want     planned
	}{
		"nothing": {"", nil, nil, planned{}},
		"first": {
			"one RoleBinding a ClusterRole, its subjects sorted",
			map[string]Subjects{"view": subjects("b", "a"), "admin": subjects("c")}, nil,
			planned{Grow: []Binding{{"clerk:admin", "admin", []string{"c"}}, {"clerk:view", "view", []string{"a", "b"}}}},
		},
		"as it should be": {
			"", map[string]Subjects{"view": subjects("a", "b")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "b", "a")},
			planned{Keep: []Binding{{"clerk:view", "view", []string{"a", "b"}}}},
		},
		"someone joins": {
			"new grants grow", map[string]Subjects{"view": subjects("a", "b")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "b")},
			planned{Grow: []Binding{{"clerk:view", "view", []string{"a", "b"}}}},
		},
		"someone leaves": {
			"revocations shrink", map[string]Subjects{"view": subjects("b")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a", "b")},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"b"}}}},
		},
		"one leaves, one joins": {
			"the same write, so it comes with the revocations",
			map[string]Subjects{"view": subjects("b", "c")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a", "b")},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"b", "c"}}}},
		},
		"the last leaves": {
			"nobody is left in it", nil, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a")}, planned{Delete: []string{"clerk:view"}},
		},
		"the last of one ClusterRole": {
			"", map[string]Subjects{"view": {}}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a")}, planned{Delete: []string{"clerk:view"}},
		},
		"promotion": {
			"the one grant ends before the other begins",
			map[string]Subjects{"admin": subjects("a")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a")},
			planned{Delete: []string{"clerk:view"}, Grow: []Binding{{"clerk:admin", "admin", []string{"a"}}}},
		},
		"empty": {
			"someone took all subjects out", map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{binding("clerk:view", "view")},
			planned{Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"the owner is missing": {
			"it is written again, or garbage collection would pass it over",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{with(binding("clerk:view", "view", "a"), func(b *rbacv1.RoleBinding) { b.OwnerReferences = nil })},
			planned{Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"another owner": {
			"the organization came back with a new uid",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{with(binding("clerk:view", "view", "a"), func(b *rbacv1.RoleBinding) { b.OwnerReferences[0].UID = "old" })},
			planned{Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"a group": {
			"only users are subjects",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{with(binding("clerk:view", "view", "a", "a"), func(b *rbacv1.RoleBinding) { b.Subjects[1].Kind = "Group" })},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"a ServiceAccount": {
			"someone put it into our RoleBinding",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{with(binding("clerk:view", "view", "a"), func(b *rbacv1.RoleBinding) {
				b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: "x", Name: "y"})
			})},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"a stranger": {
			"someone put a user into our RoleBinding",
			map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a", "mallory")},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"twice in one": {
			"", map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{binding("clerk:view", "view", "a", "a")},
			planned{Shrink: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"twice in two": {
			"the first keeps it",
			map[string]Subjects{"view": subjects("a", "b")},
			[]*rbacv1.RoleBinding{binding("clerk:view", "view", "a"), binding("clerk-2:view", "view", "a", "b")},
			planned{Shrink: []Binding{{"clerk-2:view", "view", []string{"b"}}}, Keep: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"a Role": {
			"what a RoleBinding binds cannot be changed",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{with(binding("clerk:view", "view", "a"), func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" })},
			planned{Delete: []string{"clerk:view"}, Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"deleted and held": {
			"a finalizer keeps it, and RBAC honours it: it is emptied, and what is due goes elsewhere",
			map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{terminating(binding("clerk:view", "view", "a", "b"))},
			planned{Delete: []string{"clerk:view"}, Grow: []Binding{{"clerk-2:view", "view", []string{"a"}}}},
		},
		"deleted, held and empty": {
			"it gives nobody anything, and its name is taken",
			map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{terminating(binding("clerk:view", "view"))},
			planned{Held: []string{"clerk:view"}, Grow: []Binding{{"clerk-2:view", "view", []string{"a"}}}},
		},
		"another ClusterRole": {
			"someone made it by that name",
			map[string]Subjects{"view": subjects("a")}, []*rbacv1.RoleBinding{binding("clerk:view", "cluster-admin", "a")},
			planned{Delete: []string{"clerk:view"}, Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"another name": {
			"it bears our labels and we never made it",
			map[string]Subjects{"view": subjects("a")},
			[]*rbacv1.RoleBinding{binding("mine", "view", "a"), binding("clerk-x:view", "view", "a"), binding("clerk-1:view", "view", "a")},
			planned{Delete: []string{"mine", "clerk-x:view", "clerk-1:view"}, Grow: []Binding{{"clerk:view", "view", []string{"a"}}}},
		},
		"ClusterRoles with a colon": {
			"names of ClusterRoles may hold one",
			map[string]Subjects{"a:b": subjects("x"), "b": subjects("y")},
			[]*rbacv1.RoleBinding{binding("clerk:a:b", "a:b", "x"), binding("clerk:b", "b", "y")},
			planned{Keep: []Binding{{"clerk:a:b", "a:b", []string{"x"}}, {"clerk:b", "b", []string{"y"}}}},
		},
		"full": {
			"the next one opens", map[string]Subjects{"view": subjects(append(users(MaxSubjects), "zoe")...)},
			[]*rbacv1.RoleBinding{binding("clerk:view", "view", full...)},
			planned{Keep: []Binding{{"clerk:view", "view", full}}, Grow: []Binding{{"clerk-2:view", "view", []string{"zoe"}}}},
		},
		"room in the first": {
			"it is filled before the next one opens, and nobody moves",
			map[string]Subjects{"view": subjects(append(users(MaxSubjects)[1:], "y", "z")...)},
			[]*rbacv1.RoleBinding{binding("clerk:view", "view", full[1:]...), binding("clerk-2:view", "view", "z")},
			planned{
				Grow: []Binding{{"clerk:view", "view", append(users(MaxSubjects)[1:], "y")}},
				Keep: []Binding{{"clerk-2:view", "view", []string{"z"}}},
			},
		},
		"a gap in the numbers": {
			"the first is empty and goes; the second stays what it is",
			map[string]Subjects{"view": subjects("b")},
			[]*rbacv1.RoleBinding{binding("clerk:view", "view", "a"), binding("clerk-2:view", "view", "b")},
			planned{Delete: []string{"clerk:view"}, Keep: []Binding{{"clerk-2:view", "view", []string{"b"}}}},
		},
		"over the limit already": {
			"a limit that was lowered moves nobody",
			map[string]Subjects{"view": subjects(append(users(MaxSubjects+1), "zoe")...)},
			[]*rbacv1.RoleBinding{binding("clerk:view", "view", users(MaxSubjects+1)...)},
			planned{
				Keep: []Binding{{"clerk:view", "view", users(MaxSubjects + 1)}}, Grow: []Binding{{"clerk-2:view", "view", []string{"zoe"}}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := PlanBindings(tc.grants, tc.existing, owner)
			got := planned{Shrink: plan.Shrink, Grow: plan.Grow, Keep: plan.Keep}
			for _, gone := range plan.Delete {
				got.Delete = append(got.Delete, gone.Name)
			}
			for _, held := range plan.Held {
				got.Held = append(got.Held, held.Name)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAThousandMembersAreSplit(t *testing.T) {
	t.Parallel()
	plan := PlanBindings(map[string]Subjects{"view": subjects(users(2*MaxSubjects + 1)...)}, nil, owner)
	sizes := map[string]int{}
	for _, grown := range plan.Grow {
		sizes[grown.Name] = len(grown.Subjects)
	}
	want := map[string]int{"clerk:view": MaxSubjects, "clerk-2:view": MaxSubjects, "clerk-3:view": 1}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// drawBindings draws RoleBindings as they may stand: the operator's own, edited ones and ones that somebody else made.
func drawBindings(t *rapid.T, roles, people []string) []*rbacv1.RoleBinding {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"clerk:admin", "clerk:view", "clerk-2:view", "clerk-3:view", "clerk-1:view", "clerk-07:view", "clerk-x:admin", "mine", "clerk:a:b",
	}), 0, 6, rapid.ID)
	var existing []*rbacv1.RoleBinding
	for _, name := range names.Draw(t, "names") {
		role := name[strings.IndexByte(name, ':')+1:]
		if rapid.IntRange(0, 4).Draw(t, "other role") == 0 {
			role = rapid.SampledFrom(roles).Draw(t, "role")
		}
		object := binding(name, role, rapid.SliceOfN(rapid.SampledFrom(people), 0, 8).Draw(t, "users of "+name)...)
		if rapid.IntRange(0, 9).Draw(t, "crowd") == 0 {
			object.Subjects = append(object.Subjects, binding("", "", users(MaxSubjects-rapid.IntRange(-2, 3).Draw(t, "room"))...).Subjects...)
		}
		switch rapid.IntRange(0, 9).Draw(t, "edit") {
		case 0:
			object.RoleRef.Kind = "Role"
		case 1:
			object.OwnerReferences = nil
		case 2:
			for i := range object.Subjects {
				object.Subjects[i].Kind = rbacv1.GroupKind
			}
		}
		existing = append(existing, object)
	}
	return existing
}

func drawGrants(t *rapid.T, roles, people []string) map[string]Subjects {
	grants := map[string]Subjects{}
	for _, role := range rapid.SliceOfDistinct(rapid.SampledFrom(roles), rapid.ID).Draw(t, "granted") {
		grants[role] = subjects(rapid.SliceOf(rapid.SampledFrom(people)).Draw(t, "to")...)
		if rapid.IntRange(0, 9).Draw(t, "to a crowd") == 0 {
			maps.Copy(grants[role], subjects(users(rapid.IntRange(MaxSubjects-2, 2*MaxSubjects+2).Draw(t, "size"))...))
		}
	}
	return grants
}

// carriedOut is what RoleBindings a plan leaves, by name.
func carriedOut(t *rapid.T, plan BindingPlan, existing []*rbacv1.RoleBinding) map[string]Binding {
	left := map[string]*rbacv1.RoleBinding{}
	for _, object := range existing {
		left[object.Name] = object
	}
	for _, gone := range plan.Delete {
		if left[gone.Name] == nil {
			t.Errorf("%s is deleted and does not exist, or twice", gone.Name)
		}
		delete(left, gone.Name)
	}
	after := map[string]Binding{}
	for _, written := range slices.Concat(plan.Shrink, plan.Grow, plan.Keep) {
		if _, twice := after[written.Name]; twice {
			t.Errorf("%s is planned twice", written.Name)
		}
		if before := left[written.Name]; before != nil && (before.RoleRef.Kind != "ClusterRole" || before.RoleRef.Name != written.ClusterRole) {
			t.Errorf("%s cannot be applied: it binds something else", written.Name)
		}
		after[written.Name] = written
		delete(left, written.Name)
	}
	for name := range left {
		t.Errorf("nothing is planned for %s", name)
	}
	return after
}

func TestAPlanLeavesExactlyTheGrants(t *testing.T) {
	t.Parallel()
	roles, people := []string{"admin", "view", "a:b", "b"}, []string{"ann", "bob", "cleo", "dan", "eve", "finn"}
	rapid.Check(t, func(t *rapid.T) {
		existing, grants := drawBindings(t, roles, people), drawGrants(t, roles, people)
		byName := map[string]*rbacv1.RoleBinding{}
		for _, object := range existing {
			byName[object.Name] = object.DeepCopy()
		}
		plan := PlanBindings(grants, existing, owner)
		after := carriedOut(t, plan, existing)

		got := map[string]Subjects{}
		for name, written := range after {
			if len(written.Subjects) == 0 || !slices.IsSorted(written.Subjects) || len(slices.Compact(slices.Clone(written.Subjects))) != len(written.Subjects) {
				t.Errorf("the subjects of %s are not a sorted set: %v", name, written.Subjects)
			}
			if before := byName[name]; len(written.Subjects) > MaxSubjects && (before == nil || len(before.Subjects) < len(written.Subjects)) {
				t.Errorf("%s grows to %d", name, len(written.Subjects))
			}
			for _, subject := range written.Subjects {
				if got[written.ClusterRole] == nil {
					got[written.ClusterRole] = Subjects{}
				}
				if _, twice := got[written.ClusterRole][subject]; twice {
					t.Errorf("%s has %s twice", subject, written.ClusterRole)
				}
				got[written.ClusterRole][subject] = struct{}{}
			}
		}
		if diff := cmp.Diff(grants, got, cmpopts.EquateEmpty(), dropEmpty); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		checkStability(t, grants, byName, after)
		checkOrder(t, plan, byName)
		if again := PlanBindings(grants, objectsOf(after), owner); len(again.Delete)+len(again.Shrink)+len(again.Grow) > 0 {
			t.Errorf("a plan that was carried out leaves something to do: %+v", again)
		}
	})
}

// dropEmpty lets a ClusterRole that nobody has be the same as none.
var dropEmpty = cmpopts.IgnoreMapEntries(func(_ string, s Subjects) bool { return len(s) == 0 })

// checkStability fails if somebody moves: whoever is granted what a RoleBinding of ours gives them is in one that they were in.
func checkStability(t *rapid.T, grants map[string]Subjects, before map[string]*rbacv1.RoleBinding, after map[string]Binding) {
	for name, object := range before {
		if _, ours := bindingNumber(object); !ours {
			continue
		}
		for _, subject := range object.Subjects {
			if _, granted := grants[object.RoleRef.Name][subject.Name]; !granted || !isUser(subject) {
				continue
			}
			stays := slices.ContainsFunc(slices.Collect(maps.Values(after)), func(b Binding) bool {
				was := before[b.Name]
				return was != nil && b.ClusterRole == object.RoleRef.Name && slices.Contains(b.Subjects, subject.Name) &&
					slices.Contains(was.Subjects, subject)
			})
			if !stays {
				t.Errorf("%s moves out of %s", subject.Name, name)
			}
		}
	}
}

// checkOrder fails if something that comes late takes away, or something that comes first is new.
func checkOrder(t *rapid.T, plan BindingPlan, before map[string]*rbacv1.RoleBinding) {
	deleted := map[string]bool{}
	for _, gone := range plan.Delete {
		deleted[gone.Name] = true
	}
	loses := func(b Binding) bool {
		return before[b.Name] != nil && !deleted[b.Name] &&
			slices.ContainsFunc(before[b.Name].Subjects, func(s rbacv1.Subject) bool { return !isUser(s) || !slices.Contains(b.Subjects, s.Name) })
	}
	for _, late := range slices.Concat(plan.Grow, plan.Keep) {
		if loses(late) {
			t.Errorf("%s loses a subject too late", late.Name)
		}
	}
	for _, first := range plan.Shrink {
		if deleted[first.Name] || before[first.Name] == nil {
			t.Errorf("%s is new and comes with the revocations", first.Name)
		}
	}
}

func objectsOf(bindings map[string]Binding) []*rbacv1.RoleBinding {
	var objects []*rbacv1.RoleBinding
	for _, b := range bindings {
		objects = append(objects, binding(b.Name, b.ClusterRole, b.Subjects...))
	}
	return objects
}

func TestARestrictedPlanGivesNothing(t *testing.T) {
	t.Parallel()
	roles, people := []string{"admin", "view", "a:b", "b"}, []string{"ann", "bob", "cleo", "dan", "eve", "finn"}
	rapid.Check(t, func(t *rapid.T) {
		existing, grants := drawBindings(t, roles, people), drawGrants(t, roles, people)
		had := map[string]Subjects{}
		for _, object := range existing {
			for _, subject := range object.Subjects {
				if had[object.RoleRef.Name] == nil {
					had[object.RoleRef.Name] = Subjects{}
				}
				if isUser(subject) && object.RoleRef.Kind == "ClusterRole" {
					had[object.RoleRef.Name][subject.Name] = struct{}{}
				}
			}
		}
		after := carriedOut(t, PlanBindings(Restrict(grants, existing), existing, owner), existing)
		for name, written := range after {
			for _, subject := range written.Subjects {
				_, before := had[written.ClusterRole][subject]
				_, granted := grants[written.ClusterRole][subject]
				if !before || !granted {
					t.Errorf("%s has %s by %s; before: %t, granted: %t", subject, written.ClusterRole, name, before, granted)
				}
			}
		}
	})
}
