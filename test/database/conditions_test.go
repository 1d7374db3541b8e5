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
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

func TestADatabasesConditionSaysWhatToDo(t *testing.T) {
	const password = "s3cret-of-the-application"
	server := pgproc.Start(t)
	operator := start(t, "conditions")
	defer func() { operator.Kill() }()
	name := server.NewDatabase(t)
	server.Exec(t, name, "CREATE ROLE app LOGIN PASSWORD '"+password+"'")
	parts := func(change ...string) map[string]string {
		values := map[string]string{
			"host": server.Host(), "port": strconv.Itoa(int(server.Port())), "dbname": name, "username": "app", "password": password,
		}
		for i := 0; i < len(change); i += 2 {
			values[change[i]] = change[i+1]
		}
		return values
	}
	makeDatabase(t, "conditions", nil)
	ready := func(reason string) *v1alpha1.ClerkDatabase {
		t.Helper()
		return condition(t, "conditions", reason)
	}
	ready(v1alpha1.ReasonSecretNotFound)
	makeSecret(t, "conditions", nil, parts())
	ready(v1alpha1.ReasonSecretNotMarked)
	makeSecret(t, "conditions", marked, map[string]string{"url": "postgresql://app:" + password + "@h/db?options=-csearch_path"})
	ready(v1alpha1.ReasonSecretUnusable)
	makeSecret(t, "conditions", marked, parts("password", "wrong-"+password))
	ready(v1alpha1.ReasonCredentialsRefused)
	makeSecret(t, "conditions", marked, parts("dbname", "nowhere"))
	ready(v1alpha1.ReasonDatabaseNotFound)
	makeSecret(t, "conditions", marked, parts("host", "169.254.169.254"))
	ready(v1alpha1.ReasonAddressRefused)
	makeSecret(t, "conditions", marked, parts())
	object := ready(v1alpha1.ReasonPrivilegeMissing)
	if object.Status.LastError.Code != "42501" {
		t.Errorf("the last error is %+v", object.Status.LastError)
	}

	server.Exec(t, name, "CREATE SCHEMA clerk AUTHORIZATION app; CREATE TABLE clerk.users (theirs text)")
	ready(v1alpha1.ReasonSchemaTaken)
	server.Exec(t, name, "DROP TABLE clerk.users")
	changeDatabase(t, "conditions", func(s *v1alpha1.ClerkDatabaseSpec) { s.Connection.TLS = nil })
	ready(v1alpha1.ReasonTLSFailed)
	makeSecret(t, "authority", nil, map[string]string{"ca.crt": string(server.CA())})
	changeDatabase(t, "conditions", func(s *v1alpha1.ClerkDatabaseSpec) {
		s.Connection.TLS = &v1alpha1.DatabaseTLS{CASecretRef: &v1alpha1.SecretKeyReference{Name: "authority", Key: "ca.crt"}}
	})
	object = ready(v1alpha1.ReasonReady)
	encrypted, err := texts(t.Context(), server, name, "SELECT DISTINCT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'app'")
	if err != nil || len(encrypted) != 1 || encrypted[0] != "true" {
		t.Errorf("the operator's connections are encrypted: %v, %v", encrypted, err)
	}
	makeDatabase(t, "rival", func(s *v1alpha1.ClerkDatabaseSpec) { s.Connection.SecretRef.Name = "conditions" })
	condition(t, "rival", v1alpha1.ReasonSchemaInUse)
	shown, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the status": string(shown), "the log": operator.LogTail()} {
		if strings.Contains(text, password) {
			t.Errorf("the password is in %s:\n%s", where, text)
		}
	}
}

func TestWhatIsSwitchedOffIsTakenOut(t *testing.T) {
	server := pgproc.Start(t)
	operator := start(t, "switches")
	defer func() { operator.Kill() }()
	w := &world{sender: operator.Sender(operatorproc.Instance, secret), clock: time.Now().Add(-time.Hour)}
	w.populate(t, 2, 3)
	makeSecret(t, "switches", marked, map[string]string{"url": server.URL(pgproc.Admin, pgproc.Password, "postgres")})
	makeDatabase(t, "switches", nil)
	inStep(t, server)
	count := func(what string, want int) {
		t.Helper()
		waitFor(t, func() error {
			got, err := texts(t.Context(), server, "postgres", "SELECT count(*)::text FROM clerk."+what)
			if err != nil || got[0] != strconv.Itoa(want) {
				return fmt.Errorf("%s: %v rows, want %d (%w)", what, got, want, err)
			}
			return nil
		})
	}
	const named = "users WHERE num_nonnulls(email, username, first_name, last_name, image_url, external_id) > 0 AND deleted_at IS NULL"
	changeDatabase(t, "switches", func(s *v1alpha1.ClerkDatabaseSpec) { s.PersonalData = v1alpha1.DatabasePersonalDataOmit })
	count(named, 0)
	changeDatabase(t, "switches", func(s *v1alpha1.ClerkDatabaseSpec) { s.PersonalData = v1alpha1.DatabasePersonalDataInclude })
	inStep(t, server)
	changeDatabase(t, "switches", func(s *v1alpha1.ClerkDatabaseSpec) {
		s.Tables = []v1alpha1.DatabaseTable{v1alpha1.DatabaseUsers, v1alpha1.DatabaseMemberships}
	})
	count("organizations", 0)
	changeDatabase(t, "switches", func(s *v1alpha1.ClerkDatabaseSpec) { s.Tables = append(s.Tables, v1alpha1.DatabaseOrganizations) })
	inStep(t, server)

	// An object that goes while the operator is away leaves nothing behind.
	operator.Kill()
	organization := w.organizations[0].ID
	gone := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(operatorproc.Instance, organization)}}
	if err := cluster.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	operator = start(t, "switches-again")
	count("organizations WHERE deleted_at IS NOT NULL AND name IS NULL AND id = '"+organization+"'", 1)
	inStep(t, server)

	// One that goes while it looks, too, and what is made in its place is there again.
	var member v1alpha1.ClerkMember
	key := client.ObjectKey{Name: v1alpha1.ObjectName(operatorproc.Instance, w.members[5].ID)}
	if err := cluster.Get(t.Context(), key, &member); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Delete(t.Context(), &member); err != nil {
		t.Fatal(err)
	}
	count("memberships WHERE deleted_at IS NOT NULL AND id = '"+member.Spec.ID+"'", 1)
	w.sender = operator.Sender(operatorproc.Instance, secret)
	w.members[5].UpdatedAt = w.tick()
	w.deliver(t, clerktest.MembershipUpdated(w.members[5]))
	count("memberships WHERE deleted_at IS NULL AND id = '"+member.Spec.ID+"'", 1)
	inStep(t, server)
}
