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

package tenant

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// lossy is a value of which fields may be unknown: nothing may be decided by them.
type lossy interface {
	// droppedFields are those that could not be kept as Clerk sent them.
	droppedFields() []string
}

// partial is a value of which fields may not have been told yet.
type partial interface {
	// untoldFields are those.
	untoldFields() []string

	// whyUntold is why one of them is not known.
	whyUntold(field string) string
}

// doubt is why a match rule may be true or not; "" if it is certain.
func (p *predicate) doubt(organization Organization, variables map[string]any) string {
	unknown := unknownRead(p.ast, variables)
	if unknown == "" || p.dependsOn(organization.untold, variables) {
		return unknown
	}
	return firstDropped(p.ast, organization)
}

// firstDropped is unknownRead for what was dropped of an organization alone.
func firstDropped(source *cel.Ast, organization Organization) string {
	field := firstRead(source, variableOrganization, organization, organization.dropped)
	if field == "" {
		return ""
	}
	return field + ", " + whyDropped
}

const whyDropped = "which could not be kept as Clerk sent it: correct it in Clerk"

// unknownRead is a field that an expression reads and that is not known, and why; empty if there is none. An expression that hands its
// variable on as a whole may read any field of it.
func unknownRead(source *cel.Ast, variables map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(variables)) { // of several always the same one, so that a status rests
		value := variables[name]
		if variable, ok := value.(lossy); ok {
			if field := firstRead(source, name, value, variable.droppedFields()); field != "" {
				return field + ", " + whyDropped
			}
		}
		if variable, ok := value.(partial); ok {
			if field := firstRead(source, name, value, mentioned(source, variable.untoldFields())); field != "" {
				return field + ", " + variable.whyUntold(strings.TrimPrefix(field, name+"."))
			}
		}
	}
	return ""
}

// mentioned are those of some fields that the text of an expression names: it reads no other, however it goes about it. Looking at the
// text is cheap, and most expressions name none.
func mentioned(source *cel.Ast, fields []string) []string {
	text := source.Source().Content()
	if strings.Contains(text, "[") { // it may make the name of a field out of parts
		return fields
	}
	return slices.DeleteFunc(slices.Clone(fields), func(field string) bool { return !strings.Contains(text, field) })
}

// firstRead is the first of some fields of a variable that an expression may read, with the variable's name.
func firstRead(source *cel.Ast, name string, value any, fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	reads, isWhole := fieldsRead(source, typeOf(value)), readsWhole(source, name)
	for _, field := range fields {
		if isWhole || reads[field] != 0 {
			return name + "." + field
		}
	}
	return ""
}

// readsWhole tells whether an expression uses a variable otherwise than to select a field of it.
func readsWhole(source *cel.Ast, variable string) bool {
	uses, selections := 0, 0
	isVariable := func(expression celast.Expr) bool {
		return expression.Kind() == celast.IdentKind && expression.AsIdent() == variable
	}
	celast.PostOrderVisit(source.NativeRep().Expr(), celast.NewExprVisitor(func(expression celast.Expr) {
		switch expression.Kind() {
		case celast.IdentKind:
			if isVariable(expression) {
				uses++
			}
		case celast.SelectKind:
			if isVariable(expression.AsSelect().Operand()) {
				selections++
			}
		case celast.CallKind:
			call := expression.AsCall()
			if call.FunctionName() == operators.OptSelect && len(call.Args()) > 0 && isVariable(call.Args()[0]) {
				selections++
			}
		}
	}))
	return uses > selections
}
