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

package examples_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/examples"
)

var now = time.Date(2027, time.January, 2, 3, 4, 5, 0, time.UTC)

// Each event is understood, happens now, names no environment, and speaks of the subject.
func TestEveryEventSpeaksOfTheSubjectAndHappensNow(t *testing.T) {
	subject := examples.Subject{
		Organization: "org_lunar", User: "user_lea", Membership: "orgmem_1", Role: "org:mate", Permissions: []string{"org:a:b"},
	}
	ids := map[string]string{
		"organization": "org_lunar", "organizationMembership": "orgmem_1", "user": "user_lea", "role": examples.ID("role", "org:mate"),
		"permission": examples.ID("perm", "org:a:b"),
	}
	for _, eventType := range examples.Types() {
		event, err := examples.Make(eventType, &subject, now)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := clerk.Decode(event.Body)
		if err != nil {
			t.Fatalf("%s: %v", eventType, err)
		}
		if decoded.Type != eventType || event.Type != eventType || !decoded.Time.Equal(now) || decoded.InstanceID != "" {
			t.Errorf("%s: decoded %+v", eventType, decoded)
		}
		if strings.Contains(string(event.Body), "org_3eNRyN996pJD30rNGNe0za3qYdq") {
			t.Errorf("%s speaks of the example's organization: %s", eventType, event.Body)
		}
		entity, _, _ := strings.Cut(eventType, ".")
		if want := ids[entity]; want != "" && decoded.Data.EntityID() != want {
			t.Errorf("%s is about %s, want %s", eventType, decoded.Data.EntityID(), want)
		}
	}
}

func TestAMembershipTellsOfItsOrganizationAsOfAnHourAgo(t *testing.T) {
	subject := examples.Subject{Organization: "Lunar_1", User: "lea", Role: "org:mate", Banned: true, Permissions: []string{"org:a:b"}}
	event, err := examples.Make(clerk.TypeMembershipUpdated, &subject, now)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := clerk.Decode(event.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := decoded.Data.(*clerk.Membership)
	if !got.UpdatedAt.Equal(now) || !got.Organization.UpdatedAt.Equal(now.Add(-time.Hour)) || got.Organization.Slug != "lunar-1" ||
		got.Organization.ID != examples.ID("org", "Lunar_1") || got.ID != examples.ID("orgmem", "lea in Lunar_1") {
		t.Errorf("got %+v", got)
	}
	if got.Role != "org:mate" || len(got.Permissions) != 1 || !got.User.Banned || got.User.Identifier != "lea@example.com" ||
		got.User.ID != examples.ID("user", "lea") {
		t.Errorf("got %+v", got)
	}
}

func TestAUserHasAVerifiedAddress(t *testing.T) {
	event, err := examples.Make(clerk.TypeUserCreated, &examples.Subject{User: "lea", Email: "lea@lunar.example"}, now)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := clerk.Decode(event.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := clerk.EmailAddress{Address: "lea@lunar.example", Verified: true}
	if got := decoded.Data.(*clerk.User); got.PrimaryEmail != want || got.Banned {
		t.Errorf("got %+v", got)
	}
}

func TestThereIsNoOtherType(t *testing.T) {
	for _, name := range []string{"moon.risen", "../examples", ""} {
		if _, err := examples.Make(name, &examples.Subject{}, now); err == nil {
			t.Errorf("%q is taken for a type", name)
		}
	}
}
