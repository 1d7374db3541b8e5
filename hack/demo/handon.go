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

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// These are the chapters about who else is told: a queue of what happens, and tables of what is.

const (
	// crm names the ClerkSink, and app the ClerkDatabase.
	crm, app = "crm", "app"
	// stream is the stream of the NATS server.
	stream = "CLERK"
)

// handOnArgs let the operator hand on to its own machine, where NATS and PostgreSQL are in this story.
var handOnArgs = []string{"--sink-allow-local-targets", "--database-allow-local-targets"}

const sinkManifest = `apiVersion: clerk-operator.io/v1alpha1
kind: ClerkSink
metadata: {name: crm}
spec:
  instanceRef: {name: default}
  webhook: {signingSecretRef: {name: clerk-sink-crm}}
  filter: {types: [user.*]}
  nats: {servers: ['%s']}`

func eventHandedOn(ctx context.Context, s *stage) (err error) {
	if s.nats, err = natsproc.Start(ctx, s.cp, "nats"); err != nil {
		return err
	}
	if err := s.nats.MakeStream(ctx, stream, "clerk"); err != nil {
		return err
	}
	s.say("A NATS server runs beside, with a stream for clerk.>. In Clerk, the sink gets an endpoint and a signing secret of its own.")
	secret := clerktest.NewSecret()
	if _, err := s.kubectl(ctx, "create", "secret", "generic", "clerk-sink-crm", "-n", operatorproc.Namespace,
		"--from-literal=endpoint="+secret); err != nil {
		return err
	}
	if err := s.apply(ctx, fmt.Sprintf(sinkManifest, s.nats.URL())); err != nil {
		return err
	}
	if err := s.until(ctx, "the ClerkSink is Ready", s.isReady(&v1alpha1.ClerkSink{}, crm)); err != nil {
		return err
	}
	s.jane.User.FirstName, s.jane.User.UpdatedAt = "Janet", s.now()
	s.api.SetUser(s.jane.User)
	s.say("Jane is called Janet now. Clerk tells both endpoints, each until it has an answer of its own:")
	if err := s.deliver(ctx, clerktest.UserUpdated(s.jane.User), "Jane, now Janet"); err != nil {
		return err
	}
	toSink := s.last
	toSink.path = "/sinks/" + crm
	from := clerktest.Sender{URL: s.clerk.URL + toSink.path, Secret: secret}
	for range 2 { // the answer to the first may have been lost on its way
		if err := s.send(ctx, from, toSink, http.StatusNoContent); err != nil {
			return err
		}
	}
	return s.showMessage(ctx, toSink.ID)
}

// showMessage shows the one message of the stream.
func (s *stage) showMessage(ctx context.Context, id string) error {
	messages, err := s.nats.Messages(ctx, stream)
	if err != nil {
		return err
	}
	if err := s.expect("sent twice, it is in the stream once", fmt.Sprint(len(messages)), "1"); err != nil {
		return err
	}
	message := messages[0]
	s.say("%s", message.Subject)
	for _, name := range []string{"ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-clerksuperseded"} {
		s.say("  %-20s %s", name+":", strings.Join(message.Header[name], ","))
	}
	s.say("  %s …", string(message.Data[:min(len(message.Data), maxShown)]))
	if err := s.expect("it is a CloudEvent with the message's own id", message.Header.Get("ce-id"), id); err != nil {
		return err
	}
	private := strings.Contains(string(message.Data), "private_metadata") || strings.Contains(string(message.Data), "unsafe_metadata")
	return s.expect("private and unsafe metadata, which the delivery had, are not in it", fmt.Sprint(private), "false")
}

// maxShown is how much of an event's data is shown, in bytes.
const maxShown = 90

const databaseManifest = `apiVersion: clerk-operator.io/v1alpha1
kind: ClerkDatabase
metadata: {name: app}
spec:
  instanceRef: {name: default}
  connection: {secretRef: {name: clerk-database}, tls: {mode: Disable}}`

// membersQuery asks who is where.
const membersQuery = "SELECT organization_name, email, first_name, role FROM clerk.current_members ORDER BY 1, 2"

func databaseInStep(ctx context.Context, s *stage) (err error) {
	s.postgres, err = pgproc.New(ctx)
	if errors.Is(err, pgproc.ErrNotInstalled) {
		s.say("Left out: %s.", err)
		return nil
	}
	if err != nil {
		return err
	}
	s.say("A PostgreSQL server runs beside, and its database is empty.")
	if _, err := s.kubectl(ctx, "create", "secret", "generic", "clerk-database", "-n", operatorproc.Namespace,
		"--from-literal=url="+s.postgres.URL(pgproc.Admin, pgproc.Password, "postgres")); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "label", "secret", "clerk-database", "-n", operatorproc.Namespace,
		v1alpha1.DatabaseLabel+"="+v1alpha1.DatabaseLabelValue); err != nil {
		return err
	}
	if err := s.apply(ctx, databaseManifest); err != nil {
		return err
	}
	if err := s.until(ctx, "the ClerkDatabase is Ready", s.isReady(&v1alpha1.ClerkDatabase{}, app)); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkdatabases"); err != nil {
		return err
	}
	rows, err := s.selectRows(ctx, membersQuery)
	if err != nil {
		return err
	}
	s.say("%s;", membersQuery)
	for _, row := range rows {
		s.say("  %-20s %-20s %-8s %s", row[0], row[1], row[2], row[3])
	}
	want := [][]string{
		{s.organization.Name, s.jane.User.Email, "Janet", "org:member"},
		{s.organization.Name, s.lea.User.Email, "Lea", "org:admin"},
		{s.globex.Name, s.janeAtGlobex.User.Email, "Janet", "org:admin"},
	}
	return s.expect("the tables have everybody, also of before the operator: an application can join with them",
		fmt.Sprint(rows), fmt.Sprint(want))
}

func (s *stage) selectRows(ctx context.Context, query string) ([][]string, error) {
	conn, err := pgx.Connect(ctx, s.postgres.URL(pgproc.Admin, pgproc.Password, "postgres"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	found, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) ([]string, error) {
		cells := make([]string, len(row.FieldDescriptions()))
		into := make([]any, len(cells))
		for i := range cells {
			into[i] = &cells[i]
		}
		err := row.Scan(into...)
		return cells, err
	})
}

// apply applies a manifest, and shows it.
func (s *stage) apply(ctx context.Context, manifest string) error {
	command := s.cp.Kubectl(ctx, "apply", "-f", "-")
	command.Stdin = strings.NewReader(manifest)
	output, err := command.CombinedOutput()
	s.command([]string{"apply", "-f", "-"}, manifest+"\n"+string(output))
	if err != nil {
		return fmt.Errorf("kubectl apply: %w", err)
	}
	return nil
}

// isReady looks whether an object is Ready as it stands now.
func (s *stage) isReady(object client.Object, name string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if err := s.administrator.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
			return "", err
		}
		var conditions []metav1.Condition
		switch object := object.(type) {
		case *v1alpha1.ClerkSink:
			conditions = object.Status.Conditions
		case *v1alpha1.ClerkDatabase:
			conditions = object.Status.Conditions
		}
		return unready(conditions), nil
	}
}
