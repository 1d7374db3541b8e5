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

package resync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// errNoBilling says that there are no subscriptions to list: Clerk's billing is not on for organizations, or the key may not read it.
var errNoBilling = errors.New("Clerk's billing is not on for organizations, or cannot be read") //nolint:staticcheck // a name

// billing is what a resync learned of Clerk's billing.
type billing struct {
	// isAsked: Clerk was asked for the plans. isOn: subscription items are mirrored, or plans are known, be it from before.
	isAsked, isOn bool

	// isRead: list is what Clerk says. failed is why it could not be read.
	isRead bool
	list   backend.PlanList
	failed error
}

// listSubscriptionItems lists the items of all organizations' subscriptions, if there are any plans that they may be of. Where billing is
// off, that costs one request. That it cannot be read is no failure of a resync, unless it is known to be on.
func listSubscriptionItems(
	ctx context.Context, r *run, before inventory, visit func(backend.Page) error,
) (backend.Listing, error) {
	r.billing = billing{isAsked: true, isOn: len(before.living) > 0 || len(r.instance.Status.Plans) > 0}
	list, err := r.api.Plans(ctx)
	switch {
	case err != nil:
		return backend.Listing{}, r.withoutPlans(ctx, err)
	case len(list.Plans)+len(list.LeftOut) == 0 && len(before.living) == 0:
		r.billing.isRead = true
		return backend.Listing{}, errNoBilling
	}
	r.billing.isOn = true
	ofNobody, lostBefore := 0, r.notes.lost()
	listing, err := r.api.SubscriptionItems(ctx, r.unlessLongOver(before, func(page backend.Page) error {
		ofNobody += countOfNobody(page.Entities, before)
		return visit(page)
	}))
	if err != nil {
		return listing, r.withoutPlans(ctx, err)
	}
	// Where plans are known, an organization without an item has the default plan. So they are known once every item is.
	if len(r.instance.Status.Plans) == 0 {
		r.billing.failed = unlessComplete(listing, ofNobody, r.notes.lost()-lostBefore)
	}
	r.billing.failed = cmp.Or(unlessSome(list, listing, before), r.billing.failed)
	r.billing.list, r.billing.isRead = list, r.billing.failed == nil
	return listing, nil
}

// withoutPlans notes why plans or items could not be read. What it returns is errNoBilling where that is no failure of the resync.
func (r *run) withoutPlans(ctx context.Context, err error) error {
	r.billing.failed = err
	isMinor := isRefusal(err) || !r.billing.isOn
	if ctx.Err() == nil && isMinor && !concernsAll(err) {
		return errNoBilling
	}
	return err
}

// isRefusal tells whether Clerk answered that this is not to be had: billing is off, or the key may not read it.
func isRefusal(err error) bool {
	answer, ok := errors.AsType[*backend.APIError](err)
	return ok && slices.Contains([]int{
		http.StatusBadRequest, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity,
	}, answer.Status)
}

// countOfNobody counts the items of which neither the list nor the mirror says whose they are.
func countOfNobody(entities []clerk.Data, before inventory) int {
	count := 0
	for _, entity := range entities {
		item, isLiving := entity.(*clerk.SubscriptionItem)
		if isLiving && item.OrganizationID == "" && !item.IsOfUser && before.living[item.ID].organizationID == "" {
			count++
		}
	}
	return count
}

// unlessSome is why it does not count that there are no plans: permissions would be held whatever the plan.
func unlessSome(list backend.PlanList, items backend.Listing, before inventory) error {
	switch {
	case len(list.Plans) > 0:
		return nil
	case len(list.LeftOut) > 0:
		return fmt.Errorf("none of %d plans could be kept: %s", len(list.LeftOut), list.LeftOut[0].Error())
	}
	for id := range before.living {
		if items.Has(id) {
			return errors.New("Clerk lists subscription items, and no plans that they could be of") //nolint:staticcheck // a name
		}
	}
	return nil
}

func unlessComplete(listing backend.Listing, ofNobody, lost int) error {
	switch {
	case listing.Gap != "":
		return errors.New("not all subscription items could be listed: " + listing.Gap)
	case ofNobody > 0:
		return fmt.Errorf("of %d subscription items Clerk does not say which organization has them", ofNobody)
	case lost > 0:
		return fmt.Errorf("%d subscription items could not be mirrored", lost)
	}
	return nil
}

// unlessLongOver leaves out items that ended before the horizon and are not mirrored: Clerk lists them for good, and nothing late may bring
// them back. The others make tombstones.
func (r *run) unlessLongOver(before inventory, visit func(backend.Page) error) func(backend.Page) error {
	oldest := r.Mirror.Oldest(r.instance)
	return func(page backend.Page) error {
		page.Entities = slices.DeleteFunc(page.Entities, func(data clerk.Data) bool {
			ended, isOver := data.(*clerk.SubscriptionItemEnded)
			if !isOver {
				return false
			}
			_, isLiving := before.living[ended.ID]
			return !isLiving && ended.UpdatedAt.Before(oldest)
		})
		return visit(page)
	}
}

// plansAfter are the plans that the ClerkInstance's status tells of after a resync: those that Clerk lists, and while it cannot be asked,
// those of before.
func (r *run) plansAfter() []v1alpha1.InstancePlan {
	if !r.billing.isRead {
		return r.instance.Status.Plans
	}
	plans := make([]v1alpha1.InstancePlan, 0, len(r.billing.list.Plans))
	for _, plan := range r.billing.list.Plans {
		told := v1alpha1.InstancePlan{ID: plan.ID, Slug: plan.Slug, Features: plan.Features}
		if plan.IsDefault {
			told.Default = new(true)
		}
		plans = append(plans, told)
	}
	slices.SortFunc(plans, func(a, b v1alpha1.InstancePlan) int { return strings.Compare(a.ID, b.ID) })
	return plans
}

// plansCondition says whether it is known what plans give. A resync that ended before it asked about them says nothing new; nil where none
// ever has.
func (r *run) plansCondition() *metav1.Condition {
	known, failed := r.billing.list, r.billing.failed
	switch {
	case !r.billing.isAsked:
		return meta.FindStatusCondition(r.instance.Status.Conditions, v1alpha1.ConditionPlansKnown)
	case r.billing.isRead && len(known.LeftOut) > 0:
		var leftOut remarks
		for _, plan := range known.LeftOut {
			leftOut.add(plan.Error())
		}
		return plansKnown(v1alpha1.ReasonPlansIncomplete, "some plans could not be kept, and what they give is not known, "+
			"so a permission that needs a feature is held by nobody in organizations that have one of them: "+leftOut.tell())
	case r.billing.isRead && len(known.Plans) > 0:
		return plansKnown(v1alpha1.ReasonPlansListed,
			"the plans and their features are known, and a permission counts only with its feature")
	case r.billing.isRead:
		return plansKnown(v1alpha1.ReasonBillingOff, "Clerk lists no plans for organizations: "+nothingByPlan)
	case len(r.instance.Status.Plans) > 0:
		return outdated(failed.Error())
	case r.billing.isOn:
		return unknownPlans(failed.Error())
	case isRefusal(failed):
		return plansKnown(v1alpha1.ReasonBillingOff,
			"Clerk does not list plans for organizations, as where its billing is off: "+nothingByPlan+"; "+failed.Error())
	}
	return unknownPlans(failed.Error())
}

const nothingByPlan = "permissions are held whatever the plan"

func outdated(why string) *metav1.Condition {
	return plansKnown(v1alpha1.ReasonPlansOutdated, "the plans could not be read, so what they gave when they last were counts: "+why)
}

func unknownPlans(why string) *metav1.Condition {
	return plansKnown(v1alpha1.ReasonPlansUnknown, "the plans could not be read, so organization.features is not known, "+
		"and permissions are held whatever the plan: "+why)
}

func plansKnown(reason, message string) *metav1.Condition {
	return &metav1.Condition{
		Type: v1alpha1.ConditionPlansKnown, Status: condition.StatusOf(reason == v1alpha1.ReasonPlansListed), Reason: reason, Message: message,
	}
}

// withPlans adds the condition of the plans, if there is one.
func withPlans(plans *metav1.Condition, conditions ...metav1.Condition) []metav1.Condition {
	if plans == nil {
		return conditions
	}
	return append(conditions, *plans)
}

const withoutKey = "spec.api is not set, so Clerk cannot be asked"

// clear takes back what the status says of resyncs, for a ClerkInstance that has none. Plans that were known still count: that somebody
// takes the API key away gives nobody access.
func (r *Resyncer) clear(ctx context.Context, instance *v1alpha1.ClerkInstance) error {
	have := instance.Status
	before := meta.FindStatusCondition(have.Conditions, v1alpha1.ConditionPlansKnown)
	plans, err := r.plansWithoutKey(ctx, instance, before)
	if err != nil {
		return err
	}
	if saySame(plans, before) && equality.Semantic.DeepEqual(have.LastResync, v1alpha1.LastResync{}) &&
		meta.FindStatusCondition(have.Conditions, v1alpha1.ConditionSynced) == nil {
		return nil
	}
	this := &run{Resyncer: r, instance: instance}
	return r.writeStatus(ctx, instance, v1alpha1.ClerkInstanceStatus{Plans: have.Plans, Conditions: this.conditions(withPlans(plans)...)})
}

func saySame(a, b *metav1.Condition) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Reason == b.Reason && a.Message == b.Message
}

// plansWithoutKey is the condition of the plans of a ClerkInstance without an API key; nil where no organization has a subscription.
func (r *Resyncer) plansWithoutKey(
	ctx context.Context, instance *v1alpha1.ClerkInstance, before *metav1.Condition,
) (*metav1.Condition, error) {
	if len(instance.Status.Plans) > 0 {
		return outdated(withoutKey), nil
	}
	if before != nil && before.Reason == v1alpha1.ReasonPlansUnknown { // most often it still holds: not all items are looked at for that
		return unknownPlans(withoutKey), nil
	}
	items, err := mirroredIn(&v1alpha1.ClerkSubscriptionItemList{})(ctx, r.Client, instance.Name)
	if err != nil || len(items.living) == 0 {
		return nil, err
	}
	return unknownPlans(withoutKey), nil
}

// instanceOfItem is the ClerkInstance that a subscription item came from.
func instanceOfItem(_ context.Context, item client.Object) []reconcile.Request {
	name := item.(*v1alpha1.ClerkSubscriptionItem).Spec.Instance
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: name}}}
}

// firstItems lets pass that there are new items, which may be the first of their ClerkInstance.
var firstItems = predicate.Funcs{
	UpdateFunc: func(event.UpdateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}
