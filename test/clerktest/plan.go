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

// Plan is a plan of Clerk's billing, as a test knows it. Its id is made of its slug: see PlanID.
type Plan struct {
	Slug string
	// Features are the slugs of what it gives.
	Features []string
	// IsDefault: who has no other plan has this one.
	IsDefault bool
	// IsForUsers: it is none for organizations.
	IsForUsers bool
	// CreatedAt orders plans in lists.
	CreatedAt time.Time
}

// PlanObject is a plan as the API shows it.
func PlanObject(p Plan) any {
	object := listedPlanJSON{
		Object: "commerce_plan", ID: PlanID(p.Slug), Name: Private, Slug: p.Slug, Description: new(Private), ProductID: "cprod_1",
		IsDefault: p.IsDefault, IsRecurring: true, IsPublic: true, HasBaseFee: !p.IsDefault, Payers: "org", Features: []featureJSON{},
	}
	if p.IsForUsers {
		object.Payers = "user"
	}
	if object.HasBaseFee {
		object.Fee = money()
	}
	for _, slug := range p.Features {
		object.Features = append(object.Features, featureJSON{
			Object: "feature", ID: ID("feat", slug), Name: Private, Description: new(Private), Slug: slug,
		})
	}
	return object
}

// SubscriptionItemObject is an item as the API lists it, with its plan, if that is known.
func SubscriptionItemObject(i SubscriptionItem, plan *Plan) any {
	event := itemPayload(i)
	payer := payerPayload(i)
	object := listedItemJSON{
		Object: "commerce_subscription_item", ID: i.ID, InstanceID: "ins_1", Status: i.Status, PlanID: event.PlanID, Period: "month",
		PayerID: payerID(i), Fee: money(), PeriodStart: event.PeriodStart, PeriodEnd: event.PeriodEnd,
		CreatedAt: event.CreatedAt, UpdatedAt: event.UpdatedAt, Seats: &event.Seats,
		Payer: listedPayerJSON{
			Object: "commerce_payer", ID: payer.ID, InstanceID: "ins_1", FirstName: payer.FirstName, LastName: payer.LastName, Email: payer.Email,
			UserID: orNil(payer.UserID), OrganizationID: orNil(payer.OrganizationID), OrganizationName: payer.OrganizationName,
			ImageURL: payer.ImageURL, CreatedAt: payer.CreatedAt, UpdatedAt: payer.UpdatedAt,
		},
		Method: methodJSON{
			Object: "commerce_payment_method", ID: "cpm_" + Private, PayerID: payerID(i), Type: "card", Gateway: "stripe", ExternalID: Private,
			Last4: new(Private), Status: "active", Card: new(Private),
		},
	}
	if i.Status == "ended" {
		object.EndedAt = new(i.UpdatedAt.UnixMilli())
	}
	if plan != nil {
		object.Plan = PlanObject(*plan)
	}
	return object
}

// SubscriptionObject is the subscription of an organization as the API shows it, with its items as SubscriptionItemObject makes them.
func SubscriptionObject(organizationID string, updatedAt time.Time, items []any) any {
	return listedSubscriptionJSON{
		Object: "commerce_subscription", ID: ID("csub", organizationID), InstanceID: "ins_1", Status: "active",
		PayerID: ID("cpayer", organizationID), CreatedAt: updatedAt.UnixMilli(), UpdatedAt: updatedAt.UnixMilli(), Items: items,
	}
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func money() *moneyJSON {
	return &moneyJSON{Amount: 2000, Formatted: "$20.00", Currency: "USD", Symbol: "$"}
}

type moneyJSON struct {
	Amount    int64  `json:"amount"`
	Formatted string `json:"amount_formatted"`
	Currency  string `json:"currency"`
	Symbol    string `json:"currency_symbol"`
}

type featureJSON struct {
	Object      string  `json:"object"`
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Slug        string  `json:"slug"`
	AvatarURL   *string `json:"avatar_url"`
}

type listedPlanJSON struct {
	Object      string        `json:"object"`
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Fee         *moneyJSON    `json:"fee"`
	MonthlyFee  *moneyJSON    `json:"annual_monthly_fee"`
	AnnualFee   *moneyJSON    `json:"annual_fee"`
	Description *string       `json:"description"`
	ProductID   string        `json:"product_id"`
	IsDefault   bool          `json:"is_default"`
	IsRecurring bool          `json:"is_recurring"`
	IsPublic    bool          `json:"publicly_visible"`
	HasBaseFee  bool          `json:"has_base_fee"`
	Payers      string        `json:"for_payer_type"`
	Slug        string        `json:"slug"`
	AvatarURL   *string       `json:"avatar_url"`
	Features    []featureJSON `json:"features"`
	HasTrial    bool          `json:"free_trial_enabled"`
	TrialDays   *int64        `json:"free_trial_days"`
}

type listedItemJSON struct {
	Object      string          `json:"object"`
	ID          string          `json:"id"`
	InstanceID  string          `json:"instance_id"`
	Status      string          `json:"status"`
	PlanID      *string         `json:"plan_id"`
	Plan        any             `json:"plan"`
	Period      string          `json:"plan_period"`
	Method      methodJSON      `json:"payment_method"`
	Fee         *moneyJSON      `json:"lifetime_paid"`
	PayerID     string          `json:"payer_id"`
	Payer       listedPayerJSON `json:"payer"`
	IsFreeTrial bool            `json:"is_free_trial"`
	PeriodStart int64           `json:"period_start"`
	PeriodEnd   *int64          `json:"period_end"`
	CanceledAt  *int64          `json:"canceled_at"`
	PastDueAt   *int64          `json:"past_due_at"`
	EndedAt     *int64          `json:"ended_at"`
	CreatedAt   int64           `json:"created_at"`
	UpdatedAt   int64           `json:"updated_at"`
	Seats       *seatsJSON      `json:"seats"`
}

type methodJSON struct {
	Object            string  `json:"object"`
	ID                string  `json:"id"`
	PayerID           string  `json:"payer_id"`
	Type              string  `json:"payment_type"`
	Gateway           string  `json:"gateway"`
	ExternalID        string  `json:"gateway_external_id"`
	ExternalAccountID *string `json:"gateway_external_account_id"`
	Last4             *string `json:"last4"`
	Status            string  `json:"status"`
	Card              *string `json:"card_type"`
}

type listedPayerJSON struct {
	Object           string  `json:"object"`
	ID               string  `json:"id"`
	InstanceID       string  `json:"instance_id"`
	UserID           *string `json:"user_id"`
	FirstName        string  `json:"first_name"`
	LastName         string  `json:"last_name"`
	Email            string  `json:"email"`
	OrganizationID   *string `json:"organization_id"`
	OrganizationName string  `json:"organization_name"`
	ImageURL         string  `json:"image_url"`
	CreatedAt        int64   `json:"created_at"`
	UpdatedAt        int64   `json:"updated_at"`
}

type listedSubscriptionJSON struct {
	Object     string `json:"object"`
	ID         string `json:"id"`
	InstanceID string `json:"instance_id"`
	Status     string `json:"status"`
	PayerID    string `json:"payer_id"`
	CreatedAt  int64  `json:"created_at"`
	UpdatedAt  int64  `json:"updated_at"`
	ActiveAt   *int64 `json:"active_at"`
	PastDueAt  *int64 `json:"past_due_at"`
	Items      []any  `json:"subscription_items"`
}
