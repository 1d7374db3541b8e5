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
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certutil "k8s.io/client-go/util/cert"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(_ context.Context, cp *controlplane.ControlPlane) error {
		cluster = cp
		return nil
	})
}

func TestTheRealOperatorReceives(t *testing.T) {
	if _, err := operatorproc.Install(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	secret, err := operatorproc.Install(t.Context(), cluster) // Twice is harmless.
	if err != nil {
		t.Fatal(err)
	}
	operator, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{LogDir: t.TempDir(), Died: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	event := clerktest.OrganizationCreated(clerktest.Organization{ID: clerktest.ID("org", "acme"), Slug: "acme", UpdatedAt: time.Now()})
	status, answer, err := operator.Sender(operatorproc.Instance, secret).Deliver(t.Context(), clerktest.RandomID("msg"), event)
	if err != nil || status != http.StatusNoContent {
		t.Errorf("got %d %q, %v", status, answer, err)
	}
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(operator.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{secret, clerktest.Private} {
		if strings.Contains(string(log), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestAnOperatorThatCannotStartSaysWhy(t *testing.T) {
	if _, err := operatorproc.Install(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	_, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{Args: []string{"--tombstone-retention=0s"}})
	if err == nil || !strings.Contains(err.Error(), "tombstone-retention is not above 0") {
		t.Errorf("got %v, want the end of its log", err)
	}
}

// What helm test runs in a pod, run here: a forged delivery has to be refused, by an instance that there is.
func TestTheOperatorsOwnCheckProvesTheWayToTheEndpoint(t *testing.T) {
	if _, err := operatorproc.Install(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	operator, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	for instance, want := range map[string]string{operatorproc.Instance: "", "nobody": "no such ClerkInstance"} {
		check := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "clerk-operator"), "--check-endpoint="+operator.URL(instance))
		output, err := check.CombinedOutput()
		if (err != nil) != (want != "") || !strings.Contains(string(output), want) {
			t.Errorf("for %s: %v, want %q\n%s", instance, err, want, output)
		}
	}
}

func TestMetricsAreServedWithACertificateOfTheAdministrators(t *testing.T) {
	if _, err := operatorproc.Install(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	certificate, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := []string{filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")}
	if err := errors.Join(os.WriteFile(files[0], certificate, 0o600), os.WriteFile(files[1], key, 0o600)); err != nil {
		t.Fatal(err)
	}
	operator, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{
		LogDir: t.TempDir(), Args: []string{"--metrics-tls-cert-file=" + files[0], "--metrics-tls-key-file=" + files[1]},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, operator.MetricsURL(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("who does not say who it is gets %s, want 401", response.Status)
	}
}

func TestTheOperatorIsNoAdministrator(t *testing.T) {
	if _, err := operatorproc.Install(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(cluster)
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []authorizationv1.ResourceAttributes{
		{Verb: "get", Resource: "secrets", Namespace: "default"},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
		{Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "admin"},
		{Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "cluster-admin"},
		{Verb: "impersonate", Resource: "users", Name: "clerk:user_1"},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + operatorproc.Namespace + ":" + operatorproc.ServiceAccount,
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + operatorproc.Namespace, "system:authenticated"},
			ResourceAttributes: &forbidden,
		}}
		if err := administrator.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		if review.Status.Allowed {
			t.Errorf("the operator may %s %s", forbidden.Verb, forbidden.Resource)
		}
	}
}
