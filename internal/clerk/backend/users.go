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
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// Users lists every user. What visit returns ends the listing. It goes by a cursor, which no deletion moves. The list itself does not say
// how many there are: they are counted when its end is reached, and it is read on until it holds as many. Whoever signs up meanwhile is
// among the rest that is read.
func (c *Client) Users(ctx context.Context, visit func(Page) error) (Listing, error) {
	w := walker{ids: map[string]struct{}{}, decode: clerk.DecodeUser}
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
	w := walker{ids: map[string]struct{}{}, decode: clerk.DecodeUser}
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
