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
	"net/http"
	"strconv"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// What there is of Clerk's billing. Its lists have one order: the newest first.

// SetPlan creates or changes a plan. Items show it as it now is.
func (a *API) SetPlan(p clerktest.Plan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plans.set(clerktest.PlanID(p.Slug), p.CreatedAt, p)
}

// DeletePlan deletes a plan by its slug.
func (a *API) DeletePlan(slug string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plans.remove(clerktest.PlanID(slug))
}

// SetSubscriptionItem creates or changes an item of a subscription.
func (a *API) SetSubscriptionItem(i clerktest.SubscriptionItem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items.set(i.ID, firstOf(i.CreatedAt, i.UpdatedAt), i)
}

// DeleteSubscriptionItem deletes an item, as with its organization.
func (a *API) DeleteSubscriptionItem(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items.remove(id)
}

func (a *API) handleBilling() {
	a.plans, a.items = newTable[clerktest.Plan](), newTable[clerktest.SubscriptionItem]()
	a.handle("/billing/plans", a.listPlans)
	a.handle("/billing/subscription_items", a.listSubscriptionItems)
	a.handle("/organizations/{id}/billing/subscription", a.subscription)
}

// payers reads the filter for users or organizations.
func payers(r *http.Request) (forUsers, forOrganizations bool, err error) {
	switch r.URL.Query().Get("payer_type") {
	case "":
		return true, true, nil
	case "user":
		return true, false, nil
	case "org":
		return false, true, nil
	}
	return false, false, errUnprocessable
}

func (a *API) listPlans(r *http.Request) (any, error) {
	forUsers, forOrganizations, err := payers(r)
	if err != nil {
		return nil, err
	}
	return page(r, a.plans.where(func(row *entry[clerktest.Plan]) bool {
		return row.value.IsForUsers && forUsers || !row.value.IsForUsers && forOrganizations
	}), clerktest.PlanObject)
}

func (a *API) listSubscriptionItems(r *http.Request) (any, error) {
	forUsers, forOrganizations, err := payers(r)
	if err != nil {
		return nil, err
	}
	includeFree := r.URL.Query().Get("include_free")
	withFree, err := strconv.ParseBool(includeFree)
	if includeFree != "" && err != nil {
		return nil, errUnprocessable
	}
	return page(r, a.items.where(func(row *entry[clerktest.SubscriptionItem]) bool {
		plan := a.planOf(row.value)
		isOfUser := row.value.OrganizationID == ""
		return (isOfUser && forUsers || !isOfUser && forOrganizations) && (withFree || plan == nil || !plan.IsDefault)
	}), a.item)
}

// subscription shows the items of an organization that have not ended.
func (a *API) subscription(r *http.Request) (any, error) {
	organization, ok := a.organizations.get(r.PathValue("id"))
	if !ok {
		return nil, errNotFound
	}
	items := []any{}
	for _, row := range a.items.where(func(row *entry[clerktest.SubscriptionItem]) bool {
		return row.value.OrganizationID == organization.ID && row.value.Status != "ended"
	}) {
		items = append(items, a.item(row.value))
	}
	return clerktest.SubscriptionObject(organization.ID, organization.UpdatedAt, items), nil
}

func (a *API) item(i clerktest.SubscriptionItem) any {
	return clerktest.SubscriptionItemObject(i, a.planOf(i))
}

// planOf is the plan of an item, nil if there is none of that slug.
func (a *API) planOf(i clerktest.SubscriptionItem) *clerktest.Plan {
	plan, ok := a.plans.get(clerktest.PlanID(i.Plan))
	if !ok {
		return nil
	}
	return &plan
}
