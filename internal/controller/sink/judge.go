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

package sink

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/sink"
	"github.com/clerk-operator/clerk-operator/internal/sink/natstarget"
)

const (
	// filterMemory is how long a filter counts as failing after it did. Clerk's sender pauses 10 h at most between two attempts: what comes
	// of the last one is known by then.
	filterMemory = 12 * time.Hour

	// enoughReplicas is how many replicas of a stream survive the loss of one.
	enoughReplicas = 3
)

// facts are all that a status is made of.
type facts struct {
	object *v1alpha1.ClerkSink
	now    time.Time

	// problem is what somebody has to mend before anything is handed on.
	problem *sink.ProblemError

	// stream is nil where there is none to look at. unreachable is why it could not be.
	stream      *natstarget.Stream
	unreachable string
}

// path is where Clerk has to deliver to.
func path(object *v1alpha1.ClerkSink) string {
	return "/webhooks/" + object.Spec.InstanceRef.Name + "/sinks/" + object.Name
}

// conditions are those of a ClerkSink; one that says the same as before keeps the time of its transition.
func (f facts) conditions() []metav1.Condition {
	conditions := append([]metav1.Condition(nil), f.object.Status.Conditions...)
	ready, stalled := f.ready()
	wanted := map[string]*metav1.Condition{
		v1alpha1.ConditionReady:     &ready,
		v1alpha1.ConditionStalled:   nil,
		v1alpha1.ConditionFiltering: f.filtering(),
		v1alpha1.ConditionDurable:   f.durable(),
	}
	if stalled {
		wanted[v1alpha1.ConditionStalled] = &metav1.Condition{Status: metav1.ConditionTrue, Reason: ready.Reason, Message: ready.Message}
	}
	for _, kind := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionFiltering, v1alpha1.ConditionDurable,
	} {
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
	switch {
	case f.problem != nil:
		return no(f.problem.Reason, f.problem.Message), true
	case f.stream != nil && f.stream.Missing:
		return no(v1alpha1.ReasonStreamNotFound,
			"no JetStream stream takes the subjects "+f.object.Spec.NATS.SubjectPrefix+".>: create one; "+
				"until then deliveries are answered with 503"), true
	case f.stream != nil && f.stream.NoAck:
		return no(v1alpha1.ReasonNoAcknowledgement,
			"the stream "+f.stream.Name+" acknowledges nothing (no_ack), so nothing counts as taken: create it anew without"), true
	case f.unreachable != "":
		return no(v1alpha1.ReasonTargetUnavailable,
			"the NATS servers cannot be reached ("+f.unreachable+"): look at them, at the network policies and at the credentials"), false
	case f.failing() && sink.Refusal(f.object.Status.LastFailure.Reason):
		return no(v1alpha1.ReasonTargetRejects, "the target refused the last event ("+f.object.Status.LastFailure.Reason+
			"): look there; then replay what failed in Clerk's dashboard"), false
	case f.failing():
		return no(v1alpha1.ReasonTargetUnavailable, "the target did not take the last event ("+f.object.Status.LastFailure.Reason+
			"): Clerk sends it again; look at the target if this stays so, since Clerk disables an endpoint after 5 days"), false
	}
	return metav1.Condition{
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "deliveries to " + path(f.object) + " are verified and handed on",
	}, false
}

func (f facts) failing() bool {
	status := &f.object.Status
	return status.LastAccepted.ReceivedAt.Before(&status.LastFailure.FailedAt)
}

// filtering is nil where there is no expression.
func (f facts) filtering() *metav1.Condition {
	if f.object.Spec.Filter.Expression == "" {
		return nil
	}
	failure := f.object.Status.LastFilterFailure
	if failure.Generation == f.object.Generation && f.now.Before(failure.FailedAt.Add(filterMemory)) {
		return &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonFilterFailed,
			Message: fmt.Sprintf("spec.filter.expression failed for an event of the type %s: %s; such events are answered with 503 until it is "+
				"corrected: use has(…) for what is not always there", failure.Type, failure.Message)}
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFiltered, Message: "the expression could judge every event"}
}

// durable is nil where there is no stream.
func (f facts) durable() *metav1.Condition {
	if f.object.Spec.NATS == nil {
		return nil
	}
	stream := f.stream
	condition := func(status metav1.ConditionStatus, reason, message string) *metav1.Condition {
		return &metav1.Condition{Status: status, Reason: reason, Message: message}
	}
	switch {
	case stream == nil || stream.Unknown:
		return condition(metav1.ConditionUnknown, v1alpha1.ReasonStreamUnchecked, "the stream cannot be looked at: let the account ask "+
			"$JS.API.STREAM.NAMES and $JS.API.STREAM.INFO.>, or look yourself at its window, its replicas and its storage")
	case stream.Missing:
		return condition(metav1.ConditionFalse, v1alpha1.ReasonStreamNotFound, "no stream takes the subjects: create one")
	case stream.NoAck:
		return condition(metav1.ConditionFalse, v1alpha1.ReasonNoAcknowledgement,
			"the stream acknowledges nothing: create it anew without no_ack")
	case stream.InMemory || stream.Asynchronous:
		return condition(metav1.ConditionFalse, v1alpha1.ReasonNotSynced, "the stream "+stream.Name+" acknowledges what is not on a disk: "+
			"give it file storage and the default persist mode")
	case stream.Window < natstarget.LongestRetry:
		return condition(metav1.ConditionFalse, v1alpha1.ReasonWindowTooShort,
			fmt.Sprintf("the duplicate window of the stream %s is %s, and Clerk "+
				"goes on trying for 27.6 hours: set it to 28h, or a late repeat is stored twice", stream.Name, stream.Window))
	case stream.Replicas < enoughReplicas:
		return condition(metav1.ConditionFalse, v1alpha1.ReasonNotReplicated, fmt.Sprintf("the stream %s has %d replica(s), so one lost disk "+
			"loses events: give it %d", stream.Name, stream.Replicas, enoughReplicas))
	}
	return condition(metav1.ConditionTrue, v1alpha1.ReasonDurable,
		"the stream "+stream.Name+" is replicated, on disk, and tells every repeat "+
			"from news; see docs/sinks.md for the servers' sync_interval, which no client can see")
}
