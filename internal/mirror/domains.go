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

package mirror

import (
	"context"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

var domains = kind[v1alpha1.ClerkOrganizationDomain, v1alpha1.ClerkOrganizationDomainSpec]{
	specOf: func(object *v1alpha1.ClerkOrganizationDomain) *v1alpha1.ClerkOrganizationDomainSpec {
		return &object.Spec
	},
	entityOf: func(spec *v1alpha1.ClerkOrganizationDomainSpec) *v1alpha1.Entity { return &spec.Entity },
	labels:   domainLabels,
	keep:     keepDomainOrganization,
}

// domain writes a domain. Of anything else nothing is written.
func (m *Mirror) domain(ctx context.Context, instance string, data clerk.Data, told telling) (Outcome, error) {
	switch data := data.(type) {
	case *clerk.OrganizationDomain:
		return put(ctx, m, domains, domainSpec(instance, data), told)
	case *clerk.OrganizationDomainDeleted:
		return put(ctx, m, domains, domainTombstone(instance, data, told.at), told)
	}
	return Ignored, nil
}

func domainLabels(spec v1alpha1.ClerkOrganizationDomainSpec) map[string]string {
	labels := map[string]string{}
	if spec.OrganizationID != "" {
		labels[v1alpha1.OrganizationIDLabel] = spec.OrganizationID
	}
	return labels
}

// keepDomainOrganization lets a tombstone be of whom the domain is known to be: the news of a deletion does not say.
func keepDomainOrganization(want, known v1alpha1.ClerkOrganizationDomainSpec) v1alpha1.ClerkOrganizationDomainSpec {
	if want.DeletedAt != nil {
		want.OrganizationID = known.OrganizationID
	}
	return want
}

func domainSpec(instance string, d *clerk.OrganizationDomain) v1alpha1.ClerkOrganizationDomainSpec {
	return v1alpha1.ClerkOrganizationDomainSpec{
		Entity:         entity(instance, d.ID, d.CreatedAt, d.UpdatedAt),
		OrganizationID: d.OrganizationID,
		Name:           d.Name,
		Ownership:      domainVerification(d.Ownership),
		Affiliation:    domainVerification(d.Affiliation),
		EnrollmentMode: d.EnrollmentMode,
		DroppedFields:  d.Dropped,
	}
}

func domainVerification(v clerk.DomainVerification) v1alpha1.DomainVerification {
	return v1alpha1.DomainVerification{
		Status: v1alpha1.DomainVerificationStatus(v.Status), Strategy: v.Strategy, VerifiedAt: microTime(v.VerifiedAt),
	}
}

func domainTombstone(instance string, d *clerk.OrganizationDomainDeleted, at time.Time) v1alpha1.ClerkOrganizationDomainSpec {
	return v1alpha1.ClerkOrganizationDomainSpec{Entity: tombstone(instance, d.ID, microTime(at))}
}
