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

package horizon_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
)

const day = 24 * time.Hour

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// written is a horizon that has been there for a year: with a floor of so many days ago.
func written(retention time.Duration, floorDaysAgo int) v1alpha1.TombstoneHorizon {
	return v1alpha1.TombstoneHorizon{
		RetentionSeconds: int64(retention.Seconds()),
		Floor:            metav1.NewTime(now.AddDate(0, 0, -floorDaysAgo)), ChangedAt: metav1.NewTime(now.AddDate(-1, 0, 0)),
	}
}

func TestTheStrictestOfAllThatIsKnownHolds(t *testing.T) {
	tests := map[string]struct {
		reason    string
		stored    v1alpha1.TombstoneHorizon
		retention time.Duration
		want      time.Duration
	}{
		"all agree":                 {"nothing was ever changed", written(7*day, 365), 7 * day, 7 * day},
		"this replica keeps longer": {"the elected one removes tombstones", written(7*day, 365), 30 * day, 7 * day},
		"this replica keeps less":   {"it may be elected next", written(30*day, 365), 7 * day, 7 * day},
		"raised a while ago":        {"what went before does not come back", written(30*day, 12), 30 * day, 12 * day},
		"raised long ago":           {"the floor is passed", written(30*day, 40), 30 * day, 30 * day},
		"nothing is written":        {"nobody knows what is gone", v1alpha1.TombstoneHorizon{}, 30 * day, 28 * time.Hour},
		"nothing, and short":        {"nobody knows what is gone", v1alpha1.TombstoneHorizon{}, time.Hour, time.Hour},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := now.Sub(horizon.Oldest(tc.stored, tc.retention, now)); got != tc.want {
				t.Errorf("%s: %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestWhatIsWrittenDown(t *testing.T) {
	tests := map[string]struct {
		reason    string
		stored    v1alpha1.TombstoneHorizon
		retention time.Duration
		floor     time.Duration
		isNew     bool
	}{
		"the same":           {"a start changes nothing", written(7*day, 365), 7 * day, 365 * day, false},
		"raised":             {"with a margin for clocks", written(7*day, 365), 30 * day, 7*day - time.Minute, true},
		"raised once more":   {"the floor of before is newer", written(30*day, 12), 60 * day, 12 * day, true},
		"lowered":            {"the shorter retention says it", written(30*day, 365), 7 * day, 365 * day, true},
		"lowered and raised": {"the floor never goes back", written(7*day, 3), 30 * day, 3 * day, true},
		"never written":      {"nobody knows what is gone", v1alpha1.TombstoneHorizon{}, 30 * day, 28 * time.Hour, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			next, isNew := horizon.Next(tc.stored, tc.retention, now)
			if isNew != tc.isNew || now.Sub(next.Floor.Time) != tc.floor || next.RetentionSeconds != int64(tc.retention.Seconds()) {
				t.Errorf("%s: got %+v, %t", tc.reason, next, isNew)
			}
			if _, again := horizon.Next(next, tc.retention, now.Add(day)); again {
				t.Error("it would be written again and again")
			}
		})
	}
}

func TestATombstoneWaitsUntilItsHorizonIsKnownEverywhere(t *testing.T) {
	just := written(7*day, 365)
	just.ChangedAt = metav1.NewTime(now)
	old := now.AddDate(0, 0, -20)
	tests := map[string]struct {
		reason    string
		stored    v1alpha1.TombstoneHorizon
		retention time.Duration
		want      time.Time
	}{
		"lowered just now":      {"a replica may not know it yet", just, 7 * day, now.Add(time.Minute)},
		"not lowered yet":       {"what is written is longer", written(30*day, 365), 7 * day, old.Add(30*day + time.Minute)},
		"not raised yet":        {"what is to come is longer", written(7*day, 365), 30 * day, old.Add(30*day + time.Minute)},
		"nothing is written":    {"first it is written", v1alpha1.TombstoneHorizon{}, 7 * day, now.Add(time.Minute)},
		"as it is since a year": {"it is past", written(7*day, 365), 7 * day, old.Add(7*day + time.Minute)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := horizon.CollectionTime(tc.stored, tc.retention, old, now); !got.Equal(tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

// TestNothingFromBeforeARemovedTombstoneMayCreate lets replicas of any retention be elected one after the other for years, with clocks that
// differ and caches that lag.
func TestNothingFromBeforeARemovedTombstoneMayCreate(t *testing.T) {
	const skew, lag = 20 * time.Second, 20 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		retentions := rapid.SampledFrom([]time.Duration{28 * time.Hour, 3 * day, 7 * day, 30 * day, 90 * day})
		pauses := rapid.SampledFrom([]time.Duration{0, lag, time.Minute, time.Hour, day, 5 * day, 20 * day, 40 * day})
		clock := func(label string) time.Duration {
			return time.Duration(rapid.Int64Range(int64(-skew/2), int64(skew/2)).Draw(t, label))
		}
		var stored, before v1alpha1.TombstoneHorizon
		var writtenAt, removed time.Time
		at, elected := now, retentions.Draw(t, "first")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			at = at.Add(pauses.Draw(t, "pause"))
			if rapid.Bool().Draw(t, "another is elected") {
				elected = retentions.Draw(t, "elected")
			}
			its := at.Add(clock("the elected one's clock"))
			if next, isNew := horizon.Next(stored, elected, its); isNew && rapid.Bool().Draw(t, "writes it first") {
				stored, before, writtenAt = next, stored, at
				at = at.Add(min(time.Minute+time.Second, pauses.Draw(t, "moment")))
				its = its.Add(at.Sub(writtenAt))
			}
			tombstone := its.Add(-retentions.Draw(t, "age") - time.Minute)
			if !its.Before(horizon.CollectionTime(stored, elected, tombstone, its)) && tombstone.After(removed) {
				removed = tombstone
			}
			seen := stored
			if at.Sub(writtenAt) < lag {
				seen = before
			}
			oldest := horizon.Oldest(seen, retentions.Draw(t, "receives"), at.Add(clock("the receiver's clock")))
			if !removed.Before(oldest) {
				t.Fatalf("what is from %v may create, and a tombstone from then is gone", removed)
			}
		}
	})
}
