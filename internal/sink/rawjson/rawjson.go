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

// Package rawjson walks through JSON as it stands, without making anything of it: for an event it is the larger part of the work to make
// maps of it, and JSON of them again. What it is given has to be valid; encoding/json has said so.
package rawjson

// Cursor is a place in valid JSON.
type Cursor struct {
	text []byte
	at   int
}

// At returns a Cursor at the beginning of a value.
func At(text []byte) *Cursor { return &Cursor{text: text} }

// Kind is the first byte of the value that is next: '{', '[', '"', 't', 'f', 'n', or that of a number. Zero at the end.
func (c *Cursor) Kind() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// Next goes into an object or a list, or on to its next member, and tells whether there is one. It is called before each member.
func (c *Cursor) Next() bool {
	switch c.Kind() {
	case '{', '[', ',':
		c.at++
	}
	switch c.Kind() {
	case '}', ']':
		c.at++
		return false
	case 0:
		return false
	}
	return true
}

// Name reads the name of an object's member, with its quotes, and goes on to the value.
func (c *Cursor) Name() []byte {
	name := c.Value()
	if c.Kind() == ':' {
		c.at++
	}
	return name
}

// Value reads a value as it stands, and goes on behind it.
func (c *Cursor) Value() []byte {
	first := c.Kind()
	begin, depth := c.at, 0
	switch first {
	case '"':
		c.skipText()
		return c.text[begin:c.at]
	case '{', '[':
	default:
		for c.at < len(c.text) && !endsScalar(c.text[c.at]) {
			c.at++
		}
		return c.text[begin:c.at]
	}
	for c.at < len(c.text) {
		switch c.text[c.at] {
		case '"':
			c.skipText()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.at++
		if depth == 0 {
			break
		}
	}
	return c.text[begin:c.at]
}

func endsScalar(b byte) bool {
	switch b {
	case ',', '}', ']', ':', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

func (c *Cursor) skipText() {
	for c.at++; c.at < len(c.text); c.at++ {
		switch c.text[c.at] {
		case '\\':
			c.at++
		case '"':
			c.at++
			return
		}
	}
}

// Depth is how many objects and lists are within each other.
func Depth(text []byte) int {
	c, depth, deepest := At(text), 0, 0
	for c.at < len(c.text) {
		switch c.text[c.at] {
		case '"':
			c.skipText()
			continue
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
		c.at++
	}
	return deepest
}
