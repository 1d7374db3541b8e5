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
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
)

// recent is how old an event may be that is let create by what the cache knows of the horizon. For older ones, the API server is asked: the
// horizon may just have been moved. A tombstone waits for a minute after that.
const recent = time.Hour

// mayCreate tells whether something that was told may create what it speaks of. An event from beyond the horizon may not, since the
// tombstone that would refuse it may be gone.
func (m *Mirror) mayCreate(ctx context.Context, instance string, told telling) (bool, error) {
	if told.mayCreate {
		return true, nil
	}
	return m.isWithinHorizon(ctx, instance, told.at)
}

// isWithinHorizon tells whether something that was said at a time may create: whether every tombstone that it could contradict is still
// there.
func (m *Mirror) isWithinHorizon(ctx context.Context, instance string, at time.Time) (bool, error) {
	known, err := m.instance(ctx, instance)
	if err != nil || m.isBeyond(known, at) {
		return false, err
	}
	if m.Now().Sub(at) <= recent {
		return true, nil
	}
	live := &v1alpha1.ClerkInstance{}
	err = m.Live.Get(ctx, types.NamespacedName{Name: instance}, live)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read the horizon of ClerkInstance %s: %w", instance, err)
	}
	return !m.isBeyond(live, at), nil
}

// Oldest is the time before which nothing may create, as far as is known of a ClerkInstance.
func (m *Mirror) Oldest(instance *v1alpha1.ClerkInstance) time.Time {
	return horizon.Oldest(instance.Status.Horizon, m.TombstoneRetention, m.Now())
}

func (m *Mirror) isBeyond(instance *v1alpha1.ClerkInstance, at time.Time) bool {
	return at.Before(m.Oldest(instance))
}
