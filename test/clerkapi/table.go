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

package clerkapi

import (
	"slices"
	"sort"
	"time"
)

// table holds what there is of a kind, the oldest first, as the API lists it.
type table[T any] struct {
	rows  []*entry[T]
	index map[string]*entry[T]
	next  int
}

type entry[T any] struct {
	id      string
	created time.Time
	serial  int // settles the order of those that came at the same time
	value   T
}

func (e *entry[T]) before(other *entry[T]) bool {
	if !e.created.Equal(other.created) {
		return e.created.Before(other.created)
	}
	return e.serial < other.serial
}

func newTable[T any]() *table[T] {
	return &table[T]{index: map[string]*entry[T]{}}
}

// set adds a row or changes it in its place.
func (t *table[T]) set(id string, created time.Time, value T) {
	if known, ok := t.index[id]; ok {
		known.value = value
		return
	}
	t.next++
	added := &entry[T]{id: id, created: created, serial: t.next, value: value}
	t.index[id] = added
	at := sort.Search(len(t.rows), func(i int) bool { return added.before(t.rows[i]) })
	t.rows = slices.Insert(t.rows, at, added)
}

func (t *table[T]) get(id string) (T, bool) {
	known, ok := t.index[id]
	if !ok {
		var none T
		return none, false
	}
	return known.value, true
}

func (t *table[T]) remove(id string) {
	t.removeIf(func(row *entry[T]) bool { return row.id == id })
}

func (t *table[T]) removeIf(gone func(*entry[T]) bool) {
	t.rows = slices.DeleteFunc(t.rows, func(row *entry[T]) bool {
		if !gone(row) {
			return false
		}
		delete(t.index, row.id)
		return true
	})
}

// where are the rows that fulfil a condition, in order.
func (t *table[T]) where(wanted func(*entry[T]) bool) []*entry[T] {
	var rows []*entry[T]
	for _, row := range t.rows {
		if wanted(row) {
			rows = append(rows, row)
		}
	}
	return rows
}
