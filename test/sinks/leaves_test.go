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

package sinks_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// included is what one of the sinks lets through on purpose, and tries to of mails and messages.
var included = []string{"private_metadata", "unsafe_metadata.note", "url", "body", "body_plain", "message", "data", "otp_code", "ticket", "invitation"}

// columns are the paths that the tables have, of what created or changed an entity and of what deleted one.
var columns = map[string][]string{
	"organization": {"id", "name", "slug", "image_url", "public_metadata.**"},
	"organizationMembership": {
		"id", "role", "permissions", "public_metadata.**", "public_user_data.user_id",
		"organization.id", "organization.name", "organization.slug", "organization.image_url", "organization.public_metadata.**",
	},
	"user": {
		"id", "email_addresses.email_address", "username", "first_name", "last_name", "image_url", "external_id", "public_metadata.**",
	},
	"role":       {"id", "key", "name", "description", "permissions.key"},
	"permission": {"id", "key", "name", "description"},
}

var deletedColumns = []string{"id", "organization.id", "public_user_data.user_id"}

// isColumn tells whether a leaf belongs into the tables.
func isColumn(l leaf) bool {
	if strings.HasSuffix(l.eventType, ".deleted") {
		_, isKept := columns[l.entity()]
		return isKept && slices.Contains(deletedColumns, l.path)
	}
	return mayLeave(columns[l.entity()], l.path)
}

// outlet is where events go: a sink, and what of them may.
type outlet struct {
	change   func(*v1alpha1.ClerkSinkSpec)
	received func() string
	mayLeave func(leaf) bool
	secret   string
}

// TestNothingLeavesThatMustNot sends every known type to sinks of every kind and to the mirror. Each string of each event has a canary. The
// canaries that are found in every byte that came out, wherever that is, are exactly those that the documentation says may.
func TestNothingLeavesThatMustNot(t *testing.T) {
	c := newCanaries(t)
	safe := func(l leaf) bool { return mayLeave(c.lists[l.entity()], l.path) }
	events := map[string][]byte{}
	for _, eventType := range clerk.Types() {
		events[eventType] = c.event(t, eventType)
	}
	t.Logf("%d canaries in %d types", len(c.leaves), len(events))
	for l := range c.which(func(l leaf) bool { return l.mustNeverLeave() && (safe(l) || isColumn(l)) }) {
		t.Errorf("%s: a list lets it through, and it must never leave", l)
	}

	everyUser(t)
	operator := start(t, "--database-allow-local-targets")
	defer operator.Kill()
	outlets := outletsOf(t, c, safe)
	for name, outlet := range outlets {
		outlet.secret = makeSink(t, "canaries-"+name, outlet.change)
	}
	database := startDatabase(t)
	for _, eventType := range clerk.Types() {
		id := clerktest.RandomID("msg")
		if !strings.HasPrefix(eventType, "subscription") { // a word in the status of a subscription is no status, and refused
			delivered(t, operator.Sender(operatorproc.Instance, secret), id, events[eventType], operator)
		}
		for name, outlet := range outlets {
			url := operator.URL(operatorproc.Instance) + "/sinks/canaries-" + name
			delivered(t, clerktest.Sender{URL: url, Secret: outlet.secret}, id, events[eventType], operator)
		}
	}

	for name, outlet := range outlets {
		compareLeaves(t, name, c.which(outlet.mayLeave), c.found(t, outlet.received()))
	}
	if database != nil {
		want := c.which(isColumn)
		waitFor(t, func() error { return missing(want, c.found(t, database())) })
		compareLeaves(t, "the database", want, c.found(t, database()))
	}
	searchCluster(t, c, operator)
}

// outletsOf are sinks of every kind.
func outletsOf(t *testing.T, c *canaries, safe func(leaf) bool) map[string]*outlet {
	t.Helper()
	onPurpose := func(l leaf) bool {
		if _, isCode := codes[l.entity()]; isCode || strings.HasPrefix(l.path, envelopePath) || l.path == tickets[l.entity()] {
			return safe(l)
		}
		return safe(l) || slices.ContainsFunc(included, func(path string) bool { return l.path == path || strings.HasPrefix(l.path, path+".") })
	}
	all := map[string]*outlet{
		"binary":     overHTTP(t, v1alpha1.SinkBinary, v1alpha1.SinkData{}, safe),
		"structured": overHTTP(t, v1alpha1.SinkStructured, v1alpha1.SinkData{Mode: v1alpha1.SinkDataSafe}, safe),
		"included":   overHTTP(t, v1alpha1.SinkBinary, v1alpha1.SinkData{Mode: v1alpha1.SinkDataSafe, Include: included}, onPurpose),
		"envelope":   overHTTP(t, v1alpha1.SinkBinary, v1alpha1.SinkData{Mode: v1alpha1.SinkDataEnvelope}, c.isEnvelope),
	}
	server, err := natsproc.Start(t.Context(), plane, "nats-canaries")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	for _, mode := range []v1alpha1.SinkContentMode{v1alpha1.SinkBinary, v1alpha1.SinkStructured} {
		name := "nats-" + strings.ToLower(string(mode))
		if err := server.MakeStream(t.Context(), name, name); err != nil {
			t.Fatal(err)
		}
		all[name] = &outlet{
			change: func(s *v1alpha1.ClerkSinkSpec) {
				s.NATS = &v1alpha1.SinkNATS{Servers: []string{server.URL()}, SubjectPrefix: name, ContentMode: mode}
			},
			received: func() string { return stored(t, server, name) },
			mayLeave: safe,
		}
	}
	return all
}

func overHTTP(t *testing.T, mode v1alpha1.SinkContentMode, data v1alpha1.SinkData, may func(leaf) bool) *outlet {
	t.Helper()
	service := newService(t, func() bool { return false })
	return &outlet{
		change: func(s *v1alpha1.ClerkSinkSpec) {
			s.Data, s.HTTP = data, &v1alpha1.SinkHTTP{URL: service.URL, ContentMode: mode}
		},
		received: func() string {
			service.mutex.Lock()
			defer service.mutex.Unlock()
			return service.text.String()
		},
		mayLeave: may,
	}
}

// isEnvelope tells whether a leaf is the id of what an event is about, or of its organization.
func (c *canaries) isEnvelope(l leaf) bool {
	if l.path == "id" {
		return true
	}
	for _, path := range []string{"organization.id", "organization_id", "payer.organization_id", "last_active_organization_id"} {
		if slices.Contains(c.leaves, leaf{l.eventType, path}) {
			return l.path == path && l.entity() != "organization"
		}
	}
	return false
}

func stored(t *testing.T, server *natsproc.Server, stream string) string {
	t.Helper()
	messages, err := server.Messages(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, message := range messages {
		fmt.Fprintln(&text, message.Subject, message.Header, string(message.Data))
	}
	return text.String()
}

func delivered(t *testing.T, sender clerktest.Sender, id string, body []byte, operator *operatorproc.Operator) {
	t.Helper()
	waitFor(t, func() error { // the operator may not have seen the sink yet
		status, answer, err := sender.Send(t.Context(), clerktest.Delivery{ID: id, Body: body})
		if err != nil || status != http.StatusNoContent {
			return fmt.Errorf("%s answered %d %s (%w); the log:\n%s", sender.URL, status, answer, err, operator.LogTail())
		}
		return nil
	})
}

// everyUser lets every user be mirrored, also one who is in no organization.
func everyUser(t *testing.T) {
	t.Helper()
	set := func(ctx context.Context, users v1alpha1.MirroredUsers) error {
		patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"users":%q}}`, users))
		return cluster.Patch(ctx, &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: operatorproc.Instance}}, patch)
	}
	if err := set(t.Context(), v1alpha1.UsersAll); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set(context.Background(), v1alpha1.UsersMembers) })
}

// missing says which leaves should have been found.
func missing(want, found map[leaf]bool) error {
	for l := range want {
		if !found[l] {
			return fmt.Errorf("%s has not arrived", l)
		}
	}
	return nil
}

// compareLeaves wants what was found to be what may be, all of it: a test that found nothing would show nothing.
func compareLeaves(t *testing.T, where string, want, found map[leaf]bool) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing is expected there", where)
	}
	for _, l := range slices.SortedFunc(maps.Keys(found), byName) {
		if !want[l] {
			t.Errorf("%s received %s, which must not leave", where, l)
		}
	}
	for _, l := range slices.SortedFunc(maps.Keys(want), byName) {
		if !found[l] {
			t.Errorf("%s lacks %s, which may leave", where, l)
		}
	}
}

func byName(a, b leaf) int { return strings.Compare(a.String(), b.String()) }
