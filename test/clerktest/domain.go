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

package clerktest

import "time"

// Domain is a domain that an organization claims, as a test knows it. Only the ids, Name and UpdatedAt have to be there.
type Domain struct {
	ID, OrganizationID, Name string
	// Ownership and Affiliation are Clerk's words for how the two verifications stand; nobody has tried where they are empty.
	Ownership, Affiliation string
	// EnrollmentMode is manual_invitation when it is empty.
	EnrollmentMode string
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt, UpdatedAt time.Time
}

// DomainCreated is the event of a new domain. It happened when the domain was updated last.
func DomainCreated(d Domain) Event { return domainEvent(TypeDomainCreated, d) }

// DomainUpdated is the event of a changed domain.
func DomainUpdated(d Domain) Event { return domainEvent(TypeDomainUpdated, d) }

// DomainDeleted is the event of a domain that an organization has no longer. It tells the id alone.
func DomainDeleted(d Domain, at time.Time) Event {
	return Event{Type: TypeDomainDeleted, Time: at, Data: deletedJSON{Object: "organization_domain", ID: d.ID, Deleted: true}}
}

func domainEvent(kind string, d Domain) Event {
	return Event{Type: kind, Time: d.UpdatedAt.Add(sendDelay), Data: DomainObject(d)}
}

type domainJSON struct {
	Object                  string                  `json:"object"`
	ID                      string                  `json:"id"`
	OrganizationID          string                  `json:"organization_id"`
	Name                    string                  `json:"name"`
	EnrollmentMode          string                  `json:"enrollment_mode"`
	AffiliationEmail        string                  `json:"affiliation_email_address"`
	AffiliationVerification *domainVerificationJSON `json:"affiliation_verification"`
	OwnershipVerification   *domainVerificationJSON `json:"ownership_verification"`
	Verification            *domainVerificationJSON `json:"verification"`
	PendingInvitations      int                     `json:"total_pending_invitations"`
	PendingSuggestions      int                     `json:"total_pending_suggestions"`
	CreatedAt               int64                   `json:"created_at"`
	UpdatedAt               int64                   `json:"updated_at"`
}

type domainVerificationJSON struct {
	Status     string `json:"status"`
	Strategy   string `json:"strategy"`
	Attempts   *int   `json:"attempts"`
	ExpireAt   *int64 `json:"expire_at"`
	VerifiedAt *int64 `json:"verified_at"`
}

// DomainObject is a domain as events and the API show it.
func DomainObject(d Domain) any {
	affiliation := verificationPayload(d.Affiliation, "affiliation_email_code", d.UpdatedAt)
	if affiliation != nil {
		affiliation.VerifiedAt = nil // which Clerk tells of ownership alone
	}
	payload := domainJSON{
		Object: "organization_domain", ID: d.ID, OrganizationID: d.OrganizationID, Name: d.Name, EnrollmentMode: d.EnrollmentMode,
		AffiliationEmail: Private + "@" + d.Name, AffiliationVerification: affiliation, Verification: affiliation,
		OwnershipVerification: verificationPayload(d.Ownership, "txt", d.UpdatedAt),
		CreatedAt:             milliseconds(d.CreatedAt, d.UpdatedAt), UpdatedAt: milliseconds(d.UpdatedAt),
	}
	if payload.EnrollmentMode == "" {
		payload.EnrollmentMode = "manual_invitation"
	}
	return payload
}

// verificationPayload has Clerk's expire_at in the past: that is the end of the attempt, not of what it proved.
func verificationPayload(status, strategy string, at time.Time) *domainVerificationJSON {
	if status == "" {
		return nil
	}
	payload := &domainVerificationJSON{Status: status, Strategy: strategy, Attempts: new(1), ExpireAt: new(at.UnixMilli())}
	if status == "verified" {
		payload.VerifiedAt = new(at.UnixMilli())
	}
	return payload
}
