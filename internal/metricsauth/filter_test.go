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

package metricsauth

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(_ context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		return nil
	})
}

// handler is the filter before a page.
func handler(t *testing.T, config *rest.Config) http.Handler {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	must(t, err)
	filter, err := New(config, client)
	must(t, err)
	handler, err := filter(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	must(t, err)
	return handler
}

func get(t *testing.T, handler http.Handler, path, authorization string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer.Code
}

// tokenOf makes a ServiceAccount, and a token of it.
func tokenOf(t *testing.T, clients kubernetes.Interface, name string) string {
	t.Helper()
	_, err := clients.CoreV1().ServiceAccounts("default").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, err)
	request := &authenticationv1.TokenRequest{}
	request, err = clients.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name, request, metav1.CreateOptions{})
	must(t, err)
	return request.Status.Token
}

func TestThoseReadTheMetricsWhomTheAPIServerLets(t *testing.T) {
	t.Parallel()
	clients, err := kubernetes.NewForConfig(plane.Config())
	must(t, err)
	scraper, stranger := tokenOf(t, clients, "scraper"), tokenOf(t, clients, "stranger")
	_, err = clients.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = clients.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "scraper"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "scraper"}},
	}, metav1.CreateOptions{})
	must(t, err)
	deadline := time.Now().Add(30 * time.Second)
	for get(t, handler(t, plane.Config()), "/metrics", "Bearer "+scraper) != http.StatusOK && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond) // the API server has yet to see the binding
	}

	page := handler(t, plane.Config())
	for name, tc := range map[string]struct {
		path, authorization string
		want                int
	}{
		"nobody":                 {"/metrics", "", http.StatusUnauthorized},
		"another scheme":         {"/metrics", "Basic " + scraper, http.StatusUnauthorized},
		"no token":               {"/metrics", "Bearer ", http.StatusUnauthorized},
		"an unknown token":       {"/metrics", "Bearer " + scraper[:len(scraper)-4] + "AAAA", http.StatusUnauthorized},
		"who may not":            {"/metrics", "Bearer " + stranger, http.StatusForbidden},
		"who may, another path":  {"/debug", "Bearer " + scraper, http.StatusForbidden},
		"who may":                {"/metrics", "Bearer " + scraper, http.StatusOK},
		"who may, in lower case": {"/metrics", "bearer " + scraper, http.StatusOK},
	} {
		for range 2 { // the second time the answer is remembered
			if got := get(t, page, tc.path, tc.authorization); got != tc.want {
				t.Errorf("%s: got %d, want %d", name, got, tc.want)
			}
		}
	}
}

func TestWithoutAnAPIServerNobodyReadsTheMetrics(t *testing.T) {
	t.Parallel()
	if got := get(t, handler(t, &rest.Config{Host: "http://127.0.0.1:1"}), "/metrics", "Bearer x"); got != http.StatusServiceUnavailable {
		t.Errorf("got %d", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
