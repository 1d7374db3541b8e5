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

package clerkapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	sdk "github.com/clerk/clerk-sdk-go/v2"
	sdkorganization "github.com/clerk/clerk-sdk-go/v2/organization"
	sdkmembership "github.com/clerk/clerk-sdk-go/v2/organizationmembership"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const key = "sk_test_clerkapi"

var (
	updated = time.Date(2026, 3, 14, 9, 26, 0, 123_000_000, time.UTC)
	acme    = clerktest.Organization{ID: clerktest.ID("org", "acme"), Name: "Acme", Slug: "acme", UpdatedAt: updated}
	slugged = clerktest.Organization{ID: clerktest.ID("org", "no slug"), Name: "Sans", UpdatedAt: updated.Add(time.Second)}
	jane    = clerktest.Membership{
		ID: clerktest.ID("orgmem", "jane"), Role: "org:admin", Permissions: []string{"org:cargo:load"}, Organization: acme,
		User: clerktest.User{ID: clerktest.ID("user", "jane"), Identifier: "jane@acme.example"}, UpdatedAt: updated,
	}
	nobody = clerktest.Membership{
		ID: clerktest.ID("orgmem", "nobody"), Role: "org:member", Organization: slugged,
		User: clerktest.User{ID: clerktest.ID("user", "nobody"), Banned: true}, UpdatedAt: updated,
	}
	load  = clerktest.Permission{ID: clerktest.ID("perm", "load"), Key: "org:cargo:load", UpdatedAt: updated}
	owned = clerktest.Domain{
		ID: clerktest.ID("orgdmn", "acme"), OrganizationID: acme.ID, Name: "acme.example", Ownership: "verified", Affiliation: "expired", UpdatedAt: updated,
	}
	claimed = clerktest.Domain{ID: clerktest.ID("orgdmn", "sans"), OrganizationID: slugged.ID, Name: "sans.example", UpdatedAt: updated}
	captain = clerktest.Role{ID: clerktest.ID("role", "captain"), Key: "org:captain", Permissions: []clerktest.Permission{load}, UpdatedAt: updated}
)

// filled is an API with something of everything.
func filled(t *testing.T) (*clerkapi.API, *httptest.Server) {
	t.Helper()
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: key})
	api.SetOrganization(acme)
	api.SetOrganization(slugged)
	api.SetMembership(jane)
	api.SetMembership(nobody)
	for _, user := range []clerktest.User{jane.User, nobody.User} {
		user.UpdatedAt, user.Email = updated, user.Identifier
		api.SetUser(user)
	}
	api.SetPermission(load)
	api.SetRole(captain)
	api.SetPlan(clerktest.Plan{Slug: "free_org", IsDefault: true, CreatedAt: updated})
	api.SetPlan(clerktest.Plan{Slug: "pro", Features: []string{"cargo", "sso"}, CreatedAt: updated})
	api.SetPlan(clerktest.Plan{Slug: "plus", IsForUsers: true, CreatedAt: updated})
	for _, item := range []clerktest.SubscriptionItem{
		{ID: "csub_item_1", OrganizationID: acme.ID, Status: "ended", Plan: "free_org"},
		{ID: "csub_item_2", OrganizationID: acme.ID, Status: "active", Plan: "pro", Seats: 5, PeriodEnd: updated.Add(time.Hour)},
		{ID: "csub_item_3", OrganizationID: slugged.ID, Status: "active", Plan: "free_org"},
		{ID: "csub_item_4", Status: "active", Plan: "plus"},
	} {
		item.UpdatedAt = updated
		api.SetSubscriptionItem(item)
	}
	api.SetDomain(owned)
	api.SetDomain(claimed)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, server
}

// schema finds what Clerk's schema says of a request.
func schema(t *testing.T) routers.Router {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile(filepath.Join("testdata", "backend-api-2026-05-12.excerpt.yml"))
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// TestAnswersAreThoseOfTheSchema: of every path that is played there is a success and, where it can fail, a failure.
func TestAnswersAreThoseOfTheSchema(t *testing.T) {
	router := schema(t)
	cases := map[string]struct {
		path   string
		fault  clerkapi.Fault
		key    string
		status int
	}{
		"the instance":            {path: "/instance", status: 200},
		"organizations":           {path: "/organizations?limit=500&order_by=%2Bcreated_at", status: 200},
		"no organizations":        {path: "/organizations?offset=7", status: 200},
		"too many organizations":  {path: "/organizations?limit=501", status: 422},
		"an organization":         {path: "/organizations/" + acme.ID, status: 200},
		"no organization":         {path: "/organizations/org_1", status: 404},
		"no right":                {path: "/organizations/org_1", fault: clerkapi.Refused(403), status: 403},
		"memberships":             {path: "/organization_memberships?limit=2", status: 200},
		"an expired key":          {path: "/organization_memberships", key: "sk_test_old", status: 401},
		"a failure":               {path: "/organization_memberships", fault: clerkapi.Refused(500), status: 500},
		"members":                 {path: "/organizations/" + acme.ID + "/memberships?user_id=" + jane.User.ID, status: 200},
		"no members":              {path: "/organizations/" + acme.ID + "/memberships?user_id=user_1", status: 200},
		"users":                   {path: "/users?limit=1&starting_after=" + jane.User.ID + "&order_by=%2Bcreated_at", status: 200},
		"users by id":             {path: "/users?user_id=" + jane.User.ID + "&user_id=user_1", status: 200},
		"how many users":          {path: "/users/count", status: 200},
		"a user":                  {path: "/users/" + jane.User.ID, status: 200},
		"no user":                 {path: "/users/user_1", status: 404},
		"domains":                 {path: "/organization_domains?limit=500&order_by=%2Bcreated_at", status: 200},
		"domains of one":          {path: "/organization_domains?organization_id=" + acme.ID, status: 200},
		"too many domains":        {path: "/organization_domains?limit=501", status: 422},
		"roles":                   {path: "/organization_roles?limit=500", status: 200},
		"a role":                  {path: "/organization_roles/" + captain.ID, status: 200},
		"no role":                 {path: "/organization_roles/role_1", status: 404},
		"permissions":             {path: "/organization_permissions?limit=500", status: 200},
		"a permission":            {path: "/organization_permissions/" + load.ID, status: 200},
		"no permission":           {path: "/organization_permissions/perm_1", status: 404},
		"plans":                   {path: "/billing/plans?payer_type=org&limit=500", status: 200},
		"plans of cats":           {path: "/billing/plans?payer_type=cat", status: 422},
		"subscription items":      {path: "/billing/subscription_items?payer_type=org&include_free=true&limit=500", status: 200},
		"items maybe free":        {path: "/billing/subscription_items?include_free=maybe", status: 422},
		"a subscription":          {path: "/organizations/" + acme.ID + "/billing/subscription", status: 200},
		"no subscription":         {path: "/organizations/org_1/billing/subscription", status: 404},
		"members by an odd order": {path: "/organizations/" + acme.ID + "/memberships?order_by=shoesize", status: 422},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			api, server := filled(t)
			api.Intercept(func(*http.Request) clerkapi.Fault { return tc.fault })
			if tc.key == "" {
				tc.key = key
			}
			request, header, status, body := get(t, server.URL+clerkapi.Prefix+tc.path, tc.key)
			if status != tc.status {
				t.Fatalf("answered %d, want %d: %s", status, tc.status, body)
			}
			// As it is found in the schema, whatever the port.
			request.URL.Host, request.Host = "", ""
			route, parameters, err := router.FindRoute(request)
			if err != nil {
				t.Fatal(err)
			}
			err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route},
				Status:                 status,
				Header:                 header,
				Body:                   io.NopCloser(bytes.NewReader(body)),
				Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
			})
			if err != nil {
				t.Errorf("the answer is not Clerk's: %v\n%s", err, body)
			}
		})
	}
}

// TestListsOfBillingAreFiltered: by the schema, items of free plans are listed on demand alone.
func TestListsOfBillingAreFiltered(t *testing.T) {
	_, server := filled(t)
	for query, want := range map[string]int{
		"plans?payer_type=org": 2, "plans": 3, "plans?payer_type=user": 1,
		"subscription_items?payer_type=org": 1, "subscription_items?payer_type=org&include_free=true": 3, "subscription_items": 2,
	} {
		_, _, _, body := get(t, server.URL+clerkapi.Prefix+"/billing/"+query, key)
		if !bytes.Contains(body, fmt.Appendf(nil, `"total_count":%d}`, want)) {
			t.Errorf("%s: got %s, want %d", query, body, want)
		}
	}
}

func get(t *testing.T, url, key string) (request *http.Request, header http.Header, status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return request, response.Header, response.StatusCode, body
}

// TestClerksOwnClientUnderstands: whoever wrote it never saw this API.
func TestClerksOwnClientUnderstands(t *testing.T) {
	_, server := filled(t)
	config := &sdk.ClientConfig{BackendConfig: sdk.BackendConfig{URL: new(server.URL + clerkapi.Prefix), Key: new(key)}}
	organizations := sdkorganization.NewClient(config)
	list, err := organizations.List(t.Context(), &sdkorganization.ListParams{ListParams: sdk.ListParams{Limit: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	if list.TotalCount != 2 || len(list.Organizations) != 1 || list.Organizations[0].ID != slugged.ID {
		t.Errorf("got %d of %d, want the newest of 2", len(list.Organizations), list.TotalCount)
	}
	members, err := sdkmembership.NewClient(config).List(t.Context(), &sdkmembership.ListParams{
		OrganizationID: acme.ID, UserIDs: []string{jane.User.ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	if members.TotalCount != 1 || members.OrganizationMemberships[0].PublicUserData.UserID != jane.User.ID {
		t.Errorf("got %+v, want jane alone", members)
	}
	_, err = organizations.Get(t.Context(), "org_1")
	refusal, ok := errors.AsType[*sdk.APIErrorResponse](err)
	if !ok || refusal.HTTPStatusCode != http.StatusNotFound || refusal.Errors[0].Code != "resource_not_found" {
		t.Errorf("got %v, want Clerk's word that there is none", err)
	}
}

func TestPagesShiftAsClerksDo(t *testing.T) {
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: key})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	for i := range 4 {
		api.SetOrganization(clerktest.Organization{ID: fmt.Sprintf("org_%d", i), UpdatedAt: updated.Add(time.Duration(i) * time.Minute)})
	}
	api.DeleteOrganization("org_0")
	_, _, _, body := get(t, server.URL+clerkapi.Prefix+"/organizations?order_by=%2Bcreated_at&offset=1&limit=1", key)
	if !bytes.Contains(body, []byte(`"id":"org_2"`)) || !bytes.Contains(body, []byte(`"total_count":3`)) {
		t.Errorf("got %s, want org_2 in the second place of 3", body)
	}
}
