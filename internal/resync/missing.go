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
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
)

// missingUser is somebody who is a member of a ClerkInstance's organization and has no ClerkUser.
type missingUser struct{ instance, id string }

// Want asks for a user who is a member and whom no event has told of. It does not wait, and may be called time and again.
func (r *Resyncer) Want(instance, userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wanted) >= maxWanted {
		return // the next resync finds everyone
	}
	if user := (missingUser{instance, userID}); r.asked[user].IsZero() {
		r.wanted[user] = struct{}{}
	}
}

// fetcher fetches the users that are wanted.
type fetcher struct{ *Resyncer }

// NeedLeaderElection is true: members are looked after by the elected replica.
func (fetcher) NeedLeaderElection() bool { return true }

// Start fetches until ctx is done.
func (f fetcher) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, f.FetchMissing, fetchPause)
	return nil
}

// FetchMissing fetches the users that are wanted by now. What does not succeed is left to the next resync.
func (r *Resyncer) FetchMissing(ctx context.Context) {
	for instance, ids := range r.takeWanted() {
		if err := r.fetch(ctx, instance, ids); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Info("Cannot fetch users of members: the next resync will", "instance", instance, "users", len(ids),
				"why", err.Error())
		}
	}
}

// takeWanted takes whom to ask for now. A ClerkInstance that is being resynced waits: its users are listed anyway.
func (r *Resyncer) takeWanted() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	maps.DeleteFunc(r.asked, func(_ missingUser, at time.Time) bool { return now.Sub(at) > fetchAgain })
	taken := map[string][]string{}
	for user := range r.wanted {
		if r.running[user.instance] {
			continue
		}
		taken[user.instance] = append(taken[user.instance], user.id)
		r.asked[user] = now
		delete(r.wanted, user)
	}
	return taken
}

func (r *Resyncer) fetch(ctx context.Context, name string, ids []string) error {
	var instance v1alpha1.ClerkInstance
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &instance); err != nil {
		return client.IgnoreNotFound(err)
	}
	if instance.Spec.API.SecretKeyRef.Name == "" || instance.Spec.Users == v1alpha1.UsersNone {
		return nil
	}
	ids, err := r.stillMissing(ctx, name, ids)
	if err != nil || len(ids) == 0 {
		return err
	}
	this := &run{Resyncer: r, instance: &instance}
	if err := this.open(ctx); err != nil {
		return err
	}
	defer this.api.Close()
	_, err = this.api.UsersByID(ctx, ids, func(page backend.Page) error {
		for _, user := range page.Entities {
			if _, err := r.Mirror.Apply(ctx, name, this.event(user, page.Asked.Add(-readLag))); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// stillMissing leaves out those who have been mirrored meanwhile.
func (r *Resyncer) stillMissing(ctx context.Context, instance string, ids []string) ([]string, error) {
	var missing []string
	for _, id := range slices.Sorted(slices.Values(ids)) {
		err := r.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName(instance, id)}, &v1alpha1.ClerkUser{})
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err != nil {
			missing = append(missing, id)
		}
	}
	return missing, nil
}
