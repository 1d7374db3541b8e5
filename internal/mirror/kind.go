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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// state is what decides about news of an entity: whose it is, and how old.
type state struct {
	identity
	updatedAt, asOf, deletedAt *metav1.MicroTime
}

// kind is what the mirror has to know of a kind of object O with the spec S.
type kind[O, S any] struct {
	specOf        func(*O) *S
	stateOf       func(*S) state
	asOf          func(*S) **metav1.MicroTime
	configuration func(name string, uid *types.UID, labels map[string]string, spec S) runtime.ApplyConfiguration

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
}

func (k kind[O, S]) empty() client.Object { return any(new(O)).(client.Object) }

func (k kind[O, S]) nameOf(spec *S) string {
	known := k.stateOf(spec)
	return v1alpha1.ObjectName(known.instance, known.id)
}

// isSame tells whether what is known says what is wanted already, whenever that was said. A tombstone is final, whatever the time it has.
func (k kind[O, S]) isSame(known *O, want S) bool {
	if k.join == nil && k.stateOf(&want).deletedAt != nil {
		return true
	}
	want = k.withHistory(want, known)
	*k.asOf(&want) = k.stateOf(k.specOf(known)).asOf
	return k.isExact(*k.specOf(known), want)
}

// letsIn tells whether what is wanted lets somebody in whom what is known keeps out.
func (k kind[O, S]) letsIn(known *O, want S) bool {
	return k.keepsOut != nil && k.keepsOut(*k.specOf(known)) && !k.keepsOut(want)
}

// isLabelled tells whether what is known has the labels that are wanted.
func (k kind[O, S]) isLabelled(known *O, want S) bool {
	return k.stateOf(&want).deletedAt != nil || includes(any(known).(client.Object).GetLabels(), k.labelsOf(want))
}

func (k kind[O, S]) withHistory(want S, known *O) S {
	switch {
	case known == nil:
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

// entity is an object to be put into the API server.
type entity struct {
	name          string
	empty         func() client.Object
	configuration func(uid *types.UID) runtime.ApplyConfiguration
	spec          any

	// stored receives what the API server holds; isExact tells whether that is the spec that is wanted and nothing more.
	stored  client.Object
	isExact func() bool
}

// entity is what is wanted, with what has to be kept of what is known.
func (k kind[O, S]) entity(want S, known *O) entity {
	want = k.withHistory(want, known)
	name, stored := k.nameOf(&want), new(O)
	return entity{
		name:  name,
		empty: k.empty,
		configuration: func(uid *types.UID) runtime.ApplyConfiguration {
			return k.configuration(name, uid, k.labelsOf(want), want)
		},
		spec:    want,
		stored:  any(stored).(client.Object),
		isExact: func() bool { return k.isExact(*k.specOf(stored), want) },
	}
}
