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

package kubectl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// live is what watches say of a cluster, with the caller's rights. A kind that the caller may not list or watch keeps no other from being
// shown. It is asked for again and again, at most every 30 seconds or so.
type live struct {
	cluster client.WithWatch
	kinds   map[string]*liveKind

	// mutex guards what follows, and what kinds know.
	mutex sync.Mutex

	// changed is closed at the next change, and replaced.
	changed chan struct{}
}

// watchTimeout is how long a watch lasts before it is asked for anew. The API server asks who one is when a watch begins, and not again:
// after so long at most, a token that has expired and a right that was taken away show.
const watchTimeout = time.Minute

// liveKind is one of the kinds.
type liveKind struct {
	*live
	listing  listing
	informer toolscache.SharedIndexInformer
	isListed bool

	// listError and watchError are what the API server refused last; nil if it answered.
	listError, watchError error
}

// follow watches kinds until the context ends.
func follow(ctx context.Context, cluster client.WithWatch, groups ...[]listing) (*live, error) {
	l := &live{cluster: cluster, kinds: map[string]*liveKind{}, changed: make(chan struct{})}
	for _, listing := range slices.Concat(groups...) {
		kind := &liveKind{live: l, listing: listing}
		if err := kind.prepare(); err != nil {
			return nil, fmt.Errorf("watch %s: %w", resourceOf(listing.list), err)
		}
		l.kinds[resourceOf(listing.list)] = kind
	}
	for _, kind := range l.kinds {
		go kind.informer.RunWithContext(ctx)
		go func() {
			select {
			case <-kind.informer.HasSyncedChecker().Done():
				kind.note(func() { kind.isListed = true })
			case <-ctx.Done():
			}
		}()
	}
	return l, nil
}

func (k *liveKind) prepare() error {
	example, err := scheme.New(kindOfItem(k.listing.list))
	if err != nil {
		return err
	}
	source := &toolscache.ListWatch{ListWithContextFunc: k.list, WatchFuncWithContext: k.watch}
	k.informer = toolscache.NewSharedIndexInformer(source, example, 0, toolscache.Indexers{})
	// What goes wrong is kept by list and watch, and told on the page: nothing is logged.
	ignore := func(context.Context, *toolscache.Reflector, error) {}
	changed := func() { k.note(func() {}) }
	_, err = k.informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	})
	return errors.Join(err, k.informer.SetWatchErrorHandlerWithContext(ignore), k.informer.SetTransform(toolscache.TransformFunc(slim)))
}

// slim leaves out what nobody asks for, and takes much memory.
func slim(object any) (any, error) {
	if object, is := object.(client.Object); is {
		object.SetManagedFields(nil)
	}
	return object, nil
}

func (k *liveKind) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	found := k.listing.list.DeepCopyObject().(client.ObjectList)
	err := k.cluster.List(ctx, found, k.options(&options)...)
	if ctx.Err() == nil {
		k.note(func() { k.listError = err })
	}
	return found, err
}

// watch also lists where the API server streams lists.
func (k *liveKind) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	found := k.listing.list.DeepCopyObject().(client.ObjectList)
	isStreamed := options.SendInitialEvents != nil && *options.SendInitialEvents
	if !isStreamed {
		options.TimeoutSeconds = new(int64(watchTimeout.Seconds()))
	}
	watching, err := k.cluster.Watch(ctx, found, k.options(&options)...)
	if err == nil && isStreamed { // the list takes as long as it takes
		watching = endAfterList(watching)
	}
	if ctx.Err() == nil {
		k.note(func() {
			k.watchError = err
			if err == nil {
				k.listError = nil
			}
		})
	}
	return watching, err
}

// endAfterList ends a watch some time after all has been listed that was there when it began.
func endAfterList(watching watch.Interface) watch.Interface {
	return watch.Filter(watching, func(event watch.Event) (watch.Event, bool) {
		if object, is := event.Object.(client.Object); is && event.Type == watch.Bookmark &&
			object.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
			time.AfterFunc(watchTimeout, watching.Stop)
		}
		return event, true
	})
}

func (k *liveKind) options(options *metav1.ListOptions) []client.ListOption {
	asked := []client.ListOption{&client.ListOptions{Raw: options, Limit: options.Limit, Continue: options.Continue}}
	if k.listing.label != "" {
		asked = append(asked, client.HasLabels{k.listing.label})
	}
	return asked
}

// note changes what is known, and says so.
func (k *liveKind) note(change func()) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	change()
	close(k.changed)
	k.changed = make(chan struct{})
}

// snapshot is what is there now, as load would have listed it. It waits until every kind was listed or refused.
func (l *live) snapshot(ctx context.Context, groups ...[]listing) (*snapshot, error) {
	listings := slices.Concat(groups...)
	for {
		s, changed, err := l.take(ctx, listings)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errors.New("the API server has not answered yet: wait a moment, or see whether kubectl cluster-info answers")
		}
	}
}

// take is a snapshot of some kinds; nil, with the next change, if one of them has not been listed yet.
func (l *live) take(ctx context.Context, listings []listing) (*snapshot, <-chan struct{}, error) {
	s, err := newSnapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	taken := map[string]bool{}
	for _, listing := range listings {
		resource := resourceOf(listing.list)
		kind := l.kinds[resource]
		switch {
		case taken[resource]:
			continue
		case listing.optional && (apierrors.IsForbidden(kind.listError) || isUnknownKind(kind.listError)):
			s.unread[resource] = kind.listError
			continue
		case kind.listError != nil && (!kind.isListed || apierrors.IsForbidden(kind.listError)) && !isUnanswered(kind.listError):
			return nil, nil, explainList(kind.listError, listing.list)
		case !kind.isListed:
			return nil, l.changed, nil
		}
		taken[resource] = true
		for _, item := range kind.informer.GetStore().List() {
			object := item.(client.Object)
			s.objects[kindOf(object)] = append(s.objects[kindOf(object)], object)
		}
	}
	for _, objects := range s.objects {
		slices.SortFunc(objects, func(a, b client.Object) int {
			return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
		})
	}
	return s, nil, nil
}

// next is closed when something has changed since.
func (l *live) next() <-chan struct{} {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.changed
}
