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

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const apiKey = "sk_test_canary-must-never-surface"

var founded = time.Date(2026, 3, 14, 9, 26, 0, 0, time.UTC)

// world is a fake Clerk, a client of it, and the pauses that the client made without waiting.
type world struct {
	api    *clerkapi.API
	server *httptest.Server
	client *backend.Client
	pauses []time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, clerkapi.Options{})
}

func newWorldWith(t *testing.T, played clerkapi.Options) *world {
	t.Helper()
	played.InstanceID, played.Key = "ins_1", apiKey
	w := &world{api: clerkapi.New(played)}
	w.server = httptest.NewServer(w.api)
	t.Cleanup(w.server.Close)
	options := backend.ClientOptions{
		URL: w.server.URL + clerkapi.Prefix, Hosts: []string{"127.0.0.1"}, Key: apiKey + "\n", PageSize: 3,
		Pause: func(ctx context.Context, pause time.Duration) error {
			w.pauses = append(w.pauses, pause)
			return ctx.Err()
		},
	}
	client, err := backend.NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.client = client
	// So that the client knows what pace it may go at.
	if instance, err := client.Instance(t.Context()); err != nil || instance.ID != "ins_1" {
		t.Fatalf("got %v, %v", instance, err)
	}
	return w
}

func (w *world) addOrganizations(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("org_%03d", i)
		w.api.SetOrganization(clerktest.Organization{ID: ids[i], Name: "Org", UpdatedAt: founded.Add(time.Duration(i) * time.Second)})
	}
	return ids
}

// list returns the ids of what was listed, in order.
func (w *world) list(t *testing.T) ([]string, backend.Listing, error) {
	t.Helper()
	var ids []string
	listing, err := w.client.Organizations(t.Context(), func(page backend.Page) error {
		if page.Asked.IsZero() || page.Listed > page.Total {
			t.Errorf("a page asked for at %v with %d of %d", page.Asked, page.Listed, page.Total)
		}
		for _, entity := range page.Entities {
			ids = append(ids, entity.EntityID())
		}
		return nil
	})
	return ids, listing, err
}

func TestAListIsReadToItsEnd(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t)
			want := w.addOrganizations(n)
			got, listing, err := w.list(t)
			if err != nil || listing.Gap != "" {
				t.Fatalf("got %q, %v", listing.Gap, err)
			}
			if !slices.Equal(got, want) || len(listing.IDs) != n {
				t.Errorf("listed %v, want %v", got, want)
			}
		})
	}
}

// TestShiftingPagesSkipNothing: whatever is there all the time is listed, whatever comes and goes meanwhile.
func TestShiftingPagesSkipNothing(t *testing.T) {
	cases := map[string]struct {
		at      int // the request before which it happens
		happens func(*clerkapi.API)
	}{
		"one of the first page is deleted":           {2, func(a *clerkapi.API) { a.DeleteOrganization("org_000") }},
		"all of the first page is deleted":           {2, deleteRange(0, 3)},
		"most of what was read is deleted":           {5, deleteRange(0, 8)},
		"the last one read is deleted":               {2, func(a *clerkapi.API) { a.DeleteOrganization("org_002") }},
		"one that is not read yet is deleted":        {2, func(a *clerkapi.API) { a.DeleteOrganization("org_015") }},
		"one comes":                                  {3, add},
		"one goes and another comes: the same total": {3, func(a *clerkapi.API) { a.DeleteOrganization("org_001"); add(a) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			all := w.addOrganizations(20)
			var requests atomic.Int64
			w.api.Intercept(func(*http.Request) clerkapi.Fault {
				if requests.Add(1) == int64(tc.at) {
					tc.happens(w.api)
				}
				return clerkapi.Fault{}
			})
			got, listing, err := w.list(t)
			if err != nil || listing.Gap != "" {
				t.Fatalf("got %q, %v", listing.Gap, err)
			}
			for _, id := range all {
				if exists, err := w.client.HasOrganization(t.Context(), id); err != nil {
					t.Fatal(err)
				} else if exists && !listing.Has(id) {
					t.Errorf("%s was there all the time and is not listed: %v", id, got)
				}
			}
			slices.Sort(got)
			if len(slices.Compact(got)) != len(listing.IDs) {
				t.Errorf("some were told twice: %v", got)
			}
		})
	}
}

func deleteRange(from, to int) func(*clerkapi.API) {
	return func(a *clerkapi.API) {
		for i := from; i < to; i++ {
			a.DeleteOrganization(fmt.Sprintf("org_%03d", i))
		}
	}
}

func add(a *clerkapi.API) {
	a.SetOrganization(clerktest.Organization{ID: "org_new", UpdatedAt: founded.Add(time.Hour)})
}

// TestAListThatNeverHoldsStillIsNotProven: it ends, and says that it may lack something.
func TestAListThatNeverHoldsStillIsNotProven(t *testing.T) {
	w := newWorld(t)
	w.addOrganizations(10)
	page := func(total int, ids ...string) clerkapi.Fault {
		rows := make([]string, len(ids))
		for i, id := range ids {
			rows[i] = fmt.Sprintf(`{"id":%q,"updated_at":1773480360123}`, id)
		}
		return clerkapi.Fault{Status: http.StatusOK, Body: fmt.Sprintf(`{"data":[%s],"total_count":%d}`, strings.Join(rows, ","), total)}
	}
	cases := map[string]func(request int, r *http.Request) clerkapi.Fault{
		"every page is a new one": func(i int, _ *http.Request) clerkapi.Fault {
			return page(6, fmt.Sprintf("org_n%d", i), "org_x", "org_y")
		},
		"fewer than promised": func(_ int, r *http.Request) clerkapi.Fault {
			if r.URL.Query().Get("offset") == "0" {
				return page(9, "org_1", "org_2", "org_3")
			}
			return page(9)
		},
		"a row twice": func(int, *http.Request) clerkapi.Fault { return page(3, "org_1", "org_1", "org_2") },
		"a row without an id": func(int, *http.Request) clerkapi.Fault {
			return page(3, "org_1", "org_2", "")
		},
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			requests := 0
			w.api.Intercept(func(r *http.Request) clerkapi.Fault {
				requests++
				return answer(requests, r)
			})
			_, listing, err := w.list(t)
			if err != nil || listing.Gap == "" {
				t.Errorf("got %q, %v, want a gap", listing.Gap, err)
			}
		})
	}
}

// TestWhatFailsForGoodEndsAList, and what may pass is tried again.
func TestFailures(t *testing.T) {
	cases := map[string]struct {
		fault   clerkapi.Fault
		again   bool
		says    string
		atLeast time.Duration // of the first pause
	}{
		"expired key":                  {fault: clerkapi.Refused(401), says: "401"},
		"payment required":             {fault: clerkapi.Refused(402), says: "402"},
		"forbidden":                    {fault: clerkapi.Refused(403), says: "403"},
		"not found":                    {fault: clerkapi.ProxyError(404), says: "404"},
		"unprocessable":                {fault: clerkapi.Refused(422), says: "fault_422"},
		"a redirect":                   {fault: clerkapi.Fault{Status: 307, Location: "https://elsewhere.example/v1/organizations"}, says: "307"},
		"too many requests":            {fault: clerkapi.TooManyRequests("7"), again: true, says: "429", atLeast: 7 * time.Second},
		"too many, no word of a pause": {fault: clerkapi.TooManyRequests(""), again: true, says: "429"},
		"too many, until a date": {fault: clerkapi.TooManyRequests(time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)),
			again: true, says: "429", atLeast: 50 * time.Second},
		"too many, for an hour": {fault: clerkapi.TooManyRequests("3600"), says: "429"},
		"a failure":             {fault: clerkapi.Refused(500), again: true, says: "500"},
		"a proxy's failure":     {fault: clerkapi.ProxyError(503), again: true, says: "503"},
		"no JSON":               {fault: clerkapi.NotJSON(), again: true, says: "no JSON"},
		"half an answer":        {fault: clerkapi.Fault{Truncated: true}, again: true, says: "broke off"},
		"no answer":             {fault: clerkapi.Fault{Drop: true}, again: true, says: "EOF"},
		"another shape":         {fault: clerkapi.Fault{Status: 200, Body: `{"data":{"id":"canary-must-never-surface"}}`}, says: "data"},
		"an empty object":       {fault: clerkapi.Fault{Status: 200, Body: `{}`}, says: "no page"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addOrganizations(7)
			var requests atomic.Int64
			fail := func(*http.Request) clerkapi.Fault {
				if requests.Add(1) >= 2 {
					return tc.fault
				}
				return clerkapi.Fault{}
			}
			w.api.Intercept(fail)
			_, _, err := w.list(t)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want it to say %q", err, tc.says)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if backend.IsGone(err) {
				t.Errorf("%v is no word of Clerk's that something is gone", err)
			}
			if again := len(w.pauses) > 0; again != tc.again {
				t.Errorf("tried again: %t, want %t", again, tc.again)
			}
			if tc.again && w.pauses[0] < tc.atLeast {
				t.Errorf("paused %v, want at least %v", w.pauses[0], tc.atLeast)
			}

			// Nothing that fails means that something is gone.
			w.api.Intercept(func(*http.Request) clerkapi.Fault { return tc.fault })
			if _, err := w.client.HasOrganization(t.Context(), "org_000"); err == nil {
				t.Error("whether the organization exists: got an answer, want an error")
			}
			if _, err := w.client.HasMembership(t.Context(), "orgmem_1", "org_000", "user_1"); err == nil {
				t.Error("whether the membership exists: got an answer, want an error")
			}
		})
	}
}

func TestAFailureThatPassesIsNotNoticed(t *testing.T) {
	w := newWorld(t)
	want := w.addOrganizations(7)
	var requests atomic.Int64
	w.api.Intercept(func(*http.Request) clerkapi.Fault {
		if requests.Add(1)%3 == 2 {
			return clerkapi.Refused(503)
		}
		return clerkapi.Fault{}
	})
	got, listing, err := w.list(t)
	if err != nil || listing.Gap != "" || !slices.Equal(got, want) {
		t.Errorf("got %v, %q, %v", got, listing.Gap, err)
	}
}

func TestWhetherSomethingExists(t *testing.T) {
	w := newWorld(t)
	w.addOrganizations(1)
	jane := clerktest.Membership{
		ID: "orgmem_1", Role: "org:member", Organization: clerktest.Organization{ID: "org_000"},
		User: clerktest.User{ID: "user_1"}, UpdatedAt: founded,
	}
	w.api.SetMembership(jane)
	again := jane
	again.ID, again.User.ID = "orgmem_3", "user_3"
	w.api.SetMembership(again)
	cases := map[string]struct {
		id, organization, user string
		want                   bool
	}{
		"a membership":                   {"orgmem_1", "org_000", "user_1", true},
		"one whose user left":            {"orgmem_2", "org_000", "user_2", false},
		"one whose user joined again":    {"orgmem_2", "org_000", "user_3", false},
		"one whose organization is gone": {"orgmem_1", "org_001", "user_1", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := w.client.HasMembership(t.Context(), tc.id, tc.organization, tc.user)
			if err != nil || got != tc.want {
				t.Errorf("got %t, %v, want %t", got, err, tc.want)
			}
		})
	}
	for id, want := range map[string]bool{"org_000": true, "org_001": false} {
		if got, err := w.client.HasOrganization(t.Context(), id); err != nil || got != want {
			t.Errorf("%s: got %t, %v, want %t", id, got, err, want)
		}
	}
}

func TestWhereAKeyMayGo(t *testing.T) {
	cases := map[string]bool{
		"":                                 false, // which is Clerk's own
		"https://api.example.com/v1":       true,
		"https://api.example.com/v1/":      true,
		"http://127.0.0.1:8080/v1":         true,
		"http://localhost/v1":              true,
		"http://[::1]:80/v1":               true,
		"http://api.example.com/v1":        false,
		"http://127.0.0.1.example.com/v1":  false,
		"ftp://api.example.com":            false,
		"https://u:p@api.example.com":      false,
		"https://api.example.com/v1?a=b":   false,
		"api.example.com":                  false,
		"https://":                         false,
		"https://api.example.com/v1#there": false,
	}
	hosts := []string{"api.example.com", "127.0.0.1", "localhost", "::1"}
	for url, want := range cases {
		if _, err := backend.NewClient(backend.ClientOptions{URL: url, Hosts: hosts, Key: apiKey}); (err == nil) != want {
			t.Errorf("%q: got %v, want it taken: %t", url, err, want)
		}
	}
	// An empty list is Clerk's own host.
	for url, want := range map[string]bool{
		"": true, "https://api.clerk.com/v1": true, "https://API.clerk.com": true, "https://api.clerk.com:443/v1": true,
		"https://api.example.com/v1": false, "http://127.0.0.1/v1": false, "https://api.clerk.com.example.com/v1": false,
		"https://api.clerk.com./v1": false, "https://example.com/api.clerk.com": false, "https://api.clerk.com@example.com/v1": false,
		"https://evil.example.com\\@api.clerk.com/": false,
	} {
		if _, err := backend.NewClient(backend.ClientOptions{URL: url, Key: apiKey}); (err == nil) != want {
			t.Errorf("%q, with Clerk's own host alone: got %v, want it taken: %t", url, err, want)
		}
	}
	for url, want := range map[string]bool{"https://proxy.example.com:8443/v1": true, "https://proxy.example.com/v1": false} {
		_, err := backend.NewClient(backend.ClientOptions{URL: url, Hosts: []string{"proxy.example.com:8443"}, Key: apiKey})
		if (err == nil) != want {
			t.Errorf("%q, with a host and its port: got %v, want it taken: %t", url, err, want)
		}
	}
	for _, key := range []string{"", " \n", "sk_test_with a space", "sk_test_\nX-Evil: 1", "sk_test_ü"} {
		if _, err := backend.NewClient(backend.ClientOptions{Key: key}); err == nil || key != "" && strings.Contains(err.Error(), key) && len(key) > 3 {
			t.Errorf("%q: got %v, want a refusal that does not tell it", key, err)
		}
	}
}

// TestItKeepsToItsPace measures by the requests that arrive, whatever the machine's speed: slower is always right.
func TestItKeepsToItsPace(t *testing.T) {
	w := newWorld(t)
	w.addOrganizations(60)
	if _, _, err := w.list(t); err != nil {
		t.Fatal(err)
	}
	requests := w.api.Requests()
	if len(requests) < 30 {
		t.Fatalf("%d requests are too few to measure", len(requests))
	}
	took := requests[len(requests)-1].Time.Sub(requests[0].Time)
	if fastest := time.Duration(len(requests)-1-10) * time.Second / 40; took < fastest {
		t.Errorf("%d requests took %v: that is more than 40 a second after the first 10, want at least %v", len(requests), took, fastest)
	}
}

// TestASecondLookHoldsWhateverTheCountMeans: the schema does not say whether total_count knows of the filter by users.
func TestASecondLookHoldsWhateverTheCountMeans(t *testing.T) {
	for _, ofAll := range []bool{false, true} {
		t.Run(fmt.Sprintf("total of all %t", ofAll), func(t *testing.T) {
			w := newWorldWith(t, clerkapi.Options{TotalOfAll: ofAll})
			organization := clerktest.Organization{ID: "org_1", Name: "Org", UpdatedAt: founded}
			w.api.SetOrganization(organization)
			for n := range 8 {
				w.api.SetMembership(clerktest.Membership{
					ID: fmt.Sprintf("orgmem_%d", n), Role: "org:member", Organization: organization,
					User: clerktest.User{ID: fmt.Sprintf("user_%d", n)}, UpdatedAt: founded.Add(time.Duration(n) * time.Second),
				})
			}
			w.api.DeleteMembership("orgmem_3")
			for n := range 9 {
				id := fmt.Sprintf("orgmem_%d", n)
				exists, err := w.client.HasMembership(t.Context(), id, "org_1", fmt.Sprintf("user_%d", n))
				if want := n != 3 && n != 8; err != nil || exists != want {
					t.Errorf("%s: got %t, %v, want %t", id, exists, err, want)
				}
			}
			// Someone who joined again has another.
			if exists, err := w.client.HasMembership(t.Context(), "orgmem_old", "org_1", "user_1"); err != nil || exists {
				t.Errorf("the old membership: got %t, %v, want that it is gone", exists, err)
			}
		})
	}
}

// TestHalfAnAnswerIsNoProofThatAMembershipIsGone: where the count is higher than the rows, and the list of all members is not whole either.
func TestHalfAnAnswerIsNoProofThatAMembershipIsGone(t *testing.T) {
	w := newWorld(t)
	w.api.SetOrganization(clerktest.Organization{ID: "org_1", Name: "Org", UpdatedAt: founded})
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if strings.HasSuffix(r.URL.Path, "/memberships") {
			return clerkapi.Fault{Status: http.StatusOK, Body: `{"data":[],"total_count":1}`}
		}
		return clerkapi.Fault{}
	})
	if exists, err := w.client.HasMembership(t.Context(), "orgmem_1", "org_1", "user_1"); err == nil {
		t.Errorf("got %t, want that nobody can tell", exists)
	}
}

// TestSignUpsDoNotKeepUsersFromBeingListed: somebody signs up before each count.
func TestSignUpsDoNotKeepUsersFromBeingListed(t *testing.T) {
	w := newWorld(t)
	add := func(n int) {
		w.api.SetUser(clerktest.User{ID: fmt.Sprintf("user_%03d", n), UpdatedAt: founded.Add(time.Duration(n) * time.Second)})
	}
	for n := range 7 {
		add(n)
	}
	signedUp := 7
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if strings.HasSuffix(r.URL.Path, "/users/count") && signedUp < 12 {
			add(signedUp)
			signedUp++
		}
		return clerkapi.Fault{}
	})
	var ids []string
	listing, err := w.client.Users(t.Context(), func(page backend.Page) error {
		for _, entity := range page.Entities {
			ids = append(ids, entity.EntityID())
		}
		return nil
	})
	if err != nil || listing.Gap != "" {
		t.Fatalf("got %q, %v, want that the list is whole", listing.Gap, err)
	}
	for n := range 12 {
		if id := fmt.Sprintf("user_%03d", n); !slices.Contains(ids, id) {
			t.Errorf("%s was not listed", id)
		}
	}
}

// TestAUserWhoGoesIsNoEndOfTheList: the one after whom the next page begins is deleted just then.
func TestAUserWhoGoesIsNoEndOfTheList(t *testing.T) {
	w := newWorld(t)
	for n := range 8 {
		w.api.SetUser(clerktest.User{ID: fmt.Sprintf("user_%03d", n), UpdatedAt: founded.Add(time.Duration(n) * time.Second)})
	}
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if r.URL.Query().Get("starting_after") == "user_002" {
			w.api.DeleteUser("user_002")
		}
		return clerkapi.Fault{}
	})
	listing, err := w.client.Users(t.Context(), func(backend.Page) error { return nil })
	if err != nil || listing.Gap != "" || len(listing.IDs) != 8 {
		t.Errorf("got %d, %q, %v, want all", len(listing.IDs), listing.Gap, err)
	}
}
