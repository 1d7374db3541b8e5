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
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/signing"
)

// PathPrefix is what comes before a ClerkInstance's name in the path of its deliveries.
const PathPrefix = "/webhooks/"

// delivery is one request and what is known of it so far: each step adds to it.
type delivery struct {
	writer  http.ResponseWriter
	request *http.Request
	started time.Time

	instance *v1alpha1.ClerkInstance
	verifier signing.Verifier
	attempt  signing.Attempt
	body     []byte
	verified bool
	event    *clerk.Event
	ownTime  bool
	held     []places

	// toSink is what a delivery to a ClerkSink has besides. Nil for one to the mirror.
	toSink *sinkDelivery
}

// places bound how many deliveries do something at a time: one for each is taken and given back.
type places chan struct{}

func (d *delivery) giveBack() {
	for _, taken := range d.held {
		<-taken
	}
}

// instanceName is empty for an instance that does not exist: whatever is asked for, metrics keep their cardinality.
func (d *delivery) instanceName() string {
	if d.instance == nil {
		return ""
	}
	return d.instance.Name
}

// typeLabel is empty while the delivery is not verified.
func (d *delivery) typeLabel() string {
	if d.event == nil {
		return ""
	}
	return clerk.TypeLabel(d.event.Type)
}

// ServeHTTP answers one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	d := &delivery{writer: w, request: request, started: r.options.Now()}
	answer := r.answer(d)
	answer.write(w)
	r.record(d, answer)
}

// answer takes a delivery through the steps until one of them has the answer. Nothing of the body is looked at before it is verified.
func (r *Receiver) answer(d *delivery) (result *answer) {
	defer func() {
		d.giveBack()
		if panicked := recover(); panicked != nil {
			result = r.panicked(panicked)
		}
	}()
	steps, act := r.mirrorSteps(), r.apply
	if _, _, toSink := sinkPath(d.request.URL.Path); toSink {
		steps, act = r.sinkSteps(), r.handOn
	}
	for _, step := range steps {
		if refusal := step(d); refusal != nil {
			return refusal
		}
	}
	return act(d)
}

func (r *Receiver) mirrorSteps() []func(*delivery) *answer {
	return []func(*delivery) *answer{
		checkMethod,
		r.findInstance,
		r.findSecrets,
		r.checkHeaders,
		r.makeRoom,
		r.readBody,
		r.verify,
		r.takePlace,
		decode,
		r.checkEnvironment,
	}
}

func checkMethod(d *delivery) *answer {
	if d.request.Method == http.MethodPost {
		return nil
	}
	return refused(http.StatusMethodNotAllowed, OutcomeMethod, "deliveries are sent with POST")
}

func (r *Receiver) findInstance(d *delivery) *answer {
	name, found := strings.CutPrefix(d.request.URL.Path, PathPrefix)
	if !found || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return refused(http.StatusNotFound, OutcomeUnknownPath,
			"unknown path: deliveries go to /webhooks/ followed by the name of a ClerkInstance, with nothing after it")
	}
	return r.readInstance(d, name)
}

func (r *Receiver) readInstance(d *delivery, name string) *answer {
	instance := &v1alpha1.ClerkInstance{}
	err := r.options.Reader.Get(d.request.Context(), client.ObjectKey{Name: name}, instance)
	if apierrors.IsNotFound(err) {
		return refused(http.StatusNotFound, OutcomeUnknownInstance,
			"no ClerkInstance has this name: create it, or correct the URL of the endpoint in Clerk's dashboard")
	}
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the ClerkInstance cannot be read now: try again", fmt.Errorf("read the ClerkInstance: %w", err))
	}
	d.instance = instance
	return nil
}

func (r *Receiver) findSecrets(d *delivery) *answer {
	const notReady = "no usable signing secret yet: the conditions of the ClerkInstance say what to do"

	if d.instance.Spec.Webhook.SigningSecretRef.Name == "" {
		return refused(http.StatusNotFound, OutcomeUnknownInstance, "this ClerkInstance hears no deliveries: set its spec.webhook")
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: r.options.Namespace, Name: d.instance.Spec.Webhook.SigningSecretRef.Name}
	err := r.options.Reader.Get(d.request.Context(), key, secret)
	if apierrors.IsNotFound(err) {
		return tryAgain(OutcomeNotReady, notReady, errors.New("the Secret with the signing secrets does not exist"))
	}
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the signing secrets cannot be read now: try again", fmt.Errorf("read the signing secrets: %w", err))
	}
	verifier, _ := signing.Parse(secret.Data)
	if !verifier.Usable() {
		return tryAgain(OutcomeNotReady, notReady, errors.New("no key of the Secret holds a usable signing secret"))
	}
	d.verifier = verifier
	return nil
}

func (r *Receiver) checkHeaders(d *delivery) *answer {
	attempt, err := signing.ReadAttempt(d.request.Header)
	if err != nil {
		return refused(http.StatusBadRequest, OutcomeBadHeaders, err.Error())
	}
	if !attempt.Fresh(r.options.Now()) {
		return refused(http.StatusUnauthorized, OutcomeUnauthorized,
			"the timestamp is too far from this cluster's time: send the message again, and check both clocks if it stays so")
	}
	d.attempt = attempt
	return nil
}

// makeRoom comes before the body is read, so that there is memory for it. Anyone can begin a delivery and be slow about it; small ones,
// as all real ones are, have room of their own, so that it takes many to be in their way.
func (r *Receiver) makeRoom(d *delivery) *answer {
	switch length := d.request.ContentLength; {
	case length > MaxBodyBytes:
		return tooLarge()
	case length >= 0 && length <= SmallBodyBytes:
		return r.take(d, r.smallBodies)
	}
	return r.take(d, r.largeBodies)
}

// takePlace comes once a delivery is verified, so that nobody without a signing secret takes up the places for what costs the API server.
func (r *Receiver) takePlace(d *delivery) *answer { return r.take(d, r.deliveries) }

// take waits a little for a place.
func (r *Receiver) take(d *delivery, free places) *answer {
	select {
	case free <- struct{}{}: // mostly there is one, and a timer costs more than it
		d.held = append(d.held, free)
		return nil
	default:
	}
	timer := time.NewTimer(r.limits.placeTimeout)
	defer timer.Stop()
	select {
	case free <- struct{}{}:
		d.held = append(d.held, free)
		return nil
	case <-timer.C:
		return tryAgain(OutcomeBusy, "too many deliveries at a time: try again", nil)
	case <-d.request.Context().Done():
		return refused(http.StatusBadRequest, OutcomeIncomplete, "the sender hung up")
	}
}

func tooLarge() *answer {
	return refused(http.StatusRequestEntityTooLarge, OutcomeTooLarge, fmt.Sprintf("the body is longer than %d bytes", MaxBodyBytes))
}

func (r *Receiver) readBody(d *delivery) *answer {
	body, err := io.ReadAll(http.MaxBytesReader(d.writer, d.request.Body, MaxBodyBytes))
	if err == nil {
		d.body = body
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return refused(http.StatusRequestTimeout, OutcomeIncomplete, "the body did not arrive in time: send it again")
	}
	return refused(http.StatusBadRequest, OutcomeIncomplete, "the body did not arrive whole: send it again")
}

func (r *Receiver) verify(d *delivery) *answer {
	if err := d.verifier.Verify(d.body, d.attempt); err != nil {
		return refused(http.StatusUnauthorized, OutcomeUnauthorized,
			"no signature matches: add the endpoint's current signing secret to the Secret of the ClerkInstance")
	}
	d.verified = true
	metrics.LastVerifiedTimestamp.WithLabelValues(d.instance.Name).Set(float64(r.options.Now().Unix()))
	return nil
}

func decode(d *delivery) *answer {
	event, err := clerk.Decode(d.body)
	if err != nil {
		refusal := refused(http.StatusUnprocessableEntity, OutcomeNotUnderstood,
			"the event is not understood: "+err.Error()+"; replay it after an update of clerk-operator")
		refusal.err = err
		return refusal
	}
	d.event = event
	d.ownTime = !event.Time.IsZero()
	if !d.ownTime {
		event.Time = d.attempt.Time
	}
	return nil
}

// checkEnvironment lets no event of another environment through. Which one it is, the first event that says so decides, and that is written
// down before the event is mirrored. Older payloads do not say it.
func (r *Receiver) checkEnvironment(d *delivery) *answer {
	if d.event.InstanceID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.request.Context()), r.limits.applyTimeout)
	defer cancel()
	err := environment.Check(d.instance, d.event.InstanceID)
	if err == nil && r.mayPin(d) {
		err = r.options.Pin(ctx, d.instance, d.event.InstanceID)
	}
	if _, other := errors.AsType[*environment.OtherError](err); other {
		return refused(http.StatusForbidden, OutcomeWrongInstance,
			"the event is of another Clerk environment than the one that is heard here: send it to the endpoint of its own ClerkInstance, "+
				"or name its environment in spec.instanceID")
	}
	if err != nil {
		return tryAgain(OutcomeUnavailable, "the environment cannot be written down now: try again", withoutPayload(err))
	}
	return nil
}

// mayPin tells whether an event may decide which environment it is. The examples that Clerk's dashboard sends to try an endpoint name an
// environment that does not exist; they bear an old date, or are of types that are not mirrored.
func (r *Receiver) mayPin(d *delivery) bool {
	oldest := horizon.Oldest(d.instance.Status.Horizon, r.options.TombstoneRetention, r.options.Now())
	return d.event.Data != nil && !d.event.Time.Before(oldest)
}

// apply goes on when the sender hangs up: its next attempt then finds the work done.
func (r *Receiver) apply(d *delivery) *answer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.request.Context()), r.limits.applyTimeout)
	defer cancel()

	outcome, err := r.options.Mirror.Apply(ctx, d.instance.Name, d.event)
	if err == nil {
		return accepted(outcome)
	}
	if rejected, ok := errors.AsType[*mirror.RejectedError](err); ok {
		refusal := refused(http.StatusUnprocessableEntity, OutcomeRejected,
			"the event cannot be applied: "+rejected.Reason+"; replay it when that is mended")
		refusal.err = rejected
		return refusal
	}
	return tryAgain(OutcomeUnavailable, "the API server did not take the event: try again", withoutPayload(err))
}

// withoutPayload drops the message of those errors in which an API server quotes what it was sent.
func withoutPayload(err error) error {
	if apierrors.IsBadRequest(err) || apierrors.IsInvalid(err) {
		return fmt.Errorf("the API server refused the object: %s", apierrors.ReasonForError(err))
	}
	return err
}

// panicked turns a panic into an answer that is worth another attempt. What panicked may hold personal data: its type must do.
func (r *Receiver) panicked(value any) *answer {
	if value == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(value)
	}
	err := fmt.Errorf("panic of type %T", value)
	r.log.Error(err, "A delivery made the receiver panic", "stack", string(debug.Stack()))
	return tryAgain(OutcomeUnavailable, "the receiver failed: try again", err)
}
