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
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// listAll lists every kind. One that cannot be listed is noted, and the others go on; only what concerns all of them ends the resync.
func (r *run) listAll(ctx context.Context) error {
	r.kinds, r.contradictions = nil, contradictions{}
	r.notes = notes{}
	var last *setback
	for _, k := range kinds {
		failed, err := r.list(ctx, k)
		if err != nil {
			return err
		}
		if failed != nil {
			last = failed
		}
	}
	if len(r.kinds) == 0 {
		return last
	}
	return nil
}

// list lists one kind and mirrors it page by page. What was mirrored before is remembered, to see what is missing. It returns a setback
// that it noted, or an error that ends the resync.
func (r *run) list(ctx context.Context, k *kind) (*setback, error) {
	before, err := k.mirrored(ctx, r.Client, r.instance.Name)
	if err != nil {
		return nil, err
	}
	if isNeeded, err := k.isNeeded(ctx, r.Client, before); err != nil || !isNeeded {
		return nil, err
	}
	if r.counts[k.name] == nil {
		r.counts[k.name] = &tally{}
	}
	var failure error // of this side, not of Clerk's
	listing, err := k.list(ctx, r, before, func(page backend.Page) error {
		failure = r.take(ctx, k, before, page)
		return failure
	})
	switch {
	case failure != nil:
		return nil, failure
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errNoBilling):
		delete(r.counts, k.name)
		return nil, nil
	case err != nil && concernsAll(err):
		return nil, apiSetback(err)
	case err != nil:
		r.notes.unlisted(k, err)
		return apiSetback(err), nil
	}
	r.counts[k.name].listed = len(listing.IDs)
	r.kinds = append(r.kinds, found{kind: k, before: before.living, listing: listing})
	return nil, nil
}

// concernsAll tells whether an error of Clerk's API is one that the next request would meet too.
func concernsAll(err error) bool {
	answer, ok := errors.AsType[*backend.APIError](err)
	return ok && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusTooManyRequests)
}

// take mirrors a page.
func (r *run) take(ctx context.Context, k *kind, before inventory, page backend.Page) error {
	if err := r.stillWanted(ctx); err != nil {
		return err
	}
	for _, unreadable := range page.Unreadable {
		r.refuse(unreadable.Error())
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, entity := range page.Entities {
		tombstone, buried := before.tombstones[entity.EntityID()]
		if buried && isOver(entity) {
			continue // both say the same
		}
		if buried && tombstone.deleted.Before(page.Asked.Add(-readLag)) {
			r.contradictions.add(k, tombstone, entity)
			continue
		}
		group.Go(func() error { return r.mirror(groupCtx, k, before, r.event(entity, page.Asked.Add(-readLag))) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("mirror what Clerk lists: %w", err)
	}
	r.progress(ctx, k, page)
	return nil
}

// isOver tells whether a row of a list is about something that has ended.
func isOver(listed clerk.Data) bool {
	_, ended := listed.(*clerk.SubscriptionItemEnded)
	return ended
}

// mirror passes one thing to the mirror. What fails is noted; only when very much does, the API server is to blame, and the resync ends.
func (r *run) mirror(ctx context.Context, k *kind, before inventory, event *clerk.Event) error {
	id := event.Data.EntityID()
	outcome, err := r.Mirror.Apply(ctx, r.instance.Name, event)
	if rejected, ok := errors.AsType[*mirror.RejectedError](err); ok {
		r.refuse(id + ": " + rejected.Reason)
		return nil
	}
	if err != nil {
		return r.unwritten(ctx, id, err)
	}
	if outcome == mirror.Applied {
		_, known := before.living[id]
		r.drift(k, changeOf(known))
	}
	return nil
}

// unwritten notes what the API server did not take.
func (r *run) unwritten(ctx context.Context, id string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes.unwritten.add(id)
	if ctx.Err() != nil || r.notes.unwritten.count > maxUnwritten {
		return err
	}
	return nil
}

// event is what Clerk says at a moment, in the form in which the mirror takes it.
func (r *run) event(data clerk.Data, at time.Time) *clerk.Event {
	return &clerk.Event{Type: "resync", InstanceID: r.instanceID, Time: at, IsListed: true, Data: data}
}

// Changes that a resync finds, as in the metrics.
const (
	created = "created"
	updated = "updated"
	deleted = "deleted"
)

func changeOf(known bool) string {
	if known {
		return updated
	}
	return created
}

// drift counts a change that no webhook had told. The first resync finds none: it fills.
func (r *run) drift(k *kind, change string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch count := r.counts[k.name]; change {
	case created:
		count.created++
	case updated:
		count.updated++
	case deleted:
		count.deleted++
	}
	if !r.instance.Status.LastResync.FinishedAt.IsZero() {
		metrics.ResyncDrift.WithLabelValues(r.instance.Name, k.name, change).Inc()
	}
}

func (r *run) refuse(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes.refused.add(why)
}

// progress says how far it is, in the metrics always and in the status now and then.
func (r *run) progress(ctx context.Context, k *kind, page backend.Page) {
	metrics.ResyncListed.WithLabelValues(r.instance.Name, k.name).Set(float64(page.Listed))
	if now := r.Now(); now.Sub(r.told) >= progressPause {
		r.told = now
		r.writeProgress(ctx, v1alpha1.ResyncProgress{
			StartedAt: metav1.NewTime(r.started), Kind: k.name, Listed: count32(page.Listed), Total: count32(page.Total),
		})
	}
}
