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

// Package svix proves that what independent senders sign is accepted: the npm packages svix, of the service that
// delivers for Clerk, and standardwebhooks.
package svix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/receiver"
)

const (
	secret      = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
	otherSecret = "whsec_ZmVkY2JhOTg3NjU0MzIxMA=="
)

// oneInstance is a cache with one ClerkInstance and its Secret.
type oneInstance struct{}

// Get implements client.Reader.
func (oneInstance) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	switch object := object.(type) {
	case *v1alpha1.ClerkInstance:
		object.Name = key.Name
		object.Spec.Webhook.SigningSecretRef.Name = "webhook"
	case *corev1.Secret:
		object.Data = map[string][]byte{"current": []byte(secret)}
	}
	return nil
}

// List implements client.Reader.
func (oneInstance) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nobody should list anything")
}

// recorder is a mirror that remembers what came in.
type recorder struct {
	types []string
}

// Apply implements receiver.Mirror.
func (r *recorder) Apply(_ context.Context, _ string, event *clerk.Event) (mirror.Outcome, error) {
	r.types = append(r.types, event.Type)
	return mirror.Applied, nil
}

// job is what sign.mjs reads.
type job struct {
	Library   string `json:"library"`
	Secret    string `json:"secret"`
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Body      string `json:"body"`
}

func sign(t *testing.T, j job) http.Header {
	t.Helper()
	input, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "sign.mjs")
	command.Stdin = bytes.NewReader(input)
	var problems strings.Builder
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		t.Fatalf("sign with npm's %s: %v\n%s", j.Library, err, problems.String())
	}
	var values map[string]string
	if err := json.Unmarshal(output, &values); err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for name, value := range values {
		header.Set(name, value)
	}
	return header
}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node.js is not installed: nothing was signed by the npm packages svix and standardwebhooks")
	}
	if _, err := os.Stat("node_modules"); err != nil {
		t.Skip("node_modules is missing: run `npm ci` in test/svix to have deliveries signed by the npm packages svix and standardwebhooks")
	}
}

func TestDeliveriesSignedByOthers(t *testing.T) {
	needNode(t)
	body, err := os.ReadFile(filepath.Join("..", "..", "internal", "examples", "events", clerk.TypeOrganizationUpdated+".json"))
	if err != nil {
		t.Fatal(err)
	}
	updated := []string{clerk.TypeOrganizationUpdated}
	cases := map[string]struct {
		reason   string
		job      job
		status   int
		mirrored []string
	}{
		"svix":             {"what signs for Clerk", job{Library: "svix", Secret: secret}, http.StatusNoContent, updated},
		"standardwebhooks": {"the webhook-* headers", job{Library: "standardwebhooks", Secret: secret}, http.StatusNoContent, updated},
		"another secret":   {"well signed, by somebody else", job{Library: "svix", Secret: otherSecret}, http.StatusUnauthorized, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.job.ID, tc.job.Timestamp, tc.job.Body = "msg_"+strings.ReplaceAll(name, " ", "_"), time.Now().Unix(), string(body)
			seen := &recorder{}
			r, err := receiver.New(receiver.Options{Reader: oneInstance{}, Mirror: seen})
			if err != nil {
				t.Fatal(err)
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/default", bytes.NewReader(body))
			request.Header = sign(t, tc.job)
			response := httptest.NewRecorder()
			r.Handler().ServeHTTP(response, request)

			if response.Code != tc.status {
				t.Errorf("%s: answered %d %q, want %d", tc.reason, response.Code, response.Body, tc.status)
			}
			if got := fmt.Sprint(seen.types); got != fmt.Sprint(tc.mirrored) {
				t.Errorf("%s: mirrored %s, want %s", tc.reason, got, tc.mirrored)
			}
		})
	}
}
