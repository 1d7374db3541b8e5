//go:build linux

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

package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/rest"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

const (
	// propagation is how long a load balancer takes to act on what the cluster says of endpoints. Those of clouds take a second or two.
	propagation = time.Second
	// senders deliver at the same time.
	senders = 3
	// eventsEach is how many events a sender tells of one organization before it takes the next.
	eventsEach = 40
	// pause between two deliveries of a sender.
	pause = 30 * time.Millisecond
	// deliveryPatience is how long a message is tried before it counts as lost. Clerk's sender goes on for 27 hours.
	deliveryPatience = 2 * time.Minute
)

// retries are the sender's waits, as Svix': at once, and then longer and longer; cut down to what a test can wait for.
var retries = []time.Duration{0, 50 * time.Millisecond, 250 * time.Millisecond, time.Second}

// balancer knows the endpoints as a load balancer does: those that are ready, by a watch, and a little late.
type balancer struct {
	own    bool
	config *rest.Config
	client *http.Client
	mu     sync.Mutex
	urls   []string
	next   atomic.Uint64
}

// newBalancer watches until the test ends.
func newBalancer(t *testing.T, s *story) *balancer {
	t.Helper()
	b := &balancer{own: s.own, config: s.config}
	if !b.own { // Pods have no address that is reached from here: through the API server.
		var err error
		if b.client, err = rest.HTTPClientFor(s.config); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	factory := informers.NewSharedInformerFactoryWithOptions(s.clientset, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = discoveryv1.LabelServiceName + "=" + release }))
	slices := factory.Discovery().V1().EndpointSlices()
	lister := slices.Lister()
	slices.Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	look := func() {
		found, err := lister.List(labels.Everything())
		if err != nil {
			return
		}
		urls := b.ready(found)
		time.AfterFunc(propagation, func() { b.set(urls) })
	}
	found, err := lister.List(labels.Everything())
	if err != nil {
		t.Fatal(err)
	}
	b.set(b.ready(found))
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pollInterval):
				look()
			}
		}
	}()
	return b
}

// ready are the URLs of the endpoints that are.
func (b *balancer) ready(slices []*discoveryv1.EndpointSlice) []string {
	var urls []string
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
				continue
			}
			for _, port := range slice.Ports {
				urls = append(urls, b.url(endpoint, *port.Port))
			}
		}
	}
	return urls
}

func (b *balancer) url(endpoint discoveryv1.Endpoint, port int32) string {
	if b.own {
		return fmt.Sprintf("http://%s:%d/webhooks/%s", endpoint.Addresses[0], port, instance)
	}
	return fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s:%d/proxy/webhooks/%s", b.config.Host, namespace, endpoint.TargetRef.Name, port, instance)
}

func (b *balancer) set(urls []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.urls = urls
}

// pick is the next endpoint in turn.
func (b *balancer) pick() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.urls) == 0 {
		return "", errors.New("no endpoint is ready")
	}
	return b.urls[b.next.Add(1)%uint64(len(b.urls))], nil
}

// stream is several senders that tell of organizations until they are stopped.
type stream struct {
	story    *story
	balancer *balancer
	label    string
	stop     chan struct{}
	senders  sync.WaitGroup

	mu                          sync.Mutex
	messages, attempts, refused int
	examples                    []string
	lost                        []error
	slowest                     time.Duration
	sent                        map[string]*told
}

func startStream(t *testing.T, s *story, label string) *stream {
	t.Helper()
	st := &stream{story: s, balancer: newBalancer(t, s), label: label, stop: make(chan struct{}), sent: map[string]*told{}}
	for number := range senders {
		st.senders.Go(func() { st.send(t.Context(), number) })
	}
	return st
}

// send tells of one organization after the other: that it is new, and then of change after change.
func (st *stream) send(ctx context.Context, number int) {
	for turn := 0; ; turn++ {
		name := st.label + "-" + strconv.Itoa(number) + "-" + strconv.Itoa(turn)
		organization := clerktest.Organization{ID: clerktest.ID("org", name), Name: name, Slug: name}
		for event := range eventsEach {
			if event > 0 {
				select {
				case <-st.stop:
					return
				case <-time.After(pause):
				}
			}
			organization.UpdatedAt, organization.Members = time.Now(), event
			told := clerktest.OrganizationUpdated(organization)
			if event == 0 {
				organization.CreatedAt = organization.UpdatedAt
				told = clerktest.OrganizationCreated(organization)
			}
			st.deliver(ctx, organization, told)
		}
	}
}

// deliver tries until a message is taken, as Clerk's sender does.
func (st *stream) deliver(ctx context.Context, organization clerktest.Organization, event clerktest.Event) {
	id, began := clerktest.RandomID("msg"), time.Now()
	err := errors.New("never tried")
	for try := 0; time.Since(began) < deliveryPatience && ctx.Err() == nil; try++ {
		if err = st.attempt(ctx, id, event); err == nil {
			break
		}
		time.Sleep(retries[min(try, len(retries)-1)])
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.messages++
	st.slowest = max(st.slowest, time.Since(began))
	if err != nil {
		st.lost = append(st.lost, err)
		return
	}
	entry := st.sent[organization.ID]
	if entry == nil {
		entry = &told{}
		st.sent[organization.ID] = entry
	}
	entry.last, entry.events = organization, entry.events+1
}

func (st *stream) attempt(ctx context.Context, id string, event clerktest.Event) error {
	url, err := st.balancer.pick()
	if err == nil {
		var status int
		var answer string
		status, answer, err = clerktest.Sender{URL: url, Secret: st.story.secret, Client: st.balancer.client}.Deliver(ctx, id, event)
		if err == nil && (status < 200 || status > 299) {
			err = fmt.Errorf("%s answered %d: %s", url, status, answer)
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.attempts++
	if err != nil {
		st.refused++
		if len(st.examples) < 3 {
			st.examples = append(st.examples, err.Error())
		}
	}
	return err
}

// finish stops the senders and compares: nothing was lost, each organization is as it was told last, and each event changed it once.
func (st *stream) finish(t *testing.T) {
	t.Helper()
	close(st.stop)
	st.senders.Wait()
	maps.Copy(st.story.organizations, st.sent)
	if len(st.lost) > 0 {
		t.Errorf("%d of %d messages were lost, such as: %v", len(st.lost), st.messages, st.lost[0])
	}
	st.story.compare(t)
	say("%d messages about %d organizations in %d attempts, of which %d were refused; the slowest message took %s",
		st.messages, len(st.sent), st.attempts, st.refused, st.slowest.Round(time.Millisecond))
	for _, example := range st.examples {
		say("refused: %s", example)
	}
	say("none lost, none doubled: each organization is as it was told last, and its generation is the number of its events")
}

// compare compares every organization in the cluster with what was told.
func (s *story) compare(t *testing.T) {
	t.Helper()
	var list v1alpha1.ClerkOrganizationList
	s.list(t, &list)
	if len(list.Items) != len(s.organizations) {
		t.Errorf("%d organizations are mirrored, %d were told of", len(list.Items), len(s.organizations))
	}
	for _, organization := range list.Items {
		want := s.organizations[organization.Spec.ID]
		if want == nil {
			t.Errorf("nobody told of %s", organization.Spec.ID)
			continue
		}
		if !organization.Spec.UpdatedAt.Time.Equal(want.last.UpdatedAt.Truncate(time.Millisecond)) || organization.Generation != want.events {
			t.Errorf("%s is of %s after %d changes, want %s after %d", organization.Spec.Slug,
				organization.Spec.UpdatedAt.UTC(), organization.Generation, want.last.UpdatedAt.UTC(), want.events)
		}
	}
}

// tell delivers one event that has to be taken at once, through any endpoint.
func (s *story) tell(t *testing.T, b *balancer, event clerktest.Event) {
	t.Helper()
	url, err := b.pick()
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := clerktest.Sender{URL: url, Secret: s.secret, Client: b.client}.Deliver(t.Context(), clerktest.RandomID("msg"), event)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("%s: answered %d %q (%v), want 204", event.Type, status, answer, err)
	}
}

// found tells of a new organization and waits until its namespace is there.
func (s *story) found(t *testing.T, b *balancer, slug string, metadata any) clerktest.Organization {
	t.Helper()
	organization := clerktest.Organization{
		ID: clerktest.ID("org", slug), Name: slug, Slug: slug, PublicMetadata: metadata, UpdatedAt: time.Now(),
	}
	s.tell(t, b, clerktest.OrganizationCreated(organization))
	s.organizations[organization.ID] = &told{last: organization, events: 1}
	took := eventually(t, "the namespace of "+slug, func(ctx context.Context) error {
		_, err := s.clientset.CoreV1().Namespaces().Get(ctx, "org-"+slug, metav1.GetOptions{})
		return err
	})
	say("organization %q: the namespace org-%s is there %s after the delivery was answered", slug, slug, took)
	return organization
}

// deliveries shows the way in: to each pod, through the Service, and that what is not signed stays out.
func deliveries(t *testing.T, s *story) {
	b := newBalancer(t, s)
	if len(b.urls) != 2 {
		t.Fatalf("the Service has the endpoints %v, want 2", b.urls)
	}
	s.found(t, b, "first", nil)
	for _, url := range b.urls {
		forged := clerktest.Sender{URL: url, Secret: clerktest.NewSecret(), Client: b.client}
		event := clerktest.OrganizationCreated(clerktest.Organization{ID: clerktest.RandomID("org"), Name: "forged", UpdatedAt: time.Now()})
		status, _, err := forged.Deliver(t.Context(), clerktest.RandomID("msg"), event)
		if err != nil || status != http.StatusUnauthorized {
			t.Errorf("a forged delivery is answered %d (%v), want 401", status, err)
		}
	}
	say("a delivery with another secret: 401 by each pod")
	if s.own {
		var service corev1.Service
		s.get(t, &service, namespace, release)
		through := fmt.Sprintf("http://%s:%d/webhooks/%s", service.Spec.ClusterIP, service.Spec.Ports[0].Port, instance)
		s.found(t, &balancer{own: true, urls: []string{through}}, "second", nil)
		say("that one came through the Service at %s, by kube-proxy", service.Spec.ClusterIP)
	}
	s.compare(t)
}
