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

package cached

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
)

// Tombstones tells when tombstones may be removed.
type Tombstones struct {
	Reader client.Reader

	// Retention is how long this replica keeps them.
	Retention time.Duration

	// Now is the clock.
	Now func() time.Time
}

// CollectionTime is when a tombstone may go.
func (t Tombstones) CollectionTime(ctx context.Context, tombstone v1alpha1.Mirrored) (time.Time, error) {
	instance, from := tombstone.GetEntity().Instance, tombstone.GetEntity().DeletedAt.Time
	var known v1alpha1.ClerkInstance
	err := t.Reader.Get(ctx, client.ObjectKey{Name: instance}, &known)
	if apierrors.IsNotFound(err) {
		return horizon.Orphaned(t.Retention, from), nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the horizon of ClerkInstance %s: %w", instance, err)
	}
	return horizon.CollectionTime(known.Status.Horizon, t.Retention, from, t.Now()), nil
}
