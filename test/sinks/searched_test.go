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

package sinks_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// startDatabase makes a ClerkDatabase and returns what reads every row; nil where there is no PostgreSQL.
func startDatabase(t *testing.T) (rows func() string) {
	t.Helper()
	if _, err := pgproc.Find(); err != nil {
		t.Log("without a database:", err)
		return nil
	}
	server := pgproc.Start(t)
	url := server.URL(pgproc.Admin, pgproc.Password, "postgres")
	connection := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: operatorproc.Namespace, Name: "canaries", Labels: map[string]string{v1alpha1.DatabaseLabel: v1alpha1.DatabaseLabelValue},
	}, StringData: map[string]string{"url": url}}
	object := &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{Name: "canaries"}}
	object.Spec.InstanceRef.Name = operatorproc.Instance
	object.Spec.Connection.SecretRef.Name = connection.Name
	object.Spec.Connection.TLS = &v1alpha1.DatabaseTLS{Mode: v1alpha1.DatabaseTLSDisable}
	for _, made := range []client.Object{connection, object} {
		if err := cluster.Create(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cluster.Delete(context.Background(), made) })
	}
	return func() string { return dump(t, url) }
}

// dump is every row of every table and view of the operator's schema.
func dump(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	column := func(sql string) []string {
		rows, err := conn.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	var text []string
	for _, relation := range column("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'clerk' ORDER BY 1") {
		text = append(text, column("SELECT r::text FROM clerk."+pgx.Identifier{relation}.Sanitize()+" r")...)
	}
	return strings.Join(text, "\n")
}

// searchCluster looks for canaries in what the operator logs, counts, says and keeps.
func searchCluster(t *testing.T, c *canaries, operator *operatorproc.Operator) {
	t.Helper()
	log, err := os.ReadFile(operator.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"id", "organization.id", "organization_id", "public_user_data.user_id", "user_id"}
	for l := range c.found(t, string(log)) {
		if !slices.Contains(ids, l.path) && !strings.HasSuffix(l.path, ".id") {
			t.Errorf("the log has %s", l)
		}
	}
	for l := range c.found(t, scrape(t, operator)) {
		t.Errorf("the metrics have %s", l)
	}
	kinds := "clerkinstances,clerksinks,clerkdatabases,clustergrants,tenantclasses,clerkorganizations,clerkmembers,clerkusers,clerkroles,clerkpermissions," +
		"clerksubscriptionitems,clerkorganizationdomains,events.events.k8s.io,namespaces,rolebindings,configmaps,leases"
	objects, err := plane.Kubectl(t.Context(), "get", kinds, "--all-namespaces", "--show-managed-fields", "-o", "json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, objects)
	}
	kept := c.found(t, string(objects))
	if len(kept) == 0 {
		t.Error("the cluster has none of it, so nothing was mirrored")
	}
	for l := range kept {
		isMirrored := len(columns[l.entity()]) > 0 || l.entity() == "organizationDomain" // which databases do not have
		if l.mustNeverLeave() || !isMirrored {
			t.Errorf("the cluster has %s", l)
		}
	}
}

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, operator *operatorproc.Operator) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: "canaries"}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "canaries"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "clerk-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}
	for _, object := range []client.Object{account, binding} {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cluster.Delete(context.Background(), object) })
	}
	config, err := plane.ServiceAccountConfig(t.Context(), account.Namespace, account.Name)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	waitFor(t, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, operator.MetricsURL(), http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+config.BearerToken)
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if text = string(body); err != nil || !strings.Contains(text, "clerk_operator_sink_deliveries_total") {
			return fmt.Errorf("a scrape was answered %s (%w)", response.Status, err)
		}
		return nil
	})
	return text
}
