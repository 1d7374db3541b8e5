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

package kubectl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
)

// snapshot is what was listed of a cluster. It is read like the operator's cache, by the same indexes, so that the same code reads both.
type snapshot struct {
	objects map[reflect.Type][]client.Object
	indexes map[indexKey]client.IndexerFunc
	found   map[indexKey]map[string][]client.Object

	// unread are the kinds that the caller may not list, with the API server's answer.
	unread map[string]error
}

type indexKey struct {
	kind  reflect.Type
	field string
}

func newSnapshot(ctx context.Context) (*snapshot, error) {
	s := &snapshot{
		objects: map[reflect.Type][]client.Object{}, indexes: map[indexKey]client.IndexerFunc{},
		found: map[indexKey]map[string][]client.Object{}, unread: map[string]error{},
	}
	return s, cached.AddIndexes(ctx, s)
}

// IndexField implements client.FieldIndexer.
func (s *snapshot) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	s.indexes[indexKey{kindOf(object), field}] = values
	return nil
}

func kindOf(object client.Object) reflect.Type { return reflect.TypeOf(object).Elem() }

// put adds an object, in place of the one of the same name.
func (s *snapshot) put(object client.Object) {
	kind := kindOf(object)
	for key := range s.indexes {
		if key.kind == kind {
			delete(s.found, key)
		}
	}
	for at, known := range s.objects[kind] {
		if client.ObjectKeyFromObject(known) == client.ObjectKeyFromObject(object) {
			s.objects[kind][at] = object
			return
		}
	}
	s.objects[kind] = append(s.objects[kind], object)
}

// with is a copy of the snapshot in which some objects are others.
func (s *snapshot) with(ctx context.Context, objects ...client.Object) (*snapshot, error) {
	changed, err := newSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	for kind, known := range s.objects {
		changed.objects[kind] = append([]client.Object(nil), known...)
	}
	maps.Copy(changed.unread, s.unread)
	for _, object := range objects {
		changed.put(object)
	}
	return changed, nil
}

// Get implements client.Reader.
func (s *snapshot) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for _, object := range s.objects[kindOf(into)] {
		if client.ObjectKeyFromObject(object) == key {
			reflect.ValueOf(into).Elem().Set(reflect.ValueOf(object.DeepCopyObject()).Elem())
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: kindOf(into).Name()}, key.Name)
}

// List implements client.Reader: all objects of a kind, or those with a value of an index. They are the snapshot's own.
func (s *snapshot) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var settings client.ListOptions
	for _, option := range options {
		option.ApplyToList(&settings)
	}
	if settings.LabelSelector != nil || settings.Namespace != "" {
		return errors.New("a snapshot is read by its indexes alone")
	}
	items := reflect.ValueOf(into).Elem().FieldByName("Items")
	kind := items.Type().Elem()
	objects := s.objects[kind]
	if settings.FieldSelector != nil {
		for _, requirement := range settings.FieldSelector.Requirements() {
			var err error
			if objects, err = s.having(indexKey{kind, requirement.Field}, requirement.Value); err != nil {
				return err
			}
		}
	}
	result := reflect.MakeSlice(items.Type(), 0, len(objects))
	for _, object := range objects {
		result = reflect.Append(result, reflect.ValueOf(object).Elem())
	}
	items.Set(result)
	return nil
}

func (s *snapshot) having(key indexKey, value string) ([]client.Object, error) {
	values, known := s.indexes[key]
	if !known {
		return nil, fmt.Errorf("%s has no index %s", key.kind.Name(), key.field)
	}
	if s.found[key] == nil {
		s.found[key] = map[string][]client.Object{}
		for _, object := range s.objects[key.kind] {
			for _, at := range values(object) {
				s.found[key][at] = append(s.found[key][at], object)
			}
		}
	}
	return s.found[key][value], nil
}

// all are the objects of a kind.
func all[T any, P interface {
	*T
	client.Object
}](s *snapshot) []P {
	objects := s.objects[reflect.TypeFor[T]()]
	result := make([]P, len(objects))
	for i, object := range objects {
		result[i] = object.(P)
	}
	return result
}

// valuesOf are the objects of a kind, not as pointers.
func valuesOf[T any, P interface {
	*T
	client.Object
}](s *snapshot) []T {
	objects := all[T, P](s)
	result := make([]T, len(objects))
	for i, object := range objects {
		result[i] = *object
	}
	return result
}

// having are the objects of a kind with a value of an index of the operator's.
func having[T any, P interface {
	*T
	client.Object
}](s *snapshot, field, value string) []P {
	objects, err := s.having(indexKey{reflect.TypeFor[T](), field}, value)
	if err != nil {
		panic(err) // the indexes are constants
	}
	result := make([]P, len(objects))
	for i, object := range objects {
		result[i] = object.(P)
	}
	return result
}

// named is the object of a kind with a name, nil if there is none.
func named[T any, P interface {
	*T
	client.Object
}](s *snapshot, name string) P {
	for _, object := range all[T, P](s) {
		if object.GetName() == name {
			return object
		}
	}
	return nil
}
