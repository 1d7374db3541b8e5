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
	"fmt"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// slowly lets each row of a table take some time, as a trigger of somebody's could: so a batch is open long enough to be caught in it.
const slowly = `
	CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END';
	CREATE TRIGGER slowly BEFORE INSERT OR UPDATE ON clerk.organizations FOR EACH ROW EXECUTE FUNCTION public.slowly()`

// inABatch counts the connections that are in the middle of writing organizations.
const inABatch = `SELECT count(*)::text FROM pg_stat_activity
	WHERE wait_event = 'PgSleep' AND query LIKE '%organizations%' AND pid <> pg_backend_pid()`

func TestAServerKilledInTheMiddleOfABatchHasItWholeInTheEnd(t *testing.T) {
	const renamed = 4
	server := pgproc.Start(t)
	operator := start(t, "batch")
	defer operator.Kill()
	w := &world{sender: operator.Sender(operatorproc.Instance, secret), clock: time.Now().Add(-time.Hour)}
	w.populate(t, renamed, 1)
	makeSecret(t, "batch", marked, map[string]string{"url": server.URL(pgproc.Admin, pgproc.Password, "postgres")})
	makeDatabase(t, "batch", nil)
	inStep(t, server)
	condition(t, "batch", v1alpha1.ReasonReady)

	server.Exec(t, "postgres", slowly)
	for i := range w.organizations {
		organization := &w.organizations[i]
		organization.Name, organization.UpdatedAt = "Renamed", w.tick()
		w.deliver(t, clerktest.OrganizationUpdated(*organization))
	}
	waitFor(t, func() error {
		counted, err := texts(t.Context(), server, "postgres", inABatch)
		if err != nil || counted[0] == "0" {
			return fmt.Errorf("nobody is in the middle of a batch: %v (%w)", counted, err)
		}
		return nil
	})
	server.Kill()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Exec(t, "postgres", "DROP TRIGGER slowly ON clerk.organizations")
	inStep(t, server)
	condition(t, "batch", v1alpha1.ReasonReady)
}
