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

package tenant

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestAStatusSaysWhatWasTakenAway(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	before := metav1.Condition{Type: v1alpha1.ConditionDerivedAccessRemoved, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRemoved,
		Message: "taken away before"}
	for name, test := range map[string]struct {
		removal *Removal
		before  []metav1.Condition
		want    []string
	}{
		"nothing was": {},
		"something was": {removal: &Removal{RoleBindingsChanged: 1, RoleBindingsDeleted: 2, Secrets: 3, ServiceAccounts: 5, At: at}, want: []string{
			"True Removed: taken away at 2026-11-28T09:00:00Z, since people have no access any longer: " +
				"RoleBindings changed: 1, RoleBindings deleted: 2, Secrets with tokens deleted: 3, ServiceAccounts made again: 5"}},
		"something could not be": {removal: &Removal{Secrets: 4, Missed: 1, At: at}, before: []metav1.Condition{before}, want: []string{
			"False NotRemoved: taken away at 2026-11-28T09:00:00Z, since people have no access any longer: " +
				"RoleBindings changed: 0, RoleBindings deleted: 0, Secrets with tokens deleted: 4, ServiceAccounts made again: 0; " +
				"1 could not be taken away, and it is tried again: the operator's log says why"}},
		"something was before": {before: []metav1.Condition{before}, want: []string{"True Removed: taken away before"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := situation()
			s.Removal, s.Organization.Status.Conditions = test.removal, test.before
			intent := Decide(s)
			for kind, status := range map[string]v1alpha1.ClerkOrganizationStatus{
				"living": Status(s, intent, nil), "deleted": DeletedStatus(s, intent, nil, nil),
			} {
				var got []string
				for _, condition := range status.Conditions {
					if condition.Type == v1alpha1.ConditionDerivedAccessRemoved {
						got = append(got, string(condition.Status)+" "+condition.Reason+": "+condition.Message)
					}
				}
				if difference := cmp.Diff(test.want, got); difference != "" {
					t.Errorf("%s (-want +got):\n%s", kind, difference)
				}
			}
		})
	}
}
