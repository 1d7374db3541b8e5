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

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// MaxNamespaces is how many namespaces a status names, as the kind has it.
const MaxNamespaces = 100

// Status says what a reconciliation came to: what was decided last, and what went wrong when it was carried out.
func Status(s *Situation, intent *Intent, failures Problems) v1alpha1.ClerkOrganizationStatus {
	organization := s.Organization
	problems := slices.Concat(intent.Problems, failures)
	status := v1alpha1.ClerkOrganizationStatus{
		ObservedGeneration: organization.Generation,
		ClassName:          intent.ClassName,
		Namespaces:         intent.namespaceStates(organization),
		Members:            new(countMembers(s.Memberships)),
		Plan:               intent.Plan,
		SubscriptionStatus: intent.SubscriptionStatus,
	}
	found := condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
		Message: fmt.Sprintf("the organization has what the TenantClass %s gives", intent.ClassName)}
	if len(intent.Entries) == 0 {
		found.Message = fmt.Sprintf("the TenantClass %s gives no namespace, so there is nothing to have", intent.ClassName)
	}
	switch {
	case len(problems) > 0:
		found = verdictOf(problems)
	case intent.Observe:
		found = observing(organization, intent.preview())
	case len(intent.Released) > 0:
		found.Message += fmt.Sprintf("; no longer wanted and without grants: %s", strings.Join(intent.Released, ", "))
	}
	status.Conditions = found.Without(organization.Spec.DroppedFields).
		Conditions(organization.Status.Conditions, organization.Generation, s.removals()...)
	return status
}

func verdictOf(problems Problems) condition.Verdict {
	first := problems.First()
	return condition.Verdict{Stalled: first.Stalled, Reason: first.Reason, Message: problems.Message()}
}

func (i *Intent) namespaceStates(organization *v1alpha1.ClerkOrganization) []v1alpha1.OrganizationNamespace {
	if i.Frozen || i.Observe {
		return organization.Status.Namespaces
	}
	var states []v1alpha1.OrganizationNamespace
	for at := range i.Entries {
		if existing := i.Entries[at].Existing; existing != nil {
			states = append(states, v1alpha1.OrganizationNamespace{Name: existing.Name, State: v1alpha1.NamespaceActive})
		}
	}
	for _, name := range i.Released {
		states = append(states, v1alpha1.OrganizationNamespace{Name: name, State: v1alpha1.NamespaceReleased})
	}
	return states[:min(len(states), MaxNamespaces)]
}

func countMembers(memberships []Membership) int32 {
	var n int32
	for i := range memberships {
		if memberships[i].Spec.DeletedAt == nil {
			n++
		}
	}
	return n
}

// DeletedStatus says what holds for a deleted organization.
func DeletedStatus(
	s *Situation, intent *Intent, states []v1alpha1.OrganizationNamespace, failures Problems,
) v1alpha1.ClerkOrganizationStatus {
	organization := s.Organization
	found := condition.Verdict{Ready: true, Reason: v1alpha1.ReasonDeleted,
		Message: "the organization was deleted in Clerk: all of its grants are removed; this object is kept for a while as its tombstone"}
	switch {
	case len(failures) > 0:
		found = verdictOf(failures)
	case intent.Observe:
		found = observing(organization, fmt.Sprintf("handle the deletion of the organization in Clerk, and remove its %d RoleBindings",
			intent.countBindings())).Without(organization.Spec.DroppedFields)
		states = organization.Status.Namespaces
	}
	return v1alpha1.ClerkOrganizationStatus{
		ObservedGeneration: organization.Generation,
		ClassName:          organization.Status.ClassName,
		Namespaces:         states,
		Members:            new(int32(0)),
		Conditions:         found.Conditions(organization.Status.Conditions, organization.Generation, s.removals()...),
	}
}

func (i *Intent) countBindings() int {
	count := 0
	for _, bindings := range i.RoleBindings {
		count += len(bindings)
	}
	return count
}

func observing(organization *v1alpha1.ClerkOrganization, would string) condition.Verdict {
	return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonObserving,
		Message: fmt.Sprintf("the ClerkInstance %s only observes (spec.mode); with mode Enforce it would %s", organization.Spec.Instance, would)}
}

// preview says what would be done about namespaces and access.
func (i *Intent) preview() string {
	var steps []string
	for at := range i.Entries {
		if entry := &i.Entries[at]; entry.Existing == nil {
			steps = append(steps, "create namespace "+entry.Name)
		}
	}
	for _, name := range i.Released {
		steps = append(steps, "release namespace "+name)
	}
	due, held := i.Due(), i.Held()
	steps = append(steps, countSteps("grant %s to %d users", missing(due, held))...)
	steps = append(steps, countSteps("take %s from %d users", missing(held, due))...)
	if len(steps) == 0 {
		return "change no namespace and no access"
	}
	return strings.Join(steps, "; ")
}

func countSteps(format string, counts map[string]int) []string {
	var steps []string
	for _, grant := range slices.Sorted(maps.Keys(counts)) {
		namespace, role, _ := strings.Cut(grant, "/")
		steps = append(steps, fmt.Sprintf(format, role+" in "+namespace, counts[grant]))
	}
	return steps
}
