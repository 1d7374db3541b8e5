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
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
)

// send plays Clerk as a person does who has a kubeconfig and nothing else: the secret comes from the cluster, and the way to the operator
// is a port that the kubelet forwards. The event mirrors nothing, so the other steps do not see it.
func send(t *testing.T, s *story) {
	t.Helper()
	log.SetLogger(logr.Discard()) // as the plugin's program does; without one, controller-runtime complains
	began := time.Now()
	var out, problems bytes.Buffer
	code := kubectl.Main(t.Context(), kubectl.Options{
		Streams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &problems}, Now: time.Now, Version: "e2e",
	}, "send", "session.created", "--kubeconfig", s.kubeconfig, "--instance", instance, "--yes", "-o", "json")
	var sent kubectl.Send
	if err := json.Unmarshal(out.Bytes(), &sent); err != nil || code != kubectl.ExitYes || sent.Status != http.StatusNoContent {
		t.Fatalf("exit code %d (%v): %s%s", code, err, &out, &problems)
	}
	say("session.created to %s: %d after %s", sent.To, sent.Status, since(began))
}
