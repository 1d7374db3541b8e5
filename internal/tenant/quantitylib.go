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
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/api/resource"
)

// quantityType is the type of quantities in CEL, by the name that it has in the API server's.
var quantityType = cel.OpaqueType("kubernetes.Quantity")

// quantityFunctions are those of the API server's library for quantities that a class has use for. That library itself
// (k8s.io/apiserver) is built on the module that cel-go was before it was renamed: its types do not fit, and a second cel-go and the API
// server's authentication would come with it.
func quantityFunctions() []cel.EnvOption {
	pair := []*cel.Type{quantityType, quantityType}
	compared := func(name string, is func(order int) ref.Val, result *cel.Type) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("quantity_"+name, pair, result, cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			left, right := a.(quantityValue), b.(quantityValue)
			return is(left.Cmp(right.Quantity))
		})))
	}
	computed := func(name string, change func(*resource.Quantity, resource.Quantity)) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("quantity_"+name, pair, quantityType, cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			result := a.(quantityValue).DeepCopy()
			change(&result, b.(quantityValue).Quantity)
			return quantityValue{result}
		})))
	}
	return []cel.EnvOption{
		cel.Function("quantity", cel.Overload("string_to_quantity", []*cel.Type{cel.StringType}, quantityType,
			cel.UnaryBinding(func(text ref.Val) ref.Val {
				quantity, err := parseQuantity(string(text.(types.String)))
				if err != nil {
					return types.NewErr("not a quantity")
				}
				return quantityValue{quantity}
			}))),
		cel.Function("isQuantity", cel.Overload("is_quantity", []*cel.Type{cel.StringType}, cel.BoolType,
			cel.UnaryBinding(func(text ref.Val) ref.Val {
				_, err := parseQuantity(string(text.(types.String)))
				return types.Bool(err == nil)
			}))),
		cel.Function("string", cel.Overload("quantity_to_string", []*cel.Type{quantityType}, cel.StringType,
			cel.UnaryBinding(func(value ref.Val) ref.Val { return value.ConvertToType(types.StringType) }))),
		compared("isGreaterThan", func(order int) ref.Val { return types.Bool(order > 0) }, cel.BoolType),
		compared("isLessThan", func(order int) ref.Val { return types.Bool(order < 0) }, cel.BoolType),
		compared("compareTo", func(order int) ref.Val { return types.Int(order) }, cel.IntType),
		computed("add", func(sum *resource.Quantity, more resource.Quantity) { sum.Add(more) }),
		computed("sub", func(rest *resource.Quantity, less resource.Quantity) { rest.Sub(less) }),
	}
}

// quantityValue is a quantity in CEL.
type quantityValue struct{ resource.Quantity }

// ConvertToNative implements ref.Val.
func (q quantityValue) ConvertToNative(kind reflect.Type) (any, error) {
	if kind == reflect.TypeFor[resource.Quantity]() {
		return q.Quantity, nil
	}
	return nil, errors.New("a quantity is converted to text alone")
}

// ConvertToType implements ref.Val.
func (q quantityValue) ConvertToType(kind ref.Type) ref.Val {
	switch kind {
	case types.StringType:
		return types.String(q.String())
	case types.TypeType:
		return quantityType
	case quantityType:
		return q
	}
	return types.NewErr("type conversion error from '%s' to '%s'", quantityType, kind)
}

// Equal implements ref.Val.
func (q quantityValue) Equal(other ref.Val) ref.Val {
	quantity, is := other.(quantityValue)
	return types.Bool(is && q.Cmp(quantity.Quantity) == 0)
}

// Type implements ref.Val.
func (quantityValue) Type() ref.Type { return quantityType }

// Value implements ref.Val.
func (q quantityValue) Value() any { return q.Quantity }
