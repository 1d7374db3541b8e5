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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxReads bounds how often what is known is read again for one event: it is once, unless somebody else writes at the same moment.
const maxReads = 5

// settle applies what is wanted. Where that depends on what was before, and the cache did not know it, that is read from the API server.
func settle[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, known *O, uid *types.UID) (Outcome, error) {
	name := k.nameOf(&want)
	put := func(known *O) (Outcome, error) {
		outcome, err := m.put(ctx, k.entity(want, known), uid)
		if k.join != nil && err == nil && outcome == Stale {
			return "", errUnknownHistory // what the API server has is newer than what is known: does this add to it?
		}
		return outcome, err
	}
	outcome, err := put(known)
	for range maxReads {
		if !errors.Is(err, errUnknownHistory) {
			break
		}
		object := k.empty()
		if err := m.Live.Get(ctx, types.NamespacedName{Name: name}, object); err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		live := any(object).(*O)
		if k.join != nil && !k.adds(live, want) {
			return Stale, nil
		}
		outcome, err = put(live)
	}
	if err != nil {
		return "", fmt.Errorf("apply %s: %w", name, err)
	}
	return outcome, nil
}

// put applies an entity.
func (m *Mirror) put(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	outcome, err := m.write(ctx, e, uid)
	if _, rejected := errors.AsType[*RejectedError](err); rejected || outcome == Applied && !e.isExact() {
		replaced := outcome
		replaceErr := retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
			replaced, err = m.replace(ctx, e, uid)
			return err
		})
		if !apierrors.IsNotFound(replaceErr) {
			outcome, err = replaced, replaceErr
		}
	}
	return outcome, err
}

func (m *Mirror) write(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	configuration, err := json.Marshal(e.configuration(uid))
	if err != nil {
		return "", &RejectedError{Reason: "the event cannot be written as JSON"}
	}
	e.stored.SetName(e.name)
	return judge(m.Client.Patch(ctx, e.stored, client.RawPatch(types.ApplyPatchType, configuration), FieldOwner, client.ForceOwnership))
}

// replace makes the spec what is wanted where an apply does not: an apply leaves in place what somebody else has written too, a restored
// backup or an edit by hand. Left there, it could keep a permission alive, or have a deletion refused. The rules of the kinds hold as ever.
func (m *Mirror) replace(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	live := e.empty()
	if err := m.Live.Get(ctx, types.NamespacedName{Name: e.name}, live); err != nil {
		return "", err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
		{"op": "replace", "path": "/spec", "value": e.spec},
	})
	if err != nil {
		return "", err
	}
	outcome, err := judge(m.Client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), FieldOwner))
	if err != nil || outcome != Applied {
		return outcome, err
	}
	return m.write(ctx, e, uid) // for the labels, and to own the fields again
}
