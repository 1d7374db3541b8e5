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

	"google.golang.org/protobuf/types/known/structpb"
)

// acme is an organization with something in every field.
func acme() Organization {
	return Organization{
		ID: "org_2A", Name: "Acme, Inc.", Slug: "acme", Handle: "acme", ImageURL: "https://img.example/a.png",
		PublicMetadata: structure(map[string]any{
			"plan": "pro", "seats": 5, "share": 0.25, "huge": 1e21, "trial": true, "none": nil,
			"tags": []any{"a", "b"}, "limits": map[string]any{"cpu": "8", "key with }": "brace"},
		}),
		MaxAllowedMemberships: 7,
		CreatedAt:             time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC),
	}
}

func structure(values map[string]any) *structpb.Struct {
	result, err := structpb.NewStruct(values)
	if err != nil {
		panic(err)
	}
	return result
}

func TestATemplateExpandsToItsText(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, source, want string }{
		"plain":          {"no expression, no change", "org-acme", "org-acme"},
		"empty":          {"a label may have an empty value", "", ""},
		"one":            {"the usual name", "org-${organization.handle}", "org-acme"},
		"alone":          {"nothing around it", "${organization.id}", "org_2A"},
		"two":            {"side by side", "${organization.slug}${organization.id}", "acmeorg_2A"},
		"around":         {"text before, between and after", "a-${organization.slug}-b-${organization.id}-c", "a-acme-b-org_2A-c"},
		"space":          {"layout means nothing", "${  organization.slug\n}", "acme"},
		"escaped":        {"a plain ${ can be written", "$${organization.slug}", "${organization.slug}"},
		"escaped twice":  {"the second $ escapes", "$$${organization.slug}", "$${organization.slug}"},
		"escaped, then":  {"an escape ends with its brace", "$${x}${organization.slug}", "${x}acme"},
		"dollars":        {"a $ means nothing without a brace", "$5 $ $$ $", "$5 $ $$ $"},
		"closing braces": {"a } means nothing on its own", "}a}", "}a}"},
		"nested braces":  {"a map has braces of its own", `${{"a": {"b": "c"}}["a"]["b"]}`, "c"},
		"brace, quoted":  {"a } within a string ends nothing", `${"}" + '{'}`, "}{"},
		"quote, quoted":  {"an escaped quote does not end a string", `${'it\'s }' + "\"}"}`, `it's }"}`},
		"other quote":    {"only its own quote ends a string", `${"it's}"}`, "it's}"},
		"no recursion":   {"what an expression gives is not expanded again", `${"$" + "{organization.slug}"}`, "${organization.slug}"},
		"after the end":  {"text after the expression is text", "${organization.slug}}", "acme}"},

		"integer":        {"", "${organization.maxAllowedMemberships}", "7"},
		"unsigned":       {"", "${uint(7)}", "7"},
		"boolean":        {"", "${organization.slug == 'acme'}", "true"},
		"whole number":   {"JSON's 5 is no 5.0", "${organization.publicMetadata.seats}", "5"},
		"fraction":       {"", "${organization.publicMetadata.share}", "0.25"},
		"large number":   {"no digits that JSON did not have", "${organization.publicMetadata.huge}", "1e+21"},
		"negative":       {"", "${-1.0}", "-1"},
		"minus nought":   {"", "${-0.0}", "0"},
		"from metadata":  {"its type is known only then", "${organization.publicMetadata.plan}", "pro"},
		"deep metadata":  {"", "${organization.publicMetadata.limits.cpu}", "8"},
		"metadata by []": {"", `${organization.publicMetadata.limits["key with }"]}`, "brace"},
		"optional":       {"a default for a key that is missing", "${organization.publicMetadata.?region.orValue('eu')}", "eu"},
		"has":            {"", "${has(organization.publicMetadata.region) ? 'there' : 'not there'}", "not there"},
		"time":           {"as text on request", "${string(organization.createdAt)}", "2026-01-15T09:30:00Z"},
		"string library": {"", "${organization.name.lowerAscii().replace(', ', '-')}", "acme-inc."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, err := organizationScope.template(tc.source)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			got, err := template.expand(map[string]any{"organization": acme()})
			if err != nil || got != tc.want {
				t.Errorf("%s: got %q, %v; want %q", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestATemplateThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, source, says string }{
		"unclosed":       {"", "org-${organization.slug", "no closing }"},
		"unclosed quote": {"the brace is within the string", "${'organization}", "no closing }"},
		"unclosed map":   {"the one brace closes the map", `${{"a": 1}`, "no closing }"},
		"empty":          {"", "a${}b", "holds no expression"},
		"blank":          {"", "a${ \t}b", "holds no expression"},
		"syntax":         {"", "${organization.}", "does not compile"},
		"a wrong field":  {"types are checked before any tenant is touched", "${organization.slugg}", "undefined field 'slugg'"},
		"another":        {"a misspelt variable is no organization", "${organisation.slug}", "undeclared reference"},
		"user":           {"no user is known where an organization is", "${user.id}", "undeclared reference"},
		"types":          {"", "${organization.slug + 1}", "no matching overload"},
		"a list":         {"it cannot be written as text", "${[organization.slug]}", "gives list(string)"},
		"a map":          {"it cannot be written as text", "${organization.publicMetadata}", "gives map(string, dyn)"},
		"a time":         {"in which form is for the author to say", "${organization.createdAt}", "gives google.protobuf.Timestamp"},
		"null":           {"", "${null}", "gives null"},
		"optional":       {"what without a value?", "${organization.publicMetadata.?plan}", "gives optional_type(dyn)"},
		"a raw string":   {"a backslash at its end is read as an escape: refused, never misread", `${organization.slug.replace(r'\', '')}`, "}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := organizationScope.template(tc.source)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v; want an error with %q", tc.reason, err, tc.says)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is to be a message of a condition, and has several lines: %v", err)
			}
		})
	}
}

func TestATemplateThatFailsForAnOrganizationSaysWhichExpression(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, source, says string }{
		"missing key": {"", "${organization.publicMetadata.region}", "no such key: region"},
		"wrong type":  {"metadata is what the application made it", "${organization.publicMetadata.seats + 'x'}", "no such overload"},
		"a list":      {"known only now", "${organization.publicMetadata.tags}", "its value is a list"},
		"a map":       {"known only now", "${organization.publicMetadata.limits}", "its value is a map"},
		"null":        {"known only now", "${organization.publicMetadata.none}", "its value is a null_type"},
		"too long": {
			"16 KiB are above any name, label or annotation", "${'0123456789abcdef'}" + strings.Repeat("${'0123456789abcdef'}", 1024),
			"grows over 16384 bytes",
		},
		"too dear": {
			"one organization's metadata does not hold up the others",
			"${[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, [1,2,3,4,5,6,7,8,9].map(d, " +
				"[1,2,3,4,5,6,7,8,9].map(e, a + b + c + d + e))))).size()}", "actual cost limit exceeded",
		},
		"growing": {
			"functions on strings have their cost too",
			"${organization.name" + strings.Repeat(".replace('', organization.publicMetadata.plan)", 12) + "}", "actual cost limit exceeded",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, err := organizationScope.template(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.expand(map[string]any{"organization": acme()})
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %.80q, %v; want an error with %q", tc.reason, got, err, tc.says)
			}
		})
	}
}

func TestAFailureTellsNoValue(t *testing.T) {
	t.Parallel()
	organization := acme()
	organization.Name = "jane (doe"
	for source, says := range map[string]string{
		"${string(timestamp(organization.name))}":                       "invalid RFC 3339 timestamp",
		"${string(int(organization.name))}":                             "type conversion error from 'string' to 'int'",
		"${string(duration(organization.name))}":                        "failed: ",
		"${{'a': 'b'}[organization.name]}":                              "failed: no such key",
		"${organization.publicMetadata[organization.name]}":             "failed: no such key",
		"${organization.name.matches(organization.name)}":               "error parsing regexp",
		"${string(organization.createdAt.getHours(organization.name))}": "the values do not fit it",
	} {
		template, err := organizationScope.template(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		_, err = template.expand(map[string]any{"organization": organization})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "jane") {
			t.Errorf("%s: got %v; want an error with %q and no value", source, err, says)
		}
	}
}

func TestAConditionIsTrueOrFalse(t *testing.T) {
	t.Parallel()
	refused := map[string]string{
		"organization.slug":        "gives string",
		"organization.slugg == ''": "undefined field",
		"1":                        "gives int",
		"":                         "does not compile",
	}
	for source, says := range refused {
		if _, err := organizationScope.predicate(source); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v; want an error with %q", source, err, says)
		}
	}

	cases := map[string]struct {
		reason, source string
		holds          bool
	}{
		"true":        {"", "organization.publicMetadata.plan == 'pro'", true},
		"false":       {"", "organization.publicMetadata.plan == 'free'", false},
		"dynamic":     {"metadata may hold the answer itself", "organization.publicMetadata.trial", true},
		"not boolean": {"what is no boolean is not true", "organization.publicMetadata.plan", false},
		"missing key": {"it fails, so it does not match", "organization.publicMetadata.region == 'eu'", false},
		"integers":    {"JSON's numbers compare with integers", "organization.publicMetadata.seats == 5", true},
		"in a list":   {"", "'b' in organization.publicMetadata.tags", true},
		"times":       {"", "organization.createdAt < timestamp('2026-02-01T00:00:00Z')", true},
		"pattern":     {"", `organization.slug.matches('^a.*e$')`, true},
		"either":      {"CEL's || passes over what fails", "organization.publicMetadata.region == 'eu' || organization.slug == 'acme'", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			condition, err := organizationScope.predicate(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			if got := condition.holds(map[string]any{"organization": acme()}); got != tc.holds {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
