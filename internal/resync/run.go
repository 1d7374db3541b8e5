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
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// run is one resync of one ClerkInstance.
type run struct {
	*Resyncer
	instance *v1alpha1.ClerkInstance
	started  time.Time
	api      *clerk.Client
	requests atomic.Int64

	instanceID string
	counts     map[string]*tally
	kinds      []found
	told       time.Time // when the status last said how far it is

	mu      sync.Mutex
	refused []string // what of Clerk's could not be mirrored, and why
	refusal int
}

// tally is what was found of a kind.
type tally struct {
	listed, created, updated, deleted int
}

// errChanged ends a resync whose ClerkInstance is no longer what it was.
var errChanged = errors.New("the ClerkInstance changed or went away meanwhile")

// setback is why a resync did not find everything: a result, and what a condition says.
type setback struct {
	result  v1alpha1.ResyncResult
	reason  string
	message string
	wait    time.Duration
}

// Error implements error.
func (s *setback) Error() string { return s.message }

// resync lists everything, mirrors it, and removes what is gone. What it returns is why it ended before; errors of a ClerkInstance that
// changed, of a cancelled context and of the API server are no setbacks.
func (r *run) resync(ctx context.Context) (held *plan, err error) {
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	defer r.api.Close()
	instance, err := r.api.Instance(ctx)
	if err != nil {
		return nil, apiSetback(err)
	}
	if err := r.pin(instance.ID); err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if err := r.list(ctx, k); err != nil {
			return nil, err
		}
	}
	return r.prune(ctx)
}

// connect makes a client with the key as the Secret now has it.
func (r *run) connect(ctx context.Context) error {
	spec := r.instance.Spec.API
	name := r.Namespace + "/" + spec.SecretKeyRef.Name
	var secret corev1.Secret
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: spec.SecretKeyRef.Name}, &secret)
	if apierrors.IsNotFound(err) {
		return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonSecretNotFound,
			message: fmt.Sprintf("the Secret %s does not exist: create it with Clerk's API key (sk_…) as the key %s", name, spec.SecretKeyRef.Key)}
	}
	if err != nil {
		return fmt.Errorf("read Secret %s: %w", name, err)
	}
	key := strings.TrimSpace(string(secret.Data[spec.SecretKeyRef.Key]))
	if key == "" {
		return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonSecretUnusable,
			message: fmt.Sprintf("the Secret %s has no key %s, or it is empty: put Clerk's API key (sk_…) there", name, spec.SecretKeyRef.Key)}
	}
	r.api, err = clerk.NewClient(clerk.ClientOptions{URL: spec.URL, Key: key, PageSize: r.PageSize, Answered: r.answered})
	if err != nil {
		return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonAPIInvalid, message: err.Error()}
	}
	return nil
}

func (r *run) answered(status int) {
	label := "none"
	if status > 0 {
		label = strconv.Itoa(status)
	}
	r.requests.Add(1)
	metrics.ResyncRequests.WithLabelValues(r.instance.Name, label).Inc()
}

// pin refuses the key of another environment: with it, everything that is mirrored would be gone.
func (r *run) pin(id string) error {
	want, by := r.instance.Spec.InstanceID, "spec.instanceID is"
	if want == "" {
		want, by = r.instance.Status.InstanceID, "the key used first was of"
	}
	if want != "" && want != id {
		return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonWrongInstance,
			message: fmt.Sprintf("the API key is of the Clerk environment %s, but %s %s: use a key of that one, or set spec.instanceID",
				id, by, want)}
	}
	r.instanceID = id
	return nil
}

// apiSetback judges an error of Clerk's API.
func apiSetback(err error) error {
	failed := &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonAPIUnavailable,
		message: "Clerk's API cannot be read, it is tried again: " + err.Error()}
	answer, ok := errors.AsType[*clerk.APIError](err)
	if !ok {
		return failed
	}
	failed.wait = answer.RetryAfter
	if answer.Status < 500 && answer.Status != 429 && answer.Status != 200 {
		failed.reason = v1alpha1.ReasonAPIRefused
		failed.message = "Clerk's API refuses the key or the request: check the key in the Secret and spec.api.url: " + err.Error()
	}
	return failed
}

// list lists one kind and mirrors it page by page. What was mirrored before is remembered, to see what is missing.
func (r *run) list(ctx context.Context, k *kind) error {
	before, err := k.mirrored(ctx, r.Client, r.instance.Name)
	if err != nil {
		return err
	}
	count := &tally{}
	r.counts[k.name] = count
	var failure error // of this side, not of Clerk's
	listing, err := k.list(ctx, r, before, func(page clerk.Page) error {
		failure = r.take(ctx, k, before, page)
		return failure
	})
	switch {
	case failure != nil:
		return failure
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return apiSetback(err)
	}
	count.listed = len(listing.IDs)
	r.kinds = append(r.kinds, found{kind: k, before: before, listing: listing})
	return nil
}

// take mirrors a page.
func (r *run) take(ctx context.Context, k *kind, before map[string]mirrored, page clerk.Page) error {
	if err := r.stillWanted(ctx); err != nil {
		return err
	}
	for _, unreadable := range page.Unreadable {
		r.refuse(unreadable.Error())
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, entity := range page.Entities {
		group.Go(func() error {
			outcome, err := r.Mirror.Apply(groupCtx, r.instance.Name, r.event(entity, page.Asked))
			if rejected, ok := errors.AsType[*mirror.RejectedError](err); ok {
				r.refuse(entity.EntityID() + ": " + rejected.Reason)
				return nil
			}
			if err == nil && outcome == mirror.Applied {
				_, known := before[entity.EntityID()]
				r.drift(k, changeOf(known))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("mirror what Clerk lists: %w", err)
	}
	r.progress(ctx, k, page)
	return nil
}

// stillWanted tells whether the ClerkInstance is what it was when the resync began.
func (r *run) stillWanted(ctx context.Context) error {
	var now v1alpha1.ClerkInstance
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(r.instance), &now)
	if apierrors.IsNotFound(err) || err == nil && (now.UID != r.instance.UID || now.Generation != r.instance.Generation) {
		return errChanged
	}
	return err
}

// event is what Clerk says at a moment, in the form in which the mirror takes it.
func (r *run) event(data clerk.Data, at time.Time) *clerk.Event {
	return &clerk.Event{Type: "resync", InstanceID: r.instanceID, Time: at, Data: data}
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
	r.refusal++
	if len(r.refused) < maxToldIDs {
		r.refused = append(r.refused, why)
	}
}

// progress says how far it is, in the metrics always and in the status now and then.
func (r *run) progress(ctx context.Context, k *kind, page clerk.Page) {
	metrics.ResyncListed.WithLabelValues(r.instance.Name, k.name).Set(float64(page.Listed))
	if now := r.Now(); now.Sub(r.told) >= progressPause {
		r.told = now
		r.writeProgress(ctx, v1alpha1.ResyncProgress{
			StartedAt: metav1.NewTime(r.started), Kind: k.name, Listed: count32(page.Listed), Total: count32(page.Total),
		})
	}
}

// prune removes what is gone, after a second look at each, unless that would be too much.
func (r *run) prune(ctx context.Context) (held *plan, err error) {
	p := planOf(r.kinds, r.started)
	if len(p.absences) > 0 {
		released := r.instance.Annotations[v1alpha1.ReleasePruneAnnotation] == p.name()
		if p.tooMuch(r.kinds, r.instance.Spec.API.Prune) != "" && !released {
			return &p, r.verdict(p)
		}
	}
	gone := map[string]bool{}
	for _, a := range p.byKind(kinds) {
		if err := r.remove(ctx, a, gone); err != nil {
			return nil, err
		}
	}
	return nil, r.verdict(p)
}

// remove looks at one thing again, and makes its tombstone if it is gone.
func (r *run) remove(ctx context.Context, a absence, gone map[string]bool) error {
	if err := r.stillWanted(ctx); err != nil {
		return err
	}
	if !gone[a.organizationID] {
		if a.kind.name == memberKind && (a.organizationID == "" || a.userID == "") {
			return nil // nobody can look for it
		}
		exists, err := a.kind.exists(ctx, r.api, a.mirrored)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return apiSetback(err)
		}
		if exists {
			return nil
		}
	}
	if a.kind.name == organizationKind {
		gone[a.id] = true
	}
	outcome, err := r.Mirror.Apply(ctx, r.instance.Name, r.event(a.kind.gone(a.mirrored), r.Now()))
	if rejected, ok := errors.AsType[*mirror.RejectedError](err); ok {
		r.refuse(a.id + ": " + rejected.Reason)
		return nil
	}
	if err == nil && outcome == mirror.Applied {
		r.drift(a.kind, deleted)
	}
	return err
}

// verdict is why a resync that came to its end did not find everything; nil if it did.
func (r *run) verdict(p plan) error {
	var gaps []string
	for _, f := range r.kinds {
		if f.listing.Gap != "" {
			gaps = append(gaps, f.kind.name+": "+f.listing.Gap)
		}
	}
	switch {
	case len(gaps) > 0:
		return &setback{result: v1alpha1.ResyncIncomplete, reason: v1alpha1.ReasonIncomplete,
			message: "a list was not proven complete, so nothing of its kind was removed; it is read again soon: " + strings.Join(gaps, "; ")}
	case r.refusal > 0:
		slices.Sort(r.refused)
		return &setback{result: v1alpha1.ResyncIncomplete, reason: v1alpha1.ReasonRejected,
			message: fmt.Sprintf("%d could not be mirrored: %s", r.refusal, strings.Join(r.refused, "; "))}
	case p.tooYoung > 0:
		return &setback{result: v1alpha1.ResyncIncomplete, reason: v1alpha1.ReasonIncomplete, wait: readLag,
			message: fmt.Sprintf("%d that are absent changed too short a while ago to be removed; they are looked at again soon", p.tooYoung)}
	}
	return nil
}
