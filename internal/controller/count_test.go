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

package controller

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

func TestACountTellsWhatAPersonHasToKnow(t *testing.T) {
	t.Parallel()
	const retention = 168 * time.Hour
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *metav1.MicroTime { return new(metav1.NewMicroTime(now.Add(-d))) }
	conditions := func(reason string) []metav1.Condition {
		return condition.Verdict{Ready: reason == v1alpha1.ReasonReady, Reason: reason}.Conditions(nil, 1)
	}
	bound := func(reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionBound, Status: metav1.ConditionTrue, Reason: reason}}
	}
	organization := func(id string, deleted *metav1.MicroTime, reason string, deleteAt time.Time) v1alpha1.ClerkOrganization {
		o := v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{ID: id, DeletedAt: deleted}}}
		if reason != "" {
			o.Status.Conditions = conditions(reason)
		}
		if !deleteAt.IsZero() {
			o.Status.Namespaces = []v1alpha1.OrganizationNamespace{{DeleteAt: new(metav1.NewTime(deleteAt))}}
		}
		return o
	}
	member := func(organization string, deleted *metav1.MicroTime, conditions []metav1.Condition) v1alpha1.ClerkMember {
		return v1alpha1.ClerkMember{
			Spec:   v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{DeletedAt: deleted}, OrganizationID: organization},
			Status: v1alpha1.ClerkMemberStatus{Conditions: conditions},
		}
	}
	for name, test := range map[string]struct {
		reason       string
		organization *v1alpha1.ClerkOrganization
		member       *v1alpha1.ClerkMember
		want         func(*tally)
	}{
		"ready": {"as it should be", new(organization("org_1", nil, v1alpha1.ReasonReady, time.Time{})), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateReady}] = 1
		}},
		"taken": {"a person has to act, and learns why", new(organization("org_1", nil, v1alpha1.ReasonNamespaceTaken, time.Time{})), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateNotReady}] = 1
			want.reasons[[2]string{v1alpha1.KindOrganization, v1alpha1.ReasonNamespaceTaken}] = 1
		}},
		"new": {"nobody has looked at it, which has a reason as well", new(organization("org_1", nil, "", time.Time{})), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateNotReady}] = 1
			want.reasons[[2]string{v1alpha1.KindOrganization, v1alpha1.ReasonProgressing}] = 1
		}},
		"tombstone": {"within the retention", new(organization("org_1", ago(retention), "", time.Time{})), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateTombstone}] = 1
		}},
		"overdue tombstone": {"past the retention and the allowance for clocks", new(organization("org_1", ago(retention+2*time.Minute), "", time.Time{})), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateTombstone}] = 1
			want.overdue[v1alpha1.KindOrganization] = 1
		}},
		"waiting tombstone": {"its namespace goes tomorrow, as the class says", new(organization("org_1", ago(2*retention), "", now.Add(24*time.Hour))), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateTombstone}] = 1
		}},
		"stuck tombstone": {"its namespace should have gone an hour ago", new(organization("org_1", ago(2*retention), "", now.Add(-time.Hour))), nil, func(want *tally) {
			want.states[[2]string{v1alpha1.KindOrganization, stateTombstone}] = 1
			want.overdue[v1alpha1.KindOrganization] = 1
		}},
		"bound member": {"as it should be", nil, new(member("org_1", nil, append(bound(v1alpha1.ReasonBound), conditions(v1alpha1.ReasonReady)...))), func(want *tally) {
			want.states[[2]string{v1alpha1.KindMember, stateReady}] = 1
		}},
		"bound tombstone": {"whoever left still has access", nil, new(member("org_1", ago(time.Second), bound(v1alpha1.ReasonBound))), func(want *tally) {
			want.states[[2]string{v1alpha1.KindMember, stateTombstone}] = 1
			want.pending = 1
		}},
		"unbound tombstone": {"whoever left has none", nil, new(member("org_1", ago(retention+time.Hour), conditions(v1alpha1.ReasonDeleted))), func(want *tally) {
			want.states[[2]string{v1alpha1.KindMember, stateTombstone}] = 1
			want.overdue[v1alpha1.KindMember] = 1
		}},
		"bound in what is deleted": {
			"the organization is gone, and the member not", new(organization("org_1", ago(time.Second), "", time.Time{})),
			new(member("org_1", nil, append(bound(v1alpha1.ReasonBound), conditions(v1alpha1.ReasonReady)...))), func(want *tally) {
				want.states[[2]string{v1alpha1.KindOrganization, stateTombstone}] = 1
				want.states[[2]string{v1alpha1.KindMember, stateReady}] = 1
				want.pending = 1
			}},
		"banned": {"the access is being taken away", nil, new(member("org_1", nil, append(bound(v1alpha1.ReasonProgressing), conditions(v1alpha1.ReasonProgressing)...))), func(want *tally) {
			want.states[[2]string{v1alpha1.KindMember, stateNotReady}] = 1
			want.reasons[[2]string{v1alpha1.KindMember, v1alpha1.ReasonProgressing}] = 1
			want.pending = 1
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := newTally(), newTally()
			test.want(&want)
			var organizations []v1alpha1.ClerkOrganization
			var members []v1alpha1.ClerkMember
			if test.organization != nil {
				organizations = append(organizations, *test.organization)
			}
			if test.member != nil {
				members = append(members, *test.member)
			}
			deleted := got.organizations(organizations, retention, now)
			got.members(members, deleted, retention, now)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, want %+v", test.reason, got, want)
			}
		})
	}
}

// No test beside this one may show a tally at the same time: the metrics are the process's.
func TestMetricsForgetWhatIsGone(t *testing.T) {
	created := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	heard := created.Add(time.Hour)
	instances := []v1alpha1.ClerkInstance{
		{ObjectMeta: metav1.ObjectMeta{Name: "counter-quiet", CreationTimestamp: metav1.NewTime(created)}},
		{ObjectMeta: metav1.ObjectMeta{Name: "counter-heard", CreationTimestamp: metav1.NewTime(created)},
			Status: v1alpha1.ClerkInstanceStatus{LastEvent: v1alpha1.LastEvent{ReceivedAt: metav1.NewTime(heard)}}},
	}
	for i := range instances {
		instances[i].Spec.Webhook.SigningSecretRef.Name = "webhook"
	}
	unheard := v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: "counter-unheard"}}
	before, after := newTally(), newTally()
	before.instances([]v1alpha1.ClerkInstance{unheard})
	before.instances(instances)
	before.reasons[[2]string{v1alpha1.KindOrganization, "CountedReason"}] = 2
	before.show(tally{})
	silent := "clerk_operator_instance_silent_since_timestamp_seconds"
	if got := gauges(t, silent)["counter-quiet"]; got != float64(created.Unix()) {
		t.Errorf("never heard from: silent since %v, want its creation", got)
	}
	if got, there := gauges(t, silent)["counter-unheard"]; there {
		t.Errorf("one that nothing is delivered to: silent since %v", got)
	}
	if got := gauges(t, silent)["counter-heard"]; got != float64(heard.Unix()) {
		t.Errorf("heard from: silent since %v, want the last event", got)
	}
	if got := gauges(t, "clerk_operator_mirror_not_ready")["CountedReason"]; got != 2 {
		t.Errorf("%v with the reason, want 2", got)
	}
	after.instances(instances[1:])
	after.show(before)
	if _, there := gauges(t, silent)["counter-quiet"]; there {
		t.Error("a ClerkInstance that is gone is still there")
	}
	if _, there := gauges(t, silent)["counter-heard"]; !there {
		t.Error("a ClerkInstance that is there is gone")
	}
	if _, there := gauges(t, "clerk_operator_mirror_not_ready")["CountedReason"]; there {
		t.Error("a reason that nothing has any more is still there")
	}
}

// gauges are the values of a metric by the last of their labels.
func gauges(t *testing.T, metric string) map[string]float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		for _, one := range family.GetMetric() {
			values[one.GetLabel()[len(one.GetLabel())-1].GetValue()] = one.GetGauge().GetValue()
		}
	}
	return values
}
