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

package tenant

import "strings"

// Problem is what keeps an organization from being as it should be.
type Problem struct {
	// Reason is one of the reasons of package v1alpha1.
	Reason string

	// Message says what is wrong and what to do.
	Message string

	// Stalled: nothing changes until somebody acts.
	Stalled bool

	// Retry: it is tried again by itself, later and later. False where an event of the cluster will tell that it is over.
	Retry bool
}

// Problems of one organization: one does not keep the others from being found.
type Problems []Problem

// Add adds one.
func (p *Problems) Add(found Problem) { *p = append(*p, found) }

// Message puts all problems into a sentence each.
func (p Problems) Message() string {
	texts := make([]string, len(p))
	for i, found := range p {
		texts[i] = found.Message
	}
	return strings.Join(texts, "; ")
}

// First is the problem to name in the condition's reason: one that waits for somebody, before one that passes. There has to be one.
func (p Problems) First() Problem {
	for _, found := range p {
		if found.Stalled {
			return found
		}
	}
	return p[0]
}
