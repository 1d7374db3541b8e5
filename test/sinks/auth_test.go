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
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// attempt delivers an event once, and returns how it is answered.
func attempt(t *testing.T, through clerktest.Sender, id string) int {
	t.Helper()
	user := clerktest.User{ID: clerktest.ID("user", id), UpdatedAt: time.Now()}
	status, _, err := through.Deliver(t.Context(), id, clerktest.UserCreated(user))
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// taken delivers an event until it is taken.
func taken(t *testing.T, through clerktest.Sender, id string) {
	t.Helper()
	waitFor(t, func() error {
		if status := attempt(t, through, id); status != http.StatusNoContent {
			return fmt.Errorf("answered %d, want %d", status, http.StatusNoContent)
		}
		return nil
	})
}

// attemptInterval is the pause between attempts that are to fail: longer than the breaker first stays open, whose own reason would else be
// the last.
const attemptInterval = 6 * time.Second

// failsFor delivers an event until the status of the sink has a reason for why it was not taken. The first attempts may come before the
// operator has seen the sink, or the change of a Secret.
func failsFor(t *testing.T, through clerktest.Sender, id, sink, reason string) {
	t.Helper()
	var next time.Time
	waitFor(t, func() error {
		if now := time.Now(); now.After(next) {
			next = now.Add(attemptInterval)
			if status := attempt(t, through, id); status == http.StatusNoContent {
				t.Fatalf("taken, want a failure for %s", reason)
			}
		}
		var object v1alpha1.ClerkSink
		if err := cluster.Get(t.Context(), client.ObjectKey{Name: sink}, &object); err != nil {
			return err
		}
		if failure := object.Status.LastFailure; failure.Reason != reason {
			return fmt.Errorf("the last failure is %+v, want the reason %s", failure, reason)
		}
		return nil
	})
}

// targetSecret makes or changes a Secret for a target.
func targetSecret(t *testing.T, name string, values map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: operatorproc.Namespace, Name: name, Labels: map[string]string{v1alpha1.SinkLabel: v1alpha1.SinkLabelValue},
	}}
	_ = cluster.Delete(t.Context(), secret)
	secret.StringData = values
	if err := cluster.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// certificate is one for 127.0.0.1 that is its own authority, with its key, both as PEM.
func certificate(t *testing.T) (public, private []byte) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
}

// guarded is a service that lets in whose token the API server knows for its audience.
type guarded struct {
	*httptest.Server
	audience string

	mutex   sync.Mutex
	user    string
	others  []string // audiences for which the token counts as well, which it must not
	problem error
}

func newGuarded(t *testing.T, audience string) *guarded {
	t.Helper()
	g := &guarded{audience: audience}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
		if g.review(t, token) {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(g.Close)
	return g
}

// review asks the API server about a token: for the service's own audience, for another one, and for the API server itself.
func (g *guarded) review(t *testing.T, token string) (lets bool) {
	t.Helper()
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, audiences := range [][]string{{g.audience}, {"somebody.example"}, nil} {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}}
		if err := cluster.Create(t.Context(), review); err != nil {
			g.problem = err
			return false
		}
		switch isOwn := len(audiences) == 1 && audiences[0] == g.audience; {
		case isOwn:
			lets, g.user = review.Status.Authenticated, review.Status.User.Username
		case review.Status.Authenticated:
			g.others = append(g.others, fmt.Sprint(audiences))
		}
	}
	return lets
}

func TestAServiceKnowsTheOperatorByATokenForItsAudienceAlone(t *testing.T) {
	service := newGuarded(t, "crm.example")
	operator := start(t, "--service-account="+operatorproc.ServiceAccount)
	defer operator.Kill()
	targetSecret(t, "token-ca", map[string]string{
		"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})),
	})
	signingSecret := makeSink(t, "token", func(s *v1alpha1.ClerkSinkSpec) {
		s.HTTP = &v1alpha1.SinkHTTP{
			URL:  service.URL,
			Auth: &v1alpha1.SinkHTTPAuth{ServiceAccountToken: &v1alpha1.SinkServiceAccountToken{Audience: "crm.example"}},
			TLS:  &v1alpha1.SinkTLS{CASecretRef: &v1alpha1.SecretKeyReference{Name: "token-ca", Key: "ca.crt"}},
		}
	})
	sender := clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/token", Secret: signingSecret}
	failsFor(t, sender, "msg_token", "token", "no_token") // the installation does not give the right to make one

	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"sink_token_role.yaml", "sink_token_role_binding.yaml"} {
		path := filepath.Join(root, "config", "rbac", file)
		if output, err := plane.Kubectl(t.Context(), "apply", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		t.Cleanup(func() { _ = plane.Kubectl(context.Background(), "delete", "-f", path).Run() })
	}
	taken(t, sender, "msg_token")
	service.mutex.Lock()
	defer service.mutex.Unlock()
	want := "system:serviceaccount:" + operatorproc.Namespace + ":" + operatorproc.ServiceAccount
	if service.user != want || service.problem != nil {
		t.Errorf("the service knows it as %q, want %q (%v)", service.user, want, service.problem)
	}
	if len(service.others) > 0 {
		t.Errorf("the token counts for %v too", service.others)
	}
}

func TestANATSServerKnowsTheOperatorByItsPassword(t *testing.T) {
	const password = "s3cret-of-the-operator"
	public, private := certificate(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	server, err := natsproc.StartWith(t.Context(), plane, "nats-password", natsproc.Options{
		Files: map[string][]byte{"tls.crt": public, "tls.key": private},
		Config: func(folder string) string {
			return fmt.Sprintf("tls { cert_file: %q, key_file: %q }\nauthorization { users: [\n"+
				"{user: admin, password: admin},\n{user: clerk, password: %q, permissions: {publish: \"password.>\", subscribe: \"_INBOX.>\"}}\n] }",
				filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"), password)
		},
		Connect: []nats.Option{nats.UserInfo("admin", "admin"), nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	if err := server.MakeStream(t.Context(), "PASSWORD", "password"); err != nil {
		t.Fatal(err)
	}
	operator := start(t)
	defer operator.Kill()
	targetSecret(t, "password-ca", map[string]string{"ca.crt": string(public)})
	targetSecret(t, "password-user", map[string]string{"username": "clerk", "password": "wrong"})
	signingSecret := makeSink(t, "password", func(s *v1alpha1.ClerkSinkSpec) {
		s.NATS = &v1alpha1.SinkNATS{
			Servers: []string{"tls://" + server.Address()}, SubjectPrefix: "password",
			Auth: &v1alpha1.SinkNATSAuth{UserSecretRef: &v1alpha1.SecretReference{Name: "password-user"}},
			TLS:  &v1alpha1.SinkTLS{CASecretRef: &v1alpha1.SecretKeyReference{Name: "password-ca", Key: "ca.crt"}},
		}
	})
	sender := clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/password", Secret: signingSecret}
	failsFor(t, sender, "msg_password", "password", "unauthorized")
	targetSecret(t, "password-user", map[string]string{"username": "clerk", "password": password})
	taken(t, sender, "msg_password")
	storedOnce(t, server, "PASSWORD", "msg_password")
}

func TestANATSServerKnowsTheOperatorByItsCredentials(t *testing.T) {
	issuer := newIssuer(t)
	server, err := natsproc.StartWith(t.Context(), plane, "nats-credentials", natsproc.Options{
		Config:  func(string) string { return issuer.config(t) },
		Connect: []nats.Option{nats.UserCredentialBytes(issuer.credentials(t, ">", ">"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	if err := server.MakeStream(t.Context(), "CREDENTIALS", "credentials"); err != nil {
		t.Fatal(err)
	}
	operator := start(t)
	defer operator.Kill()
	targetSecret(t, "credentials", map[string]string{"clerk.creds": string(newIssuer(t).credentials(t, ">", ">"))}) // somebody else's
	signingSecret := makeSink(t, "credentials", func(s *v1alpha1.ClerkSinkSpec) {
		s.NATS = &v1alpha1.SinkNATS{
			Servers: []string{server.URL()}, SubjectPrefix: "credentials",
			Auth: &v1alpha1.SinkNATSAuth{CredentialsSecretRef: &v1alpha1.SecretKeyReference{Name: "credentials", Key: "clerk.creds"}},
		}
	})
	sender := clerktest.Sender{URL: operator.URL(operatorproc.Instance) + "/sinks/credentials", Secret: signingSecret}
	failsFor(t, sender, "msg_credentials", "credentials", "unauthorized")
	// Those of its own account, which may publish elsewhere.
	targetSecret(t, "credentials", map[string]string{"clerk.creds": string(issuer.credentials(t, "elsewhere.>", "_INBOX.>"))})
	failsFor(t, sender, "msg_credentials", "credentials", "forbidden")
	// The least that docs/sinks.md says is enough.
	targetSecret(t, "credentials", map[string]string{"clerk.creds": string(issuer.credentials(t, "credentials.>", "_INBOX.>"))})
	taken(t, sender, "msg_credentials")
	storedOnce(t, server, "CREDENTIALS", "msg_credentials")
}

// storedOnce wants a stream to have one message, with that id.
func storedOnce(t *testing.T, server *natsproc.Server, stream, id string) {
	t.Helper()
	messages, err := server.Messages(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 1 || messages[0].Header.Get("ce-id") != id {
		t.Errorf("the stream has %d messages: %+v", len(messages), messages)
	}
}

// issuer is who lets users into a NATS server: an operator of NATS' with an account, and one that the server has for itself.
type issuer struct {
	operator, account, system nkeys.KeyPair
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	operator, errOperator := nkeys.CreateOperator()
	account, errAccount := nkeys.CreateAccount()
	system, errSystem := nkeys.CreateAccount()
	if err := errors.Join(errOperator, errAccount, errSystem); err != nil {
		t.Fatal(err)
	}
	return &issuer{operator: operator, account: account, system: system}
}

// config makes a server trust the operator, and know the account.
func (i *issuer) config(t *testing.T) string {
	t.Helper()
	operator, account, system := publicKey(t, i.operator), publicKey(t, i.account), publicKey(t, i.system)
	claims := jwt.NewAccountClaims(account)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
		DiskStorage: jwt.NoLimit, MemoryStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n%s: %s\n%s: %s\n}",
		encode(t, jwt.NewOperatorClaims(operator), i.operator), system, account, encode(t, claims, i.operator),
		system, encode(t, jwt.NewAccountClaims(system), i.operator))
}

// credentials are a user's of the account, as a .creds file has them.
func (i *issuer) credentials(t *testing.T, publish, subscribe string) []byte {
	t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.NewUserClaims(publicKey(t, user))
	claims.Pub.Allow.Add(publish)
	claims.Sub.Allow.Add(subscribe)
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(encode(t, claims, i.account), seed)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func publicKey(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func encode(t *testing.T, claims jwt.Claims, by nkeys.KeyPair) string {
	t.Helper()
	token, err := claims.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
