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

// brackets follows how deep JSON is nested, byte by byte and without recursion.
type brackets struct {
	depth              int
	isText, wasEscaped bool
}

func (b *brackets) next(c byte) {
	switch {
	case b.wasEscaped:
		b.wasEscaped = false
	case b.isText:
		b.wasEscaped = c == '\\'
		b.isText = c != '"'
	case c == '"':
		b.isText = true
	case c == '{', c == '[':
		b.depth++
	case c == '}', c == ']':
		b.depth--
	}
}

// nesting is how many objects and lists JSON has within each other.
func nesting(raw []byte) int {
	var at brackets
	deepest := 0
	for _, c := range raw {
		at.next(c)
		deepest = max(deepest, at.depth)
	}
	return deepest
}

// shallow empties what is nested deeper than anything that is kept: encoding/json would refuse the whole body for it. What is emptied is
// still too deep to be kept as metadata.
func shallow(body []byte) []byte {
	if nesting(body) <= maxDepth {
		return body
	}
	var at brackets
	kept := make([]byte, 0, len(body))
	for _, c := range body {
		before := at.depth
		at.next(c)
		if before < maxDepth || at.depth < maxDepth {
			kept = append(kept, c)
		}
	}
	return kept
}
