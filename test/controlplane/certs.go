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

package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certLifetime is far longer than any control plane lives.
const certLifetime = 365 * 24 * time.Hour

// pki is everything that proves an identity in one control plane. All of it is made at the start and thrown away at the end.
type pki struct {
	ca                    *authority
	caFile                string
	serving               keyPairFiles
	etcdCAFile            string
	etcd                  keyPairFiles // for etcd itself and for its one client, the API server
	serviceAccountKeyFile string
}

// keyPairFiles are the files of a certificate and its key.
type keyPairFiles struct{ certFile, keyFile string }

// newPKI makes the keys and certificates that the components need and writes them to dir. The address, where there is one, is another one
// that the API server is reached at.
// etcd trusts an authority of its own: a user of the API server must not get into etcd with their certificate.
func newPKI(dir, address string) (*pki, error) {
	p := &pki{
		caFile:                filepath.Join(dir, "ca.crt"),
		etcdCAFile:            filepath.Join(dir, "etcd-ca.crt"),
		serviceAccountKeyFile: filepath.Join(dir, "service-account.key"),
		serving:               keyPairFiles{filepath.Join(dir, "serving.crt"), filepath.Join(dir, "serving.key")},
		etcd:                  keyPairFiles{filepath.Join(dir, "etcd.crt"), filepath.Join(dir, "etcd.key")},
	}
	var err error
	if p.ca, err = newAuthority("clerk-operator control plane"); err != nil {
		return nil, err
	}
	etcdCA, err := newAuthority("clerk-operator control plane etcd")
	if err != nil {
		return nil, err
	}
	template := servingCertificate("kube-apiserver")
	if address != "" {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address), net.ParseIP(kubernetesServiceIP))
	}
	serving, err := p.ca.issue(template)
	if err != nil {
		return nil, err
	}
	etcdServing, err := etcdCA.issue(servingCertificate("etcd"))
	if err != nil {
		return nil, err
	}
	_, serviceAccountKey, err := newKey()
	if err != nil {
		return nil, err
	}
	return p, writeFiles(map[string][]byte{
		p.caFile:                p.ca.pem,
		p.etcdCAFile:            etcdCA.pem,
		p.serving.certFile:      serving.certPEM,
		p.serving.keyFile:       serving.keyPEM,
		p.etcd.certFile:         etcdServing.certPEM,
		p.etcd.keyFile:          etcdServing.keyPEM,
		p.serviceAccountKeyFile: serviceAccountKey,
	})
}

// servingCertificate is a certificate for a server on 127.0.0.1, which can also identify it as a client (as etcd's peers do).
func servingCertificate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// userCertificate is a client certificate as Kubernetes reads it: the common name is the user, the organizations are the groups.
func userCertificate(user string, groups []string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

// keyPair is a certificate with its key.
type keyPair struct{ certPEM, keyPEM []byte }

func newAuthority(name string) (*authority, error) {
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate of %s: %w", name, err)
	}
	return &authority{certificate: certificate, key: key, pem: certPEM(der)}, nil
}

// issue makes a key and signs a certificate for it.
func (a *authority) issue(template *x509.Certificate) (keyPair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return keyPair{}, err
	}
	der, err := sign(template, a.certificate, key.Public(), a.key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{certPEM: certPEM(der), keyPEM: keyPEM}, nil
}

// sign fills in what all certificates have in common and signs.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = time.Now().Add(certLifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

// newKey makes a key. Elliptic curves, since an RSA key alone takes longer than the rest of the preparation.
func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a key: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writeFiles(files map[string][]byte) error {
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
