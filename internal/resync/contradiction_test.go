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
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
)

// forge tells a deletion, of an hour ago, that never was.
func (w *world) forge(data clerk.Data) {
	w.t.Helper()
	w.eventAt(data, time.Now().Add(-time.Hour))
}

func (w *world) eventAt(data clerk.Data, at time.Time) {
	w.t.Helper()
	if _, err := w.mirror.Apply(w.t.Context(), w.name, &clerk.Event{Time: at, Data: data}); err != nil {
		w.t.Error(err)
	}
}

func (w *world) leave(n int) clerk.Data {
	return &clerk.MembershipDeleted{ID: w.id("orgmem", n), OrganizationID: w.id("org", n%3), UserID: w.id("user", n)}
}

func TestWhatClerkListsAlthoughItIsDeletedHereIsToldAndReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(6)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	all := len(w.live())
	w.forge(&clerk.OrganizationDeleted{ID: w.id("org", 0)})
	w.forge(w.leave(0))
	w.forge(w.leave(1))
	w.forge(&clerk.UserDeleted{ID: w.id("user", 1)})
	w.forge(&clerk.RoleDeleted{ID: w.id("role", 1)})

	status := w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	name := status.Contradiction.Name
	if *status.Contradiction.Count != 5 || len(status.Contradiction.IDs) != 5 {
		t.Fatalf("told are %+v, want five", status.Contradiction)
	}
	synced := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSynced)
	if !strings.Contains(synced.Message, w.id("role", 1)) ||
		!strings.Contains(synced.Message, v1alpha1.ReleaseContradictionAnnotation+"="+name) {
		t.Errorf("the condition does not say what and how to release it: %s", synced.Message)
	}
	select {
	case event := <-w.recorder.Events:
		if !strings.Contains(event, v1alpha1.ReasonContradiction) {
			t.Errorf("another event: %s", event)
		}
	default:
		t.Error("no event")
	}
	w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	select {
	case event := <-w.recorder.Events:
		t.Errorf("told again: %s", event)
	default:
	}

	// A name of something else releases nothing; and one more tombstone is another contradiction.
	w.annotate(v1alpha1.ReleaseContradictionAnnotation, "0123456789abcdef")
	w.reconcile()
	w.wants(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	w.forge(w.leave(2))
	w.annotate(v1alpha1.ReleaseContradictionAnnotation, name)
	w.reconcile()
	status = w.wants(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	if *status.Contradiction.Count != 6 || status.Contradiction.Name == name || len(w.live()) != all-6 {
		t.Fatalf("what nobody has seen was released: %+v", status.Contradiction)
	}

	w.annotate(v1alpha1.ReleaseContradictionAnnotation, status.Contradiction.Name)
	w.reconcile()
	status = w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if live := w.live(); len(live) != all || status.Contradiction.Name != "" {
		t.Errorf("%d are mirrored, want %d again: %+v", len(live), all, status.Contradiction)
	}

	// A true deletion afterwards is believed, and what was released once is no permit for later.
	w.api.DeleteMembership(w.id("orgmem", 1))
	w.event(w.leave(1))
	w.forge(w.leave(2))
	status = w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	if live := w.live(); live[w.id("orgmem", 1)] || *status.Contradiction.Count != 1 {
		t.Errorf("a late deletion did not count, or is a contradiction: %+v", status.Contradiction)
	}
}

// TestOlderNewsDoesNotUndoARelease: what is made then is as Clerk lists it.
func TestOlderNewsDoesNotUndoARelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	demoted := w.membership(1)
	demoted.Role, demoted.UpdatedAt = "org:guest", demoted.UpdatedAt.Add(time.Hour)
	w.api.SetMembership(demoted)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.forge(w.leave(1))
	status := w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	w.annotate(v1alpha1.ReleaseContradictionAnnotation, status.Contradiction.Name)
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.event(&clerk.Membership{
		ID: w.id("orgmem", 1), Role: "org:admin", UpdatedAt: w.membership(1).UpdatedAt, User: clerk.PublicUser{ID: w.id("user", 1)},
		Organization: clerk.Organization{ID: w.id("org", 1), UpdatedAt: founded},
	})
	if role := w.member(1).Spec.Role; role != "org:guest" {
		t.Errorf("the role is %s: older news undid what Clerk lists", role)
	}
}

// TestWhatWasDeletedJustNowContradictsNothing: lists may lag behind events, and the second look tells.
func TestWhatWasDeletedJustNowContradictsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.event(w.leave(1))
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.live()[w.id("orgmem", 1)] {
		t.Error("a deletion was undone")
	}
}

// TestATombstoneThatIsCollectedMeanwhileMakesTheNameStale, and the next resync mirrors what Clerk lists by itself.
func TestATombstoneThatIsCollectedMeanwhileMakesTheNameStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.forge(w.leave(0))
	w.forge(w.leave(1))
	status := w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	tombstone := &v1alpha1.ClerkMember{}
	w.must(w.cluster.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(w.name, w.id("orgmem", 0))}, tombstone))
	w.must(w.cluster.Delete(t.Context(), tombstone))
	w.annotate(v1alpha1.ReleaseContradictionAnnotation, status.Contradiction.Name)
	w.reconcile()
	w.wants(v1alpha1.ResyncIncomplete, v1alpha1.ReasonContradiction)
	if live := w.live(); !live[w.id("orgmem", 0)] || live[w.id("orgmem", 1)] {
		t.Errorf("mirrored are %v", live)
	}
}

// TestASecretThatIsNotMarkedIsSentNowhere: whoever may write ClerkInstances must not learn what other Secrets hold.
func TestASecretThatIsNotMarkedIsSentNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.secret()
	delete(secret.Labels, v1alpha1.APIKeyLabel)
	w.must(w.cluster.Update(t.Context(), secret))
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonSecretNotMarked)
	if requests := w.api.Requests(); len(requests) > 0 {
		t.Errorf("it was sent: %+v", requests)
	}
	w.setKey(apiKey)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
}

// TestAHostThatIsNotAllowedIsSentNoKey although it is https, or this very machine.
func TestAHostThatIsNotAllowedIsSentNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit(func(i *v1alpha1.ClerkInstance) {
		i.Spec.API.URL = strings.Replace(i.Spec.API.URL, "127.0.0.1", "localhost", 1)
	})
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIInvalid)
	if requests := w.api.Requests(); len(requests) > 0 {
		t.Errorf("the key was sent: %+v", requests)
	}
}

// TestARateThatIsTooHighEndsAResync rather than being met by every kind.
func TestARateThatIsTooHighEndsAResync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(1)
	w.fail(clerkapi.TooManyRequests("3600"), func(path string) bool { return path == "/organization_permissions" })
	w.resync(v1alpha1.ResyncFailed, v1alpha1.ReasonAPIUnavailable)
	if requests := w.api.Requests(); len(requests) > 2 {
		t.Errorf("%d requests were made: %+v", len(requests), requests)
	}
}
