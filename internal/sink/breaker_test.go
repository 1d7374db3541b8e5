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

package sink

import (
	"testing"
	"time"
)

func TestABreakerSparesATargetThatTakesNothing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := &breaker{now: func() time.Time { return now }}
	fail := func() {
		t.Helper()
		if !b.enter() {
			t.Fatal("kept out too early")
		}
		b.done(failing)
	}
	for range breakerThreshold {
		fail()
	}
	if b.closed() || b.enter() {
		t.Fatal("a delivery passes although the last ones failed")
	}
	now = now.Add(breakerFirst)
	if !b.enter() {
		t.Fatal("nobody tries whether the target is well again")
	}
	if b.enter() {
		t.Fatal("more than one tries it at a time")
	}
	b.done(failing)
	now = now.Add(breakerFirst)
	if b.enter() {
		t.Fatal("the pause does not grow")
	}
	now = now.Add(breakerFirst)
	if !b.enter() {
		t.Fatal("the pause grows by more than double")
	}
	b.done(well)
	for range breakerThreshold - 1 {
		fail()
	}
	if !b.closed() {
		t.Fatal("what failed before a success still counts")
	}
}

func TestABreakerLetsTheNextOneTryWhereTheLastToldNothing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := &breaker{now: func() time.Time { return now }}
	for range breakerThreshold {
		b.enter()
		b.done(failing)
	}
	now = now.Add(breakerLast)
	b.enter()
	b.done(untold)
	if !b.enter() {
		t.Fatal("an attempt that told nothing keeps everybody out for good")
	}
}

func TestTimesAndOrganizationsAreReadFromWhereTheyStand(t *testing.T) {
	for body, want := range map[string]Event{
		`{"type":"user.created","timestamp":1716883200,"data":{"id":"user_1","updated_at":1716883200123}}`: {
			Time: time.UnixMilli(1716883200000), Subject: "user_1", UpdatedAt: time.UnixMilli(1716883200123)},
		`{"type":"organization.created","timestamp":-5,"data":{"id":"org_1"}}`:                             {Subject: "org_1", Organization: "org_1"},
		`{"type":"organizationMembership.created","data":{"id":"orgmem_1","organization":{"id":"org_2"}}}`: {Subject: "orgmem_1", Organization: "org_2"},
		`{"type":"organizationDomain.created","data":{"id":"orgdmn_1","organization_id":"org_3"}}`:         {Subject: "orgdmn_1", Organization: "org_3"},
		`{"type":"subscription.created","data":{"id":"csub_1","payer":{"organization_id":"org_4"}}}`:       {Subject: "csub_1", Organization: "org_4"},
		`{"type":"session.created","data":{"id":"not an id","last_active_organization_id":"org_5"}}`:       {Organization: "org_5"},
		`{"type":"wormhole.opened","data":null}`:                                                           {},
	} {
		got, err := Decode([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if !got.Time.Equal(want.Time) || got.Subject != want.Subject || got.Organization != want.Organization || !got.UpdatedAt.Equal(want.UpdatedAt) {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}
