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

package database

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
)

// kinds are the mirrored kinds, by the table of each.
var kinds = map[v1alpha1.DatabaseTable]func() client.Object{
	v1alpha1.DatabaseOrganizations: func() client.Object { return &v1alpha1.ClerkOrganization{} },
	v1alpha1.DatabaseUsers:         func() client.Object { return &v1alpha1.ClerkUser{} },
	v1alpha1.DatabaseMemberships:   func() client.Object { return &v1alpha1.ClerkMember{} },
	v1alpha1.DatabaseRoles:         func() client.Object { return &v1alpha1.ClerkRole{} },
	v1alpha1.DatabasePermissions:   func() client.Object { return &v1alpha1.ClerkPermission{} },
}

// source is what is mirrored. It reads the caches' stores as they stand: a list of 100,000 objects would be copied as a whole otherwise.
// Nothing of what it returns may be changed.
type source struct {
	stores map[v1alpha1.DatabaseTable]toolscache.Store
	live   client.Reader
}

// newSource waits until the caches are filled.
func newSource(
	ctx context.Context, informers cache.Informers, live client.Reader, handler toolscache.ResourceEventHandler,
) (*source, error) {
	s := &source{stores: map[v1alpha1.DatabaseTable]toolscache.Store{}, live: live}
	for table, kind := range kinds {
		informer, err := informers.GetInformer(ctx, kind())
		if err != nil {
			return nil, fmt.Errorf("look at the cache of %s: %w", table, err)
		}
		holder, ok := informer.(interface{ GetStore() toolscache.Store })
		if !ok {
			return nil, fmt.Errorf("the cache of %s is a %T, which shows no store", table, informer)
		}
		s.stores[table] = holder.GetStore()
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("listen to the cache of %s: %w", table, err)
		}
	}
	return s, nil
}

// all are the objects of an instance, in the order of their ids.
func (s *source) all(table v1alpha1.DatabaseTable, instance string) []client.Object {
	var objects []client.Object
	for _, stored := range s.stores[table].List() {
		object, ok := stored.(client.Object)
		if !ok {
			continue
		}
		if at, isMirrored := rows.Identify(object); isMirrored && at.Instance == instance {
			objects = append(objects, object)
		}
	}
	slices.SortFunc(objects, func(a, b client.Object) int { return strings.Compare(idOf(a), idOf(b)) })
	return objects
}

func idOf(object client.Object) string {
	at, _ := rows.Identify(object)
	return at.ID
}

// get is nil where there is no such object.
func (s *source) get(at key, instance string) client.Object {
	stored, isThere, err := s.stores[at.table].GetByKey(v1alpha1.ObjectName(instance, at.id))
	if err != nil || !isThere {
		return nil
	}
	object, ok := stored.(client.Object)
	if !ok || idOf(object) != at.id {
		return nil
	}
	return object
}

// ask asks the API server itself; nil where there is no such object.
func (s *source) ask(ctx context.Context, at key, instance string) (client.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	object := kinds[at.table]()
	name := v1alpha1.ObjectName(instance, at.id)
	err := s.live.Get(ctx, client.ObjectKey{Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, fmt.Errorf("look for %s: %w", name, err)
	case idOf(object) != at.id:
		return nil, nil //nolint:nilnil // another one by the same name
	}
	return object, nil
}
