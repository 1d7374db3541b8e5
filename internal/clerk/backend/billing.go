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
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// What Clerk's billing tells of organizations. Clerk calls these paths experimental.

// PlanList is what Clerk's list of plans came to.
type PlanList struct {
	// Plans are those that organizations may have, and that can be kept.
	Plans []clerk.Plan

	// LeftOut are those that cannot be, and why.
	LeftOut []UnreadableError
}

// Plans lists every plan that an organization may have: none where billing is not on for organizations.
func (c *Client) Plans(ctx context.Context) (PlanList, error) {
	const path = "/billing/plans"
	w := walker{ids: map[string]struct{}{}}
	var rows []row
	for {
		var answer pageJSON
		query := url.Values{
			"paginated": {"true"}, "payer_type": {"org"},
			"limit": {strconv.Itoa(c.options.PageSize)}, "offset": {strconv.Itoa(w.end)},
		}
		if err := c.get(ctx, path, query, &answer); err != nil {
			return PlanList{}, err
		}
		if answer.Data == nil || answer.TotalCount == nil {
			return PlanList{}, fmt.Errorf("GET %s: the answer is no page of a list", path)
		}
		for _, row := range w.read(answer.Data) {
			if _, isKnown := w.ids[row.id]; !isKnown {
				rows = append(rows, row)
			}
			w.ids[row.id] = struct{}{}
		}
		w.end += len(answer.Data)
		total := *answer.TotalCount
		switch {
		case w.gap != "":
			return PlanList{}, fmt.Errorf("GET %s: %s", path, w.gap)
		case w.end > maxPlansListed:
			return PlanList{}, fmt.Errorf("GET %s: more than %d plans", path, maxPlansListed)
		case w.end < total && len(answer.Data) > 0:
		case len(rows) < total:
			return PlanList{}, fmt.Errorf("GET %s: %d were listed of %d: plans were added or removed meanwhile", path, len(rows), total)
		default:
			return plansOf(rows), nil
		}
	}
}

// plansOf reads plans. That one cannot be kept is no reason not to know the others.
func plansOf(rows []row) PlanList {
	var list PlanList
	for _, row := range rows {
		plan, err := clerk.DecodePlan(row.raw)
		switch {
		case err != nil:
			list.LeftOut = append(list.LeftOut, UnreadableError{ID: row.id, Err: err})
		case !plan.IsForUsers:
			list.Plans = append(list.Plans, plan)
		}
	}
	slices.SortFunc(list.Plans, func(a, b clerk.Plan) int { // the default plan, which most have, is never one too many
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.ID, b.ID))
	})
	for _, plan := range list.Plans[min(maxPlans, len(list.Plans)):] {
		list.LeftOut = append(list.LeftOut, UnreadableError{ID: plan.ID, Err: fmt.Errorf("there are more than %d plans", maxPlans)})
	}
	list.Plans = list.Plans[:min(maxPlans, len(list.Plans))]
	return list
}

func rank(plan clerk.Plan) int {
	if plan.IsDefault {
		return 0
	}
	return 1
}

// SubscriptionItems lists the items of every organization's subscription, those of free plans and those that have ended too. What visit
// returns ends the listing.
//
// Clerk lists the newest first, and knows no other order here. So what comes meanwhile moves the others back, where they are read again,
// and is itself found by reading the beginning of the list once more.
func (c *Client) SubscriptionItems(ctx context.Context, visit func(Page) error) (Listing, error) {
	const path = "/billing/subscription_items"
	w := walker{ids: map[string]struct{}{}, decode: clerk.DecodeSubscriptionItem}
	for catchUps := 0; ; {
		asked := time.Now()
		var answer pageJSON
		query := url.Values{
			"paginated": {"true"}, "payer_type": {"org"}, "include_free": {"true"},
			"limit": {strconv.Itoa(c.options.PageSize)}, "offset": {strconv.Itoa(w.end)},
		}
		if err := c.get(ctx, path, query, &answer); err != nil {
			return Listing{}, err
		}
		if answer.Data == nil || answer.TotalCount == nil {
			return Listing{}, fmt.Errorf("GET %s: the answer is no page of a list", path)
		}
		total, before := *answer.TotalCount, len(w.ids)
		page := w.take(w.read(answer.Data))
		w.end += len(answer.Data)
		page.Asked, page.Listed, page.Total = asked, min(len(w.ids), total), total
		if err := visit(page); err != nil {
			return Listing{}, err
		}
		isNew := len(w.ids) > before
		switch {
		case len(w.ids) > maxListed:
			return Listing{}, fmt.Errorf("GET %s: more than %d rows", path, maxListed)
		case len(w.ids) >= total:
			return w.listing(total), nil
		case len(answer.Data) > 0 && w.end < total && (catchUps == 0 || isNew):
		case catchUps < maxCatchUps:
			catchUps++
			w.end = 0
		default:
			return w.listing(total), nil
		}
	}
}

// HasSubscriptionItem tells whether an item is one of its organization's subscription. Only Clerk's own word makes it false.
func (c *Client) HasSubscriptionItem(ctx context.Context, id, organizationID string) (bool, error) {
	if organizationID == "" {
		return false, fmt.Errorf("nobody knows of which organization %s is", id)
	}
	path := "/organizations/" + url.PathEscape(organizationID) + "/billing/subscription"
	var answer struct {
		Items []json.RawMessage `json:"subscription_items"`
	}
	err := c.get(ctx, path, nil, &answer)
	if IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if answer.Items == nil {
		return false, fmt.Errorf("GET %s: the answer is no subscription", path)
	}
	w := walker{}
	if slices.ContainsFunc(w.read(answer.Items), func(r row) bool { return r.id == id }) {
		return true, nil
	}
	if w.gap != "" {
		return false, fmt.Errorf("GET %s: %s", path, w.gap)
	}
	return false, nil
}
