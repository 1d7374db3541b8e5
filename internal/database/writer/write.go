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

package writer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
)

// Result says what became of rows.
type Result struct {
	// Written is how many were written; the others were there already, or newer.
	Written int
	// Reduced are the ids of rows of which the database took ids and times alone.
	Reduced []string
	// Refused are those that it took in no form, and the last SQLSTATE for that.
	Refused     []string
	RefusedCode string
}

func (r *Result) add(other Result) {
	r.Written += other.Written
	r.Reduced = append(r.Reduced, other.Reduced...)
	r.Refused = append(r.Refused, other.Refused...)
	if other.RefusedCode != "" {
		r.RefusedCode = other.RefusedCode
	}
}

// Order says whether a write may go back.
type Order bool

const (
	// NewerOnly lets nothing older take the place of what is newer.
	NewerOnly Order = false

	// AsItStands writes what the API server says now, whatever the table has: after a restored backup, that is older.
	AsItStands Order = true
)

// Write writes rows of one table, each at most once. What the database does not take for what it is, is searched for by halves, and written
// without its content.
func (w *Writer) Write(ctx context.Context, table *schema.Table, batch []rows.Row, order Order) (Result, error) {
	written, err := w.upsert(ctx, table, batch, order)
	code := postgres.Code(err)
	switch {
	case err == nil:
		return Result{Written: written}, nil
	case !postgres.RefusesData(code):
		return Result{}, fmt.Errorf("write %d rows of %s: %w", len(batch), table.Name, err)
	case len(batch) == 1:
		return w.writeReduced(ctx, table, batch[0], order)
	}
	var result Result
	for _, half := range [][]rows.Row{batch[:len(batch)/2], batch[len(batch)/2:]} {
		part, errPart := w.Write(ctx, table, half, order)
		result.add(part)
		if errPart != nil {
			return result, errPart
		}
		if len(result.Refused) > maxRefused {
			return result, fmt.Errorf("write rows of %s, of which too many are refused: %w", table.Name, err)
		}
	}
	return result, nil
}

func (w *Writer) writeReduced(ctx context.Context, table *schema.Table, row rows.Row, order Order) (Result, error) {
	written, err := w.upsert(ctx, table, []rows.Row{row.Reduced(table)}, order)
	switch code := postgres.Code(err); {
	case err == nil:
		return Result{Written: written, Reduced: []string{row.ID}}, nil
	case postgres.RefusesData(code):
		return Result{Refused: []string{row.ID}, RefusedCode: code}, nil
	}
	return Result{}, fmt.Errorf("write a row of %s: %w", table.Name, err)
}

func (w *Writer) upsert(ctx context.Context, table *schema.Table, batch []rows.Row, order Order) (written int, err error) {
	columns := table.All()
	values := make([][]*string, len(columns))
	for i := range values {
		values[i] = make([]*string, len(batch))
	}
	ids, uids := make([]string, len(batch)), make([]string, len(batch))
	generations, hashes, created := make([]int64, len(batch)), make([]int64, len(batch)), make([]time.Time, len(batch))
	for n, row := range batch {
		ids[n], uids[n], generations[n], created[n], hashes[n] = row.ID, row.Object.UID, row.Object.Generation, row.Object.CreatedAt, row.Hash
		for i := range columns {
			values[i][n] = row.Values[i]
		}
	}
	args := []any{bool(order), ids, uids, generations, created, hashes}
	for i := range values {
		args = append(args, values[i])
	}
	err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		written, err = w.owned(ctx, tx, w.upsertSQL(table), args...)
		return err
	})
	return written, err
}

// upsertSQL writes what is newer: of the same object, a higher generation, or the same with other content, as after a change of the
// settings; of another object by the same id, the one that was made later.
func (w *Writer) upsertSQL(table *schema.Table) string {
	var names, arrays, casts, sets []string
	for i, column := range table.All() {
		name := schema.Quote(column.Name)
		names = append(names, name)
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+8))
		casts = append(casts, fmt.Sprintf("t.v%d::%s", i, column.Type))
		set := fmt.Sprintf("%s = EXCLUDED.%[1]s", name)
		if column.Reference && column.Name != "deleted_at" { // a tombstone does not tell these again
			set = fmt.Sprintf("%s = CASE WHEN EXCLUDED.deleted_at IS NULL THEN EXCLUDED.%[1]s ELSE COALESCE(EXCLUDED.%[1]s, old.%[1]s) END", name)
		}
		sets = append(sets, set)
	}
	fields := make([]string, len(names))
	for i := range fields {
		fields[i] = fmt.Sprintf("v%d", i)
	}
	sql := `WITH ` + fence + `, changed AS (
		INSERT INTO {schema}.` + schema.Quote(string(table.Name)) + ` AS old
			(id, object_uid, object_generation, object_created_at, content_hash, synced_at, ` + strings.Join(names, ", ") + `)
		SELECT t.id, t.uid, t.generation, t.created, t.hash, clock_timestamp(), ` + strings.Join(casts, ", ") + `
		FROM unnest($3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::bigint[], ` + strings.Join(arrays, ", ") + `)
			AS t (id, uid, generation, created, hash, ` + strings.Join(fields, ", ") + `)
		WHERE EXISTS (SELECT FROM fence)
		ON CONFLICT (id) DO UPDATE SET object_uid = EXCLUDED.object_uid, object_generation = EXCLUDED.object_generation,
			object_created_at = EXCLUDED.object_created_at, content_hash = EXCLUDED.content_hash, synced_at = EXCLUDED.synced_at, ` +
		strings.Join(sets, ", ") + `
		WHERE $2::boolean
			OR old.object_uid = EXCLUDED.object_uid AND (EXCLUDED.object_generation > old.object_generation
				OR EXCLUDED.object_generation = old.object_generation AND EXCLUDED.content_hash <> old.content_hash)
			OR old.object_uid <> EXCLUDED.object_uid AND EXCLUDED.object_created_at >= old.object_created_at
		RETURNING id)` + notify(string(table.Name))
	return strings.ReplaceAll(sql, "{channel}", w.name)
}

// Gone takes everything out of rows but ids and times: their objects are gone. Of each is said which object that was, so that another one
// by the same id stays.
func (w *Writer) Gone(ctx context.Context, table *schema.Table, gone []Known) (changed int, err error) {
	sets := []string{"deleted_at = now()", "synced_at = clock_timestamp()", "content_hash = 0"}
	for _, column := range table.Columns {
		if !column.Reference {
			sets = append(sets, schema.Quote(column.Name)+" = NULL")
		}
	}
	ids, uids := make([]string, len(gone)), make([]string, len(gone))
	for i, known := range gone {
		ids[i], uids[i] = known.ID, known.Object.UID
	}
	sql := `WITH ` + fence + `, changed AS (
		UPDATE {schema}.` + schema.Quote(string(table.Name)) + ` AS old SET ` + strings.Join(sets, ", ") + `
		FROM unnest($2::text[], $3::text[]) AS t (id, uid)
		WHERE EXISTS (SELECT FROM fence) AND old.id = t.id AND old.object_uid = t.uid AND old.deleted_at IS NULL RETURNING old.id)` +
		notify(string(table.Name))
	sql = strings.ReplaceAll(sql, "{channel}", w.name)
	err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		changed, err = w.owned(ctx, tx, sql, ids, uids)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("empty %d rows of %s: %w", len(gone), table.Name, err)
	}
	return changed, nil
}
