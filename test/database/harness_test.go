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

// Package database_test keeps real databases in step with the real operator, kills what can be killed, and compares the tables with what is
// mirrored.
package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

const (
	// patience bounds every wait for a state.
	patience = 2 * time.Minute
	// pollInterval is how often a state is looked at.
	pollInterval = 100 * time.Millisecond
)

var (
	plane   *controlplane.ControlPlane
	cluster client.Client
	secret  string
)

func TestMain(m *testing.M) {
	if _, err := pgproc.Find(); errors.Is(err, pgproc.ErrNotInstalled) {
		fmt.Println("the tests of databases are skipped:", err) // and no control plane is started for nothing
		os.Exit(0)
	}
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, cp *controlplane.ControlPlane) (err error) {
		plane = cp
		if secret, err = operatorproc.Install(ctx, cp); err != nil {
			return err
		}
		cluster, err = operatorproc.NewClient(cp)
		return err
	})
}

// start runs an operator whose databases may be on this machine.
func start(t *testing.T, name string) *operatorproc.Operator {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), plane, operatorproc.Options{
		Name: name, Args: []string{"--database-allow-local-targets"}, LogDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return operator
}

// makeSecret makes or changes a Secret with what it takes to connect.
func makeSecret(t *testing.T, name string, labels, values map[string]string) {
	t.Helper()
	wanted := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: name, Labels: labels}, StringData: values,
	}
	_ = cluster.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: name}})
	if err := cluster.Create(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
}

var marked = map[string]string{v1alpha1.DatabaseLabel: v1alpha1.DatabaseLabelValue}

// makeDatabase makes a ClerkDatabase, whose Secret has the same name.
func makeDatabase(t *testing.T, name string, change func(*v1alpha1.ClerkDatabaseSpec)) {
	t.Helper()
	object := &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{Name: name}}
	object.Spec.InstanceRef.Name = operatorproc.Instance
	object.Spec.Connection.SecretRef.Name = name
	object.Spec.Connection.TLS = &v1alpha1.DatabaseTLS{Mode: v1alpha1.DatabaseTLSDisable}
	if change != nil {
		change(&object.Spec)
	}
	if err := cluster.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Delete(context.Background(), object) })
}

// changeDatabase tries until nobody else has written in between: the operator writes the status.
func changeDatabase(t *testing.T, name string, change func(*v1alpha1.ClerkDatabaseSpec)) {
	t.Helper()
	waitFor(t, func() error {
		var object v1alpha1.ClerkDatabase
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, &object); err != nil {
			return err
		}
		change(&object.Spec)
		return cluster.Update(t.Context(), &object)
	})
}

// condition waits until Ready has a reason, and returns the object.
func condition(t *testing.T, name, reason string) *v1alpha1.ClerkDatabase {
	t.Helper()
	var object v1alpha1.ClerkDatabase
	waitFor(t, func() error {
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, &object); err != nil {
			return err
		}
		found := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
		if found == nil || found.Reason != reason || found.ObservedGeneration != object.Generation {
			return fmt.Errorf("the ClerkDatabase %s has the conditions %+v, want Ready with the reason %s", name, object.Status.Conditions, reason)
		}
		return nil
	})
	return &object
}

func waitFor(t *testing.T, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(pollInterval)
	}
}

// query runs a query in a database.
func query[T any](ctx context.Context, server *pgproc.Server, database, sql string, scan func(pgx.CollectableRow) (T, error)) ([]T, error) {
	conn, err := pgx.Connect(ctx, server.URL(pgproc.Admin, pgproc.Password, database))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	found, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, scan)
}

// texts are the rows of a query as text.
func texts(ctx context.Context, server *pgproc.Server, database, sql string) ([]string, error) {
	return query(ctx, server, database, sql, pgx.RowTo[string])
}
