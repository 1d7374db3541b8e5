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
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// filled names the ClerkInstance whose mirrored objects are written into a database, and the ClerkDatabase. The instance only observes, so
// that no tenant is made of its organizations.
const filled = "filled"

// copied is a table of the ClerkDatabase, and how long its rows took by plain COPY.
type copied struct {
	table string
	rows  int
	took  time.Duration
}

// measureBackfill starts the operator over many mirrored objects and an empty database, and then copies the same rows by plain COPY.
func measureBackfill(ctx context.Context, b *bench) error {
	server, err := pgproc.New(ctx)
	if errors.Is(err, pgproc.ErrNotInstalled) {
		b.report.line("Not measured: %s.", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Remove()
	if err := b.stopReplica(); err != nil {
		return err
	}
	if err := b.mirrorWithoutOperator(ctx); err != nil {
		return err
	}
	if err := b.addDatabase(ctx, server); err != nil {
		return err
	}
	began := time.Now()
	if err := b.startReplica(ctx, leading); err != nil {
		return err
	}
	peak, err := b.untilInStep(ctx)
	if err != nil {
		return err
	}
	inStep := time.Since(began)
	// What is left to do are statuses of the mirrored objects, of which nothing is measured.
	if err := b.stopReplica(); err != nil {
		return err
	}
	return reportBackfill(ctx, b, server, inStep, peak)
}

// mirrorWithoutOperator makes the objects that the operator would make of deliveries.
func (b *bench) mirrorWithoutOperator(ctx context.Context) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: filled},
		StringData: map[string]string{"endpoint": clerktest.NewSecret()},
	}
	instance := &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: filled}}
	instance.Spec.Mode = v1alpha1.ModeObserve
	instance.Spec.Webhook.SigningSecretRef.Name = secret.Name
	if err := errors.Join(b.administrator.Create(ctx, secret), b.administrator.Create(ctx, instance)); err != nil {
		return err
	}
	plain, err := newBareClient(ctx, b)
	if err != nil {
		return err
	}
	size := b.sizes.backfill
	progress("mirroring %d organizations and %d memberships", size.organizations, size.memberships)
	organizations := make([]clerktest.Organization, size.organizations)
	operations := make([]operation, 0, size.organizations+size.memberships)
	add := func(event clerktest.Event) {
		operations = append(operations, func(ctx context.Context) error {
			object, err := mirroredFor(ctx, filled, event)
			if err != nil {
				return err
			}
			return plain.create(ctx, object)
		})
	}
	for i := range organizations {
		organizations[i] = newOrganization(filled, i)
		add(clerktest.OrganizationCreated(organizations[i]))
	}
	for i := range size.memberships {
		add(clerktest.MembershipCreated(newMembership(organizations[i%len(organizations)], i)))
	}
	took, err := perform(ctx, operations, goalAtATime)
	progress("mirrored in %s", took.total.Round(time.Second))
	return err
}

func (b *bench) addDatabase(ctx context.Context, server *pgproc.Server) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorproc.Namespace, Name: filled + "-database",
			Labels: map[string]string{v1alpha1.DatabaseLabel: v1alpha1.DatabaseLabelValue},
		},
		StringData: map[string]string{"url": server.URL(pgproc.Admin, pgproc.Password, "postgres")},
	}
	database := &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{Name: filled}}
	database.Spec.InstanceRef.Name = filled
	database.Spec.Connection.SecretRef.Name = secret.Name
	database.Spec.Connection.TLS = &v1alpha1.DatabaseTLS{Mode: v1alpha1.DatabaseTLSDisable}
	return errors.Join(b.administrator.Create(ctx, secret), b.administrator.Create(ctx, database))
}

// untilInStep waits until the database has everything, and returns the most memory that the operator took until then.
func (b *bench) untilInStep(ctx context.Context) (peak float64, err error) {
	err = b.sampling(ctx, "the database is in step", &peak, func(ctx context.Context, _ samples) (bool, error) {
		database := &v1alpha1.ClerkDatabase{}
		err := b.administrator.Get(ctx, client.ObjectKey{Name: filled}, database)
		return meta.IsStatusConditionTrue(database.Status.Conditions, v1alpha1.ConditionReady), err
	})
	return peak, err
}

func reportBackfill(ctx context.Context, b *bench, server *pgproc.Server, inStep time.Duration, peak float64) error {
	conn, err := pgx.Connect(ctx, server.URL(pgproc.Admin, pgproc.Password, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	filling, err := fillingTime(ctx, conn)
	if err != nil {
		return err
	}
	size := b.sizes.backfill
	var all copied
	for table, want := range map[string]int{"organizations": size.organizations, "memberships": size.memberships} {
		one, err := copyAgain(ctx, conn, table)
		if err != nil {
			return err
		}
		if one.rows != want {
			return fmt.Errorf("the table %s has %d rows, want %d: nothing was measured", table, one.rows, want)
		}
		all.rows += one.rows
		all.took += one.took
	}
	b.report.line("A ClerkDatabase over %d organizations with %d memberships that were mirrored before the operator started, into an empty "+
		"PostgreSQL, which need not sync to disk; and the same rows into the same tables, with their indexes, by one binary COPY each:",
		size.organizations, size.memberships)
	operator, plain := float64(all.rows)/filling.Seconds(), float64(all.rows)/all.took.Seconds()
	rows := b.report.table("Backfill", "Rows", "Time", "Rate")
	rows.row("the operator, from its first batch to its last", strconv.Itoa(all.rows), duration(filling), "**"+perSecond(operator)+"**")
	rows.row("plain COPY", strconv.Itoa(all.rows), duration(all.took), perSecond(plain))
	rows.row("the operator, from its start until it is in step", strconv.Itoa(all.rows), duration(inStep), "")
	rows.end()
	b.report.line("The operator's rate ÷ that of COPY: **%.2f**. Peak memory of the operator (resident, sampled): **%s**.", operator/plain,
		mebibytes(peak))
	return nil
}

// fillingTime is from the transaction of the first batch to that of the last, by the database's clock.
func fillingTime(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
	var seconds float64
	err := conn.QueryRow(ctx, `SELECT extract(epoch FROM max(synced_at) - min(synced_at))::float8 FROM (
		SELECT synced_at FROM clerk.organizations UNION ALL SELECT synced_at FROM clerk.memberships) AS rows`).Scan(&seconds)
	if err == nil && seconds <= 0 {
		err = errors.New("everything was written in one batch, which has no length: take more rows")
	}
	return time.Duration(seconds * float64(time.Second)), err
}

// copyAgain copies the rows of a table into another one like it. Only the copying in is timed.
func copyAgain(ctx context.Context, conn *pgx.Conn, table string) (copied, error) {
	result := copied{table: table}
	if _, err := conn.Exec(ctx, "CREATE TABLE public.plain_"+table+" (LIKE clerk."+table+" INCLUDING ALL)"); err != nil {
		return result, err
	}
	var rows bytes.Buffer
	if _, err := conn.PgConn().CopyTo(ctx, &rows, "COPY clerk."+table+" TO STDOUT (FORMAT binary)"); err != nil {
		return result, err
	}
	began := time.Now()
	tag, err := conn.PgConn().CopyFrom(ctx, &rows, "COPY public.plain_"+table+" FROM STDIN (FORMAT binary)")
	result.took, result.rows = time.Since(began), int(tag.RowsAffected())
	return result, err
}
