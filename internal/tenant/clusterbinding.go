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
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// clusterBindingPrefix begins the names of the ClusterRoleBindings of ClusterGrants. A guard bounds the operator to it.
const clusterBindingPrefix = "clerk-operator:"

// ClusterBindingName is the name of the ClusterRoleBinding of a ClusterGrant.
func ClusterBindingName(grant string) string { return clusterBindingPrefix + grant }

// ClusterGrantLabels mark the ClusterRoleBinding of a ClusterGrant.
func ClusterGrantLabels(grant *v1alpha1.ClusterGrant) map[string]string {
	return map[string]string{
		v1alpha1.ClusterGrantLabel: grant.Name,
		v1alpha1.InstanceLabel:     grant.Spec.InstanceRef.Name,
		v1alpha1.ManagedByLabel:    v1alpha1.ManagedBy,
	}
}

// GrantOfBinding is the name of the ClusterGrant that a ClusterRoleBinding is of by its labels, "" if it is of none.
func GrantOfBinding(binding *rbacv1.ClusterRoleBinding) string {
	if binding.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy {
		return ""
	}
	return binding.Labels[v1alpha1.ClusterGrantLabel]
}

// ClusterBindingPlan says what is to be done to the ClusterRoleBindings of a ClusterGrant, in this order.
type ClusterBindingPlan struct {
	// Delete are those that nobody is left in, that bind something else or have another name, or that somebody deleted and that still name
	// somebody: a finalizer keeps them, and RBAC goes on honouring them. Those have to be emptied.
	Delete []*rbacv1.ClusterRoleBinding

	// Held are those that are deleted and name nobody any more, and yet are there: a finalizer keeps them.
	Held []*rbacv1.ClusterRoleBinding

	// Existing is the one that stays, nil if there is none.
	Existing *rbacv1.ClusterRoleBinding

	// Shrink is what it becomes where it loses a subject; Grow, where it only gains subjects, is new, or lacks a label or its owner; Keep is
	// what it is, where that is right. At most one of them is not nil.
	Shrink, Grow, Keep *Binding
}

// plan compares who should be given something with the ClusterRoleBindings that there are.
func (i *ClusterIntent) plan(s *ClusterSituation, due Subjects) {
	name := ClusterBindingName(s.Grant.Name)
	isFree := true
	for _, binding := range s.Bindings {
		switch {
		case !IsOfGrant(binding, s.Grant):
			isFree = isFree && binding.Name != name
			if binding.Name == name {
				i.Problems.Add(Problem{Reason: v1alpha1.ReasonClusterRoleBindingTaken, Stalled: true, Retry: true, // no watch tells
					Message: fmt.Sprintf("the ClusterRoleBinding %s exists and was not made for this grant, so it is left alone: delete it, or make "+
						"the grant by another name", name)})
			}
		case binding.DeletionTimestamp != nil && len(binding.Subjects) == 0:
			i.Plan.Held = append(i.Plan.Held, binding)
			isFree = isFree && binding.Name != name
			i.Problems.Add(Problem{Reason: v1alpha1.ReasonClusterRoleBindingHeld, Stalled: true,
				Message: fmt.Sprintf("the ClusterRoleBinding %s is deleted and gives nobody access, but the finalizer %s keeps it: take that off",
					binding.Name, strings.Join(binding.Finalizers, ", "))})
		case binding.DeletionTimestamp != nil, binding.Name != name, len(due) == 0, !binds(binding, s.Grant.Spec.ClusterRole):
			i.Plan.Delete = append(i.Plan.Delete, binding)
			isFree = isFree && (binding.Name != name || binding.DeletionTimestamp == nil)
		default:
			i.Plan.Existing = binding
		}
	}
	if isFree && len(due) > 0 {
		i.spread(s, name, due)
	}
}

// spread keeps each subject that should be in the ClusterRoleBinding, and adds those who are missing as far as there is room. Who has
// access so keeps it, whoever joins.
func (i *ClusterIntent) spread(s *ClusterSituation, name string, due Subjects) {
	missing, kept, have := maps.Clone(due), []string(nil), i.Plan.Existing
	if have != nil {
		for _, subject := range have.Subjects {
			if _, open := missing[subject.Name]; open && isUser(subject) {
				kept = append(kept, subject.Name)
				delete(missing, subject.Name)
			}
		}
	}
	kept = kept[:min(len(kept), MaxSubjects)]
	fresh := slices.Sorted(maps.Keys(missing))
	fresh = fresh[:min(len(fresh), MaxSubjects-len(kept))]
	want := &Binding{Name: name, ClusterRole: s.Grant.Spec.ClusterRole, Subjects: slices.Sorted(slices.Values(slices.Concat(kept, fresh)))}
	switch {
	case have != nil && len(kept) < len(have.Subjects):
		i.Plan.Shrink = want
	case have == nil, len(fresh) > 0, !isOwner(have.OwnerReferences, s.Grant.UID), !isMarkedFor(have, s.Grant):
		i.Plan.Grow = want
	default:
		i.Plan.Keep = want
	}
	if without := len(due) - len(want.Subjects); without > 0 {
		i.Problems.Add(Problem{Reason: v1alpha1.ReasonTooManyMembers, Stalled: true,
			Message: fmt.Sprintf("%d members should have the ClusterRole, and one grant gives it to %d, so %d have nothing by it: make several "+
				"grants, each for some of the organizations or roles", len(due), MaxSubjects, without)})
	}
}

// ConcernsGrant tells whether a decision about a ClusterGrant has to know of a ClusterRoleBinding: it was made for it, or has its name.
func ConcernsGrant(binding *rbacv1.ClusterRoleBinding, grant *v1alpha1.ClusterGrant) bool {
	return binding.Name == ClusterBindingName(grant.Name) || IsOfGrant(binding, grant)
}

// IsOfGrant tells whether a ClusterRoleBinding was made for a ClusterGrant: by its owner, or by labels that only the operator sets.
func IsOfGrant(binding *rbacv1.ClusterRoleBinding, grant *v1alpha1.ClusterGrant) bool {
	return isOwner(binding.OwnerReferences, grant.UID) || GrantOfBinding(binding) == grant.Name
}

func isMarkedFor(binding *rbacv1.ClusterRoleBinding, grant *v1alpha1.ClusterGrant) bool {
	for key, value := range ClusterGrantLabels(grant) {
		if binding.Labels[key] != value {
			return false
		}
	}
	return true
}

func binds(binding *rbacv1.ClusterRoleBinding, clusterRole string) bool {
	return binding.RoleRef.Kind == clusterRoleKind && binding.RoleRef.Name == clusterRole
}

// HeldBy are those who have the ClusterRole of a ClusterGrant by some ClusterRoleBindings that were made for it.
func HeldBy(grant *v1alpha1.ClusterGrant, bindings []*rbacv1.ClusterRoleBinding) Subjects {
	held := Subjects{}
	for _, binding := range bindings {
		if !IsOfGrant(binding, grant) || !binds(binding, grant.Spec.ClusterRole) {
			continue
		}
		for _, user := range usersOf(binding) {
			held[user] = struct{}{}
		}
	}
	return held
}

// Outcome are those who have the ClusterRole by the grant once what was decided is carried out, as far as the API server refuses nothing.
func (i *ClusterIntent) Outcome() Subjects {
	plan, outcome := &i.Plan, Subjects{}
	want := cmp.Or(plan.Keep, plan.Shrink, plan.Grow)
	switch {
	case i.Observe:
		return i.Held
	case want == nil:
		return outcome
	case i.Frozen && want == plan.Grow: // nothing is added: it stays as it is
		want = &Binding{}
		if plan.Existing != nil {
			want.Subjects = usersOf(plan.Existing)
		}
	}
	for _, subject := range want.Subjects {
		outcome[subject] = struct{}{}
	}
	return outcome
}

func usersOf(binding *rbacv1.ClusterRoleBinding) []string {
	var users []string
	for _, subject := range binding.Subjects {
		if isUser(subject) {
			users = append(users, subject.Name)
		}
	}
	return users
}

// ClusterRoleBindingOf is the ClusterRoleBinding of a ClusterGrant as it should be.
func ClusterRoleBindingOf(grant *v1alpha1.ClusterGrant, want *Binding) *rbacv1.ClusterRoleBinding {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: want.Name, Labels: ClusterGrantLabels(grant), OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindClusterGrant, Name: grant.Name, UID: grant.UID,
		}}},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: clusterRoleKind, Name: want.ClusterRole},
		Subjects: make([]rbacv1.Subject, len(want.Subjects)),
	}
	for i, name := range want.Subjects {
		binding.Subjects[i] = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	return binding
}

// Losses are who is to be taken out of which ClusterRoleBinding.
func (i *ClusterIntent) Losses() []Loss {
	var losses []Loss
	for _, binding := range i.Plan.Delete {
		losses = append(losses, lossesOf(binding.UID, binding.Subjects, nil)...)
	}
	if want := i.Plan.Shrink; want != nil {
		losses = append(losses, lossesOf(i.Plan.Existing.UID, i.Plan.Existing.Subjects, want.Subjects)...)
	}
	return losses
}
