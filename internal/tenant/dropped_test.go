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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func lossyOrganization(fields ...string) Organization {
	return OrganizationOf(&v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{
		Entity:        v1alpha1.Entity{ID: "org_1"},
		Slug:          "acme",
		DroppedFields: fields,
	}})
}

func matching(t *testing.T, name, match string, priority int32) *Class {
	t.Helper()
	object := classOf(v1alpha1.TenantNamespace{Name: "a"})
	object.Name, object.Spec.Match, object.Spec.Priority = name, match, &priority
	class, err := CompileClass(object)
	if err != nil {
		t.Fatal(err)
	}
	return class
}

// Nobody may get into another class by making their metadata unreadable.
func TestARuleThatReadsWhatWasDroppedDecidesNothing(t *testing.T) {
	tests := map[string]struct {
		reason, match string
		dropped       []string
		want          string // "" for doubt
	}{
		"what it reads":       {"it may match", `organization.publicMetadata.plan == "free"`, []string{"publicMetadata"}, ""},
		"its negation":        {"it may not match", `!has(organization.publicMetadata.suspended)`, []string{"publicMetadata"}, ""},
		"asked for first":     {"", `has(organization.publicMetadata) && true`, []string{"publicMetadata"}, ""},
		"optionally":          {"", `organization.?publicMetadata.?plan.orValue("") == ""`, []string{"publicMetadata"}, ""},
		"behind another name": {"", `[organization].exists(o, has(o.publicMetadata.plan))`, []string{"publicMetadata"}, ""},
		"as a whole":          {"it may read any field", `dyn(organization)["publicMetadata"] == {}`, []string{"publicMetadata"}, ""},
		"the handle":          {"it is made of the slug", `organization.handle == "acme"`, []string{"slug"}, ""},
		"the limit":           {"0 would be no limit", `organization.maxAllowedMemberships == 0`, []string{"maxAllowedMemberships"}, ""},
		"something else":      {"", `organization.slug == "acme"`, []string{"publicMetadata", "name"}, "ruled"},
		"the handle, slugged": {"the name did not go into it", `organization.handle == "acme"`, []string{"name"}, "ruled"},
		"nothing was dropped": {"", `organization.publicMetadata.plan == "free"`, nil, "default"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			classes := []*Class{matching(t, "ruled", tc.match, 0), matching(t, "default", "", 0)}
			class, err := Select(classes, lossyOrganization(tc.dropped...), "")
			if tc.want == "" {
				if err == nil || class != nil || !strings.Contains(err.Error(), "could not be kept") {
					t.Errorf("%s: got %v, %v; want doubt", tc.reason, class, err)
				}
				return
			}
			if err != nil || class.Name() != tc.want {
				t.Errorf("%s: got %v, %v; want %s", tc.reason, class, err, tc.want)
			}
		})
	}
	first := []*Class{matching(t, "sure", `organization.slug == "acme"`, 1), matching(t, "doubtful", `organization.publicMetadata.a == 1`, 0)}
	if class, err := Select(first, lossyOrganization("publicMetadata"), ""); err != nil || class.Name() != "sure" {
		t.Errorf("a doubt that decides nothing: got %v, %v", class, err)
	}
}

func TestATemplateThatReadsWhatWasDroppedFails(t *testing.T) {
	object := classOf(v1alpha1.TenantNamespace{Name: "${organization.slug}", Labels: map[string]string{"plan": `${organization.publicMetadata.?plan.orValue("free")}`}})
	class, err := CompileClass(object)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := class.Render(lossyOrganization()); err != nil {
		t.Error(err)
	}
	if got, err := class.Render(lossyOrganization("publicMetadata")); err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestNobodyIsNamedByWhatWasDropped(t *testing.T) {
	early, late := new(metav1.NewMicroTime(metav1.Now().Add(-1))), new(metav1.NowMicro())
	member := func(at *metav1.MicroTime, username string, dropped ...string) *v1alpha1.ClerkMember {
		return &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{
			Entity:        v1alpha1.Entity{UpdatedAt: at},
			UserID:        "user_1",
			User:          v1alpha1.ClerkMemberUser{Username: username},
			DroppedFields: dropped,
		}}
	}
	user := func(username string, dropped ...string) *v1alpha1.ClerkUser {
		return &v1alpha1.ClerkUser{Spec: v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{ID: "user_1", UpdatedAt: early}, Username: username, DroppedFields: dropped}}
	}
	const byName, byTeam = `${user.username != "" ? user.username : user.id}`, `${user.publicMetadata.?team.orValue("all")}`
	tests := map[string]struct {
		expression string
		member     *v1alpha1.ClerkMember
		user       *v1alpha1.ClerkUser
		want       string // "" for none
	}{
		"the membership's name":                {byName, member(late, "", "user.username"), nil, ""},
		"nothing of the user":                  {byName, member(late, "", "user"), nil, ""},
		"nothing of a user who is known":       {byName, member(late, "", "user"), user("ines"), "ines"},
		"the membership's name, newer":         {byName, member(late, "", "user.username"), user("ines"), ""},
		"the membership's name, not newer":     {byName, member(early, "", "user.username"), user("ines"), "ines"},
		"the user's name":                      {byName, member(early, "ines"), user("", "username"), ""},
		"the user's name, the membership's is": {byName, member(late, "ines"), user("", "username"), "ines"},
		"the user's metadata":                  {byTeam, member(late, "ines"), user("ines", "publicMetadata"), ""},
		"what is not read":                     {byName, member(late, "ines"), user("ines", "publicMetadata"), "ines"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			username, err := CompileUsername(tc.expression)
			if err != nil {
				t.Fatal(err)
			}
			got, err := username.Of(UserOf(tc.member, tc.user))
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}
