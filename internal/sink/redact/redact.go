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

// Package redact leaves of an event's data what may leave the cluster: a list of fields for each type, and nothing that is not listed. It
// is pure: values in, values out.
package redact

import (
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// Rules say what of an event's data is let through.
type Rules struct {
	byEntity map[string]*node
}

// node is a step of the paths that are let through.
type node struct {
	// value: a string, a number, a boolean, or a list of these.
	value bool
	// whole: whatever stands there, but for what is sealed.
	whole bool
	// sealed: nothing that stands there, whatever else lets it through. sealsBelow: some of what stands below is.
	sealed, sealsBelow bool
	steps              map[string]*node
}

// wholeSuffix marks a path of which everything is let through.
const wholeSuffix = ".**"

// New returns the rules of mode Safe, with what is included on purpose.
func New(include []string) Rules {
	rules := Rules{byEntity: make(map[string]*node, len(safe))}
	for entity, paths := range safe {
		root := &node{}
		for _, path := range paths {
			root.allow(path)
		}
		if !slices.Contains(closedEntities, entity) {
			for _, path := range include {
				root.allow(path + wholeSuffix)
			}
		}
		if path := tickets[entity]; path != "" {
			root.seal(path)
		}
		rules.byEntity[entity] = root
	}
	return rules
}

func (n *node) allow(path string) {
	path, whole := strings.CutSuffix(path, wholeSuffix)
	at := n
	for step := range strings.SplitSeq(path, ".") {
		at = at.step(step)
	}
	at.whole = at.whole || whole
	at.value = at.value || !whole
}

func (n *node) seal(path string) {
	at := n
	for step := range strings.SplitSeq(path, ".") {
		at.sealsBelow = true
		at = at.step(step)
	}
	at.sealed = true
}

func (n *node) step(name string) *node {
	if n.steps == nil {
		n.steps = map[string]*node{}
	}
	if n.steps[name] == nil {
		n.steps[name] = &node{}
	}
	return n.steps[name]
}

// Apply returns what of an event's data is let through: a copy as far as anything is left out. Nil for a type that is not known by name.
func (r Rules) Apply(eventType string, data map[string]any) map[string]any {
	root := r.rootOf(eventType)
	if root == nil {
		return nil
	}
	return root.object(data)
}

// rootOf is nil for a type that is not known by name.
func (r Rules) rootOf(eventType string) *node {
	if clerk.TypeLabel(eventType) == clerk.OtherType {
		return nil
	}
	entity, _, _ := strings.Cut(eventType, ".")
	return r.byEntity[entity]
}

func (n *node) object(object map[string]any) map[string]any {
	kept := make(map[string]any, len(n.steps))
	for name, step := range n.steps {
		value, there := object[name]
		if !there {
			continue
		}
		if value, ok := step.keep(value); ok {
			kept[name] = value
		}
	}
	return kept
}

func (n *node) keep(value any) (any, bool) {
	switch {
	case n.sealed:
		return nil, false
	case n.whole:
		return n.unsealed(value), true
	case value == nil:
		return nil, true
	}
	switch value := value.(type) {
	case map[string]any:
		return n.object(value), n.steps != nil
	case []any:
		kept := make([]any, 0, len(value))
		for _, element := range value {
			if element, ok := n.keep(element); ok {
				kept = append(kept, element)
			}
		}
		return kept, true
	}
	return value, n.value
}

// unsealed is a value without what is sealed in it.
func (n *node) unsealed(value any) any {
	if !n.sealsBelow {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(value))
		for name, inner := range value {
			switch step := n.steps[name]; {
			case step == nil:
				kept[name] = inner
			case !step.sealed:
				kept[name] = step.unsealed(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i := range value {
			kept[i] = n.unsealed(value[i])
		}
		return kept
	}
	return value
}
