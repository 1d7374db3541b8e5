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
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oddity is an event of which something cannot be kept.
type oddity struct {
	body string

	// dropped is what is left out of what the event is about, and organization, of the organization in it.
	dropped, organization []string
}

// nested is JSON with so many objects and lists within each other.
func nested(depth int) string {
	return strings.Repeat(`{"a":[`, depth/2) + "1" + strings.Repeat("]}", depth/2)
}

// oddities are what somebody who may write metadata, or a change at Clerk's, could send.
func oddities() map[string]oddity {
	membership := func(change string) string { return membershipEvent("updated", smallMembership(change)) }
	organization := func(fields string) string {
		return membership(`{"organization":{"id":"org_1","updated_at":1773480660123,` + fields + `}}`)
	}
	user := func(fields string) string {
		return membership(`{"public_user_data":{"user_id":"user_1",` + fields + `}}`)
	}
	long := strings.Repeat("i", maxIdentifierLength+1)
	return map[string]oddity{
		"the organization's metadata, too deep": {
			organization(`"public_metadata":` + nested(maxMetadataDepth+2)), nil, []string{"publicMetadata"},
		},
		"the organization's metadata, deeper than encoding/json goes": {
			strings.Replace(organization(`"public_metadata":"deep"`), `"deep"`, nested(40_000), 1), nil, []string{"publicMetadata"},
		},
		"the organization's metadata, a number out of range": {
			organization(`"public_metadata":{"a":[1e999]}`), nil, []string{"publicMetadata"},
		},
		"the organization's metadata, too long": {
			organization(`"public_metadata":"` + strings.Repeat("a", maxMetadataLength) + `"`), nil, []string{"publicMetadata"},
		},
		"the organization's other fields": {
			organization(`"name":5,"slug":[],"image_url":{},"max_allowed_memberships":"x","created_at":"now"`), nil,
			[]string{"createdAt", "imageURL", "maxAllowedMemberships", "name", "slug"},
		},
		"a negative limit, and a creation in 1970": {
			organization(`"max_allowed_memberships":-1,"created_at":1`), nil, []string{"createdAt", "maxAllowedMemberships"},
		},
		"a limit out of range": {organization(`"max_allowed_memberships":1e400`), nil, []string{"maxAllowedMemberships"}},
		"the membership's metadata, too deep": {
			membership(`{"public_metadata":` + nested(maxMetadataDepth+2) + `}`), []string{"publicMetadata"}, nil,
		},
		"the membership's metadata, a number out of range": {
			membership(`{"public_metadata":[-1e999]}`), []string{"publicMetadata"}, nil,
		},
		"the membership's creation": {membership(`{"created_at":true}`), []string{"createdAt"}, nil},
		"no user":                   {membership(`{"public_user_data":null}`), []string{"user"}, nil},
		"a user without an id":      {membership(`{"public_user_data":{"identifier":"ines"}}`), []string{"user"}, nil},
		"a user who is a list":      {membership(`{"public_user_data":["user_1"]}`), []string{"user"}, nil},
		"a user with an odd id":     {membership(`{"public_user_data":{"user_id":"system:masters"}}`), []string{"user"}, nil},
		"names that would have to be changed": {
			user(`"identifier":"` + long + `","username":"in\u0000es"`), []string{"user.identifier", "user.username"}, nil,
		},
		"names that are none": {
			user(`"identifier":1,"username":{},"first_name":[],"last_name":false`),
			[]string{"user.firstName", "user.identifier", "user.lastName", "user.username"}, nil,
		},
		"a ban that cannot be read": {
			user(`"banned":"yes","deprovisioned":1`), []string{"user.banned", "user.deprovisioned"}, nil,
		},
	}
}

// The role is what matters: nobody who may write metadata may keep their own from changing.
func TestNothingOddKeepsARoleFromChanging(t *testing.T) {
	for name, tc := range oddities() {
		t.Run(name, func(t *testing.T) {
			event, err := Decode([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			membership := event.Data.(*Membership)
			if membership.ID != "orgmem_1" || membership.Role != "org:admin" || membership.Organization.ID != "org_1" {
				t.Errorf("got %+v", membership)
			}
			if diff := cmp.Diff(tc.dropped, membership.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.organization, membership.Organization.Dropped); diff != "" {
				t.Errorf("dropped of the organization (-want +got):\n%s", diff)
			}
			if membership.Organization.PublicMetadata != nil || membership.PublicMetadata != nil {
				t.Errorf("odd metadata is kept: %+v", membership)
			}
			checkPromises(t, event)
		})
	}
}

func TestABanThatCannotBeReadKeepsOut(t *testing.T) {
	event, err := Decode([]byte(membershipEvent("updated", smallMembership(`{"public_user_data":{"user_id":"user_1","banned":"yes"}}`))))
	if err != nil || !event.Data.(*Membership).User.Banned {
		t.Errorf("got %+v, %v", event, err)
	}
	event, err = Decode([]byte(userEvent(`"deprovisioned":{},"locked":7,"email_addresses":"a@x","created_at":1,"external_id":[]`)))
	if err != nil || !event.Data.(*User).Deprovisioned {
		t.Fatalf("got %+v, %v", event, err)
	}
	want := []string{"createdAt", "deprovisioned", "externalID", "locked", "primaryEmail"}
	if diff := cmp.Diff(want, event.Data.(*User).Dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
}

func TestOddWordsOfARoleAndAPermissionAreLeftOut(t *testing.T) {
	for eventType, fields := range map[string]string{
		TypeRoleUpdated:       `"id":"role_1","key":"org:mate","name":1,"description":{},"created_at":"x"`,
		TypePermissionUpdated: `"id":"perm_1","key":"org:a:b","name":[],"description":true,"created_at":-1`,
	} {
		if event, err := Decode([]byte(eventOf(eventType, fields))); err != nil || event.Data == nil {
			t.Errorf("%s: got %+v, %v", eventType, event, err)
		}
	}
}

func TestTheDeepestMetadataIsKept(t *testing.T) {
	body := organizationEvent(`{"id":"org_1","updated_at":1773480660123,"public_metadata":` + nested(maxMetadataDepth) + `}`)
	event, err := Decode([]byte(body))
	if err != nil || event.Data.(*Organization).PublicMetadata == nil {
		t.Errorf("got %+v, %v", event, err)
	}
}

// Two MiB is the most that the receiver takes. What goes through it in steps for every level would not end.
func TestWhatIsDeepIsReadToItsEnd(t *testing.T) {
	const size = 2 << 20
	for name, metadata := range map[string]string{
		"deep":              strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"deep and open":     strings.Repeat(`{"a":`, size/5),
		"deep within text":  `"` + strings.Repeat(`[\"`, size/3) + `"`,
		"closed too often":  strings.Repeat("]", size),
		"text without end":  `"` + strings.Repeat("[", size),
		"many shallow ones": "[" + strings.Repeat("[[[]]],", size/7) + "0]",
	} {
		t.Run(name, func(t *testing.T) {
			event, err := Decode(fmt.Appendf(nil,
				`{"type":"organization.updated","data":{"id":"org_1","updated_at":1773480660123,"public_metadata":%s}}`, metadata))
			if err == nil && event.Data.(*Organization).PublicMetadata != nil {
				t.Error("the metadata is kept")
			}
		})
	}
}

func FuzzShallow(f *testing.F) {
	f.Add(`{"a":"\\\"[","b":[[]]}`)
	f.Add(nested(200))
	f.Add(strings.Repeat("[", 100) + `"\"]` + strings.Repeat("]", 100))
	f.Fuzz(func(t *testing.T, body string) {
		cut := shallow([]byte(body))
		if deep := nesting(cut); deep > maxDepth {
			t.Errorf("still %d deep", deep)
		}
		if nesting([]byte(body)) <= maxDepth && string(cut) != body {
			t.Error("what is shallow was changed")
		}
	})
}
