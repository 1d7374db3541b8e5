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
	"net/http"
	"sync/atomic"
	"time"

	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// record counts, logs and tells of an answer that was given.
func (r *Receiver) record(d *delivery, a *answer) {
	now := r.options.Now()
	if _, _, toSink := sinkPath(d.request.URL.Path); toSink {
		r.recordSink(d, a, now)
		return
	}
	instance, label := d.instanceName(), d.typeLabel()
	metrics.Deliveries.WithLabelValues(instance, label, a.outcome).Inc()
	metrics.AnswerSeconds.WithLabelValues(instance, a.outcome).Observe(now.Sub(d.started).Seconds())
	if a.success() && d.ownTime {
		metrics.EventAgeSeconds.WithLabelValues(instance).Observe(now.Sub(d.event.Time).Seconds())
	}

	r.logAnswer(d, a, now)
	if a.success() && r.options.Received != nil {
		r.options.Received(instance, label, now)
	}
	if a.success() || instance == "" {
		return
	}
	metrics.LastRefusedTimestamp.WithLabelValues(instance, a.outcome).Set(float64(now.Unix()))
	if r.options.Refused != nil {
		r.options.Refused(instance, a.outcome, now)
	}
}

func (r *Receiver) logAnswer(d *delivery, a *answer, now time.Time) {
	said := d.about(a, now)
	if !a.success() {
		said = append(said, "status", a.status, "why", a.why())
	}
	switch {
	case !d.verified && !r.refusals.due(now):
		r.log.V(1).Info("Refused a delivery", said...)
	case !d.verified:
		r.log.Info("Refused a delivery; more of them are logged at verbosity 1", said...)
	case !a.success() && a.status < http.StatusInternalServerError:
		r.log.Info("Refused a verified delivery", said...)
	case !a.success():
		r.log.Error(a.err, "Could not accept a delivery", said...)
	case a.outcome == string(mirror.Applied) || a.outcome == string(mirror.Expired), a.outcome == OutcomeAccepted:
		r.log.Info("Accepted a delivery", said...)
	default:
		r.log.V(1).Info("Accepted a delivery", said...)
	}
}

// about is what the log says of every delivery. It is given with the line: a logger of its own for each costs several times as much.
func (d *delivery) about(a *answer, now time.Time) []any {
	said := []any{
		"instance", d.instanceName(), "delivery", d.attempt.ID, "outcome", a.outcome, "seconds", now.Sub(d.started).Seconds(),
	}
	if sink := d.sinkName(); sink != "" {
		said = append(said, "sink", sink)
	}
	if d.event != nil {
		said = append(said, "type", d.event.Type)
	}
	if d.event != nil && d.event.Data != nil {
		said = append(said, "id", d.event.Data.EntityID())
	}
	return said
}

func (a *answer) why() string {
	if a.err != nil {
		return a.err.Error()
	}
	return a.message
}

// pace lets something happen once in a while.
type pace struct {
	every time.Duration
	last  atomic.Int64
}

// due tells whether the time has come, and if so starts anew.
func (p *pace) due(now time.Time) bool {
	last := p.last.Load()
	return now.UnixNano()-last >= int64(p.every) && p.last.CompareAndSwap(last, now.UnixNano())
}
