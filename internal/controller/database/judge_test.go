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

package database

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// inStep are facts of a database with which nothing is wrong.
func inStep(change func(*facts)) facts {
	object := &v1alpha1.ClerkDatabase{ObjectMeta: metav1.ObjectMeta{
		Name: "app", Generation: 3, CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour)),
	}}
	object.Spec.InstanceRef.Name, object.Spec.Schema = "default", "clerk"
	f := facts{object: object, now: noon, state: database.State{IsConnected: true, IsInStep: true, ComparedAt: noon.Add(-time.Minute)}}
	if change != nil {
		change(&f)
	}
	return f
}

// failing are facts of a database that something is wrong with.
func failing(reason, message string) facts {
	return inStep(func(f *facts) {
		f.state.IsInStep = false
		f.state.Failure = &database.Failure{Code: "28P01", Reason: reason, Message: message, At: noon}
	})
}

func TestConditionsOfADatabase(t *testing.T) {
	problem := &database.ProblemError{Reason: v1alpha1.ReasonSecretNotFound, Message: "create it"}
	tests := map[string]struct {
		facts facts
		want  string // type=status/reason, in order
		says  string
	}{
		"in step":   {inStep(nil), "Ready=True/Ready", "the schema clerk is kept in step with what is mirrored of default"},
		"comparing": {inStep(func(f *facts) { f.state.IsInStep = false }), "Ready=False/Progressing", "compared"},
		"a problem": {inStep(func(f *facts) { f.problem = problem }), "Ready=False/SecretNotFound Stalled=True/SecretNotFound", "create it"},
		"a problem beside a failure": {
			failing(v1alpha1.ReasonDatabaseUnavailable, "").with(func(f *facts) { f.problem = problem }),
			"Ready=False/SecretNotFound Stalled=True/SecretNotFound", "create it",
		},
		"away":                       {failing(v1alpha1.ReasonDatabaseUnavailable, ""), "Ready=False/DatabaseUnavailable", "it is tried again"},
		"what the failure says more": {failing(v1alpha1.ReasonSchemaTaken, "somebody's table is there"), "Ready=False/SchemaTaken Stalled=True/SchemaTaken", "somebody's table is there"},
		"some rows are refused": {
			inStep(func(f *facts) { f.state.Refused, f.state.RefusedCode = 2, "23514" }),
			"Ready=True/Ready DataRefused=True/RowsRefused", "2 row(s) in no form (23514)",
		},
		"too many rows are refused": {
			failing(v1alpha1.ReasonRowsRefused, "").with(func(f *facts) { f.state.Refused = 2000 }),
			"Ready=False/RowsRefused Stalled=True/RowsRefused DataRefused=True/RowsRefused", "too many rows",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var have, messages []string
			for _, condition := range test.facts.conditions() {
				have = append(have, condition.Type+"="+string(condition.Status)+"/"+condition.Reason)
				messages = append(messages, condition.Message)
				if condition.ObservedGeneration != 3 {
					t.Errorf("%s is of generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
			if strings.Join(have, " ") != test.want {
				t.Errorf("got %v, want %s", have, test.want)
			}
			if all := strings.Join(messages, "\n"); !strings.Contains(all, test.says) {
				t.Errorf("nothing says %q: %s", test.says, all)
			}
		})
	}
}

func (f facts) with(change func(*facts)) facts {
	change(&f)
	return f
}

func TestEachReasonSaysWhatToDoAndHoldsTheCodeAlone(t *testing.T) {
	for reason, sentence := range advice {
		ready, stalled := failing(reason, "").ready()
		if ready.Reason != reason || ready.Message != sentence+" (28P01)" {
			t.Errorf("%s: got %s: %s", reason, ready.Reason, ready.Message)
		}
		if waits := reason == v1alpha1.ReasonDatabaseUnavailable; stalled == waits {
			t.Errorf("%s: stalled is %t; only what goes away by itself is not", reason, stalled)
		}
	}
	for reason := range stalling {
		failure := failing(reason, "")
		if ready, _ := failure.ready(); advice[reason] == "" && !schemaSays[reason] {
			t.Errorf("%s has no advice, and no failure says it: %s", reason, ready.Message)
		}
	}
}

// schemaSays are the reasons whose failure itself says what to do.
var schemaSays = map[string]bool{v1alpha1.ReasonSchemaTaken: true, v1alpha1.ReasonSchemaInUse: true, v1alpha1.ReasonSchemaNewer: true}

func TestAConditionOfADatabaseKeepsItsTimeAndOneThatIsOverGoes(t *testing.T) {
	broken := failing(v1alpha1.ReasonCredentialsRefused, "")
	before := broken.conditions()
	for i := range before {
		before[i].LastTransitionTime = metav1.NewTime(noon.Add(-time.Hour))
	}
	broken.object.Status.Conditions = before
	if ready := meta.FindStatusCondition(broken.conditions(), v1alpha1.ConditionReady); !ready.LastTransitionTime.Time.Equal(noon.Add(-time.Hour)) {
		t.Errorf("its transition is at %s", ready.LastTransitionTime)
	}
	mended := inStep(nil)
	mended.object.Status.Conditions = before
	after := mended.conditions()
	if meta.FindStatusCondition(after, v1alpha1.ConditionStalled) != nil || !meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady) {
		t.Errorf("it is mended, and says %+v", after)
	}
}

func TestTheStatusOfADatabaseTellsHowFarBehindItIs(t *testing.T) {
	f := inStep(func(f *facts) {
		f.state.IsInStep = false
		f.state.Objects, f.state.Since = 7, noon.Add(-90*time.Second)
		f.state.LastError = database.Failure{Code: "57P01", At: noon.Add(-90*time.Second + time.Millisecond)}
		f.state.Counts = map[v1alpha1.DatabaseTable]database.Counts{v1alpha1.DatabaseUsers: {Living: 2, Deleted: 1}}
		f.object.Status.Tables = []v1alpha1.DatabaseTableStatus{{Name: v1alpha1.DatabaseRoles, Rows: new(int64(9)), Deleted: new(int64(0))}}
	})
	status := f.status()
	if *status.Lag.Objects != 7 || *status.Lag.Seconds != 90 {
		t.Errorf("lag %d objects, %d s", *status.Lag.Objects, *status.Lag.Seconds)
	}
	if status.LastError.Code != "57P01" || !status.LastError.OccurredAt.Time.Equal(noon.Add(-90*time.Second)) {
		t.Errorf("last error %+v", status.LastError)
	}
	if !status.LastComparedAt.Time.Equal(noon.Add(-time.Minute)) || status.ObservedGeneration != 3 {
		t.Errorf("compared at %s, generation %d", status.LastComparedAt, status.ObservedGeneration)
	}
	if diff := cmp.Diff(f.object.Status.Tables, status.Tables); diff != "" {
		t.Errorf("rows are counted only while it is in step: %s", diff)
	}
	f.state.IsInStep = true
	want := []v1alpha1.DatabaseTableStatus{{Name: v1alpha1.DatabaseUsers, Rows: new(int64(2)), Deleted: new(int64(1))}}
	if diff := cmp.Diff(want, f.status().Tables); diff != "" {
		t.Error(diff)
	}
}

func TestAProblemLeavesWhatWasKnownOfTheDatabase(t *testing.T) {
	f := inStep(func(f *facts) {
		f.problem = &database.ProblemError{Reason: v1alpha1.ReasonSecretNotFound, Message: "create it"}
		f.state = database.State{}
		f.object.Status.Lag = v1alpha1.DatabaseLag{Objects: new(int64(1)), Seconds: new(int64(2))}
		f.object.Status.LastComparedAt = metav1.NewTime(noon.Add(-time.Hour))
		f.object.Status.LastError = v1alpha1.DatabaseError{Code: "timeout", OccurredAt: metav1.NewTime(noon.Add(-time.Hour))}
	})
	status := f.status()
	if diff := cmp.Diff(f.object.Status.Lag, status.Lag); diff != "" {
		t.Error(diff)
	}
	if status.LastError.Code != "timeout" || status.LastComparedAt.IsZero() {
		t.Errorf("got %+v", status)
	}
	if silence := f.silence(); silence != time.Hour {
		t.Errorf("nothing has been known for %s", silence)
	}
	f.object.Status.LastComparedAt = metav1.Time{}
	if silence := f.silence(); silence != 24*time.Hour {
		t.Errorf("nothing has ever been known of what is a day old, for %s", silence)
	}
}
