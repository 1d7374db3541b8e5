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

package clerk

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// OrganizationDomain is a domain that an organization claims, as it stands after it was created or updated. The address that a code was
// sent to is not read.
type OrganizationDomain struct {
	ID             string
	OrganizationID string
	// Name is a DNS name of two labels or more, in lower case; empty where Clerk sent none.
	Name string
	// EnrollmentMode is Clerk's word, such as "automatic_invitation"; empty where there is none of use.
	EnrollmentMode string
	// Ownership says whether the organization holds the domain itself, Affiliation whether somebody reads mail at an address of it.
	Ownership, Affiliation DomainVerification
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one domain. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// EntityID is the domain's id.
func (d *OrganizationDomain) EntityID() string { return d.ID }

// DomainVerification is how a verification stands. It is zero where nobody has tried.
type DomainVerification struct {
	// Status is Clerk's word, such as "verified" or "expired".
	Status string
	// Strategy is Clerk's word for how it was looked; empty where there is none of use.
	Strategy string
	// VerifiedAt is zero where the payload does not say.
	VerifiedAt time.Time
}

// OrganizationDomainDeleted says that an organization has a domain no longer.
type OrganizationDomainDeleted struct {
	ID string
}

// EntityID is the domain's id.
func (d *OrganizationDomainDeleted) EntityID() string { return d.ID }

func (*OrganizationDomain) isData()        {}
func (*OrganizationDomainDeleted) isData() {}

type domainVerificationJSON struct {
	Status     lax[string] `json:"status"`
	Strategy   lax[string] `json:"strategy"`
	VerifiedAt lax[int64]  `json:"verified_at"`
}

type organizationDomainJSON struct {
	ID             string                      `json:"id"`
	OrganizationID string                      `json:"organization_id"`
	Name           lax[string]                 `json:"name"`
	EnrollmentMode lax[string]                 `json:"enrollment_mode"`
	Ownership      lax[domainVerificationJSON] `json:"ownership_verification"`
	Affiliation    lax[domainVerificationJSON] `json:"affiliation_verification"`
	// Verification is what Affiliation was called before. It never speaks of ownership.
	Verification lax[domainVerificationJSON] `json:"verification"`
	CreatedAt    lax[int64]                  `json:"created_at"`
	UpdatedAt    int64                       `json:"updated_at"`
}

// DecodeOrganizationDomain reads a domain: the data of an event, or a row of a list.
func DecodeOrganizationDomain(data json.RawMessage) (Data, error) {
	var raw organizationDomainJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if err := CheckID("data.organization_id", raw.OrganizationID); err != nil {
		return nil, err
	}
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	affiliation := raw.Affiliation
	if affiliation == (lax[domainVerificationJSON]{}) {
		affiliation = raw.Verification
	}
	domain := &OrganizationDomain{
		ID:             raw.ID,
		OrganizationID: raw.OrganizationID,
		Name:           dropped.domain(FieldName, raw.Name),
		EnrollmentMode: dropped.word(FieldEnrollmentMode, raw.EnrollmentMode),
		Ownership:      dropped.verification(FieldOwnership, raw.Ownership),
		Affiliation:    dropped.verification(FieldAffiliation, affiliation),
		CreatedAt:      dropped.created(raw.CreatedAt),
		UpdatedAt:      updatedAt,
	}
	domain.Dropped = dropped.sorted()
	return domain, nil
}

// decodeOrganizationDomainDeleted needs the domain's id alone.
func decodeOrganizationDomainDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &OrganizationDomainDeleted{ID: id}, nil
}

// domain is the name of a domain, in lower case and without a full stop at its end. One that is no DNS name of two labels or more is left
// out: it would stand for more, or for something else, than was verified. So is one with letters beyond ASCII: two programs may disagree
// about its punycode.
func (l *losses) domain(field string, name lax[string]) string {
	domain := strings.TrimSuffix(lowerASCII(name.value), ".")
	if name.isOdd || !isDomain(domain) {
		l.note(field)
		return ""
	}
	return domain
}

// lowerASCII leaves all but ASCII as it is: in other alphabets there are letters that become ASCII in lower case.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// isDomain accepts a DNS name of two labels or more that is no IP address.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	if len(name) > maxDomainLength || len(labels) < 2 {
		return false
	}
	isByte := func(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' }
	for _, label := range labels {
		if label == "" || len(label) > maxLabelLength || label[0] == '-' || label[len(label)-1] == '-' || !consistsOf(label, isByte) {
			return false
		}
	}
	return !consistsOf(labels[len(labels)-1], func(c byte) bool { return '0' <= c && c <= '9' })
}

// word is one of Clerk's words, those too that it may yet add.
func (l *losses) word(field string, word lax[string]) string {
	if word.isOdd || word.value != "" && checkStatus("", word.value) != nil {
		l.note(field)
		return ""
	}
	return word.value
}

// verification is how a verification stands. What cannot be read is no proof.
func (l *losses) verification(field string, raw lax[domainVerificationJSON]) DomainVerification {
	verification := DomainVerification{Status: raw.value.Status.value, Strategy: raw.value.Strategy.value}
	if raw.isOdd || raw.value.Status.isOdd || verification.Status != "" && checkStatus("", verification.Status) != nil {
		l.note(field)
		return DomainVerification{}
	}
	if verification.Status == "" {
		return DomainVerification{}
	}
	if checkStrategy(verification.Strategy) != nil {
		verification.Strategy = ""
	}
	verification.VerifiedAt, _ = milliseconds("", raw.value.VerifiedAt.value)
	return verification
}

// checkStrategy accepts Clerk's words for how it is looked.
func checkStrategy(strategy string) error {
	isByte := func(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' }
	if strategy == "" || len(strategy) > maxStrategyLength || strategy[0] < 'a' || !consistsOf(strategy, isByte) {
		return fmt.Errorf("must be 1 to %d lower case letters, digits and underscores, beginning with a letter", maxStrategyLength)
	}
	return nil
}
