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
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// Options are what a Resyncer works with.
type Options struct {
	// Client reads from the cache.
	Client client.Client

	// Mirror takes what Clerk lists, as it takes events.
	Mirror *mirror.Mirror

	// Environments keeps each ClerkInstance to one Clerk environment.
	Environments *environment.Pinner

	// Hosts are those that an API key may be sent to, each as <host> or <host>:<port>.
	Hosts []string

	// Recorder puts on record what an administrator has to look at.
	Recorder events.EventRecorder

	// Namespace is the operator's own: Secrets are read there alone.
	Namespace string

	// PageSize is how many rows are asked for at once; as many as Clerk gives when it is 0.
	PageSize int

	// Now is the clock.
	Now func() time.Time
}

// Resyncer resyncs each ClerkInstance that has an API key.
type Resyncer struct {
	Options

	questions questions

	mu       sync.Mutex
	memories map[string]*memory
	running  map[string]bool            // the ClerkInstances that are being resynced
	unseen   map[string]map[string]bool // at which ids of each the last resync could not look
	wanted   map[missingUser]struct{}
	asked    map[missingUser]time.Time
}

// New returns a Resyncer.
func New(options Options) *Resyncer {
	return &Resyncer{
		Options: options, memories: map[string]*memory{}, running: map[string]bool{}, unseen: map[string]map[string]bool{},
		wanted: map[missingUser]struct{}{}, asked: map[missingUser]time.Time{},
	}
}

// Setup adds it to a manager. It runs on the elected replica.
func (r *Resyncer) Setup(manager ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(manager).
		Named("resync").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Watches(&v1alpha1.ClerkInstance{}, &handler.EnqueueRequestForObject{},
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.instancesOfSecret)).
		Watches(&v1alpha1.ClerkSubscriptionItem{}, handler.EnqueueRequestsFromMapFunc(instanceOfItem), builder.WithPredicates(firstItems)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the resync: %w", err)
	}
	return manager.Add(fetcher{r})
}

func (r *Resyncer) instancesOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var list v1alpha1.ClerkInstanceList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		log.FromContext(ctx).Error(err, "cannot tell which ClerkInstances a Secret concerns")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.API.SecretKeyRef.Name == secret.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// Reconcile resyncs a ClerkInstance if that is due, and says when it will be next.
func (r *Resyncer) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var instance v1alpha1.ClerkInstance
	err := r.Client.Get(ctx, request.NamespacedName, &instance)
	if apierrors.IsNotFound(err) {
		r.forget(request.Name)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if instance.Spec.API.SecretKeyRef.Name == "" {
		r.forget(request.Name)
		return reconcile.Result{}, r.clear(ctx, &instance)
	}
	version, err := r.secretVersion(ctx, &instance)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := wishesOf(&instance, version)
	known := r.recall(instance.Name)
	why := due(known, now, instance.Status.LastResync.RequestedAt, r.Now())
	if why == "" && known == nil {
		known = &memory{last: now}
		r.remember(instance.Name, known)
	}
	if why != "" {
		if known, err = r.resync(ctx, &instance, known, now, why); err != nil {
			return reconcile.Result{}, err
		}
	}
	return waitFor(known, r.Now()), nil
}

func waitFor(known *memory, now time.Time) reconcile.Result {
	if known.next.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(known.next.Sub(now), time.Second)}
}

// secretVersion changes when the Secret with the key does.
func (r *Resyncer) secretVersion(ctx context.Context, instance *v1alpha1.ClerkInstance) (string, error) {
	var secret corev1.Secret
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: instance.Spec.API.SecretKeyRef.Name}, &secret)
	return secret.ResourceVersion, client.IgnoreNotFound(err)
}

// resync runs one and puts on record what it came to.
func (r *Resyncer) resync(
	ctx context.Context, instance *v1alpha1.ClerkInstance, known *memory, wanted wishes, why string,
) (*memory, error) {
	this := &run{Resyncer: r, instance: instance, started: r.Now(), told: r.Now(), counts: map[string]*tally{},
		failed: map[string]bool{}}
	this.unseen = r.begin(instance.Name)
	err := this.resync(ctx)
	r.finish(instance.Name, this.failed)
	finished := r.Now()
	took := finished.Sub(this.started).Seconds()
	end := ending{result: v1alpha1.ResyncComplete, reason: v1alpha1.ReasonSynced, finished: finished, served: wanted.requested,
		held: this.held, message: "all that Clerk lists is mirrored, and nothing else is"}
	back, isSetback := errors.AsType[*setback](err)
	switch {
	case errors.Is(err, errChanged):
		return &memory{next: finished}, nil // not remembered: so it begins anew
	case err != nil && !isSetback:
		metrics.ResyncSeconds.WithLabelValues(instance.Name, "aborted").Observe(took)
		return nil, fmt.Errorf("resync ClerkInstance %s: %w", instance.Name, err)
	case isSetback:
		end.result, end.reason, end.message, end.wait, end.lasting = back.result, back.reason, back.message, back.wait, back.lasting
	case end.held != nil:
		end.result, end.reason = v1alpha1.ResyncPruneHeld, v1alpha1.ReasonPruneHeld
		end.message = "all that Clerk lists is mirrored; what else is, waits: see the condition PruneHeld"
	}
	next := after(known, wanted, end, finished)
	r.remember(instance.Name, next)
	this.record(ctx, end, why, took)
	return next, this.writeStatus(ctx, instance, this.statusAfter(end))
}

// record counts, logs and tells of a resync that ended.
func (r *run) record(ctx context.Context, end ending, why string, took float64) {
	name := r.instance.Name
	metrics.ResyncSeconds.WithLabelValues(name, string(end.result)).Observe(took)
	if end.result == v1alpha1.ResyncComplete || end.result == v1alpha1.ResyncPruneHeld {
		metrics.ResyncLastSuccessTimestamp.WithLabelValues(name).Set(float64(end.finished.Unix()))
	}
	logger := log.FromContext(ctx).WithValues("instance", name, "why", why, "result", end.result, "seconds", took,
		"requests", r.requests.Load())
	for _, k := range kinds {
		if count := r.counts[k.name]; count != nil {
			logger = logger.WithValues(k.name, fmt.Sprintf("%d listed, %d created, %d updated, %d deleted",
				count.listed, count.created, count.updated, count.deleted))
		}
	}
	logger.Info("Resynced from Clerk's API: " + end.message)
	if !end.looked() {
		return
	}
	count := 0
	if end.held != nil {
		count = len(end.held.absences)
		if r.instance.Status.HeldPrune.Plan != end.held.name() {
			r.Recorder.Eventf(r.instance, nil, corev1.EventTypeWarning, v1alpha1.ReasonPruneHeld, "Resync", "%s", heldMessage(name, end.held))
		}
	}
	metrics.ResyncPruneHeld.WithLabelValues(name).Set(float64(count))
	if r.contradictions.count() > 0 && r.instance.Status.Contradiction.Name != r.contradictions.name() {
		r.Recorder.Eventf(r.instance, nil, corev1.EventTypeWarning, v1alpha1.ReasonContradiction, "Resync", "%s", r.contradictions.message(name))
	}
	metrics.ResyncContradictions.WithLabelValues(name).Set(float64(r.contradictions.count()))
}

func (r *Resyncer) recall(name string) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memories[name]
}

func (r *Resyncer) remember(name string, known *memory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memories[name] = known
}

// begin takes note that a resync runs, and returns at what the last one could not look.
func (r *Resyncer) begin(name string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[name] = true
	return r.unseen[name]
}

// finish takes note that a resync ended, and at what it could not look.
func (r *Resyncer) finish(name string, unseen map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, name)
	delete(r.unseen, name)
	if len(unseen) > 0 {
		r.unseen[name] = unseen
	}
}

// forget drops what is known of a ClerkInstance, and its metrics.
func (r *Resyncer) forget(name string) {
	r.mu.Lock()
	delete(r.memories, name)
	delete(r.unseen, name)
	r.mu.Unlock()
	of := prometheus.Labels{"instance": name}
	metrics.ResyncSeconds.DeletePartialMatch(of)
	metrics.ResyncLastSuccessTimestamp.DeletePartialMatch(of)
	metrics.ResyncListed.DeletePartialMatch(of)
	metrics.ResyncPruneHeld.DeletePartialMatch(of)
	metrics.ResyncContradictions.DeletePartialMatch(of)
	metrics.ResyncRequests.DeletePartialMatch(of)
	metrics.ResyncDrift.DeletePartialMatch(of)
}
