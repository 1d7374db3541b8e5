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
	"fmt"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
	"github.com/clerk-operator/clerk-operator/internal/database/writer"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// session is a keeper while it is connected.
type session struct {
	*keeper
	writer *writer.Writer
	beaten time.Time
	// stale are the tables whose rows have to be counted.
	stale map[v1alpha1.DatabaseTable]bool
}

// beat shows that the schema is in use, if that was not shown lately.
func (s *session) beat(ctx context.Context) error {
	if s.now().Sub(s.beaten) < beatInterval/2 {
		return nil
	}
	if err := s.writer.Beat(ctx); err != nil {
		return fmt.Errorf("show that the schema is in use: %w", err)
	}
	s.beaten = s.now()
	return nil
}

// drain writes what has changed.
func (s *session) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		changes := s.pending.take(batchRows)
		if len(changes) == 0 {
			return nil
		}
		if err := s.writeChanges(ctx, changes); err != nil {
			s.pending.giveBack(changes)
			return err
		}
	}
	return ctx.Err()
}

// writeChanges writes changes of one table.
func (s *session) writeChanges(ctx context.Context, changes map[key]change) error {
	var table *schema.Table
	var gone []writer.Known
	batch := &batch{session: s, order: writer.NewerOnly}
	for at, change := range changes {
		table = schema.TableOf(at.table)
		batch.table = table
		object := s.source.get(at, s.plan.Instance)
		if object != nil {
			if err := batch.add(ctx, rows.Of(object, s.plan.PersonalData)); err != nil {
				return err
			}
		}
		if change.gone != "" && (object == nil || object.GetUID() != change.gone) {
			gone = append(gone, writer.Known{ID: at.id, Object: rows.Object{UID: string(change.gone)}})
		}
	}
	if err := batch.flush(ctx); err != nil {
		return err
	}
	return s.gone(ctx, table, gone)
}

func (s *session) gone(ctx context.Context, table *schema.Table, gone []writer.Known) error {
	if len(gone) == 0 {
		return nil
	}
	changed, err := s.writer.Gone(ctx, table, gone)
	if err != nil {
		return err
	}
	s.wrote(table, changed)
	return nil
}

func (s *session) wrote(table *schema.Table, written int) {
	if written > 0 {
		metrics.DatabaseWritten.WithLabelValues(s.plan.Name, string(table.Name)).Add(float64(written))
		s.stale[table.Name] = true
	}
}

// count counts the rows of tables in which something has changed.
func (s *session) count(ctx context.Context) error {
	for name := range s.stale {
		living, deleted, err := s.writer.Count(ctx, schema.TableOf(name))
		if err != nil {
			return fmt.Errorf("count the rows of %s: %w", name, err)
		}
		delete(s.stale, name)
		s.set(func(state *state) { state.counts[name] = Counts{living, deleted} })
	}
	return nil
}

// batch gathers rows of one table, and writes them when there are enough.
type batch struct {
	*session
	table *schema.Table
	order writer.Order
	rows  []rows.Row
	size  int
}

func (b *batch) add(ctx context.Context, row rows.Row) error {
	b.rows, b.size = append(b.rows, row), b.size+row.Size
	if len(b.rows) < batchRows && b.size < batchBytes {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	result, err := b.writer.Write(ctx, b.table, b.rows, b.order)
	metrics.DatabaseReduced.WithLabelValues(b.plan.Name, string(b.table.Name)).Add(float64(len(result.Reduced)))
	b.wrote(b.table, result.Written)
	b.set(func(s *state) {
		for _, row := range b.rows {
			delete(s.refused, key{b.table.Name, row.ID})
		}
		for _, id := range result.Refused {
			if len(s.refused) < maxRefused {
				s.refused[key{b.table.Name, id}] = struct{}{}
			}
			s.refusedCode = result.RefusedCode
		}
	})
	b.rows, b.size = b.rows[:0], 0
	return err
}
