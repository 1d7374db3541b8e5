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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxReads bounds how often what is known is read again for one event: it is once, unless somebody else writes at the same moment.
const maxReads = 5

// errOutdated says that the API server knows more of an object than whoever wrote it.
var errOutdated = errors.New("what is known of the object changes all the time: tried again later")

// put writes what is wanted of an entity, unless it is known to be so already, or to be newer. What is known is what the cache holds; where
// the API server turns out to know better, it is read from there.
func put[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, told telling) (Outcome, error) {
	known, err := known(ctx, m, k, want)
	if err != nil {
		return "", err
	}
	if k.entityOf(&want).DeletedAt == nil && !told.isCarried {
		k.entityOf(&want).AsOf = microTime(told.at)
	}
	name := k.nameOf(&want)
	outcome, err := attempt(ctx, m, k, want, known, told, false)
	for range maxReads {
		if !errors.Is(err, errOutdated) {
			break
		}
		if known, err = read(ctx, m.Live, k, want); err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		outcome, err = attempt(ctx, m, k, want, known, told, true)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return outcome, nil
}

// attempt writes what is wanted, by what is known: nil if nothing. It is errOutdated where that has to be read from the API server first;
// isLive tells that it just was.
func attempt[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, known *O, told telling, isLive bool) (Outcome, error) {
	if known == nil {
		mayCreate, err := m.mayCreate(ctx, k.entityOf(&want).Instance, told)
		switch {
		case err != nil:
			return "", err
		case mayCreate:
			giveBack, err := m.take(ctx, rankOf(told, k.mayTakeWhenNew(want)))
			if err != nil {
				return "", err
			}
			defer giveBack()
			return m.create(ctx, k.object(want))
		case isLive:
			return Expired, nil
		}
		return "", errOutdated // it may exist, though the cache has yet to see it
	}
	outcome, err := compare(ctx, m, k, &want, known, told)
	if err != nil || outcome != "" {
		return outcome, err
	}
	want = k.withHistory(want, known)
	giveBack, err := m.take(ctx, rankOf(told, true))
	if err != nil {
		return "", err
	}
	defer giveBack()
	outcome, err = m.change(ctx, any(known).(client.Object), k.object(want), want)
	if k.join != nil && outcome == Stale {
		return "", errOutdated // what the API server has is newer than what is known: does this add to it?
	}
	return outcome, err
}

// take waits for the turn to write, which is to be given back.
func (m *Mirror) take(ctx context.Context, of rank) (giveBack func(), err error) {
	leave, err := m.writes.take(ctx, of)
	if err != nil || of != listed || m.BeginListed == nil {
		return leave, err
	}
	end := m.BeginListed()
	return func() { end(); leave() }, nil
}

// rankOf is the rank of a write that may take access away, or may not.
func rankOf(told telling, mayTake bool) rank {
	switch {
	case told.isListed:
		return listed
	case mayTake:
		return revoking
	}
	return heard
}

func (m *Mirror) create(ctx context.Context, object client.Object) (Outcome, error) {
	err := m.Client.Create(ctx, object, FieldOwner, client.FieldValidation(metav1.FieldValidationIgnore))
	if apierrors.IsAlreadyExists(err) {
		return "", errOutdated
	}
	return judge(err)
}

// change makes the spec of an object what is wanted, whatever else somebody wrote there: a restored backup or an edit by hand could keep a
// permission alive, or have a deletion refused. It cannot create anything.
func (m *Mirror) change(ctx context.Context, known, want client.Object, spec any) (Outcome, error) {
	operations := append(labelOperations(known.GetLabels(), want.GetLabels()), operation{Op: "replace", Path: "/spec", Value: spec})
	encoded, err := json.Marshal(operations)
	if err != nil {
		return "", &RejectedError{Reason: "the event cannot be written as JSON"}
	}
	patch := client.RawPatch(types.JSONPatchType, encoded)
	err = m.Client.Patch(ctx, want, patch, FieldOwner, client.FieldValidation(metav1.FieldValidationIgnore))
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) && len(causesOf(err)) == 0 { // without causes: its labels are others by now
		return "", errOutdated
	}
	return judge(err)
}

// operation is one of a JSON patch: RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// pointerEscapes are those of a JSON pointer: RFC 6901.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// labelOperations make the labels that are the mirror's what is wanted, and leave all others as they are.
func labelOperations(have, want map[string]string) []operation {
	const labels = "/metadata/labels"
	if len(have) == 0 && len(want) > 0 {
		return []operation{{Op: "add", Path: labels, Value: want}}
	}
	var operations []operation
	for _, key := range labelKeys {
		path := labels + "/" + pointerEscapes.Replace(key)
		before, isSet := have[key]
		value, isWanted := want[key]
		switch {
		case isWanted && before != value:
			operations = append(operations, operation{Op: "add", Path: path, Value: value})
		case isSet && !isWanted:
			operations = append(operations, operation{Op: "remove", Path: path})
		}
	}
	return operations
}
