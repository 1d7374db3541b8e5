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
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestTheHandleIsTheBestNameThatADNSLabelCanBeMadeOf(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason     string
		slug, name string
		want       string
	}{
		"slug":             {"made for addresses", "acme", "Acme, Inc.", "acme"},
		"no slug":          {"the application has slugs off", "", "Acme, Inc.", "acme-inc"},
		"neither":          {"then the id, as the object's name has it", "", "", "org-2a"},
		"emoji":            {"no letter of it can be in a label", "", "🚀🚀", "org-2a"},
		"emoji and text":   {"", "", "🚀 Rocket 🚀 Science 🚀", "rocket-science"},
		"other scripts":    {"they cannot be in a label", "", "株式会社", "org-2a"},
		"accents":          {"letters without them are readable", "", "Crème Brûlée Ångström", "creme-brulee-angstrom"},
		"composed":         {"an accent of its own is dropped as well", "", "Cre\u0300me", "creme"},
		"ligatures":        {"", "", "ﬁne", "fine"},
		"no decomposition": {"a letter that has none is a gap", "", "Straße", "stra-e"},
		"upper case":       {"", "", "ACME", "acme"},
		"underscores":      {"slugs are not always DNS labels", "acme_corp", "", "acme-corp"},
		"many separators":  {"one '-' is enough", "", "a -- b__.c", "a-b-c"},
		"at the ends":      {"a label begins and ends with a letter or a digit", "", "  -a-  ", "a"},
		"slug of dashes":   {"no label can be made of it: the next candidate", "---", "Acme", "acme"},
		"digits first":     {"a DNS label may; a template gives the letter", "42", "", "42"},
		"long":             {"cut", strings.Repeat("a", 80), "", strings.Repeat("a", 63)},
		"long, cut at -":   {"no '-' at the end", strings.Repeat("a", 62) + "-b", "", strings.Repeat("a", 62)},
		"control":          {"", "", "a\x00b\u200bc", "a-b-c"},
		"invalid UTF-8":    {"", "", "a\xffb", "a-b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: "default.org-2a"}}
			object.Spec.ID, object.Spec.Slug, object.Spec.Name = "org_2A", tc.slug, tc.name
			if got := OrganizationOf(object).Handle; got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestADNSLabelIsValidOrEmpty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkLabel(t, dnsLabel(rapid.String().Draw(t, "text")))
	})
}

// checkLabel fails unless a label is empty or what DNS takes.
func checkLabel(t interface {
	Helper()
	Errorf(format string, args ...any)
}, label string,
) {
	t.Helper()
	if label == "" {
		return
	}
	if problems := validation.IsDNS1123Label(label); len(problems) > 0 {
		t.Errorf("%q is no DNS label: %v", label, problems)
	}
}

func TestExpressionsSeeWhatClerkSays(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 15, 9, 30, 0, 5e6, time.UTC)
	object := &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: "default.org-2a"},
		Spec: v1alpha1.ClerkOrganizationSpec{
			Entity:                v1alpha1.Entity{Instance: "default", ID: "org_2A", CreatedAt: new(metav1.NewMicroTime(created))},
			Name:                  "Acme",
			Slug:                  "acme",
			ImageURL:              "https://img.example/a.png",
			PublicMetadata:        &runtime.RawExtension{Raw: []byte(`{"plan":"pro","seats":5}`)},
			MaxAllowedMemberships: new(int64(7)),
		},
	}
	want := Organization{
		ID: "org_2A", Name: "Acme", Slug: "acme", Handle: "acme", ImageURL: "https://img.example/a.png",
		PublicMetadata: structure(map[string]any{"plan": "pro", "seats": 5}), MaxAllowedMemberships: 7, CreatedAt: created,
		untold: []string{"plan", "subscriptionStatus", "seats", "features"},
	}
	if diff := cmp.Diff(want, OrganizationOf(object), cmp.Transformer("map", (*structpb.Struct).AsMap), cmp.AllowUnexported(Organization{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	member := &v1alpha1.ClerkMember{}
	member.Spec.UserID = "user_2A"
	member.Spec.User = v1alpha1.ClerkMemberUser{Identifier: "jane@example.com", Username: "jane", FirstName: "Jane"}
	asTold := User{ID: "user_2A", Username: "jane", PublicMetadata: structure(nil)}
	if diff := cmp.Diff(asTold, UserOf(member, nil), cmp.Transformer("map", (*structpb.Struct).AsMap), cmp.AllowUnexported(User{})); diff != "" {
		t.Errorf("an identifier is no verified address, and no expression sees it (-want +got):\n%s", diff)
	}
}

func TestMetadataThatIsNoObjectHasNoKeys(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", "[1]", `"text"`, "5", "true", `{"a":`} {
		got := metadata(&runtime.RawExtension{Raw: []byte(raw)})
		if got == nil || len(got.GetFields()) != 0 {
			t.Errorf("%q: got %v", raw, got)
		}
	}
	if got := metadata(nil); got == nil || len(got.GetFields()) != 0 {
		t.Errorf("none: got %v", got)
	}
}
