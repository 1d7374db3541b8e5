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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const operatorNamespace = "clerk-operator-system"

func TestSomeNamesAreNeverAnOrganizations(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, name, says string }{
		"usual":                {"", "org-acme", ""},
		"one letter":           {"", "a", ""},
		"digits later":         {"", "a1", ""},
		"longest":              {"", strings.Repeat("a", 63), ""},
		"kubernetes":           {"the prefix is kube-", "kubernetes", ""},
		"like the operator's":  {"", operatorNamespace + "-2", ""},
		"kube-system":          {"Kubernetes' own", "kube-system", "never an organization's"},
		"kube-anything":        {"Kubernetes keeps the prefix", "kube-acme", "never an organization's"},
		"kube":                 {"with a suffix it would be Kubernetes' own", "kube", "never an organization's"},
		"default":              {"Kubernetes' own", "default", "never an organization's"},
		"the operator's":       {"its Secrets are there", operatorNamespace, "never an organization's"},
		"digit first":          {"services in it would have names that are numbers", "1a", "does not begin with a letter"},
		"digits":               {"", "42", "does not begin with a letter"},
		"'-' first":            {"", "-a", "does not begin with a letter"},
		"upper case":           {"", "Acme", "does not begin with a letter"},
		"empty":                {"a template may give nothing", "", "does not begin with a letter"},
		"not ASCII":            {"", "ümlaut", "does not begin with a letter"},
		"over 63":              {"", strings.Repeat("a", 64), "over 63 characters"},
		"upper case later":     {"", "aCme", "is no namespace name"},
		"dot":                  {"a label, not a name in DNS", "acme.inc", "is no namespace name"},
		"underscore":           {"", "acme_inc", "is no namespace name"},
		"'-' last":             {"", "acme-", "is no namespace name"},
		"white space":          {"", "acme inc", "is no namespace name"},
		"path":                 {"", "acme/../kube-system", "is no namespace name"},
		"letters beyond ASCII": {"", "acmé", "is no namespace name"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckName(tc.name, operatorNamespace)
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v; want %q", tc.reason, err, tc.says)
			}
			if err != nil && !strings.Contains(err.Error(), "TenantClass") {
				t.Errorf("the error does not say where to mend it: %v", err)
			}
		})
	}
}

func TestNoLabelMakesAProtectedNamespaceAnOrganizations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease", operatorNamespace} {
		if !Protected(name, operatorNamespace) {
			t.Errorf("%s is not protected", name)
		}
	}
	if Protected("org-acme", operatorNamespace) {
		t.Error("org-acme is protected")
	}
}

func TestATakenNameGetsAHashOfTheIDAsSuffix(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, name, want string }{
		"short":         {"", "org-acme", "org-acme-96c81bf6"},
		"longest as is": {"54 and 9 are 63", strings.Repeat("a", 54), strings.Repeat("a", 54) + "-96c81bf6"},
		"cut":           {"", strings.Repeat("a", 63), strings.Repeat("a", 54) + "-96c81bf6"},
		"cut at '-'":    {"one '-' is enough", strings.Repeat("a", 53) + "-bcdefghij", strings.Repeat("a", 53) + "-96c81bf6"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := AlternativeName(tc.name, "org_2A"); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
	if AlternativeName("a", "org_2A") == AlternativeName("a", "org_2a") {
		t.Error("ids that differ in case alone are two")
	}
}

func TestTheAlternativeToAGoodNameIsAGoodName(t *testing.T) {
	t.Parallel()
	names := rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`)
	ids := rapid.StringMatching(`org_[A-Za-z0-9]{3,27}`)
	rapid.Check(t, func(t *rapid.T) {
		name, id := names.Draw(t, "name"), ids.Draw(t, "id")
		if CheckName(name, operatorNamespace) != nil {
			return
		}
		got := AlternativeName(name, id)
		if err := CheckName(got, operatorNamespace); err != nil {
			t.Errorf("%s of %s: %v", got, name, err)
		}
		if problems := validation.IsDNS1123Label(got); len(problems) > 0 || got == name {
			t.Errorf("%s of %s: %v", got, name, problems)
		}
		if again := AlternativeName(name, id); again != got {
			t.Errorf("%s and %s of the same", got, again)
		}
	})
}

// made is a namespace that the operator made from a template.
func made(name, template string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Annotations: map[string]string{v1alpha1.NameTemplateAnnotation: template},
	}}
}

// adopted is a namespace that an administrator labelled.
func adopted(name string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func terminatingNamespace(name, template string) corev1.Namespace {
	namespace := made(name, template)
	namespace.DeletionTimestamp = new(metav1.Unix(1, 0))
	return namespace
}

// owned is a namespace with the label of the organization org_2A.
func owned(namespace corev1.Namespace) corev1.Namespace {
	namespace.Labels = map[string]string{v1alpha1.OrganizationIDLabel: "org_2A"}
	return namespace
}

func aged(namespace corev1.Namespace, seconds int64) corev1.Namespace {
	namespace.CreationTimestamp = metav1.NewTime(time.Unix(seconds, 0))
	return namespace
}

func pointers[T any](values []T) []*T {
	result := make([]*T, len(values))
	for i := range values {
		result[i] = &values[i]
	}
	return result
}

func TestEachWantedNamespaceFindsTheOneThatFillsIt(t *testing.T) {
	t.Parallel()
	one := []Namespace{{Template: "org-${s}", Name: "org-acme"}}
	two := []Namespace{{Template: "${s}-dev", Name: "acme-dev"}, {Template: "${s}-prod", Name: "acme-prod"}}
	cases := map[string]struct {
		reason       string
		wanted       []Namespace
		existing     []corev1.Namespace
		filled, rest []string
	}{
		"none yet": {"", two, nil, []string{"", ""}, nil},
		"both": {
			"the order in which they are listed means nothing",
			two, []corev1.Namespace{made("acme-prod", "${s}-prod"), made("acme-dev", "${s}-dev")},
			[]string{"acme-dev", "acme-prod"}, nil,
		},
		"one of two": {"the other is yet to be made", two, []corev1.Namespace{made("acme-prod", "${s}-prod")}, []string{"", "acme-prod"}, nil},
		"a new slug": {
			"what it was made from counts, not its name: nothing moves",
			one, []corev1.Namespace{made("org-oldname", "org-${s}")}, []string{"org-oldname"}, nil,
		},
		"a reused slug": {
			"the template goes before the name",
			two, []corev1.Namespace{made("acme-dev", "${s}-prod"), made("acme-prod", "${s}-dev")},
			[]string{"acme-prod", "acme-dev"}, nil,
		},
		"adoption by name": {
			"an administrator labelled a namespace of the right name",
			two, []corev1.Namespace{adopted("acme-prod")}, []string{"", "acme-prod"}, nil,
		},
		"adoption of the only one": {
			"one is wanted, one is there", one, []corev1.Namespace{adopted("legacy")}, []string{"legacy"}, nil,
		},
		"adoption beside another": {
			"the one that is left belongs to the entry that is left",
			two, []corev1.Namespace{made("acme-dev", "${s}-dev"), adopted("legacy")}, []string{"acme-dev", "legacy"}, nil,
		},
		"an edited template": {
			"one entry and one namespace are left over: they belong together",
			[]Namespace{{Template: "team-${s}", Name: "team-acme"}}, []corev1.Namespace{made("org-acme", "org-${s}")},
			[]string{"org-acme"}, nil,
		},
		"both templates edited, with a hash": {
			"a name that was taken got a hash: the entry that would get it again has the namespace",
			[]Namespace{{Template: "${t}-dev", Name: "acme-dev"}, {Template: "${t}-prod", Name: "acme-prod"}},
			[]corev1.Namespace{owned(made(AlternativeName("acme-prod", "org_2A"), "${s}-prod")), owned(made("acme-dev", "${s}-dev"))},
			[]string{"acme-dev", AlternativeName("acme-prod", "org_2A")}, nil,
		},
		"both templates edited": {
			"nobody can tell which is which: neither is touched",
			two, []corev1.Namespace{made("a", "${s}-a"), made("b", "${s}-b")}, []string{"", ""}, []string{"a", "b"},
		},
		"one left for two": {
			"it may be either's", two, []corev1.Namespace{adopted("legacy")}, []string{"", ""}, []string{"legacy"},
		},
		"two left for one": {
			"it may be either", one, []corev1.Namespace{adopted("a"), adopted("b")}, []string{""}, []string{"a", "b"},
		},
		"no longer wanted": {
			"", one, []corev1.Namespace{made("org-acme", "org-${s}"), made("acme-dev", "${s}-dev")}, []string{"org-acme"}, []string{"acme-dev"},
		},
		"two of one template": {
			"the older one was there first",
			one, []corev1.Namespace{aged(made("a-younger", "org-${s}"), 2), aged(made("b-older", "org-${s}"), 1)},
			[]string{"b-older"}, []string{"a-younger"},
		},
		"two of one age": {
			"then the first by name, so that it stays the same",
			one, []corev1.Namespace{made("b", "org-${s}"), made("a", "org-${s}")}, []string{"a"}, []string{"b"},
		},
		"terminating": {
			"its entry waits until it is gone, rather than make a second one",
			one, []corev1.Namespace{terminatingNamespace("org-acme", "org-${s}")}, []string{"org-acme"}, nil,
		},
		"nothing wanted": {"", nil, []corev1.Namespace{made("org-acme", "org-${s}")}, []string{}, []string{"org-acme"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filled, rest := Assign(tc.wanted, pointers(tc.existing), nil)
			if diff := cmp.Diff(tc.filled, namesOf(filled)); diff != "" {
				t.Errorf("%s: filled (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.rest, namesOf(rest)); diff != "" && len(tc.rest)+len(rest) > 0 {
				t.Errorf("%s: left over (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func namesOf(namespaces []*corev1.Namespace) []string {
	names := make([]string, len(namespaces))
	for i, namespace := range namespaces {
		if namespace != nil {
			names[i] = namespace.Name
		}
	}
	return names
}

func TestAssignLosesNoNamespaceAndGivesNoneTwice(t *testing.T) {
	t.Parallel()
	templates := rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		var wanted []Namespace
		for _, template := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(t, "wanted") {
			wanted = append(wanted, Namespace{Template: template, Name: "ns-" + template})
		}
		var existing []corev1.Namespace
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"ns-a", "ns-b", "x", "y", "z"}), 0, 5, rapid.ID).Draw(t, "existing") {
			existing = append(existing, made(name, templates.Draw(t, "template")))
		}
		filled, rest := Assign(wanted, pointers(existing), nil)
		seen := map[string]int{}
		for _, name := range append(namesOf(filled), namesOf(rest)...) {
			if name != "" {
				seen[name]++
			}
		}
		for _, namespace := range existing {
			if seen[namespace.Name] != 1 {
				t.Errorf("%s is there %d times", namespace.Name, seen[namespace.Name])
			}
		}
		if len(filled) != len(wanted) || len(seen) != len(existing) {
			t.Errorf("%d wanted, %d filled; %d existing, %d seen", len(wanted), len(filled), len(existing), len(seen))
		}
		// A name that is wanted and exists must not be left over: it would be taken, by ourselves.
		for i, want := range wanted {
			for _, left := range rest {
				if filled[i] == nil && (left.Name == want.Name || left.Annotations[v1alpha1.NameTemplateAnnotation] == want.Template) {
					t.Errorf("%s could fill %s and is left over", left.Name, want.Template)
				}
			}
		}
	})
}
