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

// Package watch says what each change has reconciled, and how urgently: what may take access away goes ahead of everything.
package watch

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Priorities of the work queues; what ranks higher goes first.
const (
	// RevocationPriority: somebody may have lost access. Ahead of everything.
	RevocationPriority = 100

	// UsualPriority: something happened to one organization that has its namespaces. That is one write, as a rule.
	UsualPriority = 0

	// ProvisioningPriority: an organization has to be given all it should have. When hundreds come at once, nobody who joins one that is
	// there already waits for them.
	ProvisioningPriority = -1

	// BulkPriority: something happened that concerns many and takes nothing away, such as a new TenantClass.
	BulkPriority = -2

	// startPriority: nothing happened but a start.
	startPriority = handler.LowPriority
)

const (
	// StatusWorkers write members' statuses at a time, once they have the way: see write.StatusGate.
	StatusWorkers = 8

	// FirstRetry and lastRetry are the pauses before a failed reconciliation runs again: the first, doubled up to the last. An
	// obstacle that nothing announces (a permission granted, a name set free) is so noticed well within a minute.
	FirstRetry = 200 * time.Millisecond
	lastRetry  = 20 * time.Second
)

// Queue is the work queue of a controller, by object.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Options are those of a controller with so many workers.
func Options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](FirstRetry, lastRetry),
		EnableWarmup:            new(true),
	}
}

// Enqueue adds cluster-scoped objects to a work queue.
func Enqueue(queue Queue, priority int, names ...string) {
	add(queue, priorityqueue.AddOpts{Priority: &priority}, names...)
}

// EnqueueAfter adds them after a while; those that are waiting already are not put off further.
func EnqueueAfter(queue Queue, after time.Duration, names ...string) {
	add(queue, priorityqueue.AddOpts{After: after, Priority: new(UsualPriority)}, names...)
}

func add(queue Queue, options priorityqueue.AddOpts, names ...string) {
	requests := make([]reconcile.Request, len(names))
	for i, name := range names {
		requests[i] = reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
	}
	if byPriority, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		byPriority.AddWithOpts(options, requests...)
		return
	}
	for _, request := range requests {
		queue.AddAfter(request, options.After)
	}
}

// CreationPriority is the priority of an object that is new to the cache: low for those found at a start.
func CreationPriority(e event.CreateEvent) int {
	if e.IsInInitialList {
		return startPriority
	}
	return UsualPriority
}
