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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func checkDomain(t *testing.T, domain *OrganizationDomain) {
	t.Helper()
	if CheckID("", domain.OrganizationID) != nil || domain.UpdatedAt.IsZero() || domain.Name != "" && !isDomain(domain.Name) {
		t.Errorf("domain %+v lacks what it has to have", domain)
	}
}

// decodedDomain is a domain with fields besides those that every one has.
func decodedDomain(t *testing.T, fields string) *OrganizationDomain {
	t.Helper()
	data, err := DecodeOrganizationDomain(json.RawMessage(`{"id":"orgdmn_1","organization_id":"org_1","updated_at":1773480360123` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return data.(*OrganizationDomain)
}

func TestTheNameOfADomainIsADNSNameOrNone(t *testing.T) {
	long := strings.Repeat("a", 63)
	for name, want := range map[string]string{
		"acme.example":                  "acme.example",
		"ACME.Example":                  "acme.example",
		"acme.example.":                 "acme.example",
		"xn--bcher-kva.EXAMPLE":         "xn--bcher-kva.example",
		"a-1.b.co.uk":                   "a-1.b.co.uk",
		long + ".example":               long + ".example",
		long + "a.example":              "",
		strings.Repeat("a.", 127) + "a": "",
		"":                              "",
		"example":                       "",
		"acme.example..":                "",
		".acme.example":                 "",
		"acme..example":                 "",
		"*.acme.example":                "",
		"acme.example,evil.example":     "",
		"acme.example evil":             "",
		"-acme.example":                 "",
		"acme-.example":                 "",
		"acme_.example":                 "",
		"192.0.2.7":                     "",
		"b\u00fccher.example":           "", // its punycode is not ours to make
		"\u212Aelvin.example":           "", // a Kelvin sign is a k in lower case
		"acme\u3002example":             "",
	} {
		got := decodedDomain(t, `,"name":"`+name+`"`)
		if got.Name != want || (want == "") != (len(got.Dropped) == 1) {
			t.Errorf("%q: got %q, dropped %v, want %q", name, got.Name, got.Dropped, want)
		}
	}
	if got := decodedDomain(t, `,"name":["acme.example"]`); got.Name != "" || len(got.Dropped) != 1 {
		t.Errorf("got %+v", got)
	}
}

// Only Clerk's own field of ownership speaks of it: what a mailbox proves is that somebody reads mail there.
func TestAVerifiedMailboxIsNoOwnership(t *testing.T) {
	const verified = `{"status":"verified","strategy":"affiliation_email_code","attempts":1,"expire_at":null,"verified_at":null}`
	mailbox := DomainVerification{Status: "verified", Strategy: "affiliation_email_code"}
	for name, tc := range map[string]struct {
		fields                 string
		ownership, affiliation DomainVerification
		dropped                []string
	}{
		"nobody has tried": {fields: `,"ownership_verification":null,"affiliation_verification":null,"verification":null`},
		"an older event":   {fields: `,"verification":` + verified, affiliation: mailbox},
		"a mailbox":        {fields: `,"affiliation_verification":` + verified + `,"ownership_verification":null`, affiliation: mailbox},
		"a record in DNS": {
			fields:    `,"ownership_verification":{"status":"verified","strategy":"txt","attempts":2,"expire_at":1,"verified_at":1773480360123}`,
			ownership: DomainVerification{Status: "verified", Strategy: "txt", VerifiedAt: time.UnixMilli(1773480360123).UTC()},
		},
		"lost":               {fields: `,"ownership_verification":{"status":"expired","strategy":"txt"}`, ownership: DomainVerification{"expired", "txt", time.Time{}}},
		"a strategy to come": {fields: `,"ownership_verification":{"status":"verified","strategy":"X 9"}`, ownership: DomainVerification{Status: "verified"}},
		"no status":          {fields: `,"ownership_verification":{"strategy":"txt"}`},
		"true":               {fields: `,"ownership_verification":true`, dropped: []string{"ownership"}},
		"a list":             {fields: `,"ownership_verification":{"status":["verified"]}`, dropped: []string{"ownership"}},
		"another case":       {fields: `,"ownership_verification":{"status":"Verified"}`, dropped: []string{"ownership"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decodedDomain(t, `,"name":"acme.example"`+tc.fields)
			want := OrganizationDomain{
				ID: "orgdmn_1", OrganizationID: "org_1", Name: "acme.example", Ownership: tc.ownership, Affiliation: tc.affiliation,
				UpdatedAt: time.UnixMilli(1773480360123).UTC(), Dropped: tc.dropped,
			}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestADomainNeedsItsIDsAndItsTime(t *testing.T) {
	for _, data := range []string{
		`{"organization_id":"org_1","updated_at":1773480360123}`,
		`{"id":"orgdmn_1","updated_at":1773480360123}`,
		`{"id":"orgdmn_1","organization_id":"org 1","updated_at":1773480360123}`,
		`{"id":"orgdmn_1","organization_id":"org_1"}`,
	} {
		if _, err := DecodeOrganizationDomain(json.RawMessage(data)); err == nil {
			t.Errorf("%s is accepted", data)
		}
	}
}
