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

package endpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAForgedDeliveryThatIsRefusedProvesTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		status  int
		problem string
	}{
		"refused":       {reason: "is as it should be", status: http.StatusUnauthorized},
		"accepted":      {reason: "is somebody who accepts anything", status: http.StatusNoContent, problem: "no clerk-operator"},
		"unknown":       {reason: "is another path", status: http.StatusNotFound, problem: "no such ClerkInstance"},
		"without keys":  {reason: "verifies nothing", status: http.StatusServiceUnavailable, problem: "no signing secret is usable"},
		"redirected":    {reason: "Clerk's sender does not follow it", status: http.StatusMovedPermanently, problem: "it was 301"},
		"not a gateway": {reason: "is a proxy", status: http.StatusBadGateway, problem: "it was 502"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.Header.Get("Svix-Signature") == "" {
					t.Errorf("it is no delivery: %s %v", r.Method, r.Header)
				}
				w.WriteHeader(tc.status)
			}))
			defer server.Close()
			err := Check(t.Context(), server.URL+"/webhooks/default")
			if tc.problem == "" && err != nil {
				t.Errorf("it %s: %v", tc.reason, err)
			}
			if tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
				t.Errorf("it %s: got %v, want %q", tc.reason, err, tc.problem)
			}
		})
	}
}

func TestFromOutsideACertificateHasToBeValid(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	if err := CheckOnce(t.Context(), server.URL, ValidCertificate); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want that the certificate is not valid", err)
	}
	if err := CheckOnce(t.Context(), server.URL, AnyCertificate); err != nil {
		t.Error(err)
	}
}
