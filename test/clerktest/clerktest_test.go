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

package clerktest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

var updated = time.Date(2026, 3, 14, 9, 26, 0, 123_000_000, time.UTC)

func TestEventsAreUnderstood(t *testing.T) {
	organization := clerktest.Organization{
		ID: clerktest.ID("org", "acme"), Name: "Acme", Slug: "acme", MaxAllowedMemberships: 5, RoleSetKey: "role_set:large",
		PublicMetadata: map[string]any{"plan": "enterprise"}, UpdatedAt: updated,
	}
	membership := clerktest.Membership{
		ID: clerktest.ID("orgmem", "jane"), Role: "org:admin", Permissions: []string{"org:cargo:load"}, Organization: organization,
		User:      clerktest.User{ID: clerktest.ID("user", "jane"), Identifier: "jane@acme.example", FirstName: "Jane", Banned: true},
		UpdatedAt: updated,
	}
	wantOrganization := clerk.Organization{
		ID: organization.ID, Name: "Acme", Slug: "acme", MaxAllowedMemberships: 5,
		RoleSetKey:     "role_set:large",
		PublicMetadata: []byte(`{"plan":"enterprise"}`), CreatedAt: updated, UpdatedAt: updated,
	}
	wantMembership := clerk.Membership{
		ID: membership.ID, Role: "org:admin", Permissions: []string{"org:cargo:load"}, Organization: wantOrganization,
		User:      clerk.PublicUser{ID: membership.User.ID, Identifier: "jane@acme.example", FirstName: "Jane", Banned: true},
		CreatedAt: updated, UpdatedAt: updated,
	}
	user := clerktest.User{
		ID: clerktest.ID("user", "jane"), Email: "jane@acme.example", Username: "jane", FirstName: "Jane", LastName: "Doe", ExternalID: "crm-7",
		Banned: true, Locked: true, Deprovisioned: true, TwoFactor: true, PublicMetadata: map[string]any{"team": "a"}, UpdatedAt: updated,
	}
	wantUser := clerk.User{
		ID: user.ID, PrimaryEmail: clerk.EmailAddress{Address: "jane@acme.example", Verified: true}, Username: "jane", FirstName: "Jane",
		LastName: "Doe", ImageURL: "https://images.example/u/" + user.ID + ".png", ExternalID: "crm-7",
		Banned: true, Locked: true, Deprovisioned: true, PublicMetadata: []byte(`{"team":"a"}`),
		TwoFactorEnabled: new(true), EnterpriseAccount: new(false),
		CreatedAt: updated, UpdatedAt: updated,
	}
	permission := clerktest.Permission{ID: clerktest.ID("perm", "load"), Key: "org:cargo:load", Name: "Load", Description: "D", UpdatedAt: updated}
	role := clerktest.Role{
		ID: clerktest.ID("role", "mate"), Key: "org:mate", Name: "Mate", Description: "D", Permissions: []clerktest.Permission{permission},
		UpdatedAt: updated,
	}
	wantRole := clerk.Role{
		ID: role.ID, Key: "org:mate", Name: "Mate", Description: "D", CreatedAt: updated, UpdatedAt: updated,
		Permissions: []clerk.RolePermission{{ID: permission.ID, Key: "org:cargo:load", UpdatedAt: updated}},
	}
	wantPermission := clerk.Permission{
		ID: permission.ID, Key: "org:cargo:load", Name: "Load", Description: "D", CreatedAt: updated, UpdatedAt: updated,
	}
	item := clerktest.SubscriptionItem{
		ID: clerktest.ID("csub_item", "pro"), OrganizationID: organization.ID, Status: "active", Plan: "pro", Seats: 5,
		PeriodEnd: updated.Add(time.Hour), UpdatedAt: updated,
	}
	wantItem := clerk.SubscriptionItem{
		ID: item.ID, OrganizationID: organization.ID, Status: "active", Plan: "pro", PlanID: clerktest.PlanID("pro"), Seats: new(int64(5)),
		PeriodStart: updated, PeriodEnd: updated.Add(time.Hour), CreatedAt: updated, UpdatedAt: updated,
	}
	endedItem := clerktest.SubscriptionItem{ID: item.ID, OrganizationID: organization.ID, Status: "ended", UpdatedAt: updated}
	subscription := clerktest.SubscriptionEvent("updated", item)
	domain := clerktest.Domain{
		ID: clerktest.ID("orgdmn", "acme"), OrganizationID: organization.ID, Name: "acme.example", Ownership: "verified", Affiliation: "unverified",
		UpdatedAt: updated,
	}
	wantDomain := clerk.OrganizationDomain{
		ID: domain.ID, OrganizationID: organization.ID, Name: "acme.example", EnrollmentMode: "manual_invitation",
		Ownership:   clerk.DomainVerification{Status: "verified", Strategy: "txt", VerifiedAt: updated},
		Affiliation: clerk.DomainVerification{Status: "unverified", Strategy: "affiliation_email_code"},
		CreatedAt:   updated, UpdatedAt: updated,
	}
	deletedAt := updated.Add(time.Hour)
	cases := map[string]struct {
		event clerktest.Event
		want  clerk.Data
	}{
		clerk.TypeOrganizationCreated: {clerktest.OrganizationCreated(organization), &wantOrganization},
		clerk.TypeOrganizationUpdated: {clerktest.OrganizationUpdated(organization), &wantOrganization},
		clerk.TypeOrganizationDeleted: {
			clerktest.OrganizationDeleted(organization, deletedAt), &clerk.OrganizationDeleted{ID: organization.ID},
		},
		clerk.TypeMembershipCreated: {clerktest.MembershipCreated(membership), &wantMembership},
		clerk.TypeMembershipUpdated: {clerktest.MembershipUpdated(membership), &wantMembership},
		clerk.TypeMembershipDeleted: {clerktest.MembershipDeleted(membership, deletedAt), &clerk.MembershipDeleted{
			ID: membership.ID, OrganizationID: organization.ID, UserID: membership.User.ID,
		}},
		clerk.TypeUserCreated:       {clerktest.UserCreated(user), &wantUser},
		clerk.TypeUserUpdated:       {clerktest.UserUpdated(user), &wantUser},
		clerk.TypeUserDeleted:       {clerktest.UserDeleted(user, deletedAt), &clerk.UserDeleted{ID: user.ID}},
		clerk.TypeRoleCreated:       {clerktest.RoleCreated(role), &wantRole},
		clerk.TypeRoleUpdated:       {clerktest.RoleUpdated(role), &wantRole},
		clerk.TypeRoleDeleted:       {clerktest.RoleDeleted(role, deletedAt), &clerk.RoleDeleted{ID: role.ID}},
		clerk.TypePermissionCreated: {clerktest.PermissionCreated(permission), &wantPermission},
		clerk.TypePermissionUpdated: {clerktest.PermissionUpdated(permission), &wantPermission},
		clerk.TypePermissionDeleted: {clerktest.PermissionDeleted(permission, deletedAt), &clerk.PermissionDeleted{ID: permission.ID}},

		clerk.TypeDomainCreated: {clerktest.DomainCreated(domain), &wantDomain},
		clerk.TypeDomainUpdated: {clerktest.DomainUpdated(domain), &wantDomain},
		clerk.TypeDomainDeleted: {clerktest.DomainDeleted(domain, deletedAt), &clerk.OrganizationDomainDeleted{ID: domain.ID}},

		clerk.TypeSubscriptionItemActive: {clerktest.SubscriptionItemEvent("active", item), &wantItem},
		clerk.TypeSubscriptionItemEnded: {
			clerktest.SubscriptionItemEvent("ended", endedItem),
			&clerk.SubscriptionItemEnded{ID: item.ID, OrganizationID: organization.ID, UpdatedAt: updated},
		},
		clerk.TypeSubscriptionUpdated: {
			subscription, &clerk.Subscription{ID: clerktest.ID("csub", organization.ID), Items: []clerk.Data{&wantItem}, UpdatedAt: updated},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.event.InstanceID = "ins_1"
			got, err := clerk.Decode(tc.event.Body())
			if err != nil {
				t.Fatal(err)
			}
			want := &clerk.Event{Type: name, InstanceID: "ins_1", Time: tc.event.Time, Data: tc.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decoded otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEndOfARoleMayBeTheWholeRole(t *testing.T) {
	role := clerktest.Role{ID: clerktest.ID("role", "mate"), Key: "org:mate", UpdatedAt: updated}
	got, err := clerk.Decode(clerktest.RoleDeletedWhole(role, updated).Body())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clerk.Data(&clerk.RoleDeleted{ID: role.ID, Key: "org:mate"}), got.Data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnAddressMayBeUnverified(t *testing.T) {
	got, err := clerk.Decode(clerktest.UserUpdated(clerktest.User{ID: "user_1", Email: "a@x", Unverified: true, UpdatedAt: updated}).Body())
	if err != nil {
		t.Fatal(err)
	}
	if email := got.Data.(*clerk.User).PrimaryEmail; email != (clerk.EmailAddress{Address: "a@x"}) {
		t.Errorf("got %+v", email)
	}
}

func TestIDs(t *testing.T) {
	for _, id := range []string{clerktest.ID("org", "acme"), clerktest.RandomID("org")} {
		if !regexp.MustCompile(`^org_[0-9A-Za-z]{27}$`).MatchString(id) {
			t.Errorf("%s does not look like Clerk's ids", id)
		}
	}
	if got, want := clerktest.ID("org", "acme"), "org_x3d9RFp6TzCSxL2dy2DlAb0NJyW"; got != want {
		t.Errorf("got %s, want %s, as ever", got, want)
	}
	seen := map[string]bool{}
	for _, id := range []string{
		clerktest.ID("org", "acme"), clerktest.ID("org", "bcme"), clerktest.RandomID("org"), clerktest.RandomID("org"),
	} {
		if seen[id] {
			t.Errorf("%s twice", id)
		}
		seen[id] = true
	}
}

func TestSenderSigns(t *testing.T) {
	secret := clerktest.NewSecret()
	verifier, err := svix.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var problem error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		problem = verifier.Verify(body, r.Header)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("a word\n"))
	}))
	defer server.Close()
	cases := map[string]struct {
		sender clerktest.Sender
		at     time.Time
		valid  bool
	}{
		"svix":           {clerktest.Sender{URL: server.URL, Secret: secret}, time.Time{}, true},
		"webhook":        {clerktest.Sender{URL: server.URL, Secret: secret, Family: clerktest.Webhook}, time.Time{}, true},
		"an old attempt": {clerktest.Sender{URL: server.URL, Secret: secret}, time.Now().Add(-time.Hour), false},
		"another secret": {clerktest.Sender{URL: server.URL, Secret: clerktest.NewSecret()}, time.Time{}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			event := clerktest.OrganizationCreated(clerktest.Organization{ID: "org_1", UpdatedAt: updated})
			status, answer, err := tc.sender.Send(t.Context(), clerktest.Delivery{ID: "msg_1", Time: tc.at, Body: event.Body()})
			if err != nil {
				t.Fatal(err)
			}
			if status != http.StatusTeapot || answer != "a word" {
				t.Errorf("got %d %q", status, answer)
			}
			if (problem == nil) != tc.valid {
				t.Errorf("the library says %v, want valid: %t", problem, tc.valid)
			}
		})
	}
}
