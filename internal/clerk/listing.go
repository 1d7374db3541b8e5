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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Page is a part of a listing.
type Page struct {
	// Asked is just before the page was asked for: all that is on it existed then or came later.
	Asked time.Time

	// Entities are what is on the page and was not on one before.
	Entities []Data

	// Unreadable are those rows of which no more than the id could be read.
	Unreadable []UnreadableError

	// Listed and Total are how many rows have been read so far, and how many there are by Clerk's count.
	Listed, Total int
}

// UnreadableError says why a row of a listing is not understood. It quotes no value but the id.
type UnreadableError struct {
	ID  string
	Err error
}

// Error implements error.
func (e UnreadableError) Error() string { return e.ID + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e UnreadableError) Unwrap() error { return e.Err }

// Listing is what a list came to.
type Listing struct {
	// IDs are all that were listed.
	IDs map[string]struct{}

	// Gap says why something that exists may be missing; empty when the listing is proven complete.
	Gap string
}

// Has tells whether an id was listed.
func (l Listing) Has(id string) bool {
	_, listed := l.IDs[id]
	return listed
}

// Organizations lists every organization. What visit returns ends the listing.
func (c *Client) Organizations(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organizations", decodeOrganization, visit)
}

// Memberships lists every membership of every organization. What visit returns ends the listing.
func (c *Client) Memberships(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_memberships", decodeMembership, visit)
}

// Roles lists every role. What visit returns ends the listing.
func (c *Client) Roles(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_roles", decodeRole, visit)
}

// Permissions lists every permission. What visit returns ends the listing.
func (c *Client) Permissions(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_permissions", decodePermission, visit)
}

// Users lists every user. What visit returns ends the listing. It goes by a cursor, which no deletion moves. The list itself does not say
// how many there are: they are counted when its end is reached, and it is read on until it holds as many. Whoever signs up meanwhile is
// among the rest that is read.
func (c *Client) Users(ctx context.Context, visit func(Page) error) (Listing, error) {
	w := walker{ids: map[string]struct{}{}, decode: decodeUser}
	var last []row
	for range maxCatchUps {
		var err error
		if last, err = c.usersAfter(ctx, &w, last, visit); err != nil {
			return Listing{}, err
		}
		total, err := c.countUsers(ctx)
		if err != nil {
			return Listing{}, err
		}
		if w.gap != "" || len(w.ids) >= total {
			return w.listing(total), nil
		}
	}
	w.gap = "more users were counted than listed, time and again"
	return w.listing(0), nil
}

// usersAfter reads the users after the last rows that were read, and returns the new last ones.
func (c *Client) usersAfter(ctx context.Context, w *walker, last []row, visit func(Page) error) ([]row, error) {
	for {
		rows, page, err := c.usersFrom(ctx, w, last)
		if err != nil {
			return nil, err
		}
		if err := visit(page); err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			last = rows
		}
		if len(rows) < c.options.PageSize {
			return last, nil
		}
		if len(page.Entities)+len(page.Unreadable) == 0 || len(w.ids) > maxListed {
			return nil, errors.New("GET /users: the list does not end")
		}
	}
}

// usersFrom reads the page that begins after the last of some rows; after one before it, where that user was deleted just now.
func (c *Client) usersFrom(ctx context.Context, w *walker, last []row) ([]row, Page, error) {
	for step := 0; ; step++ {
		query := url.Values{"order_by": {"+created_at"}, "limit": {strconv.Itoa(c.options.PageSize)}}
		at := max(0, len(last)-1<<step)
		if len(last) > 0 {
			query.Set("starting_after", last[at].id)
		}
		rows, page, err := c.userPage(ctx, w, query)
		if !isUnknownCursor(err) || at == 0 {
			return rows, page, err
		}
	}
}

// isUnknownCursor tells whether Clerk may refuse a cursor because it stands for nothing any more.
func isUnknownCursor(err error) bool {
	answer, ok := errors.AsType[*APIError](err)
	return ok && answer.Code != "" &&
		slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, answer.Status)
}

func (c *Client) countUsers(ctx context.Context) (int, error) {
	var count struct {
		Total *int `json:"total_count"`
	}
	if err := c.get(ctx, "/users/count", nil, &count); err != nil {
		return 0, err
	}
	if count.Total == nil {
		return 0, errors.New("GET /users/count: the answer is no count")
	}
	return *count.Total, nil
}

// UsersByID lists those of the users with these ids that exist. What visit returns ends the listing.
func (c *Client) UsersByID(ctx context.Context, ids []string, visit func(Page) error) (Listing, error) {
	w := walker{ids: map[string]struct{}{}, decode: decodeUser}
	for some := range slices.Chunk(ids, maxFilterIDs) {
		query := url.Values{"order_by": {"+created_at"}, "limit": {strconv.Itoa(maxFilterIDs)}, "user_id": some}
		_, page, err := c.userPage(ctx, &w, query)
		if err != nil {
			return Listing{}, err
		}
		page.Total = len(ids)
		if err := visit(page); err != nil {
			return Listing{}, err
		}
	}
	return w.listing(0), nil
}

func (c *Client) userPage(ctx context.Context, w *walker, query url.Values) ([]row, Page, error) {
	asked := time.Now()
	var answer []json.RawMessage
	if err := c.get(ctx, "/users", query, &answer); err != nil {
		return nil, Page{}, err
	}
	if answer == nil {
		return nil, Page{}, errors.New("GET /users: the answer is no page of a list")
	}
	rows := w.read(answer)
	page := w.take(rows)
	page.Asked, page.Listed, page.Total = asked, len(w.ids), len(w.ids)
	return rows, page, nil
}

// HasUser tells whether a user exists. Only Clerk's own word makes it false.
func (c *Client) HasUser(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/users/"+url.PathEscape(id), id)
}

// HasRole tells whether a role exists. Only Clerk's own word makes it false.
func (c *Client) HasRole(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organization_roles/"+url.PathEscape(id), id)
}

// HasPermission tells whether a permission exists. Only Clerk's own word makes it false.
func (c *Client) HasPermission(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organization_permissions/"+url.PathEscape(id), id)
}

// HasOrganization tells whether an organization exists. Only Clerk's own word makes it false.
func (c *Client) HasOrganization(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organizations/"+url.PathEscape(id), id)
}

// HasMembership tells whether a membership exists. Someone who left and joined again has another.
//
// Clerk is asked for this user's memberships of the organization. Its schema does not say whether the answer's total_count is theirs or all
// members': where the answer does not prove itself whole, all members are listed, and that list does.
func (c *Client) HasMembership(ctx context.Context, id, organizationID, userID string) (bool, error) {
	var answer pageJSON
	path := membershipsPath(organizationID)
	err := c.get(ctx, path, url.Values{"user_id": {userID}, "limit": {strconv.Itoa(maxFilterIDs)}}, &answer)
	if IsGone(err) {
		return c.hasOrganizationOf(ctx, organizationID, path)
	}
	if err != nil {
		return false, err
	}
	if answer.Data == nil || answer.TotalCount == nil {
		return false, fmt.Errorf("GET %s: the answer is no page of a list", path)
	}
	w := walker{}
	rows := w.read(answer.Data)
	if slices.ContainsFunc(rows, func(r row) bool { return r.id == id }) {
		return true, nil
	}
	if w.gap == "" && *answer.TotalCount == len(rows) && areAllOf(userID, rows) {
		return false, nil
	}
	return c.isMemberByList(ctx, id, organizationID)
}

func membershipsPath(organizationID string) string {
	return "/organizations/" + url.PathEscape(organizationID) + "/memberships"
}

// hasOrganizationOf tells, after a 404 for memberships, whether it is the organization that is not found.
func (c *Client) hasOrganizationOf(ctx context.Context, organizationID, path string) (bool, error) {
	exists, err := c.HasOrganization(ctx, organizationID)
	if err == nil && exists {
		err = fmt.Errorf("GET %s: not found, although the organization exists", path)
	}
	return exists, err
}

// areAllOf tells whether memberships are all of one user. A filter that is not obeyed gives others.
func areAllOf(userID string, rows []row) bool {
	for _, row := range rows {
		var membership struct {
			User struct {
				ID string `json:"user_id"`
			} `json:"public_user_data"`
		}
		if err := unmarshal("data", row.raw, &membership); err != nil || membership.User.ID != userID {
			return false
		}
	}
	return true
}

// isMemberByList looks for a membership in the list of all members of its organization, which is read once: an id that is not in a list
// that was read since will never be, as whoever joins again gets another.
func (c *Client) isMemberByList(ctx context.Context, id, organizationID string) (bool, error) {
	members, known := c.members[organizationID]
	if !known {
		// The rows are not decoded: the ids are enough.
		listing, err := c.walk(ctx, membershipsPath(organizationID), func(json.RawMessage) (Data, error) { return nil, nil },
			func(Page) error { return nil })
		if err != nil {
			return false, err
		}
		if listing.Gap != "" {
			return false, fmt.Errorf("GET %s: %s", membershipsPath(organizationID), listing.Gap)
		}
		members = listing
		c.members[organizationID] = members
	}
	return members.Has(id), nil
}

// has tells whether a single object exists, and that it is the one that was asked for.
func (c *Client) has(ctx context.Context, path, id string) (bool, error) {
	var answer struct {
		ID string `json:"id"`
	}
	err := c.get(ctx, path, nil, &answer)
	if IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if answer.ID != id {
		return false, fmt.Errorf("GET %s: %w", path, &APIError{Status: http.StatusOK, Reason: "the answer is about something else"})
	}
	return true, nil
}

type pageJSON struct {
	Data       []json.RawMessage `json:"data"`
	TotalCount *int              `json:"total_count"`
}

// walk lists everything at a path, the oldest first: what is new comes after the end and moves nothing. What is deleted moves all that
// comes after it forward, past the next page: so each page begins with the last row of the one before. Where it does not, rows have gone
// away, and it is asked for again from further back. Thus no page follows another with a gap, or the listing says so.
func (c *Client) walk(
	ctx context.Context, path string, decode func(json.RawMessage) (Data, error), visit func(Page) error,
) (Listing, error) {
	w := walker{ids: map[string]struct{}{}, decode: decode}
	for {
		offset := max(0, w.end-w.overlap())
		query := url.Values{
			"order_by": {"+created_at"}, "limit": {strconv.Itoa(c.options.PageSize)}, "offset": {strconv.Itoa(offset)},
		}
		asked := time.Now()
		var answer pageJSON
		if err := c.get(ctx, path, query, &answer); err != nil {
			return Listing{}, err
		}
		if answer.Data == nil || answer.TotalCount == nil {
			return Listing{}, fmt.Errorf("GET %s: the answer is no page of a list", path)
		}
		page := w.read(answer.Data)
		if !w.joins(page, offset) {
			continue
		}
		total := *answer.TotalCount
		w.end = offset + len(answer.Data)
		entities := w.take(page)
		entities.Asked, entities.Listed, entities.Total = asked, min(w.end, total), total
		if err := visit(entities); err != nil {
			return Listing{}, err
		}
		if len(w.ids) > maxListed {
			return Listing{}, fmt.Errorf("GET %s: more than %d rows", path, maxListed)
		}
		if w.end >= total || len(answer.Data) <= w.overlap() {
			return w.listing(total), nil
		}
	}
}

// walker is where a walk through pages is.
type walker struct {
	decode func(json.RawMessage) (Data, error)

	ids   map[string]struct{}
	end   int // the offset after the last row read
	steps int // how often the present page was found not to join
	back  int // how often any page was
	gap   string
}

// overlap is how many rows are read again, to see that nothing lies between.
func (w *walker) overlap() int {
	return 1 << (3 * w.steps)
}

type row struct {
	id  string
	raw json.RawMessage
}

func (w *walker) read(data []json.RawMessage) []row {
	rows := make([]row, 0, len(data))
	for _, raw := range data {
		var entity deletedJSON // which is an id
		if err := unmarshal("data", raw, &entity); err != nil || checkID("data.id", entity.ID) != nil {
			w.gap = "a row of the list has no id that can be read"
			continue
		}
		rows = append(rows, row{entity.ID, raw})
	}
	return rows
}

// joins tells whether a page follows what was read without a gap. If it does not, it is to be asked for again; in the end it is taken as
// it is, and the gap is told.
func (w *walker) joins(page []row, offset int) bool {
	joined := offset == 0
	if len(page) > 0 {
		_, known := w.ids[page[0].id]
		joined = joined || known
	}
	if !joined && w.steps < maxStepsBack && w.back < maxBackInAll {
		w.steps++
		w.back++
		return false
	}
	if !joined {
		w.gap = "rows of the list kept moving while it was read"
	}
	w.steps = 0
	return true
}

// take makes entities of the rows that are new.
func (w *walker) take(rows []row) Page {
	var page Page
	for _, row := range rows {
		if _, known := w.ids[row.id]; known {
			continue
		}
		w.ids[row.id] = struct{}{}
		entity, err := w.decode(row.raw)
		if err != nil {
			page.Unreadable = append(page.Unreadable, UnreadableError{ID: row.id, Err: err})
			continue
		}
		page.Entities = append(page.Entities, entity)
	}
	return page
}

// listing sums up: those listed must be at least as many as Clerk counted at the end.
func (w *walker) listing(total int) Listing {
	gap := w.gap
	if gap == "" && len(w.ids) < total {
		gap = fmt.Sprintf("%d were listed although there are %d", len(w.ids), total)
	}
	return Listing{IDs: w.ids, Gap: gap}
}
