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

package mirror_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

const minutesOfADay = 24 * 60

// writeHorizon makes a ClerkInstance whose tombstones have been kept that long for a year.
func writeHorizon(ctx context.Context, name string, retention time.Duration) error {
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ClerkInstanceSpec{Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "x"}}},
	}
	if err := live.Create(ctx, instance); err != nil {
		return err
	}
	aYearAgo := metav1.NewTime(now.AddDate(-1, 0, 0))
	instance.Status.Horizon = v1alpha1.TombstoneHorizon{
		RetentionSeconds: int64(retention.Seconds()), Floor: aYearAgo, ChangedAt: aYearAgo,
	}
	return live.Status().Update(ctx, instance)
}

// withHorizon is a ClerkInstance with a horizon, which the first replica knows.
func withHorizon(t *testing.T, change func(*v1alpha1.TombstoneHorizon)) *v1alpha1.ClerkInstance {
	t.Helper()
	instance := &v1alpha1.ClerkInstance{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: instanceWith(t, v1alpha1.UsersMembers)}, instance); err != nil {
		t.Fatal(err)
	}
	moveHorizon(t, instance, change)
	first.knows(t, instance)
	return instance
}

func moveHorizon(t *testing.T, instance *v1alpha1.ClerkInstance, change func(*v1alpha1.TombstoneHorizon)) {
	t.Helper()
	aYearAgo := metav1.NewTime(now.AddDate(-1, 0, 0))
	horizon := &instance.Status.Horizon
	*horizon = v1alpha1.TombstoneHorizon{RetentionSeconds: int64(retention.Seconds()), Floor: aYearAgo, ChangedAt: aYearAgo}
	change(horizon)
	if err := live.Status().Update(t.Context(), instance); err != nil {
		t.Fatal(err)
	}
}

// A replica that keeps tombstones for 30 days does not let what is 20 days old create, where others kept them for 7.
func TestAReplicaHoldsToTheStrictestHorizon(t *testing.T) {
	t.Parallel()
	const days = minutesOfADay
	tests := map[string]struct {
		reason             string
		change             func(*v1alpha1.TombstoneHorizon)
		expired, mayCreate int
	}{
		"the elected one keeps less": {"its tombstones are gone", func(*v1alpha1.TombstoneHorizon) {}, 7*days + 1, 7 * days},
		"it kept less until yesterday": {"what is gone does not come back", func(h *v1alpha1.TombstoneHorizon) {
			h.RetentionSeconds, h.Floor = 30*24*60*60, metav1.NewTime(now.AddDate(0, 0, -8))
		}, 8*days + 1, 8 * days},
		"nothing is written down": {"nobody knows what is gone", func(h *v1alpha1.TombstoneHorizon) {
			*h = v1alpha1.TombstoneHorizon{}
		}, 28*60 + 1, 28 * 60},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance := withHorizon(t, tc.change).Name
			raised := mirror.New(mirror.Options{
				Client: first.client, Live: live, TombstoneRetention: 30 * 24 * time.Hour, Now: func() time.Time { return now },
			})
			for minutes, want := range map[int]mirror.Outcome{tc.expired: mirror.Expired, tc.mayCreate: mirror.Applied} {
				membership := jane(newID("orgmem"), acme(newID("org"), minutes))
				for _, data := range []clerk.Data{&membership.Organization, membership} {
					outcome, err := raised.Apply(t.Context(), instance, happened(minutes, data))
					if err != nil || outcome != want {
						t.Errorf("%s: %T of %d minutes ago: got %q, %v; want %q", tc.reason, data, minutes, outcome, err, want)
					}
				}
				if want == mirror.Expired {
					isMissing(t, &v1alpha1.ClerkMember{}, instance, membership.ID)
				}
			}
		})
	}
}

// The elected replica keeps less from now on, and the cache of this one does not know it: the API server is asked.
func TestAHorizonThatTheCacheDoesNotKnowHolds(t *testing.T) {
	t.Parallel()
	known := withHorizon(t, func(*v1alpha1.TombstoneHorizon) {})
	moveHorizon(t, known.DeepCopy(), func(h *v1alpha1.TombstoneHorizon) { h.RetentionSeconds = 28 * 60 * 60 })
	behind := mirror.New(mirror.Options{
		Client: stuck{live, []client.Object{known}}, Live: live, TombstoneRetention: retention, Now: func() time.Time { return now },
	})
	membership := jane(newID("orgmem"), acme(newID("org"), 2*minutesOfADay))
	outcome, err := behind.Apply(t.Context(), known.Name, happened(2*minutesOfADay, membership))
	if err != nil || outcome != mirror.Expired {
		t.Errorf("got %q, %v; want %q", outcome, err, mirror.Expired)
	}
	isMissing(t, &v1alpha1.ClerkMember{}, known.Name, membership.ID)
}

func TestTheFloorOfAHorizonNeverGoesBack(t *testing.T) {
	t.Parallel()
	instance := withHorizon(t, func(*v1alpha1.TombstoneHorizon) {})
	instance.Status.Horizon.Floor = metav1.NewTime(instance.Status.Horizon.Floor.Add(-time.Second))
	if err := live.Status().Update(t.Context(), instance); err == nil {
		t.Error("the API server took a floor that goes back")
	}
}
