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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// canary stands in the testdata wherever Clerk puts what must never be stored or logged.
const canary = "canary-must-never-surface"

func readEvent(tb testing.TB, eventType string) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("..", "examples", "events", eventType+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func TestEveryKnownTypeHasAnExampleThatDecodes(t *testing.T) {
	mirrored := map[string]Data{
		TypeOrganizationCreated: &Organization{},
		TypeOrganizationUpdated: &Organization{},
		TypeOrganizationDeleted: &OrganizationDeleted{},
		TypeMembershipCreated:   &Membership{},
		TypeMembershipUpdated:   &Membership{},
		TypeMembershipDeleted:   &MembershipDeleted{},
		TypeUserCreated:         &User{},
		TypeUserUpdated:         &User{},
		TypeUserDeleted:         &UserDeleted{},
		TypeRoleCreated:         &Role{},
		TypeRoleUpdated:         &Role{},
		TypeRoleDeleted:         &RoleDeleted{},
		TypePermissionCreated:   &Permission{},
		TypePermissionUpdated:   &Permission{},
		TypePermissionDeleted:   &PermissionDeleted{},
		TypeDomainCreated:       &OrganizationDomain{},
		TypeDomainUpdated:       &OrganizationDomain{},
		TypeDomainDeleted:       &OrganizationDomainDeleted{},

		TypeSubscriptionActive:              &Subscription{},
		TypeSubscriptionCreated:             &Subscription{},
		TypeSubscriptionPastDue:             &Subscription{},
		TypeSubscriptionUpdated:             &Subscription{},
		TypeSubscriptionItemAbandoned:       &SubscriptionItemEnded{},
		TypeSubscriptionItemActive:          &SubscriptionItem{},
		TypeSubscriptionItemCanceled:        &SubscriptionItem{},
		TypeSubscriptionItemEnded:           &SubscriptionItemEnded{},
		TypeSubscriptionItemFreeTrialEnding: &SubscriptionItem{},
		TypeSubscriptionItemIncomplete:      &SubscriptionItem{},
		TypeSubscriptionItemPastDue:         &SubscriptionItem{},
		TypeSubscriptionItemUpcoming:        &SubscriptionItem{},
		TypeSubscriptionItemUpdated:         &SubscriptionItem{},
	}
	for _, eventType := range Types() {
		t.Run(eventType, func(t *testing.T) {
			event, err := Decode(readEvent(t, eventType))
			if err != nil {
				t.Fatal(err)
			}
			if event.Type != eventType {
				t.Errorf("type = %q, want %q", event.Type, eventType)
			}
			if event.Time.Year() != 2026 {
				t.Errorf("time = %v, want one in 2026: seconds and milliseconds must both be read", event.Time)
			}
			if got, want := fmt.Sprintf("%T", event.Data), fmt.Sprintf("%T", mirrored[eventType]); got != want {
				t.Errorf("data is a %s, want %s", got, want)
			}
			if printed := fmt.Sprintf("%+v %+v", event, event.Data); strings.Contains(printed, canary) {
				t.Error("what must never be stored is in the decoded event")
			}
		})
	}
}

func TestExamplesAndTypesAreTheSameSet(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "examples", "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	examples := make([]string, 0, len(files))
	for _, file := range files {
		examples = append(examples, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	if diff := cmp.Diff(Types(), examples); diff != "" {
		t.Errorf("known types and examples differ (-types +examples):\n%s", diff)
	}
	if len(examples) != 53 {
		t.Errorf("%d known types, want the schema's 45 and 3 invitation.*", len(examples))
	}
}

func TestDecodeMembership(t *testing.T) {
	event, err := Decode(readEvent(t, TypeMembershipUpdated))
	if err != nil {
		t.Fatal(err)
	}
	metadata := json.RawMessage(`{"crew":{"shifts":["day","night"],"size":14},"harbour":"NO-TOS"}`)
	created := time.UnixMilli(1773480360123).UTC()
	updated := time.UnixMilli(1773480660123).UTC()
	want := &Event{
		Type:       TypeMembershipUpdated,
		InstanceID: "ins_3i3FSJb2w7vQZXdtbBtS4v8U3SI",
		Time:       time.UnixMilli(1773480660164).UTC(),
		Data: &Membership{
			ID:             "orgmem_3YEj8mQ9Ge9RYZ2JNM2ZzwGVkXl",
			Role:           "org:admin",
			Permissions:    []string{"org:cargo:read", "org:cargo:scrap", "org:cargo:write", "org:sys_memberships:manage"},
			PublicMetadata: metadata,
			Organization: Organization{
				ID:                    "org_3eNRyN996pJD30rNGNe0za3qYdq",
				Name:                  "Nordlicht Cargo",
				Slug:                  "nordlicht-cargo",
				ImageURL:              "https://images.example/o/7Qe2.png",
				PublicMetadata:        metadata,
				MaxAllowedMemberships: 5,
				CreatedAt:             created,
				UpdatedAt:             updated,
			},
			User: PublicUser{
				ID:         "user_3HMkjXX428dzh2vLtHUaNce8zNb",
				Identifier: "ines.okafor@nordlicht-cargo.example",
				Username:   "ines_okafor",
				FirstName:  "Ines",
				LastName:   "Okafor",
			},
			CreatedAt: created,
			UpdatedAt: updated,
		},
	}
	if diff := cmp.Diff(want, event); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := event.Data.EntityID(); got != "orgmem_3YEj8mQ9Ge9RYZ2JNM2ZzwGVkXl" {
		t.Errorf("EntityID() = %q", got)
	}
}

// Bodies for the tables: the smallest that decode, to be changed one field at a time.
const (
	smallOrganization = `{"id":"org_1","name":"n","updated_at":1773480660123}`
	smallUser         = `{"user_id":"user_1"}`
)

func organizationEvent(data string) string {
	return fmt.Sprintf(`{"type":"organization.updated","timestamp":1773480660123,"data":%s}`, data)
}

func membershipEvent(eventType, data string) string {
	return fmt.Sprintf(`{"type":"organizationMembership.%s","timestamp":1773480660123,"data":%s}`, eventType, data)
}

func smallMembership(change string) string {
	fields := map[string]json.RawMessage{}
	base := `{"id":"orgmem_1","role":"org:admin","updated_at":1773480660123,"organization":` + smallOrganization +
		`,"public_user_data":` + smallUser + `}`
	for _, part := range []string{base, change} {
		if err := json.Unmarshal([]byte(part), &fields); err != nil {
			panic(err)
		}
	}
	out, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func TestDecodeAccepts(t *testing.T) {
	long := strings.Repeat("a", maxTextLength-1)
	cases := map[string]struct {
		reason string
		body   string
		want   Data
		time   time.Time
	}{
		"slug null": {
			reason: "the default of applications made after 2025-10-07",
			body:   organizationEvent(`{"id":"org_1","name":"n","slug":null,"image_url":null,"public_metadata":null,"updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "n"},
		},
		"slug empty": {
			reason: "the other way to say that slugs are switched off",
			body:   organizationEvent(`{"id":"org_1","name":"n","slug":"","public_metadata":{},"created_at":null,"updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "n"},
		},
		"long name": {
			reason: "display text is cut at a rune, not refused: a name must not keep anyone from access",
			body:   organizationEvent(`{"id":"org_1","name":"` + long + `éé","updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: long},
		},
		"control characters": {
			reason: "NUL, escape and byte order marks break YAML and terminals",
			body:   organizationEvent(`{"id":"org_1","name":"a\u0000b\u001b[31m\ufeffc\nd","updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "ab[31mcd"},
		},
		"invalid UTF-8": {
			reason: "it is replaced, as JSON decoders do",
			body:   organizationEvent("{\"id\":\"org_1\",\"name\":\"a\xffb\",\"updated_at\":1773480660123}"),
			want:   &Organization{ID: "org_1", Name: "a\uFFFDb"},
		},
		"long image URL": {
			reason: "half a URL leads elsewhere, so a too long one is left out",
			body: organizationEvent(`{"id":"org_1","name":"n","image_url":"https://i.example/` + strings.Repeat("a", maxURLLength) +
				`","updated_at":1773480660123}`),
			want: &Organization{ID: "org_1", Name: "n", Dropped: []string{"imageURL"}},
		},
		"metadata in another spelling": {
			reason: "spaces, order, duplicates and 1.0 for 1 are no differences; characters YAML does not allow are dropped",
			body:   organizationEvent(`{"id":"org_1","name":"n","public_metadata":{ "b":1.0, "a":"<\ufeff>", "b":2e0 },"updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "n", PublicMetadata: json.RawMessage(`{"a":"<>","b":2}`)},
		},
		"metadata that is no object": {
			reason: "any JSON value is allowed",
			body:   organizationEvent(`{"id":"org_1","name":"n","public_metadata":[1,"x",null,true,1.5],"updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "n", PublicMetadata: json.RawMessage(`[1,"x",null,true,1.5]`)},
		},
		"unknown fields": {
			reason: "Clerk adds fields several times a year",
			body:   organizationEvent(`{"id":"org_1","name":"n","brand_new":{"a":[1]},"updated_at":1773480660123}`),
			want:   &Organization{ID: "org_1", Name: "n"},
		},
		"deleted organization": {
			reason: "the id alone says it",
			body:   `{"type":"organization.deleted","timestamp":1773480660123,"data":{"id":"org_1","deleted":true}}`,
			want:   &OrganizationDeleted{ID: "org_1"},
		},
		"identifier null": {
			reason: "a user may have none",
			body: membershipEvent("created", smallMembership(`{"permissions":null,"public_user_data":
				{"user_id":"user_1","identifier":null,"banned":true,"deprovisioned":null}}`)),
			want: &Membership{ID: "orgmem_1", Role: "org:admin", User: PublicUser{ID: "user_1", Banned: true}},
		},
		"old role": {
			reason: "old instances send admin and basic_member; permissions come in any order, twice too",
			body:   membershipEvent("created", smallMembership(`{"role":"basic_member","permissions":["org:b:read","org:a:read","org:b:read"]}`)),
			want:   &Membership{ID: "orgmem_1", Role: "basic_member", Permissions: []string{"org:a:read", "org:b:read"}, User: PublicUser{ID: "user_1"}},
		},
		"deleted membership with nothing but its id": {
			reason: "a deletion must take access away, whatever is missing",
			body:   membershipEvent("deleted", `{"id":"orgmem_1"}`),
			want:   &MembershipDeleted{ID: "orgmem_1"},
		},
		"deleted membership with odd details": {
			reason: "ids of no use are as good as missing",
			body: membershipEvent("deleted", `{"id":"orgmem_1","organization":["x"],"public_user_data":{"user_id":"a/b"},
				"updated_at":"x","role":7}`),
			want: &MembershipDeleted{ID: "orgmem_1"},
		},
		"deleted membership whole": {
			reason: "updated_at is from before the deletion and is not kept",
			body:   membershipEvent("deleted", smallMembership(`{}`)),
			want:   &MembershipDeleted{ID: "orgmem_1", OrganizationID: "org_1", UserID: "user_1"},
		},
		"seconds": {
			reason: "the schema's examples and older payloads",
			body:   `{"type":"organization.deleted","timestamp":1773480660,"data":{"id":"org_1"}}`,
			want:   &OrganizationDeleted{ID: "org_1"},
			time:   time.Unix(1773480660, 0).UTC(),
		},
		"no timestamp": {
			reason: "then the event has no time of its own",
			body:   `{"type":"organization.deleted","data":{"id":"org_1"}}`,
			want:   &OrganizationDeleted{ID: "org_1"},
			time:   time.Time{},
		},
		"no timestamp, but a change": {
			reason: "an event without a time of its own is as old as the change that it tells",
			body:   `{"type":"organization.updated","data":{"id":"org_1","updated_at":1773480660123}}`,
			want:   &Organization{ID: "org_1", UpdatedAt: time.UnixMilli(1773480660123).UTC()},
			time:   time.UnixMilli(1773480660123).UTC(),
		},
		"unknown type": {
			reason: "types nobody knows are acknowledged, whatever they hold",
			body:   `{"type":"organizationRocket.launched","timestamp":"soon","data":["anything"]}`,
			want:   nil,
		},
		"type of no interest without data": {
			reason: "only what is mirrored is looked at",
			body:   `{"type":"session.created","timestamp":-5}`,
			want:   nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			event, err := Decode([]byte(tc.body))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			wantUpdatedAt(tc.want)
			if diff := cmp.Diff(tc.want, event.Data); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if (name == "seconds" || name == "no timestamp") && !event.Time.Equal(tc.time) {
				t.Errorf("%s: time = %v, want %v", tc.reason, event.Time, tc.time)
			}
		})
	}
}

// wantUpdatedAt fills in what is the same in every row.
func wantUpdatedAt(data Data) {
	updated := time.UnixMilli(1773480660123).UTC()
	switch data := data.(type) {
	case *Organization:
		data.UpdatedAt = updated
	case *Membership:
		data.UpdatedAt = updated
		data.Organization = Organization{ID: "org_1", Name: "n", UpdatedAt: updated}
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		body   string
		names  string
	}{
		"empty":              {"nothing is no event", "", "body"},
		"not JSON":           {"the body is signed, but not by Clerk's code", "hello", "body"},
		"trailing garbage":   {"two values are one too many", `{"type":"user.created"} {"type":"user.deleted"}`, "body"},
		"not an object":      {"an event is an object", `["secretvalue"]`, "body"},
		"no type":            {"nothing can be done with it", `{"data":{}}`, "type"},
		"type not a string":  {"", `{"type":{"secretvalue":1}}`, "type"},
		"type with spaces":   {"it is logged and must be one word", `{"type":"secretvalue secretvalue"}`, "type"},
		"long type":          {"it is logged and must be bounded", `{"type":"` + strings.Repeat("a", maxTypeLength+1) + `"}`, "type"},
		"instance id":        {"it decides whose event it is", `{"type":"user.created","instance_id":"secretvalue/.."}`, "instance_id"},
		"timestamp a string": {"", `{"type":"organization.deleted","timestamp":"secretvalue","data":{"id":"org_1"}}`, "timestamp"},
		"timestamp too far": {
			"year 5138 in milliseconds", `{"type":"organization.deleted","timestamp":99999999999000,"data":{"id":"org_1"}}`, "timestamp",
		},
		"timestamp negative": {"", `{"type":"organization.deleted","timestamp":-9223372036854775808,"data":{"id":"org_1"}}`, "timestamp"},
		"no data":            {"a mirrored type must say whom it is about", `{"type":"organization.deleted"}`, "data"},
		"data null":          {"", `{"type":"organization.deleted","data":null}`, "data"},
		"data a list":        {"", `{"type":"organization.deleted","data":["secretvalue"]}`, "data"},

		"organization without id": {"", organizationEvent(`{"updated_at":1773480660123}`), "data.id"},
		"organization id with dots": {
			"ids become names of objects", organizationEvent(`{"id":"../secretvalue","updated_at":1773480660123}`), "data.id",
		},
		"organization id too long": {
			"", organizationEvent(`{"id":"` + strings.Repeat("a", maxIDLength+1) + `","updated_at":1773480660123}`), "data.id",
		},
		"organization id ends with _":     {"no value of a label may", organizationEvent(`{"id":"org_","updated_at":1773480660123}`), "data.id"},
		"organization without updated_at": {"it orders everything", organizationEvent(`{"id":"org_1"}`), "data.updated_at"},
		"updated_at null":                 {"", organizationEvent(`{"id":"org_1","updated_at":null}`), "data.updated_at"},
		"updated_at in seconds": {
			"data's times are milliseconds: this would be 1970", organizationEvent(`{"id":"org_1","updated_at":1773480660}`), "data.updated_at",
		},
		"updated_at far away": {
			"it would shut out every later change", organizationEvent(`{"id":"org_1","updated_at":9223372036854775807}`), "data.updated_at",
		},
		"updated_at beyond int64": {"", organizationEvent(`{"id":"org_1","updated_at":92233720368547758070}`), "data.updated_at"},

		"membership without id":   {"", membershipEvent("created", smallMembership(`{"id":null}`)), "data.id"},
		"membership without role": {"nobody may be granted a guess", membershipEvent("created", smallMembership(`{"role":""}`)), "data.role"},
		"role with a space":       {"", membershipEvent("created", smallMembership(`{"role":"org:secretvalue x"}`)), "data.role"},
		"role too long": {
			"", membershipEvent("updated", smallMembership(`{"role":"`+strings.Repeat("r", maxKeyLength+1)+`"}`)), "data.role",
		},
		"odd permission": {
			"", membershipEvent("updated", smallMembership(`{"permissions":["org:a:b","secretvalue\u0000"]}`)), "data.permissions[1]",
		},
		"permissions not strings": {"", membershipEvent("updated", smallMembership(`{"permissions":[424242]}`)), "data.permissions"},
		"too many permissions": {
			"", membershipEvent("updated", smallMembership(`{"permissions":["a"`+strings.Repeat(`,"a"`, maxPermissions)+`]}`)),
			"data.permissions",
		},
		"no organization": {"", membershipEvent("updated", smallMembership(`{"organization":null}`)), "data.organization.id"},
		"organization has no time": {
			"it may have to be created from this", membershipEvent("updated", smallMembership(`{"organization":{"id":"org_1"}}`)),
			"data.organization.updated_at",
		},
		"no updated_at":      {"", membershipEvent("updated", smallMembership(`{"updated_at":0}`)), "data.updated_at"},
		"deleted without id": {"", membershipEvent("deleted", `{"organization":{"id":"org_1"}}`), "data.id"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			event, err := Decode([]byte(tc.body))
			if err == nil {
				t.Fatalf("%s: decoded to %+v, want an error", tc.reason, event)
			}
			if field, _, _ := strings.Cut(err.Error(), ": "); field != tc.names {
				t.Errorf("%s: error %q names %q, want %q", tc.reason, err, field, tc.names)
			}
			for _, value := range []string{"secretvalue", "424242"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("error %q quotes a value", err)
				}
			}
		})
	}
}

func TestTypeLabelIsBounded(t *testing.T) {
	for _, eventType := range Types() {
		if got := TypeLabel(eventType); got != eventType {
			t.Errorf("TypeLabel(%q) = %q", eventType, got)
		}
	}
	for _, eventType := range []string{"", "other", "organization", "organization.renamed", "Organization.created"} {
		if got := TypeLabel(eventType); got != OtherType {
			t.Errorf("TypeLabel(%q) = %q, want %q: nobody knows it", eventType, got, OtherType)
		}
	}
	if !slices.IsSorted(Types()) {
		t.Error("Types() is not sorted")
	}
}

// Decoding arbitrary bytes never panics, and whatever is decoded keeps the promises that later stages rely on.
func FuzzDecode(f *testing.F) {
	for _, eventType := range Types() {
		f.Add(readEvent(f, eventType))
	}
	f.Add([]byte(organizationEvent(`{"id":"org_1","name":"a\u0000\ud800","public_metadata":{"a":1e308,"\ufeff":-0.0},
		"updated_at":1773480660123}`)))
	f.Add([]byte(membershipEvent("deleted", `{"id":"orgmem_1","organization":7}`)))
	for _, odd := range oddities() {
		f.Add([]byte(odd.body))
	}
	for name := range userCases() {
		f.Add([]byte(userCases()[name].body))
	}
	for name := range roleCases() {
		f.Add([]byte(roleCases()[name].body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := Decode(body)
		if err != nil {
			return
		}
		checkPromises(t, event)
	})
}

func checkPromises(t *testing.T, event *Event) {
	t.Helper()
	if event.Data == nil {
		return
	}
	if err := CheckID("id", event.Data.EntityID()); err != nil {
		t.Error(err)
	}
	switch data := event.Data.(type) {
	case *Organization:
		checkOrganization(t, *data)
	case *User:
		checkUser(t, data)
	case *Role:
		checkRole(t, data)
	case *Permission:
		if data.Key == "" || data.UpdatedAt.IsZero() {
			t.Errorf("permission %+v lacks its key or its time", data)
		}
	case *SubscriptionItem:
		checkSubscriptionItem(t, data)
	case *OrganizationDomain:
		checkDomain(t, data)
	case *Subscription:
		for _, item := range data.Items {
			checkPromises(t, &Event{Data: item})
		}
	case *Membership:
		checkOrganization(t, data.Organization)
		if data.Role == "" || data.UpdatedAt.IsZero() {
			t.Errorf("membership %+v lacks what grants are made of", data)
		}
		checkPublicUser(t, data)
	}
}

// checkPublicUser: without an id nothing is told of the user, and it is noted.
func checkPublicUser(t *testing.T, membership *Membership) {
	t.Helper()
	user := membership.User
	if user.ID == "" && (user != (PublicUser{}) || !slices.Contains(membership.Dropped, FieldUser)) {
		t.Errorf("membership %+v tells of nobody", membership)
	}
	if user.ID != "" && CheckID("user", user.ID) != nil || !isIdentifier(user.Identifier) || !isIdentifier(user.Username) {
		t.Errorf("membership %+v names its user by what may not be a name", membership)
	}
}

func checkOrganization(t *testing.T, organization Organization) {
	t.Helper()
	if CheckID("id", organization.ID) != nil || organization.UpdatedAt.IsZero() {
		t.Errorf("organization %+v lacks its id or its time", organization)
	}
	if len(organization.Name) > maxTextLength || strings.ContainsFunc(organization.Name, isUnprintable) {
		t.Errorf("name %q is not display text", organization.Name)
	}
	if organization.PublicMetadata == nil {
		return
	}
	again, err := publicMetadata(organization.PublicMetadata)
	if err != nil {
		t.Fatalf("metadata does not decode again: %v", err)
	}
	if third, err := publicMetadata(again); err != nil || string(third) != string(again) {
		t.Errorf("metadata %s is not canonical: %s, %v", again, third, err)
	}
}

func BenchmarkDecode(b *testing.B) {
	types := []string{
		TypeOrganizationUpdated, TypeMembershipUpdated, TypeMembershipDeleted, TypeUserUpdated, TypeRoleUpdated, "session.created", "email.created",
	}
	for _, eventType := range types {
		body := readEvent(b, eventType)
		b.Run(eventType, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
