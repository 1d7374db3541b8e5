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

// Package postgres opens connections to PostgreSQL, by what a Secret and a spec say and nothing else, and says in a word why one fails.
package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-operator/clerk-operator/internal/sink/egress"
)

const (
	// connectTimeout bounds a connection being opened, with all its roundtrips.
	connectTimeout = 15 * time.Second

	// maxMessage bounds what a server may send at a time. A page of ids and hashes has some hundred kilobytes.
	maxMessage = 16 << 20

	// applicationName is what administrators see in pg_stat_activity.
	applicationName = "clerk-operator"
)

// Settings say which database, and who the operator is there.
type Settings struct {
	Host           string
	Port           uint16
	Database       string
	User, Password string
	TLS            *tls.Config // nil: not encrypted
	AllowLocal     bool
}

// template is a configuration that pgx made, which has to make them all, from a text in which everything is said.
var template = sync.OnceValues(func() (*pgx.ConnConfig, error) {
	// pgx takes what is not said from the environment, and fails over what is wrong there. Nothing else of this program reads these.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			if err := os.Unsetenv(name); err != nil {
				return nil, fmt.Errorf("ignore the variable %s: %w", name, err)
			}
		}
	}
	return pgx.ParseConfig("host=invalid port=5432 user=nobody password=none dbname=none sslmode=disable")
})

// Connect opens a connection.
func Connect(ctx context.Context, s *Settings) (*pgx.Conn, error) {
	made, err := template()
	if err != nil {
		return nil, fmt.Errorf("make a configuration: %w", err)
	}
	config := made.Copy()
	config.Host, config.Port, config.Database, config.User, config.Password = s.Host, s.Port, s.Database, s.User, s.Password
	config.TLSConfig, config.Fallbacks = s.TLS, nil
	config.ConnectTimeout = connectTimeout
	config.DialFunc = egress.Dialer{AllowLocal: s.AllowLocal}.DialContext
	config.MaxProtocolMessageBodyLen = maxMessage
	config.RuntimeParams = map[string]string{"application_name": applicationName, "client_encoding": "UTF8"}
	// A pooler between gives each transaction another session: nothing is prepared ahead.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	if s.TLS == nil {
		config.RequireAuth = "!password" // whoever listens would have it
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return pgx.ConnectConfig(ctx, config)
}
