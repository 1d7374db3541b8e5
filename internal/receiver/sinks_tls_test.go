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

package receiver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// authority signs certificates for both sides.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.certificate = template
	a.pem, a.key = a.sign(t, template)
	block, _ := pem.Decode(a.pem)
	var err error
	if a.certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a key and a certificate of it.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (certificate []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

// pair is a certificate of a name with its key, as Secrets of the type kubernetes.io/tls hold them.
func (a *authority) pair(t *testing.T, name string) map[string][]byte {
	t.Helper()
	certificate, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"tls.crt": certificate, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

// newTLSService is a service that wants a certificate of an authority from its clients.
func newTLSService(t *testing.T, a *authority) *service {
	t.Helper()
	serving := a.pair(t, "events.example.com")
	certificate, err := tls.X509KeyPair(serving["tls.crt"], serving["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	s := &service{status: http.StatusAccepted, header: http.Header{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(&bytes.Buffer{}, "", 0)
	s.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestASinkKnowsItsTargetByAnAuthorityAndIsKnownByACertificate(t *testing.T) {
	own, other := newAuthority(t), newAuthority(t)
	target := newTLSService(t, own)
	valid := func(s *v1alpha1.SinkTLS) {
		s.CASecretRef = &v1alpha1.SecretKeyReference{Name: "ca", Key: "ca.crt"}
		s.CertificateSecretRef = &v1alpha1.SecretReference{Name: "client"}
	}
	secrets := map[string]map[string][]byte{
		"ca": {"ca.crt": own.pem}, "client": own.pair(t, "clerk-operator"),
		"other-ca": {"ca.crt": other.pem}, "other-client": other.pair(t, "clerk-operator"), "empty": {"ca.crt": []byte("no certificate")},
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.SinkTLS)
		status int
		noted  string
	}{
		"both":                     {valid, http.StatusNoContent, "audit accepted user.created"},
		"the name in it":           {func(s *v1alpha1.SinkTLS) { valid(s); s.ServerName = "events.example.com" }, http.StatusNoContent, "audit accepted user.created"},
		"another name":             {func(s *v1alpha1.SinkTLS) { valid(s); s.ServerName = "mail.example.com" }, http.StatusServiceUnavailable, "audit failed certificate"},
		"another authority":        {func(s *v1alpha1.SinkTLS) { valid(s); s.CASecretRef.Name = "other-ca" }, http.StatusServiceUnavailable, "audit failed certificate"},
		"the system's authorities": {func(s *v1alpha1.SinkTLS) { valid(s); s.CASecretRef = nil }, http.StatusServiceUnavailable, "audit failed certificate"},
		"no certificate":           {func(s *v1alpha1.SinkTLS) { valid(s); s.CertificateSecretRef = nil }, http.StatusServiceUnavailable, "audit failed connection"},
		"somebody else's":          {func(s *v1alpha1.SinkTLS) { valid(s); s.CertificateSecretRef.Name = "other-client" }, http.StatusServiceUnavailable, "audit failed connection"},
		"a Secret without one":     {func(s *v1alpha1.SinkTLS) { valid(s); s.CASecretRef.Name = "empty" }, http.StatusServiceUnavailable, "audit refused not_ready"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(target.received())
			b, notes := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) {
				s.HTTP.TLS = &v1alpha1.SinkTLS{}
				test.change(s.HTTP.TLS)
			}, "audit")
			b.objects.change(func(o *objects) {
				o.labels = map[string]map[string]string{}
				for secret, data := range secrets {
					o.secrets[secret] = data
					o.labels[secret] = map[string]string{v1alpha1.SinkLabel: v1alpha1.SinkLabelValue}
				}
			})
			answer := b.mustSend(t, toSink("audit", example(t, "user.created")))
			if answer.status != test.status || notes.last() != test.noted {
				t.Errorf("%d %s, noted %q; want %d, %q", answer.status, answer.body, notes.last(), test.status, test.noted)
			}
			if arrived := len(target.received()) > before; arrived != (test.status == http.StatusNoContent) {
				t.Errorf("it arrived: %t", arrived)
			}
		})
	}
}
