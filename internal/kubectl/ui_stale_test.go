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

package kubectl_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/browser"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

// caller is somebody with a token who may look at the operator's kinds, until that is taken away.
type caller struct {
	account    *corev1.ServiceAccount
	binding    *rbacv1.ClusterRoleBinding
	config     *rest.Config
	kubeconfig string

	// cut cuts every connection to the API server, so that watches begin anew: they would otherwise within a minute.
	cut func()
}

func newCaller(t *testing.T, name string) *caller {
	t.Helper()
	c := &caller{
		account: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}},
		binding: &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "clerk-operator-viewer"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault, Name: name}},
		},
	}
	for _, object := range []client.Object{c.account, c.binding} {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.IgnoreNotFound(cluster.Delete(context.WithoutCancel(t.Context()), object)); err != nil {
				t.Error(err)
			}
		})
	}
	var err error
	if c.config, err = plane.ServiceAccountConfig(t.Context(), c.account.Namespace, c.account.Name); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(c.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: c.config.CAData}})
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	server := httptest.NewTLSServer(proxy) // a kubeconfig's token is shown by TLS alone
	c.cut = server.CloseClientConnections
	t.Cleanup(func() {
		server.CloseClientConnections() // watches never end by themselves
		server.Close()
	})
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	err = controlplane.WriteKubeconfig(c.kubeconfig, &rest.Config{
		Host: server.URL, BearerToken: c.config.BearerToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.until(t, func(err error) bool { return err == nil })
	return c
}

// until waits until the API server answers the caller's question for organizations as it should.
func (c *caller) until(t *testing.T, is func(error) bool) {
	t.Helper()
	asking, err := client.New(c.config, client.Options{Scheme: cluster.Scheme(), Mapper: cluster.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	wait.Within(t, time.Minute, "the API server's answer", func(ctx context.Context) error {
		if err := asking.List(ctx, &v1alpha1.ClerkOrganizationList{}, client.Limit(1)); !is(err) {
			return fmt.Errorf("it answers %w", err)
		}
		return nil
	})
}

// lost is what a caller may lose while they look at the page.
var lost = map[string]struct {
	take func(*caller) client.Object
	is   func(error) bool
	says string
}{
	"the token": {
		func(c *caller) client.Object { return c.account }, apierrors.IsUnauthorized,
		"The API server does not accept your credentials (401), which may have expired: log in again, and if this stays, start kubectl clerk " +
			"ui again. ",
	},
	"the rights": {
		func(c *caller) client.Object { return c.binding }, apierrors.IsForbidden,
		"You may not list clerkorganizations.clerk-operator.io: ask for the ClusterRole clerk-operator-viewer. It was shown before, and is " +
			"left out now.",
	},
}

func TestAPageWhoseCallerIsRefusedSaysSo(t *testing.T) {
	for name, test := range lost {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t, "told-without-"+strings.Fields(name)[1])
			page := servePage(t, "--kubeconfig", c.kubeconfig)
			next := page.changes()
			page.answer("/api/organizations", new(map[string]any))
			for state := next(); state["loading"] != nil; state = next() {
				if state["stale"] != nil {
					t.Fatalf("before anything is lost, %v is stale", state["stale"])
				}
			}
			if err := cluster.Delete(t.Context(), test.take(c)); err != nil {
				t.Fatal(err)
			}
			c.until(t, test.is)
			c.cut()
			for deadline := time.Now().Add(patience); ; {
				stale := fmt.Sprint(next()["stale"]) // at the latest after a minute
				if strings.Contains(stale, test.says) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("what is stale is %s", stale)
				}
			}
		})
	}
}

func TestThePageIsNotLiveOnceItsCallerIsRefused(t *testing.T) {
	for name, test := range lost {
		t.Run(name, func(t *testing.T) {
			window := browser.Open(t)
			c := newCaller(t, "shown-without-"+strings.Fields(name)[1])
			page := servePage(t, "--kubeconfig", c.kubeconfig)
			window.Go(page.address)
			window.Until("document.querySelector('.live').innerText === 'Live' && !document.querySelector('.notes .problem')")
			window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
			gone := test.take(c)
			if err := cluster.Delete(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			c.until(t, test.is)
			c.cut()
			window.Until(fmt.Sprintf("document.querySelector('.notes').innerText.includes(%q)", test.says))
			window.Until("document.querySelector('.live').innerText === 'Not live'")
			if gone == c.account {
				return // another of that name is another
			}
			// With the rights again, it is live by itself.
			gone.SetResourceVersion("")
			if err := cluster.Create(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			window.Until("document.querySelector('.live').innerText === 'Live' && !document.querySelector('.problem')")
		})
	}
}
