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

package resync

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// wishes are what asks for a resync of a ClerkInstance.
type wishes struct {
	uid           types.UID
	generation    int64
	secretVersion string
	requested     string
	released      [2]string // of removals, and of contradictions
	interval      time.Duration
}

func wishesOf(instance *v1alpha1.ClerkInstance, secretVersion string) wishes {
	interval := defaultInterval
	if instance.Spec.API.ResyncInterval != nil {
		interval = instance.Spec.API.ResyncInterval.Duration
	}
	return wishes{
		uid:           instance.UID,
		generation:    instance.Generation,
		secretVersion: secretVersion,
		requested:     instance.Annotations[v1alpha1.ResyncAnnotation],
		released: [2]string{
			instance.Annotations[v1alpha1.ReleasePruneAnnotation], instance.Annotations[v1alpha1.ReleaseContradictionAnnotation],
		},
		interval: interval,
	}
}

// memory is what this process knows of the resyncs of a ClerkInstance. It is not kept: after a start, everything is listed anew.
type memory struct {
	last     wishes
	next     time.Time // zero: nothing is due by itself
	failures int
}

// due says why a resync is due; "" if none is. served is the last request that the status knows to be served.
func due(known *memory, now wishes, served string, clock time.Time) string {
	if known == nil || known.last.uid != now.uid {
		return dueAtStart(now, served)
	}
	switch {
	case now.requested != "" && now.requested != known.last.requested:
		return "request"
	case now.released != [2]string{} && now.released != known.last.released:
		return "release"
	case !known.next.IsZero() && (!clock.Before(known.next) || now.secretVersion != known.last.secretVersion):
		return "interval"
	case now.interval > 0 && (now.generation != known.last.generation || now.secretVersion != known.last.secretVersion):
		return "change"
	}
	return ""
}

// dueAtStart is due for a ClerkInstance of which nothing is remembered.
func dueAtStart(now wishes, served string) string {
	switch {
	case now.interval > 0:
		return "start"
	case now.requested != "" && now.requested != served:
		return "request"
	}
	return ""
}

// after remembers a resync that ended, and says when the next is due by itself.
func after(known *memory, last wishes, end ending, clock time.Time) *memory {
	next := &memory{last: last}
	switch {
	case end.result == v1alpha1.ResyncComplete, end.result == v1alpha1.ResyncPruneHeld, end.lasting:
		if last.interval > 0 {
			next.next = clock.Add(last.interval)
		}
	default:
		if known != nil {
			next.failures = known.failures
		}
		pause := min(firstRetry<<min(next.failures, 10), lastRetry)
		next.failures++
		next.next = clock.Add(max(pause, end.wait))
	}
	return next
}
