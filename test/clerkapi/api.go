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

package clerkapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// Prefix begins every path of the API.
const Prefix = "/v1"

// Limits of the API, as its schema has them.
const (
	defaultLimit = 10
	maxLimit     = 500
	maxIDs       = 100
)

// Options are what an API plays.
type Options struct {
	// InstanceID is the environment (ins_…).
	InstanceID string
	// Environment is "production" when it is empty.
	Environment string
	// Key is the secret key that is accepted.
	Key string
	// TotalOfAll lets the total_count of an organization's memberships ignore the filter by users: Clerk's schema allows both.
	TotalOfAll bool
}

// Request is one that was made.
type Request struct {
	Time   time.Time
	Path   string // without Prefix
	Query  string
	Status int
}

// API is Clerk's Backend API over a state that a test sets. It is an http.Handler.
type API struct {
	mux *http.ServeMux

	mu            sync.Mutex
	options       Options
	intercept     func(*http.Request) Fault
	requests      []Request
	organizations *table[clerktest.Organization]
	memberships   *table[clerktest.Membership]
	users         *table[clerktest.User]
	roles         *table[clerktest.Role]
	permissions   *table[clerktest.Permission]
	plans         *table[clerktest.Plan]
	items         *table[clerktest.SubscriptionItem]
	domains       *table[clerktest.Domain]
}

// New returns an API with nothing in it.
func New(options Options) *API {
	if options.Environment == "" {
		options.Environment = "production"
	}
	a := &API{
		mux: http.NewServeMux(), options: options,
		organizations: newTable[clerktest.Organization](), memberships: newTable[clerktest.Membership](), users: newTable[clerktest.User](),
		roles: newTable[clerktest.Role](), permissions: newTable[clerktest.Permission](),
		domains: newTable[clerktest.Domain](),
	}
	a.handle("/instance", a.instance)
	a.handle("/organizations", a.listOrganizations)
	a.handle("/organizations/{id}", func(r *http.Request) (any, error) { return one(r, a.organizations, clerktest.OrganizationObject) })
	a.handle("/organizations/{id}/memberships", a.listMembersOfOrganization)
	a.handle("/organization_memberships", a.listMemberships)
	a.handle("/users", a.listUsers)
	a.handle("/users/count", a.countUsers)
	a.handle("/users/{id}", func(r *http.Request) (any, error) { return one(r, a.users, clerktest.UserObject) })
	a.handle("/organization_roles", func(r *http.Request) (any, error) { return page(r, a.roles.rows, clerktest.RoleObject) })
	a.handle("/organization_roles/{id}", func(r *http.Request) (any, error) { return one(r, a.roles, clerktest.RoleObject) })
	a.handle("/organization_permissions", func(r *http.Request) (any, error) {
		return page(r, a.permissions.rows, clerktest.PermissionObject)
	})
	a.handle("/organization_permissions/{id}", func(r *http.Request) (any, error) {
		return one(r, a.permissions, clerktest.PermissionObject)
	})
	a.handleBilling()
	a.handle("/organization_domains", a.listDomains)
	return a
}

// SetUser creates or changes a user. Memberships show whether the user is let in, and else tell what is in them.
func (a *API) SetUser(u clerktest.User) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users.set(u.ID, firstOf(u.CreatedAt, u.UpdatedAt), u)
}

// DeleteUser deletes a user and its memberships.
func (a *API) DeleteUser(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users.remove(id)
	a.memberships.removeIf(func(row *entry[clerktest.Membership]) bool { return row.value.User.ID == id })
}

// SetRole creates or changes a role. Memberships show it as it is in them.
func (a *API) SetRole(r clerktest.Role) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles.set(r.ID, firstOf(r.CreatedAt, r.UpdatedAt), r)
}

// DeleteRole deletes a role.
func (a *API) DeleteRole(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles.remove(id)
}

// SetPermission creates or changes a permission. Roles show it as it is in them.
func (a *API) SetPermission(p clerktest.Permission) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.permissions.set(p.ID, firstOf(p.CreatedAt, p.UpdatedAt), p)
}

// DeletePermission deletes a permission.
func (a *API) DeletePermission(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.permissions.remove(id)
}

// SetOrganization creates or changes an organization. Its memberships show it as it now is.
func (a *API) SetOrganization(o clerktest.Organization) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.organizations.set(o.ID, firstOf(o.CreatedAt, o.UpdatedAt), o)
}

// DeleteOrganization deletes an organization with its memberships, its subscription and its domains.
func (a *API) DeleteOrganization(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.organizations.remove(id)
	a.memberships.removeIf(func(row *entry[clerktest.Membership]) bool { return row.value.Organization.ID == id })
	a.items.removeIf(func(row *entry[clerktest.SubscriptionItem]) bool { return row.value.OrganizationID == id })
	a.domains.removeIf(func(row *entry[clerktest.Domain]) bool { return row.value.OrganizationID == id })
}

// SetMembership creates or changes a membership of an organization that was set.
func (a *API) SetMembership(m clerktest.Membership) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memberships.set(m.ID, firstOf(m.CreatedAt, m.UpdatedAt), m)
}

// DeleteMembership deletes a membership.
func (a *API) DeleteMembership(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memberships.remove(id)
}

// SetKey changes the key that is accepted: any other is expired.
func (a *API) SetKey(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options.Key = key
}

// Intercept lets requests fail. The function is called before each request is looked at, and may change what there is. nil: none fails.
func (a *API) Intercept(intercept func(*http.Request) Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.intercept = intercept
}

// Requests are all requests so far, in the order of their answers.
func (a *API) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &recorder{ResponseWriter: w}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests = append(a.requests, Request{time.Now(), strings.TrimPrefix(r.URL.Path, Prefix), r.URL.RawQuery, answer.status})
	}()
	a.mu.Lock()
	intercept := a.intercept
	a.mu.Unlock()
	var fault Fault
	if intercept != nil {
		fault = intercept(r)
	}
	if !wait(r, fault.Delay) || fault.Drop {
		panic(http.ErrAbortHandler)
	}
	switch {
	case fault.Truncated:
		a.truncate(answer, r)
	case fault.Status != 0:
		fault.write(answer)
	default:
		a.answer(answer, r)
	}
}

// wait tells whether the one who asked is still there.
func wait(r *http.Request, delay time.Duration) bool {
	if delay == 0 {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-r.Context().Done():
		return false
	}
}

func (f Fault) write(w http.ResponseWriter) {
	for name, value := range map[string]string{"Retry-After": f.RetryAfter, "Location": f.Location} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	if f.Code != "" {
		writeError(w, f.Status, f.Code)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}

func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+a.options.Key {
		writeError(w, http.StatusUnauthorized, "authentication_invalid")
		return
	}
	a.mux.ServeHTTP(w, r)
}

// truncate sends half of the true answer and then ends the connection.
func (a *API) truncate(w *recorder, r *http.Request) {
	whole := &kept{header: http.Header{}}
	a.answer(whole, r)
	w.Header().Set("Content-Length", strconv.Itoa(len(whole.body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(whole.body[:len(whole.body)/2])
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}

// handle serves a path. What the function returns is the answer, or an error as Clerk writes it.
func (a *API) handle(path string, serve func(*http.Request) (any, error)) {
	a.mux.HandleFunc("GET "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		body, err := serve(r)
		if refused, ok := errors.AsType[refusal](err); ok {
			writeError(w, refused.status, refused.code)
			return
		}
		writeJSON(w, http.StatusOK, body)
	})
}

func (a *API) instance(*http.Request) (any, error) {
	return instanceJSON{
		Object: "instance", ID: a.options.InstanceID, Environment: a.options.Environment, AllowedOrigins: []string{},
	}, nil
}

func (a *API) listOrganizations(r *http.Request) (any, error) {
	return page(r, a.organizations.rows, clerktest.OrganizationObject)
}

// listUsers answers a bare list, by a filter of ids or a cursor.
func (a *API) listUsers(r *http.Request) (any, error) {
	query := r.URL.Query()
	ids := query["user_id"]
	if len(ids) > maxIDs {
		return nil, errUnprocessable
	}
	rows := a.users.rows
	if len(ids) > 0 {
		rows = a.users.where(func(row *entry[clerktest.User]) bool { return slices.Contains(ids, row.id) })
	}
	chosen, err := cut(r, rows)
	if err != nil {
		return nil, err
	}
	data := make([]any, len(chosen))
	for i, row := range chosen {
		data[i] = clerktest.UserObject(row.value)
	}
	return data, nil
}

func (a *API) countUsers(*http.Request) (any, error) {
	return countJSON{Object: "total_count", TotalCount: len(a.users.rows)}, nil
}

func one[T any](r *http.Request, from *table[T], object func(T) any) (any, error) {
	value, ok := from.get(r.PathValue("id"))
	if !ok {
		return nil, errNotFound
	}
	return object(value), nil
}

func (a *API) listMembersOfOrganization(r *http.Request) (any, error) {
	id := r.PathValue("id")
	if _, ok := a.organizations.get(id); !ok {
		return nil, errNotFound
	}
	users := r.URL.Query()["user_id"]
	if len(users) > maxIDs {
		return nil, errUnprocessable
	}
	all := a.memberships.where(func(row *entry[clerktest.Membership]) bool { return row.value.Organization.ID == id })
	rows := all
	if len(users) > 0 {
		rows = a.memberships.where(func(row *entry[clerktest.Membership]) bool {
			return row.value.Organization.ID == id && slices.Contains(users, row.value.User.ID)
		})
	}
	if !a.options.TotalOfAll {
		all = rows
	}
	return pageOf(r, rows, len(all), a.membership)
}

func (a *API) listMemberships(r *http.Request) (any, error) {
	return page(r, a.memberships.rows, a.membership)
}

// membership shows the organization, and whether the user is let in, as it now is.
func (a *API) membership(m clerktest.Membership) any {
	if organization, ok := a.organizations.get(m.Organization.ID); ok {
		m.Organization = organization
	}
	if user, ok := a.users.get(m.User.ID); ok {
		m.User.Banned, m.User.Deprovisioned = user.Banned, user.Deprovisioned
	}
	return clerktest.MembershipObject(m)
}

func firstOf(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// page is the part of a list that a request asks for.
func page[T any](r *http.Request, rows []*entry[T], object func(T) any) (any, error) {
	return pageOf(r, rows, len(rows), object)
}

func pageOf[T any](r *http.Request, rows []*entry[T], total int, object func(T) any) (any, error) {
	chosen, err := cut(r, rows)
	if err != nil {
		return nil, err
	}
	data := make([]any, len(chosen))
	for i, row := range chosen {
		data[i] = object(row.value)
	}
	return pageJSON{Data: data, TotalCount: total}, nil
}

func cut[T any](r *http.Request, rows []*entry[T]) ([]*entry[T], error) {
	query := r.URL.Query()
	limit, limitErr := number(query.Get("limit"), defaultLimit)
	offset, offsetErr := number(query.Get("offset"), 0)
	if limitErr != nil || offsetErr != nil || limit < 1 || limit > maxLimit || offset < 0 {
		return nil, errUnprocessable
	}
	switch query.Get("order_by") {
	case "", "-created_at":
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	case "created_at", "+created_at":
	default:
		return nil, errUnprocessable
	}
	if cursor := query.Get("starting_after"); cursor != "" {
		at := slices.IndexFunc(rows, func(row *entry[T]) bool { return row.id == cursor })
		if at < 0 || offset > 0 {
			return nil, errUnprocessable
		}
		offset = at + 1
	}
	rows = rows[min(offset, len(rows)):]
	return rows[:min(limit, len(rows))], nil
}

func number(text string, fallback int) (int, error) {
	if text == "" {
		return fallback, nil
	}
	return strconv.Atoi(text)
}

// refusal is an answer that is an error.
type refusal struct {
	status int
	code   string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.code) }

var (
	errNotFound      = refusal{http.StatusNotFound, "resource_not_found"}
	errUnprocessable = refusal{http.StatusUnprocessableEntity, "form_param_value_invalid"}
)

type instanceJSON struct {
	Object         string   `json:"object"`
	ID             string   `json:"id"`
	Environment    string   `json:"environment_type"`
	AllowedOrigins []string `json:"allowed_origins"`
	WorkspaceID    *string  `json:"workspace_id"`
}

type pageJSON struct {
	Data       []any `json:"data"`
	TotalCount int   `json:"total_count"`
}

type countJSON struct {
	Object     string `json:"object"`
	TotalCount int    `json:"total_count"`
}

type errorsJSON struct {
	Errors  []errorJSON `json:"errors"`
	TraceID string      `json:"clerk_trace_id"`
}

type errorJSON struct {
	Message     string `json:"message"`
	LongMessage string `json:"long_message"`
	Code        string `json:"code"`
}

func writeError(w http.ResponseWriter, status int, code string) {
	text := http.StatusText(status)
	writeJSON(w, status, errorsJSON{Errors: []errorJSON{{Message: text, LongMessage: text, Code: code}}, TraceID: "trace"})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may have gone
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// kept is an answer that is not sent.
type kept struct {
	header http.Header
	body   []byte
}

func (k *kept) Header() http.Header { return k.header }
func (k *kept) WriteHeader(int)     {}
func (k *kept) Write(p []byte) (int, error) {
	k.body = append(k.body, p...)
	return len(p), nil
}
