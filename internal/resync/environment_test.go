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

package resync_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
)

// hear is what webhooks tell of so many organizations with a member each.
func (w *world) hear(organizations int) {
	for n := range organizations {
		membership := w.membership(n)
		w.event(&clerk.Organization{ID: w.id("org", n), Name: "Acme", UpdatedAt: founded})
		w.event(&clerk.Membership{
			ID: membership.ID, Role: "org:member", UpdatedAt: founded, User: clerk.PublicUser{ID: w.id("user", n)},
			Organization: clerk.Organization{ID: w.id("org", n), UpdatedAt: founded},
		})
	}
}

// development is the environment of another key, with things of its own.
func (w *world) development() {
	w.t.Helper()
	other := &world{t: w.t, name: w.name + "dev", api: clerkapi.New(clerkapi.Options{InstanceID: "ins_dev", Key: apiKey})}
	other.fill(3)
	server := httptest.NewServer(other.api)
	w.t.Cleanup(server.Close)
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.API.URL = server.URL + clerkapi.Prefix })
	w.api = other.api
}

// TestTheKeyOfDevelopmentRemovesNothingOfProduction, whether or not the events said of which environment they are.
func TestTheKeyOfDevelopmentRemovesNothingOfProduction(t *testing.T) {
	t.Parallel()
	for name, pinned := range map[string]bool{"events that say their environment": true, "older events, which do not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if pinned {
				w.must(environment.NewPinner(w.cluster).Pin(t.Context(), w.instance(), "ins_production"))
			}
			w.hear(3)
			before := w.live()
			w.development()
			w.clock = w.clock.Add(time.Hour)
			status := w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonWrongInstance)
			if live := w.live(); len(live) != len(before) {
				t.Errorf("mirrored were %v and are %v", before, live)
			}
			for _, request := range w.api.Requests() {
				if request.Path != "/instance" && !strings.HasPrefix(request.Path, "/organizations/") {
					t.Errorf("%s was asked for with the key of another environment", request.Path)
				}
			}
			want := ""
			if pinned {
				want = "ins_production"
			}
			if status.InstanceID != want {
				t.Errorf("the environment is %q, want %q", status.InstanceID, want)
			}
			// Nor is anybody fetched with it.
			w.resyncer.Want(w.name, w.id("user", 1))
			w.resyncer.FetchMissing(t.Context())
			if live := w.live(); len(live) != len(before) {
				t.Errorf("after a fetch, mirrored were %v and are %v", before, live)
			}
		})
	}
}

// TestAPlanThatSharesNothingIsHeld although it is small, and although the environment is the right one.
func TestAPlanThatSharesNothingIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(i *v1alpha1.ClerkInstance) { i.Spec.InstanceID = "ins_1" })
	w.hear(3)
	before := w.live()
	w.fill(0)
	for n := range 3 {
		w.api.DeleteOrganization(w.id("org", n))
	}
	w.clock = w.clock.Add(time.Hour)
	status := w.resync(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
	live := w.live()
	for id := range before {
		if !live[id] {
			t.Errorf("%s was removed", id)
		}
	}
	w.annotate(v1alpha1.ReleasePruneAnnotation, status.HeldPrune.Plan)
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if live := w.live(); live[w.id("org", 1)] {
		t.Error("it was released and is still there")
	}
}

// TestTheFirstEnvironmentWins whichever replica hears it, and only spec.instanceID changes it.
func TestTheFirstEnvironmentWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	instance := w.instance() // as the caches of all replicas have it
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for n := range errs {
		wait.Go(func() {
			errs[n] = environment.NewPinner(w.cluster).Pin(t.Context(), instance, []string{"ins_a", "ins_b"}[n%2])
		})
	}
	wait.Wait()
	won := w.instance().Status.InstanceID
	for n, err := range errs {
		if is := []string{"ins_a", "ins_b"}[n%2]; (err == nil) != (is == won) {
			t.Errorf("%s won, and replica %d with %s got %v", won, n, is, err)
		}
	}

	patch := func(status string) error {
		return w.cluster.Status().Patch(t.Context(), w.instance(), client.RawPatch(types.MergePatchType, []byte(status)))
	}
	for _, status := range []string{`{"status":{"instanceID":"ins_c"}}`, `{"status":{"instanceID":null}}`, `{"status":null}`} {
		if err := patch(status); !apierrors.IsInvalid(err) {
			t.Errorf("%s: got %v, want a refusal", status, err)
		}
	}
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.InstanceID = "ins_c" })
	w.must(environment.NewPinner(w.cluster).Pin(t.Context(), w.instance(), "ins_c"))
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.InstanceID = "" })
	if is := w.instance().Status.InstanceID; is != "ins_c" {
		t.Errorf("the environment is %s, want what spec.instanceID named", is)
	}
}
