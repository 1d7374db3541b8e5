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
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

const (
	// lease is how long a leader counts that does not renew its Lease: as short as a busy machine allows, since one has to be frozen longer.
	lease = 4 * time.Second

	// longestMoment bounds how long after the first change a leader is frozen, or goes on.
	longestMoment = 300 * time.Millisecond

	// freezes are how many leaders are frozen.
	freezes = 2
)

// remember has the database write down each row that goes back, and in whose time each was written.
const remember = `
	CREATE SCHEMA test;
	CREATE TABLE test.went_back (what text);
	CREATE TABLE test.written (epoch bigint, id text);
	CREATE FUNCTION test.remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF TG_OP = 'UPDATE' AND NEW.object_uid = OLD.object_uid AND NEW.object_generation < OLD.object_generation THEN
			INSERT INTO test.went_back VALUES (format('%s of %s: from generation %s to %s', NEW.id, TG_TABLE_NAME, OLD.object_generation, NEW.object_generation));
		END IF;
		INSERT INTO test.written SELECT epoch, NEW.id FROM clerk.clerk_operator;
		RETURN NEW;
	END $$;
	CREATE TRIGGER remember BEFORE INSERT OR UPDATE ON clerk.organizations FOR EACH ROW EXECUTE FUNCTION test.remember();
	CREATE TRIGGER remember BEFORE INSERT OR UPDATE ON clerk.users FOR EACH ROW EXECUTE FUNCTION test.remember();
	CREATE TRIGGER remember BEFORE INSERT OR UPDATE ON clerk.memberships FOR EACH ROW EXECUTE FUNCTION test.remember();`

// startReplica starts a replica whose Lease runs out soon.
func startReplica(t *testing.T, name string) *operatorproc.Operator {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), plane, operatorproc.Options{
		Name: name, LogDir: t.TempDir(), Args: []string{"--database-allow-local-targets", "--leader-elect-lease-duration=" + lease.String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(operator.Kill)
	return operator
}

// elected waits until a replica has been elected.
func elected(t *testing.T, operator *operatorproc.Operator) {
	t.Helper()
	waitFor(t, func() error {
		content, err := os.ReadFile(operator.LogFile())
		if err != nil || !bytes.Contains(content, []byte("Successfully acquired lease")) {
			return errors.Join(errors.New("it is not elected"), err)
		}
		return nil
	})
}

// TestALeaderThatWasFrozenSpoilsNoDatabase stops the elected replica where it is (SIGSTOP) in the middle of what it writes, until another one
// has been elected and has written newer; then it goes on (SIGCONT), with all that it meant to write, while the other one works.
func TestALeaderThatWasFrozenSpoilsNoDatabase(t *testing.T) {
	const organizations, members, workers = 6, 10, 4
	server := pgproc.Start(t)
	leader := startReplica(t, "frozen-0")
	elected(t, leader)
	w := &world{sender: leader.Sender(operatorproc.Instance, secret), clock: time.Now().Add(-time.Hour)}
	w.populate(t, organizations, members)
	makeSecret(t, "frozen", marked, map[string]string{"url": server.URL(pgproc.Admin, pgproc.Password, "postgres")})
	makeDatabase(t, "frozen", nil)
	inStep(t, server)
	condition(t, "frozen", v1alpha1.ReasonReady)
	server.Exec(t, "postgres", remember)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for freeze := range freezes {
		next := startReplica(t, fmt.Sprintf("frozen-%d", freeze+1))
		w.mu.Lock()
		w.sender = next.Sender(operatorproc.Instance, secret) // which receives, elected or not
		w.mu.Unlock()
		change := func() func() {
			var all sync.WaitGroup
			for worker := range workers {
				dice := rand.New(rand.NewPCG(random.Uint64(), uint64(worker)))
				all.Go(func() {
					for m := worker; m < len(w.members); m += workers {
						w.happen(t, &w.members[m], dice.IntN(2)) // changes alone: whom somebody deletes is of no more use here
					}
				})
			}
			return all.Wait
		}
		moment := func() { time.Sleep(time.Duration(random.Int64N(int64(longestMoment)))) }

		changed := change()
		moment()
		resume := leader.Pause()
		elected(t, next)
		changed()
		inStep(t, server) // the new leader's work is done, and the old one's is still in its hands
		changed = change()
		moment()
		resume()
		select {
		case <-leader.Done():
		case <-time.After(patience):
			t.Fatal("a leader that was frozen for longer than its Lease still runs")
		}
		changed()
		inStep(t, server)
		leader = next
	}
	wentBack, err := texts(t.Context(), server, "postgres", "SELECT what FROM test.went_back")
	if err != nil || len(wentBack) > 0 {
		t.Errorf("rows went back: %v, %v", wentBack, err)
	}
	writers, err := texts(t.Context(), server, "postgres", "SELECT count(DISTINCT epoch)::text FROM test.written")
	if err != nil || writers[0] < fmt.Sprint(freezes) {
		t.Errorf("%v writers, %v: too few for a test of who writes", writers, err)
	}
}
