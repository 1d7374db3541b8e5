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
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// patience bounds the time that one evaluation may take: the limit of its cost keeps it far below.
const patience = 5 * time.Second

func FuzzTemplate(f *testing.F) {
	for _, source := range []string{
		"", "org-acme", "org-${organization.handle}", "$${a}", "$$${a}", "${", "${}", "}", `${"}"}`, `${{"a": 1}["a"]}`, `${'\'}'}`,
		"${organization.publicMetadata.plan}", "${organization.publicMetadata.?x.orValue(1.5)}", "${[1, 2].map(i, i * 2).size()}",
		"${organization.name.replace('', organization.name).replace('', organization.name)}", "${organization.slugg}", "${1 / 0}",
		"${'%s'.format([organization.createdAt])}", "${organization.name.matches('(a+)+$')}", "${r'\\'}", `${"""}"""}`, "${// }\n1}",
		"${tenant.Organization{id: 'x'}.id}", "\xff${'\xff'}", "${b'\xff'}", "${double('NaN')}", "${-9223372036854775808}",
	} {
		f.Add(source, `{"plan":"pro"}`)
	}
	f.Add("${organization.publicMetadata.a.b.c}", `{"a":{"b":{"c":[1,null,true]}}}`)
	f.Fuzz(func(t *testing.T, source, rawMetadata string) {
		template, err := organizationScope.template(source)
		if err != nil {
			if strings.Contains(err.Error(), "ERROR: <input>") {
				t.Errorf("the error shows CEL's drawing: %v", err)
			}
			return
		}
		if constant, ok := template.constant(); ok && !strings.Contains(source, "$${") && constant != source {
			t.Errorf("%q has no expression and expands to %q", source, constant)
		}
		organization := acme()
		organization.PublicMetadata = structure(nil)
		if len(rawMetadata) < 1<<10 {
			organization.PublicMetadata = metadata(&runtime.RawExtension{Raw: []byte(rawMetadata)})
		}
		variables := map[string]any{"organization": organization}
		began := time.Now()
		text, err := template.expand(variables)
		if took := time.Since(began); took > patience {
			t.Errorf("it takes %s", took)
		}
		if again, err2 := template.expand(variables); err == nil && err2 == nil && again != text && !strings.Contains(source, "map") {
			t.Errorf("%q and %q of the same", text, again)
		}
		if limit := maxExpanded + len(source); err == nil && len(text) > limit {
			t.Errorf("%d bytes, over %d", len(text), limit)
		}
		if username, err := CompileUsername(source); err == nil {
			checkUsername(t, username)
		}
	})
}

// checkUsername fails unless a user's name is one that RBAC may know.
func checkUsername(t *testing.T, username *Username) {
	t.Helper()
	name, err := username.Of(User{ID: "user_2A", Username: " system:masters\n"})
	if err != nil {
		return
	}
	if len(name) > maxSubject || strings.HasPrefix(strings.TrimSpace(name), "system:") || strings.TrimSpace(name) == "" {
		t.Errorf("%q is no name for a user", name)
	}
}

func FuzzNames(f *testing.F) {
	for _, text := range []string{
		"", "acme", "Acme, Inc.", "Crème Brûlée", "🚀", "株式会社", "---", "a--b", "42", "kube-system", "kube", "default", "org_2A", "_", "__a__",
		"\x00", "\xff\xfe", "a\u0301", "ﬁ", "①②", "K", "İ", strings.Repeat("a", 64), strings.Repeat("a-", 64), "xn--a", "a.b",
	} {
		f.Add(text, "org_2P9xRjVtQ4s8WcZdMb1NkH6yFlA")
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		label := dnsLabel(text)
		checkLabel(t, label)
		if dnsLabel(label) != label {
			t.Errorf("%q: its label %q is not its own", text, label)
		}
		object := &v1alpha1.ClerkOrganization{}
		object.Spec.ID = "org_2A"
		object.Spec.Name = text
		checkLabel(t, OrganizationOf(object).Handle)
		if OrganizationOf(object).Handle == "" {
			t.Errorf("%q: no handle", text)
		}

		for _, name := range []string{text, label} {
			if CheckName(name, operatorNamespace) != nil {
				continue
			}
			checkLabel(t, name)
			alternative := AlternativeName(name, id)
			if err := CheckName(alternative, operatorNamespace); err != nil || Protected(name, operatorNamespace) {
				t.Errorf("%q passes, its alternative %q does not: %v", name, alternative, err)
			}
		}
		checkObjectName(t, id)
	})
}

// checkObjectName fails unless an id that Clerk may give makes a name that Kubernetes takes.
func checkObjectName(t *testing.T, id string) {
	t.Helper()
	name := v1alpha1.ObjectName("default", id)
	if !utf8.ValidString(id) || len(id) > 63 || id == "" || strings.Trim(id, "_") != id {
		return
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r != '_' && (r > 'z' || !isASCIILetterOrDigit(byte(r))) }) {
		return
	}
	if problems := validation.NameIsDNSSubdomain(name, false); len(problems) > 0 {
		t.Errorf("%q makes the name %q: %v", id, name, problems)
	}
}

func isASCIILetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
