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

// Package wait lets tests wait for what must come true by itself.
package wait

import (
	"context"
	"testing"
	"time"
)

// pollInterval is how often is asked. It bounds how exact the time is that Within tells.
const pollInterval = 25 * time.Millisecond

// Within asks until the answer is no error, and tells how long that took. When the time is up, the test ends with the last error that says
// more than that.
func Within(t *testing.T, patience time.Duration, what string, check func(context.Context) error) time.Duration {
	t.Helper()
	began := time.Now()
	if err := Poll(t.Context(), patience, check); err != nil {
		t.Fatalf("%s: not within %s: %v", what, patience, err)
	}
	return time.Since(began)
}

// Poll asks until the answer is no error, and returns the last one when the time is up.
func Poll(ctx context.Context, patience time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil { // an error that only says that the time is up hides the real one
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pollInterval):
		}
	}
}
