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
	"maps"
	"sort"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
	"github.com/clerk-operator/clerk-operator/internal/database/writer"
)

// compareAll compares every row with what is mirrored, and writes what differs: at first that is the backfill, after an outage what was
// missed, and once an hour what nobody told.
func (s *session) compareAll(ctx context.Context) error {
	s.pending.overflowed() // what was missed is found below
	left := int64(0)
	for i := range schema.Tables {
		table := &schema.Tables[i]
		if !s.plan.wants(table.Name) {
			if err := s.empty(ctx, table); err != nil {
				return err
			}
			continue
		}
		left += int64(len(s.source.all(table.Name, s.plan.Instance)))
	}
	s.set(func(state *state) { state.connected, state.left = true, left })
	s.changed()
	for i := range schema.Tables {
		table := &schema.Tables[i]
		if !s.plan.wants(table.Name) {
			continue
		}
		if err := s.compare(ctx, table, s.source.all(table.Name, s.plan.Instance)); err != nil {
			return fmt.Errorf("compare %s: %w", table.Name, err)
		}
		s.stale[table.Name] = true
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	s.set(func(state *state) {
		state.inStep, state.left, state.failure, state.comparedAt = true, 0, nil, s.now()
	})
	s.changed()
	return nil
}

func (s *session) empty(ctx context.Context, table *schema.Table) error {
	if err := s.writer.Empty(ctx, table); err != nil {
		return fmt.Errorf("empty the table %s: %w", table.Name, err)
	}
	s.set(func(state *state) { delete(state.counts, table.Name) })
	return nil
}

// compare goes through the objects and the rows of a table side by side: both are in the order of ids.
func (s *session) compare(ctx context.Context, table *schema.Table, objects []client.Object) error {
	s.set(func(state *state) { // they are found again
		maps.DeleteFunc(state.refused, func(at key, _ struct{}) bool { return at.table == table.Name })
	})
	after := ""
	for {
		page, err := s.writer.Page(ctx, table, after, pageRows)
		if err != nil {
			return err
		}
		here, isLast := objects, len(page) < pageRows
		if !isLast {
			after = page[len(page)-1].ID
			end := sort.Search(len(objects), func(i int) bool { return idOf(objects[i]) > after })
			here, objects = objects[:end], objects[end:]
		}
		if err := s.comparePage(ctx, table, here, page); err != nil || isLast {
			return err
		}
	}
}

// comparePage writes what the rows of a page lack.
func (s *session) comparePage(ctx context.Context, table *schema.Table, objects []client.Object, page []writer.Known) error {
	batch := &batch{session: s, table: table, order: writer.NewerOnly}
	var doubtful []writer.Known
	for n, object := range objects {
		id := idOf(object)
		for len(page) > 0 && page[0].ID < id {
			doubtful, page = appendLiving(doubtful, page[0]), page[1:]
		}
		row := rows.Of(object, s.plan.PersonalData)
		isThere := len(page) > 0 && page[0].ID == id
		switch {
		case isThere && page[0].Object.NewerThan(row.Object):
			doubtful = append(doubtful, page[0])
		case !isThere || differs(page[0], row):
			if err := batch.add(ctx, row); err != nil {
				return err
			}
		}
		if isThere {
			page = page[1:]
		}
		if n%batchRows == 0 {
			if err := s.attend(ctx, min(batchRows, len(objects)-n)); err != nil {
				return err
			}
		}
	}
	for _, known := range page {
		doubtful = appendLiving(doubtful, known)
	}
	if err := batch.flush(ctx); err != nil {
		return err
	}
	return s.settle(ctx, table, doubtful)
}

func appendLiving(doubtful []writer.Known, known writer.Known) []writer.Known {
	if known.IsDeleted {
		return doubtful
	}
	return append(doubtful, known)
}

func differs(known writer.Known, row rows.Row) bool {
	return known.Object.UID != row.Object.UID || known.Object.Generation != row.Object.Generation || known.Hash != row.Hash
}

// attend does between two batches what cannot wait until everything is compared: a revocation that was just mirrored, most of all.
func (s *session) attend(ctx context.Context, about int) error {
	s.set(func(state *state) { state.left -= int64(about) })
	if err := s.drain(ctx); err != nil {
		return err
	}
	return s.beat(ctx)
}

// settle looks at rows whose object is not in the cache, or older there. The API server itself says which of both is late: the cache, as it
// may be after a change of leaders, or the row, whose object is gone or was restored from a backup.
func (s *session) settle(ctx context.Context, table *schema.Table, doubtful []writer.Known) error {
	restored := &batch{session: s, table: table, order: writer.AsItStands}
	var gone []writer.Known
	for n, known := range doubtful {
		object, err := s.source.ask(ctx, key{table.Name, known.ID}, s.plan.Instance)
		switch {
		case err != nil:
			return err
		case object == nil:
			gone = append(gone, known)
		case known.Object.NewerThan(rows.StateOf(object)):
			if err := restored.add(ctx, rows.Of(object, s.plan.PersonalData)); err != nil {
				return err
			}
		}
		if n%batchRows == batchRows-1 {
			if err := s.gone(ctx, table, gone); err != nil {
				return err
			}
			gone = nil
			if err := s.attend(ctx, 0); err != nil {
				return err
			}
		}
	}
	if err := restored.flush(ctx); err != nil {
		return err
	}
	return s.gone(ctx, table, gone)
}
