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
	"encoding/json"
	"fmt"
	"time"
)

// SubscriptionItem is one plan for one span of time, in the subscription of an organization or a user, as it stands. Who pays, how, and how
// much is not read.
type SubscriptionItem struct {
	ID string
	// OrganizationID is empty where a user has the subscription, or where the payload does not say who has.
	OrganizationID string
	// IsOfUser says that a user has the subscription.
	IsOfUser bool
	// Status is Clerk's word, such as "active" or "past_due".
	Status string
	// Plan is the plan's slug, and PlanID its id; each is empty where there is none of use.
	Plan, PlanID string
	// PeriodStart and PeriodEnd are those of the present period; zero where the payload does not say.
	PeriodStart, PeriodEnd time.Time
	// Seats is how many members it is for, 0 for any number; nil where the payload does not say.
	Seats *int64
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one item. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// EntityID is the item's id.
func (i *SubscriptionItem) EntityID() string { return i.ID }

// SubscriptionItemEnded says that an item is over for good, or was given up before it began. Clerk does not delete items.
type SubscriptionItemEnded struct {
	ID string
	// OrganizationID is empty where a user had the subscription, or where the payload does not say who had.
	OrganizationID string
	// IsOfUser says that a user had the subscription.
	IsOfUser bool
	// UpdatedAt is when it ended, or changed last if that was later. Never zero.
	UpdatedAt time.Time
}

// EntityID is the item's id.
func (i *SubscriptionItemEnded) EntityID() string { return i.ID }

// Subscription is a subscription, which tells of its items alone.
type Subscription struct {
	ID string
	// Items are *SubscriptionItem and *SubscriptionItemEnded.
	Items []Data
	// UpdatedAt is when the subscription changed last; zero where the payload does not say.
	UpdatedAt time.Time
}

// EntityID is the subscription's id.
func (s *Subscription) EntityID() string { return s.ID }

func (*SubscriptionItem) isData()      {}
func (*SubscriptionItemEnded) isData() {}
func (*Subscription) isData()          {}

// finalStatuses are those of items that are over. None of them becomes another.
var finalStatuses = map[string]bool{"ended": true, "expired": true, "abandoned": true}

type payerJSON struct {
	OrganizationID lax[string] `json:"organization_id"`
	UserID         lax[string] `json:"user_id"`
}

type subscriptionItemJSON struct {
	ID     string         `json:"id"`
	Status string         `json:"status"`
	PlanID lax[string]    `json:"plan_id"`
	Payer  lax[payerJSON] `json:"payer"`
	Plan   lax[struct {
		ID   lax[string] `json:"id"`
		Slug lax[string] `json:"slug"`
	}] `json:"plan"`
	PeriodStart lax[int64] `json:"period_start"`
	PeriodEnd   lax[int64] `json:"period_end"`
	Seats       *lax[struct {
		Quantity *int64 `json:"quantity"`
	}] `json:"seats"`
	CreatedAt  lax[int64] `json:"created_at"`
	UpdatedAt  int64      `json:"updated_at"`
	CanceledAt lax[int64] `json:"canceled_at"`
	PastDueAt  lax[int64] `json:"past_due_at"`
	EndedAt    lax[int64] `json:"ended_at"`
}

type subscriptionJSON struct {
	ID        string                 `json:"id"`
	Payer     lax[payerJSON]         `json:"payer"`
	Items     []subscriptionItemJSON `json:"items"`
	UpdatedAt lax[int64]             `json:"updated_at"`
}

// DecodeSubscriptionItem reads an item: the data of an event, or a row of a list.
func DecodeSubscriptionItem(data json.RawMessage) (Data, error) {
	var raw subscriptionItemJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	return raw.item("data", raw.Payer.value)
}

// decodeSubscription reads a subscription, whose items do not say by themselves who has it.
func decodeSubscription(data json.RawMessage) (Data, error) {
	var raw subscriptionJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	if len(raw.Items) > maxSubscriptionItems {
		return nil, fmt.Errorf("data.items: more than %d", maxSubscriptionItems)
	}
	subscription := &Subscription{ID: raw.ID}
	subscription.UpdatedAt, _ = milliseconds("", raw.UpdatedAt.value)
	for i := range raw.Items {
		item, err := raw.Items[i].item(fmt.Sprintf("data.items[%d]", i), raw.Payer.value)
		if err != nil {
			return nil, err
		}
		subscription.Items = append(subscription.Items, item)
	}
	return subscription, nil
}

// item checks the fields; path is where they stand in the event, for messages.
func (i *subscriptionItemJSON) item(path string, payer payerJSON) (Data, error) {
	if err := CheckID(path+".id", i.ID); err != nil {
		return nil, err
	}
	if err := checkStatus(path+".status", i.Status); err != nil {
		return nil, err
	}
	updatedAt, err := updateTime(path, i.updated())
	if err != nil {
		return nil, err
	}
	organizationID, isOfUser := payer.whose()
	if finalStatuses[i.Status] {
		return &SubscriptionItemEnded{ID: i.ID, OrganizationID: organizationID, IsOfUser: isOfUser, UpdatedAt: i.ended(updatedAt)}, nil
	}
	var dropped losses
	item := &SubscriptionItem{
		ID:             i.ID,
		OrganizationID: organizationID,
		IsOfUser:       isOfUser,
		Status:         i.Status,
		Plan:           dropped.slug(FieldPlan, i.Plan.value.Slug),
		PlanID:         i.planID(),
		PeriodStart:    dropped.moment(FieldPeriodStart, i.PeriodStart),
		PeriodEnd:      dropped.moment(FieldPeriodEnd, i.PeriodEnd),
		Seats:          i.seats(&dropped),
		CreatedAt:      dropped.created(i.CreatedAt),
		UpdatedAt:      updatedAt,
	}
	if i.Plan.isOdd {
		dropped.note(FieldPlan)
	}
	item.Dropped = dropped.sorted()
	return item, nil
}

// updated is when the item changed last. Clerk's schema lets its API leave updated_at out: then it is the last change that it tells of.
func (i *subscriptionItemJSON) updated() int64 {
	if i.UpdatedAt != 0 {
		return i.UpdatedAt
	}
	return max(i.CreatedAt.value, i.CanceledAt.value, i.PastDueAt.value, i.EndedAt.value)
}

// ended is when an item ended that changed last at a time: Clerk need not have noted the end as a change.
func (i *subscriptionItemJSON) ended(updatedAt time.Time) time.Time {
	if endedAt, err := milliseconds("", i.EndedAt.value); err == nil && endedAt.After(updatedAt) {
		return endedAt
	}
	return updatedAt
}

// planID is only used to find the plan in the list of plans, and so is left out where it is of no use.
func (i *subscriptionItemJSON) planID() string {
	for _, id := range []string{i.PlanID.value, i.Plan.value.ID.value} {
		if CheckID("", id) == nil {
			return id
		}
	}
	return ""
}

// seats are 0 where Clerk says null: there is no limit.
func (i *subscriptionItemJSON) seats(dropped *losses) *int64 {
	switch {
	case i.Seats == nil:
		return nil
	case i.Seats.isOdd, i.Seats.value.Quantity != nil && *i.Seats.value.Quantity < 0:
		dropped.note(FieldSeats)
		return nil
	case i.Seats.value.Quantity == nil:
		return new(int64(0))
	}
	return i.Seats.value.Quantity
}

// whose says whose subscription somebody pays.
func (p payerJSON) whose() (organizationID string, isOfUser bool) {
	if CheckID("", p.OrganizationID.value) == nil {
		return p.OrganizationID.value, false
	}
	return "", p.UserID.value != ""
}

// checkStatus accepts Clerk's words for how an item stands, those too that it may yet add.
func checkStatus(path, status string) error {
	isStatusByte := func(c byte) bool { return 'a' <= c && c <= 'z' || c == '_' }
	if status == "" || len(status) > maxStatusLength || status[0] == '_' || !consistsOf(status, isStatusByte) {
		return fmt.Errorf("%s: must be 1 to %d lower case letters and, after the first, underscores", path, maxStatusLength)
	}
	return nil
}
