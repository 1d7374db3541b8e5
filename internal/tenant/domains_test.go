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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// claim is a domain of Acme with the word for how the proof of owning it stands, made so many minutes ago.
func claim(id, name, ownership string, minutesAgo int) *v1alpha1.ClerkOrganizationDomain {
	at := metav1.NewMicroTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Duration(minutesAgo) * time.Minute))
	return &v1alpha1.ClerkOrganizationDomain{Spec: v1alpha1.ClerkOrganizationDomainSpec{
		Entity: v1alpha1.Entity{ID: id, CreatedAt: &at, UpdatedAt: &at}, OrganizationID: "org_acme", Name: name,
		Ownership:   v1alpha1.DomainVerification{Status: v1alpha1.DomainVerificationStatus(ownership)},
		Affiliation: v1alpha1.DomainVerification{Status: v1alpha1.DomainVerified}, EnrollmentMode: "manual_invitation",
	}}
}

func domainNamesOf(domains []Domain) []string {
	names := make([]string, len(domains))
	for i, domain := range domains {
		names[i] = domain.Name
	}
	return names
}

func TestOnlyAProvenDomainCounts(t *testing.T) {
	gone := claim("orgdmn_4", "gone.example", "verified", 0)
	gone.Spec.DeletedAt = gone.Spec.UpdatedAt
	nameless := claim("orgdmn_5", "", "verified", 0)
	ofNobody := claim("orgdmn_6", "nobody.example", "verified", 0)
	ofNobody.Spec.OrganizationID = ""
	got := OwnDomains([]*v1alpha1.ClerkOrganizationDomain{
		claim("orgdmn_1", "own.example", "verified", 0), claim("orgdmn_2", "mailbox.example", "", 0),
		claim("orgdmn_3", "lost.example", "expired", 0), gone, nameless, ofNobody,
		claim("orgdmn_7", "also.example", "verified", 0), claim("orgdmn_8", "own.example", "verified", 0),
	})
	want := []Domain{
		{Name: "also.example", EnrollmentMode: "manual_invitation", AffiliationVerified: true},
		{Name: "own.example", EnrollmentMode: "manual_invitation", AffiliationVerified: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of too many, the same ones count in every order, and a new one takes nobody's place.
func TestTheDomainsThatCountAreBounded(t *testing.T) {
	var all []*v1alpha1.ClerkOrganizationDomain
	for i := range maxDomains + 3 {
		all = append(all, claim(fmt.Sprintf("orgdmn_%d", i), fmt.Sprintf("d%02d.example", 99-i), "verified", 1000-i))
	}
	got := domainNamesOf(OwnDomains(all))
	slices.Reverse(all)
	if diff := cmp.Diff(got, domainNamesOf(OwnDomains(all))); diff != "" {
		t.Errorf("in another order (-want +got):\n%s", diff)
	}
	if len(got) != maxDomains || !slices.IsSorted(got) || slices.Contains(got, "d35.example") || !slices.Contains(got, "d99.example") {
		t.Errorf("got %d: %v", len(got), got)
	}
}

func TestExpressionsReadDomains(t *testing.T) {
	organization := Organization{ID: "org_acme"}.withDomains([]*v1alpha1.ClerkOrganizationDomain{
		claim("orgdmn_1", "own.example", "verified", 0), claim("orgdmn_2", "mailbox.example", "unverified", 0),
		claim("orgdmn_3", "also.example", "verified", 0),
	})
	variables := map[string]any{"organization": organization}
	for source, want := range map[string]bool{
		`organization.domains.exists(d, d.name == "own.example")`:                                       true,
		`organization.domains.exists(d, d.name == "mailbox.example")`:                                   false,
		`size(organization.domains) == 2`:                                                               true,
		`organization.domains.all(d, d.affiliationVerified && d.enrollmentMode == "manual_invitation")`: true,
	} {
		rule, err := organizationScope.predicate(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.holds(variables); got != want {
			t.Errorf("%s: got %v", source, got)
		}
	}
	template, err := organizationScope.template(`${organization.domains.map(d, d.name).join(",")}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := template.expand(variables); err != nil || got != "also.example,own.example" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := organizationScope.predicate(`organization.domains.exists(d, d.verified)`); err == nil {
		t.Error("a field that no domain has compiles")
	}
}

func TestANamespaceSaysWhichHostsItsOrganizationOwns(t *testing.T) {
	object := &v1alpha1.TenantClass{Spec: v1alpha1.TenantClassSpec{Hosts: v1alpha1.HostsOwnDomains, Namespaces: []v1alpha1.TenantNamespace{{Name: "a"}}}}
	organization := Organization{ID: "org_acme"}.withDomains([]*v1alpha1.ClerkOrganizationDomain{
		claim("orgdmn_1", "own.example", "verified", 0), claim("orgdmn_2", "also.example", "verified", 0),
		claim("orgdmn_3", "mailbox.example", "unverified", 0),
	})
	corporation := &v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: "org_acme"}}}
	render := func(organization Organization) *Namespace {
		class, err := CompileClass(object)
		if err != nil {
			t.Fatal(err)
		}
		namespaces, err := class.Render(organization)
		if err != nil {
			t.Fatal(err)
		}
		return &namespaces[0]
	}
	want := render(organization)
	labels, annotations := NamespaceMetadata(want, corporation)
	if labels[v1alpha1.HostsLabel] != "OwnDomains" || annotations[v1alpha1.OwnDomainsAnnotation] != "also.example,own.example" {
		t.Errorf("got %v, %v", labels, annotations)
	}
	have := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}}
	if patch, err := MetadataPatch(have, want, corporation); patch != nil || err != nil {
		t.Errorf("it is right, and would be patched: %s, %v", patch, err)
	}
	_, annotations = NamespaceMetadata(render(Organization{}), corporation)
	if list, set := annotations[v1alpha1.OwnDomainsAnnotation]; !set || list != "" {
		t.Errorf("without a domain, got %q, %v", list, set)
	}
	object.Spec.Hosts = v1alpha1.HostsAny
	patch, err := MetadataPatch(have, render(organization), corporation)
	const gone = `{"metadata":{"annotations":{"clerk-operator.io/own-domains":null},"labels":{"clerk-operator.io/hosts":null}}}`
	if string(patch) != gone || err != nil {
		t.Errorf("got %s, %v", patch, err)
	}
}

func TestALostDomainIsTakenFromTheList(t *testing.T) {
	for name, tc := range map[string]struct {
		listed string
		own    []string
		want   string
	}{
		"nothing is lost":      {"a.example,b.example", []string{"a.example", "b.example"}, ""},
		"one is new":           {"a.example", []string{"a.example", "b.example"}, ""},
		"one is lost":          {"a.example,b.example", []string{"b.example"}, "b.example"},
		"there was none":       {"", []string{"a.example"}, ""},
		"all are lost":         {"a.example,b.example", nil, "-"},
		"a shorter one is own": {"evila.example", []string{"a.example"}, "-"},
	} {
		have := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.OwnDomainsAnnotation: tc.listed}}}
		patch, err := LostDomainsPatch(have, tc.own)
		want := ""
		if tc.want != "" {
			want = fmt.Sprintf(`{"metadata":{"annotations":{"clerk-operator.io/own-domains":%q}}}`, strings.Trim(tc.want, "-"))
		}
		if string(patch) != want || err != nil {
			t.Errorf("%s: got %s, %v", name, patch, err)
		}
	}
	if patch, err := LostDomainsPatch(&corev1.Namespace{}, nil); patch != nil || err != nil {
		t.Errorf("a namespace without a list: got %s, %v", patch, err)
	}
}
