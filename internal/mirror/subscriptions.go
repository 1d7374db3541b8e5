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

package mirror

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

var subscriptionItems = kind[v1alpha1.ClerkSubscriptionItem, v1alpha1.ClerkSubscriptionItemSpec]{
	specOf:   func(object *v1alpha1.ClerkSubscriptionItem) *v1alpha1.ClerkSubscriptionItemSpec { return &object.Spec },
	entityOf: func(spec *v1alpha1.ClerkSubscriptionItemSpec) *v1alpha1.Entity { return &spec.Entity },
	labels:   subscriptionItemLabels,
	keep:     keepOrganization,
	narrows:  true, // another plan may give less
}

func subscriptionItemLabels(spec v1alpha1.ClerkSubscriptionItemSpec) map[string]string {
	labels := map[string]string{}
	if spec.OrganizationID != "" {
		labels[v1alpha1.OrganizationIDLabel] = spec.OrganizationID
	}
	return labels
}

// keepOrganization lets an item, and its tombstone, be of whom it is known to be where the news does not say.
func keepOrganization(want, known v1alpha1.ClerkSubscriptionItemSpec) v1alpha1.ClerkSubscriptionItemSpec {
	if known.OrganizationID != "" && (want.OrganizationID == "" || want.DeletedAt != nil) {
		want.OrganizationID = known.OrganizationID
	}
	return want
}

func subscriptionItemSpec(instance string, i *clerk.SubscriptionItem) v1alpha1.ClerkSubscriptionItemSpec {
	return v1alpha1.ClerkSubscriptionItemSpec{
		Entity:         entity(instance, i.ID, i.CreatedAt, i.UpdatedAt),
		OrganizationID: i.OrganizationID,
		Status:         v1alpha1.SubscriptionItemStatus(i.Status),
		Plan:           i.Plan,
		PlanID:         i.PlanID,
		PeriodStart:    microTime(i.PeriodStart),
		PeriodEnd:      microTime(i.PeriodEnd),
		Seats:          i.Seats,
		DroppedFields:  i.Dropped,
	}
}

// subscriptionItemTombstone is of when the item ended: one that a subscription lists long after that leaves no tombstone for long.
func subscriptionItemTombstone(instance string, i *clerk.SubscriptionItemEnded) v1alpha1.ClerkSubscriptionItemSpec {
	return v1alpha1.ClerkSubscriptionItemSpec{
		Entity: tombstone(instance, i.ID, microTime(i.UpdatedAt)), OrganizationID: i.OrganizationID,
	}
}

// subscription writes each item of a subscription. One that fails keeps no other from being written.
func (m *Mirror) subscription(ctx context.Context, instance string, data *clerk.Subscription, told telling) (Outcome, error) {
	outcome := Ignored
	var errs []error
	for _, item := range data.Items {
		one, err := m.apply(ctx, instance, item, told)
		if err == nil && one == Applied {
			countDropped(item)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if outcome == Ignored || one == Applied {
			outcome = one
		}
	}
	return outcome, firstWorthAnotherAttempt(errs)
}

// firstWorthAnotherAttempt is the first error that another attempt may mend, else the first of all; nil if there is none.
func firstWorthAnotherAttempt(errs []error) error {
	for _, err := range errs {
		if _, rejected := errors.AsType[*RejectedError](err); !rejected {
			return err
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

// subscriptionItem writes an item of an organization's subscription. Those of users are nobody's business here. One that has ended leaves a
// tombstone also where nobody knows of which organization it was: without, what was said before would bring it to life for good.
func (m *Mirror) subscriptionItem(
	ctx context.Context, want v1alpha1.ClerkSubscriptionItemSpec, isOfUser bool, told telling,
) (Outcome, error) {
	if isOfUser {
		return Ignored, nil
	}
	if want.OrganizationID == "" {
		isKnown, err := m.knowsWhose(ctx, &want)
		if err != nil || !isKnown && want.DeletedAt == nil {
			return Ignored, err
		}
	}
	if want.DeletedAt != nil {
		told.at = want.DeletedAt.Time // what ended before the horizon needs no tombstone
	}
	return put(ctx, m, subscriptionItems, want, told)
}

// knowsWhose adds the organization that an item is known to be of, where the news does not say.
func (m *Mirror) knowsWhose(ctx context.Context, want *v1alpha1.ClerkSubscriptionItemSpec) (bool, error) {
	name := subscriptionItems.nameOf(want)
	var known v1alpha1.ClerkSubscriptionItem
	err := m.Live.Get(ctx, types.NamespacedName{Name: name}, &known)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	want.OrganizationID = known.Spec.OrganizationID
	return want.OrganizationID != "", nil
}
