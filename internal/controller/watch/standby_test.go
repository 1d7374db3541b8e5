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

package watch

import (
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

func TestALossIsOverdueOnceTheElectedReplicaHadItsTime(t *testing.T) {
	t.Parallel()
	loss := func(name string) tenant.Loss {
		return tenant.Loss{RoleBinding: "1", Subject: rbacv1.Subject{Name: name}}
	}
	const acme, other = "default.org-acme", "default.org-other"
	began := time.Now()
	var overdue overdueLosses
	for i, step := range []struct {
		organization string
		after        time.Duration
		losses       []tenant.Loss
		want         bool
	}{
		{acme, 0, []tenant.Loss{loss("jane")}, false},
		{other, StandbyDelay, []tenant.Loss{loss("jane")}, false},
		{acme, StandbyDelay - 1, []tenant.Loss{loss("jane")}, false},
		{acme, StandbyDelay, []tenant.Loss{loss("joe")}, false}, // one after the other, each just now
		{acme, 2*StandbyDelay - 1, []tenant.Loss{loss("joe"), loss("eve")}, false},
		{acme, 2 * StandbyDelay, []tenant.Loss{loss("joe"), loss("eve")}, true},
		{acme, 2*StandbyDelay + 1, nil, false},
		{acme, 2*StandbyDelay + 2, []tenant.Loss{loss("joe")}, false},
		{other, 3 * StandbyDelay, []tenant.Loss{loss("jane")}, true},
	} {
		if got := overdue.any(step.organization, step.losses, began.Add(step.after)); got != step.want {
			t.Errorf("step %d: %s, %v later, losses %v: overdue is %t", i, step.organization, step.after, step.losses, got)
		}
	}
	overdue.any(other, nil, began)
	overdue.any(acme, nil, began)
	if len(overdue.since) != 0 {
		t.Errorf("it still remembers %v", overdue.since)
	}
}
