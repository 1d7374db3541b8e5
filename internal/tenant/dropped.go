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
func firstDropped(source *compiled, organization Organization) string {
	field := firstRead(source, variableOrganization, organization.dropped, anyField)
	if field == "" {
		return ""
	}
	return field + ", " + whyDropped
}

const whyDropped = "which could not be kept as Clerk sent it: correct it in Clerk"

// unknownRead is a field that an expression reads and that is not known, and why; empty if there is none. An expression that hands its
// variable on as a whole may read any field of it.
func unknownRead(source *compiled, variables map[string]any) string {
	for _, name := range variableNames { // of several always the same one, so that a status rests
		value := variables[name]
		if variable, ok := value.(lossy); ok {
			if field := firstRead(source, name, variable.droppedFields(), anyField); field != "" {
				return field + ", " + whyDropped
			}
		}
		if variable, ok := value.(partial); ok {
			if field := firstRead(source, name, variable.untoldFields(), source.mentions); field != "" {
				return field + ", " + variable.whyUntold(strings.TrimPrefix(field, name+"."))
			}
		}
	}
	return ""
}

// mentions tells whether the text of an expression names a field: it reads no other, however it goes about it.
func (c *compiled) mentions(field string) bool {
	text := c.Source().Content()
	return strings.Contains(text, "[") || strings.Contains(text, field) // brackets may make the name of a field out of parts
}

// firstRead is the first of some fields of a variable that an expression may read, with the variable's name.
func firstRead(source *compiled, name string, fields []string, isSuch func(field string) bool) string {
	for _, field := range fields {
		if (source.isWhole[name] || source.fields[name][field] != 0) && isSuch(field) {
			return name + "." + field
		}
	}
	return ""
}

func anyField(string) bool { return true }

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
