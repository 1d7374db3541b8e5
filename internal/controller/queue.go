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

package controller

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
	// revocationPriority: somebody may have lost access. Ahead of everything.
	revocationPriority = 100

	// usualPriority: something happened to one organization.
	usualPriority = 0

	// bulkPriority: something happened that concerns many, such as an edited TenantClass.
	bulkPriority = -1

	// startPriority: nothing happened but a start.
	startPriority = handler.LowPriority
)

const (
	// organizationWorkers reconcile organizations at a time. Each waits for the API server most of the time; more would only
	// queue there.
	organizationWorkers = 16

	// statusWorkers write members' statuses at a time, once they have the way: see rightOfWay.
	statusWorkers = 8

	// statusRate is how many statuses are written a second while access is being changed. Each costs the API server some 7 ms of its time.
	statusRate = 50

	// statusPatience is how long a status gives way to access. It bounds how old statuses get where organizations never stop changing.
	statusPatience = time.Second

	// firstRetry and lastRetry are the pauses before a failed reconciliation runs again: the first, doubled up to the last. An
	// obstacle that nothing announces (a permission granted, a name set free) is so noticed well within a minute.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 20 * time.Second
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		EnableWarmup:            new(true),
	}
}

// enqueue adds cluster-scoped objects to a work queue.
func enqueue(queue workQueue, priority int, names ...string) {
	add(queue, priorityqueue.AddOpts{Priority: &priority}, names...)
}

// enqueueAfter adds them after a while; those that are waiting already are not put off further.
func enqueueAfter(queue workQueue, after time.Duration, names ...string) {
	add(queue, priorityqueue.AddOpts{After: after, Priority: new(usualPriority)}, names...)
}

func add(queue workQueue, options priorityqueue.AddOpts, names ...string) {
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

// creationPriority is the priority of an object that is new to the cache: low for those found at a start.
func creationPriority(e event.CreateEvent) int {
	if e.IsInInitialList {
		return startPriority
	}
	return usualPriority
}
