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

package database

import (
	"maps"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Failure is something that went wrong.
type Failure struct {
	// Code is PostgreSQL's SQLSTATE, or a word of the operator's.
	Code string
	// Reason is that of the condition.
	Reason string
	// Message is more than the reason says, where there is more. It holds no data.
	Message string
	// At is when.
	At time.Time
}

// Counts are how many rows a table has.
type Counts struct {
	Living, Deleted int64
}

// State is how a database stands.
type State struct {
	// Version is that of the plan.
	Version string
	// IsConnected and IsInStep say whether the database is at work, and whether it has all that is mirrored.
	IsConnected, IsInStep bool
	// Failure is why it is not; nil if nothing is wrong.
	Failure *Failure
	// LastError is the last failure, also if it goes well again.
	LastError Failure
	// Objects may differ from their rows, the first of them since Since.
	Objects int64
	Since   time.Time
	// Refused are rows that the database takes in no form, and RefusedCode is its last SQLSTATE for that.
	Refused     int
	RefusedCode string
	// Counts are by table.
	Counts map[v1alpha1.DatabaseTable]Counts
	// ComparedAt is when everything was last compared.
	ComparedAt time.Time
}

// state is what a keeper notes of itself.
type state struct {
	connected, inStep bool
	failure           *Failure
	lastError         Failure
	since             time.Time // not in step since then
	left              int64     // objects that are still to be compared
	refused           map[key]struct{}
	refusedCode       string
	counts            map[v1alpha1.DatabaseTable]Counts
	comparedAt        time.Time
}

func newState() state {
	return state{refused: map[key]struct{}{}, counts: map[v1alpha1.DatabaseTable]Counts{}}
}

func (k *keeper) set(change func(*state)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.state)
}

// report is the state as others may read it.
func (k *keeper) report() State {
	objects, since := k.pending.lag()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &k.state
	if !s.inStep {
		objects += max(s.left, 0)
		if since.IsZero() || s.since.Before(since) {
			since = s.since
		}
	}
	return State{
		Version: k.plan.Version, IsConnected: s.connected, IsInStep: s.inStep, Failure: s.failure, LastError: s.lastError,
		Objects: objects + int64(len(s.refused)), Since: since, Refused: len(s.refused), RefusedCode: s.refusedCode,
		Counts: maps.Clone(s.counts), ComparedAt: s.comparedAt,
	}
}

// Seconds are for how long the database has been behind.
func (s *State) Seconds(now time.Time) float64 {
	if s.Since.IsZero() {
		return 0
	}
	return max(now.Sub(s.Since).Seconds(), 0)
}
