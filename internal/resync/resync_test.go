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
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
)

func TestAFirstInstallationIsFilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(10)
	result := w.reconcile()
	if result.RequeueAfter != time.Hour {
		t.Errorf("the next is in %v, want an hour", result.RequeueAfter)
	}
	status := w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkPermission", 1, 1, 0, 0)
	w.drift(status, "ClerkRole", 2, 2, 0, 0)
	w.drift(status, "ClerkOrganization", 3, 3, 0, 0)
	w.drift(status, "ClerkMember", 10, 10, 0, 0)
	w.drift(status, "ClerkUser", 10, 10, 0, 0)
	if live := w.live(); len(live) != 3+10+10+2 {
		t.Errorf("%d are mirrored, want all: %v", len(live), live)
	}
	if status.InstanceID != "ins_1" || *status.LastResync.Requests == 0 {
		t.Errorf("the status says too little: %+v", status)
	}
}

func TestASecondResyncWritesTheStatusAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(10)
	w.reconcile()
	w.clock = w.clock.Add(time.Hour)
	before := w.writes.Load()
	w.reconcile()
	status := w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if writes := w.writes.Load() - before; writes != 1 {
		t.Errorf("%d writes, want that of the status alone", writes)
	}
	if !status.LastResync.FinishedAt.Equal(new(metav1.NewTime(w.clock.Truncate(time.Second)))) {
		t.Errorf("the second resync is not in the status: %+v", status.LastResync)
	}
	w.drift(status, "ClerkMember", 10, 0, 0, 0)
	w.reconcile()
	if w.writes.Load()-before != 1 {
		t.Error("a look in between resynced")
	}
}

func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(10)
	w.reconcile()

	// Webhooks told nothing of this.
	demoted := w.membership(1)
	demoted.Role, demoted.UpdatedAt = "org:guest", demoted.UpdatedAt.Add(time.Hour)
	w.api.SetMembership(demoted)
	w.api.DeleteMembership(w.id("orgmem", 2))
	w.api.SetUser(w.user(10))
	w.api.SetMembership(w.membership(10))
	banned := w.user(3)
	banned.Banned, banned.UpdatedAt = true, banned.UpdatedAt.Add(time.Hour)
	w.api.SetUser(banned)
	w.api.DeleteUser(w.id("user", 4))
	w.api.DeleteRole(w.id("role", 1))

	status := w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkRole", 1, 0, 0, 1)
	w.drift(status, "ClerkMember", 9, 1, 2, 2) // the ban is in the membership too
	w.drift(status, "ClerkUser", 10, 1, 1, 1)
	if role := w.member(1).Spec.Role; role != "org:guest" {
		t.Errorf("the demotion was lost: %s", role)
	}
	live := w.live()
	for id, want := range map[string]bool{
		w.id("orgmem", 2): false, w.id("orgmem", 4): false, w.id("user", 4): false, w.id("orgmem", 10): true, w.id("role", 1): false,
	} {
		if live[id] != want {
			t.Errorf("%s is mirrored: %t, want %t", id, live[id], want)
		}
	}
	w.api.DeleteOrganization(w.id("org", 0))
	status = w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkOrganization", 2, 0, 0, 1)
	w.drift(status, "ClerkMember", 5, 0, 0, 4)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
}

// TestNoFailureDeletesAnything: whatever fails, at whichever request, nothing that is mirrored goes, and the next resync repairs it all.
func TestNoFailureDeletesAnything(t *testing.T) {
	t.Parallel()
	faults := map[string]clerkapi.Fault{
		"expired key":       clerkapi.Refused(401),
		"payment required":  clerkapi.Refused(402),
		"forbidden":         clerkapi.Refused(403),
		"a proxy's 404":     clerkapi.ProxyError(404),
		"rate, for an hour": clerkapi.TooManyRequests("3600"),
		"another shape":     {Status: 200, Body: `{"data":"no"}`},
		"an empty object":   {Status: 200, Body: `{}`},
		"a promise":         {Status: 200, Body: `{"data":[],"total_count":7}`},
		"null":              {Status: 200, Body: `null`},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fill(6)
			w.reconcile()
			want := w.live()
			gone := map[string]bool{w.id("orgmem", 1): true, w.id("user", 1): true}
			w.api.DeleteUser(w.id("user", 1))

			// From each request of a resync on, all fail.
			for failing := int64(1); ; failing++ {
				var requests atomic.Int64
				w.api.Intercept(func(*http.Request) clerkapi.Fault {
					if requests.Add(1) >= failing {
						return fault
					}
					return clerkapi.Fault{}
				})
				w.annotate(v1alpha1.ResyncAnnotation, fmt.Sprint(failing))
				w.reconcile()
				if requests.Load() < failing {
					break // and none was left to fail
				}
				if result := w.instance().Status.LastResync.Result; result == v1alpha1.ResyncComplete {
					t.Errorf("request %d failed, and the result is %s", failing, result)
				}
				live := w.live()
				for id := range want {
					if !live[id] && !gone[id] {
						t.Fatalf("request %d failed, and %s was removed", failing, id)
					}
				}
			}
			w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
			if live := w.live(); live[w.id("orgmem", 1)] || live[w.id("user", 1)] || len(live) != len(want)-2 {
				t.Errorf("not repaired: %v", live)
			}
		})
	}
}

// TestAGapDeletesNothingOfItsKind: a list that lacks something, and says so by its count, is no proof.
func TestAGapDeletesNothingOfItsKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.reconcile()
	w.api.DeleteMembership(w.id("orgmem", 1))
	w.api.DeleteRole(w.id("role", 1))
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if strings.HasSuffix(r.URL.Path, "/organization_memberships") {
			return clerkapi.Fault{Status: 200, Body: `{"data":[{"id":""}],"total_count":1}`}
		}
		return clerkapi.Fault{}
	})
	status := w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonIncomplete)
	w.drift(status, "ClerkMember", 0, 0, 0, 0)
	w.drift(status, "ClerkRole", 1, 0, 0, 1)
	if live := w.live(); !live[w.id("orgmem", 1)] {
		t.Error("a member was removed without proof")
	}
	w.api.Intercept(nil)
	if result := w.reconcile(); result.RequeueAfter > time.Minute {
		t.Errorf("repeated after %v, want soon", result.RequeueAfter)
	}
	w.clock = w.clock.Add(time.Minute)
	w.reconcile()
	w.drift(w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced), "ClerkMember", 5, 0, 0, 1)
}

// TestASecondLookSaves what a list did not show although it is there.
func TestASecondLookSaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(2)
	w.reconcile()
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		switch strings.TrimPrefix(r.URL.Path, clerkapi.Prefix) {
		case "/organizations", "/organization_memberships", "/organization_roles":
			return clerkapi.Fault{Status: 200, Body: `{"data":[],"total_count":0}`}
		case "/users":
			return clerkapi.Fault{Status: 200, Body: `[]`}
		}
		return clerkapi.Fault{}
	})
	want := len(w.live())
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if live := w.live(); len(live) != want {
		t.Errorf("%d are left of %d: the lists were believed alone", len(live), want)
	}
}

// TestWhatHappensMeanwhileWins: a webhook tells of changes while lists are read.
func TestWhatHappensMeanwhileWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.reconcile()
	changed := w.membership(1)
	changed.Role, changed.UpdatedAt = "org:old", changed.UpdatedAt.Add(time.Hour)
	w.api.SetMembership(changed)
	var once atomic.Bool
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		// The first page of memberships has been read: it says that member 0 exists and member 1 is "old".
		if r.URL.Query().Get("offset") == "3" && strings.HasSuffix(r.URL.Path, "memberships") && once.CompareAndSwap(false, true) {
			w.event(&clerk.MembershipDeleted{ID: w.id("orgmem", 0), OrganizationID: w.id("org", 0), UserID: w.id("user", 0)})
			w.api.DeleteMembership(w.id("orgmem", 0))
			w.event(&clerk.Membership{
				ID: w.id("orgmem", 1), Role: "org:new", Organization: clerk.Organization{ID: w.id("org", 1), UpdatedAt: founded},
				User: clerk.PublicUser{ID: w.id("user", 1)}, UpdatedAt: changed.UpdatedAt.Add(time.Minute),
			})
		}
		return clerkapi.Fault{}
	})
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if !once.Load() {
		t.Fatal("nothing happened meanwhile")
	}
	if w.live()[w.id("orgmem", 0)] {
		t.Error("a deletion was undone")
	}
	if role := w.member(1).Spec.Role; role != "org:new" {
		t.Errorf("the role is %s: a later change was undone", role)
	}
}

// event is what a webhook tells.
func (w *world) event(data clerk.Data) {
	if _, err := w.mirror.Apply(context.Background(), w.name, &clerk.Event{Time: time.Now(), Data: data}); err != nil {
		w.t.Error(err)
	}
}

func TestTooMuchIsHeldUntilReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(i *v1alpha1.ClerkInstance) {
		i.Spec.API.Prune = v1alpha1.ClerkInstancePrune{MaxCount: new(int32(2))}
	})
	w.fill(9)
	w.reconcile()
	all := len(w.live())
	for n := range 3 {
		w.api.DeleteMembership(w.id("orgmem", n))
	}
	status := w.resync(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
	held := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPruneHeld)
	if held == nil || held.Status != metav1.ConditionTrue || !strings.Contains(held.Message, w.id("orgmem", 0)) ||
		!strings.Contains(held.Message, v1alpha1.ReleasePruneAnnotation+"="+status.HeldPrune.Plan) {
		t.Errorf("the condition does not say what is held and how to release it: %+v", held)
	}
	if *status.HeldPrune.Count != 3 || len(status.HeldPrune.IDs) != 3 {
		t.Errorf("held are %+v, want three", status.HeldPrune)
	}
	select {
	case event := <-w.recorder.Events:
		if !strings.Contains(event, w.id("orgmem", 0)) {
			t.Errorf("the event does not say what is held: %s", event)
		}
	default:
		t.Error("no event")
	}
	if len(w.live()) != all {
		t.Error("something was removed all the same")
	}

	// The same plan again: no other event, and another value releases nothing.
	w.annotate(v1alpha1.ReleasePruneAnnotation, "0123456789abcdef")
	w.reconcile()
	w.resync(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
	select {
	case event := <-w.recorder.Events:
		t.Errorf("told again: %s", event)
	default:
	}

	// One more is another plan: who released the first has not seen it.
	plan := status.HeldPrune.Plan
	w.api.DeleteMembership(w.id("orgmem", 3))
	w.annotate(v1alpha1.ReleasePruneAnnotation, plan)
	w.reconcile()
	status = w.wants(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
	if status.HeldPrune.Plan == plan || len(w.live()) != all {
		t.Error("a plan that nobody has seen was carried out")
	}

	w.annotate(v1alpha1.ReleasePruneAnnotation, status.HeldPrune.Plan)
	w.reconcile()
	status = w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkMember", 5, 0, 0, 4)
	if status.HeldPrune.Plan != "" || !meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionPruneHeld) {
		t.Errorf("still held: %+v", status)
	}

	// What was released once is no permit for later.
	for n := 4; n < 7; n++ {
		w.api.DeleteMembership(w.id("orgmem", n))
	}
	w.resync(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
}

func TestAKeyOfAnotherInstanceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(4)
	w.reconcile()
	want := len(w.live())

	// The URL now leads to another, empty environment.
	other := httptest.NewServer(clerkapi.New(clerkapi.Options{InstanceID: "ins_2", Key: apiKey}))
	t.Cleanup(other.Close)
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.API.URL = other.URL + clerkapi.Prefix })
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonWrongInstance)
	if len(w.live()) != want {
		t.Error("another environment's silence removed something")
	}
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.InstanceID = "ins_2" })
	status := w.resync(v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld)
	if status.InstanceID != "ins_2" || len(w.live()) != want {
		t.Errorf("the environment that spec names is not taken, or removed something unasked: %+v", status)
	}
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.InstanceID = "ins_3" })
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonWrongInstance)
}

func TestWhatStartsAResync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1)
	resyncs := func() bool {
		t.Helper()
		before := len(w.api.Requests())
		w.reconcile()
		return len(w.api.Requests()) > before
	}
	steps := []struct {
		what   string
		happen func()
		want   bool
	}{
		{"the start", func() {}, true},
		{"nothing", func() {}, false},
		{"less than the interval", func() { w.clock = w.clock.Add(59 * time.Minute) }, false},
		{"the interval", func() { w.clock = w.clock.Add(time.Minute) }, true},
		{"a request", func() { w.annotate(v1alpha1.ResyncAnnotation, "2026-01-01T00:00:00Z") }, true},
		{"the same request", func() {}, false},
		{"a changed spec", func() { w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.Username = "u:${user.id}" }) }, true},
		{"an expired key", func() { w.api.SetKey("sk_test_new"); w.annotate(v1alpha1.ResyncAnnotation, "2026-01-01T00:00:01Z") }, true},
		{"nothing new about it", func() {}, false},
		{"its pause", func() { w.clock = w.clock.Add(15 * time.Second) }, true},
		{"a rotated key", func() { w.setKey("sk_test_new") }, true},
		{"no interval", func() {
			w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.API.ResyncInterval = &metav1.Duration{} })
			w.clock = w.clock.Add(24 * time.Hour)
		}, true}, // the one that was due
		{"no interval, a day later", func() { w.clock = w.clock.Add(24 * time.Hour) }, false},
		{"no interval, another leader", func() { w.restart() }, false},
		{"no interval, a request", func() { w.annotate(v1alpha1.ResyncAnnotation, "2026-01-01T00:00:02Z") }, true},
		{"no interval, another leader and a request that was served", func() { w.restart() }, false},
	}
	for _, step := range steps {
		step.happen()
		if got := resyncs(); got != step.want {
			t.Fatalf("%s: resynced is %t, want %t: %+v", step.what, got, step.want, w.instance().Status.LastResync)
		}
	}
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
}

func TestALeaderThatGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(9)
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int64
	w.api.Intercept(func(*http.Request) clerkapi.Fault {
		if requests.Add(1) == 6 {
			cancel()
		}
		return clerkapi.Fault{}
	})
	_, err := w.resyncer.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKey{Name: w.name}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cancelled", err)
	}
	if half := len(w.live()); half == 0 || half >= 3+9+9+2 {
		t.Errorf("%d were mirrored, want some", half)
	}
	if status := w.instance().Status; !status.LastResync.FinishedAt.IsZero() {
		t.Errorf("half a resync says that it ended: %+v", status.LastResync)
	}
	w.restart()
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if all := len(w.live()); all != 3+9+9+2 {
		t.Errorf("%d are mirrored, want all", all)
	}
}

func TestWhatIsWrongWithTheKeySaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setKey(" \n")
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonSecretUnusable)
	w.setKey("sk_test_canary with a space")
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIInvalid)
	w.setKey("sk_test_canary")
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIRefused)
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.API.URL = "http://api.example.com/v1" })
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIInvalid)
	w.edit(func(i *v1alpha1.ClerkInstance) { i.Spec.API.SecretKeyRef.Name = "missing" })
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonSecretNotFound)

	// Without an API, nothing is said of it any longer, and all that others say stays.
	ready := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: w.name}}
	w.must(w.cluster.Status().Patch(t.Context(), ready, client.RawPatch(types.MergePatchType, []byte(
		`{"status":{"lastEvent":{"type":"user.created","receivedAt":"2026-01-01T00:00:00Z"}}}`))))
	w.edit(func(i *v1alpha1.ClerkInstance) {
		i.Spec.API = v1alpha1.ClerkInstanceAPI{}
		i.Spec.Webhook.SigningSecretRef.Name = "somewhere"
	})
	w.reconcile()
	if status := w.instance().Status; len(status.Conditions) > 0 || status.LastEvent.Type == "" || !status.LastResync.FinishedAt.IsZero() {
		t.Errorf("the status still speaks of resyncs: %+v", status)
	}
}

// TestWhatIsNewIsNotJudged: lists may lag behind events.
func TestWhatIsNewIsNotJudged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1)
	w.reconcile()
	w.event(&clerk.Organization{ID: w.id("org", 9), Name: "New", UpdatedAt: w.clock.Add(-time.Second)})
	w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonIncomplete)
	if !w.live()[w.id("org", 9)] {
		t.Error("removed although it is new")
	}
	w.clock = w.clock.Add(time.Minute)
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.live()[w.id("org", 9)] {
		t.Error("still there although it is gone")
	}
}

func TestAUserWhoIsMissingIsFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(2)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)

	// Of this one, only the membership's event came.
	w.api.SetUser(w.user(7))
	w.api.SetMembership(w.membership(7))
	apply := &clerk.Event{Type: clerk.TypeMembershipCreated, Time: time.Now(), Data: &clerk.Membership{
		ID: w.id("orgmem", 7), Role: "org:member", UpdatedAt: founded, User: clerk.PublicUser{ID: w.id("user", 7)},
		Organization: clerk.Organization{ID: w.id("org", 1), UpdatedAt: founded},
	}}
	if _, err := w.mirror.Apply(t.Context(), w.name, apply); err != nil {
		t.Fatal(err)
	}
	w.resyncer.Want(w.name, w.id("user", 7))
	w.resyncer.Want(w.name, w.id("user", 8)) // whom Clerk does not have
	w.resyncer.Want("nobody", w.id("user", 9))
	w.resyncer.FetchMissing(t.Context())
	if live := w.live(); !live[w.id("user", 7)] || live[w.id("user", 8)] {
		t.Errorf("mirrored are %v", live)
	}

	requests := len(w.api.Requests())
	w.resyncer.Want(w.name, w.id("user", 7))
	w.resyncer.Want(w.name, w.id("user", 8))
	w.resyncer.FetchMissing(t.Context())
	if again := len(w.api.Requests()); again != requests {
		t.Errorf("the same users are asked for again at once, by %d requests", again-requests)
	}
}
