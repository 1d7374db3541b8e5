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

package pgproc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

var (
	shared  = sync.OnceValues(func() (*Server, error) { s, err := New(context.Background()); running = s; return s, err })
	running *Server
)

// databases counts those that were made.
var databases atomic.Int64

// Shared is a server that all tests of a package share. It ends with the package, by Main.
func Shared(t *testing.T) *Server {
	t.Helper()
	s, err := shared()
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Main runs the tests of a package and removes the server that they shared.
func Main(m *testing.M) int {
	code := m.Run()
	if running != nil {
		running.Remove()
	}
	return code
}

// NewDatabase makes a database for a test, and returns its name.
func (s *Server) NewDatabase(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	s.Exec(t, "postgres", "CREATE DATABASE "+name)
	return name
}

// Exec runs SQL as the superuser.
func (s *Server) Exec(t *testing.T, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(Admin, Password, database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
