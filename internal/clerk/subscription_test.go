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
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ofOrganization = `"payer":{"organization_id":"org_1","user_id":"","email":"` + canary + `@example.org"}`

func itemEvent(fields string) string {
	return eventOf(TypeSubscriptionItemUpdated, `"id":"csub_item_1",`+fields)
}

func subscriptionCases() map[string]acceptance {
	item := func(change func(*SubscriptionItem)) *SubscriptionItem {
		i := &SubscriptionItem{ID: "csub_item_1", OrganizationID: "org_1", Status: "active", UpdatedAt: updated}
		if change != nil {
			change(i)
		}
		return i
	}
	dropped := func(fields ...string) *SubscriptionItem {
		return item(func(i *SubscriptionItem) { i.Dropped = fields })
	}
	at := time.UnixMilli(1773480360123).UTC()
	ended := &SubscriptionItemEnded{ID: "csub_item_1", OrganizationID: "org_1", UpdatedAt: updated}
	later := &SubscriptionItemEnded{ID: "csub_item_1", OrganizationID: "org_1", UpdatedAt: updated.Add(time.Second)}
	active := func(fields string) string { return itemEvent(`"status":"active",` + ofOrganization + fields) }
	return map[string]acceptance{
		"least": {"", active(""), item(nil)},
		"whole": {"", active(`,"plan_id":"cplan_1","plan":{"id":"cplan_1","slug":"pro","name":"` + canary + `","amount":2000,"currency":"USD"},
			"period_start":1773480360123,"period_end":1773480660123,"created_at":1773480360123,"seats":{"quantity":5},"interval":"month"`),
			item(func(i *SubscriptionItem) {
				i.Plan, i.PlanID, i.Seats, i.PeriodStart, i.PeriodEnd, i.CreatedAt = "pro", "cplan_1", new(int64(5)), at, updated, at
			})},
		"no plan":           {"Clerk allows null", active(`,"plan_id":null,"plan":null,"period_end":null`), item(nil)},
		"any seats":         {"null has no limit", active(`,"seats":{"quantity":null}`), item(func(i *SubscriptionItem) { i.Seats = new(int64(0)) })},
		"seats of nobody":   {"Clerk says nothing of them", active(`,"seats":null`), item(nil)},
		"odd seats":         {"", active(`,"seats":"many"`), dropped("seats")},
		"negative seats":    {"", active(`,"seats":{"quantity":-1}`), dropped("seats")},
		"odd slug":          {"", active(`,"plan":{"slug":7}`), dropped("plan")},
		"long slug":         {"a cut one may be another's", active(`,"plan":{"slug":"` + strings.Repeat("p", maxSlugLength+1) + `"}`), dropped("plan")},
		"odd plan":          {"", active(`,"plan":"pro"`), dropped("plan")},
		"odd times":         {"", active(`,"period_start":"soon","period_end":-5`), dropped("periodEnd", "periodStart")},
		"a status to come":  {"", itemEvent(`"status":"paused",` + ofOrganization), item(func(i *SubscriptionItem) { i.Status = "paused" })},
		"of a user":         {"", itemEvent(`"status":"active","payer":{"user_id":"user_1","organization_id":""}`), &SubscriptionItem{ID: "csub_item_1", IsOfUser: true, Status: "active", UpdatedAt: updated}},
		"of whom?":          {"", itemEvent(`"status":"active"`), &SubscriptionItem{ID: "csub_item_1", Status: "active", UpdatedAt: updated}},
		"ended":             {"", itemEvent(`"status":"ended",` + ofOrganization), ended},
		"abandoned":         {"", itemEvent(`"status":"abandoned",` + ofOrganization), ended},
		"expired":           {"only the API says so", itemEvent(`"status":"expired",` + ofOrganization), ended},
		"ended, all is odd": {"an end takes access away", itemEvent(`"status":"ended","plan":7,"seats":"x","period_start":"y",` + ofOrganization), ended},
		"ended later":       {"than Clerk changed it last", itemEvent(`"status":"ended","ended_at":1773480661123,` + ofOrganization), later},
		"ended before":      {"Clerk changed it", itemEvent(`"status":"ended","ended_at":1773480360123,` + ofOrganization), ended},
		"ended, some day":   {"an odd time says nothing", itemEvent(`"status":"ended","ended_at":9223372036854775807,` + ofOrganization), ended},
		"a subscription": {"its items do not say whose they are", eventOf(TypeSubscriptionUpdated, `"id":"csub_1",`+ofOrganization+`,"items":[
			{"id":"csub_item_1","status":"ended","payer":null,"updated_at":1773480660123},
			{"id":"csub_item_1","status":"active","payer":null,"updated_at":1773480660123}]`),
			&Subscription{ID: "csub_1", Items: []Data{ended, item(nil)}, UpdatedAt: updated}},
		"without items": {"", eventOf(TypeSubscriptionUpdated, `"id":"csub_1"`), &Subscription{ID: "csub_1", UpdatedAt: updated}},
	}
}

func TestDecodeSubscriptions(t *testing.T) { checkAccepted(t, subscriptionCases()) }

func TestDecodeRefusesSubscriptionsOfNoUse(t *testing.T) {
	many := strings.Repeat(`{"id":"csub_item_1","status":"active","updated_at":1773480660123},`, maxSubscriptionItems) +
		`{"id":"csub_item_1","status":"active","updated_at":1773480660123}`
	for name, tc := range map[string]struct{ body, says string }{
		"no id":          {eventOf(TypeSubscriptionItemActive, `"status":"active"`), "data.id"},
		"no status":      {itemEvent(`"seats":null`), "data.status"},
		"no word":        {itemEvent(`"status":"A"`), "data.status"},
		"a long status":  {itemEvent(`"status":"` + strings.Repeat("a", maxStatusLength+1) + `"`), "data.status"},
		"an odd item":    {eventOf(TypeSubscriptionUpdated, `"id":"csub_1","items":[{"id":"csub_item_1"}]`), "data.items[0].status"},
		"too many items": {eventOf(TypeSubscriptionUpdated, `"id":"csub_1","items":[`+many+`]`), "data.items: more than"},
		"no id at all":   {eventOf(TypeSubscriptionUpdated, `"items":[]`), "data.id"},
		"no time": {
			fmt.Sprintf(`{"type":%q,"timestamp":1773480660123,"data":{"id":"csub_item_1","status":"active"}}`, TypeSubscriptionItemActive),
			"data.updated_at: missing",
		},
	} {
		if _, err := Decode([]byte(tc.body)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, want %q", name, err, tc.says)
		}
	}
}

// Clerk's schema lets a row of its list lack updated_at.
func TestAListedItemIsAsOldAsItsLastChange(t *testing.T) {
	data, err := DecodeSubscriptionItem([]byte(`{"id":"csub_item_1","status":"canceled","created_at":1773480360123,"canceled_at":1773480660123}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(updated, data.(*SubscriptionItem).UpdatedAt); diff != "" {
		t.Error(diff)
	}
}

func checkSubscriptionItem(t *testing.T, item *SubscriptionItem) {
	t.Helper()
	if item.UpdatedAt.IsZero() || checkStatus("", item.Status) != nil || finalStatuses[item.Status] || len(item.Plan) > maxSlugLength ||
		item.Seats != nil && *item.Seats < 0 || item.IsOfUser && item.OrganizationID != "" {
		t.Errorf("got %+v", item)
	}
}
