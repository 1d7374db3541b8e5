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

// Package rows makes rows of mirrored objects. It is pure: values in, values out.
package rows

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
)

// Version is part of each row's hash: a new one lets every row be written again, as after a change of what is written.
const Version = "1"

// Row is what a table has of a mirrored object.
type Row struct {
	// ID is Clerk's.
	ID string
	// Values are the columns of schema.Table.All, as text in PostgreSQL's form; nil is NULL.
	Values []*string
	// Object tells one state of the object from another.
	Object Object
	// Hash tells whether the values are those that were written.
	Hash int64
	// Size is about how many bytes there are, to bound a batch.
	Size int
}

// Object tells a state of an object from another one.
type Object struct {
	UID        string
	Generation int64
	CreatedAt  time.Time
}

// NewerThan tells whether this state is known to be newer. Of the same object the generation tells; of two by the same name the time of
// creation.
func (o Object) NewerThan(other Object) bool {
	if o.UID == other.UID {
		return o.Generation > other.Generation
	}
	return o.CreatedAt.After(other.CreatedAt)
}

// Identity is where a mirrored object belongs.
type Identity struct {
	Table        v1alpha1.DatabaseTable
	Instance, ID string
}

// Identify says where an object belongs; false for one that is of no mirrored kind, or whose name is not that of its id.
func Identify(object client.Object) (Identity, bool) {
	var at Identity
	switch object := object.(type) {
	case *v1alpha1.ClerkOrganization:
		at = Identity{v1alpha1.DatabaseOrganizations, object.Spec.Instance, object.Spec.ID}
	case *v1alpha1.ClerkUser:
		at = Identity{v1alpha1.DatabaseUsers, object.Spec.Instance, object.Spec.ID}
	case *v1alpha1.ClerkMember:
		at = Identity{v1alpha1.DatabaseMemberships, object.Spec.Instance, object.Spec.ID}
	case *v1alpha1.ClerkRole:
		at = Identity{v1alpha1.DatabaseRoles, object.Spec.Instance, object.Spec.ID}
	case *v1alpha1.ClerkPermission:
		at = Identity{v1alpha1.DatabasePermissions, object.Spec.Instance, object.Spec.ID}
	default:
		return at, false
	}
	return at, object.GetName() == v1alpha1.ObjectName(at.Instance, at.ID)
}

// Of is the row of a mirrored object.
func Of(object client.Object, personal v1alpha1.DatabasePersonalData) Row {
	at, _ := Identify(object)
	table := schema.TableOf(at.Table)
	row := Row{ID: at.ID, Object: StateOf(object), Values: values(object)}
	if personal == v1alpha1.DatabasePersonalDataOmit {
		row.clear(table, func(column schema.Column) bool { return column.Personal })
	}
	row.measure()
	return row
}

// StateOf is the state of an object.
func StateOf(object client.Object) Object {
	return Object{UID: string(object.GetUID()), Generation: object.GetGeneration(), CreatedAt: object.GetCreationTimestamp().Time}
}

// Reduced is the row without anything but ids, times and what is true or false: for a database that does not take the rest. It keeps the
// hash, so it is not tried again before it changes.
func (r Row) Reduced(table *schema.Table) Row {
	r.Values = append([]*string(nil), r.Values...)
	r.clear(table, func(column schema.Column) bool { return !column.Reference && column.Type != "boolean" })
	return r
}

func (r *Row) clear(table *schema.Table, which func(schema.Column) bool) {
	for i, column := range table.All() {
		if which(column) {
			r.Values[i] = nil
		}
	}
}

func (r *Row) measure() {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(Version))
	for _, value := range r.Values {
		if value == nil {
			_, _ = hash.Write([]byte{0})
			continue
		}
		_, _ = hash.Write([]byte{1})
		_, _ = hash.Write([]byte(*value))
		r.Size += len(*value)
	}
	r.Hash = int64(hash.Sum64()) //nolint:gosec // any 64 bits do
}

func values(object client.Object) []*string {
	switch object := object.(type) {
	case *v1alpha1.ClerkOrganization:
		s := &object.Spec
		return []*string{
			text(s.Name), text(s.Slug), text(s.ImageURL), number(s.MaxAllowedMemberships), document(s.PublicMetadata),
			at(s.CreatedAt), at(s.UpdatedAt), at(s.DeletedAt),
		}
	case *v1alpha1.ClerkUser:
		s := &object.Spec
		return []*string{
			text(s.PrimaryEmail.Address), verified(s.PrimaryEmail), text(s.Username), text(s.FirstName), text(s.LastName), text(s.ImageURL),
			text(s.ExternalID), document(s.PublicMetadata),
			isTrue(s.Banned, s.DeletedAt), isTrue(s.Locked, s.DeletedAt), isTrue(s.Deprovisioned, s.DeletedAt),
			at(s.CreatedAt), at(s.UpdatedAt), at(s.DeletedAt),
		}
	case *v1alpha1.ClerkMember:
		s := &object.Spec
		return []*string{
			text(s.OrganizationID), text(s.UserID), text(s.Role), list(s.Permissions, s.DeletedAt), document(s.PublicMetadata),
			at(s.CreatedAt), at(s.UpdatedAt), at(s.DeletedAt),
		}
	case *v1alpha1.ClerkRole:
		s := &object.Spec
		if s.DeletedAt != nil { // its tombstone keeps the key, for who holds it
			return []*string{nil, nil, nil, nil, at(s.CreatedAt), nil, at(s.DeletedAt)}
		}
		keys := make([]string, len(s.Permissions))
		for i, permission := range s.Permissions {
			keys[i] = permission.Key
		}
		return []*string{
			text(s.Key), text(s.Name), text(s.Description), list(keys, nil), at(s.CreatedAt), at(s.UpdatedAt), at(s.DeletedAt),
		}
	case *v1alpha1.ClerkPermission:
		s := &object.Spec
		return []*string{text(s.Key), text(s.Name), text(s.Description), at(s.CreatedAt), at(s.UpdatedAt), at(s.DeletedAt)}
	}
	return nil
}

// nul is what no text and no jsonb of PostgreSQL can hold.
const nul, replacement = "\x00", "\uFFFD"

// text is nil for what Clerk left empty.
func text(value string) *string {
	if value == "" {
		return nil
	}
	return new(clean(value))
}

func clean(value string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(value, replacement), nul, replacement)
}

func number(value *int64) *string {
	if value == nil {
		return nil
	}
	return new(strconv.FormatInt(*value, 10))
}

func verified(email v1alpha1.ClerkUserEmail) *string {
	if email.Address == "" {
		return nil
	}
	return isTrue(email.Verified, nil)
}

// isTrue is nil of what was deleted, where nobody knows.
func isTrue(value *bool, deletedAt *metav1.MicroTime) *string {
	if deletedAt != nil {
		return nil
	}
	return new(strconv.FormatBool(value != nil && *value))
}

func at(value *metav1.MicroTime) *string {
	if value == nil {
		return nil
	}
	return new(value.UTC().Format("2006-01-02T15:04:05.999999Z"))
}

// list is an array as PostgreSQL writes it.
func list(values []string, deletedAt *metav1.MicroTime) *string {
	if deletedAt != nil {
		return nil
	}
	var array strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	array.WriteByte('{')
	for i, value := range values {
		if i > 0 {
			array.WriteByte(',')
		}
		array.WriteString(`"` + escape.Replace(clean(value)) + `"`)
	}
	array.WriteByte('}')
	return new(array.String())
}

// document is JSON that a jsonb can hold: without NUL in its strings, and with numbers that a float64 could hold. It would write 1e100000
// out in full, for whoever reads it.
func document(raw *runtime.RawExtension) *string {
	if raw == nil || len(raw.Raw) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || value == nil {
		return nil
	}
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(cleanJSON(value)) != nil {
		return nil
	}
	return new(strings.TrimSpace(written.String()))
}

func cleanJSON(value any) any {
	switch value := value.(type) {
	case string:
		return clean(value)
	case json.Number:
		float, err := value.Float64()
		if err != nil || math.IsInf(float, 0) {
			return nil
		}
		if float == 0 {
			return 0 // 1e-100000 as well
		}
		return value
	case []any:
		for i := range value {
			value[i] = cleanJSON(value[i])
		}
		return value
	case map[string]any:
		kept := make(map[string]any, len(value))
		for key, element := range value {
			kept[clean(key)] = cleanJSON(element)
		}
		return kept
	}
	return value
}
