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

package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/signing"
	"github.com/clerk-operator/clerk-operator/internal/sink"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

// sinkInfix is what stands between the names of a ClerkInstance and of a ClerkSink in the path of a sink's deliveries.
const sinkInfix = "/sinks/"

// Outcomes of deliveries to a ClerkSink, besides those above and those of its target.
const (
	// OutcomeAccepted: 204, the target has the event.
	OutcomeAccepted = "accepted"

	// OutcomeFiltered: 204, the filter leaves the event out.
	OutcomeFiltered = "filtered"

	// OutcomeFilterFailed: 503, the filter's expression failed for the event.
	OutcomeFilterFailed = "filter_failed"

	// OutcomeUnknownSink: 404, no ClerkSink of that name, or one of another ClerkInstance.
	OutcomeUnknownSink = "unknown_sink"
)

// SinkNotes hear how deliveries to ClerkSinks end. They must not block.
type SinkNotes interface {
	Accepted(sink, eventType string, at time.Time)
	Failed(sink, reason string, at time.Time)
	FilterFailed(sink, eventType, message string, generation int64, at time.Time)
	Refused(sink, outcome string, at time.Time)
}

// sinkDelivery is what a delivery to a ClerkSink has besides: nothing of it goes to the mirror.
type sinkDelivery struct {
	object *v1alpha1.ClerkSink
	sink   *sink.Sink
	event  *sink.Event

	// failure is why the event was not handed on, filterFailure why the filter could not judge it.
	failure       *target.FailureError
	filterFailure error
}

// sinkPath splits the path of a delivery to a sink.
func sinkPath(path string) (instance, name string, found bool) {
	rest, found := strings.CutPrefix(path, PathPrefix)
	if !found {
		return "", "", false
	}
	return strings.Cut(rest, sinkInfix)
}

// sinkSteps are those of a delivery to a sink: the same as the mirror's as far as they are about the sender, but in rooms of their own.
func (r *Receiver) sinkSteps() []func(*delivery) *answer {
	return []func(*delivery) *answer{
		checkMethod,
		r.findSink,
		r.findSinkSecrets,
		r.checkHeaders,
		r.openSink,
		r.makeSinkRoom,
		r.readBody,
		verifySink,
		decodeForSink,
		r.checkEnvironment,
		askFilter,
		r.takeSinkPlace,
	}
}

func (r *Receiver) findSink(d *delivery) *answer {
	instance, name, _ := sinkPath(d.request.URL.Path)
	if len(validation.IsDNS1123Subdomain(name)) > 0 || r.options.Sinks == nil {
		return unknownSink()
	}
	object, err := r.options.Sinks.Find(d.request.Context(), name)
	if apierrors.IsNotFound(err) || err == nil && object.Spec.InstanceRef.Name != instance {
		return unknownSink()
	}
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the ClerkSink cannot be read now: try again", fmt.Errorf("read the ClerkSink: %w", err))
	}
	d.toSink = &sinkDelivery{object: object}
	return r.readInstance(d, instance)
}

func unknownSink() *answer {
	return refused(http.StatusNotFound, OutcomeUnknownSink,
		"no ClerkSink of this ClerkInstance has this name: create it, or take the endpoint's URL from its status.path")
}

// findSinkSecrets refuses a secret that is the ClerkInstance's too: whoever holds one must not be heard at both.
func (r *Receiver) findSinkSecrets(d *delivery) *answer {
	const notReady = "no usable signing secret yet: the conditions of the ClerkSink say what to do"

	verifier, err := r.verifierOf(d.request.Context(), d.toSink.object.Spec.Webhook.SigningSecretRef.Name)
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the signing secrets cannot be read now: try again", fmt.Errorf("read the signing secrets: %w", err))
	}
	if !verifier.Usable() {
		return tryAgain(OutcomeNotReady, notReady, errors.New("no key of the Secret holds a usable signing secret"))
	}
	ofInstance, err := r.verifierOf(d.request.Context(), d.instance.Spec.Webhook.SigningSecretRef.Name)
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the signing secrets cannot be read now: try again", fmt.Errorf("read the signing secrets: %w", err))
	}
	if verifier.Shares(ofInstance) {
		return tryAgain(OutcomeNotReady, notReady, errors.New("a signing secret is the ClerkInstance's too"))
	}
	d.verifier = verifier
	return nil
}

// verifierOf holds nothing where there is no Secret.
func (r *Receiver) verifierOf(ctx context.Context, name string) (signing.Verifier, error) {
	if name == "" {
		return signing.Verifier{}, nil
	}
	secret := &corev1.Secret{}
	err := r.options.Reader.Get(ctx, client.ObjectKey{Namespace: r.options.Namespace, Name: name}, secret)
	verifier, _ := signing.Parse(secret.Data)
	return verifier, client.IgnoreNotFound(err)
}

func (r *Receiver) openSink(d *delivery) *answer {
	opened, err := r.options.Sinks.Open(d.request.Context(), d.toSink.object)
	if err != nil {
		return tryAgain(OutcomeNotReady, "the ClerkSink cannot work as it stands: its conditions say what to do", err)
	}
	d.toSink.sink = opened
	return nil
}

// makeSinkRoom takes first what is this sink's, then what is all sinks'. Nothing of it is the mirror's.
func (r *Receiver) makeSinkRoom(d *delivery) *answer {
	if d.request.ContentLength > MaxBodyBytes {
		return tooLarge()
	}
	if refusal := r.take(d, d.toSink.sink.Rooms()); refusal != nil {
		return refusal
	}
	if length := d.request.ContentLength; length >= 0 && length <= SmallBodyBytes {
		return r.take(d, r.smallSinkBodies)
	}
	return r.take(d, r.largeSinkBodies)
}

// takeSinkPlace waits only where there is a chance.
func (r *Receiver) takeSinkPlace(d *delivery) *answer {
	if d.toSink.sink.Closed() {
		return notHandedOn(d, &target.FailureError{Outcome: sink.BreakerOpen, Reason: sink.BreakerOpen})
	}
	return r.take(d, d.toSink.sink.Places())
}

func verifySink(d *delivery) *answer {
	if err := d.verifier.Verify(d.body, d.attempt); err != nil {
		return refused(http.StatusUnauthorized, OutcomeUnauthorized,
			"no signature matches: add the signing secret of this sink's own endpoint to the Secret of the ClerkSink")
	}
	d.verified = true
	return nil
}

// decodeForSink keeps of the event for the steps that it shares what they need, and no data: none may reach the mirror.
func decodeForSink(d *delivery) *answer {
	event, err := sink.Decode(d.body)
	if err != nil {
		refusal := refused(http.StatusUnprocessableEntity, OutcomeNotUnderstood, "the event is not understood: "+err.Error())
		refusal.err = err
		return refusal
	}
	d.body = nil
	d.toSink.event = event
	d.event = &clerk.Event{Type: event.Type, InstanceID: event.InstanceID, Time: event.Time}
	return nil
}

func (d *delivery) message() sink.Message {
	return sink.Message{ID: d.attempt.ID, Instance: d.instance, Event: d.toSink.event}
}

// askFilter drops nothing that the filter cannot judge: Clerk's sender keeps it until somebody has corrected the expression.
func askFilter(d *delivery) *answer {
	wanted, err := d.toSink.sink.Wants(d.message())
	if err != nil {
		d.toSink.filterFailure = err
		return tryAgain(OutcomeFilterFailed, "the filter's expression failed for this event: the conditions of the ClerkSink say how", err)
	}
	if !wanted {
		return &answer{status: http.StatusNoContent, outcome: OutcomeFiltered}
	}
	return nil
}

// handOn goes on when Clerk's sender hangs up: its next attempt is then a repeat, which the target can tell by its id.
func (r *Receiver) handOn(d *delivery) *answer {
	failure := d.toSink.sink.Send(context.WithoutCancel(d.request.Context()), d.message())
	if failure != nil {
		return notHandedOn(d, failure)
	}
	return &answer{status: http.StatusNoContent, outcome: OutcomeAccepted}
}

func notHandedOn(d *delivery, failure *target.FailureError) *answer {
	d.toSink.failure = failure
	if failure.Outcome != target.Rejected {
		return tryAgain(failure.Outcome, "the target did not take the event: try again", failure)
	}
	refusal := refused(http.StatusUnprocessableEntity, OutcomeRejected, "the target refuses the event; replay it when that is mended")
	refusal.err = failure
	refusal.abort = d.toSink.sink.Aborts(failure)
	return refusal
}

// sinkName is empty for a sink that does not exist: whatever is asked for, metrics keep their cardinality.
func (d *delivery) sinkName() string {
	if d.toSink == nil {
		return ""
	}
	return d.toSink.object.Name
}

// recordSink counts and tells of an answer to a delivery to a sink. What nobody has verified says nothing of how the sink does.
func (r *Receiver) recordSink(d *delivery, a *answer, now time.Time) {
	name := d.sinkName()
	metrics.SinkDeliveries.WithLabelValues(name, d.typeLabel(), a.outcome).Inc()
	metrics.SinkAnswerSeconds.WithLabelValues(name, a.outcome).Observe(now.Sub(d.started).Seconds())
	r.logAnswer(d, a, now)
	if name == "" || r.options.SinkNotes == nil {
		return
	}
	switch {
	case a.success():
		r.options.SinkNotes.Accepted(name, d.typeLabel(), now)
	case d.toSink.filterFailure != nil:
		r.options.SinkNotes.FilterFailed(name, d.typeLabel(), d.toSink.filterFailure.Error(), d.toSink.sink.Generation(), now)
	case d.toSink.failure != nil:
		r.options.SinkNotes.Failed(name, d.toSink.failure.Reason, now)
	case d.verified:
		r.options.SinkNotes.Failed(name, a.outcome, now)
	default:
		r.options.SinkNotes.Refused(name, a.outcome, now)
	}
}
