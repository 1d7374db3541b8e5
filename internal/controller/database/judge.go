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
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
)

// facts are all that a status is made of.
type facts struct {
	object *v1alpha1.ClerkDatabase
	now    time.Time

	// problem is what somebody has to mend before anything is written; otherwise the state is how the work goes.
	problem *database.ProblemError
	state   database.State
}

func asProblem(err error) (*database.ProblemError, bool) {
	return errors.AsType[*database.ProblemError](err)
}

// advice says, for each reason, what to do. That the schema cannot be used, the failure itself says.
var advice = map[string]string{
	v1alpha1.ReasonAddressRefused: "the database's address is this machine's own, link-local or a metadata service's, " +
		"where no database may be: name another host in the Secret",
	v1alpha1.ReasonTLSFailed: "the server does not encrypt, or its certificate is not for its name from an authority that is trusted: " +
		"correct the server, or name the authority or the name in spec.connection.tls",
	v1alpha1.ReasonDatabaseUnavailable: "the database cannot be reached, or cannot write now; it is tried again: " +
		"look at it, at the network policies and at DNS if this stays so",
	v1alpha1.ReasonDatabaseNotFound: "the server has no such database: create it, or correct the Secret",
	v1alpha1.ReasonCredentialsRefused: "the server refuses the user, the password or the way to show it: " +
		"correct the Secret, or the server's pg_hba.conf",
	v1alpha1.ReasonPrivilegeMissing: "the user may not do what it has to: grant it CREATE on the database, " +
		"or make an empty schema that it owns; docs/database.md has the commands",
	v1alpha1.ReasonSchemaChanged: "a table or a column of the operator's is missing: drop the schema, which is then made and filled anew",
	v1alpha1.ReasonRowsRefused: "the database takes too many rows in no form, as by a trigger, a constraint or a column of somebody's: " +
		"look at the tables",
}

// stalling are the reasons that do not go away by themselves.
var stalling = map[string]bool{
	v1alpha1.ReasonAddressRefused: true, v1alpha1.ReasonTLSFailed: true, v1alpha1.ReasonDatabaseNotFound: true,
	v1alpha1.ReasonCredentialsRefused: true, v1alpha1.ReasonPrivilegeMissing: true, v1alpha1.ReasonSchemaTaken: true,
	v1alpha1.ReasonSchemaInUse: true, v1alpha1.ReasonSchemaNewer: true, v1alpha1.ReasonSchemaChanged: true, v1alpha1.ReasonRowsRefused: true,
}

// status is that of a ClerkDatabase.
func (f facts) status() v1alpha1.ClerkDatabaseStatus {
	status := v1alpha1.ClerkDatabaseStatus{
		Conditions: f.conditions(), ObservedGeneration: f.object.Generation,
		LastComparedAt: f.object.Status.LastComparedAt, LastError: f.object.Status.LastError,
		Lag: f.object.Status.Lag, Tables: f.object.Status.Tables,
	}
	if f.problem != nil {
		return status
	}
	status.Lag = v1alpha1.DatabaseLag{Objects: new(f.state.Objects), Seconds: new(int64(f.state.Seconds(f.now)))}
	if f.state.IsInStep {
		status.Tables = f.tables()
	}
	if compared := f.state.ComparedAt; !compared.IsZero() {
		status.LastComparedAt = metav1.NewTime(compared.Truncate(time.Second))
	}
	if last := f.state.LastError; last.Code != "" {
		status.LastError = v1alpha1.DatabaseError{Code: last.Code, OccurredAt: metav1.NewTime(last.At.Truncate(time.Second))}
	}
	return status
}

// silence is how long nothing has been known of the database.
func (f facts) silence() time.Duration {
	last := f.object.Status.LastComparedAt.Time
	if last.IsZero() {
		last = f.object.CreationTimestamp.Time
	}
	return max(f.now.Sub(last), 0)
}

func (f facts) tables() (tables []v1alpha1.DatabaseTableStatus) {
	for i := range schema.Tables {
		name := schema.Tables[i].Name
		if counts, ok := f.state.Counts[name]; ok {
			tables = append(tables, v1alpha1.DatabaseTableStatus{Name: name, Rows: new(counts.Living), Deleted: new(counts.Deleted)})
		}
	}
	return tables
}

// conditions are those of a ClerkDatabase; one that says the same as before keeps the time of its transition.
func (f facts) conditions() []metav1.Condition {
	conditions := append([]metav1.Condition(nil), f.object.Status.Conditions...)
	ready, stalled := f.ready()
	wanted := map[string]*metav1.Condition{v1alpha1.ConditionReady: &ready}
	if stalled {
		wanted[v1alpha1.ConditionStalled] = &metav1.Condition{Status: metav1.ConditionTrue, Reason: ready.Reason, Message: ready.Message}
	}
	if f.state.Refused > 0 {
		wanted[v1alpha1.ConditionDataRefused] = &metav1.Condition{
			Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRowsRefused,
			Message: fmt.Sprintf("the database takes %d row(s) in no form (%s), as by a trigger or a constraint of somebody's: "+
				"look at the tables; they are tried again when they change, and once an hour", f.state.Refused, f.state.RefusedCode),
		}
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionDataRefused} {
		condition := wanted[kind]
		if condition == nil {
			meta.RemoveStatusCondition(&conditions, kind)
			continue
		}
		condition.Type, condition.ObservedGeneration = kind, f.object.Generation
		meta.SetStatusCondition(&conditions, *condition)
	}
	return conditions
}

func (f facts) ready() (condition metav1.Condition, stalled bool) {
	no := func(reason, message string) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	switch failure := f.state.Failure; {
	case f.problem != nil:
		return no(f.problem.Reason, f.problem.Message), true
	case failure != nil && failure.Message != "":
		return no(failure.Reason, failure.Message), stalling[failure.Reason]
	case failure != nil:
		return no(failure.Reason, advice[failure.Reason]+" ("+failure.Code+")"), stalling[failure.Reason]
	case !f.state.IsInStep:
		return no(v1alpha1.ReasonProgressing, "the database is compared with what is mirrored, and what it lacks is written"), false
	}
	return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
		Message: "the schema " + f.object.Spec.Schema + " is kept in step with what is mirrored of " + f.object.Spec.InstanceRef.Name}, false
}
