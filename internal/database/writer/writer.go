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

// Package writer writes rows. Every write is one transaction that shows first that this writer still owns the schema, and that lets nothing
// older take the place of what is newer.
package writer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
)

const (
	// statementTimeout bounds a statement in the server, lockTimeout what of that it may wait for others: a table that somebody rewrites must
	// not gather a queue of waiting writers.
	statementTimeout, lockTimeout = "30s", "5s"

	// idleTimeout ends, in the server, the transaction of a writer that was stopped in the middle of it: it would keep others from the
	// schema.
	idleTimeout = "10s"

	// transactionTimeout bounds a transaction as a whole, also where the server is gone without a word.
	transactionTimeout = 45 * time.Second

	// maxNotified is how many ids a notification names. It may have 8,000 bytes, and an id has up to 63.
	maxNotified = 100

	// maxRefused is how many rows of a batch are tried one by one before the database as a whole is at fault.
	maxRefused = 16

	// emptyChunk is how many rows of a table that is not wanted any longer are removed at a time.
	emptyChunk = 10_000
)

// ErrNotOwner says that somebody else writes the schema now: a newer leader, most often.
var ErrNotOwner = errors.New("the schema was taken by another writer")

// Writer writes one schema by one connection. It is used by one goroutine.
type Writer struct {
	conn  *pgx.Conn
	name  string
	epoch int64
}

// Open connects, makes or migrates the schema, and takes it.
func Open(ctx context.Context, settings *postgres.Settings, claim schema.Claim) (*Writer, error) {
	conn, err := postgres.Connect(ctx, settings)
	if err != nil {
		return nil, err
	}
	w := &Writer{conn: conn, name: claim.Schema}
	err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		w.epoch, err = claim.Take(ctx, tx)
		return err
	})
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close closes the connection.
func (w *Writer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.conn.Close(ctx)
}

// transact runs a transaction whose times are bounded in the server, and in which names mean what PostgreSQL means by them. Settings of a
// session would stay with the pooler, for whoever is next.
func (w *Writer) transact(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', '`+statementTimeout+`', true), set_config('lock_timeout', '`+lockTimeout+
			`', true), set_config('idle_in_transaction_session_timeout', '`+idleTimeout+`', true), set_config('search_path', 'pg_catalog', true)`)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return do(ctx, tx)
	})
}

// fence is a row only while the schema is this writer's. Whoever wants to take it waits until the transaction is over.
const fence = `fence AS (SELECT FROM {schema}.clerk_operator WHERE epoch = $1 FOR SHARE)`

// owned runs a statement that begins with the fence and answers with whether that was there, and how many rows were changed.
func (w *Writer) owned(ctx context.Context, tx pgx.Tx, sql string, args ...any) (changed int, err error) {
	var isOwner bool
	var told *string // that somebody is told happens by its being asked for
	sql = strings.ReplaceAll(sql, "{schema}", schema.Quote(w.name))
	if err := tx.QueryRow(ctx, sql, append([]any{w.epoch}, args...)...).Scan(&isOwner, &changed, &told); err != nil {
		return 0, err
	}
	if !isOwner {
		return 0, ErrNotOwner
	}
	return changed, nil
}

// notify is the end of each statement: who listens on the channel with the schema's name is told which rows of a table have changed.
func notify(table string) string {
	return fmt.Sprintf(` SELECT EXISTS (SELECT FROM fence), count(*), CASE WHEN count(*) > 0 THEN pg_notify('{channel}', CASE
		WHEN count(*) <= %d
		THEN json_build_object('table', '%[2]s', 'ids', json_agg(id))::text ELSE json_build_object('table', '%[2]s')::text END)::text END
		FROM changed`, maxNotified, table)
}

// Beat shows that this writer is at work, so that the schema stays its own.
func (w *Writer) Beat(ctx context.Context) error {
	return w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `UPDATE `+schema.Qualified(w.name, schema.StateTable)+` SET seen_at = now() WHERE epoch = $1`, w.epoch)
		if err == nil && done.RowsAffected() == 0 {
			return ErrNotOwner
		}
		return err
	})
}

// Known is what a table has of an object.
type Known struct {
	ID     string
	Object rows.Object
	Hash   int64
	// IsDeleted says that there is nothing in the row but ids and times.
	IsDeleted bool
}

// Page lists what a table has, in the order of ids, after one.
func (w *Writer) Page(ctx context.Context, table *schema.Table, after string, limit int) (page []Known, err error) {
	err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		found, err := tx.Query(ctx, `SELECT id, object_uid, object_generation, object_created_at, content_hash, deleted_at IS NOT NULL FROM `+
			schema.Qualified(w.name, string(table.Name))+` WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (known Known, err error) {
			err = row.Scan(&known.ID, &known.Object.UID, &known.Object.Generation, &known.Object.CreatedAt, &known.Hash, &known.IsDeleted)
			return known, err
		})
		return err
	})
	return page, err
}

// Count counts the rows of a table.
func (w *Writer) Count(ctx context.Context, table *schema.Table) (living, deleted int64, err error) {
	err = w.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(*) FILTER (WHERE deleted_at IS NOT NULL) FROM `+
			schema.Qualified(w.name, string(table.Name))).Scan(&living, &deleted)
	})
	return living, deleted, err
}

// Empty removes all rows of a table that is not wanted any longer.
func (w *Writer) Empty(ctx context.Context, table *schema.Table) error {
	for {
		removed := 0
		err := w.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
			name := `{schema}.` + schema.Quote(string(table.Name))
			removed, err = w.owned(ctx, tx, `WITH `+fence+`, changed AS (DELETE FROM `+name+` WHERE EXISTS (SELECT FROM fence) AND id IN (
				SELECT id FROM `+name+fmt.Sprintf(` LIMIT %d`, emptyChunk)+`) RETURNING id)
				SELECT EXISTS (SELECT FROM fence), count(*), NULL::text FROM changed`)
			return err
		})
		if err != nil || removed < emptyChunk {
			return err
		}
	}
}
