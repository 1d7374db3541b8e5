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

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// TestSigningSecretsRotateWithoutARestart does what a person does who changes the signing secret of an endpoint, step by step, and looks
// at what each replica answers to either secret.
func TestSigningSecretsRotateWithoutARestart(t *testing.T) {
	e := &endpoint{t: t, replicas: startReplicas(t, 2), instance: fmt.Sprintf("rotating-%d", clerks.Add(1))}
	before, after := newSecret(), newSecret()
	e.wants("the ClerkInstance does not exist", before, http.StatusNotFound)

	must(t, cluster.Create(t.Context(), &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: e.instance},
		Spec: v1alpha1.ClerkInstanceSpec{
			Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: e.instance}},
		},
	}))
	e.wants("the Secret does not exist", before, http.StatusServiceUnavailable)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: e.instance}}
	must(t, cluster.Create(t.Context(), secret))
	e.wants("the Secret is empty", before, http.StatusServiceUnavailable)

	secret.StringData = map[string]string{"a": ""}
	must(t, cluster.Update(t.Context(), secret))
	e.wants("its one key is empty, with which anyone could sign", before, http.StatusServiceUnavailable)

	secret.StringData = map[string]string{"a": before}
	must(t, cluster.Update(t.Context(), secret))
	e.wants("it is the secret", before, http.StatusNoContent)
	e.wants("it is no secret yet", after, http.StatusUnauthorized)

	secret.StringData = map[string]string{"b": after}
	must(t, cluster.Update(t.Context(), secret))
	e.wants("it was added", after, http.StatusNoContent)
	e.wants("it is still there", before, http.StatusNoContent)

	delete(secret.Data, "a")
	secret.StringData = nil
	must(t, cluster.Update(t.Context(), secret))
	e.wants("it was removed", before, http.StatusUnauthorized)
	e.wants("it stays", after, http.StatusNoContent)

	must(t, cluster.Delete(t.Context(), secret))
	e.wants("the Secret is gone", after, http.StatusServiceUnavailable)

	must(t, cluster.Delete(t.Context(), &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: e.instance}}))
	e.wants("the ClerkInstance is gone", after, http.StatusNotFound)
}

func newSecret() string {
	secret := clerktest.NewSecret()
	logs.watchFor(secret)
	return secret
}

// endpoint is where the deliveries for a ClerkInstance come in, on every replica.
type endpoint struct {
	t        *testing.T
	replicas []*replica
	instance string
}

// wants waits until every replica answers a delivery that is signed with a secret in this way. The event is one that is not mirrored.
func (e *endpoint) wants(reason, secret string, status int) {
	e.t.Helper()
	event := clerktest.Event{Type: "session.created", Time: time.Now(), Data: map[string]any{"id": "sess_1"}}
	for _, r := range e.replicas {
		eventually(e.t, fmt.Sprintf("%d from replica %s because %s", status, r.name, reason), func(ctx context.Context) error {
			have, err := post(ctx, clerktest.Sender{URL: r.url(e.instance), Secret: secret}, clerktest.RandomID("msg"), event.Body())
			if err != nil {
				return err
			}
			if have.status != status {
				return fmt.Errorf("the answer is %d %s", have.status, have.text)
			}
			return nil
		})
	}
}

// answer is the answer to one delivery.
type answer struct {
	status int
	text   string
	took   time.Duration
}

// post delivers once. An answer that asks for another attempt must say when.
func post(ctx context.Context, sender clerktest.Sender, id string, body []byte) (answer, error) {
	header := &headerKeeper{}
	sender.Client = &http.Client{Transport: header}
	began := time.Now()
	status, text, err := sender.Send(ctx, clerktest.Delivery{ID: id, Body: body})
	if err != nil {
		return answer{}, err
	}
	if status == http.StatusServiceUnavailable {
		if seconds, err := strconv.Atoi(header.kept.Get("Retry-After")); err != nil || seconds <= 0 {
			return answer{}, fmt.Errorf("503 says to try again after %q", header.kept.Get("Retry-After"))
		}
	}
	return answer{status, text, time.Since(began)}, nil
}

// headerKeeper keeps the header of an answer.
type headerKeeper struct {
	kept http.Header
}

// RoundTrip implements http.RoundTripper.
func (k *headerKeeper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil {
		k.kept = response.Header
	}
	return response, err
}
