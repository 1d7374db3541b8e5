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
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
	"github.com/clerk-operator/clerk-operator/internal/database/writer"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// codeSchema and codeOwner are the codes of what is no error of PostgreSQL.
const codeSchema, codeOwner = "schema", "not_owner"

// Plan says what one database is kept in step with.
type Plan struct {
	// Name and UID are those of the ClerkDatabase.
	Name, UID string
	// Instance is the ClerkInstance whose objects are written.
	Instance string
	// Schema is where to.
	Schema string
	// Tables are those that are wanted.
	Tables []v1alpha1.DatabaseTable
	// PersonalData says whether personal columns are written.
	PersonalData v1alpha1.DatabasePersonalData
	// Settings are how to connect.
	Settings *postgres.Settings
	// Version tells one plan of a ClerkDatabase from another.
	Version string
}

func (p *Plan) wants(table v1alpha1.DatabaseTable) bool { return slices.Contains(p.Tables, table) }

// keeper keeps one database in step. One goroutine runs it.
type keeper struct {
	plan    Plan
	source  *source
	now     func() time.Time
	changed func() // that the state has changed

	pending *pending
	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex
	state state
}

// note takes note of a change of an object.
func (k *keeper) note(at rows.Identity, news change) {
	if at.Instance == k.plan.Instance && k.plan.wants(at.Table) {
		k.pending.add(key{at.Table, at.ID}, news)
	}
}

// run connects and works until the context ends. What goes wrong ends a session, and the next begins after a pause.
func (k *keeper) run(ctx context.Context) {
	defer close(k.stopped)
	k.set(func(s *state) { s.since = k.now() })
	pause := retryFirst
	for ctx.Err() == nil {
		began := k.now()
		err := k.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if k.now().Sub(began) > stableAfter {
			pause = retryFirst
		}
		wait := max(pause, k.failed(ctx, err))
		pause = min(2*pause, retryLast)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// failed says in the state what went wrong, without what the database answered, and how long to wait at least.
func (k *keeper) failed(ctx context.Context, err error) (wait time.Duration) {
	failure := Failure{Code: codeOwner, Reason: v1alpha1.ReasonDatabaseUnavailable}
	refused, isRefused := errors.AsType[*schema.RefusedError](err)
	switch {
	case isRefused:
		failure, wait = Failure{Code: codeSchema, Reason: refused.Reason, Message: refused.Message}, refusedPause
	case errors.Is(err, writer.ErrNotOwner):
		wait = yieldPause
	default:
		found := postgres.Classify(err)
		failure = Failure{Code: found.Code, Reason: found.Reason}
	}
	failure.At = k.now()
	ctrl.LoggerFrom(ctx).Error(errors.New(failure.Code), "cannot keep a database in step; it is tried again",
		"database", k.plan.Name, "reason", failure.Reason)
	metrics.DatabaseErrors.WithLabelValues(k.plan.Name, failure.Reason).Inc()
	k.set(func(s *state) {
		if s.inStep { // from now on nobody knows
			s.since = failure.At
		}
		s.inStep, s.failure, s.lastError = false, &failure, failure
	})
	k.changed()
	return wait
}

// session is one connection. It returns when something goes wrong.
func (k *keeper) session(ctx context.Context) error {
	w, err := writer.Open(ctx, k.plan.Settings, schema.Claim{Schema: k.plan.Schema, Instance: k.plan.Instance, Owner: k.plan.UID})
	if err != nil {
		return err
	}
	defer w.Close()
	s := &session{keeper: k, writer: w, beaten: k.now(), stale: map[v1alpha1.DatabaseTable]bool{}}
	if err := s.compareAll(ctx); err != nil {
		return err
	}
	beat, compare := time.NewTicker(beatInterval), time.NewTicker(compareInterval)
	defer beat.Stop()
	defer compare.Stop()
	for {
		if err := s.drain(ctx); err != nil {
			return err
		}
		if since, yes := k.pending.overflowed(); yes {
			k.set(func(s *state) { s.inStep, s.since = false, since })
			if err := s.compareAll(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.pending.signal:
		case <-beat.C:
			if err := s.count(ctx); err != nil {
				return err
			}
			err = s.beat(ctx)
		case <-compare.C:
			err = s.compareAll(ctx)
		}
		if err != nil {
			return err
		}
	}
}
