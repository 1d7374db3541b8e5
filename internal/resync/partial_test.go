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

package resync_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
)

// fail lets some requests fail.
func (w *world) fail(fault clerkapi.Fault, of func(path string) bool) {
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if of(strings.TrimPrefix(r.URL.Path, clerkapi.Prefix)) {
			return fault
		}
		return clerkapi.Fault{}
	})
}

// TestAListThatIsRefusedKeepsNoOtherBack: what the key may not list is named, and all else is listed, mirrored and removed.
func TestAListThatIsRefusedKeepsNoOtherBack(t *testing.T) {
	t.Parallel()
	refused := map[string]struct{ kind, reason string }{
		"/organization_permissions": {"ClerkPermission", v1alpha1.ReasonAPIRefused},
		"/organization_roles":       {"ClerkRole", v1alpha1.ReasonAPIRefused},
		"/organizations":            {"ClerkOrganization", v1alpha1.ReasonAPIRefused},
		"/users":                    {"ClerkUser", v1alpha1.ReasonAPIRefused},
	}
	for list, want := range refused {
		t.Run(want.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fill(6)
			w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
			w.api.DeleteMembership(w.id("orgmem", 1))
			w.api.SetUser(w.user(7))
			w.api.SetMembership(w.membership(7))
			w.fail(clerkapi.Refused(http.StatusForbidden), func(path string) bool { return path == list })
			status := w.resync(v1alpha1.ResyncIncomplete, want.reason)
			live := w.live()
			if live[w.id("orgmem", 1)] || !live[w.id("orgmem", 7)] {
				t.Errorf("members were not mirrored and removed: %v", live)
			}
			for n := range 3 {
				if !live[w.id("org", n)] {
					t.Errorf("organization %d was removed", n)
				}
			}
			for _, condition := range status.Conditions {
				if condition.Type == v1alpha1.ConditionSynced && strings.Count(condition.Message, want.kind) != 1 {
					t.Errorf("the message does not name once what is missing: %s", condition.Message)
				}
			}
			// It is no failure that passes.
			if again := w.reconcile(); again.RequeueAfter < 30*time.Minute {
				t.Errorf("it is tried again after %v, want the interval", again.RequeueAfter)
			}
		})
	}
}

// TestASecondLookThatFailsKeepsNoOtherDepartedInPlace, in this resync or in any later.
func TestASecondLookThatFailsKeepsNoOtherDepartedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(40)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	departed := func(n int) bool { return n < 8 && (n%3 == 0 || n == 7) }
	for n := range 40 {
		if departed(n) { // three of organization 0, one of organization 1, who comes last
			w.api.DeleteMembership(w.id("orgmem", n))
		}
	}
	w.fail(clerkapi.Refused(http.StatusUnprocessableEntity), func(path string) bool {
		return path == "/organizations/"+w.id("org", 0)+"/memberships"
	})
	w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonIncomplete)
	w.resync(v1alpha1.ResyncIncomplete, v1alpha1.ReasonIncomplete)
	live := w.live()
	if live[w.id("orgmem", 7)] {
		t.Error("somebody who left one organization is still in place because another cannot be looked at")
	}
	if !live[w.id("orgmem", 0)] {
		t.Error("somebody was removed without a second look")
	}
	w.api.Intercept(nil)
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if live := w.live(); live[w.id("orgmem", 0)] {
		t.Error("not repaired")
	}
}
