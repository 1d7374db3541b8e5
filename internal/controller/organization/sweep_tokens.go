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

package organization

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// An API server believes a token that it has seen for a while after its ServiceAccount is gone. Whoever asks for tokens all the time would
// get one of the ServiceAccount that was made again by the token of the former one, and so on for ever. So the guards refuse tokens in a
// namespace, from before its first ServiceAccount is made again until no token of a former one is believed any longer.

const (
	// tokensBelieved is how long an API server may believe a token whose ServiceAccount is gone: 10 seconds, which cannot be configured
	// (TokenSuccessCacheTTL in its source), and as long as its own caches may be behind.
	tokensBelieved = 10*time.Second + cachesBehind

	// cachesBehind is how far the caches of an API server may be behind, by which it authorizes and admits.
	cachesBehind = time.Second
)

// tokenRefusal is that of an organization's namespaces.
type tokenRefusal struct {
	// since is since when each of them refuses tokens.
	since map[string]time.Time

	// ended is when the last ServiceAccount was made again; where another replica did that, when this one saw that they refuse.
	ended time.Time
}

// lastLeft is until when those who left may have had access, and whether that is known. Where this replica took it away itself, it is no
// later than that, however late their statuses say so: what was made again since then is not made again once more.
func (s *sweeper) lastLeft(intent *tenant.Intent, situation *tenant.Situation, state *sweep) (last time.Time, isKnown bool) {
	last, isKnown = intent.LastLeft(situation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if revoked := state.revoked.Add(cachesBehind); !state.revoked.IsZero() && revoked.Before(last) {
		last, isKnown = revoked, true
	}
	if !state.open && state.unsafe.After(last) {
		last = state.unsafe
	}
	return last, isKnown
}

// refuse has the guards refuse tokens in the namespace that is being swept, and says how long to wait until they do.
func (s *sweeper) refuse(ctx context.Context, organization *v1alpha1.ClerkOrganization, state *sweep) time.Duration {
	refusal := s.refusal(organization.Name)
	since, isRefused := refusal.since[state.namespace]
	if !isRefused {
		if err := s.labelRecycling(ctx, state.namespace, true); err != nil {
			state.open = true
			s.miss(ctx, organization, state, "a namespace could not be told to refuse tokens", err)
		}
		since = s.Now()
		refusal.since[state.namespace] = since
	}
	return since.Add(cachesBehind).Sub(s.Now())
}

// refusal is that of an organization: a new one if none is known.
func (s *sweeper) refusal(organization string) *tokenRefusal {
	if s.refusals == nil {
		s.refusals = map[string]*tokenRefusal{}
	}
	if s.refusals[organization] == nil {
		s.refusals[organization] = &tokenRefusal{since: map[string]time.Time{}, ended: s.Now()}
	}
	return s.refusals[organization]
}

// askToAllow has the sweeper look at an organization whose namespaces refuse tokens.
func (s *sweeper) askToAllow(situation *tenant.Situation) {
	name := situation.Organization.Name
	switch {
	case len(refusing(situation)) == 0:
	case s.queue == nil:
		s.early = append(s.early, name)
	default:
		watch.Enqueue(s.queue, watch.UsualPriority, name)
	}
}

// allow ends that once no token of a former ServiceAccount is believed any longer, and says how long to wait until then. It does so too
// with what another replica left, whatever has become of the organization.
func (s *sweeper) allow(ctx context.Context, situation *tenant.Situation) (wait time.Duration, err error) {
	name := situation.Organization.Name
	labelled := refusing(situation)
	if s.refusals[name] == nil && len(labelled) == 0 {
		return 0, nil
	}
	refusal := s.refusal(name)
	for _, namespace := range labelled {
		if _, known := refusal.since[namespace.Name]; !known {
			refusal.since[namespace.Name] = s.Now()
		}
	}
	return s.end(ctx, name, refusal)
}

// allowGone does so where the ClerkOrganization is gone, as far as this replica knows its namespaces.
func (s *sweeper) allowGone(ctx context.Context, organization string) (reconcile.Result, error) {
	refusal := s.refusals[organization]
	if refusal == nil {
		return reconcile.Result{}, nil
	}
	wait, err := s.end(ctx, organization, refusal)
	return reconcile.Result{RequeueAfter: wait}, err
}

func (s *sweeper) end(ctx context.Context, organization string, refusal *tokenRefusal) (wait time.Duration, err error) {
	if wait := refusal.ended.Add(tokensBelieved).Sub(s.Now()); wait > 0 {
		return wait, nil
	}
	for name := range refusal.since {
		err = errors.Join(err, s.labelRecycling(ctx, name, false))
	}
	if err == nil {
		delete(s.refusals, organization)
	}
	return 0, err
}

// refusing are the organization's namespaces that refuse tokens.
func refusing(situation *tenant.Situation) (refusing []*corev1.Namespace) {
	for _, namespace := range situation.Namespaces {
		if _, refuses := namespace.Labels[v1alpha1.RecyclingLabel]; refuses && tenant.IsNamespaceOf(namespace, situation.Organization) {
			refusing = append(refusing, namespace)
		}
	}
	return refusing
}

// labelRecycling sets the label by which the guards refuse tokens, or takes it away.
func (s *sweeper) labelRecycling(ctx context.Context, name string, isSet bool) error {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:null}}}`, v1alpha1.RecyclingLabel)
	if isSet {
		patch = fmt.Appendf(nil, `{"metadata":{"labels":{%q:"true"}}}`, v1alpha1.RecyclingLabel)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return client.IgnoreNotFound(s.Client.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, patch), write.FieldOwner,
		client.DisableReadYourWritesConsistency))
}
