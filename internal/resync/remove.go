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

package resync

import (
	"context"
	"errors"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// prune removes what is gone, after a second look at each, unless that would be too much.
func (r *run) prune(ctx context.Context) error {
	p := planOf(r.kinds, r.started)
	r.notes.tooYoung = p.tooYoung
	if p.why = p.tooMuch(r.kinds, r.instance.Spec.API.Prune); p.why != "" &&
		r.instance.Annotations[v1alpha1.ReleasePruneAnnotation] != p.name() {
		r.held = &p
		return r.verdict()
	}
	gone, failures := map[string]bool{}, map[*kind]int{}
	for _, a := range p.byKind(kinds, r.unseen) {
		if failures[a.kind] >= maxFailedLooks {
			r.notes.unseen.add(a.id)
			continue
		}
		looked, err := r.remove(ctx, a, gone)
		if err != nil {
			return err
		}
		if !looked {
			failures[a.kind]++
			r.failed[a.id] = true
			r.notes.unseen.add(a.id)
		}
	}
	return r.verdict()
}

// remove looks at one thing again, and makes its tombstone if it is gone. It tells whether it could look.
func (r *run) remove(ctx context.Context, a absence, gone map[string]bool) (bool, error) {
	if err := r.stillWanted(ctx); err != nil {
		return false, err
	}
	if !gone[a.organizationID] {
		if a.kind.name == v1alpha1.KindMember && (a.organizationID == "" || a.userID == "") {
			return true, nil // nobody can look for it
		}
		exists, looked, err := r.look(ctx, a.kind, a.mirrored)
		if exists || !looked || err != nil {
			return looked, err
		}
	}
	if a.kind.name == v1alpha1.KindOrganization {
		gone[a.id] = true
	}
	return true, r.makeTombstone(ctx, a)
}

// look is the second look at one thing, in this resync. A failure that concerns this one alone is no error: nobody has looked then.
func (r *run) look(ctx context.Context, k *kind, object mirrored) (exists, looked bool, err error) {
	exists, err = k.exists(ctx, r.api, object)
	switch {
	case ctx.Err() != nil:
		return false, false, ctx.Err()
	case err != nil && concernsAll(err):
		return false, false, apiSetback(err)
	}
	return exists, err == nil, nil
}

// makeTombstone makes a tombstone.
func (r *run) makeTombstone(ctx context.Context, a absence) error {
	outcome, err := r.Mirror.Apply(ctx, r.instance.Name, r.event(a.kind.gone(a.mirrored), r.Now()))
	if rejected, ok := errors.AsType[*mirror.RejectedError](err); ok {
		r.refuse(a.id + ": " + rejected.Reason)
		return nil
	}
	if err != nil {
		return r.unwritten(ctx, a.id, err)
	}
	if outcome == mirror.Applied {
		r.drift(a.kind, deleted)
	}
	return nil
}
