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
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/internal/examples"
)

// Send is what was sent and what was answered.
type Send struct {
	metav1.TypeMeta `json:",inline"`

	// Instance is the ClerkInstance, and Mode its mode, where the cluster was asked.
	Instance string `json:"instance"`
	Mode     string `json:"mode,omitempty"`

	// To says where it goes, and SignedWith where the signing secret comes from.
	To         string `json:"to"`
	SignedWith string `json:"signedWith"`

	EventType string `json:"eventType"`
	MessageID string `json:"messageID"`

	// About are the ids that the event speaks of: organization, membership, user, role, permission.
	About map[string]string `json:"about,omitempty"`

	// Effect says what the event does to a cluster that hears it. Final: nothing brings back what has this id.
	Effect string `json:"effect"`
	Final  bool   `json:"final"`

	// DryRun: nothing was sent, and Request is what would be, without its signature.
	DryRun  bool         `json:"dryRun"`
	Request *SendRequest `json:"request,omitempty"`

	// Accepted: the receiver has it, and Clerk's sender would not try again.
	Accepted bool `json:"accepted"`

	// Status and Answer are the receiver's, and Meaning says what they mean.
	Status  int    `json:"status,omitempty"`
	Answer  string `json:"answer,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// SendRequest is a request that is not sent.
type SendRequest struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"`
}

// EventTypes are the types of events of which there is an example.
type EventTypes struct {
	metav1.TypeMeta `json:",inline"`

	Types []EventType `json:"types"`
}

// EventType is one.
type EventType struct {
	Name string `json:"name"`

	// Effect says what an event of it does to a cluster that hears it. Final: nothing brings back what has its id.
	Effect string `json:"effect"`
	Final  bool   `json:"final"`
}

func listTypes() *EventTypes {
	found := &EventTypes{TypeMeta: view("EventTypes")}
	for _, name := range examples.Types() {
		effect, final := effectOf(name, &examples.Subject{})
		found.Types = append(found.Types, EventType{Name: name, Effect: effect, Final: final})
	}
	return found
}

func (e *EventTypes) names() []string {
	names := make([]string, len(e.Types))
	for i := range e.Types {
		names[i] = e.Types[i].Name
	}
	return names
}

func (e *EventTypes) text(out *page) {
	rows := make([][]cell, len(e.Types))
	for i := range e.Types {
		final := ""
		if e.Types[i].Final {
			final = "final"
		}
		rows[i] = []cell{{text: e.Types[i].Name, look: bold}, {text: e.Types[i].Effect}, {text: final, look: yellow}}
	}
	out.table("", []string{"TYPE", "WHAT IT DOES", ""}, rows)
}

// typeOf is the type that an event says it is of.
func typeOf(body []byte) string {
	var envelope struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(body, &envelope) // what is no event is sent all the same: that may be what is tried
	return clean(envelope.Type)
}

// spokenOf are those of whom an event can speak, in the order in which they are told.
var spokenOf = []string{"organization", "membership", "user", "role", "permission"}

// announce says what is about to happen.
func (s *Send) announce(out *page) {
	mode, name := "", s.EventType
	if s.Mode != "" {
		mode = " (" + s.Mode + ")"
	}
	if name == "" {
		name = "something that is no event"
	}
	out.line("%s, signed as Clerk signs it", out.in(bold, name))
	s.field(out, "for", "ClerkInstance "+s.Instance+mode)
	s.field(out, "to", s.To)
	s.field(out, "signed with", s.SignedWith)
	for _, subject := range spokenOf {
		if id := s.About[subject]; id != "" {
			s.field(out, subject, id)
		}
	}
	s.field(out, "message", s.MessageID)
	s.field(out, "effect", s.Effect)
	if s.Final {
		s.field(out, "", out.in(yellow, "That is final: nothing brings back what has this id."))
	}
}

// field is a line with a name and a value.
func (*Send) field(out *page, name, value string) {
	out.line("  %-12s  %s", name, value)
}

func (s *Send) names() []string { return []string{reference("clerkinstance", s.Instance)} }

func (s *Send) text(out *page) {
	if s.DryRun {
		s.announce(out)
		out.line("\n%s %s", s.Request.Method, s.Request.Path)
		out.line("Content-Type: application/json")
		out.line("Svix-Id: %s", s.MessageID)
		out.line("Svix-Timestamp: %s", out.in(dim, "(seconds, when it is sent)"))
		out.line("Svix-Signature: %s", out.in(dim, "(made with the signing secret, when it is sent)"))
		out.line("\n%s", s.Request.Body)
		out.line("\n%s", out.in(bold, "Nothing was sent."))
		return
	}
	look := green
	if !s.Accepted {
		look = red
	}
	out.line("%s", out.in(look, fmt.Sprintf("%d %s", s.Status, http.StatusText(s.Status))))
	if s.Answer != "" && !s.Accepted {
		out.paragraph("  ", "  ", s.Answer, plain)
	}
	out.paragraph("  ", "  ", s.Meaning, dim)
}

// meaningOf says what an answer of the receiver's means: the table is in docs/troubleshooting.md.
func meaningOf(status int) string {
	switch status {
	case http.StatusNoContent:
		return "Accepted: what it says is written down, or was known already, or newer news was there."
	case http.StatusBadRequest:
		return "Refused: the headers are not as Clerk's sender has them, or something on the way changed them."
	case http.StatusUnauthorized:
		return "Refused: the secret that signed is not one of the ClerkInstance's, or the clocks are more than 5 minutes apart."
	case http.StatusForbidden:
		return "Refused: the event names another Clerk environment than the ClerkInstance hears."
	case http.StatusNotFound:
		return "Refused: there is no ClerkInstance of this name there that hears deliveries, or it is not the operator that answers."
	case http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		return "Refused: it did not arrive as it was sent, or is too large."
	case http.StatusUnprocessableEntity:
		return "Refused: well signed, but not an event as Clerk sends them, or one that the API server can never take."
	case http.StatusServiceUnavailable:
		return "Not accepted now: Clerk's sender would try again. The operator is busy, or lacks its API server or a signing secret."
	}
	if status/100 == 2 {
		return "Accepted, but not by the operator, which answers 204: is it the right address?"
	}
	return strings.TrimSpace(fmt.Sprintf("Not the operator's answer: something on the way there said %d %s.", status, http.StatusText(status)))
}
