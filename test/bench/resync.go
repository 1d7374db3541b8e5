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
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// resynced is the ClerkInstance that has an API key. It only observes, so that it is the resync that is measured.
	resynced = "resynced"

	// resyncPatience is how long a resync may take: the API server stores 200,000 new objects in the meantime, and as many statuses.
	resyncPatience = time.Hour

	// mostMemory is how much the operator may take for 10,000 organizations with 100,000 memberships, in bytes.
	mostMemory = 500 << 20
)

// measureResync lists an environment into an empty mirror, and then again with nothing changed.
func measureResync(ctx context.Context, b *bench) error {
	if err := b.lead(ctx); err != nil {
		return err
	}
	size := b.sizes.resync
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_bench", Key: "sk_bench"})
	fillClerk(api, size)
	server := httptest.NewServer(api)
	defer server.Close()
	if err := b.addResynced(ctx, server.URL+clerkapi.Prefix); err != nil {
		return err
	}
	progress("resyncing %d organizations and %d memberships", size.organizations, size.memberships)
	first, peak, err := b.awaitResync(ctx, "", 0)
	if err != nil {
		return err
	}
	if peak, err = b.untilSettled(ctx, peak); err != nil {
		return err
	}
	began := time.Now()
	instance := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: resynced}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+v1alpha1.ResyncAnnotation+`":"again"}}}`))
	if err := b.administrator.Patch(ctx, instance, patch); err != nil {
		return err
	}
	second, peak, err := b.awaitResync(ctx, "again", peak)
	if err != nil {
		return err
	}
	made, err := b.requests.since(began)
	if err != nil {
		return err
	}
	b.report.line("A resync of %d organizations and %d memberships with a user each, at the pace that is kept for production (40 requests a "+
		"second), by a ClerkInstance that only observes:", size.organizations, size.memberships)
	rows := b.report.table("Resync", "Time", "Requests to Clerk", "Writes", "Goal")
	rows.row("into an empty mirror", tookResync(first), fmt.Sprint(*first.Requests), "", "")
	writes := len(made.writes())
	rows.row("with nothing changed", tookResync(second), fmt.Sprint(*second.Requests), fmt.Sprintf("**%d**", writes),
		"1, the ClerkInstance's status: "+met(writes <= 1))
	rows.end()
	b.report.line("Peak memory of the operator (resident, sampled): **%s**; goal under %s: %s.", mebibytes(peak), mebibytes(mostMemory),
		met(peak < mostMemory))
	return nil
}

// tookResync is by the status, whose times have no fractions of a second.
func tookResync(r v1alpha1.LastResync) string {
	return fmt.Sprintf("**%.0f s ± 1 s**", r.FinishedAt.Sub(r.StartedAt.Time).Seconds())
}

func fillClerk(api *clerkapi.API, size resyncSize) {
	founded := time.Now().Add(-24 * time.Hour)
	organizations := make([]clerktest.Organization, size.organizations)
	for i := range organizations {
		name := fmt.Sprintf("resync-%d", i)
		organizations[i] = clerktest.Organization{ID: clerktest.ID("org", name), Name: "Resync", Slug: name,
			UpdatedAt: founded.Add(time.Duration(i) * time.Millisecond)}
		api.SetOrganization(organizations[i])
	}
	for i := range size.memberships {
		name := fmt.Sprintf("resync-%d", i)
		updated := founded.Add(time.Duration(i) * time.Millisecond)
		user := clerktest.User{ID: clerktest.ID("user", name), Identifier: name + "@example.com", Email: name + "@example.com",
			FirstName: "Jane", LastName: "Doe", UpdatedAt: updated}
		api.SetUser(user)
		api.SetMembership(clerktest.Membership{ID: clerktest.ID("orgmem", name), Role: "org:member", Permissions: []string{"org:cargo:read"},
			Organization: organizations[i%len(organizations)], User: user, UpdatedAt: updated})
	}
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
func (b *bench) awaitResync(ctx context.Context, request string, peak float64) (v1alpha1.LastResync, float64, error) {
	var last v1alpha1.LastResync
	err := b.sampling(ctx, "the resync ends", &peak, func(ctx context.Context, _ samples) (bool, error) {
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
	return last, peak, err
}

// untilSettled waits until all statuses of what was mirrored are written.
func (b *bench) untilSettled(ctx context.Context, peak float64) (float64, error) {
	calm := 0
	err := b.sampling(ctx, "the operator has written every status", &peak, func(_ context.Context, now samples) (bool, error) {
		calm++
		if now.sum("workqueue_depth") > 0 || now.sum("controller_runtime_active_workers") > 0 {
			calm = 0
		}
		return calm > 50, nil // five seconds: a member's first status waits for three
	})
	return peak, err
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
