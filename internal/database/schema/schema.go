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

// Package schema says which tables there are, makes and migrates them, and tells the operator's own from somebody else's.
package schema

import (
	"regexp"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Column is a column that comes from a mirrored object.
type Column struct {
	// Name is plain: it needs no quotes in SQL, apart from key.
	Name string
	// Type is PostgreSQL's.
	Type string
	// Personal columns may tell who somebody is.
	Personal bool
	// Reference columns hold ids of Clerk: they stay when all else is taken out.
	Reference bool
}

// Table is a table that is kept in step. All tables have, besides their own columns, id and those of Common.
type Table struct {
	Name    v1alpha1.DatabaseTable
	Columns []Column
}

// Common are the columns that each table has: times by Clerk's clock.
var Common = []Column{
	{Name: "created_at", Type: timestamp, Reference: true},
	{Name: "updated_at", Type: timestamp, Reference: true},
	{Name: "deleted_at", Type: timestamp, Reference: true},
}

const (
	text, boolean, bigint, list, json, timestamp = "text", "boolean", "bigint", "text[]", "jsonb", "timestamptz"

	// StateTable is where the operator keeps what it knows of the schema. It tells the operator's schemas from others.
	StateTable = "clerk_operator"
)

// Tables are all, in the order in which they are filled: so what a membership refers to mostly comes before it.
var Tables = []Table{
	{v1alpha1.DatabaseOrganizations, []Column{
		{Name: "name", Type: text}, {Name: "slug", Type: text}, {Name: "image_url", Type: text},
		{Name: "max_allowed_memberships", Type: bigint}, {Name: "public_metadata", Type: json},
	}},
	{v1alpha1.DatabaseUsers, []Column{
		{Name: "email", Type: text, Personal: true}, {Name: "email_verified", Type: boolean, Personal: true},
		{Name: "username", Type: text, Personal: true}, {Name: "first_name", Type: text, Personal: true},
		{Name: "last_name", Type: text, Personal: true}, {Name: "image_url", Type: text, Personal: true},
		{Name: "external_id", Type: text, Personal: true}, {Name: "public_metadata", Type: json, Personal: true},
		{Name: "banned", Type: boolean}, {Name: "locked", Type: boolean}, {Name: "deprovisioned", Type: boolean},
	}},
	{v1alpha1.DatabaseMemberships, []Column{
		{Name: "organization_id", Type: text, Reference: true}, {Name: "user_id", Type: text, Reference: true},
		{Name: "role", Type: text}, {Name: "permissions", Type: list}, {Name: "public_metadata", Type: json, Personal: true},
	}},
	{v1alpha1.DatabaseRoles, []Column{
		{Name: "key", Type: text}, {Name: "name", Type: text}, {Name: "description", Type: text}, {Name: "permissions", Type: list},
	}},
	{v1alpha1.DatabasePermissions, []Column{
		{Name: "key", Type: text}, {Name: "name", Type: text}, {Name: "description", Type: text},
	}},
}

// TableOf is the table of a name; nil for a name that this version does not know.
func TableOf(name v1alpha1.DatabaseTable) *Table {
	for i := range Tables {
		if Tables[i].Name == name {
			return &Tables[i]
		}
	}
	return nil
}

// All are the table's own columns and the common ones, in the order of a row's values.
func (t *Table) All() []Column {
	return append(append([]Column(nil), t.Columns...), Common...)
}

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Quote quotes an identifier. What is none, which the kind's rules let nobody write, becomes one that nobody has.
func Quote(name string) string {
	if !identifier.MatchString(name) {
		return `"\invalid"`
	}
	return `"` + name + `"`
}

// Qualified is a relation within a schema, quoted.
func Qualified(schema, relation string) string { return Quote(schema) + "." + Quote(relation) }

// in writes a schema's name into SQL.
func in(schema, sql string) string { return strings.ReplaceAll(sql, "{schema}", Quote(schema)) }
