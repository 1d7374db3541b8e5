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

package kubectl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
)

// TestEvents looks that what the operator told of an organization that is not ready is shown.
func TestEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for told := false; !told; { // Events are written some time after they happen
		var found kubectl.Events
		if err := json.Unmarshal([]byte(run(t, "events", "ops", "-o", "json").out), &found); err != nil {
			t.Fatal(err)
		}
		told = slices.ContainsFunc(found.Items, func(item kubectl.EventItem) bool {
			return item.Reason == "NamespaceNameInvalid" && item.Kind == "ClerkOrganization" && item.Name == "default.org-2ops" &&
				item.Type == "Warning" && item.SeenAt != nil && item.Message != ""
		})
		if ctx.Err() != nil {
			t.Fatalf("no Event tells of it: %+v", found.Items)
		}
		time.Sleep(pollInterval)
	}
	command(t, kubectl.ExitNo, "NamespaceNameInvalid", "events", "--warnings")
	command(t, kubectl.ExitYes, "Nothing was told lately.", "events", "org_2gone", "--warnings")
	command(t, kubectl.ExitNo, fmt.Sprintf("%s/%s", "clerkorganization.clerk-operator.io", "default.org-2ops"), "events", "ops", "-o", "name")
	command(t, kubectl.ExitError, "you may not list events", "events", "--as", "viewer")
}
