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

package redact

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/clerk-operator/clerk-operator/internal/sink/rawjson"
)

// Copy appends what of an event's data is let through, an object of valid JSON in UTF-8, as Apply would: it says the same, and takes a
// fraction of the time. It is false for what needs more than copying, such as a name that stands there twice: then nothing is appended, and
// Apply knows what to do. A type without a list has no data, and nothing to copy.
func (r Rules) Copy(into []byte, eventType string, data []byte) ([]byte, bool) {
	root := r.rootOf(eventType)
	if root == nil || len(data) == 0 || data[0] != '{' || hasSurrogates(data) {
		return into, false
	}
	before := len(into)
	copied, ok := root.copyObject(into, rawjson.At(data))
	if !ok {
		return into[:before], false
	}
	return copied, true
}

// hasSurrogates finds what may be half a character: valid JSON, which not everybody reads.
func hasSurrogates(data []byte) bool {
	return bytes.Contains(data, []byte(`\ud`)) || bytes.Contains(data, []byte(`\uD`))
}

// mostNames is how many names of an object are remembered where that takes no memory. Those of a user are under forty.
const mostNames = 48

func (n *node) copyObject(into []byte, at *rawjson.Cursor) ([]byte, bool) {
	var seen [mostNames]*node
	copied, kept := seen[:0], into
	kept = append(kept, '{')
	begin := len(kept)
	for at.Next() {
		name := at.Name()
		step := n.steps[string(name[1:len(name)-1])]
		if bytes.IndexByte(name, '\\') >= 0 || slices.Contains(copied, step) && step != nil {
			return into, false
		}
		if step == nil || step.sealed {
			at.Value()
			continue
		}
		copied = append(copied, step)
		undo := len(kept)
		if undo > begin {
			kept = append(kept, ',')
		}
		kept = append(kept, name...)
		kept = append(kept, ':')
		after, outcome := step.copyValue(kept, at)
		switch outcome {
		case unsure:
			return into, false
		case withheld:
			kept = kept[:undo]
		case let:
			kept = after
		}
	}
	return append(kept, '}'), true
}

// outcome is what becomes of a value.
type outcome int

const (
	// withheld: it is not let through.
	withheld outcome = iota
	// let: it is, or what is left of it.
	let
	// unsure: it takes more than copying.
	unsure
)

func (n *node) copyValue(into []byte, at *rawjson.Cursor) ([]byte, outcome) {
	switch kind := at.Kind(); {
	case n.sealed:
		at.Value()
		return into, withheld
	case n.whole && n.sealsBelow:
		return into, unsure
	case n.whole, kind == 'n':
		return append(into, at.Value()...), let
	case kind == '{' && n.steps == nil:
		at.Value()
		return into, withheld
	case kind == '{':
		copied, ok := n.copyObject(into, at)
		if !ok {
			return into, unsure
		}
		return copied, let
	case kind == '[':
		return n.copyList(into, at)
	case n.value:
		return append(into, at.Value()...), let
	}
	at.Value()
	return into, withheld
}

func (n *node) copyList(into []byte, at *rawjson.Cursor) ([]byte, outcome) {
	kept := into // what is appended and not used in the end is overwritten
	kept = append(kept, '[')
	begin := len(kept)
	for at.Next() {
		undo := len(kept)
		if undo > begin {
			kept = append(kept, ',')
		}
		after, outcome := n.copyValue(kept, at)
		switch outcome {
		case unsure:
			return into, unsure
		case withheld:
			kept = kept[:undo]
		case let:
			kept = after
		}
	}
	return append(kept, ']'), let
}

// Encode writes what Apply lets through.
func (r Rules) Encode(eventType string, data map[string]any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.Apply(eventType, data)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
