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

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// compiled remembers what became of compiling an object's expressions, by the object's generation.
type compiled[T any] struct {
	compile func(source client.Object) (T, error)
	known   sync.Map // types.UID → version[T]
}

type version[T any] struct {
	generation int64
	value      T
	err        error
}

func (c *compiled[T]) of(object client.Object) (T, error) {
	if known, ok := c.known.Load(object.GetUID()); ok {
		if v := known.(version[T]); v.generation == object.GetGeneration() {
			return v.value, v.err
		}
	}
	value, err := c.compile(object)
	c.known.Store(object.GetUID(), version[T]{generation: object.GetGeneration(), value: value, err: err})
	return value, err
}

// expressions are the compiled expressions of all TenantClasses and ClerkInstances.
type expressions struct {
	classes   compiled[*tenant.Class]
	usernames compiled[*tenant.Username]
}

func newExpressions() *expressions {
	return &expressions{
		classes: compiled[*tenant.Class]{compile: func(source client.Object) (*tenant.Class, error) {
			return tenant.CompileClass(source.(*v1alpha1.TenantClass).DeepCopy())
		}},
		usernames: compiled[*tenant.Username]{compile: func(source client.Object) (*tenant.Username, error) {
			return tenant.CompileUsername(source.(*v1alpha1.ClerkInstance).Spec.Username)
		}},
	}
}

// catalogue are the TenantClasses: those of which it is known for whom they are, and by name the error of those that do not compile.
type catalogue struct {
	objects    map[string]*v1alpha1.TenantClass
	matchables []*tenant.Class
	broken     map[string]error
}

func (e *expressions) catalogue(ctx context.Context, reader client.Reader) (catalogue, error) {
	var list v1alpha1.TenantClassList
	if err := reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return catalogue{}, fmt.Errorf("list TenantClasses: %w", err)
	}
	result := catalogue{objects: make(map[string]*v1alpha1.TenantClass, len(list.Items)), broken: map[string]error{}}
	for i := range list.Items {
		object := &list.Items[i]
		result.objects[object.Name] = object
		class, err := e.classes.of(object)
		if err != nil {
			result.broken[object.Name] = err
		}
		if class != nil {
			result.matchables = append(result.matchables, class)
		}
	}
	return result, nil
}

func (c catalogue) isMatchable(name string) bool {
	return slices.ContainsFunc(c.matchables, func(class *tenant.Class) bool { return class.Name() == name })
}
