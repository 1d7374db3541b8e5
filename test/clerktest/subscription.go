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

package clerktest

import "time"

// SubscriptionItem is one plan for one span of time, as a test knows it. Only ID, Status and UpdatedAt have to be there.
type SubscriptionItem struct {
	// OrganizationID says whose it is; without one, a user's.
	ID, OrganizationID string
	// Status is Clerk's word: active, canceled, past_due, upcoming, ended.
	Status string
	// Plan is the plan's slug; its id is made of it.
	Plan string
	// Seats is any number when it is 0.
	Seats int64
	// PeriodStart is CreatedAt when it is zero; PeriodEnd has none then.
	PeriodStart, PeriodEnd time.Time
	// CreatedAt is UpdatedAt when it is zero.
	CreatedAt, UpdatedAt time.Time
}

// SubscriptionItemEvent is an event of a subscription item, such as "active" or "ended". It happened when the item was updated last.
func SubscriptionItemEvent(what string, i SubscriptionItem) Event {
	payload := itemPayload(i)
	payload.Payer, payload.SubscriptionID = payerPayload(i), new(subscriptionID(i))
	return Event{Type: "subscriptionItem." + what, Time: i.UpdatedAt.Add(sendDelay), Data: payload}
}

// SubscriptionEvent is an event of a subscription, such as "updated", with one or more items. It happened when the first of them was
// updated last.
func SubscriptionEvent(what string, items ...SubscriptionItem) Event {
	first := items[0]
	payload := subscriptionJSON{
		Object: "commerce_subscription", ID: subscriptionID(first), Status: first.Status, PayerID: payerID(first), Payer: payerPayload(first),
		LatestPaymentID: new("cpa_" + Private), PaymentSourceID: new("cps_" + Private),
		CreatedAt: milliseconds(first.CreatedAt, first.UpdatedAt), UpdatedAt: milliseconds(first.UpdatedAt),
		ActiveAt: new(milliseconds(first.CreatedAt, first.UpdatedAt)),
	}
	for _, item := range items {
		payload.Items = append(payload.Items, itemPayload(item))
	}
	return Event{Type: "subscription." + what, Time: first.UpdatedAt.Add(sendDelay), Data: payload}
}

// PlanID is the id of a plan with a slug.
func PlanID(slug string) string { return ID("cplan", slug) }

func subscriptionID(i SubscriptionItem) string { return ID("csub", i.OrganizationID) }

func payerID(i SubscriptionItem) string { return ID("cpayer", i.OrganizationID) }

type subscriptionJSON struct {
	Object          string                 `json:"object"`
	ID              string                 `json:"id"`
	Status          string                 `json:"status"`
	ActiveAt        *int64                 `json:"active_at"`
	CanceledAt      *int64                 `json:"canceled_at"`
	CreatedAt       int64                  `json:"created_at"`
	EndedAt         *int64                 `json:"ended_at"`
	PastDueAt       *int64                 `json:"past_due_at"`
	UpdatedAt       int64                  `json:"updated_at"`
	LatestPaymentID *string                `json:"latest_payment_id"`
	PayerID         string                 `json:"payer_id"`
	Payer           *payerJSON             `json:"payer"`
	PaymentSourceID *string                `json:"payment_source_id"`
	Items           []subscriptionItemJSON `json:"items"`
}

type subscriptionItemJSON struct {
	Object         string     `json:"object"`
	ID             string     `json:"id"`
	Status         string     `json:"status"`
	IsFreeTrial    bool       `json:"is_free_trial"`
	CreatedAt      int64      `json:"created_at"`
	UpdatedAt      int64      `json:"updated_at"`
	PeriodStart    int64      `json:"period_start"`
	PeriodEnd      *int64     `json:"period_end"`
	Interval       string     `json:"interval"`
	PlanID         *string    `json:"plan_id"`
	Plan           *planJSON  `json:"plan"`
	Payer          *payerJSON `json:"payer"`
	SubscriptionID *string    `json:"subscription_id"`
	Seats          seatsJSON  `json:"seats"`
}

type planJSON struct {
	ID          string `json:"id"`
	Slug        string `json:"slug"`
	Name        string `json:"name"`
	IsRecurring bool   `json:"is_recurring"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
}

type seatsJSON struct {
	Quantity *int64 `json:"quantity"`
}

type payerJSON struct {
	Object           string `json:"object"`
	ID               string `json:"id"`
	UserID           string `json:"user_id"`
	FirstName        string `json:"first_name"`
	LastName         string `json:"last_name"`
	Email            string `json:"email"`
	OrganizationID   string `json:"organization_id"`
	OrganizationName string `json:"organization_name"`
	ImageURL         string `json:"image_url"`
	CreatedAt        int64  `json:"created_at"`
	UpdatedAt        int64  `json:"updated_at"`
}

func itemPayload(i SubscriptionItem) subscriptionItemJSON {
	payload := subscriptionItemJSON{
		Object: "subscription_item", ID: i.ID, Status: i.Status, Interval: "month",
		CreatedAt: milliseconds(i.CreatedAt, i.UpdatedAt), UpdatedAt: milliseconds(i.UpdatedAt),
		PeriodStart: milliseconds(i.PeriodStart, i.CreatedAt, i.UpdatedAt),
	}
	if !i.PeriodEnd.IsZero() {
		payload.PeriodEnd = new(i.PeriodEnd.UnixMilli())
	}
	if i.Plan != "" {
		payload.PlanID = new(PlanID(i.Plan))
		payload.Plan = &planJSON{ID: PlanID(i.Plan), Slug: i.Plan, Name: Private, IsRecurring: true, Amount: 2000, Currency: "USD"}
	}
	if i.Seats > 0 {
		payload.Seats.Quantity = &i.Seats
	}
	return payload
}

// payerPayload is who pays: nobody's business here.
func payerPayload(i SubscriptionItem) *payerJSON {
	payer := &payerJSON{
		Object: "commerce_payer", ID: payerID(i), FirstName: Private, LastName: Private, Email: Private + "@example.org",
		OrganizationID: i.OrganizationID, OrganizationName: Private, ImageURL: "https://images.example/" + Private,
		CreatedAt: milliseconds(i.CreatedAt, i.UpdatedAt), UpdatedAt: milliseconds(i.UpdatedAt),
	}
	if i.OrganizationID == "" {
		payer.UserID = ID("user", "payer")
	}
	return payer
}
