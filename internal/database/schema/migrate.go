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

package schema

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// migrations bring a schema from one version to the next. One that was released never changes: the next version gets one of its own.
var migrations = []string{first}

//go:embed 0001.sql
var first string

// silence is how long the owner of a schema says nothing until another ClerkDatabase may have it: the owner says so every half minute.
const silence = "5 minutes"

// RefusedError says that the schema cannot be used as it stands: somebody has to act.
type RefusedError struct {
	// Reason is that of the condition.
	Reason string
	// Message says what to do. It holds names of schemas, tables and columns alone.
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Message }

// Claim says who wants to write a schema.
type Claim struct {
	// Schema is its name.
	Schema string
	// Instance is the ClerkInstance whose rows it has.
	Instance string
	// Owner is the uid of the ClerkDatabase.
	Owner string
}

// Take makes or migrates a schema, within a transaction, and returns the epoch by which the claimer may write: whoever took it before may
// no longer, as soon as the transaction is committed.
func (c Claim) Take(ctx context.Context, tx pgx.Tx) (epoch int64, err error) {
	// Two that migrate at a time would find each other's tables half made.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('clerk-operator ' || $1::text, 0))`, c.Schema); err != nil {
		return 0, fmt.Errorf("wait for the lock on the schema: %w", err)
	}
	version, err := c.version(ctx, tx)
	if err != nil {
		return 0, err
	}
	if version > len(migrations) {
		return 0, c.refuse(v1alpha1.ReasonSchemaNewer, "was migrated by a newer operator (version %d, and this one knows %d): "+
			"install that version again, or drop the schema, which is then made and filled anew", version, len(migrations))
	}
	for _, migration := range migrations[version:] {
		if _, err := tx.Exec(ctx, in(c.Schema, migration), pgx.QueryExecModeSimpleProtocol); err != nil {
			return 0, fmt.Errorf("migrate the schema: %w", err)
		}
	}
	if version == 0 {
		if _, err := tx.Exec(ctx, in(c.Schema, `INSERT INTO {schema}.clerk_operator (version, instance, owner, epoch, seen_at)
			VALUES (0, $1, $2, 0, now())`), c.Instance, c.Owner); err != nil {
			return 0, fmt.Errorf("mark the schema: %w", err)
		}
	}
	if err := c.check(ctx, tx); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, in(c.Schema, `UPDATE {schema}.clerk_operator
		SET version = $1, owner = $2, epoch = epoch + 1, seen_at = now() RETURNING epoch`), len(migrations), c.Owner).Scan(&epoch)
	if err != nil {
		return 0, fmt.Errorf("take the schema: %w", err)
	}
	return epoch, nil
}

func (c Claim) refuse(reason, format string, args ...any) error {
	return &RefusedError{Reason: reason, Message: "the schema " + c.Schema + " " + fmt.Sprintf(format, args...)}
}

// version is 0 for a schema that is not there yet, which is made, or that is empty.
func (c Claim) version(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var isThere, isMarked bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), EXISTS (
		SELECT FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
		WHERE n.nspname = $1 AND r.relname = $2 AND r.relkind = 'r' AND pg_has_role(r.relowner, 'USAGE'))`,
		c.Schema, StateTable).Scan(&isThere, &isMarked); err != nil {
		return 0, fmt.Errorf("look for the schema: %w", err)
	}
	if !isThere {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+Quote(c.Schema)); err != nil {
			return 0, fmt.Errorf("make the schema: %w", err)
		}
		return 0, nil
	}
	if isMarked {
		return c.owned(ctx, tx)
	}
	var other string
	err = tx.QueryRow(ctx, `SELECT COALESCE(
		(SELECT 'a relation ' || relname FROM pg_class WHERE relnamespace = n.oid ORDER BY relname LIMIT 1),
		(SELECT 'a function ' || proname FROM pg_proc WHERE pronamespace = n.oid ORDER BY proname LIMIT 1),
		(SELECT 'a type ' || typname FROM pg_type WHERE typnamespace = n.oid ORDER BY typname LIMIT 1), '')
		FROM pg_namespace n WHERE nspname = $1`, c.Schema).Scan(&other)
	if err != nil {
		return 0, fmt.Errorf("look into the schema: %w", err)
	}
	if other != "" {
		return 0, c.refuse(v1alpha1.ReasonSchemaTaken, "has something that is not the operator's (%.100s): "+
			"name another schema, or an empty one", other)
	}
	return 0, nil
}

func (c Claim) owned(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var instance, owner string
	var isSilent bool
	err = tx.QueryRow(ctx, in(c.Schema, `SELECT version, instance, owner, seen_at < now() - interval '`+silence+`'
		FROM {schema}.clerk_operator`)).
		Scan(&version, &instance, &owner, &isSilent)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look who owns the schema: %w", err)
	case instance != c.Instance:
		return 0, c.refuse(v1alpha1.ReasonSchemaTaken, "has the rows of another ClerkInstance: name another schema, or drop it")
	case owner != c.Owner && !isSilent:
		return 0, c.refuse(v1alpha1.ReasonSchemaInUse, "is written by another ClerkDatabase, here or in another cluster: "+
			"name another schema, or delete the other; it is free %s after that was last at work", silence)
	}
	return version, nil
}

// check looks whether all columns are there that will be written.
func (c Claim) check(ctx context.Context, tx pgx.Tx) error {
	found, err := tx.Query(ctx, `SELECT r.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
		JOIN pg_namespace n ON n.oid = r.relnamespace WHERE n.nspname = $1 AND a.attnum > 0 AND NOT a.attisdropped`, c.Schema)
	if err != nil {
		return fmt.Errorf("look for the columns: %w", err)
	}
	there, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for the columns: %w", err)
	}
	var missing []string
	for i := range Tables {
		for _, column := range append(Tables[i].All(), own...) {
			if name := string(Tables[i].Name) + "." + column.Name; !slices.Contains(there, name) {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		return c.refuse(v1alpha1.ReasonSchemaChanged, "lacks %s: drop the schema, which is then made and filled anew",
			strings.Join(missing[:min(len(missing), 3)], ", "))
	}
	return nil
}

// own are the columns that every table has for the operator's own use.
var own = []Column{
	{Name: "id"}, {Name: "synced_at"}, {Name: "object_uid"}, {Name: "object_generation"}, {Name: "object_created_at"}, {Name: "content_hash"},
}
