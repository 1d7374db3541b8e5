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
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// sizedClass is for organizations with so many members, and kept by those with fewer.
func sizedClass(t *testing.T, name string, atLeast, keepAtLeast int32) *Class {
	t.Helper()
	object := classOf(v1alpha1.TenantNamespace{Name: "org-${organization.handle}"})
	object.Name, object.Spec.Members = name, v1alpha1.TenantClassMembers{AtLeast: atLeast, KeepAtLeast: &keepAtLeast}
	return compiledClass(t, object)
}

func compiledClass(t *testing.T, object *v1alpha1.TenantClass) *Class {
	t.Helper()
	class, err := CompileClass(object)
	if err != nil {
		t.Fatal(err)
	}
	return class
}

func plainClass(t *testing.T, name string) *Class {
	t.Helper()
	object := classOf()
	object.Name = name
	return compiledClass(t, object)
}

func TestMoreMembersGetAClassThanKeepIt(t *testing.T) {
	t.Parallel()
	large := sizedClass(t, "large", 10, 8)
	large.object.Spec.Priority = new(int32(1))
	classes := []*Class{plainClass(t, "none"), sizedClass(t, "team", 3, 2), large}
	steps := []struct {
		members int64
		want    string
	}{
		{1, "none"}, {2, "none"}, {3, "team"}, {2, "team"}, {1, "none"}, {2, "none"}, {9, "team"}, {10, "large"}, {9, "large"}, {8, "large"},
		{7, "team"}, {9, "team"}, {0, "none"},
	}
	current := ""
	for i, step := range steps {
		class, err := Select(classes, Organization{Members: step.members}, current)
		if err != nil || class == nil || class.Name() != step.want {
			t.Fatalf("step %d: with %d members it has %v (%v), want %s", i, step.members, class, err, step.want)
		}
		current = class.Name()
	}
}

// One member who joins and leaves, again and again, moves an organization once at most, whatever the bounds of the classes are.
func TestOneMemberMovesAnOrganizationOnceAtMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		classes := []*Class{plainClass(t, "none")}
		for _, name := range []string{"a", "b", "c"} {
			atLeast := rapid.Int32Range(1, 6).Draw(r, "at least")
			class := sizedClass(t, name, atLeast, rapid.Int32Range(0, atLeast-1).Draw(r, "keep at least"))
			class.object.Spec.Priority = new(rapid.Int32Range(0, 2).Draw(r, "priority"))
			classes = append(classes, class)
		}
		current := rapid.SampledFrom([]string{"", "none", "a", "b", "c"}).Draw(r, "has")
		members := rapid.Int64Range(0, 6).Draw(r, "members")
		moves := 0
		for i := range int64(8) {
			class, err := Select(classes, Organization{Members: members + i%2}, current)
			if err != nil || class == nil {
				r.Fatalf("it has %v: %v", class, err)
			}
			if i > 1 && class.Name() != current {
				moves++
			}
			current = class.Name()
		}
		if moves > 1 {
			r.Fatalf("it moved %d times", moves)
		}
	})
}

func TestNoRuleCountsMembers(t *testing.T) {
	t.Parallel()
	for _, match := range []string{
		"organization.members > 3", "[organization].exists(o, o.members > 3)", `organization.slug == "a" || organization.members == 1`,
	} {
		object := classOf()
		object.Spec.Match = match
		if _, err := CompileClass(object); err == nil || !strings.Contains(err.Error(), "spec.members") {
			t.Errorf("%s: %v", match, err)
		}
	}
	object := classOf()
	object.Spec.Match = "organization.publicMetadata.billing.members > 3 || dyn(organization).members > 3"
	class := compiledClass(t, object)
	if found, err := Select([]*Class{class}, Organization{Members: 5, PublicMetadata: metadata(nil)}, ""); found != nil || err != nil {
		t.Errorf("a rule sees how many members there are: %v, %v", found, err)
	}
}

func TestAClassWithoutANamespaceGivesNothing(t *testing.T) {
	t.Parallel()
	empty := classOf()
	empty.Name = "standard"
	s := situation(onlyClass(empty), servedBy("standard"), hasNamespace("org-acme"), hasBinding("admin", "jane"))
	intent := Decide(s)
	if len(intent.Entries) != 0 || len(intent.Released) != 1 || len(intent.Losses()) != 1 || len(intent.Problems) != 0 {
		t.Errorf("it comes to %+v", intent)
	}
	status := Status(s, intent, nil)
	if ready := status.Conditions[0]; ready.Reason != v1alpha1.ReasonReady || !strings.Contains(ready.Message, "gives no namespace") {
		t.Errorf("it says %+v", ready)
	}
}

func TestTemplatesAndConditionsCountTheMembersThatThereAre(t *testing.T) {
	t.Parallel()
	class := conditionalClass("organization.members == 2", "")
	class.Spec.Namespaces[0].Labels = map[string]string{"example.com/members": "n${organization.members}"}
	s := situation(onlyClass(class), func(s *Situation) { s.Organization.Status.Members = new(int32(7)) })
	intent := Decide(s)
	if got := intent.Entries[0].Labels["example.com/members"]; got != "n2" {
		t.Errorf("the label is %s", got)
	}
	if _, given := intent.Entries[0].Grants["admin"]; !given {
		t.Error("the condition is not met")
	}
}
