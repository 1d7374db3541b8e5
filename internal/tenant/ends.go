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
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Ends are the ends of grants of an organization.
type Ends struct {
	// Next is when the first of those ends that members have or should have; nil if none does.
	Next *time.Time

	// Passed is when a grant ended that a member still has, the last if there are several, by the ClerkMember's name.
	Passed map[string]time.Time
}

// findEnds finds the ends of what rules give and gave.
func (i *Intent) findEnds(rules []Rule, holders []*Holder, now time.Time) {
	for at := range rules {
		rule := &rules[at]
		if rule.Until == "" {
			continue
		}
		for _, holder := range holders {
			given := rule.Given(holder, now)
			switch {
			case given.Until == nil:
			case given.Holds && (i.Ends.Next == nil || given.Until.Before(*i.Ends.Next)):
				i.Ends.Next = given.Until
			case !given.Holds && given.Until.After(i.Ends.Passed[holder.member.Name]) && i.holds(holder.Subject, rule.ClusterRole):
				if i.Ends.Passed == nil {
					i.Ends.Passed = map[string]time.Time{}
				}
				i.Ends.Passed[holder.member.Name] = *given.Until
			}
		}
	}
}

// holds tells whether any RoleBinding that was looked at gives a subject a ClusterRole.
func (i *Intent) holds(subject, clusterRole string) bool {
	for _, bindings := range i.RoleBindings {
		for _, binding := range bindings {
			names := func(s rbacv1.Subject) bool { return s.Name == subject }
			if binding.RoleRef.Name == clusterRole && slices.ContainsFunc(binding.Subjects, names) {
				return true
			}
		}
	}
	return false
}
