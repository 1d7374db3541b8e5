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
	"cmp"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxDomains bounds the domains of one organization that count, so that whatever looks at each of them stays cheap, and a text with all of
// them small: 64 of the longest names are 16 KB. Real organizations have a handful.
const maxDomains = 64

// Domain is what expressions see of a domain whose ownership is verified.
type Domain struct {
	Name           string `cel:"name"`
	EnrollmentMode string `cel:"enrollmentMode"`

	// AffiliationVerified: somebody reads mail at an address of it, too.
	AffiliationVerified bool `cel:"affiliationVerified"`
}

// IsOwn tells whether Clerk says that the organization has proven that it owns the domain. That somebody reads mail there is no proof.
func IsOwn(domain *v1alpha1.ClerkOrganizationDomainSpec) bool {
	return domain.DeletedAt == nil && domain.Name != "" && domain.OrganizationID != "" && domain.Ownership.Status == v1alpha1.DomainVerified
}

// OwnDomains are those domains of an organization that may decide something, in the order of their names. Of more than maxDomains those
// that were claimed first count: so a new one never takes the place of one that is in use.
func OwnDomains(all []*v1alpha1.ClerkOrganizationDomain) []Domain {
	own := slices.DeleteFunc(slices.Clone(all), func(d *v1alpha1.ClerkOrganizationDomain) bool { return !IsOwn(&d.Spec) })
	slices.SortFunc(own, func(a, b *v1alpha1.ClerkOrganizationDomain) int {
		return cmp.Or(compareTimes(a.Spec.CreatedAt, b.Spec.CreatedAt), strings.Compare(a.Spec.ID, b.Spec.ID))
	})
	var domains []Domain
	for _, object := range own {
		isNew := !slices.ContainsFunc(domains, func(d Domain) bool { return d.Name == object.Spec.Name })
		if isNew && len(domains) < maxDomains {
			domains = append(domains, Domain{
				Name: object.Spec.Name, EnrollmentMode: object.Spec.EnrollmentMode,
				AffiliationVerified: object.Spec.Affiliation.Status == v1alpha1.DomainVerified,
			})
		}
	}
	slices.SortFunc(domains, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	return domains
}

// domainNames are the names of the domains that may decide something.
func (o Organization) domainNames() []string {
	names := make([]string, len(o.Domains))
	for i, domain := range o.Domains {
		names[i] = domain.Name
	}
	return names
}

// withDomains adds the domains of an organization that may decide something.
func (o Organization) withDomains(all []*v1alpha1.ClerkOrganizationDomain) Organization {
	o.Domains = OwnDomains(all)
	return o
}
