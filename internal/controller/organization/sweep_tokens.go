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

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
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

// lastLeft is until when those who left may have had access, and whether that is known. Where this replica took it away itself, it is no
// later than that, however late their statuses say so: what was made again since then is not made again once more.
func (s *sweeper) lastLeft(intent *tenant.Intent, situation *tenant.Situation, state *sweep) (last time.Time, isKnown bool) {
	last, isKnown = intent.LastLeft(situation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if revoked := state.revoked.Add(cachesBehind); revoked.Before(last) {
		last, isKnown = revoked, true
	}
	if state.unsafe.After(last) {
		last = state.unsafe
	}
	return last, isKnown
}

// refuseTokens has the guards refuse tokens in the namespace that is being swept, and says how long to wait until they do.
func (s *sweeper) refuseTokens(ctx context.Context, situation *tenant.Situation, state *sweep) time.Duration {
	since, isRefused := state.refused[state.namespace]
	if !isRefused {
		if err := s.labelRecycling(ctx, state.namespace, true); err != nil {
			state.found.Missed++
			s.tellMissed(ctx, situation.Organization, "a namespace could not be told to refuse tokens", err)
		}
		if state.refused == nil {
			state.refused = map[string]time.Time{}
		}
		since = s.Now()
		state.refused[state.namespace] = since
	}
	return since.Add(cachesBehind).Sub(s.Now())
}

// allowTokens ends that once no token of a former ServiceAccount is believed any longer, and says how long to wait until then.
func (s *sweeper) allowTokens(ctx context.Context, situation *tenant.Situation, state *sweep) (time.Duration, error) {
	if wait := state.ended.Add(tokensBelieved).Sub(s.Now()); wait > 0 {
		return wait, nil
	}
	if err := s.allow(ctx, situation); err != nil {
		return 0, err
	}
	state.refused = nil
	return 0, nil
}

// allowForgotten does so in an organization that is not being swept: the operator was stopped in the middle, or the class was changed.
func (s *sweeper) allowForgotten(ctx context.Context, intent *tenant.Intent, situation *tenant.Situation) error {
	if may, isOver := intent.MayRemove(situation); !may && !isOver {
		return nil
	}
	return s.allow(ctx, situation)
}

func (s *sweeper) allow(ctx context.Context, situation *tenant.Situation) error {
	var errs []error
	for _, namespace := range refusing(situation) {
		errs = append(errs, s.labelRecycling(ctx, namespace.Name, false))
	}
	return errors.Join(errs...)
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
