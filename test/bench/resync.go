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

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// resynced is the ClerkInstance that has an API key. It only observes, so that it is the resync that is measured.
	resynced = "resynced"

	// resyncPatience is how long a resync may take: the API server stores 200,000 new objects in the meantime, and as many statuses.
	resyncPatience = time.Hour

	// mostMemory is how much the operator may take for 10,000 organizations with 100,000 memberships, in bytes.
	mostMemory = 400 << 20
)

// resyncing is what was measured of one environment.
type resyncing struct {
	size          resyncSize
	first, second v1alpha1.LastResync

	// work is what the first one took of all processes until the last status was written.
	work    work
	settled time.Duration

	// writes are those of the second one, and restarted those of a restart, which was idle after so long.
	writes, restarted requests
	idle              time.Duration

	// bare is plain creation of a part of the same objects, and bareWork what it took of all processes.
	bare     timing
	bareWork work

	// peak is the most memory that the operator took, restarted what it took after its restart, in bytes.
	peak, afterRestart float64
}

// measureResync lists an environment into an empty mirror, then again with nothing changed; then it restarts the operator over what there
// is, and at last creates a part of the same objects with plain client-go.
func measureResync(ctx context.Context, b *bench) error {
	if err := b.lead(ctx); err != nil {
		return err
	}
	measured := &resyncing{size: b.sizes.resync}
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_bench", Key: "sk_bench"})
	environment := environmentOf(resynced, measured.size)
	environment.fill(api)
	server := httptest.NewServer(api)
	defer server.Close()
	progress("resyncing %d organizations and %d memberships", measured.size.organizations, measured.size.memberships)
	if err := b.firstResync(ctx, server.URL+clerkapi.Prefix, measured); err != nil {
		return err
	}
	if err := b.secondResync(ctx, measured); err != nil {
		return err
	}
	if err := b.restartOverResynced(ctx, measured); err != nil {
		return err
	}
	if err := b.stopReplica(); err != nil {
		return err
	}
	if err := b.createBare(ctx, measured); err != nil {
		return err
	}
	reportResync(b.report, measured)
	return nil
}

// firstResync is the one into an empty mirror.
func (b *bench) firstResync(ctx context.Context, url string, into *resyncing) error {
	began, before := time.Now(), workSoFar()
	if err := b.addResynced(ctx, url); err != nil {
		return err
	}
	var err error
	if into.first, err = b.awaitResync(ctx, "", &into.peak); err != nil {
		return err
	}
	progress("the first resync took %s", tookResync(into.first))
	if err := b.untilSettled(ctx, &into.peak); err != nil {
		return err
	}
	made, err := b.requests.since(began)
	if err != nil {
		return err
	}
	into.settled, into.work = made.writes().last().Sub(began), workSoFar().since(before)
	return nil
}

// secondResync is one with nothing changed.
func (b *bench) secondResync(ctx context.Context, into *resyncing) error {
	began := time.Now()
	instance := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: resynced}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+v1alpha1.ResyncAnnotation+`":"again"}}}`))
	if err := b.administrator.Patch(ctx, instance, patch); err != nil {
		return err
	}
	var err error
	if into.second, err = b.awaitResync(ctx, "again", &into.peak); err != nil {
		return err
	}
	made, err := b.requests.since(began)
	into.writes = made.writes()
	return err
}

// restartOverResynced stops the operator and starts it over all that was mirrored.
func (b *bench) restartOverResynced(ctx context.Context, into *resyncing) error {
	progress("restarting over them")
	if err := b.stopReplica(); err != nil {
		return err
	}
	began := time.Now()
	if err := b.startReplica(ctx, leading); err != nil {
		return err
	}
	if err := b.untilIdle(ctx, into.size.organizations, into.size.memberships); err != nil {
		return err
	}
	into.idle = time.Since(began)
	if err := b.untilSettled(ctx, &into.afterRestart); err != nil {
		return err
	}
	made, err := b.requests.since(began)
	into.restarted = made.writes()
	return err
}

// tookResync is by the status, whose times have no fractions of a second.
func tookResync(r v1alpha1.LastResync) string {
	return fmt.Sprintf("**%.0f s ± 1 s**", r.FinishedAt.Sub(r.StartedAt.Time).Seconds())
}

func (b *bench) addResynced(ctx context.Context, url string) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorproc.Namespace, Name: resynced, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		StringData: map[string]string{"key": "sk_bench"},
	}
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: resynced},
		Spec: v1alpha1.ClerkInstanceSpec{Mode: v1alpha1.ModeObserve, API: v1alpha1.ClerkInstanceAPI{
			SecretKeyRef: v1alpha1.SecretKeyReference{Name: resynced, Key: "key"}, URL: url,
		}},
	}
	return errors.Join(b.administrator.Create(ctx, secret), b.administrator.Create(ctx, instance))
}

// awaitResync waits for a resync to end, and meanwhile looks how much memory the operator takes.
func (b *bench) awaitResync(ctx context.Context, request string, peak *float64) (last v1alpha1.LastResync, err error) {
	err = b.sampling(ctx, "the resync ends", peak, func(ctx context.Context, _ samples) (bool, error) {
		instance := &v1alpha1.ClerkInstance{}
		if err := b.administrator.Get(ctx, client.ObjectKey{Name: resynced}, instance); err != nil {
			return false, err
		}
		last = instance.Status.LastResync
		if last.FinishedAt.IsZero() || last.RequestedAt != request {
			return false, nil
		}
		if last.Result != v1alpha1.ResyncComplete {
			return false, fmt.Errorf("the resync ended as %s: %+v", last.Result, instance.Status.Conditions)
		}
		return true, nil
	})
	return last, err
}

// untilSettled waits until all statuses of what was mirrored are written.
func (b *bench) untilSettled(ctx context.Context, peak *float64) error {
	calm := 0
	return b.sampling(ctx, "the operator has written every status", peak, func(_ context.Context, now samples) (bool, error) {
		calm++
		if now.isBusy() {
			calm = 0
		}
		return calm > 50, nil // five seconds: a member's first status waits for three
	})
}

func (b *bench) sampling(ctx context.Context, what string, peak *float64, done func(context.Context, samples) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, resyncPatience)
	defer cancel()
	for {
		now, err := b.metrics.read(ctx)
		if err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		*peak = max(*peak, now.sum("process_resident_memory_bytes"))
		if yes, err := done(ctx, now); err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
