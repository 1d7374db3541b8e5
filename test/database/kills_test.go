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

package database_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// mirrored is what the API server has, each object as a line of text: what a row has to say of it.
func mirrored(ctx context.Context) (map[string]string, error) {
	lines := map[string]string{}
	line := func(id string, deletedAt *metav1.MicroTime, parts ...string) {
		if deletedAt != nil {
			parts = []string{"deleted"}
		}
		lines[id] = strings.Join(parts, "|")
	}
	var organizations v1alpha1.ClerkOrganizationList
	var users v1alpha1.ClerkUserList
	var members v1alpha1.ClerkMemberList
	for _, list := range []client.ObjectList{&organizations, &users, &members} {
		if err := cluster.List(ctx, list); err != nil {
			return nil, err
		}
	}
	for _, o := range organizations.Items {
		line(o.Spec.ID, o.Spec.DeletedAt, o.Spec.Name, o.Spec.Slug)
	}
	for _, u := range users.Items {
		line(u.Spec.ID, u.Spec.DeletedAt, u.Spec.PrimaryEmail.Address, u.Spec.FirstName, u.Spec.LastName, u.Spec.ImageURL)
	}
	for _, m := range members.Items {
		line(m.Spec.ID, m.Spec.DeletedAt, m.Spec.OrganizationID, m.Spec.UserID, m.Spec.Role)
	}
	return lines, nil
}

// stored is what the tables have, in the same form. What is deleted must have nothing personal left.
func stored(ctx context.Context, server *pgproc.Server, database string) (map[string]string, error) {
	lines := map[string]string{}
	rows, err := texts(ctx, server, database, `
		SELECT id || '=' || CASE WHEN deleted_at IS NULL THEN concat_ws('|', coalesce(name, ''), coalesce(slug, ''))
			WHEN num_nonnulls(name, slug, image_url, public_metadata) = 0 THEN 'deleted' ELSE 'LEFT OVER' END FROM clerk.organizations
		UNION ALL SELECT id || '=' || CASE WHEN deleted_at IS NULL
			THEN concat_ws('|', coalesce(email, ''), coalesce(first_name, ''), coalesce(last_name, ''), coalesce(image_url, ''))
			WHEN num_nonnulls(email, username, first_name, last_name, image_url, external_id, public_metadata) = 0 THEN 'deleted'
			ELSE 'LEFT OVER' END FROM clerk.users
		UNION ALL SELECT id || '=' || CASE WHEN deleted_at IS NULL THEN concat_ws('|', organization_id, user_id, role)
			WHEN num_nonnulls(role, permissions, public_metadata) = 0 THEN 'deleted' ELSE 'LEFT OVER' END FROM clerk.memberships`)
	for _, row := range rows {
		id, line, _ := strings.Cut(row, "=")
		lines[id] = line
	}
	return lines, err
}

// inStep waits until the tables say what the API server says.
func inStep(t *testing.T, server *pgproc.Server) {
	t.Helper()
	waitFor(t, func() error {
		want, err := mirrored(t.Context())
		if err != nil {
			return err
		}
		got, err := stored(t.Context(), server, "postgres")
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(want)) {
			if got[id] != want[id] {
				return fmt.Errorf("%s is %q, and its row %q (%d objects, %d rows)", id, want[id], got[id], len(want), len(got))
			}
		}
		for id, line := range got {
			if _, isThere := want[id]; !isThere && line != "deleted" {
				return fmt.Errorf("%s is gone, and its row %q", id, line)
			}
		}
		return nil
	})
}

// world is an application of Clerk's whose events are delivered.
type world struct {
	mu            sync.Mutex
	sender        clerktest.Sender
	organizations []clerktest.Organization
	members       []clerktest.Membership
	clock         time.Time
}

// tick is a time of its own for each event.
func (w *world) tick() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(time.Millisecond)
	return w.clock
}

// deliver tries until it is answered with success, as Clerk's sender does.
func (w *world) deliver(t *testing.T, event clerktest.Event) {
	t.Helper()
	id := clerktest.RandomID("msg")
	waitFor(t, func() error {
		w.mu.Lock()
		sender := w.sender
		w.mu.Unlock()
		status, answer, err := sender.Deliver(t.Context(), id, event)
		if err != nil || status != http.StatusNoContent {
			return fmt.Errorf("%s: answered %d %s (%w)", event.Type, status, answer, err)
		}
		return nil
	})
}

// populate makes organizations with members.
func (w *world) populate(t *testing.T, organizations, members int) {
	t.Helper()
	for n := range organizations {
		organization := clerktest.Organization{
			ID: clerktest.RandomID("org"), Name: fmt.Sprintf("Org %d", n), Slug: fmt.Sprintf("org-%d", n), UpdatedAt: w.tick(),
			PublicMetadata: map[string]any{"nul": "\x00"},
		}
		w.organizations = append(w.organizations, organization)
		for m := range members {
			user := clerktest.User{
				ID: clerktest.RandomID("user"), FirstName: fmt.Sprintf("Jane %d", m), LastName: "Doe", Email: fmt.Sprintf("jane-%d@x.example", m),
				UpdatedAt: w.tick(),
			}
			member := clerktest.Membership{ID: clerktest.RandomID("orgmem"), Role: "org:member", Organization: organization, User: user, UpdatedAt: w.tick()}
			w.members = append(w.members, member)
			w.deliver(t, clerktest.MembershipCreated(member))
			w.deliver(t, clerktest.UserCreated(user))
		}
	}
}

// happen lets something happen to one member, who is no one else's at that time.
func (w *world) happen(t *testing.T, member *clerktest.Membership, what int) {
	t.Helper()
	switch what {
	case 0:
		member.User.FirstName, member.User.UpdatedAt = "Renamed", w.tick()
		w.deliver(t, clerktest.UserUpdated(member.User))
	case 1:
		member.Role, member.UpdatedAt = "org:admin", w.tick()
		w.deliver(t, clerktest.MembershipUpdated(*member))
	case 2:
		w.deliver(t, clerktest.MembershipDeleted(*member, w.tick()))
	case 3:
		w.deliver(t, clerktest.UserDeleted(member.User, w.tick()))
	}
}

func TestADatabaseIsInStepInTheEndWhateverIsKilled(t *testing.T) {
	const organizations, members, workers, kills = 10, 12, 6, 6
	server := pgproc.Start(t)
	operators := []*operatorproc.Operator{start(t, "first"), start(t, "second")}
	defer func() {
		for _, operator := range operators {
			operator.Kill()
		}
	}()
	w := &world{sender: operators[0].Sender(operatorproc.Instance, secret), clock: time.Now().Add(-time.Hour)}
	w.populate(t, organizations, members)

	makeSecret(t, "kills", marked, map[string]string{"url": server.URL(pgproc.Admin, pgproc.Password, "postgres")})
	makeDatabase(t, "kills", nil)
	inStep(t, server) // the backfill
	condition(t, "kills", v1alpha1.ReasonReady)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(worker)))
			for m := worker; m < len(w.members); m += workers {
				w.happen(t, &w.members[m], random.IntN(4))
			}
		})
	}
	for i := range kills {
		switch i % 3 {
		case 0:
			server.Kill()
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 1:
			n := i / 3 % len(operators)
			operators[n].Kill()
			operators[n] = start(t, fmt.Sprintf("again-%d", i))
			w.mu.Lock()
			w.sender = operators[n].Sender(operatorproc.Instance, secret)
			w.mu.Unlock()
		case 2: // somebody restores an old table, as after a failover to a replica that was behind
			server.Exec(t, "postgres", "DELETE FROM clerk.users WHERE ctid IN (SELECT ctid FROM clerk.users LIMIT 5)")
			server.Kill()
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	all.Wait()
	inStep(t, server)
	object := condition(t, "kills", v1alpha1.ReasonReady)
	if lag := object.Status.Lag; lag.Objects == nil || *lag.Objects != 0 || *lag.Seconds != 0 {
		waitFor(t, func() error {
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			if lag := object.Status.Lag; *lag.Objects != 0 || *lag.Seconds != 0 {
				return fmt.Errorf("in step, and %d objects behind for %d s", *lag.Objects, *lag.Seconds)
			}
			return nil
		})
	}
	dump, err := texts(t.Context(), server, "postgres", `SELECT o::text FROM clerk.organizations o UNION ALL SELECT u::text FROM clerk.users u
		UNION ALL SELECT m::text FROM clerk.memberships m UNION ALL SELECT r::text FROM clerk.roles r`)
	if err != nil || len(dump) < organizations*members {
		t.Fatalf("%d rows, %v", len(dump), err)
	}
	for _, row := range dump {
		for _, forbidden := range []string{clerktest.Private, "private_metadata", "unsafe_metadata"} {
			if strings.Contains(row, forbidden) {
				t.Errorf("%q is in the database: %s", forbidden, row)
			}
		}
	}
	waitFor(t, func() error {
		return countsAreTrue(t.Context(), server, "postgres", object)
	})
}

// countsAreTrue compares the status with the tables.
func countsAreTrue(ctx context.Context, server *pgproc.Server, database string, object *v1alpha1.ClerkDatabase) error {
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	for _, table := range object.Status.Tables {
		want := fmt.Sprintf("%d %d", *table.Rows, *table.Deleted)
		counted, err := texts(ctx, server, database, "SELECT count(*) FILTER (WHERE deleted_at IS NULL) || ' ' || "+
			"count(*) FILTER (WHERE deleted_at IS NOT NULL) FROM clerk."+string(table.Name))
		if err != nil || counted[0] != want {
			return fmt.Errorf("the status counts %s of %s, the table %v (%w)", want, table.Name, counted, err)
		}
	}
	if len(object.Status.Tables) != 5 {
		return fmt.Errorf("the status counts %+v", object.Status.Tables)
	}
	return nil
}
