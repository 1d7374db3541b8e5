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

// Package metrics declares every metric of the operator: its name, its labels and what it tells. Labels are bounded: instances
// are those that exist, event types those that are known. No metric carries an id or a name of a person or an organization.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const namespace = "clerk_operator"

// delayBuckets spans what a tenant can notice: from one API request to Svix' longest pause between two attempts (10 h).
var delayBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 36000}

var (
	// Deliveries counts answered deliveries. outcome is one of the receiver's outcomes (applied, duplicate, stale, …, unavailable).
	Deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "receiver", Name: "deliveries_total",
		Help: "Deliveries answered, by ClerkInstance, event type and outcome. Unverified deliveries have no type.",
	}, []string{"instance", "type", "outcome"})

	// AnswerSeconds is the time from a delivery's headers being read to its answer.
	AnswerSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "receiver", Name: "answer_seconds",
		Help:    "Time to answer a delivery, in seconds, by ClerkInstance and outcome.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
	}, []string{"instance", "outcome"})

	// EventAgeSeconds is how old an event was, by Clerk's clock, when it was answered 2xx.
	EventAgeSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "receiver", Name: "event_age_seconds",
		Help:    "Age of an event by its own timestamp when it was answered with success, in seconds, by ClerkInstance.",
		Buckets: delayBuckets,
	}, []string{"instance"})

	// LastVerifiedTimestamp is when a delivery with a good signature last came in on this replica.
	LastVerifiedTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "receiver", Name: "last_verified_timestamp_seconds",
		Help: "Unix time of the last delivery with a good signature, by ClerkInstance, on this replica.",
	}, []string{"instance"})

	// LastRefusedTimestamp is when a delivery was last refused on this replica. reason is one of the receiver's outcomes.
	LastRefusedTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "receiver", Name: "last_refused_timestamp_seconds",
		Help: "Unix time of the last delivery that was not accepted, by ClerkInstance and reason, on this replica.",
	}, []string{"instance", "reason"})

	// DroppedFields counts fields that could not be kept. kind is that of the mirrored object, field one of the names in spec.droppedFields.
	DroppedFields = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "mirror", Name: "dropped_fields_total",
		Help: "Fields of what Clerk says that were left out when it was written: of the wrong type, too long or too deep. By kind and field.",
	}, []string{"kind", "field"})

	// ResyncSeconds is how long resyncs took. result is that of ClerkInstance.status.lastResync, or aborted.
	ResyncSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "resync", Name: "duration_seconds",
		Help:    "Time that a resync from Clerk's API took, in seconds, by ClerkInstance and result.",
		Buckets: []float64{.1, .5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600},
	}, []string{"instance", "result"})

	// ResyncLastSuccessTimestamp is when a resync last ended with the result Complete or PruneHeld: everything there is was mirrored.
	ResyncLastSuccessTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "resync", Name: "last_success_timestamp_seconds",
		Help: "Unix time of the last resync that found everything, by ClerkInstance. On the elected replica.",
	}, []string{"instance"})

	// ResyncRequests counts requests to Clerk's API. status is the HTTP status, or none where there was no answer.
	ResyncRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "resync", Name: "requests_total",
		Help: "Requests to Clerk's API by ClerkInstance and HTTP status; none where there was no answer.",
	}, []string{"instance", "status"})

	// ResyncListed is how far the present or last resync is.
	ResyncListed = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "resync", Name: "listed",
		Help: "Objects that the present or last resync has listed, by ClerkInstance and kind. On the elected replica.",
	}, []string{"instance", "kind"})

	// ResyncDrift counts what a resync found that no webhook had told. The first resync of a ClerkInstance counts nothing.
	ResyncDrift = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "resync", Name: "drift_total",
		Help: "Changes that a resync found and no webhook had told, by ClerkInstance, kind and change: created, updated or deleted.",
	}, []string{"instance", "kind", "change"})

	// ResyncPruneHeld is how many removals wait for an administrator.
	ResyncPruneHeld = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "resync", Name: "prune_held",
		Help: "Objects that the last resync would have removed and that were held, by ClerkInstance. On the elected replica.",
	}, []string{"instance"})

	// ResyncContradictions is how many tombstones are of what Clerk lists as living.
	ResyncContradictions = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "resync", Name: "contradictions",
		Help: "Objects that are deleted here although Clerk listed them in the last resync, by ClerkInstance. On the elected replica.",
	}, []string{"instance"})

	// GrantSeconds is the time from a membership's change in Clerk to the RoleBinding that grants it.
	GrantSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "access", Name: "grant_seconds",
		Help:    "Time from a membership's change in Clerk to the written RoleBinding that grants it, in seconds.",
		Buckets: delayBuckets,
	})

	// RevocationSeconds is the time from a membership's change in Clerk to the RoleBinding that no longer grants it.
	RevocationSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "access", Name: "revocation_seconds",
		Help:    "Time from a membership's change in Clerk to the written RoleBinding that no longer grants it, in seconds.",
		Buckets: delayBuckets,
	})

	// Mirrored is how many objects there are of each mirrored kind, by what holds for them. The elected replica reports it.
	Mirrored = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "mirror", Name: "objects",
		Help: "Mirrored objects by kind and state: ready, not_ready, or tombstone. On the elected replica.",
	}, []string{"kind", "state"})

	// NotReady says why mirrored objects are not ready. The elected replica reports it; a reason that no object has any more is gone.
	NotReady = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "mirror", Name: "not_ready",
		Help: "Mirrored objects that are not ready, by kind and by the reason of their condition Ready. On the elected replica.",
	}, []string{"kind", "reason"})

	// OverdueTombstones is how many tombstones are still there although nothing says that they should be. The elected replica reports it.
	OverdueTombstones = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "mirror", Name: "overdue_tombstones",
		Help: "Tombstones that are kept longer than the retention, and than the deletion of their namespaces, by kind. On the elected replica.",
	}, []string{"kind"})

	// PendingRevocations is how many members are bound who should not be. The elected replica reports it.
	PendingRevocations = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "access", Name: "pending_revocations",
		Help: "Members whom RoleBindings still name although they should not. On the elected replica; 0 on others.",
	})

	// SilentSinceTimestamp is since when a ClerkInstance has not been heard from, whichever replica heard it last, and also after a restart
	// of all. The elected replica reports it.
	SilentSinceTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "instance", Name: "silent_since_timestamp_seconds",
		Help: "Unix time of the last delivery with a good signature at any replica; before the first, of the ClerkInstance's creation. " +
			"On the elected replica.",
	}, []string{"instance"})

	// SinkDeliveries counts answered deliveries to ClerkSinks. outcome is accepted, filtered, or why not.
	SinkDeliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "sink", Name: "deliveries_total",
		Help: "Deliveries to ClerkSinks answered, by ClerkSink, event type and outcome. Unverified deliveries have no type.",
	}, []string{"sink", "type", "outcome"})

	// SinkAnswerSeconds is the time from a delivery's headers being read to its answer.
	SinkAnswerSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "sink", Name: "answer_seconds",
		Help:    "Time to answer a delivery to a ClerkSink, in seconds, by ClerkSink and outcome.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
	}, []string{"sink", "outcome"})

	// SinkInFlight is how many events are on their way to a target.
	SinkInFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "sink", Name: "in_flight",
		Help: "Events on their way to the target, by ClerkSink, on this replica.",
	}, []string{"sink"})

	// SinkBreakerOpen is 1 while a target is spared, since it takes nothing.
	SinkBreakerOpen = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "sink", Name: "breaker_open",
		Help: "1 while events are kept from a target that took none of the last, else 0, by ClerkSink, on this replica.",
	}, []string{"sink"})

	// SinkLastAcceptedTimestamp is when an event was last answered with success at any replica. The elected replica reports it.
	SinkLastAcceptedTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "sink", Name: "last_accepted_timestamp_seconds",
		Help: "Unix time of the last event that was answered with success at any replica; before the first, of the ClerkSink's creation. " +
			"On the elected replica.",
	}, []string{"sink"})

	// SinkLastFailureTimestamp is when a verified event could last not be handed on at any replica. The elected replica reports it.
	SinkLastFailureTimestamp = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "sink", Name: "last_failure_timestamp_seconds",
		Help: "Unix time of the last verified event that could not be handed on at any replica, by ClerkSink. On the elected replica.",
	}, []string{"sink"})

	// DatabaseLagObjects is how many mirrored objects may differ from their rows. The elected replica reports it.
	DatabaseLagObjects = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "database", Name: "lag_objects",
		Help: "Mirrored objects that may differ from their rows, by ClerkDatabase. On the elected replica.",
	}, []string{"database"})

	// DatabaseLagSeconds is for how long the first of them has done so. The elected replica reports it.
	DatabaseLagSeconds = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "database", Name: "lag_seconds",
		Help: "Time that a ClerkDatabase has been behind what is mirrored, in seconds; 0 while it is in step. On the elected replica.",
	}, []string{"database"})

	// DatabaseRows is how many rows a table has, as last counted. The elected replica reports it.
	DatabaseRows = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "database", Name: "rows",
		Help: "Rows as last counted, by ClerkDatabase, table and state: living or deleted. On the elected replica.",
	}, []string{"database", "table", "state"})

	// DatabaseRefused is how many rows a database takes in no form. The elected replica reports it.
	DatabaseRefused = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "database", Name: "refused_rows",
		Help: "Rows that the database takes in no form, by ClerkDatabase. On the elected replica.",
	}, []string{"database"})

	// DatabaseWritten counts rows that were written.
	DatabaseWritten = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "database", Name: "written_rows_total",
		Help: "Rows written, by ClerkDatabase and table. What was there already is not counted.",
	}, []string{"database", "table"})

	// DatabaseReduced counts rows of which a database took ids and times alone.
	DatabaseReduced = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "database", Name: "reduced_rows_total",
		Help: "Rows written without their content, which the database did not take, by ClerkDatabase and table.",
	}, []string{"database", "table"})

	// DatabaseErrors counts what ended a connection, or kept one from being opened.
	DatabaseErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "database", Name: "errors_total",
		Help: "Times that the work on a database ended with an error and began again, by ClerkDatabase and the reason of its condition.",
	}, []string{"database", "reason"})

	// DriftRepaired counts objects of tenants that someone else had changed or deleted and that were put right.
	DriftRepaired = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "tenant", Name: "drift_repaired_total",
		Help: "Objects of tenants that someone else changed or deleted and that were put right, by kind.",
	}, []string{"kind"})

	// DerivedAccessRemoved counts what was taken away that would have let people in again who have no access any longer.
	DerivedAccessRemoved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "tenant", Name: "derived_access_removed_total",
		Help: "Objects that were changed or deleted since they would have let in people who have no access any longer, by kind.",
	}, []string{"kind"})

	// CacheReduced counts objects with the operator's labels that it cannot have written so, and of which only the name is kept in memory.
	CacheReduced = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "cache", Name: "reduced_total",
		Help: "Times that an object with the operator's labels was seen that it did not write so, and that was not kept in memory, by kind.",
	}, []string{"kind"})

	// CacheReducedObjects is how many of them are held in memory.
	CacheReducedObjects = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "cache", Name: "reduced_objects",
		Help: "Objects with the operator's labels that are held in memory without their content, by kind, on this replica.",
	}, []string{"kind"})

	// StaleKinds says which CustomResourceDefinitions are not those of this version, as Helm 3 leaves them in an upgrade.
	StaleKinds = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: "crd", Name: "stale",
		Help: "1 where the API server's CustomResourceDefinition is not that of this version of the operator, else 0.",
	}, []string{"crd"})
)

func init() {
	metrics.Registry.MustRegister(Deliveries, AnswerSeconds, EventAgeSeconds, LastVerifiedTimestamp, LastRefusedTimestamp,
		DroppedFields, ResyncSeconds, ResyncLastSuccessTimestamp, ResyncRequests, ResyncListed, ResyncDrift, ResyncPruneHeld,
		ResyncContradictions,
		GrantSeconds, RevocationSeconds, PendingRevocations, Mirrored, NotReady, OverdueTombstones, SilentSinceTimestamp,
		DriftRepaired, DerivedAccessRemoved,
		CacheReduced, CacheReducedObjects, StaleKinds,
		SinkDeliveries, SinkAnswerSeconds, SinkInFlight, SinkBreakerOpen, SinkLastAcceptedTimestamp, SinkLastFailureTimestamp,
		DatabaseLagObjects, DatabaseLagSeconds, DatabaseRows, DatabaseRefused, DatabaseWritten, DatabaseReduced, DatabaseErrors)
}

// ForgetDatabase drops what is told of a ClerkDatabase that is gone.
func ForgetDatabase(name string) {
	labels := prometheus.Labels{"database": name}
	for _, gauge := range []*prometheus.GaugeVec{DatabaseLagObjects, DatabaseLagSeconds, DatabaseRows, DatabaseRefused} {
		gauge.DeletePartialMatch(labels)
	}
	for _, counter := range []*prometheus.CounterVec{DatabaseWritten, DatabaseReduced, DatabaseErrors} {
		counter.DeletePartialMatch(labels)
	}
}

// ForgetSink drops what is told of a ClerkSink that is gone.
func ForgetSink(name string) {
	labels := prometheus.Labels{"sink": name}
	SinkDeliveries.DeletePartialMatch(labels)
	SinkAnswerSeconds.DeletePartialMatch(labels)
	SinkInFlight.DeletePartialMatch(labels)
	SinkBreakerOpen.DeletePartialMatch(labels)
	SinkLastAcceptedTimestamp.DeletePartialMatch(labels)
	SinkLastFailureTimestamp.DeletePartialMatch(labels)
}
