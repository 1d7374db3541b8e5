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

package tenant

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Subscription is what is known of an organization's subscription.
type Subscription struct {
	// Items are all that are mirrored, those too that have ended.
	Items []*v1alpha1.ClerkSubscriptionItem

	// Plans are those of its environment.
	Plans Plans
}

// Plan is what a subscription comes to at one moment.
type Plan struct {
	// Slug is the plan's, empty where the organization has none.
	Slug string

	// Status is Clerk's word for the item that counts: active, past_due or canceled; "ended" where no item counts any more.
	Status string

	// Seats is how many members it is for; 0 is any number.
	Seats int64

	// Ends is when the plan ends by itself; nil if it does not.
	Ends *time.Time

	// Features are the slugs of what the plan gives. Where that is not known, there are none.
	Features []string

	// isGating: it is known what plans give, so that a permission counts only with its feature. isUnlisted: not of this one; isUsual: it is
	// the default plan, since no item says otherwise.
	isGating, isUnlisted, isUsual bool

	// source is the item that counts; nil if none does.
	source *v1alpha1.ClerkSubscriptionItem

	// isKnown: something is known of the subscription. dropped are what Clerk sent and could not be kept, as fields of `organization`.
	isKnown               bool
	hasSeats, hasFeatures bool
	dropped               []string
}

// Fields of `organization` that say what its plan is.
const (
	fieldPlan               = "plan"
	fieldSubscriptionStatus = "subscriptionStatus"
	fieldSeats              = "seats"
	fieldFeatures           = "features"
)

// statusEnded is the status of an organization of which no item counts any more.
const statusEnded = "ended"

// Plan says which plan an organization has. Of several items that give one, the one counts whose period began last: so an item whose end
// was never heard of does not bring an old plan back. Where the time that decides could not be kept, nothing is known of the plan.
func (s Subscription) Plan(now time.Time) Plan {
	plan := Plan{isKnown: len(s.Items) > 0}
	var current, waiting *v1alpha1.ClerkSubscriptionItem
	giving, isOrdered := 0, true
	for _, item := range s.Items {
		switch {
		case item.Spec.DeletedAt != nil:
		case givesPlan(&item.Spec, now):
			current = later(current, item)
			giving, isOrdered = giving+1, isOrdered && !isDropped(&item.Spec, "periodStart")
		default:
			waiting = later(waiting, item)
		}
	}
	switch {
	case giving > 1 && !isOrdered, current != nil && isCanceled(&current.Spec) && isDropped(&current.Spec, "periodEnd"):
		plan.drop(s.Items, now)
		current = nil
	case current != nil:
		plan.take(&current.Spec)
	case waiting != nil && !isCanceled(&waiting.Spec):
		plan.Status = string(waiting.Spec.Status)
	case plan.isKnown:
		plan.Status = statusEnded
	}
	plan.source = current
	plan.addFeatures(s.Plans)
	return plan
}

// givesPlan tells whether an item gives its plan now.
func givesPlan(item *v1alpha1.ClerkSubscriptionItemSpec, now time.Time) bool {
	switch item.Status {
	case v1alpha1.SubscriptionActive, v1alpha1.SubscriptionPastDue:
		return true
	case v1alpha1.SubscriptionCanceled:
		return item.PeriodEnd == nil || !now.IsZero() && now.Before(item.PeriodEnd.Time)
	}
	return false
}

// isDropped tells whether Clerk sent a field of an item that could not be kept.
func isDropped(item *v1alpha1.ClerkSubscriptionItemSpec, field string) bool {
	return slices.Contains(item.DroppedFields, field)
}

func isCanceled(item *v1alpha1.ClerkSubscriptionItemSpec) bool {
	return item.Status == v1alpha1.SubscriptionCanceled
}

// later is the one of two items that began later; of two that began at once, the one that was made, and then changed, later.
func later(a, b *v1alpha1.ClerkSubscriptionItem) *v1alpha1.ClerkSubscriptionItem {
	if a == nil {
		return b
	}
	order := cmp.Or(compareTimes(a.Spec.PeriodStart, b.Spec.PeriodStart), compareTimes(a.Spec.CreatedAt, b.Spec.CreatedAt),
		compareTimes(a.Spec.UpdatedAt, b.Spec.UpdatedAt), cmp.Compare(a.Spec.ID, b.Spec.ID))
	if order < 0 {
		return b
	}
	return a
}

// compareTimes compares two times, of which one that is not known is the earliest.
func compareTimes(a, b *metav1.MicroTime) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(b.Time)
}

// drop makes all of the plan unknown: Clerk told of it, and what it told could not be kept. That may be over once an item gives no plan.
func (p *Plan) drop(items []*v1alpha1.ClerkSubscriptionItem, now time.Time) {
	p.dropped, p.hasSeats = []string{fieldPlan, fieldSubscriptionStatus, fieldSeats}, true
	for _, item := range items {
		end := item.Spec.PeriodEnd
		if end != nil && isCanceled(&item.Spec) && now.Before(end.Time) && (p.Ends == nil || end.Time.Before(*p.Ends)) {
			p.Ends = new(end.Time)
		}
	}
}

// take takes what an item says.
func (p *Plan) take(item *v1alpha1.ClerkSubscriptionItemSpec) {
	p.Slug, p.Status = item.Plan, string(item.Status)
	if isDropped(item, "plan") {
		p.dropped = append(p.dropped, fieldPlan)
	}
	switch {
	case item.Seats != nil:
		p.Seats, p.hasSeats = *item.Seats, true
	case isDropped(item, "seats"):
		p.dropped, p.hasSeats = append(p.dropped, fieldSeats), true
	}
	if item.Status == v1alpha1.SubscriptionCanceled && item.PeriodEnd != nil {
		p.Ends = new(item.PeriodEnd.Time)
	}
}

// untold are the fields of `organization` that are not known.
func (p *Plan) untold() []string {
	var fields []string
	if !p.isKnown && !p.isUsual {
		fields = append(fields, fieldPlan)
	}
	if !p.isKnown {
		fields = append(fields, fieldSubscriptionStatus)
	}
	if !p.hasSeats {
		fields = append(fields, fieldSeats)
	}
	if !p.hasFeatures {
		fields = append(fields, fieldFeatures)
	}
	return fields
}

// whyUntold is why fields of the subscription are not known.
const whyUntold = "which Clerk has not told: select the events subscription.* and subscriptionItem.* for the webhook, and replay them"

// OrganizationWith is what expressions see of a ClerkOrganization that has a plan.
func OrganizationWith(object *v1alpha1.ClerkOrganization, plan *Plan) Organization {
	organization := OrganizationOf(object)
	organization.Plan, organization.SubscriptionStatus, organization.Seats = plan.Slug, plan.Status, plan.Seats
	organization.Features, organization.billing = plan.Features, plan
	organization.dropped = append(organization.dropped, plan.dropped...)
	organization.untold = plan.untold()
	return organization
}

// wakeBy lets an organization be looked at when its plan ends.
func (e *Ends) wakeBy(end *time.Time) {
	if end != nil && (e.Next == nil || end.Before(*e.Next)) {
		e.Next = end
	}
}
