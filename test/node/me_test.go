//go:build linux

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

package node_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/internal/me"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// meSecret is the Secret with the certificate that testdata/values.yaml has GET /me served with.
const meSecret = "e2e-me"

// certifyMe makes that Secret, with a certificate for a forwarded port.
func (s *story) certifyMe(t *testing.T) {
	t.Helper()
	certificate, authority, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.meAuthority = authority
	err = s.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	err = s.client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: meSecret}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey: authority, corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// meAt is where GET /me is answered.
type meAt struct {
	url, authority string
	client         *http.Client
}

var forwardedTo = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:(\d+)) `)

// forwardMe forwards a port to the Service of GET /me until the test ends. kubectl gives up when a connection is reset, as one is that the
// operator has ended before the client does; then it is begun again.
func (s *story) forwardMe(t *testing.T) *meAt {
	t.Helper()
	var service corev1.Service
	s.get(t, &service, namespace, release+"-me")
	forward := func(port string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), filepath.Join(s.root, "bin", "k8s", "kubectl"),
			"-n", namespace, "port-forward", "service/"+service.Name, fmt.Sprintf("%s:%d", port, service.Spec.Ports[0].Port))
		command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "KUBERC=off")
		command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
		return command
	}
	command := forward("")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	port, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		at := <-port
		_ = command.Wait()
		for at != "" && t.Context().Err() == nil {
			_ = forward(at).Run()
		}
	}()
	t.Cleanup(func() { close(port); <-ended }) // the test's context is done by then
	line, err := bufio.NewReader(out).ReadString('\n')
	found := forwardedTo.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("kubectl port-forward prints %q (%v)", line, err)
	}
	port <- found[2]
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, s.meAuthority, 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: s.meAuthority}})
	if err != nil {
		t.Fatal(err)
	}
	return &meAt{url: "https://" + found[1] + me.Path, authority: file, client: client}
}

// organizationOf is what a member is told of an organization that has one namespace.
func organizationOf(organization clerktest.Organization, role, clusterRole string) me.Organization {
	return me.Organization{
		Organization: organization.Slug, OrganizationID: organization.ID, Role: role,
		Access: []me.Access{{Namespace: "org-" + organization.Slug, ClusterRole: clusterRole}},
	}
}

// ask asks with a token.
func (m *meAt) ask(ctx context.Context, token string) (status int, answer me.Mine, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, http.NoBody)
	if err != nil {
		return 0, answer, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	var response *http.Response
	for began := time.Now(); ; { // while kubectl begins again, nobody listens
		response, err = m.client.Do(request)
		if err == nil || time.Since(began) > patience || ctx.Err() != nil {
			break
		}
		time.Sleep(pollInterval)
	}
	if err != nil {
		return 0, answer, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		err = json.NewDecoder(response.Body).Decode(&answer)
	}
	return response.StatusCode, answer, err
}

// tells waits until a user's token gets exactly these organizations, and looks that kubectl clerk mine says the same.
func (m *meAt) tells(t *testing.T, s *story, user clerktest.User, organizations ...me.Organization) {
	t.Helper()
	token, err := s.issuer.token(user.ID, user.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "GET /me", func(ctx context.Context) error {
		status, answer, err := m.ask(ctx, token)
		if err != nil || status != http.StatusOK || answer.User != "clerk:"+user.ID {
			return fmt.Errorf("%d for %q (%w)", status, answer.User, err)
		}
		if difference := cmp.Diff(append([]me.Organization{}, organizations...), answer.Organizations); difference != "" {
			return fmt.Errorf("(-want +got)\n%s", difference)
		}
		return nil
	})
	cluster := clientcmdapi.NewConfig()
	cluster.Clusters[clusterName] = &clientcmdapi.Cluster{Server: s.config.Host, CertificateAuthorityData: s.config.CAData}
	cluster.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: token}
	cluster.Contexts["me"], cluster.CurrentContext = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: "me"}, "me"
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*cluster, kubeconfig); err != nil {
		t.Fatal(err)
	}
	wantCode := kubectl.ExitYes
	if len(organizations) == 0 {
		wantCode = kubectl.ExitNo
	}
	eventually(t, "kubectl clerk mine", func(ctx context.Context) error {
		found := s.plugin(ctx, "mine", "--url", m.url, "--url-certificate-authority", m.authority, "--kubeconfig", kubeconfig, "-o", "json")
		code := <-found.ended
		var mine kubectl.Mine
		if err := json.Unmarshal([]byte(found.out.String()), &mine); err != nil || code != wantCode ||
			cmp.Diff(append([]me.Organization{}, organizations...), mine.Organizations) != "" {
			return fmt.Errorf("it ends with %d (%w), want %d:\n%s%s", code, err, wantCode, found.out, found.problems)
		}
		return nil
	})
	say("GET /me, and kubectl clerk mine by it, tell %s of %d organizations after %s", user.Identifier, len(organizations), took)
}

// refuses shows that nothing is told without a token that the API server knows: neither one of nobody's, nor one that somebody else signed.
func (m *meAt) refuses(t *testing.T, s *story, user clerktest.User) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := (&issuer{url: s.issuer.url, key: key}).token(user.ID, user.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.issuer.token(user.ID, user.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	for what, token := range map[string]string{
		"no token": "", "no token of anybody's": "none", "a token that another key signed": forged,
		"a token that was cut": own[:strings.LastIndex(own, ".")],
	} {
		if status, answer, err := m.ask(t.Context(), token); status != http.StatusUnauthorized || len(answer.Organizations) > 0 {
			t.Errorf("%s: %d %+v (%v), want 401", what, status, answer, err)
		}
	}
	say("GET /me without a token, or with one that is forged: 401")
}
