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

package kubectl

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/signing"
)

// secretVariable holds the signing secret, where neither a file nor the ClerkInstance's Secret is to be read. There is no flag for it:
// other users of the machine see what a command was called with.
const secretVariable = "CLERK_SIGNING_SECRET" //nolint:gosec // a name, no secret

const (
	// answerTimeout is how long is waited for an answer, as Clerk's sender does.
	answerTimeout = 15 * time.Second

	// maxAnswer bounds what is read of an answer, in bytes: the receiver says a sentence.
	maxAnswer = 4 << 10

	// maxSecret bounds what is read of a file with a signing secret, in bytes.
	maxSecret = 4 << 10
)

func (o *sendOptions) hasSecret() bool { return o.secretFile != "" || os.Getenv(secretVariable) != "" }

// sign is the headers of the delivery. Of a secret, no more is ever said than what is wrong with it.
func (t *target) sign(ctx context.Context, options *sendOptions, id string, body []byte) (http.Header, error) {
	var (
		from string
		data map[string][]byte
		err  error
	)
	switch {
	case options.secretFile != "":
		from = options.secretFile
		data, err = readSecretFile(options.secretFile)
	case os.Getenv(secretVariable) != "":
		from = "$" + secretVariable
		data = map[string][]byte{from: []byte(os.Getenv(secretVariable))}
	default:
		name := t.instance.Spec.Webhook.SigningSecretRef.Name
		from = "the Secret " + t.operator.namespace + "/" + name
		data, err = t.readSecret(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	verifier, problems := signing.Parse(data)
	if !verifier.Usable() {
		reason := "is empty"
		if len(problems) > 0 {
			reason = problems[0].Reason
		}
		return nil, fmt.Errorf("what %s holds cannot sign: it %s", from, reason)
	}
	return verifier.Sign(id, time.Now(), body)
}

func readSecretFile(path string) (map[string][]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the caller names it, and reads it with their own rights
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	value, err := io.ReadAll(io.LimitReader(file, maxSecret))
	return map[string][]byte{path: value}, err
}

// readSecret reads the signing secrets of the ClerkInstance with the caller's rights.
func (t *target) readSecret(ctx context.Context, name string) (map[string][]byte, error) {
	cluster, err := t.client()
	if err != nil {
		return nil, err
	}
	var secret corev1.Secret
	err = cluster.Get(ctx, client.ObjectKey{Namespace: t.operator.namespace, Name: name}, &secret)
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not read the Secret %s/%s, so you cannot sign for Clerk: ask for the verb get on it, "+
			"or give the signing secret in $%s", t.operator.namespace, name, secretVariable)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("the Secret %s/%s does not exist: kubectl clerk doctor says how to create it", t.operator.namespace, name)
	case err != nil:
		return nil, fmt.Errorf("read the signing secret: %w", err)
	}
	return secret.Data, nil
}

// deliver sends a delivery, and writes down what was answered.
func (t *target) deliver(ctx context.Context, found *Send, header http.Header, body []byte) error {
	var address string
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if t.url != nil {
		address = t.url.String()
	} else {
		forwarded, err := t.operator.forward(ctx, "")
		if err != nil {
			return err
		}
		defer forwarded.close()
		address = forwarded.url() + t.path
		transport = directTransport()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "kubectl-clerk/"+t.Version)
	sender := &http.Client{
		Timeout: answerTimeout, Transport: transport,
		// To Clerk's sender, a redirect is a failure like any other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := sender.Do(request)
	if err != nil {
		return fmt.Errorf("nothing answers at %s, so it is not known whether the event was heard: %w", t.describe(), err)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	found.Status, found.Answer = response.StatusCode, strings.TrimSpace(string(answer))
	found.Accepted, found.Meaning = response.StatusCode == http.StatusNoContent, meaningOf(response.StatusCode)
	return nil
}

// directTransport is how a forwarded port is spoken to. Its other end is the very pod, which the API server vouches for, and no certificate
// of the receiver's is for 127.0.0.1.
func directTransport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // see above
		MinVersion:         tls.VersionTLS12,
	}}
}
