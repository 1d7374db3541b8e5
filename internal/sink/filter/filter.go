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

// Package filter decides which events a sink takes. It is pure: values in, values out.
package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// costLimit bounds the work of one evaluation, in CEL's units of cost. What a filter needs stays below a few hundred; the limit keeps one
// event from holding up the others.
const costLimit = 100_000

// Event is what an expression sees of an event.
type Event struct {
	ID, Type, Subject, Organization, Instance string
	// Time is zero where the payload does not say.
	Time time.Time
	// Data is what mode Safe lets through, and what is included on purpose.
	Data map[string]any
}

// Filter decides which events a sink takes. The zero Filter takes every event.
type Filter struct {
	types, entities map[string]struct{}
	program         cel.Program
	source          string
}

var environment = newEnvironment()

func newEnvironment() *cel.Env {
	env, err := cel.NewEnv(cel.Variable("event", cel.DynType), cel.OptionalTypes(), ext.Strings())
	if err != nil {
		panic(err) // the declarations are constants
	}
	return env
}

// New compiles a filter.
func New(eventTypes []string, expression string) (*Filter, error) {
	f := &Filter{source: expression}
	if len(eventTypes) > 0 {
		f.types, f.entities = map[string]struct{}{}, map[string]struct{}{}
	}
	for _, eventType := range eventTypes {
		if entity, all := strings.CutSuffix(eventType, ".*"); all {
			f.entities[entity] = struct{}{}
			continue
		}
		f.types[eventType] = struct{}{}
	}
	if expression == "" {
		return f, nil
	}
	ast, issues := environment.Compile(expression)
	if err := issues.Err(); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("the expression does not compile: %s", strings.TrimPrefix(line, "ERROR: <input>:"))
	}
	if kind := ast.OutputType().Kind(); kind != types.BoolKind && kind != types.DynKind {
		return nil, fmt.Errorf("the expression gives %s: it has to be true or false", ast.OutputType())
	}
	program, err := environment.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("the expression does not compile: %w", err)
	}
	f.program = program
	return f, nil
}

// WantsType tells whether events of a type are taken, as far as that decides.
func (f *Filter) WantsType(eventType string) bool {
	if f.types == nil {
		return true
	}
	if _, listed := f.types[eventType]; listed {
		return true
	}
	entity, _, _ := strings.Cut(eventType, ".")
	_, listed := f.entities[entity]
	return listed
}

// Reads tells whether there is an expression, and so an event to be shown to it.
func (f *Filter) Reads() bool { return f.program != nil }

// Wants tells whether the expression takes an event. Its error says why it could not, without any value.
func (f *Filter) Wants(event Event) (bool, error) {
	if f.program == nil {
		return true, nil
	}
	value, _, err := f.program.Eval(map[string]any{"event": event.variable()})
	if err != nil {
		return false, errors.New(f.failure(err))
	}
	wanted, ok := value.(types.Bool)
	if !ok {
		return false, errors.New("its value is neither true nor false")
	}
	return bool(wanted), nil
}

func (e Event) variable() map[string]any {
	variable := map[string]any{
		"id": e.ID, "type": e.Type, "subject": e.Subject, "organization": e.Organization, "instance": e.Instance,
		"data": numbers(e.Data),
	}
	if e.Data == nil {
		variable["data"] = map[string]any{}
	}
	if !e.Time.IsZero() {
		variable["time"] = e.Time
	}
	return variable
}

// numbers makes JSON's numbers such as CEL has: whole ones are ints.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		float, err := value.Float64()
		if err != nil {
			return value.String()
		}
		return float
	case map[string]any:
		converted := make(map[string]any, len(value))
		for key, inner := range value {
			converted[key] = numbers(inner)
		}
		return converted
	case []any:
		converted := make([]any, len(value))
		for i, inner := range value {
			converted[i] = numbers(inner)
		}
		return converted
	}
	return value
}

// tellable is what may be told of a failure: CEL quotes the values that it failed on, and they may be personal.
var tellable = regexp.MustCompile(`^(no such (key|attribute|field|overload)|index out of (bounds|range)|(division|modulus) by zero|` +
	`(unsigned )?integer overflow|type conversion error|operation cancelled: actual cost limit exceeded|error parsing regexp)`)

func (f *Filter) failure(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if key, missing := strings.CutPrefix(text, "no such key: "); missing && len(key) < 100 && strings.Contains(f.source, key) {
		return text
	}
	if told := tellable.FindString(text); told != "" {
		return told
	}
	return "the values do not fit it"
}
