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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CheckID accepts what can be an id of Clerk's. The error says what is wrong with the field at path.
func CheckID(path, id string) error {
	if id == "" {
		return fmt.Errorf("%s: missing", path)
	}
	if len(id) > maxIDLength || !consistsOf(id, isIDByte) || id[0] == '_' || id[len(id)-1] == '_' {
		return fmt.Errorf("%s: must be 1 to %d letters, digits and, inside, underscores", path, maxIDLength)
	}
	return nil
}

// CheckKey accepts the keys of roles and permissions, and the names of event types.
func CheckKey(path, key string, maxLength int) error {
	if key == "" {
		return fmt.Errorf("%s: missing", path)
	}
	if len(key) > maxLength || !consistsOf(key, isKeyByte) {
		return fmt.Errorf("%s: must be 1 to %d letters, digits and characters of \"_:.-/\"", path, maxLength)
	}
	return nil
}

// isIdentifier is false of what display text would have cleaned or cut: a changed identifier may be someone else's.
func isIdentifier(identifier string) bool {
	return len(identifier) <= maxIdentifierLength && !strings.ContainsFunc(identifier, isUnprintable)
}

func consistsOf(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isIDByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

func isKeyByte(c byte) bool {
	return isIDByte(c) || c == ':' || c == '.' || c == '-' || c == '/'
}

// displayText cleans and cuts text that people read and nothing depends on: an odd name must not keep anyone from access.
func displayText(text string) string {
	text = dropFunc(text, isUnprintable)
	if len(text) <= maxTextLength {
		return text
	}
	end := maxTextLength
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func displayURL(url string) string {
	if len(url) > maxURLLength || strings.ContainsFunc(url, isUnprintable) {
		return ""
	}
	return url
}

// isUnprintable tells the characters that YAML does not allow unescaped, so that what kubectl printed could not be applied again, and the
// line breaks and tabs that break a table.
func isUnprintable(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || isNotYAML(r)
}

// isNotYAML tells the characters that YAML does not allow unescaped: JSON leaves most of them as they are.
func isNotYAML(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return false
	case r < 0x20, 0x7f <= r && r < 0xa0, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return true
	default:
		return false
	}
}

func dropFunc(s string, drop func(rune) bool) string {
	if !strings.ContainsFunc(s, drop) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if drop(r) {
			return -1
		}
		return r
	}, s)
}

// publicMetadata brings metadata into the form in which an API server returns it: compact, keys sorted and unique, numbers as int64
// or float64. Two that say the same are then the same bytes, and none is refused for how it was written.
func publicMetadata(raw json.RawMessage) (json.RawMessage, error) {
	if isNull(raw) {
		return nil, nil
	}
	if nesting(raw) > maxMetadataDepth { // before anything is done that goes as deep
		return nil, fmt.Errorf("nested more than %d deep", maxMetadataDepth)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("not JSON")
	}
	if object, ok := value.(map[string]any); ok && len(object) == 0 {
		return nil, nil
	}
	value, err := canonical(value)
	if err != nil {
		return nil, err
	}

	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, errors.New("not JSON")
	}
	compact := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(compact) > maxMetadataLength {
		return nil, fmt.Errorf("more than %d bytes", maxMetadataLength)
	}
	return compact, nil
}

// canonical brings a value into the form in which it is compared.
func canonical(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return dropFunc(value, isNotYAML), nil
	case json.Number:
		return canonicalNumber(value)
	case []any:
		return canonicalList(value)
	case map[string]any:
		return canonicalObject(value)
	default:
		return value, nil
	}
}

func canonicalNumber(number json.Number) (any, error) {
	if integer, err := number.Int64(); err == nil {
		return integer, nil
	}
	float, err := strconv.ParseFloat(number.String(), 64)
	if err != nil {
		return nil, errors.New("holds a number out of range")
	}
	return float, nil
}

func canonicalList(list []any) (any, error) {
	for i, entry := range list {
		value, err := canonical(entry)
		if err != nil {
			return nil, err
		}
		list[i] = value
	}
	return list, nil
}

// canonicalObject goes through the keys in order, so that it is always the same one that wins where cleaning makes two alike.
func canonicalObject(object map[string]any) (any, error) {
	out := make(map[string]any, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value, err := canonical(object[key])
		if err != nil {
			return nil, err
		}
		out[dropFunc(key, isNotYAML)] = value
	}
	return out, nil
}
