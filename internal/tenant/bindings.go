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
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// MaxSubjects bounds the subjects of one RoleBinding: some 55 kB, far from what etcd takes, and little to write again when one
// of them changes.
const MaxSubjects = 500

// clusterRoleKind is what every RoleBinding of the operator binds.
const clusterRoleKind = "ClusterRole"

// Subjects is a set of names of users in RBAC.
type Subjects map[string]struct{}

// Restrict takes from grants whatever the RoleBindings that exist do not give already. With what is left, PlanBindings takes away
// but adds nothing: for when it is known who has to go, but not for certain what else should be.
func Restrict(grants map[string]Subjects, existing []*rbacv1.RoleBinding) map[string]Subjects {
	restricted := map[string]Subjects{}
	for _, binding := range existing {
		role := binding.RoleRef.Name
		if binding.RoleRef.Kind != clusterRoleKind {
			continue
		}
		for _, subject := range binding.Subjects {
			if _, granted := grants[role][subject.Name]; !granted || !isUser(subject) {
				continue
			}
			if restricted[role] == nil {
				restricted[role] = Subjects{}
			}
			restricted[role][subject.Name] = struct{}{}
		}
	}
	return restricted
}

// Grants says who gets which ClusterRole by the rules of a namespace, at one moment.
func Grants(rules []Rule, holders []*Holder, now time.Time) map[string]Subjects {
	grants := map[string]Subjects{}
	for i := range rules {
		rule := &rules[i]
		for _, holder := range holders {
			if !rule.Given(holder, now).Holds {
				continue
			}
			if grants[rule.ClusterRole] == nil {
				grants[rule.ClusterRole] = Subjects{}
			}
			grants[rule.ClusterRole][holder.Subject] = struct{}{}
		}
	}
	return grants
}

// Binding is a RoleBinding as it should be.
type Binding struct {
	Name        string
	ClusterRole string
	Subjects    []string
}

// BindingPlan says what is to be done to the RoleBindings of a namespace, in this order: nothing is granted before everything
// that ends has ended.
type BindingPlan struct {
	// Delete are RoleBindings that nobody is left in, that bind something else, or that somebody deleted and that still name somebody: a
	// finalizer keeps them, and RBAC goes on honouring them. Those have to be emptied.
	Delete []*rbacv1.RoleBinding

	// Held are those that are deleted and name nobody any more, and yet are there: a finalizer keeps them. They give no access.
	Held []*rbacv1.RoleBinding

	// Shrink are those that lose a subject.
	Shrink []Binding

	// Grow are those that only gain subjects, are new, or lack their owner.
	Grow []Binding

	// Keep are those that are as they should be.
	Keep []Binding
}

// PlanBindings compares grants, by ClusterRole, with the RoleBindings of a namespace that exist. Every subject stays in the
// RoleBinding that it is in, so nobody loses access because somebody else joins or leaves. owner is the uid of the object that
// each has to have as its owner.
func PlanBindings(grants map[string]Subjects, existing []*rbacv1.RoleBinding, owner types.UID) BindingPlan {
	var plan BindingPlan
	byRole, taken := map[string][]*rbacv1.RoleBinding{}, map[string]bool{}
	for _, binding := range existing {
		role := binding.RoleRef.Name
		_, ours := bindingNumber(binding)
		switch {
		case binding.DeletionTimestamp != nil && len(binding.Subjects) == 0:
			plan.Held = append(plan.Held, binding)
			taken[binding.Name] = true
		case binding.DeletionTimestamp != nil, !ours, len(grants[role]) == 0:
			plan.Delete = append(plan.Delete, binding)
			taken[binding.Name] = binding.DeletionTimestamp != nil
		default:
			taken[binding.Name] = true
			byRole[role] = append(byRole[role], binding)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(grants)) {
		plan.spread(role, grants[role], byRole[role], taken, owner)
	}
	return plan
}

// spread keeps each subject where it is and puts new ones where there is room. taken are the names of all RoleBindings there are.
func (p *BindingPlan) spread(role string, wanted Subjects, existing []*rbacv1.RoleBinding, taken map[string]bool, owner types.UID) {
	slices.SortFunc(existing, byNumber)
	missing := maps.Clone(wanted)
	kept := make([][]string, len(existing))
	for i, binding := range existing {
		for _, subject := range binding.Subjects {
			if _, open := missing[subject.Name]; open && isUser(subject) {
				kept[i] = append(kept[i], subject.Name)
				delete(missing, subject.Name)
			}
		}
	}
	fresh := slices.Sorted(maps.Keys(missing))
	for i, binding := range existing {
		room := min(max(MaxSubjects-len(kept[i]), 0), len(fresh))
		subjects := slices.Concat(kept[i], fresh[:room])
		fresh = fresh[room:]
		p.change(binding, Binding{Name: binding.Name, ClusterRole: role, Subjects: subjects}, len(kept[i]), owner)
	}
	for number := 1; len(fresh) > 0; number++ {
		name := bindingName(role, number)
		if taken[name] {
			continue
		}
		size := min(MaxSubjects, len(fresh))
		p.Grow = append(p.Grow, Binding{Name: name, ClusterRole: role, Subjects: fresh[:size]})
		fresh = fresh[size:]
	}
}

// byNumber orders the RoleBindings of one ClusterRole, so that the first is filled first.
func byNumber(a, b *rbacv1.RoleBinding) int {
	first, _ := bindingNumber(a)
	second, _ := bindingNumber(b)
	return cmp.Or(cmp.Compare(first, second), strings.Compare(a.Name, b.Name))
}

// change files what becomes of a RoleBinding that exists, of whose subjects kept stay.
func (p *BindingPlan) change(have *rbacv1.RoleBinding, want Binding, kept int, owner types.UID) {
	slices.Sort(want.Subjects)
	switch {
	case len(want.Subjects) == 0:
		p.Delete = append(p.Delete, have)
	case kept < len(have.Subjects):
		p.Shrink = append(p.Shrink, want)
	case len(want.Subjects) > kept || !IsOwnedBy(have, owner):
		p.Grow = append(p.Grow, want)
	default:
		p.Keep = append(p.Keep, want)
	}
}

// IsOwnedBy tells whether the object with a uid is an owner of a RoleBinding.
func IsOwnedBy(binding *rbacv1.RoleBinding, owner types.UID) bool {
	return isOwner(binding.OwnerReferences, owner)
}

func isOwner(references []metav1.OwnerReference, owner types.UID) bool {
	return slices.ContainsFunc(references, func(reference metav1.OwnerReference) bool { return reference.UID == owner })
}

func isUser(subject rbacv1.Subject) bool {
	return subject.Kind == rbacv1.UserKind && subject.APIGroup == rbacv1.GroupName
}

// bindingName is clerk:<ClusterRole> for the first RoleBinding of a ClusterRole, clerk-2:<ClusterRole> for the next.
func bindingName(clusterRole string, number int) string {
	if number == 1 {
		return "clerk:" + clusterRole
	}
	return fmt.Sprintf("clerk-%d:%s", number, clusterRole)
}

// bindingNumber reads the number out of a RoleBinding's name; false if the name is not one that the operator gives for its role.
func bindingNumber(binding *rbacv1.RoleBinding) (int, bool) {
	if binding.RoleRef.Kind != clusterRoleKind {
		return 0, false
	}
	prefix, isNamed := strings.CutSuffix(binding.Name, ":"+binding.RoleRef.Name)
	if !isNamed {
		return 0, false
	}
	if prefix == "clerk" {
		return 1, true
	}
	digits, isNumbered := strings.CutPrefix(prefix, "clerk-")
	number, err := strconv.Atoi(digits)
	return number, isNumbered && err == nil && number > 1
}
