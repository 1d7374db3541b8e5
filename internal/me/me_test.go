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

package me_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/me"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute

	// audience is one that only tokens for /me are for.
	audience = "clerk-operator-me"

	janeName = "system:serviceaccount:default:jane"
)

var (
	plane   *controlplane.ControlPlane
	cluster client.Client
	clients kubernetes.Interface
	members cache.Cache

	// logged is everything that the server logs.
	logged syncBuffer
)

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(zap.New(zap.WriteTo(&logged), zap.UseDevMode(true)))
	controlplane.Main(m, controlplane.Options{CRDs: filepath.Join("..", "..", "config", "crd", "bases")}, setUp)
}

func setUp(ctx context.Context, cp *controlplane.ControlPlane) error {
	plane = cp
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	var err error
	if cluster, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if clients, err = kubernetes.NewForConfig(cp.Config()); err != nil {
		return err
	}
	for _, name := range []string{"jane", "joe", "stranger"} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		if err := cluster.Create(ctx, account); err != nil {
			return err
		}
	}
	if err := createMembers(ctx); err != nil {
		return err
	}
	if members, err = cache.New(cp.Config(), cache.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := errors.Join(createGrants(ctx), cached.AddIndexes(ctx, members), me.AddIndex(ctx, members, true)); err != nil {
		return err
	}
	go func() { _ = members.Start(ctx) }()
	if _, err := members.GetInformer(ctx, &v1alpha1.ClerkMember{}); err != nil {
		return err
	}
	if !members.WaitForCacheSync(ctx) {
		return errors.New("the cache does not fill")
	}
	return nil
}

// createMembers writes memberships with the statuses that the operator gives them.
func createMembers(ctx context.Context) error {
	at := new(metav1.NowMicro())
	bound := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionBound, Status: status, Reason: reason, LastTransitionTime: metav1.Now()}}
	}
	binding := func(namespace, role string) v1alpha1.MemberBinding {
		return v1alpha1.MemberBinding{Namespace: namespace, Name: "clerk:" + role, ClusterRole: role}
	}
	for id, member := range map[string]v1alpha1.ClerkMember{
		"orgmem_jane": {
			Spec: v1alpha1.ClerkMemberSpec{OrganizationID: "org_acme", UserID: "user_jane", Role: "org:admin",
				User: v1alpha1.ClerkMemberUser{Identifier: "jane@acme.example"}},
			Status: v1alpha1.ClerkMemberStatus{Subject: janeName, Organization: "acme", Conditions: bound(metav1.ConditionTrue, "Bound"),
				Bindings: []v1alpha1.MemberBinding{binding("org-acme", "admin"), binding("org-acme-preview", "edit")}},
		},
		"orgmem_jane2": {
			Spec:   v1alpha1.ClerkMemberSpec{OrganizationID: "org_beta", UserID: "user_jane", Role: "org:guest"},
			Status: v1alpha1.ClerkMemberStatus{Subject: janeName, Organization: "beta", Conditions: bound(metav1.ConditionFalse, "RoleNotMapped")},
		},
		"orgmem_joe": {
			Spec: v1alpha1.ClerkMemberSpec{OrganizationID: "org_acme", UserID: "user_joe", Role: "org:member",
				User: v1alpha1.ClerkMemberUser{Identifier: "joe@acme.example"}},
			Status: v1alpha1.ClerkMemberStatus{Subject: "system:serviceaccount:default:joe", Organization: "acme",
				Conditions: bound(metav1.ConditionTrue, "Bound"), Bindings: []v1alpha1.MemberBinding{binding("org-acme", "view")}},
		},
	} {
		status := member.Status
		member.Name = v1alpha1.ObjectName("default", id)
		member.Spec.Entity = v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: at}
		if err := cluster.Create(ctx, &member); err != nil {
			return err
		}
		member.Status = status
		if err := cluster.Status().Update(ctx, &member); err != nil {
			return err
		}
	}
	return nil
}

// tokenOf is a token of a ServiceAccount, for some audiences or, without any, for the API server.
func tokenOf(t *testing.T, account string, audiences ...string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	answer, err := clients.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), account, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// service is a running server.
type service struct {
	url    string
	http   *http.Client
	asked  atomic.Int32 // TokenReviews
	broken atomic.Bool  // the API server does not answer
}

func serve(t *testing.T, audiences ...string) *service {
	t.Helper()
	return serveWith(t, &me.Options{Audiences: audiences, ClusterGrants: clusterGrants()})
}

func serveWith(t *testing.T, options *me.Options) *service {
	t.Helper()
	certificate, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")}
	if err := errors.Join(os.WriteFile(files[0], certificate, 0o600), os.WriteFile(files[1], key, 0o600)); err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	s := &service{url: "https://" + listener.Addr().String(), http: &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
	}}}
	config := rest.CopyConfig(plane.Config())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			s.asked.Add(1)
			if s.broken.Load() {
				return nil, errors.New("the API server is away")
			}
			return next.RoundTrip(r)
		})
	})
	tokens, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	options.Tokens, options.Members, options.Listener = tokens.AuthenticationV1().TokenReviews(), members, listener
	options.TLSCertFile, options.TLSKeyFile = files[0], files[1]
	server, err := me.New(*options)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Start(t.Context()) }()
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// ask asks with a token, and returns status, headers and body.
func (s *service) ask(t *testing.T, method, path, token string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestEachLearnsOfThemselvesAlone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, header, body := s.ask(t, http.MethodGet, me.Path, tokenOf(t, "jane"))
	var got me.Mine
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	want := me.Mine{
		TypeMeta: metav1.TypeMeta{APIVersion: "cli.clerk-operator.io/v1alpha1", Kind: "Mine"}, User: janeName,
		Organizations: []me.Organization{
			{Organization: "acme", OrganizationID: "org_acme", Role: "org:admin", Access: []me.Access{
				{Namespace: "org-acme", ClusterRole: "admin"}, {Namespace: "org-acme-preview", ClusterRole: "edit"},
			}},
			{Organization: "beta", OrganizationID: "org_beta", Role: "org:guest", Access: []me.Access{}, Reason: "RoleNotMapped"},
		},
		ClusterRoles: []me.ClusterRole{
			{ClusterRole: "edit", ClusterGrant: "orphan"},
			{ClusterRole: "view", ClusterGrant: "support", Until: new(metav1.NewTime(supportEnds.Local()))},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(body, "joe") || header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", header, body)
	}
}

func TestWhoIsNoMemberLearnsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, _, body := s.ask(t, http.MethodGet, me.Path+"?user="+janeName, tokenOf(t, "stranger"))
	want := `{"kind":"Mine","apiVersion":"cli.clerk-operator.io/v1alpha1","user":"system:serviceaccount:default:stranger","organizations":[]}` + "\n"
	if status != http.StatusOK || body != want {
		t.Errorf("%d %s", status, body)
	}
}

func TestWhatIsNoQuestionIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	jane := tokenOf(t, "jane")
	for name, test := range map[string]struct {
		method, path, token string
		status              int
	}{
		"no token":              {http.MethodGet, me.Path, "", http.StatusUnauthorized},
		"unknown token":         {http.MethodGet, me.Path, "nobody", http.StatusUnauthorized},
		"tampered token":        {http.MethodGet, me.Path, jane[:len(jane)-8] + "AAAAAAAA", http.StatusUnauthorized},
		"token that is long":    {http.MethodGet, me.Path, strings.Repeat("a", 16<<10+1), http.StatusUnauthorized},
		"headers that are long": {http.MethodGet, me.Path, strings.Repeat("a", 64<<10), http.StatusRequestHeaderFieldsTooLarge},
		"another method":        {http.MethodPost, me.Path, jane, http.StatusMethodNotAllowed},
		"another path":          {http.MethodGet, "/me/" + "user_jane", jane, http.StatusNotFound},
		"root":                  {http.MethodGet, "/", jane, http.StatusNotFound},
	} {
		if status, _, body := s.ask(t, test.method, test.path, test.token); status != test.status || strings.Contains(body, "acme") {
			t.Errorf("%s: %d %s, want %d", name, status, body, test.status)
		}
	}
	if asked := s.asked.Load(); asked != 2 {
		t.Errorf("the API server was asked %d times, want 2: for the unknown and the tampered token", asked)
	}
}

func TestATokenHasToBeForTheAudience(t *testing.T) {
	t.Parallel()
	s := serve(t, audience)
	if status, _, body := s.ask(t, http.MethodGet, me.Path, tokenOf(t, "jane")); status != http.StatusUnauthorized {
		t.Errorf("a token for the API server is answered %d: %s", status, body)
	}
	if status, _, body := s.ask(t, http.MethodGet, me.Path, tokenOf(t, "jane", audience)); status != http.StatusOK {
		t.Errorf("a token for the audience is answered %d: %s", status, body)
	}
}

func TestTheAPIServerIsAskedOnceAboutAToken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	jane := tokenOf(t, "jane")
	for range 5 {
		if status, _, _ := s.ask(t, http.MethodGet, me.Path, jane); status != http.StatusOK {
			t.Errorf("jane is answered %d", status)
		}
		if status, _, _ := s.ask(t, http.MethodGet, me.Path, "nobody"); status != http.StatusUnauthorized {
			t.Errorf("nobody is answered %d", status)
		}
	}
	if asked := s.asked.Load(); asked != 2 {
		t.Errorf("the API server was asked %d times about two tokens", asked)
	}
}

func TestWhoGuessesTokensIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := serve(t)
	jane := tokenOf(t, "jane")
	s.ask(t, http.MethodGet, me.Path, jane)
	const guesses = 200
	refused := 0
	for i := range guesses {
		status, header, _ := s.ask(t, http.MethodGet, me.Path, fmt.Sprintf("guess-%d", i))
		if status == http.StatusTooManyRequests && header.Get("Retry-After") != "" {
			refused++
		}
	}
	if int(s.asked.Load()) != 1+guesses-refused || refused == 0 {
		t.Errorf("of %d guesses %d were refused, and the API server was asked %d times", guesses, refused, s.asked.Load())
	}
	if status, _, _ := s.ask(t, http.MethodGet, me.Path, jane); status != http.StatusOK {
		t.Errorf("who was known before is answered %d", status)
	}
}

func TestWhileTheAPIServerIsAwayNobodyIsTakenForUnknown(t *testing.T) {
	t.Parallel()
	s := serve(t)
	jane := tokenOf(t, "jane")
	s.broken.Store(true)
	if status, header, _ := s.ask(t, http.MethodGet, me.Path, jane); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("answered %d", status)
	}
	s.broken.Store(false)
	if status, _, _ := s.ask(t, http.MethodGet, me.Path, jane); status != http.StatusOK {
		t.Errorf("answered %d when the API server was back", status)
	}
	for _, personal := range []string{jane, "jane"} {
		if strings.Contains(logged.text(), personal) {
			t.Errorf("the log holds %q: %s", personal, logged.text())
		}
	}
}

func TestWithoutACertificateItIsNotServed(t *testing.T) {
	t.Parallel()
	if _, err := me.New(me.Options{BindAddress: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("got %v", err)
	}
}

func TestTheManifestsAreAccepted(t *testing.T) {
	t.Parallel()
	output, err := plane.Kubectl(t.Context(), "kustomize", filepath.Join("..", "..", "config", "me")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"--me-bind-address=:8444", "--me-tls-cert-file=/me-tls/tls.crt", "secretName: clerk-operator-me-tls"} {
		if !strings.Contains(string(output), wanted) {
			t.Errorf("%q is missing", wanted)
		}
	}
}
