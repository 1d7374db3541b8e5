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

package operatorproc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

// Whoever runs the operator pays nothing for what does not happen: neither for tenants that are as they should be, nor for sinks that get no
// event, nor for a database that is in step, nor for ClusterGrants that are carried out.
func TestWhereNothingHappensNothingIsAsked(t *testing.T) {
	if _, err := pgproc.Find(); err != nil {
		t.Skip("without a database this would not say all: ", err)
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{AuditLog: filepath.Join(t.TempDir(), "audit.log")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plane.Stop() }()
	secret, err := operatorproc.Install(t.Context(), plane)
	if err != nil {
		t.Fatal(err)
	}
	if err := operatorproc.AllowClusterGrants(t.Context(), plane, "view"); err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(plane)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := operatorproc.Start(t.Context(), plane, operatorproc.Options{
		Args: []string{"--sink-allow-local-targets", "--database-allow-local-targets", "--cluster-grant-roles=view"}, LogDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Kill()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer service.Close()
	broker, err := natsproc.Start(t.Context(), plane, "nats-idle")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Kill()
	if err := broker.MakeStream(t.Context(), "IDLE", "idle"); err != nil {
		t.Fatal(err)
	}
	server := pgproc.Start(t)

	objects := append(idleSink("service", v1alpha1.ClerkSinkSpec{HTTP: &v1alpha1.SinkHTTP{URL: service.URL}}),
		idleSink("queue", v1alpha1.ClerkSinkSpec{NATS: &v1alpha1.SinkNATS{Servers: []string{broker.URL()}, SubjectPrefix: "idle"}})...)
	objects = append(objects, idleDatabase("tables", server.URL(pgproc.Admin, pgproc.Password, "postgres"))...)
	member := joined(time.Minute)
	objects = append(objects, grantTo(member))
	for _, object := range objects {
		if err := administrator.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, administrator, operator.Sender(operatorproc.Instance, secret), member, true)
	for _, object := range objects {
		untilReady(t, administrator, object)
	}
	asked, err := operatorproc.WhileIdle(t.Context(), plane)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range asked {
		t.Errorf("it asks although nothing happens: %+v", request)
	}
}

// idleSink is a ClerkSink of an endpoint to which nobody sends.
func idleSink(name string, spec v1alpha1.ClerkSinkSpec) []client.Object {
	spec.InstanceRef.Name = operatorproc.Instance
	spec.Webhook.SigningSecretRef.Name = name
	return []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: name},
			StringData: map[string]string{"endpoint": clerktest.NewSecret()},
		},
		&v1alpha1.ClerkSink{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec},
	}
}

func idleDatabase(name, url string) []client.Object {
	object := &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{Name: name}}
	object.Spec.InstanceRef.Name = operatorproc.Instance
	object.Spec.Connection.SecretRef.Name = name
	object.Spec.Connection.TLS = &v1alpha1.DatabaseTLS{Mode: v1alpha1.DatabaseTLSDisable}
	return []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: operatorproc.Namespace, Name: name, Labels: map[string]string{v1alpha1.DatabaseLabel: v1alpha1.DatabaseLabelValue},
			},
			StringData: map[string]string{"url": url},
		},
		object,
	}
}

// grantTo gives those with the role of a member something in the whole cluster.
func grantTo(member clerktest.Membership) *v1alpha1.ClusterGrant {
	return &v1alpha1.ClusterGrant{
		ObjectMeta: metav1.ObjectMeta{Name: "staff"},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: operatorproc.Instance}, OrganizationIDs: []string{member.Organization.ID},
			Role: member.Role, ClusterRole: "view",
		},
	}
}

// untilReady waits until a sink or a database is.
func untilReady(t *testing.T, administrator client.Client, object client.Object) {
	t.Helper()
	conditions := func() []metav1.Condition { return nil }
	switch object := object.(type) {
	case *v1alpha1.ClerkSink:
		conditions = func() []metav1.Condition { return object.Status.Conditions }
	case *v1alpha1.ClerkDatabase:
		conditions = func() []metav1.Condition { return object.Status.Conditions }
	case *v1alpha1.ClusterGrant:
		conditions = func() []metav1.Condition { return object.Status.Conditions }
	default:
		return
	}
	wait.Within(t, time.Minute, object.GetName()+" is ready", func(ctx context.Context) error {
		err := administrator.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil && !meta.IsStatusConditionTrue(conditions(), v1alpha1.ConditionReady) {
			err = fmt.Errorf("%s says %+v", object.GetName(), conditions())
		}
		return err
	})
}
