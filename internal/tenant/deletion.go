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
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Deletion is what becomes of what a deleted organization had, besides the grants, which go at once.
type Deletion struct {
	// States say what holds for each namespace.
	States []v1alpha1.OrganizationNamespace

	// Delete are the namespaces that are due.
	Delete []*corev1.Namespace

	// Collect: the retention is over, so the memberships that nobody deleted go too, since they are about people; and then, where
	// CollectTombstone says so, the tombstone itself: no namespace waits for its deletion any more.
	Collect, CollectTombstone bool

	// Next is when there is something to do again, by time alone; zero if never.
	Next time.Time
}

// PlanDeletion says what becomes of a deleted organization's namespaces and, when that is due, of its tombstone. The class that
// served the organization last says so; without it nothing is deleted. A namespace that the operator did not make is never deleted.
func PlanDeletion(s *Situation, intent *Intent, due, now time.Time) Deletion {
	var plan Deletion
	deleteAt := deletionTime(s.Organization, s.Classes.objects[intent.ClassName])
	for _, namespace := range intent.Namespaces {
		state := v1alpha1.OrganizationNamespace{Name: namespace.Name, State: v1alpha1.NamespaceRetained}
		if !deleteAt.IsZero() && namespace.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy {
			state.State, state.DeleteAt = v1alpha1.NamespaceDeleting, new(metav1.NewTime(deleteAt))
			if namespace.DeletionTimestamp == nil && !now.Before(deleteAt) {
				plan.Delete = append(plan.Delete, namespace)
			}
		}
		plan.States = append(plan.States, state)
	}
	slices.SortFunc(plan.States, func(a, b v1alpha1.OrganizationNamespace) int { return strings.Compare(a.Name, b.Name) })
	plan.States = plan.States[:min(len(plan.States), MaxNamespaces)]
	plan.collect(due, now)
	return plan
}

// collect says what of it waits for the time at which the tombstone may go.
func (d *Deletion) collect(due, now time.Time) {
	isDeleting := func(state v1alpha1.OrganizationNamespace) bool { return state.State == v1alpha1.NamespaceDeleting }
	d.Collect = !now.Before(due)
	d.CollectTombstone = d.Collect && !slices.ContainsFunc(d.States, isDeleting)
	if !d.Collect {
		d.Next = due
	}
	for _, state := range d.States {
		// At the end of a deletion that has begun, the namespace itself causes the next reconciliation.
		if isDeleting(state) && now.Before(state.DeleteAt.Time) && (d.Next.IsZero() || state.DeleteAt.Time.Before(d.Next)) {
			d.Next = state.DeleteAt.Time
		}
	}
}

// deletionTime is when an organization's namespaces are deleted; zero if they stay.
func deletionTime(organization *v1alpha1.ClerkOrganization, class *v1alpha1.TenantClass) time.Time {
	if class == nil || class.Spec.Deletion == nil {
		return time.Time{}
	}
	rule := class.Spec.Deletion
	if rule.Policy != v1alpha1.DeletionDelete || rule.After == nil {
		return time.Time{}
	}
	// Status times have no fractions of a second.
	return organization.Spec.DeletedAt.Add(rule.After.Duration).Truncate(time.Second)
}
