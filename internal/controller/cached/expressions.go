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

package cached

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// Expressions are the compiled expressions of all TenantClasses, ClerkInstances and ClusterGrants.
type Expressions struct {
	grants    compiled[*tenant.Rule]
	classes   compiled[*tenant.Class]
	usernames compiled[*tenant.Username]
}

// NewExpressions returns Expressions, of which none is compiled yet.
func NewExpressions() *Expressions {
	return &Expressions{
		classes: compiled[*tenant.Class]{compile: func(source client.Object) (*tenant.Class, error) {
			return tenant.CompileClass(source.(*v1alpha1.TenantClass).DeepCopy())
		}},
		grants: compiled[*tenant.Rule]{compile: func(source client.Object) (*tenant.Rule, error) {
			return tenant.CompileClusterGrant(source.(*v1alpha1.ClusterGrant))
		}},
		usernames: compiled[*tenant.Username]{compile: func(source client.Object) (*tenant.Username, error) {
			return tenant.CompileUsername(source.(*v1alpha1.ClerkInstance).Spec.Username)
		}},
	}
}

// Class is a TenantClass, compiled.
func (e *Expressions) Class(object *v1alpha1.TenantClass) (*tenant.Class, error) {
	return e.classes.of(object)
}

// ClusterGrant is what a ClusterGrant says, compiled.
func (e *Expressions) ClusterGrant(object *v1alpha1.ClusterGrant) (*tenant.Rule, error) {
	return e.grants.of(object)
}

// Username is spec.username of a ClerkInstance, compiled.
func (e *Expressions) Username(object *v1alpha1.ClerkInstance) (*tenant.Username, error) {
	return e.usernames.of(object)
}

// Classes are all TenantClasses, compiled.
func (e *Expressions) Classes(ctx context.Context, reader client.Reader) (*tenant.Classes, error) {
	var list v1alpha1.TenantClassList
	if err := reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list TenantClasses: %w", err)
	}
	all := &tenant.Classes{}
	for i := range list.Items {
		class, err := e.classes.of(&list.Items[i])
		all.Add(&list.Items[i], class, err)
	}
	return all, nil
}

// Instance is what a ClerkInstance decides about its organizations.
func (e *Expressions) Instance(ctx context.Context, reader client.Reader, name string) (tenant.Instance, error) {
	var object v1alpha1.ClerkInstance
	err := reader.Get(ctx, client.ObjectKey{Name: name}, &object)
	if apierrors.IsNotFound(err) {
		return tenant.NewInstance(name, nil, nil), nil
	}
	if err != nil {
		return tenant.Instance{}, fmt.Errorf("read ClerkInstance %s: %w", name, err)
	}
	username, err := e.usernames.of(&object)
	if err != nil {
		username = nil // Instance.Problem says so
	}
	return tenant.NewInstance(name, &object, username), nil
}
