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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Removal is what was taken away, in an organization's namespaces, that would have let people in again who have no access any longer.
type Removal struct {
	// RoleBindingsChanged name fewer people, RoleBindingsDeleted are gone, and so are Secrets, which held tokens of ServiceAccounts.
	RoleBindingsChanged, RoleBindingsDeleted, Secrets int

	// ServiceAccounts were made again, so that none of their tokens opens anything.
	ServiceAccounts int

	// Missed is how much could not be taken away; it is tried again.
	Missed int

	// At is when that was.
	At time.Time
}

// IsNothing tells whether nothing was taken away.
func (r Removal) IsNothing() bool {
	return r.RoleBindingsChanged+r.RoleBindingsDeleted+r.Secrets+r.ServiceAccounts == 0
}

// Counts say how much of what was taken away.
func (r Removal) Counts() string {
	return fmt.Sprintf("RoleBindings changed: %d, RoleBindings deleted: %d, Secrets with tokens deleted: %d, ServiceAccounts made again: %d",
		r.RoleBindingsChanged, r.RoleBindingsDeleted, r.Secrets, r.ServiceAccounts)
}

// condition says of an organization what was taken away.
func (r Removal) condition() metav1.Condition {
	said := metav1.Condition{Type: v1alpha1.ConditionDerivedAccessRemoved, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRemoved,
		Message: fmt.Sprintf("taken away at %s, since people have no access any longer: %s", r.At.UTC().Format(time.RFC3339), r.Counts())}
	if r.Missed > 0 {
		said.Status, said.Reason = metav1.ConditionFalse, v1alpha1.ReasonNotRemoved
		said.Message += fmt.Sprintf("; %d could not be taken away, and it is tried again: the operator's log says why", r.Missed)
	}
	return said
}

// removals are the conditions about what was taken away. What a status says of it stays until something else is.
func (s *Situation) removals() []metav1.Condition {
	if s.Removal == nil {
		return nil
	}
	return []metav1.Condition{s.Removal.condition()}
}
