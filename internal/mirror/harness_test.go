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
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	retention = 7 * 24 * time.Hour

	// patience is how long the API server may be away for a moment, or a cache behind, on a busy machine.
	patience = 30 * time.Second

	// canary stands for what nobody may see: a name, an address, metadata.
	canary = "canary-4711"
)

// now is what every mirror's clock shows.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a moment of this test's time: minutes before now.
func at(minutesAgo int) time.Time { return now.Add(-time.Duration(minutesAgo) * time.Minute) }

var (
	plane *controlplane.ControlPlane

	// live reads and writes without a cache.
	live client.Client

	// first and second are two replicas with a cache each; blind is one whose cache holds nothing, ever.
	first, second, blind *replica
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	// Each check is a whole history against a real API server.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	controlplane.Main(m, controlplane.Options{
		CRDs: filepath.Join("..", "..", "config", "crd", "bases"), ControllerManager: controlplane.WithoutControllerManager,
	}, setUp)
}

func setUp(ctx context.Context, cp *controlplane.ControlPlane) error {
	plane = cp
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	var err error
	if live, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := writeHorizon(ctx, "default", retention); err != nil {
		return err
	}
	nothing := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{"nobody": "has-this-label"})}
	for to, options := range map[**replica]cache.Options{
		&first:  {},
		&second: {},
		&blind: {ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ClerkOrganization{}: nothing, &v1alpha1.ClerkMember{}: nothing,
			&v1alpha1.ClerkUser{}: nothing, &v1alpha1.ClerkRole{}: nothing, &v1alpha1.ClerkPermission{}: nothing,
			&v1alpha1.ClerkSubscriptionItem{}: nothing, &v1alpha1.ClerkOrganizationDomain{}: nothing,
		}},
	} {
		if *to, err = startReplica(ctx, cp.Config(), scheme, options); err != nil {
			return err
		}
	}
	return nil
}

// replica is a mirror with its own cache, as each replica of the operator has one.
type replica struct {
	*mirror.Mirror
	client   client.Client
	requests *requestCounter
}

func startReplica(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, options cache.Options) (*replica, error) {
	r := &replica{requests: &requestCounter{count: map[string]int{}}}
	config.Wrap(r.requests.wrap)
	started, err := cluster.New(config, func(o *cluster.Options) {
		o.Scheme, o.Cache = scheme, options
		// What a blind cache never sees, nobody can wait for.
		o.Client.Cache = &client.CacheOptions{EnableReadYourWritesConsistency: new(options.ByObject == nil)}
	})
	if err != nil {
		return nil, err
	}
	go func() { _ = started.Start(ctx) }()
	for _, object := range []client.Object{
		&v1alpha1.ClerkInstance{}, &v1alpha1.ClerkOrganization{}, &v1alpha1.ClerkMember{},
		&v1alpha1.ClerkUser{}, &v1alpha1.ClerkRole{}, &v1alpha1.ClerkPermission{}, &v1alpha1.ClerkSubscriptionItem{},
		&v1alpha1.ClerkOrganizationDomain{},
	} {
		if _, err := started.GetCache().GetInformer(ctx, object); err != nil {
			return nil, err
		}
	}
	if !started.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.New("the caches do not sync")
	}
	r.client = started.GetClient()
	r.Mirror = mirror.New(mirror.Options{
		Client: r.client, Live: started.GetAPIReader(), TombstoneRetention: retention, Now: func() time.Time { return now },
	})
	return r, nil
}

// requestCounter counts requests by the last part of their path, which is the name of the object.
type requestCounter struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *requestCounter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		c.mu.Lock()
		c.count[path.Base(request.URL.Path)]++
		c.mu.Unlock()
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// of is how many requests were about the objects of these Clerk ids.
func (c *requestCounter) of(ids ...string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, id := range ids {
		sum += c.count[v1alpha1.ObjectName("default", id)]
	}
	return sum
}

var serial atomic.Int64

// newID is an id that no other test uses.
func newID(prefix string) string { return fmt.Sprintf("%s_2aB%d", prefix, serial.Add(1)) }

// acme is an organization that was updated some minutes ago.
func acme(id string, minutesAgo int) *clerk.Organization {
	return &clerk.Organization{
		ID: id, Name: canary + " Acme", Slug: "acme", ImageURL: "https://img.example/" + canary,
		PublicMetadata:        json.RawMessage(`{"nested":{"key":["` + canary + `",{"a":null}]},"plan":"pro"}`),
		MaxAllowedMemberships: 5, CreatedAt: at(1000), UpdatedAt: at(minutesAgo),
	}
}

// jane is a membership in an organization, updated when the organization was.
func jane(id string, organization *clerk.Organization) *clerk.Membership {
	return &clerk.Membership{
		ID: id, Role: "org:member", Permissions: []string{"org:read"}, Organization: *organization,
		PublicMetadata: json.RawMessage(`{"team":{"name":"` + canary + `"}}`),
		User: clerk.PublicUser{
			ID: "user_" + id, Identifier: canary + "@example.com", Username: canary, FirstName: canary, LastName: canary, Banned: true,
		},
		CreatedAt: at(1000), UpdatedAt: organization.UpdatedAt,
	}
}

// left is the end of a membership, with the ids that Clerk sends.
func left(m *clerk.Membership) *clerk.MembershipDeleted {
	return &clerk.MembershipDeleted{ID: m.ID, OrganizationID: m.Organization.ID, UserID: m.User.ID}
}

// happened is an event of some minutes ago.
func happened(minutesAgo int, data clerk.Data) *clerk.Event {
	return &clerk.Event{Time: at(minutesAgo), Data: data}
}

// apply applies an event of the instance default and fails the test unless the outcome is as wanted.
func (r *replica) apply(t *testing.T, event *clerk.Event, want mirror.Outcome) {
	t.Helper()
	got, err := r.Apply(t.Context(), "default", event)
	if err != nil || got != want {
		t.Fatalf("%s: got %q, %v; want %q", event.Data.EntityID(), got, err, want)
	}
}

// knows waits until the replica's cache holds what the API server holds, so that what comes next is decided by the cache.
func (r *replica) knows(t *testing.T, object client.Object) {
	t.Helper()
	version := object.GetResourceVersion()
	cached := object.DeepCopyObject().(client.Object)
	waitFor(t, "the cache to hold "+object.GetName(), func() bool {
		return r.client.Get(t.Context(), client.ObjectKeyFromObject(object), cached) == nil && cached.GetResourceVersion() == version
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func organizationOf(t *testing.T, id string) *v1alpha1.ClerkOrganization {
	t.Helper()
	object := &v1alpha1.ClerkOrganization{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName("default", id)}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

func memberOf(t *testing.T, id string) *v1alpha1.ClerkMember {
	t.Helper()
	object := &v1alpha1.ClerkMember{}
	if err := live.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName("default", id)}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// isMissing fails the test if the object of a Clerk id exists.
func isMissing(t *testing.T, object client.Object, instance, id string) {
	t.Helper()
	if err := live.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(instance, id)}, object); !apierrors.IsNotFound(err) {
		t.Errorf("%s: got %v, want it not to exist", id, err)
	}
}

// isEqual fails the test unless two values are the same JSON: as the API server stores them.
func isEqual(t *testing.T, reason string, want, got any) {
	t.Helper()
	wanted, gotten := tree(t, want), tree(t, got)
	if !reflect.DeepEqual(wanted, gotten) { // which is quick also where values are deep
		t.Errorf("%s (-want +got):\n%s", reason, cmp.Diff(wanted, gotten))
	}
}

func tree(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// holdsNoPersonalData fails the test if the canary is anywhere in an object, managed fields included.
func holdsNoPersonalData(t *testing.T, object client.Object) {
	t.Helper()
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{canary, "nested", "team", "img.example", "acme"} {
		if strings.Contains(string(encoded), trace) {
			t.Errorf("%q is still in %s", trace, encoded)
		}
	}
}

// isRejected fails the test unless an error says for good that an event cannot be applied, why, and nothing of what it says.
func isRejected(t *testing.T, outcome mirror.Outcome, err error, says string) {
	t.Helper()
	rejected, ok := errors.AsType[*mirror.RejectedError](err)
	if !ok {
		t.Fatalf("got %q, %v; want a RejectedError", outcome, err)
	}
	if !strings.Contains(rejected.Reason, says) {
		t.Errorf("got %q; want it to say %q", rejected.Reason, says)
	}
	if strings.Contains(err.Error(), canary) { // apart from its id, which may be told
		t.Errorf("the error quotes the event: %v", err)
	}
}
