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

package organization

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestOnlyCountsMayLag(t *testing.T) {
	t.Parallel()
	status := func(members int32, reason, message string) v1alpha1.ClerkOrganizationStatus {
		return v1alpha1.ClerkOrganizationStatus{Members: new(members), ClassName: "standard", Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Reason: reason, Message: message},
		}}
	}
	before := status(1, v1alpha1.ReasonReady, "all is well")
	observed := status(1, v1alpha1.ReasonObserving, "it would grant view to 1 users")
	otherClass := status(1, v1alpha1.ReasonReady, "all is well")
	otherClass.ClassName = "gold"
	tests := map[string]struct {
		before, after v1alpha1.ClerkOrganizationStatus
		want          bool
	}{
		"a member more":              {before, status(2, v1alpha1.ReasonReady, "all is well"), true},
		"a preview counts one more":  {observed, status(2, v1alpha1.ReasonObserving, "it would grant view to 2 users"), true},
		"another reason":             {before, status(2, v1alpha1.ReasonRejected, "all is well"), false},
		"another message":            {before, status(1, v1alpha1.ReasonReady, "a namespace is no longer wanted"), false},
		"another class":              {before, otherClass, false},
		"no longer a preview at all": {observed, before, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := differsInCounts(test.before, test.after); got != test.want {
				t.Errorf("it may lag: %t, want %t", got, test.want)
			}
		})
	}
}

func TestTheAgeOfAStatus(t *testing.T) {
	t.Parallel()
	statuses := newWrittenStatuses()
	now := time.Now()
	if age := statuses.age("acme", now); age < countPause {
		t.Errorf("one that was never written is %s old", age)
	}
	statuses.written("acme", v1alpha1.ClerkOrganizationStatus{ClassName: "standard"}, now)
	if age := statuses.age("acme", now.Add(time.Millisecond)); age != time.Millisecond {
		t.Errorf("it is %s old", age)
	}
	if !statuses.isOwn("acme", v1alpha1.ClerkOrganizationStatus{ClassName: "standard"}) {
		t.Error("what was written is not known as its own")
	}
	if statuses.isOwn("acme", v1alpha1.ClerkOrganizationStatus{ClassName: "gold"}) {
		t.Error("what somebody else wrote is taken for its own")
	}
	statuses.forget("acme")
	if age := statuses.age("acme", now); age < countPause {
		t.Errorf("one that is forgotten is %s old", age)
	}
}

func TestCountsOfManyOrganizationsComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	statuses := newWrittenStatuses()
	now := time.Now()
	organization := func(i int) types.UID { return types.UID(strconv.Itoa(i)) }
	for i := range countBurst {
		if wait := statuses.untilCount(organization(i), now, 1); wait > 0 {
			t.Fatalf("that of organization %d waits %s", i, wait)
		}
	}
	first, second := organization(countBurst), organization(countBurst+1)
	const turn = time.Second / countRate
	for range 3 { // to ask again puts it off no further, and takes no turn from others
		if wait := statuses.untilCount(first, now, 1); wait != turn {
			t.Errorf("the first that waits does so %s", wait)
		}
		if wait := statuses.untilCount(second, now, 1); wait != 2*turn {
			t.Errorf("the second that waits does so %s", wait)
		}
	}
	now = now.Add(2 * turn)
	if wait := statuses.untilCount(second, now, 1); wait > 0 {
		t.Errorf("when its time has come, it waits another %s", wait)
	}
	statuses.written(second, v1alpha1.ClerkOrganizationStatus{}, now)
	if wait := statuses.untilCount(second, now, 1); wait != countPause {
		t.Errorf("after it was written, the next one waits %s", wait)
	}
	now = now.Add(time.Hour)
	for i := range countBurst / countCost { // beside what is of more use, there are fewer
		if wait := statuses.untilCount(organization(-1-i), now, countCost); wait > 0 {
			t.Fatalf("beside others, that of organization %d waits %s", i, wait)
		}
	}
	if wait := statuses.untilCount(first, now.Add(-time.Hour).Add(turn), 1); wait > 0 {
		t.Errorf("whose turn it was waits %s", wait)
	}
	if wait := statuses.untilCount(organization(countBurst+2), now, countCost); wait != countCost*turn {
		t.Errorf("beside others, the first that waits does so %s", wait)
	}
}

func TestAStatusGivesWayForAWhile(t *testing.T) {
	t.Parallel()
	statuses := newWrittenStatuses()
	now := time.Now()
	if !statuses.giveWay("acme", now) || !statuses.giveWay("acme", now.Add(statusPause-1)) {
		t.Error("it does not give way")
	}
	if statuses.giveWay("acme", now.Add(statusPause)) {
		t.Error("it gives way for ever")
	}
	if !statuses.giveWay("other", now.Add(statusPause)) {
		t.Error("that of another organization does not give way")
	}
	statuses.written("acme", v1alpha1.ClerkOrganizationStatus{}, now)
	if !statuses.giveWay("acme", now.Add(statusPause)) {
		t.Error("the next one does not give way")
	}
}
