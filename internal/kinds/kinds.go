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

// Package kinds looks whether the API server has the kinds that this version of the operator was built with. Helm 3 installs
// CustomResourceDefinitions and never upgrades them; with an older one, fields that the operator writes are dropped without a word, and
// rules that keep something late from undoing something newer are missing.
package kinds

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// Annotation of a CustomResourceDefinition is the checksum of its spec. make generate writes it.
const Annotation = "clerk-operator.io/schema"

const (
	// interval is how often the kinds are looked at again. They change in upgrades alone, and one look is a few small requests.
	interval = 10 * time.Minute
	// timeout bounds one look, which takes milliseconds.
	timeout = 30 * time.Second
)

// remedy is what to do about kinds that are not those of this version.
const remedy = "bring the kinds up to date: kubectl apply --server-side --force-conflicts --field-manager=helm " +
	"-f charts/clerk-operator/crds, with the files of this version"

var errStale = errors.New("the API server has a kind that is not of this version of the operator")

// Checksums are those of the specs of this version's CustomResourceDefinitions, by their names.
func Checksums() map[string]string { return maps.Clone(checksums) }

// Watcher tells in the log and in a metric of kinds that are not those of this version. Every replica has one.
type Watcher struct {
	live client.Reader
	// told has, by CustomResourceDefinition, what was last said of it: the served checksum, or that it cannot be read.
	told map[string]string
}

// NewWatcher makes one that reads from the API server itself.
func NewWatcher(live client.Reader) *Watcher { return &Watcher{live: live, told: map[string]string{}} }

// NeedLeaderElection says that every replica looks: each may be of another version.
func (w *Watcher) NeedLeaderElection() bool { return false }

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get,resourceNames=clerkdatabases.clerk-operator.io;clerkinstances.clerk-operator.io;clerkmembers.clerk-operator.io;clerkorganizationdomains.clerk-operator.io;clerkorganizations.clerk-operator.io;clerkpermissions.clerk-operator.io;clerkroles.clerk-operator.io;clerksinks.clerk-operator.io;clerksubscriptionitems.clerk-operator.io;clerkusers.clerk-operator.io;clustergrants.clerk-operator.io;tenantclasses.clerk-operator.io

// Start looks at once and then at intervals, until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		w.Look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Look compares each kind once, and returns the CustomResourceDefinitions that are not those of this version.
func (w *Watcher) Look(ctx context.Context) (stale []string) {
	for name, served := range read(ctx, w.live) {
		if served.err != nil {
			if ctx.Err() == nil && w.isNews(name, "unreadable") {
				ctrl.Log.WithName("kinds").Error(served.err, "cannot tell whether the kind is of this version", "crd", name)
			}
			continue
		}
		if w.tell(name, served.checksum) {
			stale = append(stale, name)
		}
	}
	return stale
}

// served is what the API server says of a kind.
type served struct {
	checksum string
	err      error
}

// read reads the checksum of each kind, in the order of their names.
func read(ctx context.Context, live client.Reader) iter.Seq2[string, served] {
	return func(yield func(string, served) bool) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		for _, name := range slices.Sorted(maps.Keys(checksums)) {
			crd := &metav1.PartialObjectMetadata{}
			crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
			err := live.Get(ctx, client.ObjectKey{Name: name}, crd)
			if !yield(name, served{checksum: crd.Annotations[Annotation], err: err}) {
				return
			}
		}
	}
}

// tell says what a kind is, where that is news.
func (w *Watcher) tell(name, served string) (isStale bool) {
	isStale = served != checksums[name]
	value := 0.0
	if isStale {
		value = 1
	}
	metrics.StaleKinds.WithLabelValues(name).Set(value)
	_, before := w.told[name]
	if !w.isNews(name, served) {
		return isStale
	}
	logger := ctrl.Log.WithName("kinds").WithValues("crd", name, "served", served, "wanted", checksums[name])
	if isStale {
		logger.Error(errStale, remedy)
	} else if before {
		logger.Info("the kind is of this version again")
	}
	return isStale
}

// isNews remembers what is said of a kind, and says whether it is something new.
func (w *Watcher) isNews(name, word string) bool {
	last, found := w.told[name]
	w.told[name] = word
	return !found || last != word
}
