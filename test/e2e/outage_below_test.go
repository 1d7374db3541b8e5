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

package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestNothingIsLostWhateverStopsOrFreezesBelow stops etcd, and freezes etcd and the API server, while members leave, join and change. What comes
// in meanwhile is answered in time with a request to try again; afterwards it is accepted, and the cluster is as if nothing had been.
func TestNothingIsLostWhateverStopsOrFreezesBelow(t *testing.T) {
	replicas := startReplicas(t, 2)
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(3, 3)
	w.deliver(4, nil, w.toAll()...)
	w.settle()
	for _, trouble := range []struct {
		name  string
		begin func() (end func())
	}{
		{"etcd is killed", func() func() {
			plane.StopEtcd()
			return func() { must(t, plane.StartEtcd(t.Context())) }
		}},
		{"etcd is frozen", plane.PauseEtcd},
		{"the API server is frozen", plane.PauseAPIServer},
	} {
		known := w.accepted[0]
		_, others := leader(t, replicas)
		w.clerk.leave(w.clerk.memberships[w.clerk.membershipIDs()[0]])
		w.clerk.changeMembership(w.clerk.memberships[w.clerk.membershipIDs()[0]], func(m *membership) { m.role = roleMember })
		w.clerk.found(1, 2)
		news := w.toAll()
		end := trouble.begin()
		func() {
			defer end()
			w.note("%s", trouble.name)
			for _, r := range others { // the leader ends after a while, as it cannot renew its Lease
				w.wantAnswers(r, http.StatusServiceUnavailable, messagesOf(news)...)
				w.wantAnswers(r, http.StatusNoContent, known)
			}
		}()
		began := time.Now()
		w.deliver(4, nil, news...)
		w.settle()
		t.Logf("%s: the cluster agreed %s after that had ended", trouble.name, time.Since(began).Round(time.Millisecond))
		w.checkAccess()
	}
	w.checkTombstones()
}
