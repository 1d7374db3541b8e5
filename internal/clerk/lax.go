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

package clerk

import (
	"encoding/json"
	"slices"
	"time"
)

// lax is a value that is shown or matched. One of the wrong JSON type, or out of range, is left out: it spoils nothing else.
type lax[T any] struct {
	value T
	isOdd bool
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (l *lax[T]) UnmarshalJSON(raw []byte) error {
	*l = lax[T]{}
	if json.Unmarshal(raw, &l.value) != nil {
		*l = lax[T]{isOdd: true}
	}
	return nil
}

// losses are the fields of an entity that could not be kept, by the names that they have in the mirrored object. There are as many as it
// has fields at most.
type losses []string

func (l *losses) note(field string) { *l = append(*l, field) }

// sorted is what is noted of an entity; nil if nothing.
func (l *losses) sorted() []string {
	slices.Sort(*l)
	return *l
}

// text is display text, cleaned and cut.
func (l *losses) text(field string, text lax[string]) string {
	if text.isOdd {
		l.note(field)
	}
	return displayText(text.value)
}

// url is a URL to be shown.
func (l *losses) url(field string, url lax[string]) string {
	kept := displayURL(url.value)
	if url.isOdd || kept != url.value {
		l.note(field)
	}
	return kept
}

// identifier leaves out an identifier of no use: RBAC may name a user by it, and a changed one may be someone else's.
func (l *losses) identifier(field string, identifier lax[string]) string {
	if identifier.isOdd || !isIdentifier(identifier.value) {
		l.note(field)
		return ""
	}
	return identifier.value
}

// metadata is public metadata in the form in which it is compared.
func (l *losses) metadata(field string, raw json.RawMessage) json.RawMessage {
	metadata, err := publicMetadata(raw)
	if err != nil {
		l.note(field)
	}
	return metadata
}

// limit is a number that is not negative.
func (l *losses) limit(field string, limit lax[int64]) int64 {
	if limit.isOdd || limit.value < 0 {
		l.note(field)
		return 0
	}
	return limit.value
}

// slug leaves out the slug of a plan that is of no use: a cut one may be that of another.
func (l *losses) slug(field string, slug lax[string]) string {
	if slug.isOdd || slug.value != "" && CheckKey("", slug.value, maxSlugLength) != nil {
		l.note(field)
		return ""
	}
	return slug.value
}

// moment is a time that decides something; zero where there is none.
func (l *losses) moment(field string, stamp lax[int64]) time.Time {
	moment, err := milliseconds("", stamp.value)
	if stamp.isOdd || err != nil && stamp.value != 0 {
		l.note(field)
	}
	return moment
}

// created is a time of creation; zero where there is none of use. It orders nothing.
func (l *losses) created(stamp lax[int64]) time.Time {
	createdAt, err := milliseconds("", stamp.value)
	if stamp.isOdd || err != nil && stamp.value != 0 {
		l.note(FieldCreatedAt)
	}
	return createdAt
}

// bar is whether somebody is kept out. What cannot be read keeps out: it may say so.
func (l *losses) bar(field string, bar lax[bool]) bool {
	if bar.isOdd {
		l.note(field)
	}
	return bar.value || bar.isOdd
}
