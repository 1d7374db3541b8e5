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
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// It is no parallel test, so it has the API server to itself: it comes before all that are.
func TestAnAPIServerThatIsAwayIsWorthAnotherAttempt(t *testing.T) {
	id, later := newID("org"), newID("org")
	first.apply(t, happened(10, acme(id, 10)), mirror.Applied)
	first.apply(t, happened(10, acme(id, 10)), mirror.Duplicate) // which waits for the cache
	plane.StopAPIServer()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	events := map[string]*clerk.Event{
		"creation": happened(0, acme(later, 0)),
		"update":   happened(0, acme(id, 0)),
		"deletion": happened(0, &clerk.OrganizationDeleted{ID: id}),
		"old":      happened(15*24*60, acme(later, 15*24*60)),
	}
	for name, event := range events {
		outcome, err := first.Apply(ctx, "default", event)
		if _, rejected := errors.AsType[*mirror.RejectedError](err); err == nil || rejected {
			t.Errorf("%s: got %q, %v; want an error that is worth another attempt", name, outcome, err)
		}
	}
	if outcome, err := first.Apply(ctx, "default", happened(10, acme(id, 10))); err != nil || outcome != mirror.Duplicate {
		t.Errorf("a duplicate needs no API server: got %q, %v", outcome, err)
	}
	if err := plane.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.apply(t, events["creation"], mirror.Applied)
	first.apply(t, events["deletion"], mirror.Applied)
}

func TestAnOrganizationIsMirroredAsClerkSaysItIs(t *testing.T) {
	t.Parallel()
	id := newID("org")
	first.apply(t, happened(10, acme(id, 10)), mirror.Applied)
	got := organizationOf(t, id)
	isEqual(t, "created", v1alpha1.ClerkOrganizationSpec{
		Entity:                v1alpha1.Entity{Instance: "default", ID: id, CreatedAt: new(metav1.NewMicroTime(at(1000))), UpdatedAt: new(metav1.NewMicroTime(at(10))), AsOf: new(metav1.NewMicroTime(at(10)))},
		Name:                  canary + " Acme",
		Slug:                  "acme",
		ImageURL:              "https://img.example/" + canary,
		PublicMetadata:        raw(`{"nested":{"key":["` + canary + `",{"a":null}]},"plan":"pro"}`),
		MaxAllowedMemberships: new(int64(5)),
	}, got.Spec)
	isEqual(t, "labels", map[string]string{v1alpha1.OrganizationIDLabel: id, v1alpha1.SlugLabel: "acme"}, got.Labels)

	changed := &clerk.Organization{ID: id, Name: "New", Slug: "new", UpdatedAt: at(5)}
	first.apply(t, happened(5, changed), mirror.Applied)
	got = organizationOf(t, id)
	isEqual(t, "what an update leaves out is gone", v1alpha1.ClerkOrganizationSpec{
		Entity:                v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: new(metav1.NewMicroTime(at(5))), AsOf: new(metav1.NewMicroTime(at(5)))},
		Name:                  "New",
		Slug:                  "new",
		MaxAllowedMemberships: new(int64(0)),
	}, got.Spec)
	isEqual(t, "labels", map[string]string{v1alpha1.OrganizationIDLabel: id, v1alpha1.SlugLabel: "new"}, got.Labels)
}

func TestAMemberIsMirroredAsClerkSaysItIs(t *testing.T) {
	t.Parallel()
	organization, id := acme(newID("org"), 10), newID("orgmem")
	membership := jane(id, organization)
	membership.Permissions = []string{"org:write", "org:read", "org:write"}
	first.apply(t, happened(10, membership), mirror.Applied)
	isEqual(t, "the organization came along", "acme", organizationOf(t, organization.ID).Spec.Slug)
	got := memberOf(t, id)
	isEqual(t, "created", v1alpha1.ClerkMemberSpec{
		Entity:         v1alpha1.Entity{Instance: "default", ID: id, CreatedAt: new(metav1.NewMicroTime(at(1000))), UpdatedAt: new(metav1.NewMicroTime(at(10))), AsOf: new(metav1.NewMicroTime(at(10)))},
		OrganizationID: organization.ID,
		UserID:         "user_" + id,
		Role:           "org:member",
		Permissions:    []string{"org:read", "org:write"},
		User: v1alpha1.ClerkMemberUser{
			Identifier: canary + "@example.com", Username: canary, FirstName: canary, LastName: canary, Banned: new(true),
		},
		PublicMetadata: raw(`{"team":{"name":"` + canary + `"}}`),
	}, got.Spec)
	isEqual(t, "labels", map[string]string{v1alpha1.OrganizationIDLabel: organization.ID, v1alpha1.UserIDLabel: "user_" + id}, got.Labels)

	first.apply(t, happened(5, &clerk.Membership{
		ID: id, Role: "org:admin", Organization: *organization, User: clerk.PublicUser{ID: "user_" + id}, UpdatedAt: at(5),
	}), mirror.Applied)
	isEqual(t, "what an update leaves out is gone", v1alpha1.ClerkMemberSpec{
		Entity:         v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: new(metav1.NewMicroTime(at(5))), AsOf: new(metav1.NewMicroTime(at(5)))},
		OrganizationID: organization.ID,
		UserID:         "user_" + id,
		Role:           "org:admin",
	}, memberOf(t, id).Spec)
}

func TestWhatIsNotMirroredIsIgnored(t *testing.T) {
	t.Parallel()
	outcome, err := first.Apply(t.Context(), "default", &clerk.Event{Type: "user.created", Time: now})
	if err != nil || outcome != mirror.Ignored {
		t.Errorf("got %q, %v", outcome, err)
	}
}

// Each case ends with one event, which every replica has to judge alike: one whose cache knows, one that knows nothing.
func TestLateAndDoubledEventsChangeNothing(t *testing.T) {
	t.Parallel()
	member := func(minutesAgo int) func(org, mem string) *clerk.Event {
		return func(org, mem string) *clerk.Event {
			membership := jane(mem, acme(org, 30))
			membership.UpdatedAt = at(minutesAgo)
			return happened(minutesAgo, membership)
		}
	}
	organization := func(minutesAgo int) func(org, mem string) *clerk.Event {
		return func(org, _ string) *clerk.Event { return happened(minutesAgo, acme(org, minutesAgo)) }
	}
	gone := func(minutesAgo int) func(org, mem string) *clerk.Event {
		return func(org, _ string) *clerk.Event { return happened(minutesAgo, &clerk.OrganizationDeleted{ID: org}) }
	}
	away := func(minutesAgo int) func(org, mem string) *clerk.Event {
		return func(org, mem string) *clerk.Event { return happened(minutesAgo, left(jane(mem, acme(org, 30)))) }
	}
	type steps []func(org, mem string) *clerk.Event
	cases := map[string]struct {
		reason string
		before steps
		last   func(org, mem string) *clerk.Event
		want   mirror.Outcome
	}{
		"late update":             {"", steps{organization(10)}, organization(20), mirror.Stale},
		"doubled update":          {"a blind replica asks, and writes nothing", steps{organization(10)}, organization(10), mirror.Duplicate},
		"replay after deletion":   {"deletion is final", steps{organization(10), gone(5)}, organization(10), mirror.Stale},
		"update after deletion":   {"whatever its time", steps{organization(10), gone(5)}, organization(1), mirror.Stale},
		"doubled deletion":        {"the time of deletion stays", steps{organization(10), gone(5)}, gone(4), mirror.Duplicate},
		"the same deletion":       {"", steps{organization(10), gone(5)}, gone(5), mirror.Duplicate},
		"creation after deletion": {"it was never seen before", steps{gone(5)}, organization(10), mirror.Stale},

		"member, late":                    {"", steps{member(10)}, member(20), mirror.Stale},
		"member, doubled":                 {"", steps{member(10)}, member(10), mirror.Duplicate},
		"member, replay":                  {"someone who joins again has a new id", steps{member(10), away(5)}, member(10), mirror.Stale},
		"member, deleted twice":           {"", steps{member(10), away(5)}, away(4), mirror.Duplicate},
		"member, creation after deletion": {"", steps{away(5)}, member(10), mirror.Stale},
	}
	for name, tc := range cases {
		for view, r := range map[string]*replica{"knowing": first, "blind": blind} {
			t.Run(name+"/"+view, func(t *testing.T) {
				t.Parallel()
				org, mem := newID("org"), newID("orgmem")
				for _, step := range tc.before {
					first.apply(t, step(org, mem), mirror.Applied)
				}
				event := tc.last(org, mem)
				isMember := strings.HasPrefix(event.Data.EntityID(), "orgmem")
				read := func() client.Object {
					if isMember {
						return memberOf(t, mem)
					}
					return organizationOf(t, org)
				}
				before, asked := read(), r.requests.of(event.Data.EntityID())
				r.apply(t, event, tc.want)
				if got := read().GetResourceVersion(); got != before.GetResourceVersion() {
					t.Errorf("%s: the object changed: %s became %s", tc.reason, before.GetResourceVersion(), got)
				}
				if asked = r.requests.of(event.Data.EntityID()) - asked; r == first && asked > 0 {
					t.Errorf("%s: the cache knew, and there were %d API requests", tc.reason, asked)
				}
			})
		}
	}
}

// stuck is a client whose cache got stuck when the objects were as they are in view.
type stuck struct {
	client.Client
	view []client.Object
}

func (s stuck) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	for _, object := range s.view {
		if object.GetName() != key.Name {
			continue
		}
		switch into := into.(type) {
		case *v1alpha1.ClerkOrganization:
			object.(*v1alpha1.ClerkOrganization).DeepCopyInto(into)
		case *v1alpha1.ClerkMember:
			object.(*v1alpha1.ClerkMember).DeepCopyInto(into)
		case *v1alpha1.ClerkInstance:
			object.(*v1alpha1.ClerkInstance).DeepCopyInto(into)
		}
		return nil
	}
	return s.Client.Get(ctx, key, into, options...)
}

func TestACacheThatIsBehindMisleadsNobody(t *testing.T) {
	t.Parallel()
	organization, id := acme(newID("org"), 30), newID("orgmem")
	first.apply(t, happened(30, jane(id, organization)), mirror.Applied)
	behind := mirror.New(mirror.Options{
		Client: stuck{live, []client.Object{organizationOf(t, organization.ID), memberOf(t, id)}}, Live: live,
		TombstoneRetention: retention, Now: func() time.Time { return now },
	})

	newest := acme(organization.ID, 10)
	promoted := jane(id, newest)
	promoted.Role = "org:admin"
	first.apply(t, happened(10, promoted), mirror.Applied)
	for name, event := range map[string]*clerk.Event{
		"organization": happened(20, acme(organization.ID, 20)),
		"member":       happened(20, jane(id, acme(organization.ID, 20))),
	} {
		if outcome, err := behind.Apply(t.Context(), "default", event); err != nil || outcome != mirror.Stale {
			t.Errorf("%s: got %q, %v; want the API server to refuse it as stale", name, outcome, err)
		}
	}
	isEqual(t, "nothing went back", "org:admin", memberOf(t, id).Spec.Role)
	isEqual(t, "nothing went back", now.Add(-10*time.Minute), organizationOf(t, organization.ID).Spec.UpdatedAt.Time)

	first.apply(t, happened(5, left(promoted)), mirror.Applied)
	if outcome, err := behind.Apply(t.Context(), "default", happened(1, jane(id, acme(organization.ID, 1)))); err != nil || outcome != mirror.Stale {
		t.Errorf("a deleted membership: got %q, %v", outcome, err)
	}
	if memberOf(t, id).Spec.DeletedAt == nil {
		t.Error("it is back")
	}
}

func TestTheSameTimeAndAnotherContentIsApplied(t *testing.T) {
	t.Parallel()
	organization, id := acme(newID("org"), 10), newID("orgmem")
	membership := jane(id, organization)
	first.apply(t, happened(10, membership), mirror.Applied)

	organization.Slug = "other"
	first.apply(t, happened(10, organization), mirror.Applied) // which knows better than what the membership carried
	isEqual(t, "organization", "other", organizationOf(t, organization.ID).Spec.Slug)
	isEqual(t, "organization", "other", organizationOf(t, organization.ID).Labels[v1alpha1.SlugLabel])
	membership.Role = "org:admin"
	first.apply(t, happened(10, membership), mirror.Applied)
	isEqual(t, "member", "org:admin", memberOf(t, id).Spec.Role)
}

func TestALabelThatSomebodyChangedIsPutRight(t *testing.T) {
	t.Parallel()
	organization, id := acme(newID("org"), 10), newID("orgmem")
	membership := jane(id, organization)
	first.apply(t, happened(10, membership), mirror.Applied)
	for _, object := range []client.Object{organizationOf(t, organization.ID), memberOf(t, id)} {
		edit := []byte(`{"metadata":{"labels":{"clerk-operator.io/organization-id":"org_other","mine":"stays"}}}`)
		if err := live.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", edit)); err != nil {
			t.Fatal(err)
		}
		first.knows(t, object)
	}
	first.apply(t, happened(10, organization), mirror.Applied)
	first.apply(t, happened(10, membership), mirror.Applied)
	for _, object := range []client.Object{organizationOf(t, organization.ID), memberOf(t, id)} {
		if got := object.GetLabels(); got[v1alpha1.OrganizationIDLabel] != organization.ID || got["mine"] != "stays" {
			t.Errorf("%s: %v", object.GetName(), got)
		}
	}
}

func TestATombstoneHoldsNothingButIDs(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			organization, id := acme(newID("org"), 30), newID("orgmem")
			membership := jane(id, organization)
			first.apply(t, happened(30, membership), mirror.Applied)
			// Its updated_at is from before the deletion: "the newer one wins" would lose it.
			r.apply(t, happened(5, left(membership)), mirror.Applied)
			r.apply(t, happened(5, &clerk.OrganizationDeleted{ID: organization.ID}), mirror.Applied)

			deleted := new(metav1.NewMicroTime(at(5)))
			member := memberOf(t, id)
			isEqual(t, "member", v1alpha1.ClerkMemberSpec{
				Entity:         v1alpha1.Entity{Instance: "default", ID: id, DeletedAt: deleted},
				OrganizationID: organization.ID,
				UserID:         "user_" + id,
			}, member.Spec)
			holdsNoPersonalData(t, member)
			tombstone := organizationOf(t, organization.ID)
			isEqual(t, "organization", v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "default", ID: organization.ID, DeletedAt: deleted}}, tombstone.Spec)
			isEqual(t, "the slug may be another's by now", map[string]string{v1alpha1.OrganizationIDLabel: organization.ID}, tombstone.Labels)
			holdsNoPersonalData(t, tombstone)
		})
	}
}

func TestADeletionOfWhatWasNeverSeenMakesATombstone(t *testing.T) {
	t.Parallel()
	org, mem := newID("org"), newID("orgmem")
	first.apply(t, happened(5, &clerk.OrganizationDeleted{ID: org}), mirror.Applied)
	first.apply(t, happened(5, &clerk.MembershipDeleted{ID: mem}), mirror.Applied)
	isEqual(t, "organization", v1alpha1.ClerkOrganizationSpec{
		Entity: v1alpha1.Entity{Instance: "default", ID: org, DeletedAt: new(metav1.NewMicroTime(at(5)))},
	}, organizationOf(t, org).Spec)
	isEqual(t, "member, of which Clerk said no more than its id", v1alpha1.ClerkMemberSpec{
		Entity: v1alpha1.Entity{Instance: "default", ID: mem, DeletedAt: new(metav1.NewMicroTime(at(5)))},
	}, memberOf(t, mem).Spec)
	first.apply(t, happened(10, jane(mem, acme(newID("org"), 10))), mirror.Stale)
}

func TestADeletionKeepsTheIDsThatAreKnown(t *testing.T) {
	t.Parallel()
	membership := jane(newID("orgmem"), acme(newID("org"), 10))
	first.apply(t, happened(10, membership), mirror.Applied)
	first.apply(t, happened(5, &clerk.MembershipDeleted{ID: membership.ID, OrganizationID: "org_wrong"}), mirror.Applied)
	got := memberOf(t, membership.ID).Spec
	if got.OrganizationID != membership.Organization.ID || got.UserID != membership.User.ID || got.DeletedAt == nil {
		t.Errorf("got %+v", got)
	}
}

func TestAnEventBeyondTheRetentionChangesButDoesNotCreate(t *testing.T) {
	t.Parallel()
	const days = 24 * 60
	old := 8 * days

	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		organization, id := acme(newID("org"), old), newID("orgmem")
		first.apply(t, happened(old, organization), mirror.Expired)
		first.apply(t, happened(old, jane(id, organization)), mirror.Expired)
		first.apply(t, happened(old, left(jane(id, organization))), mirror.Expired)
		first.apply(t, happened(old, &clerk.OrganizationDeleted{ID: organization.ID}), mirror.Expired)
		isMissing(t, &v1alpha1.ClerkOrganization{}, "default", organization.ID)
		isMissing(t, &v1alpha1.ClerkMember{}, "default", id)
	})
	t.Run("at the limit", func(t *testing.T) {
		t.Parallel()
		id := newID("org")
		first.apply(t, happened(7*days+1, acme(id, 7*days+1)), mirror.Expired)
		first.apply(t, happened(7*days, acme(id, 7*days)), mirror.Applied)
	})
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run("known/"+name, func(t *testing.T) {
			t.Parallel()
			membership := jane(newID("orgmem"), acme(newID("org"), old+10))
			r.apply(t, &clerk.Event{Time: now, Data: membership}, mirror.Applied)
			membership.Role, membership.UpdatedAt = "org:admin", at(old)
			r.apply(t, happened(old, membership), mirror.Applied)
			isEqual(t, "changed", "org:admin", memberOf(t, membership.ID).Spec.Role)
			r.apply(t, happened(old, left(membership)), mirror.Applied)
			if memberOf(t, membership.ID).Spec.DeletedAt == nil {
				t.Error("the deletion was lost")
			}
			r.apply(t, happened(old, membership), mirror.Stale)
		})
		t.Run("collected/"+name, func(t *testing.T) {
			t.Parallel()
			organization := acme(newID("org"), old+1)
			r.apply(t, &clerk.Event{Time: now, Data: organization}, mirror.Applied)
			r.apply(t, happened(old, &clerk.OrganizationDeleted{ID: organization.ID}), mirror.Applied)
			if err := live.Delete(t.Context(), organizationOf(t, organization.ID)); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the cache to forget it", func() bool {
				outcome, err := r.Apply(t.Context(), "default", happened(old+1, organization))
				if err != nil {
					t.Fatal(err)
				}
				return outcome == mirror.Expired
			})
			isMissing(t, &v1alpha1.ClerkOrganization{}, "default", organization.ID)
		})
	}
	t.Run("another of the same name", func(t *testing.T) {
		t.Parallel()
		organization := acme(newID("org"), old)
		first.apply(t, &clerk.Event{Time: now, Data: organization}, mirror.Applied)
		before := organizationOf(t, organization.ID)
		gone := mirror.New(mirror.Options{
			Client: live, Live: uncached{before}, TombstoneRetention: retention, Now: func() time.Time { return now },
		})
		if err := live.Delete(t.Context(), before.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		// It was there when it was looked for, and went before it was written.
		organization.UpdatedAt = at(old - 1)
		outcome, err := gone.Apply(t.Context(), "default", happened(old-1, organization))
		if _, rejected := errors.AsType[*mirror.RejectedError](err); err == nil || rejected {
			t.Errorf("got %q, %v; want an error that is worth another attempt", outcome, err)
		}
		isMissing(t, &v1alpha1.ClerkOrganization{}, "default", organization.ID)
	})
}

// uncached is an API server of a moment ago.
type uncached struct{ organization *v1alpha1.ClerkOrganization }

func (u uncached) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	u.organization.DeepCopyInto(into.(*v1alpha1.ClerkOrganization))
	return nil
}

func (u uncached) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nobody lists")
}

func TestAMembershipBringsItsOrganization(t *testing.T) {
	t.Parallel()
	organization := acme(newID("org"), 30)
	ann, bob, cleo := jane(newID("orgmem"), organization), jane(newID("orgmem"), organization), jane(newID("orgmem"), organization)
	slug := func() string { return organizationOf(t, organization.ID).Spec.Slug }

	first.apply(t, happened(30, ann), mirror.Applied)
	isEqual(t, "one that is not mirrored is created", "acme", slug())

	bob.Organization.Slug, bob.Organization.UpdatedAt = "newer", at(20)
	first.apply(t, happened(20, bob), mirror.Applied)
	isEqual(t, "a newer one is applied", "newer", slug())

	cleo.Organization.Slug, cleo.Organization.UpdatedAt = "older", at(25)
	asked := first.requests.of(organization.ID)
	first.apply(t, happened(25, cleo), mirror.Applied)
	isEqual(t, "an older one is not", "newer", slug())
	if asked != first.requests.of(organization.ID) {
		t.Error("the API server was asked about an organization that the cache knows to be newer")
	}
	if memberOf(t, cleo.ID).Spec.OrganizationID != organization.ID {
		t.Error("the membership itself is applied all the same")
	}

	first.apply(t, happened(10, left(cleo)), mirror.Applied)
	isEqual(t, "an ended membership brings none", "newer", slug())
	orphan := jane(newID("orgmem"), acme(newID("org"), 10))
	first.apply(t, happened(10, left(orphan)), mirror.Applied)
	isMissing(t, &v1alpha1.ClerkOrganization{}, "default", orphan.Organization.ID)

	first.apply(t, happened(5, &clerk.OrganizationDeleted{ID: organization.ID}), mirror.Applied)
	late := jane(newID("orgmem"), acme(organization.ID, 1))
	first.apply(t, happened(1, late), mirror.Applied)
	if organizationOf(t, organization.ID).Spec.DeletedAt == nil {
		t.Error("a membership brought a deleted organization back")
	}
}

func TestAnInstanceHasNoSayOverAnothersOrganizations(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			organization := acme(newID("org"), 30)
			member := jane(newID("orgmem"), organization)
			first.apply(t, happened(30, member), mirror.Applied)
			gone, ended := acme(newID("org"), 30), jane(newID("orgmem"), organization)
			first.apply(t, happened(20, &clerk.OrganizationDeleted{ID: gone.ID}), mirror.Applied)
			first.apply(t, happened(20, left(ended)), mirror.Applied)

			intruder := func(organization *clerk.Organization) *clerk.Membership { return jane(newID("orgmem"), organization) }
			promoted := *member
			promoted.Role, promoted.UpdatedAt = "org:admin", at(1)
			events := map[string]clerk.Data{
				"a newer organization":         acme(organization.ID, 1),
				"the same organization":        acme(organization.ID, 30),
				"an older organization":        acme(organization.ID, 40),
				"its deletion":                 &clerk.OrganizationDeleted{ID: organization.ID},
				"a member, newer organization": intruder(acme(organization.ID, 1)),
				"a member, same organization":  intruder(acme(organization.ID, 30)),
				"a member, older organization": intruder(acme(organization.ID, 40)),
				"a member of a deleted one":    intruder(acme(gone.ID, 1)),
				"a member's promotion":         &promoted,
				"a member, as is":              member,
				"a member's end":               left(member),
				"a deleted organization":       &clerk.OrganizationDeleted{ID: gone.ID},
				"an ended membership":          left(ended),
			}
			for name, data := range events {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					if _, err := r.Apply(t.Context(), "dev", happened(1, data)); err != nil {
						t.Error(err)
					}
					if membership, ok := data.(*clerk.Membership); ok && membership.ID != member.ID {
						isMissing(t, &v1alpha1.ClerkMember{}, "default", membership.ID)
					}
				})
			}
			t.Cleanup(func() {
				if got := organizationOfDuring(context.Background(), t, organization.ID); got.Spec.Instance != "default" ||
					!got.Spec.UpdatedAt.Time.Equal(at(30)) || got.Spec.DeletedAt != nil {
					t.Errorf("the organization changed: %+v", got.Spec)
				}
			})
		})
	}
}

// organizationOfDuring is organizationOf with a context that outlives the test.
func organizationOfDuring(ctx context.Context, t *testing.T, id string) *v1alpha1.ClerkOrganization {
	t.Helper()
	object := &v1alpha1.ClerkOrganization{}
	if err := live.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", id)}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestIDsThatDifferInCaseAloneAreNotMixedUp(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			organization := acme(newID("org"), 30)
			member := jane(newID("orgmem"), organization)
			first.apply(t, happened(30, member), mirror.Applied)
			otherOrganization, otherMember := strings.ToUpper(organization.ID), strings.ToUpper(member.ID)
			for name, data := range map[string]clerk.Data{
				"newer":                         acme(otherOrganization, 1),
				"older":                         acme(otherOrganization, 40),
				"deletion":                      &clerk.OrganizationDeleted{ID: otherOrganization},
				"a member of it":                jane(newID("orgmem"), acme(otherOrganization, 40)),
				"a member":                      jane(otherMember, organization),
				"a member's end":                &clerk.MembershipDeleted{ID: otherMember},
				"a member who changes sides":    jane(member.ID, acme(newID("org"), 1)),
				"a member who is someone else":  withUser(jane(member.ID, acme(organization.ID, 1)), "user_other"),
				"a member of it, newer as well": jane(newID("orgmem"), acme(otherOrganization, 1)),
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					outcome, err := r.Apply(t.Context(), "default", happened(1, data))
					isRejected(t, outcome, err, "")
				})
			}
		})
	}
}

func withUser(m *clerk.Membership, id string) *clerk.Membership {
	m.User.ID = id
	return m
}

func TestWhatTheAPIServerCanNeverTakeIsRejected(t *testing.T) {
	t.Parallel()
	organization := func(change func(*clerk.Organization)) clerk.Data {
		o := acme(newID("org"), 10)
		change(o)
		return o
	}
	membership := func(change func(*clerk.Membership)) clerk.Data {
		m := jane(newID("orgmem"), acme(newID("org"), 10))
		change(m)
		return m
	}
	long := func(n int) string { return strings.Repeat(canary, n/len(canary)+1) }
	identified := func(id string) clerk.Data { return organization(func(o *clerk.Organization) { o.ID = id }) }
	cases := map[string]struct {
		reason string
		data   clerk.Data
		says   string
	}{
		"name":             {"", organization(func(o *clerk.Organization) { o.Name = long(1024) }), "spec.name: "},
		"slug":             {"", organization(func(o *clerk.Organization) { o.Slug = long(1024) }), "spec.slug: "},
		"image":            {"", organization(func(o *clerk.Organization) { o.ImageURL = long(4096) }), "spec.imageURL: "},
		"negative":         {"", organization(func(o *clerk.Organization) { o.MaxAllowedMemberships = -1 }), "spec.maxAllowedMemberships: "},
		"no update":        {"", organization(func(o *clerk.Organization) { o.UpdatedAt = time.Time{} }), "spec.updatedAt: "},
		"metadata, 5 MB":   {"a request has 3", organization(func(o *clerk.Organization) { o.PublicMetadata = text(5 << 20) }), "too large"},
		"role":             {"", membership(func(m *clerk.Membership) { m.Role = long(256) }), "spec.role: "},
		"no role":          {"", membership(func(m *clerk.Membership) { m.Role = "" }), "role are required"},
		"permission":       {"", membership(func(m *clerk.Membership) { m.Permissions = []string{long(256)} }), "spec.permissions[0]: "},
		"many permissions": {"", membership(func(m *clerk.Membership) { m.Permissions = numbered(1001) }), "spec.permissions: "},
		"identifier":       {"", membership(func(m *clerk.Membership) { m.User.Identifier = long(1024) }), "spec.user.identifier: "},
		"user name":        {"", membership(func(m *clerk.Membership) { m.User.Username = long(1024) }), "spec.user.username: "},
		"first name":       {"", membership(func(m *clerk.Membership) { m.User.FirstName = long(1024) }), "spec.user.firstName: "},
		"user's id":        {"", membership(func(m *clerk.Membership) { m.User.ID = "user_" + canary }), "spec.userID: "},
		"its organization": {"", membership(func(m *clerk.Membership) { m.Organization.Name = long(1024) }), "spec.name: "},
		"wrong id of it":   {"", membership(func(m *clerk.Membership) { m.Organization.ID = "org-2a" }), "spec.organizationID: "},

		"id, underscore first": {"it makes no object's name", identified("_org" + newID("")), ""},
		"id, underscore last":  {"it makes no object's name", identified(newID("org") + "_"), ""},
		"id, underscore":       {"", identified("_"), ""},
		"id, 64":               {"it is no label's value", identified("org_" + strings.Repeat("a", 60)), "spec.id: "},
		"id, 300":              {"it makes no object's name", identified(strings.Repeat("a", 300)), ""},
		"id, space":            {"", identified("org 2a"), ""},
		"deletion of such":     {"", &clerk.OrganizationDeleted{ID: newID("org") + "_"}, ""},
		"member of such":       {"", membership(func(m *clerk.Membership) { m.Organization.ID = newID("org") + "_" }), ""},
		"member, id of such":   {"", membership(func(m *clerk.Membership) { m.ID = "_" + newID("orgmem") }), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcome, err := first.Apply(t.Context(), "default", happened(10, tc.data))
			isRejected(t, outcome, err, tc.says)
		})
	}
}

// text is a JSON string of n bytes.
func text(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }

// raw is metadata as an object holds it.
func raw(metadata string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(metadata)} }

// numbered are n different keys.
func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("org:key%04d", i)
	}
	return keys
}

func TestTheSlugIsALabelWhereItCanBeOne(t *testing.T) {
	t.Parallel()
	for slug, labelled := range map[string]bool{
		"acme": true, "a": true, strings.Repeat("a", 63): true, "": false, strings.Repeat("a", 64): false, "büro": false, "-acme-": false, "a b": false,
	} {
		organization := acme(newID("org"), 10)
		first.apply(t, happened(10, organization), mirror.Applied)
		organization.Slug, organization.UpdatedAt = slug, at(5)
		first.apply(t, happened(5, organization), mirror.Applied)
		got := organizationOf(t, organization.ID)
		value, has := got.Labels[v1alpha1.SlugLabel]
		if has != labelled || labelled && value != slug || got.Spec.Slug != slug {
			t.Errorf("%q: the label is %q (%t), the slug %q", slug, value, has, got.Spec.Slug)
		}
		first.apply(t, happened(5, organization), mirror.Duplicate)
	}
}

// Whatever the metadata, it is stored as it is, and told again costs no request.
func TestPublicMetadataMayBeAnyJSON(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ reason, metadata, again string }{
		"object":       {"", `{"a":1}`, `{"a":1}`},
		"order":        {"the order of keys means nothing", `{"b":1,"a":{"d":1,"c":2}}`, `{"a":{"c":2,"d":1},"b":1}`},
		"space":        {"layout means nothing", `{"a": [1, 2]}`, `{"a":[1,2]}`},
		"array":        {"", `[1,"a",{"b":[]}]`, `[1,"a",{"b":[]}]`},
		"string":       {"", `"text"`, `"text"`},
		"number":       {"", `1.5`, `1.5`},
		"boolean":      {"", `false`, `false`},
		"empty array":  {"", `[]`, `[]`},
		"nested null":  {"", `{"a":null,"b":{"c":null},"d":[null]}`, `{"a":null,"b":{"c":null},"d":[null]}`},
		"empty within": {"", `{"a":{},"b":[],"c":""}`, `{"a":{},"b":[],"c":""}`},
		"large number": {"", `{"a":9007199254740993,"b":1e300}`, `{"a":9007199254740993,"b":1e300}`},
		"odd keys":     {"", `{"":1,".":2,"f:a":3,"a/b":4,"k:{\"x\":1}":5}`, `{"":1,".":2,"f:a":3,"a/b":4,"k:{\"x\":1}":5}`},
		"characters":   {"", `{"a":"<&>\u2028ünï🚀\n\t"}`, `{"a":"<&>\u2028ünï🚀\n\t"}`},
		"looks merged": {"it is no list of Kubernetes'", `[{"name":"a"},{"name":"a"}]`, `[{"name":"a"},{"name":"a"}]`},
		"equal items":  {"nor a set", `["a","a"]`, `["a","a"]`},
		"deep":         {"", strings.Repeat(`{"a":[`, 200) + strings.Repeat(`]}`, 200), strings.Repeat(`{"a":[`, 200) + strings.Repeat(`]}`, 200)},
		"64 KiB":       {"", string(text(64 << 10)), string(text(64 << 10))},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			organization := acme(newID("org"), 30)
			first.apply(t, happened(30, organization), mirror.Applied)
			organization.PublicMetadata, organization.UpdatedAt = json.RawMessage(tc.metadata), at(20)
			first.apply(t, happened(20, organization), mirror.Applied)
			got := organizationOf(t, organization.ID)
			if got.Spec.PublicMetadata == nil {
				t.Fatalf("%s: it is gone", tc.reason)
			}
			isEqual(t, tc.reason, json.RawMessage(tc.metadata), json.RawMessage(got.Spec.PublicMetadata.Raw))

			asked := first.requests.of(organization.ID)
			organization.PublicMetadata = json.RawMessage(tc.again)
			first.apply(t, happened(20, organization), mirror.Duplicate)
			if asked != first.requests.of(organization.ID) {
				t.Errorf("%s: a duplicate cost a request", tc.reason)
			}

			organization.PublicMetadata, organization.UpdatedAt = nil, at(10)
			first.apply(t, happened(10, organization), mirror.Applied)
			if got := organizationOf(t, organization.ID).Spec.PublicMetadata; got != nil {
				t.Errorf("%s: it is still there: %.80s", tc.reason, got.Raw)
			}
			first.apply(t, happened(10, organization), mirror.Duplicate)
		})
	}
}
