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
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// settledTenants are how many organizations there are, at least, when the operator is started again.
	settledTenants = 30

	// fewRequests is how many a start may take, whatever the number of tenants: a list and a watch of each kind, and the Lease.
	fewRequests = 100

	// afterwards is how long is looked for a write after every object was reconciled: some work waits a second or so for more to come.
	afterwards = 3 * time.Second
)

// TestARestartInTheRightStateWritesNothing starts the operator over tenants that are as they should be, and looks at its requests.
func TestARestartInTheRightStateWritesNothing(t *testing.T) {
	replicas := startReplicas(t, 1)
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(settledTenants, 2)
	w.deliver(8, nil, w.toAll()...)
	w.settle()
	wantCounts(t)
	seen, err := observe(t.Context())
	must(t, err)

	for range 2 {
		replicas[0].shutDown()
		organizations, members := reconciled(t, "organization"), reconciled(t, "member")
		began := time.Now()
		must(t, replicas[0].start())
		eventually(t, "every object to be reconciled", func(context.Context) error {
			o, m := reconciled(t, "organization")-organizations, reconciled(t, "member")-members
			if o < len(seen.organizations) || m < len(seen.members) {
				return fmt.Errorf("%d of %d organizations and %d of %d members", o, len(seen.organizations), m, len(seen.members))
			}
			return nil
		})
		took := time.Since(began)
		time.Sleep(afterwards)
		checkStart(t, replicas[0].link().list(func(apiRequest) bool { return true }))
		t.Logf("%d organizations and %d members were reconciled %s after the start", len(seen.organizations), len(seen.members),
			took.Round(time.Millisecond))
	}
	w.settle()
}

// wantCounts waits until each TenantClass has counted its organizations, which it does a second after the last of them.
func wantCounts(t *testing.T) {
	t.Helper()
	eventually(t, "the classes to count their organizations", func(ctx context.Context) error {
		var classes v1alpha1.TenantClassList
		var organizations v1alpha1.ClerkOrganizationList
		if err := errors.Join(cluster.List(ctx, &classes), cluster.List(ctx, &organizations)); err != nil {
			return err
		}
		counts := map[string]int32{}
		for _, organization := range organizations.Items {
			if organization.Spec.DeletedAt == nil {
				counts[organization.Status.ClassName]++
			}
		}
		for _, class := range classes.Items {
			if have := class.Status.Organizations; have == nil || *have != counts[class.Name] {
				return fmt.Errorf("%s does not say %d", class.Name, counts[class.Name])
			}
		}
		return nil
	})
}

func checkStart(t *testing.T, requests []apiRequest) {
	t.Helper()
	for _, q := range requests {
		if q.writes() && q.resource != "leases" && !isElectionEvent(q) && !isQuestion(q) {
			t.Errorf("the start wrote: %s", q)
		}
	}
	if len(requests) > fewRequests {
		t.Errorf("the start made %d requests, more than %d", len(requests), fewRequests)
	}
	t.Logf("the start made %d requests", len(requests))
}

// isElectionEvent tells whether a request is the event that says who leads now.
func isElectionEvent(q apiRequest) bool {
	return strings.HasPrefix(q.path, "/api/v1/namespaces/"+operatorproc.Namespace+"/events")
}

// isQuestion tells whether a request asks what the operator may do: its answer is stored nowhere.
func isQuestion(q apiRequest) bool {
	return q.resource == "selfsubjectrulesreviews" || q.resource == "selfsubjectaccessreviews"
}

// reconciled is how many reconciliations of a controller there were in this process.
func reconciled(t *testing.T, controller string) int {
	t.Helper()
	families, err := metrics.Registry.Gather()
	must(t, err)
	total := 0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == controller {
					total += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return total
}
