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

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// operatorUserAgent is what the user agent of all of the operator's requests begins with.
const operatorUserAgent = "clerk-operator/"

// auditLog is what the API server has logged of the requests to it.
type auditLog struct {
	plane *controlplane.ControlPlane
}

// requests are the requests to the API server in a while.
type requests []controlplane.AuditEvent

// since are the operator's requests from a time on. Those are left out by which its metrics endpoint asks who is asking: the only one
// who asks is this benchmark.
func (l *auditLog) since(began time.Time) (requests, error) {
	all, err := l.plane.AuditEvents()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e controlplane.AuditEvent) bool {
		return e.Time.Before(began) || !strings.HasPrefix(e.UserAgent, operatorUserAgent) ||
			e.Group == "authentication.k8s.io" || e.Group == "authorization.k8s.io"
	}), nil
}

// kind tells what a request is for, as far as it matters how many of them there are.
type kind int

const (
	// entities: what Clerk said is written.
	entities kind = iota
	// tenants: namespaces, RoleBindings, policies.
	tenants
	// statuses: what people read.
	statuses
	// events: what happened, for people to read.
	events
	// election: who leads, which is a Lease and an event in the operator's own namespace.
	election
	// reads: get, list and watch.
	reads
)

var kindNames = map[kind]string{
	entities: "mirrored entities",
	tenants:  "tenants' objects",
	statuses: "statuses",
	events:   "events",
	election: "leader election",
	reads:    "reads",
}

func kindOf(e controlplane.AuditEvent) kind {
	switch {
	case e.Resource == "leases", e.Resource == "events" && e.Namespace == operatorproc.Namespace:
		return election
	case e.Resource == "events":
		return events
	case e.Verb == "get" || e.Verb == "list" || e.Verb == "watch":
		return reads
	case e.Subresource == "status":
		return statuses
	case e.Group == "clerk-operator.io":
		return entities
	}
	return tenants
}

// of are those requests that are of one of the kinds.
func (r requests) of(kinds ...kind) requests {
	return slices.DeleteFunc(slices.Clone(r), func(e controlplane.AuditEvent) bool { return !slices.Contains(kinds, kindOf(e)) })
}

// writes are the requests that change something, apart from leader election.
func (r requests) writes() requests { return r.of(entities, tenants, statuses, events) }

// last is when the last of them was made.
func (r requests) last() time.Time {
	if len(r) == 0 {
		return time.Time{}
	}
	return slices.MaxFunc(r, func(a, b controlplane.AuditEvent) int { return a.Time.Compare(b.Time) }).Time
}

// share is how many requests there were of one verb on one resource.
type share struct {
	kind  kind
	what  string
	count int
}

// shares tells the requests apart by verb and resource.
func (r requests) shares() []share {
	counts := map[share]int{}
	for _, e := range r {
		what := e.Verb + " " + cmp.Or(e.Resource, "discovery")
		if e.Subresource != "" {
			what += "/" + e.Subresource
		}
		if e.Code >= 400 {
			what = fmt.Sprintf("%s (answered %d)", what, e.Code)
		}
		counts[share{kind: kindOf(e), what: what}]++
	}
	var shares []share
	for _, key := range slices.Collect(maps.Keys(counts)) {
		key.count = counts[key]
		delete(counts, share{kind: key.kind, what: key.what})
		shares = append(shares, key)
	}
	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(b.count, a.count), strings.Compare(a.what, b.what))
	})
	return shares
}
