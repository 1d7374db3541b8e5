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

package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// APIError is an answer of Clerk, or of something before it, that is no success. It never holds what was sent or answered.
type APIError struct {
	// Status is the HTTP status.
	Status int

	// Code is Clerk's own word for it, such as resource_not_found; empty where the answer is not Clerk's.
	Code string

	// Reason says more; empty where the status says all.
	Reason string

	// RetryAfter is the pause that was asked for.
	RetryAfter time.Duration
}

// Error implements error.
func (e *APIError) Error() string {
	text := fmt.Sprintf("Clerk answered %d %s", e.Status, http.StatusText(e.Status))
	if more := e.Code + e.Reason; more != "" { // an answer has one of them at most
		text += " (" + more + ")"
	}
	return text
}

// IsGone tells whether an error is Clerk's own word that something does not exist. A 404 that Clerk did not write, a proxy's or that of a
// wrong URL, says nothing.
func IsGone(err error) bool {
	answer, ok := errors.AsType[*APIError](err)
	return ok && answer.Status == http.StatusNotFound && answer.Code != ""
}

func apiError(response *http.Response) *APIError {
	result := &APIError{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now())}
	var body struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
	if err != nil || json.Unmarshal(content, &body) != nil || len(body.Errors) == 0 {
		return result
	}
	if code := body.Errors[0].Code; clerk.CheckKey("code", code, maxCodeLength) == nil {
		result.Code = code
	}
	return result
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// pauseAfter is how long to wait after a failed attempt; false when another would not help.
func pauseAfter(err error, attempt int, pauses *wait.Backoff) (time.Duration, bool) {
	if attempt >= maxAttempts {
		return 0, false
	}
	backoff := pauses.Step()
	answer, ok := errors.AsType[*APIError](err)
	if !ok {
		return backoff, true // no answer, or half of one
	}
	if answer.Status != http.StatusTooManyRequests && answer.Status < http.StatusInternalServerError {
		return 0, false
	}
	if answer.RetryAfter > maxRetryAfter {
		return 0, false
	}
	return max(answer.RetryAfter, backoff), true
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
