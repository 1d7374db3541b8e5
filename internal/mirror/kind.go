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

package mirror

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// kind is what the mirror has to know of a kind of object O with the spec S.
type kind[O, S any] struct {
	specOf   func(*O) *S
	entityOf func(*S) *v1alpha1.Entity

	// labels, metadata, keep, join and keepsOut may be nil.
	labels   func(S) map[string]string
	metadata func(*S) **runtime.RawExtension

	// keep adds to what is wanted what has to be kept of what is known.
	keep func(want, known S) S

	// join puts together what is wanted and what is known, whichever is newer: stale news adds to what is known too. It is commutative,
	// associative and idempotent, so that every order of the news ends alike.
	join func(want, known S) S

	// keepsOut tells whether it keeps somebody out.
	keepsOut func(S) bool

	// narrows: once such an object is known, what memberships say of the same counts no longer.
	narrows bool
}

// mayTakeWhenNew tells whether somebody may lose access by it although nothing was known of it before.
func (k kind[O, S]) mayTakeWhenNew(want S) bool {
	return k.narrows || k.entityOf(&want).DeletedAt != nil || k.keepsOut != nil && k.keepsOut(want)
}

// object is what is wanted, as an object.
func (k kind[O, S]) object(want S) client.Object {
	made := new(O)
	*k.specOf(made) = want
	object := any(made).(client.Object)
	object.SetName(k.nameOf(&want))
	object.SetLabels(k.labelsOf(want))
	return object
}

func (k kind[O, S]) nameOf(spec *S) string {
	entity := k.entityOf(spec)
	return v1alpha1.ObjectName(entity.Instance, entity.ID)
}

// entityOfKnown is the entity of an object that exists.
func (k kind[O, S]) entityOfKnown(known *O) *v1alpha1.Entity { return k.entityOf(k.specOf(known)) }

// isSame tells whether what is known says what is wanted already, whenever that was said. A tombstone is final, whatever the time it has.
func (k kind[O, S]) isSame(known *O, want S) bool {
	if k.join == nil && k.entityOf(&want).DeletedAt != nil {
		return true
	}
	want = k.withHistory(want, known)
	k.entityOf(&want).AsOf = k.entityOfKnown(known).AsOf
	return k.isExact(*k.specOf(known), want)
}

// letsIn tells whether what is wanted lets somebody in whom what is known keeps out.
func (k kind[O, S]) letsIn(known *O, want S) bool {
	return k.keepsOut != nil && k.keepsOut(*k.specOf(known)) && !k.keepsOut(want)
}

// isLabelled tells whether what is known has the labels that are wanted.
func (k kind[O, S]) isLabelled(known *O, want S) bool {
	return k.entityOf(&want).DeletedAt != nil || includes(any(known).(client.Object).GetLabels(), k.labelsOf(want))
}

func (k kind[O, S]) withHistory(want S, known *O) S {
	switch {
	case k.join != nil:
		return k.join(want, *k.specOf(known))
	case k.keep != nil:
		return k.keep(want, *k.specOf(known))
	}
	return want
}

// adds tells whether what is wanted, stale as it is, adds to what is known.
func (k kind[O, S]) adds(known *O, want S) bool {
	return k.join != nil && !k.isExact(*k.specOf(known), k.withHistory(want, known))
}

func (k kind[O, S]) isExact(have, want S) bool {
	if k.metadata != nil {
		mine, theirs := k.metadata(&have), k.metadata(&want)
		if !sameJSON(*mine, *theirs) {
			return false
		}
		*mine, *theirs = nil, nil
	}
	return equality.Semantic.DeepEqual(have, want)
}

func (k kind[O, S]) labelsOf(spec S) map[string]string {
	if k.labels == nil {
		return nil
	}
	return k.labels(spec)
}

func includes(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}
