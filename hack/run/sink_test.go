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

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// What the page says of a sink: its URL is printed, and what is delivered there arrives at the service.
func TestASinkIsServed(t *testing.T) {
	arrived := make(chan string, 1)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		arrived <- request.Header.Get("ce-id") + " " + request.Header.Get("ce-type") + " " + string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer service.Close()
	run := startRun(t, map[string]string{secretVariable: someSecret, sinkSecretVariable: otherSecret, sinkHTTPVariable: service.URL})
	url := sinkURLOf(run.output.String())
	if url == "" {
		t.Fatalf("no URL of the sink is printed:\n%s", run.output)
	}
	run.until("the ClerkSink is Ready", func() bool {
		return strings.Contains(run.kubectl("get", "clerksinks", "run", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"), "True")
	})
	sender := clerktest.Sender{URL: url, Secret: otherSecret}
	event := clerktest.UserCreated(clerktest.User{ID: clerktest.ID("user", "jane"), UpdatedAt: time.Now()})
	if status, answer, err := sender.Deliver(t.Context(), "msg_1", event); err != nil || status != http.StatusNoContent {
		t.Fatalf("answered %d %s (%v)", status, answer, err)
	}
	if got := <-arrived; !strings.HasPrefix(got, "msg_1 com.clerk.user.created {") {
		t.Errorf("arrived: %s", got)
	}
	run.end()
	if strings.Contains(run.output.String(), otherSecret) {
		t.Error("the sink's secret was printed")
	}
}

// sinkURLOf is the URL to enter in Clerk, as it is printed.
func sinkURLOf(output string) string {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "http://") && strings.HasSuffix(line, "/webhooks/default/sinks/run") {
			return line
		}
	}
	return ""
}
