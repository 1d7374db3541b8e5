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
	"testing"

	"github.com/clerk-operator/clerk-operator/test/wait"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is no error. What it asks is always something that must come true by itself.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	wait.Within(t, patience, what, check)
}

// poll asks until the answer is no error, and returns the last one when the time is up.
func poll(ctx context.Context, check func(context.Context) error) error {
	return wait.Poll(ctx, patience, check)
}
