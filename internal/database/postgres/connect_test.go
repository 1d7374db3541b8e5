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

package postgres_test

import (
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

func TestMain(m *testing.M) { os.Exit(pgproc.Main(m)) }

func TestTheEnvironmentCountsForNothing(t *testing.T) {
	server := pgproc.Shared(t)
	for name, value := range map[string]string{
		"PGHOST": "elsewhere.invalid", "PGPORT": "no port", "PGSERVICE": "no such service", "PGSSLMODE": "no mode", "PGOPTIONS": "-c search_path=theirs",
		"PGCONNECT_TIMEOUT": "never",
	} {
		t.Setenv(name, value)
	}
	conn, err := postgres.Connect(t.Context(), &postgres.Settings{
		Host: server.Host(), Port: server.Port(), Database: "postgres", User: pgproc.Admin, Password: pgproc.Password, AllowLocal: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var path string
	if err := conn.QueryRow(t.Context(), "SHOW search_path").Scan(&path); err != nil || path == "theirs" {
		t.Errorf("%q, %v", path, err)
	}
}

func TestThisMachineIsRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost", "::1", "169.254.169.254"} {
		_, err := postgres.Connect(t.Context(), &postgres.Settings{Host: host, Port: 5432, Database: "d", User: "u", Password: "p"})
		if err == nil {
			t.Fatalf("%s was let through", host)
		}
		if got := postgres.Classify(err); got != (postgres.Failure{Reason: v1alpha1.ReasonAddressRefused, Code: postgres.CodeAddressRefused}) {
			t.Errorf("%s: %+v", host, got)
		}
	}
}

func TestAServerCannotSayAnythingInACode(t *testing.T) {
	got := postgres.Classify(errors.Join(errors.New("write"), &pgconn.PgError{Code: "Jane Doe, jane@acme.example"}))
	if want := (postgres.Failure{Reason: v1alpha1.ReasonDatabaseUnavailable, Code: "XX000"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
