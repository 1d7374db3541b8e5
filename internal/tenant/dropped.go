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
	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// lossy is a value of which fields may have been dropped: what they were is not known, so nothing may be decided by them.
type lossy interface {
	droppedFields() []string
}

// droppedRead is a field that an expression reads and that was dropped; empty if there is none. An expression that hands its variable on as
// a whole may read any field of it.
func droppedRead(source *cel.Ast, variables map[string]any) string {
	for name, value := range variables {
		variable, ok := value.(lossy)
		if !ok || len(variable.droppedFields()) == 0 {
			continue
		}
		fields, isWhole := fieldsRead(source), readsWhole(source, name)
		for _, field := range variable.droppedFields() {
			if isWhole || fields[field] != 0 {
				return name + "." + field
			}
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
