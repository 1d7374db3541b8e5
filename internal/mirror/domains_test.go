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

package mirror_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// acmeDomain is a domain of Acme's that was changed so many minutes ago.
func acmeDomain(id, ownership string, minutesAgo int) *clerk.OrganizationDomain {
	return &clerk.OrganizationDomain{
		ID: id, OrganizationID: "org_acme", Name: "acme.example", EnrollmentMode: "manual_invitation",
		Ownership: clerk.DomainVerification{Status: ownership, Strategy: "txt", VerifiedAt: at(minutesAgo)}, CreatedAt: at(1000),
		UpdatedAt: at(minutesAgo), Dropped: []string{"affiliation"},
	}
}

func domainOf(t *testing.T, id string) *v1alpha1.ClerkOrganizationDomain {
	t.Helper()
	return read[v1alpha1.ClerkOrganizationDomain](t, "default", id)
}

func TestADomainIsMirrored(t *testing.T) {
	t.Parallel()
	id := newID("orgdmn")
	first.apply(t, happened(30, acmeDomain(id, "verified", 30)), mirror.Applied)
	got := domainOf(t, id)
	time := func(minutesAgo int) metav1.MicroTime { return metav1.NewMicroTime(at(minutesAgo)) }
	isEqual(t, "", map[string]any{
		"instance": "default", "id": id, "organizationID": "org_acme", "name": "acme.example", "enrollmentMode": "manual_invitation",
		"ownership": map[string]any{"status": "verified", "strategy": "txt", "verifiedAt": time(30)},
		"createdAt": time(1000), "updatedAt": time(30), "asOf": time(30), "droppedFields": []string{"affiliation"},
	}, got.Spec)
	isEqual(t, "", map[string]string{v1alpha1.OrganizationIDLabel: "org_acme"}, got.Labels)
	first.knows(t, got)
	first.apply(t, happened(30, acmeDomain(id, "verified", 30)), mirror.Duplicate)
	blind.apply(t, happened(20, acmeDomain(id, "expired", 20)), mirror.Applied)
	blind.apply(t, happened(25, acmeDomain(id, "verified", 25)), mirror.Stale)
	if spec := domainOf(t, id).Spec; spec.Ownership.Status != "expired" {
		t.Errorf("a late event brings the ownership back: %+v", spec)
	}
	other := acmeDomain(id, "verified", 15)
	other.OrganizationID = "org_other"
	outcome, err := blind.Apply(t.Context(), "default", happened(15, other))
	isRejected(t, outcome, err, "spec.organizationID")

	blind.apply(t, happened(10, &clerk.OrganizationDomainDeleted{ID: id}), mirror.Applied)
	blind.apply(t, happened(5, acmeDomain(id, "verified", 5)), mirror.Stale)
	isEqual(t, "a tombstone", map[string]any{
		"instance": "default", "id": id, "organizationID": "org_acme", "deletedAt": time(10),
	}, domainOf(t, id).Spec)
}

// Two states of one time are told apart by when they were told of: a proof need not change when Clerk says that the domain changed.
func TestOwnershipOfTheSameTimeIsOrderedByWhenItWasTold(t *testing.T) {
	t.Parallel()
	id := newID("orgdmn")
	blind.apply(t, happened(30, acmeDomain(id, "verified", 60)), mirror.Applied)
	blind.apply(t, happened(20, acmeDomain(id, "expired", 60)), mirror.Applied)
	blind.apply(t, happened(25, acmeDomain(id, "verified", 60)), mirror.Stale)
	if spec := domainOf(t, id).Spec; spec.Ownership.Status != "expired" {
		t.Errorf("got %+v", spec)
	}
}

// A deletion may come first, and says nothing but the id.
func TestADomainThatWasDeletedFirstNeverComes(t *testing.T) {
	t.Parallel()
	id := newID("orgdmn")
	blind.apply(t, happened(10, &clerk.OrganizationDomainDeleted{ID: id}), mirror.Applied)
	blind.apply(t, happened(30, acmeDomain(id, "verified", 30)), mirror.Stale)
	if spec := domainOf(t, id).Spec; spec.DeletedAt == nil || spec.OrganizationID != "" || spec.Name != "" {
		t.Errorf("got %+v", spec)
	}
	old := newID("orgdmn")
	event := &clerk.Event{Type: "organizationDomain.created", Time: at(60 * 24 * 365), Data: acmeDomain(old, "verified", 60*24*365)}
	blind.apply(t, event, mirror.Expired)
	isMissing(t, &v1alpha1.ClerkOrganizationDomain{}, "default", old)
}
