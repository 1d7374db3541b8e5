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
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
)

// notes are what a resync could not do. It did all else.
type notes struct {
	failed    []string // kinds that could not be listed, and why
	forbidden []string // kinds that the API key may not list
	refused   remarks  // what could not be mirrored, and why
	unwritten remarks  // what the API server did not take
	unseen    remarks  // what could not be looked at again
	tooYoung  int      // what changed just now
}

// lost is how many things that were listed did not get into the mirror.
func (n *notes) lost() int { return n.refused.count + n.unwritten.count }

// remarks are the first few of something, and how many there are.
type remarks struct {
	count int
	first []string
}

func (m *remarks) add(text string) {
	m.count++
	if len(m.first) < maxToldIDs {
		m.first = append(m.first, text)
	}
}

func (m *remarks) tell() string {
	text := strings.Join(slices.Sorted(slices.Values(m.first)), "; ")
	if more := m.count - len(m.first); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// unlisted notes that a kind could not be listed. What the key may not read is no failure that passes.
func (n *notes) unlisted(k *kind, err error) {
	answer, ok := errors.AsType[*backend.APIError](err)
	if ok && answer.Status == http.StatusForbidden {
		n.forbidden = append(n.forbidden, k.name)
		return
	}
	n.failed = append(n.failed, k.name+": "+err.Error())
}

// verdict is why a resync that came to its end did not find everything; nil if it did.
func (r *run) verdict() error {
	n := &r.notes
	for _, f := range r.kinds {
		if f.listing.Gap != "" {
			n.failed = append(n.failed, f.kind.name+": "+f.listing.Gap)
		}
	}
	result := &setback{result: v1alpha1.ResyncIncomplete, lasting: true}
	var messages []string
	note := func(happened bool, reason, format string, args ...any) bool {
		if happened {
			messages = append(messages, fmt.Sprintf(format, args...))
			if result.reason == "" {
				result.reason = reason
			}
		}
		return happened
	}
	note(r.contradictions.count() > 0, v1alpha1.ReasonContradiction, "%s", r.contradictions.message(r.instance.Name))
	passing := note(len(n.failed) > 0, v1alpha1.ReasonIncomplete,
		"a list was not proven complete, so nothing of its kind was removed; it is read again soon: %s", strings.Join(n.failed, "; "))
	passing = note(n.unseen.count > 0, v1alpha1.ReasonIncomplete,
		"%d that are absent could not be looked at again, and stay: %s", n.unseen.count, n.unseen.tell()) || passing
	passing = note(n.unwritten.count > 0, v1alpha1.ReasonIncomplete,
		"%d could not be written now: %s", n.unwritten.count, n.unwritten.tell()) || passing
	note(len(n.forbidden) > 0, v1alpha1.ReasonAPIRefused,
		"the API key may not list %s (403), so nothing of them is known or removed: give it a key that may", strings.Join(n.forbidden, ", "))
	passing = note(n.refused.count > 0, v1alpha1.ReasonRejected, "%d could not be mirrored: %s", n.refused.count, n.refused.tell()) || passing
	if note(n.tooYoung > 0, v1alpha1.ReasonIncomplete,
		"%d that are absent changed too short a while ago to be removed; they are looked at again soon", n.tooYoung) {
		passing, result.wait = true, readLag
	}
	if len(messages) == 0 {
		return nil
	}
	result.lasting, result.message = !passing, strings.Join(messages, "; ")
	return result
}
