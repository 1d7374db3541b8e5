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

// Package horizon says how old something may be and still create a mirrored object. Tombstones are kept for a while only. What is older
// than one that may have been removed must not create: the tombstone that would refuse it may be gone. How long tombstones are kept can be
// changed, and replicas may differ in it for a moment, so what was in force is written into the ClerkInstance's status.
//
// All functions are pure: a replica gives them what is written there, how long it is told to keep tombstones itself, and its clock.
package horizon

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// maxClockSkew is how far the clocks of two replicas may be apart: the one that removes a tombstone waits that much longer than the one
	// that receives lets old events create.
	maxClockSkew = time.Minute

	// assumedRetention is how long tombstones are taken to have been kept where nothing is written down, at the least. It is as long as
	// Clerk's sender goes on trying by itself (27.6 hours), so that what comes by itself may create.
	assumedRetention = 28 * time.Hour
)

// Oldest is the time before which nothing of a ClerkInstance may create. It is the strictest of all that is known: how long this replica
// keeps tombstones, how long the elected one does, and the floor from before.
func Oldest(stored v1alpha1.TombstoneHorizon, retention time.Duration, now time.Time) time.Time {
	if !isWritten(stored) {
		return now.Add(-min(retention, assumedRetention))
	}
	oldest := now.Add(-min(retention, retentionOf(stored)))
	if stored.Floor.After(oldest) {
		return stored.Floor.Time
	}
	return oldest
}

// Next is what has to be written down by the elected replica before it removes anything, and whether that is something new.
//
// Keeping tombstones longer brings none of them back: the floor stays where the shorter retention had it. Keeping them shorter needs no
// floor: what is written is the shorter retention, by which every replica judges.
func Next(stored v1alpha1.TombstoneHorizon, retention time.Duration, now time.Time) (next v1alpha1.TombstoneHorizon, isNew bool) {
	retention, before := wholeSeconds(retention), retentionOf(stored)
	if isWritten(stored) && before == retention {
		return stored, false
	}
	floor := stored.Floor.Time
	switch {
	case !isWritten(stored):
		floor = now.Add(-min(retention, assumedRetention))
	case retention > before:
		if raised := now.Add(allowance(before) - before); raised.After(floor) {
			floor = raised
		}
	}
	return v1alpha1.TombstoneHorizon{
		RetentionSeconds: int64(retention / time.Second), Floor: notBefore(floor), ChangedAt: notBefore(now),
	}, true
}

// CollectionTime is when a tombstone may go that is from a certain time: whatever it has to refuse may not create any more by then, on any
// replica. Until the present retention is written down, and every replica can have read it, none goes.
func CollectionTime(stored v1alpha1.TombstoneHorizon, retention time.Duration, from, now time.Time) time.Time {
	settled := now
	if isWritten(stored) {
		retention = max(retention, retentionOf(stored))
		settled = stored.ChangedAt.Time
	}
	settled = settled.Add(allowance(retention))
	if due := Orphaned(retention, from); due.After(settled) {
		return due
	}
	return settled
}

// Orphaned is CollectionTime for a tombstone whose ClerkInstance does not exist: nothing is received for it, and where one is made again,
// nothing is written down in it.
func Orphaned(retention time.Duration, from time.Time) time.Time {
	return from.Add(retention + allowance(retention))
}

// allowance is the time that clocks may differ by. For a short retention it is short too.
func allowance(retention time.Duration) time.Duration {
	return min(maxClockSkew, retention/10)
}

func isWritten(stored v1alpha1.TombstoneHorizon) bool { return stored.RetentionSeconds > 0 }

func retentionOf(stored v1alpha1.TombstoneHorizon) time.Duration {
	return time.Duration(stored.RetentionSeconds) * time.Second
}

// wholeSeconds is a duration without fractions of a second: not shorter than it is.
func wholeSeconds(d time.Duration) time.Duration {
	if whole := d.Truncate(time.Second); whole == d {
		return d
	}
	return d.Truncate(time.Second) + time.Second
}

// notBefore is a time as a status keeps it, which has no fractions of a second: not earlier than it is.
func notBefore(t time.Time) metav1.Time {
	whole := t.Truncate(time.Second)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return metav1.NewTime(whole)
}
