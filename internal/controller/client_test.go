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

package controller_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// hanging are the requests of the operator that get no answer.
var hanging hangs

// hangs holds requests back by the end of their path, until it is told to let them go.
type hangs struct {
	mu    sync.Mutex
	paths map[string]chan struct{}
	held  map[string]bool
}

func (h *hangs) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		h.mu.Lock()
		release := h.paths[request.URL.Path]
		if release != nil {
			h.held[request.URL.Path] = true
		}
		h.mu.Unlock()
		if release != nil {
			<-release // whatever the request's context says: a barrier that waits for the answer waits for good
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// hold makes the requests to a path hang until they are let go, at the end of the test at the latest.
func (h *hangs) hold(t *testing.T, path string) (letGo func()) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paths == nil {
		h.paths, h.held = map[string]chan struct{}{}, map[string]bool{}
	}
	release := make(chan struct{})
	h.paths[path] = release
	letGo = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.paths, path)
		close(release)
	})
	t.Cleanup(letGo)
	return letGo
}

// awaitHeld waits until a request to a path hangs.
func (h *hangs) awaitHeld(t *testing.T, path string) {
	t.Helper()
	eventually(t, "a request to "+path+" hangs", func(context.Context) error {
		if !h.holds(path) {
			return errors.New("none does")
		}
		return nil
	})
}

func (h *hangs) holds(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[path]
}

func TestAStatusWriteThatHangsDelaysNoRevocation(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "clerk:${user.id}")
	tn := newTenancy(t)
	tn.createOrganizationOf(instance.Name)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name }
	jane, joe := tn.join("org:admin", of), tn.join("org:admin", of)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane), subjectOf(joe))

	status := "/apis/" + v1alpha1.GroupVersion.String() + "/clerkinstances/" + instance.Name + "/status"
	hanging.hold(t, status)
	edit(t, instance, func(i *v1alpha1.ClerkInstance) {
		i.Spec.InstanceID = "ins_" + strings.ReplaceAll(instance.Name, "-", "")
	})
	hanging.awaitHeld(t, status)
	tn.leave(jane)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
}
