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

import "maps"

// Access is, by subject, the set of namespaces and ClusterRoles, each as "<namespace>/<ClusterRole>".
type Access map[string]map[string]bool

func (a Access) add(subject, namespace, clusterRole string) {
	if a[subject] == nil {
		a[subject] = map[string]bool{}
	}
	a[subject][namespace+"/"+clusterRole] = true
}

// Held is the access that the RoleBindings gave when they were looked at.
func (i *Intent) Held() Access {
	held := Access{}
	for namespace, bindings := range i.RoleBindings {
		for _, binding := range bindings {
			for _, subject := range binding.Subjects {
				held.add(subject.Name, namespace, binding.RoleRef.Name)
			}
		}
	}
	return held
}

// Due is the access that there should be. A namespace that has yet to be made is called as it will be if nobody else has the name.
func (i *Intent) Due() Access {
	due := Access{}
	for at := range i.Entries {
		entry := &i.Entries[at]
		for role, subjects := range entry.Grants {
			for subject := range maps.Keys(subjects) {
				due.add(subject, entry.name(), role)
			}
		}
	}
	return due
}

func (e *Entry) name() string {
	if e.Existing == nil {
		return e.Name
	}
	return e.Existing.Name
}

// Loses tells whether a subject has access that is not due, and Gains whether some is due that it has not.
func (a Access) Loses(due Access, subject string) bool { return !includesAll(due[subject], a[subject]) }

// Gains tells whether access is due that a subject has not.
func (a Access) Gains(due Access, subject string) bool { return !includesAll(a[subject], due[subject]) }

func includesAll(all, some map[string]bool) bool {
	for key := range some {
		if !all[key] {
			return false
		}
	}
	return true
}

// missing counts, by namespace and ClusterRole, who has access in one and not in the other.
func missing(all, from Access) map[string]int {
	counts := map[string]int{}
	for subject, grants := range all {
		for grant := range grants {
			if !from[subject][grant] {
				counts[grant]++
			}
		}
	}
	return counts
}
