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

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// item is one state of an item of an organization's subscription: one plan for one span of time.
type item struct {
	id, organization, plan string

	// status is Clerk's word. One that has ended never is anything else again.
	status v1alpha1.SubscriptionItemStatus

	// began is when its period did; ends, when it does, zero if that is open.
	began, ends, updated time.Time
}

const itemEnded = "ended"

func (i *item) hasEnded() bool { return i.status == itemEnded }

// givesPlan tells whether an item gives its plan at a moment.
func (i *item) givesPlan(at time.Time) bool {
	switch i.status {
	case v1alpha1.SubscriptionActive, v1alpha1.SubscriptionPastDue:
		return true
	case v1alpha1.SubscriptionCanceled:
		return i.ends.IsZero() || at.Before(i.ends)
	}
	return false
}

// planAt is an organization's plan at a moment: that of the item that gives one and began last.
func (m *model) planAt(organization string, at time.Time) string {
	giving := m.itemsOf(organization, func(i *item) bool { return i.givesPlan(at) })
	if len(giving) == 0 {
		return ""
	}
	return slices.MaxFunc(giving, func(a, b *item) int { return a.began.Compare(b.began) }).plan
}

func (m *model) itemsOf(organization string, which func(*item) bool) []*item {
	var found []*item
	for _, id := range slices.Sorted(maps.Keys(m.items)) {
		if i := m.items[id]; i.organization == organization && which(i) {
			found = append(found, i)
		}
	}
	return found
}

// isNewsOfItem tells whether a state of an item is newer than what is known. Nothing is newer than its end.
func (m *model) isNewsOfItem(i *item) bool {
	known := m.items[i.id]
	return known == nil || !known.hasEnded() && (i.hasEnded() || known.updated.Before(i.updated))
}

// plansSince are all plans that an organization may have had from a moment on, at which the cluster agreed with the model: by that, and by what
// was said since.
func (m *model) plansSince(organization string, from time.Time, news []*item) map[string]bool {
	plans := map[string]bool{m.planAt(organization, from): true}
	for _, canceled := range m.itemsOf(organization, func(i *item) bool { return i.ends.After(from) }) {
		plans[m.planAt(organization, canceled.ends)] = true
	}
	if len(news) == 0 {
		return plans
	}
	for _, i := range slices.Concat(news, m.itemsOf(organization, func(*item) bool { return true })) {
		if i.givesPlan(from) {
			plans[i.plan] = true // what is said of the others may come first, or last
		}
	}
	return plans
}

// compareItems wants every item mirrored as last heard of, and of those that have ended nothing but ids.
func (w *world) compareItems(seen *observation) []error {
	return compareEach(seen.items, w.heard.items, compareItem)
}

// compareEach compares what was heard of each entity with its object, which is nil where there is none.
func compareEach[O, E any](seen map[string]*O, heard map[string]*E, compare func(*O, *E) error) (wrong []error) {
	for id, entity := range heard {
		if problem := compare(seen[id], entity); problem != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", id, problem))
		}
	}
	return wrong
}

func compareItem(object *v1alpha1.ClerkSubscriptionItem, i *item) error {
	if object == nil {
		return errors.New("it is not mirrored")
	}
	spec := object.Spec
	tombstone := v1alpha1.ClerkSubscriptionItemSpec{
		Entity:         v1alpha1.Entity{Instance: operatorproc.Instance, ID: i.id, DeletedAt: spec.DeletedAt},
		OrganizationID: i.organization,
	}
	switch {
	case i.hasEnded() && (spec.DeletedAt == nil || !equality.Semantic.DeepEqual(spec, tombstone)):
		return fmt.Errorf("it has ended but is mirrored as %+v", spec)
	case !i.hasEnded() && (spec.OrganizationID != i.organization || spec.Plan != i.plan || spec.Status != i.status || spec.UpdatedAt == nil ||
		!spec.UpdatedAt.Time.Equal(i.updated) || (spec.PeriodEnd == nil) != i.ends.IsZero()):
		return fmt.Errorf("it is mirrored as %s of %v, want %s of %s", spec.Status, spec.UpdatedAt, i.status, i.updated)
	}
	return nil
}

// subscribe gives an organization an item with a plan. Those that it has go on: Clerk tells of their ends by themselves.
func (c *simulatedClerk) subscribe(o *organization, plan string) {
	i := &item{id: c.id("csub_item"), organization: o.id, plan: plan, status: v1alpha1.SubscriptionActive, began: c.tick()}
	c.items[i.id] = i
	c.changeItem(i, func(*item) {})
}

// changeItem makes a change to an item and tells of it.
func (c *simulatedClerk) changeItem(i *item, change func(*item)) {
	change(i)
	i.updated = c.tick()
	what := "updated"
	if i.hasEnded() {
		what = itemEnded
		delete(c.items, i.id)
	}
	c.say(clerktest.SubscriptionItemEvent(what, i.clerktest()), &message{items: []*item{new(*i)}})
}

// tellSubscription tells how an organization's subscription stands, with all of its items.
func (c *simulatedClerk) tellSubscription(o *organization) {
	var items []*item
	var told []clerktest.SubscriptionItem
	for _, id := range slices.Sorted(maps.Keys(c.items)) {
		if i := c.items[id]; i.organization == o.id {
			items, told = append(items, new(*i)), append(told, i.clerktest())
		}
	}
	if len(items) > 0 {
		c.say(clerktest.SubscriptionEvent("updated", told...), &message{items: items})
	}
}

// clerktest is the item as Clerk writes it, with who pays.
func (i *item) clerktest() clerktest.SubscriptionItem {
	return clerktest.SubscriptionItem{
		ID: i.id, OrganizationID: i.organization, Status: string(i.status), Plan: i.plan,
		PeriodStart: i.began, PeriodEnd: i.ends, CreatedAt: i.began, UpdatedAt: i.updated,
	}
}

// drawEnd is when something ends by itself: never, long ago, in a moment, or in an hour.
func (d dice) drawEnd() time.Time {
	now := time.Now().Truncate(time.Second)
	return rapid.SampledFrom([]time.Time{
		{}, now.Add(-time.Hour), now.Add(time.Hour), now.Add(time.Second), now.Add(2 * time.Second), now.Add(3 * time.Second),
	}).Draw(d.r, "end")
}

func (p *player) drawItem() *item {
	return p.clerk.items[rapid.SampledFrom(slices.Sorted(maps.Keys(p.clerk.items))).Draw(p.r, "item")]
}

// subscribe gives an organization a plan, instead of those that it has or besides.
func (p *player) subscribe() {
	o, plan := p.drawOrganization(), rapid.SampledFrom([]string{planFree, planPro, planPro}).Draw(p.r, "plan of Clerk's billing")
	if rapid.Bool().Draw(p.r, "instead") {
		for _, id := range slices.Sorted(maps.Keys(p.clerk.items)) {
			if i := p.clerk.items[id]; i.organization == o.id {
				p.clerk.changeItem(i, func(i *item) { i.status = itemEnded })
				p.mayLose()
			}
		}
	}
	p.clerk.subscribe(o, plan)
	p.mayLose()
}

// changeItem lets an item be paid, owed, canceled, put off or ended.
func (p *player) changeItem() {
	i := p.drawItem()
	status := rapid.SampledFrom([]v1alpha1.SubscriptionItemStatus{
		v1alpha1.SubscriptionActive, v1alpha1.SubscriptionPastDue, v1alpha1.SubscriptionCanceled, v1alpha1.SubscriptionCanceled,
		v1alpha1.SubscriptionUpcoming, v1alpha1.SubscriptionIncomplete, itemEnded, itemEnded,
	}).Draw(p.r, "status")
	ends := p.drawEnd()
	p.clerk.changeItem(i, func(i *item) { i.status, i.ends = status, ends })
	p.mayLose()
}

func (p *player) tellSubscription() { p.clerk.tellSubscription(p.drawOrganization()) }
