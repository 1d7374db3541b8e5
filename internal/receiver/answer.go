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
	"net/http"
	"strconv"

	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// Outcomes of deliveries that are refused, as metrics and logs name them. The outcomes of those that are not are mirror's.
const (
	// OutcomeMethod: 405, not a POST.
	OutcomeMethod = "method"

	// OutcomeUnknownPath: 404, not /webhooks/<name>.
	OutcomeUnknownPath = "unknown_path"

	// OutcomeUnknownInstance: 404, no ClerkInstance of that name.
	OutcomeUnknownInstance = "unknown_instance"

	// OutcomeNotReady: 503, the ClerkInstance has no usable signing secret.
	OutcomeNotReady = "not_ready"

	// OutcomeBadHeaders: 400, the signature's headers are missing, doubled or malformed.
	OutcomeBadHeaders = "bad_headers"

	// OutcomeUnauthorized: 401, no signature matches, or the timestamp is too far from the clock.
	OutcomeUnauthorized = "unauthorized"

	// OutcomeBusy: 503, no place became free in time.
	OutcomeBusy = "busy"

	// OutcomeTooLarge: 413, the body is longer than MaxBodyBytes.
	OutcomeTooLarge = "too_large"

	// OutcomeIncomplete: 408 or 400, the body did not arrive in time, or not whole.
	OutcomeIncomplete = "incomplete"

	// OutcomeNotUnderstood: 422, verified, but not an event as Clerk sends them.
	OutcomeNotUnderstood = "not_understood"

	// OutcomeWrongInstance: 403, verified, but of another Clerk environment than the ClerkInstance's.
	OutcomeWrongInstance = "wrong_instance"

	// OutcomeRejected: 422, understood, but the API server can never take it.
	OutcomeRejected = "rejected"

	// OutcomeUnavailable: 503, the API server or the cache has no answer now.
	OutcomeUnavailable = "unavailable"
)

// answer is what a delivery is answered with. Its message says what to do, in one line, and never quotes what was sent.
type answer struct {
	status  int
	outcome string
	message string

	// err is for the log alone.
	err error

	// abort tells Clerk's sender not to try again.
	abort bool
}

func accepted(outcome mirror.Outcome) *answer {
	return &answer{status: http.StatusNoContent, outcome: string(outcome)}
}

func refused(status int, outcome, message string) *answer {
	return &answer{status: status, outcome: outcome, message: message}
}

func tryAgain(outcome, message string, err error) *answer {
	return &answer{status: http.StatusServiceUnavailable, outcome: outcome, message: message, err: err}
}

func (a *answer) success() bool {
	return a.status < http.StatusMultipleChoices
}

func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(RetryAfterSeconds))
	}
	if a.abort {
		header.Set("Webhook-Delivery", "abort-message")
	}
	if a.message == "" {
		w.WriteHeader(a.status)
		return
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	// A sender that has hung up has no use for the message.
	_, _ = w.Write([]byte(a.message + "\n"))
}
