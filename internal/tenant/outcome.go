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
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Outcome is what an organization has once an intent is carried out, as far as the API server refuses nothing.
type Outcome struct {
	// Namespaces are the organization's, those that have yet to be made too.
	Namespaces []OutcomeNamespace

	// Access is what the operator's RoleBindings give in them.
	Access Access

	// Problems are those of the intent, and what keeps a namespace from being made.
	Problems Problems
}

// OutcomeNamespace is a namespace of an organization.
type OutcomeNamespace struct {
	Name string

	// Made: it does not exist yet.
	Made bool

	// State says what holds for it.
	State v1alpha1.NamespaceState

	// Want is what is kept in it; nil where it stays as it is.
	Want *Namespace
}

// Outcome says what comes of an intent. isTaken tells which names of namespaces are in use, by anybody.
func (i *Intent) Outcome(s *Situation, isTaken func(name string) bool) Outcome {
	outcome := Outcome{Access: Access{}, Problems: slices.Clone(i.Problems)}
	if i.Observe {
		outcome.Access, outcome.Namespaces = i.Held(), i.unchanged(s.Organization)
		return outcome
	}
	for _, namespace := range i.Namespaces {
		plan := i.Bindings[namespace.Name]
		outcome.grant(namespace.Name, plan.Keep)
		outcome.grant(namespace.Name, plan.Shrink)
		if isTerminating(namespace) || i.Frozen {
			outcome.grantHeld(namespace.Name, plan.Grow, i.RoleBindings[namespace.Name])
			continue
		}
		outcome.grant(namespace.Name, plan.Grow)
	}
	if i.Frozen || i.Deleted {
		outcome.Namespaces = i.unchanged(s.Organization)
		return outcome
	}
	for at := range i.Entries {
		outcome.fill(s, &i.Entries[at], isTaken)
	}
	for _, name := range i.Released {
		outcome.Namespaces = append(outcome.Namespaces, OutcomeNamespace{Name: name, State: v1alpha1.NamespaceReleased})
	}
	return outcome
}

func isTerminating(namespace *corev1.Namespace) bool { return namespace.DeletionTimestamp != nil }

func (o *Outcome) grant(namespace string, bindings []Binding) {
	for _, binding := range bindings {
		for _, subject := range binding.Subjects {
			o.Access.add(subject, namespace, binding.ClusterRole)
		}
	}
}

// grantHeld grants what RoleBindings that should grow give already.
func (o *Outcome) grantHeld(namespace string, bindings []Binding, existing []*rbacv1.RoleBinding) {
	for _, want := range bindings {
		have := named(existing, want.Name)
		if have == nil {
			continue
		}
		for _, subject := range have.Subjects {
			o.Access.add(subject.Name, namespace, want.ClusterRole)
		}
	}
}

// unchanged are the namespaces as the organization's status knows them.
func (i *Intent) unchanged(organization *v1alpha1.ClerkOrganization) []OutcomeNamespace {
	namespaces := make([]OutcomeNamespace, len(i.Namespaces))
	for at, namespace := range i.Namespaces {
		namespaces[at].Name = namespace.Name
		for _, known := range organization.Status.Namespaces {
			if known.Name == namespace.Name {
				namespaces[at].State = known.State
			}
		}
	}
	return namespaces
}

// fill says which namespace fills an entry, and who gets what in one that is made for it.
func (o *Outcome) fill(s *Situation, entry *Entry, isTaken func(string) bool) {
	namespace := OutcomeNamespace{State: v1alpha1.NamespaceActive, Want: &entry.Namespace}
	if entry.Existing != nil {
		namespace.Name = entry.Existing.Name
		o.Namespaces = append(o.Namespaces, namespace)
		return
	}
	name, problem := s.freeName(entry, isTaken)
	if problem != nil {
		o.Problems.Add(*problem)
		return
	}
	namespace.Name, namespace.Made = name, true
	o.Namespaces = append(o.Namespaces, namespace)
	if s.RevokeOnly {
		return
	}
	for clusterRole, subjects := range entry.Grants {
		for subject := range subjects {
			o.Access.add(subject, name, clusterRole)
		}
	}
}

// freeName is the name that the namespace of an entry gets when it is made.
func (s *Situation) freeName(entry *Entry, isTaken func(string) bool) (string, *Problem) {
	if err := CheckName(entry.Name, s.OperatorNamespace); err != nil {
		return "", &Problem{Reason: v1alpha1.ReasonNamespaceNameInvalid, Stalled: true, Message: err.Error()}
	}
	candidates := entry.Candidates(s.Organization.Spec.ID)
	for _, name := range candidates {
		if !isTaken(name) {
			return name, nil
		}
	}
	return "", NamespaceTaken(s.Organization, candidates)
}

// NamespaceTaken is the problem of an organization that can have none of some names.
func NamespaceTaken(organization *v1alpha1.ClerkOrganization, names []string) *Problem {
	return &Problem{Reason: v1alpha1.ReasonNamespaceTaken, Stalled: true, Retry: true,
		Message: fmt.Sprintf("the namespaces %s exist and are not this organization's, or are in use for another entry of the TenantClass: "+
			"delete one, change the name in the TenantClass, or adopt one with the label %s=%s",
			strings.Join(names, ", "), v1alpha1.OrganizationIDLabel, organization.Spec.ID)}
}

// Without are the grants of each subject, as "<namespace>/<ClusterRole>", that another access does not give.
func (a Access) Without(other Access) map[string][]string {
	rest := map[string][]string{}
	for subject, grants := range a {
		for grant := range grants {
			if !other[subject][grant] {
				rest[subject] = append(rest[subject], grant)
			}
		}
		slices.Sort(rest[subject])
	}
	return rest
}
