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
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// oauthClient is who the tokens are for: the id of the OAuth application in Clerk, which docs/oidc.md has people make.
	oauthClient = "kubernetes"
	// tokenLifetime is longer than the tests take.
	tokenLifetime = time.Hour
	signingKeyID  = "ins_e2e"
	// clusterName is the cluster's in the kubeconfig of a person.
	clusterName = "e2e"
)

// issuer is an OpenID Connect provider as Clerk documents its own: discovery, a key set, and id tokens signed with RS256 whose subject is
// the user's id.
type issuer struct {
	url string
	ca  []byte // PEM
	key *rsa.PrivateKey
}

// startIssuer starts one on 127.0.0.1, with a certificate that only its own authority vouches for. It ends with the process.
func startIssuer(ctx context.Context) (*issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	certificate, ca, err := selfSigned()
	if err != nil {
		return nil, err
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &issuer{url: "https://" + listener.Addr().String(), ca: ca, key: key}
	paths := http.NewServeMux()
	paths.HandleFunc("GET /.well-known/openid-configuration", answerJSON(map[string]any{
		"issuer":                                i.url,
		"authorization_endpoint":                i.url + "/oauth/authorize",
		"token_endpoint":                        i.url + "/oauth/token",
		"jwks_uri":                              i.url + "/.well-known/jwks.json",
		"userinfo_endpoint":                     i.url + "/oauth/userinfo",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "public_metadata", "private_metadata", "offline_access"},
	}))
	paths.HandleFunc("GET /.well-known/jwks.json", answerJSON(map[string]any{"keys": []any{map[string]string{
		"use": "sig", "kty": "RSA", "kid": signingKeyID, "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}}))
	server := &http.Server{
		Handler: paths, ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return i, nil
}

func answerJSON(answer any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// What docs/oidc.md writes for what is everybody's own.
const (
	documentedIssuer  = "https://clerk.example.com"
	documentedClient  = "CLIENT_ID"
	documentedCluster = "CLUSTER"
)

// documented is a block of docs/oidc.md, the one that has the text, with this issuer's own in the place of the examples.
func (i *issuer) documented(root, text string) (string, error) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "oidc.md"))
	if err != nil {
		return "", err
	}
	for number, block := range strings.Split(string(page), "```") {
		if number%2 == 0 || !strings.Contains(block, text) {
			continue
		}
		_, block, _ = strings.Cut(block, "\n") // The language.
		return strings.NewReplacer(documentedIssuer, i.url, documentedClient, oauthClient, documentedCluster, clusterName).Replace(block), nil
	}
	return "", fmt.Errorf("docs/oidc.md has no block with %q", text)
}

// writeAuthenticationConfiguration writes what the API server needs to know of this issuer: what docs/oidc.md has, and its authority.
func (i *issuer) writeAuthenticationConfiguration(root, path string) error {
	text, err := i.documented(root, "kind: AuthenticationConfiguration")
	if err != nil {
		return err
	}
	audiences := "      audiences: [" + oauthClient + "]\n"
	if !strings.Contains(text, audiences) {
		return fmt.Errorf("docs/oidc.md: the configuration has no line %q", audiences)
	}
	ca := "      certificateAuthority: |\n        " + strings.ReplaceAll(strings.TrimSpace(string(i.ca)), "\n", "\n        ") + "\n"
	return os.WriteFile(path, []byte(strings.Replace(text, audiences, audiences+ca, 1)), 0o600)
}

// token is an id token of a user, as kubectl gets it at login.
func (i *issuer) token(user, email string) (string, error) {
	now := time.Now()
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": signingKeyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "sub": user, "aud": oauthClient, "email": email, "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// selfSigned is a certificate for 127.0.0.1 that is its own authority.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "identity provider"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
