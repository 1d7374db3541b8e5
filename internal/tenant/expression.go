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
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

const (
	// costLimit bounds the work of one evaluation, in CEL's units of cost. What a class needs stays below a few hundred; the limit
	// keeps one organization's metadata from holding up the others.
	costLimit = 100_000

	// maxExpanded bounds the text that a template may expand to, in bytes: far above any name, label or annotation in use.
	maxExpanded = 16 * 1024
)

// scope is the set of variables that an expression may use.
type scope struct {
	env       *cel.Env
	variables []variable
}

var (
	organizationScope = newScope(variable{variableOrganization, Organization{}})
	userScope         = newScope(variable{variableUser, User{}})
	grantScope        = newScope(
		variable{variableUser, User{}}, variable{variableMember, Member{}}, variable{variableOrganization, Organization{}})
)

// Names of variables.
const (
	variableUser         = "user"
	variableMember       = "member"
	variableOrganization = "organization"
)

// variableNames are all of them.
var variableNames = []string{variableMember, variableOrganization, variableUser}

// variable is the name of a variable, with a value of its type.
type variable struct {
	name  string
	value any
}

// typeOf is the name that CEL knows the type of a variable's value by.
func typeOf(value any) string { return "tenant." + reflect.TypeOf(value).Name() }

// newScope declares variables, each of the type of its value. It panics when that is no CEL type, which no input can cause.
func newScope(variables ...variable) scope {
	options := append([]cel.EnvOption{cel.OptionalTypes(), ext.Strings(), ext.Math(), ext.Sets()}, quantityFunctions()...)
	native := []any{ext.ParseStructTags(true)}
	for _, v := range variables {
		native = append(native, reflect.TypeOf(v.value))
		options = append(options, cel.Variable(v.name, cel.ObjectType(typeOf(v.value))))
	}
	// Network registers types, which is no longer possible once NativeTypes says where types come from.
	env, err := cel.NewEnv(append([]cel.EnvOption{ext.Network(), ext.NativeTypes(native...)}, options...)...)
	if err != nil {
		panic(err)
	}
	return scope{env, variables}
}

// compiled is an expression that compiles, with what it reads of each variable: that is asked for each member, time and again.
type compiled struct {
	*cel.Ast

	fields  map[string]map[string]reading
	isWhole map[string]bool // used otherwise than to select a field of it
}

func (s scope) compile(source string) (*compiled, cel.Program, error) {
	ast, issues := s.env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, nil, fmt.Errorf("expression %q does not compile: %s", source, firstLine(err.Error()))
	}
	program, err := s.env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, nil, fmt.Errorf("expression %q does not compile: %w", source, err)
	}
	known := &compiled{Ast: ast, fields: map[string]map[string]reading{}, isWhole: map[string]bool{}}
	for _, v := range s.variables {
		known.fields[v.name], known.isWhole[v.name] = fieldsRead(ast, typeOf(v.value)), readsWhole(ast, v.name)
	}
	return known, program, nil
}

// firstLine keeps what is wrong and leaves out CEL's drawing of where.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(line, "ERROR: <input>:")
}

// tellable is what may be told of a failure: CEL quotes the values that it failed on, and they may be personal.
var tellable = regexp.MustCompile(`^(no such (key|attribute|field|overload)|type conversion error( from '[\w.]+' to '[\w.]+')?|` +
	`invalid RFC 3339 timestamp|index out of (bounds|range)|(division|modulus) by zero|(unsigned )?integer overflow|` +
	`(timestamp|duration) overflow|operation cancelled: actual cost limit exceeded|error parsing regexp|not a quantity)`)

// failure is why an expression failed, without any value. A key that stands in the expression itself is none.
func failure(err error, source string) string {
	text := firstLine(err.Error())
	if key, missing := strings.CutPrefix(text, "no such key: "); missing && strings.Contains(source, key) {
		return text
	}
	if told := tellable.FindString(text); told != "" {
		return told
	}
	return "the values do not fit it"
}

// predicate is an expression that is true or false.
type predicate struct {
	program cel.Program
	ast     *compiled

	// partial evaluates it where something is not known; nil where nobody asks for that.
	partial cel.Program
}

func (s scope) predicate(source string) (*predicate, error) {
	ast, program, err := s.compile(source)
	if err != nil {
		return nil, err
	}
	if kind := ast.OutputType(); kind.Kind() != types.BoolKind && kind.Kind() != types.DynKind {
		return nil, fmt.Errorf("expression %q gives %s: it has to be true or false", source, kind)
	}
	return &predicate{program: program, ast: ast}, nil
}

// holds is false also when the expression fails, as it does where a key is missing.
func (p *predicate) holds(variables map[string]any) bool {
	value, _, err := p.program.Eval(variables)
	return err == nil && value == types.True
}

// dependsOn tells whether it may be true or not by what some fields of the organization are that are not known. An expression that is false
// whatever they are, as "a && b" is where a is false, does not.
func (p *predicate) dependsOn(unknown []string, variables map[string]any) bool {
	patterns := make([]*cel.AttributePatternType, len(unknown))
	for i, field := range unknown {
		patterns[i] = cel.AttributePattern(variableOrganization).QualString(field)
	}
	known, err := cel.PartialVars(variables, patterns...)
	if err != nil {
		return true
	}
	value, _, _ := p.partial.Eval(known)
	return types.IsUnknown(value)
}

// Template is text with expressions in ${…}. "$${" stands for a plain "${".
type Template struct {
	parts []part

	// filled: each expression has to give some text.
	filled bool
}

// part is plain text or, with a program, an expression.
type part struct {
	text    string
	program cel.Program
	ast     *compiled
}

func (s scope) template(source string) (*Template, error) {
	template := &Template{}
	for rest := source; rest != ""; {
		plain, expression, after, err := nextExpression(rest)
		if err != nil {
			return nil, fmt.Errorf("template %q: %w", source, err)
		}
		if plain != "" {
			template.parts = append(template.parts, part{text: plain})
		}
		if expression != "" {
			ast, program, err := s.textual(expression)
			if err != nil {
				return nil, err
			}
			template.parts = append(template.parts, part{text: expression, program: program, ast: ast})
		}
		rest = after
	}
	return template, nil
}

// textual compiles an expression whose value can be written as text.
func (s scope) textual(source string) (*compiled, cel.Program, error) {
	ast, program, err := s.compile(source)
	if err != nil {
		return nil, nil, err
	}
	switch ast.OutputType().Kind() {
	case types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.BoolKind, types.DynKind:
		return ast, program, nil
	}
	return nil, nil, fmt.Errorf("expression %q gives %s: it has to be a string, a number or a boolean", source, ast.OutputType())
}

var (
	errUnclosed = errors.New("${ has no closing }")
	errEmpty    = errors.New("${} holds no expression")
)

// nextExpression splits source at its first ${…}.
func nextExpression(source string) (plain, expression, after string, err error) {
	var text strings.Builder
	for i := 0; i < len(source); i++ {
		switch {
		case strings.HasPrefix(source[i:], "$${"):
			text.WriteString("${")
			i += len("$${") - 1
		case strings.HasPrefix(source[i:], "${"):
			start := i + len("${")
			length := closingBrace(source[start:])
			if length < 0 {
				return "", "", "", errUnclosed
			}
			expression = strings.TrimSpace(source[start : start+length])
			if expression == "" {
				return "", "", "", errEmpty
			}
			return text.String(), expression, source[start+length+1:], nil
		default:
			text.WriteByte(source[i])
		}
	}
	return text.String(), "", "", nil
}

// closingBrace finds the } that ends an expression: not one within a string, nor one that closes a map of its own. -1 if there is none.
func closingBrace(source string) int {
	depth := 0
	for i := 0; i < len(source); i++ {
		switch source[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '\'', '"':
			length := quotedLength(source[i:])
			if length < 0 {
				return -1
			}
			i += length - 1
		}
	}
	return -1
}

// quotedLength is the length of the string literal that source begins with, -1 if it has no end.
func quotedLength(source string) int {
	for i := 1; i < len(source); i++ {
		switch source[i] {
		case '\\':
			i++
		case source[0]:
			return i + 1
		}
	}
	return -1
}

// constant is the text of a template without expressions; false for one that has some, or that did not compile.
func (t *Template) constant() (string, bool) {
	if t == nil || slices.ContainsFunc(t.parts, func(p part) bool { return p.program != nil }) {
		return "", false
	}
	var text strings.Builder
	for _, p := range t.parts {
		text.WriteString(p.text)
	}
	return text.String(), true
}

func (t *Template) expand(variables map[string]any) (string, error) {
	var text strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			text.WriteString(p.text)
			continue
		}
		if unknown := unknownRead(p.ast, variables); unknown != "" {
			return "", fmt.Errorf("expression %q reads %s", p.text, unknown)
		}
		value, _, err := p.program.Eval(variables)
		if err != nil {
			return "", fmt.Errorf("expression %q failed: %s", p.text, failure(err, p.text))
		}
		written, err := write(value)
		if err != nil {
			return "", fmt.Errorf("expression %q: %w", p.text, err)
		}
		if written == "" && t.filled {
			return "", fmt.Errorf("expression %q gives no text", p.text)
		}
		text.WriteString(written)
		if text.Len() > maxExpanded {
			return "", fmt.Errorf("expression %q: the text grows over %d bytes", p.text, maxExpanded)
		}
	}
	return text.String(), nil
}

func write(value ref.Val) (string, error) {
	switch v := value.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Double:
		return writeDouble(float64(v)), nil
	}
	return "", fmt.Errorf("its value is a %s: it has to be a string, a number or a boolean", value.Type().TypeName())
}

// writeDouble writes a number of JSON as people wrote it there: 5, not 5.0.
func writeDouble(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// reading is how an expression reads a field of its variable.
type reading int

const (
	_ reading = iota

	// asked: only where it is there, by has(…) or an optional.
	asked

	// unasked: also where it is empty.
	unasked
)

// readsField tells whether an expression reads a field of a value of a type, by its name.
func readsField(source *cel.Ast, typeName, field string) bool {
	native, found := source.NativeRep(), false
	celast.PostOrderVisit(native.Expr(), celast.NewExprVisitor(func(expression celast.Expr) {
		if expression.Kind() == celast.SelectKind {
			selected := expression.AsSelect()
			found = found || selected.FieldName() == field && native.GetType(selected.Operand().ID()).TypeName() == typeName
		}
	}))
	return found
}

// fieldsRead are the fields of the variable of a type that an expression reads. One whose owner is of an unknown type counts too: it may be
// the variable behind another name.
func fieldsRead(source *cel.Ast, typeName string) map[string]reading {
	native := source.NativeRep()
	reads, tested := map[string]reading{}, map[string]bool{}
	ownedByVariable := func(operand celast.Expr) bool {
		owner := native.GetType(operand.ID())
		return owner.Kind() == types.StructKind && owner.TypeName() == typeName || owner.Kind() == types.DynKind
	}
	celast.PostOrderVisit(native.Expr(), celast.NewExprVisitor(func(expression celast.Expr) {
		switch expression.Kind() {
		case celast.SelectKind:
			selected := expression.AsSelect()
			field := selected.FieldName()
			if !ownedByVariable(selected.Operand()) {
				return
			}
			tested[field] = tested[field] || selected.IsTestOnly()
			reads[field] = unasked
		case celast.CallKind:
			call := expression.AsCall()
			if call.FunctionName() != operators.OptSelect || len(call.Args()) < 2 || !ownedByVariable(call.Args()[0]) {
				return
			}
			if field, ok := call.Args()[1].AsLiteral().Value().(string); ok {
				reads[field] = max(reads[field], asked)
			}
		}
	}))
	for field := range tested {
		if tested[field] {
			reads[field] = asked
		}
	}
	return reads
}
