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

import "time"

// Ends are the ends of grants of an organization.
type Ends struct {
	// Next is when the first of those ends that members have or should have; nil if none does.
	Next *time.Time

	// Passed is when a grant ended that a member still has, the last if there are several, by the ClerkMember's name.
	Passed map[string]time.Time
}

// findEnds finds the ends of what rules give and gave.
func (i *Intent) findEnds(rules []Rule, holders []*Holder, now time.Time) {
	var granted map[grant]bool // found when it is first asked for: most of what has ended is gone as well
	for at := range rules {
		rule := &rules[at]
		if rule.Until == "" {
			continue
		}
		for _, holder := range holders {
			given := rule.Given(holder, now)
			switch {
			case given.Until == nil:
			case given.Holds:
				if i.Ends.Next == nil || given.Until.Before(*i.Ends.Next) {
					i.Ends.Next = given.Until
				}
			case given.Until.After(i.Ends.Passed[holder.member.Name]):
				if granted == nil {
					granted = i.granted()
				}
				if granted[grant{holder.Subject, rule.ClusterRole}] {
					i.Ends.pass(holder.member.Name, *given.Until)
				}
			}
		}
	}
}

func (e *Ends) pass(member string, end time.Time) {
	if e.Passed == nil {
		e.Passed = map[string]time.Time{}
	}
	e.Passed[member] = end
}

// grant is a ClusterRole that a subject has somewhere.
type grant struct{ subject, clusterRole string }

// granted is what the RoleBindings that were looked at give.
func (i *Intent) granted() map[grant]bool {
	granted := map[grant]bool{}
	for _, bindings := range i.RoleBindings {
		for _, binding := range bindings {
			for _, subject := range binding.Subjects {
				granted[grant{subject.Name, binding.RoleRef.Name}] = true
			}
		}
	}
	return granted
}
