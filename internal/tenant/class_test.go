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
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// classOf is a TenantClass with these namespaces.
func classOf(namespaces ...v1alpha1.TenantNamespace) *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "class"}, Spec: v1alpha1.TenantClassSpec{Namespaces: namespaces}}
}

func policiesOf(spec v1alpha1.TenantNetworkPolicySpec) []v1alpha1.TenantNetworkPolicy {
	return []v1alpha1.TenantNetworkPolicy{{Name: "policy", Spec: spec}}
}

func selecting(value string) v1alpha1.TenantNetworkPolicySpec {
	return v1alpha1.TenantNetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"org": value}}}
}

func TestAClassThatDoesNotCompileNamesEveryFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	good := v1alpha1.TenantNamespace{Name: "org-${organization.handle}"}
	labelled := func(key, value string) v1alpha1.TenantNamespace {
		return v1alpha1.TenantNamespace{Name: "a", Labels: map[string]string{key: value}}
	}
	annotated := func(key, value string) v1alpha1.TenantNamespace {
		return v1alpha1.TenantNamespace{Name: "a", Annotations: map[string]string{key: value}}
	}
	cases := map[string]struct {
		reason string
		class  *v1alpha1.TenantClass
		match  string
		says   []string
	}{
		"match": {"", classOf(good), "organization.slugg == ''", []string{"spec.match: ", "undefined field 'slugg'"}},
		"match of another type": {
			"text is neither true nor false", classOf(good), "organization.slug", []string{"spec.match: ", "gives string"},
		},
		"name":        {"", classOf(good, v1alpha1.TenantNamespace{Name: "${organization.slugg}"}), "", []string{"spec.namespaces[1].name: "}},
		"label value": {"", classOf(labelled("team", "${organization.slugg}")), "", []string{"spec.namespaces[0].labels[team]: "}},
		"label without expression": {
			"no organization makes it a label value",
			classOf(labelled("team", "not good!")), "", []string{"spec.namespaces[0].labels[team]: the value is no label value"},
		},
		"label too long": {
			"", classOf(labelled("team", strings.Repeat("a", 64))), "", []string{"spec.namespaces[0].labels[team]: the value is no label value"},
		},
		"annotation value": {"", classOf(annotated("note", "${")), "", []string{"spec.namespaces[0].annotations[note]: ", "no closing }"}},
		"label key":        {"", classOf(labelled("not a key", "x")), "", []string{"spec.namespaces[0].labels[not a key]: "}},
		"annotation key":   {"", classOf(annotated("a/b/c", "x")), "", []string{"spec.namespaces[0].annotations[a/b/c]: "}},
		"the operator's label": {
			"it would claim the namespace for another organization",
			classOf(labelled(v1alpha1.OrganizationIDLabel, "org_2B")), "", []string{"labels[clerk-operator.io/organization-id]: the key is the operator's own"},
		},
		"any of the operator's labels": {"", classOf(labelled("clerk-operator.io/x", "")), "", []string{"the key is the operator's own"}},
		"the operator's annotation": {
			"it would make a namespace another entry's",
			classOf(annotated(v1alpha1.NameTemplateAnnotation, "x")), "", []string{"annotations[clerk-operator.io/name-template]: the key is the operator's own"},
		},
		"managed-by": {
			"a namespace that seems the operator's would be deleted with its organization",
			classOf(labelled(v1alpha1.ManagedByLabel, "clerk-operator")), "", []string{"the key is the operator's own"},
		},
		"the API server's label": {
			"it is put back every time", classOf(labelled(corev1.LabelMetadataName, "x")), "", []string{"labels[kubernetes.io/metadata.name]: "},
		},
		"network policy": {
			"", classOf(v1alpha1.TenantNamespace{Name: "a", NetworkPolicies: policiesOf(selecting("${organization.slugg}"))}), "",
			[]string{"spec.namespaces[0].networkPolicies[0]: ", "slugg"},
		},
		"all of them": {
			"one look tells everything", classOf(
				v1alpha1.TenantNamespace{Name: "${", Labels: map[string]string{"b": "${x}", "a": "${y}"}, Annotations: map[string]string{"c": "${z}"}},
				v1alpha1.TenantNamespace{Name: "${w}", NetworkPolicies: policiesOf(selecting("${v}"))},
			), "u",
			[]string{
				"spec.match: ", "spec.namespaces[0].name: ", "spec.namespaces[0].labels[a]: ", "spec.namespaces[0].labels[b]: ",
				"spec.namespaces[0].annotations[c]: ", "spec.namespaces[1].name: ", "spec.namespaces[1].networkPolicies[0]: ",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.class.Spec.Match = tc.match
			_, err := CompileClass(tc.class)
			if err == nil {
				t.Fatalf("%s: it compiles", tc.reason)
			}
			at := 0
			for _, part := range tc.says {
				found := strings.Index(err.Error()[at:], part)
				if found < 0 {
					t.Fatalf("%s: %q is not in (the rest of) %q", tc.reason, part, err)
				}
				at += found
			}
			class, err := CompileClass(tc.class)
			if isMatchRight := !strings.Contains(err.Error(), "spec.match"); class.misfit == isMatchRight {
				t.Errorf("misfit is %t: it is one if, and only if, it is not known for whom it is", class.misfit)
			}
		})
	}
}

func TestAnOrganizationGetsWhatItsClassSays(t *testing.T) {
	t.Parallel()
	class := classOf(
		v1alpha1.TenantNamespace{
			Name:          "${organization.handle}-dev",
			Labels:        map[string]string{"plan": "${organization.publicMetadata.plan}", "stage": "dev", "empty": ""},
			Annotations:   map[string]string{"example.com/name": "${organization.name}", "literal": "$${organization.name}"},
			ResourceQuota: &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourcePods: "50"}},
			RoleBindings:  []v1alpha1.TenantRoleBinding{{Role: "org:admin", ClusterRole: "admin"}},
		},
		v1alpha1.TenantNamespace{
			Name: "${organization.handle}-prod",
			NetworkPolicies: []v1alpha1.TenantNetworkPolicy{
				{Name: "own", Spec: v1alpha1.TenantNetworkPolicySpec{
					PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"${organization.id}": "key"}},
					Ingress: []v1alpha1.TenantIngressRule{{
						From: []networkingv1.NetworkPolicyPeer{
							{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"org": "${organization.id}"}}},
							{IPBlock: &networkingv1.IPBlock{CIDR: "10.${organization.maxAllowedMemberships}.0.0/16", Except: []string{"$${x}"}}},
						},
						Ports: []v1alpha1.TenantPolicyPort{{Port: "${'http'}"}, {Port: "443", EndPort: "444"}},
					}},
				}},
				{Name: "plain", Spec: v1alpha1.TenantNetworkPolicySpec{}},
			},
		},
	)
	compiled, err := CompileClass(class)
	if err != nil {
		t.Fatal(err)
	}
	got, err := compiled.Render(acme())
	if err != nil {
		t.Fatal(err)
	}
	http := intstr.FromString("http")
	want := []Namespace{
		{
			Template: "${organization.handle}-dev", Name: "acme-dev",
			Labels:        map[string]string{"plan": "pro", "stage": "dev", "empty": ""},
			Annotations:   map[string]string{"example.com/name": "Acme, Inc.", "literal": "${organization.name}"},
			ResourceQuota: &corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("50")}},
			RoleBindings: []Rule{{
				TenantRoleBinding: v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin"}, Entry: "${organization.handle}-dev",
			}},
		},
		{
			Template: "${organization.handle}-prod", Name: "acme-prod",
			NetworkPolicies: map[string]networkingv1.NetworkPolicySpec{
				"own": {
					// Keys stay as they are.
					PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"${organization.id}": "key"}},
					Ingress: []networkingv1.NetworkPolicyIngressRule{{
						From: []networkingv1.NetworkPolicyPeer{
							{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"org": "org_2A"}}},
							{IPBlock: &networkingv1.IPBlock{CIDR: "10.7.0.0/16", Except: []string{"${x}"}}},
						},
						Ports: []networkingv1.NetworkPolicyPort{
							{Protocol: new(corev1.ProtocolTCP), Port: &http},
							{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(443)), EndPort: new(int32(444))},
						},
					}},
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				},
				"plain": {PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
			},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Rule{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	untouched := class.DeepCopy()
	got[0].ResourceQuota.Hard[corev1.ResourcePods] = resource.MustParse("1")
	got[1].NetworkPolicies["plain"].PolicyTypes[0] = networkingv1.PolicyTypeEgress
	got[0].Labels["stage"] = "changed"
	if diff := cmp.Diff(untouched, class); diff != "" {
		t.Errorf("what was rendered is the class's own memory (-before +after):\n%s", diff)
	}
}

func TestAFailedRenderingNamesTheField(t *testing.T) {
	t.Parallel()
	const missing = "${organization.publicMetadata.region}"
	cases := map[string]struct {
		reason    string
		namespace v1alpha1.TenantNamespace
		says      string
	}{
		"name":       {"", v1alpha1.TenantNamespace{Name: missing}, "spec.namespaces[0].name: expression \"organization.publicMetadata.region\" failed"},
		"label":      {"", v1alpha1.TenantNamespace{Name: "a", Labels: map[string]string{"region": missing}}, "spec.namespaces[0].labels[region]: "},
		"annotation": {"", v1alpha1.TenantNamespace{Name: "a", Annotations: map[string]string{"region": missing}}, "spec.namespaces[0].annotations[region]: "},
		"network policy": {
			"", v1alpha1.TenantNamespace{Name: "a", NetworkPolicies: policiesOf(selecting(missing))}, "spec.namespaces[0].networkPolicies[0]: ",
		},
		"label value": {
			"a display name is no label value", v1alpha1.TenantNamespace{Name: "a", Labels: map[string]string{"name": "${organization.name}"}},
			"spec.namespaces[0].labels[name]: the value that it expands to is no label value",
		},
		"the first of several": {
			"always the same one, or the status would never rest",
			v1alpha1.TenantNamespace{Name: "a", Labels: map[string]string{"d": missing, "b": missing, "c": missing, "e": missing}}, ".labels[b]: ",
		},
		"the first of several values": {
			"", v1alpha1.TenantNamespace{
				Name: "a", Labels: map[string]string{"d": "${organization.name}", "b": "${organization.name}", "c": "${organization.name}"},
			}, ".labels[b]: ",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, err := CompileClass(classOf(tc.namespace))
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err = class.Render(acme()); err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Fatalf("%s: got %v; want an error with %q", tc.reason, err, tc.says)
				}
			}
			if strings.Contains(err.Error(), "Acme") {
				t.Errorf("the error quotes the organization: %v", err)
			}
		})
	}
}

func TestTheClassWithTheHighestPriorityServes(t *testing.T) {
	t.Parallel()
	type c struct {
		name, match string
		priority    *int32
	}
	const yes, no, fails = "organization.slug == 'acme'", "organization.slug == 'other'", "organization.publicMetadata.region == 'eu'"
	cases := map[string]struct {
		reason  string
		classes []c
		want    string
	}{
		"none":                    {"", nil, ""},
		"no match, no default":    {"nobody serves it", []c{{"a", no, nil}}, ""},
		"a default":               {"", []c{{"a", no, nil}, {"b", "", nil}}, "b"},
		"a match before defaults": {"whatever their priority", []c{{"a", "", new(int32(100))}, {"b", yes, new(int32(-1))}}, "b"},
		"the highest":             {"", []c{{"a", yes, new(int32(1))}, {"b", yes, new(int32(3))}, {"c", yes, new(int32(2))}}, "b"},
		"none is nought":          {"", []c{{"a", yes, new(int32(-1))}, {"b", yes, nil}}, "b"},
		"a tie":                   {"the first by name", []c{{"b", yes, new(int32(1))}, {"a", yes, new(int32(1))}}, "a"},
		"a tie between defaults":  {"", []c{{"b", "", nil}, {"a", "", new(int32(0))}}, "a"},
		"the highest default":     {"", []c{{"a", "", nil}, {"b", "", new(int32(1))}}, "b"},
		"the extremes":            {"their difference is no int32", []c{{"a", yes, new(int32(-1 << 31))}, {"b", yes, new(int32(1<<31 - 1))}}, "b"},
		"a failing match":         {"it does not match", []c{{"a", fails, new(int32(9))}, {"b", "", nil}}, "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var classes []*Class
			for _, source := range tc.classes {
				object := classOf(v1alpha1.TenantNamespace{Name: "a"})
				object.Name, object.Spec.Match, object.Spec.Priority = source.name, source.match, source.priority
				class, err := CompileClass(object)
				if err != nil {
					t.Fatal(err)
				}
				classes = append(classes, class)
			}
			for range 2 {
				got := ""
				if class, err := Select(classes, acme(), ""); err != nil {
					t.Fatal(err)
				} else if class != nil {
					got = class.Name()
				}
				if got != tc.want {
					t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
				}
				slices.Reverse(classes) // the order in which they are listed means nothing
			}
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	list := func(pairs ...string) corev1.ResourceList {
		result := corev1.ResourceList{}
		for i := 0; i < len(pairs); i += 2 {
			result[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
		}
		return result
	}
	if withQuotaDefaults(nil) != nil || withLimitDefaults(nil) != nil {
		t.Error("what the class does not ask for appears")
	}
	spec := &corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypeContainer, Max: list("cpu", "2", "memory", "1Gi"), Min: list("memory", "1Mi", "storage", "1"), Default: list("cpu", "1")},
		{Type: corev1.LimitTypePod, Max: list("cpu", "4")},
	}}
	before := spec.DeepCopy()
	want := &corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{
			Type: corev1.LimitTypeContainer, Max: list("cpu", "2", "memory", "1Gi"), Min: list("memory", "1Mi", "storage", "1"),
			Default: list("cpu", "1", "memory", "1Gi"), DefaultRequest: list("cpu", "1", "memory", "1Gi", "storage", "1"),
		},
		{Type: corev1.LimitTypePod, Max: list("cpu", "4")},
	}}
	if diff := cmp.Diff(want, withLimitDefaults(spec), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, spec); diff != "" {
		t.Errorf("the class itself changed (-before +after):\n%s", diff)
	}
}

func TestANameThatATemplateMakesTooLongIsCutAndGetsTheHashOfTheID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 62) + "b"
	tests := map[string]struct{ reason, template, slug, want string }{
		"as long as may be": {"nothing to cut", "${organization.handle}", long, long},
		"a prefix too much": {"what the default class does", "org-${organization.handle}", long, "org-" + strings.Repeat("a", 50) + "-96c81bf6"},
		"many handles":      {"however long", strings.Repeat("${organization.handle}", 200), long, strings.Repeat("a", 54) + "-96c81bf6"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, err := CompileClass(&v1alpha1.TenantClass{Spec: v1alpha1.TenantClassSpec{
				Namespaces: []v1alpha1.TenantNamespace{{Name: tc.template}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			organization := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_2A"}, Slug: tc.slug}}
			namespaces, err := class.Render(OrganizationOf(organization))
			if err != nil || namespaces[0].Name != tc.want {
				t.Fatalf("%s: got %+v, %v; want %s", tc.reason, namespaces, err, tc.want)
			}
			if err := CheckName(namespaces[0].Name, operatorNamespace); err != nil {
				t.Error(err)
			}
			for _, candidate := range namespaces[0].Candidates("org_2A") {
				if len(candidate) > 63 {
					t.Errorf("%s is too long", candidate)
				}
			}
		})
	}
}
