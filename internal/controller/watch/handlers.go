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

package watch

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// OnObject causes a reconciliation of an object itself when it is new, its spec changed, or that of its status which the reconciler writes.
// The latter may have been somebody's hand, or a replica that was elected before, froze, and has gone on since; if it was the reconciler
// itself, nothing comes of it.
func OnObject[O client.Object](written func(O) any) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue Queue) {
			Enqueue(queue, CreationPriority(e), e.Object.GetName())
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue Queue) {
			switch {
			case e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration():
				Enqueue(queue, UsualPriority, e.ObjectNew.GetName())
			case !equality.Semantic.DeepEqual(written(e.ObjectOld.(O)), written(e.ObjectNew.(O))):
				Enqueue(queue, BulkPriority, e.ObjectNew.GetName())
			}
		},
	}
}

// OnChange causes a reconciliation of many objects when the spec of an object that they depend on changes. What changed or is gone may take
// access away from many, so they do not wait for new organizations.
func OnChange(concerned func(context.Context, client.Object) []string) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue Queue) {
			if !e.IsInInitialList {
				Enqueue(queue, BulkPriority, concerned(ctx, e.Object)...)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue Queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				Enqueue(queue, UsualPriority, concerned(ctx, e.ObjectNew)...)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue Queue) {
			Enqueue(queue, UsualPriority, concerned(ctx, e.Object)...)
		},
	}
}

// OnPlans causes a reconciliation of many objects when what is known of an environment's plans changes: what a plan no longer gives may
// take access away.
func OnPlans(priority int, concerned func(context.Context, client.Object) []string) handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue Queue) {
		before, after := e.ObjectOld.(*v1alpha1.ClerkInstance), e.ObjectNew.(*v1alpha1.ClerkInstance)
		if !equality.Semantic.DeepEqual(before.Status.Plans, after.Status.Plans) {
			Enqueue(queue, priority, concerned(ctx, after)...)
		}
	}}
}
