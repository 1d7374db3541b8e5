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

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// derivedAccess is that of a class as far as it bounds anything; "" where it does not, and where there is no such class.
func (c *Classes) derivedAccess(name string) v1alpha1.DerivedAccess {
	class := c.objects[name]
	if class == nil {
		return ""
	}
	return boundOf(class.Spec.DerivedAccess)
}

// RecyclesServiceAccounts tells whether the class of an organization has its ServiceAccounts made again when somebody leaves.
func (i *Intent) RecyclesServiceAccounts(s *Situation) bool {
	class := s.Classes.objects[i.ClassName]
	return class != nil && class.Spec.ServiceAccounts == v1alpha1.ServiceAccountsRecycled
}

// LastLeft is until when those who have no access any longer may have had some. Until a member's status says that, it is until now, and
// isKnown is false.
func (i *Intent) LastLeft(s *Situation) (last time.Time, isKnown bool) {
	isKnown = true
	for at := range s.Memberships {
		membership := &s.Memberships[at]
		if !i.Deleted && membership.mayHaveAccess() {
			continue
		}
		ended, told := s.Now, false
		bound := meta.FindStatusCondition(membership.Status.Conditions, v1alpha1.ConditionBound)
		if bound != nil && bound.Status == metav1.ConditionFalse && bound.ObservedGeneration == membership.Generation {
			ended, told = bound.LastTransitionTime.Add(time.Second), true // it is cut to the second
		}
		for _, changed := range []*metav1.MicroTime{membership.Spec.DeletedAt, membership.barredSince()} {
			if changed != nil && changed.After(ended) {
				ended = changed.Time
			}
		}
		if ended.After(last) {
			last = ended
		}
		isKnown = isKnown && told
	}
	return last, isKnown
}

// barredSince is when what is known of a user changed last who is kept out; nil where nobody is.
func (m *Membership) barredSince() *metav1.MicroTime {
	if m.Bar == NotBarred || m.User == nil {
		return nil
	}
	return m.User.Spec.UpdatedAt
}

// MayRemove tells whether anything may be taken away at all of what people made of their access; isOver, that it never may as things are.
func (i *Intent) MayRemove(s *Situation) (may, isOver bool) {
	bounded := s.Classes.derivedAccess(i.ClassName) != ""
	return bounded && !i.Observe && !i.Frozen, !bounded && !i.Observe && !i.Frozen
}

// Leavers are the names in RBAC of those who have left an organization, are banned, or are called otherwise by now, where the class bounds
// derived access: nobody's RoleBinding may name them. Whoever is a member and let in is none of them, also while nothing gives them access:
// a role or a condition may, in a moment, and what was taken out of other people's RoleBindings does not come back. Those are the ones that
// stay.
func (i *Intent) Leavers(s *Situation) (leavers, stay Subjects) {
	leavers, stay = Subjects{}, Subjects{}
	if may, _ := i.MayRemove(s); !may {
		return leavers, stay
	}
	due := i.Due()
	for at := range s.Memberships {
		membership := &s.Memberships[at]
		current, isMember := i.Subjects[membership.Name], !i.Deleted && membership.mayHaveAccess()
		for _, name := range i.namesOf(s, membership) {
			switch {
			case name == "":
			case len(due[name]) > 0:
				stay[name] = struct{}{}
			case isMember && (current == "" || name == current):
				stay[name] = struct{}{}
			default:
				leavers[name] = struct{}{}
			}
		}
	}
	for name := range stay {
		delete(leavers, name)
	}
	return leavers, stay
}

// namesOf are the names that a member has, or is known to have had. In a deleted organization nobody is named.
func (i *Intent) namesOf(s *Situation, membership *Membership) []string {
	names := []string{i.Subjects[membership.Name], membership.Status.Subject}
	if i.Deleted && s.Instance.Problem() == nil {
		if name, err := s.Instance.username.Of(UserOf(membership.ClerkMember, membership.User)); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// FormerNames are the names in RBAC that members had before the present ones, with the names of their ClerkMembers, as far as that is known
// still: once a member's status has the present name, it is not.
func (i *Intent) FormerNames(s *Situation) map[string]string {
	names := map[string]string{}
	for at := range s.Memberships {
		membership := &s.Memberships[at]
		if before, now := membership.Status.Subject, i.Subjects[membership.Name]; before != "" && now != "" && before != now {
			names[before] = membership.Name
		}
	}
	return names
}

// Members are the names in RBAC of those who are members of an organization and let in, also those that they had before.
func (i *Intent) Members(s *Situation) Subjects {
	members := Subjects{}
	for at := range s.Memberships {
		if membership := &s.Memberships[at]; !i.Deleted && membership.mayHaveAccess() {
			for _, name := range i.namesOf(s, membership) {
				members[name] = struct{}{}
			}
		}
	}
	delete(members, "")
	return members
}

// KeptSubjects are the subjects that a RoleBinding in an organization's namespaces keeps, since nobody is in by them who has no access any
// longer. If somebody made it who left, these are no more than members of the organization, and ServiceAccounts of its namespaces: a group,
// a ServiceAccount elsewhere and a friend may all be the one who left. Of those names of leavers that are in formerNames, it is looked up
// whose they were: a member who is called otherwise by now has not left.
func (i *Intent) KeptSubjects(
	s *Situation, binding *rbacv1.RoleBinding, leavers Subjects, formerNames map[string]string,
) []rbacv1.Subject {
	kept := Without(binding.Subjects, leavers)
	creator := binding.Annotations[v1alpha1.CreatedByAnnotation]
	if _, left := leavers[creator]; !left || binding.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy {
		return kept
	}
	members := i.Members(s)
	isTheirs := func(membership Membership) bool {
		return membership.Name == formerNames[creator] && membership.mayHaveAccess()
	}
	if _, isMember := members[creator]; isMember || !i.Deleted && slices.ContainsFunc(s.Memberships, isTheirs) {
		return kept
	}
	return slices.DeleteFunc(kept, func(subject rbacv1.Subject) bool {
		if subject.Kind == rbacv1.ServiceAccountKind {
			return !slices.ContainsFunc(i.Namespaces, func(own *corev1.Namespace) bool { return own.Name == subject.Namespace })
		}
		_, isMember := members[subject.Name]
		return !isMember || !isUser(subject)
	})
}

// Without are the subjects of a RoleBinding but for some users.
func Without(subjects []rbacv1.Subject, users Subjects) []rbacv1.Subject {
	var kept []rbacv1.Subject
	for _, subject := range subjects {
		if _, goes := users[subject.Name]; !goes || !isUser(subject) {
			kept = append(kept, subject)
		}
	}
	return kept
}
