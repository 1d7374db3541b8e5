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

package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// Page is a part of a listing.
type Page struct {
	// Asked is just before the page was asked for: all that is on it existed then or came later.
	Asked time.Time

	// Entities are what is on the page and was not on one before.
	Entities []clerk.Data

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
	return c.walk(ctx, "/organizations", clerk.DecodeOrganization, visit)
}

// Memberships lists every membership of every organization. What visit returns ends the listing.
func (c *Client) Memberships(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_memberships", clerk.DecodeMembership, visit)
}

// Roles lists every role. What visit returns ends the listing.
func (c *Client) Roles(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_roles", clerk.DecodeRole, visit)
}

// Permissions lists every permission. What visit returns ends the listing.
func (c *Client) Permissions(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_permissions", clerk.DecodePermission, visit)
}

// Domains lists the domains of all organizations, the oldest first.
func (c *Client) Domains(ctx context.Context, visit func(Page) error) (Listing, error) {
	return c.walk(ctx, "/organization_domains", clerk.DecodeOrganizationDomain, visit)
}

type pageJSON struct {
	Data       []json.RawMessage `json:"data"`
	TotalCount *int              `json:"total_count"`
}

// walk lists everything at a path, the oldest first: what is new comes after the end and moves nothing. What is deleted moves all that
// comes after it forward, past the next page: so each page begins with the last row of the one before. Where it does not, rows have gone
// away, and it is asked for again from further back. Thus no page follows another with a gap, or the listing says so.
func (c *Client) walk(
	ctx context.Context, path string, decode func(json.RawMessage) (clerk.Data, error), visit func(Page) error,
) (Listing, error) {
	return c.walkSome(ctx, path, nil, decode, visit)
}

// walkSome is walk for those that a filter lets through.
func (c *Client) walkSome(
	ctx context.Context, path string, filter url.Values, decode func(json.RawMessage) (clerk.Data, error), visit func(Page) error,
) (Listing, error) {
	w := walker{ids: map[string]struct{}{}, decode: decode}
	for {
		offset := max(0, w.end-w.overlap())
		query := url.Values{
			"order_by": {"+created_at"}, "limit": {strconv.Itoa(c.options.PageSize)}, "offset": {strconv.Itoa(offset)},
		}
		maps.Copy(query, filter)
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
	decode func(json.RawMessage) (clerk.Data, error)

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
		var entity struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &entity); err != nil || clerk.CheckID("data.id", entity.ID) != nil {
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
