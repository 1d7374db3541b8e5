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

package kubectl

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// forecast says what organizations will have, by the operator's own decisions.
type forecast struct {
	operatorNamespace string
	now               time.Time
}

// future is what one organization will have.
type future struct {
	organization *v1alpha1.ClerkOrganization
	class        string
	namespaces   map[string]tenant.OutcomeNamespace
	access       tenant.Access
	problems     map[string]bool

	// policies are the specs, by "<namespace>/<kind>/<name>".
	policies map[string]any

	// deletions are when namespaces of an organization that is deleted in Clerk go; zero for those that stay.
	deletions map[string]time.Time

	// people are the members, by their names in RBAC.
	people map[string]string
}

// of is the future of every organization of a snapshot, by name.
func (f *forecast) of(ctx context.Context, s *snapshot) (map[string]*future, error) {
	gatherer := &cached.Gatherer{
		Reader: s, Expressions: cached.NewExpressions(), OperatorNamespace: f.operatorNamespace, Now: func() time.Time { return f.now },
	}
	taken, policies := isNamespaceTaken(s), policiesOf(s)
	futures := map[string]*future{}
	for _, organization := range organizationsInOrder(s) {
		situation, err := gatherer.Situation(ctx, organization)
		if err != nil {
			return nil, err
		}
		intent := tenant.Decide(situation)
		outcome := intent.Outcome(situation, func(name string) bool { return taken[name] })
		found := &future{
			organization: organization, class: intent.ClassName, access: outcome.Access, namespaces: map[string]tenant.OutcomeNamespace{},
			problems: map[string]bool{}, policies: map[string]any{}, deletions: map[string]time.Time{}, people: peopleOf(situation, intent),
		}
		for _, namespace := range outcome.Namespaces {
			taken[namespace.Name] = true
			found.namespaces[namespace.Name] = namespace
			found.addPolicies(namespace, policies[namespace.Name])
		}
		for _, problem := range outcome.Problems {
			found.problems[problem.Message] = true
		}
		if intent.Deleted && !intent.Observe {
			found.addDeletions(tenant.PlanDeletion(situation, intent, f.now, f.now))
		}
		futures[organization.Name] = found
	}
	return futures, nil
}

func (f *future) addDeletions(plan tenant.Deletion) {
	for _, state := range plan.States {
		f.deletions[state.Name] = time.Time{}
		if state.DeleteAt != nil {
			f.deletions[state.Name] = state.DeleteAt.Time
		}
	}
}

// addPolicies are what limits a namespace: what its entry wants, or else what is there.
func (f *future) addPolicies(namespace tenant.OutcomeNamespace, existing map[string]any) {
	if namespace.Want == nil {
		for key, spec := range existing {
			f.policies[namespace.Name+"/"+key] = spec
		}
		return
	}
	prefix := namespace.Name + "/"
	if quota := namespace.Want.ResourceQuota; quota != nil {
		f.policies[prefix+"ResourceQuota/"+tenant.PolicyName] = *quota
	}
	if limits := namespace.Want.LimitRange; limits != nil {
		f.policies[prefix+"LimitRange/"+tenant.PolicyName] = *limits
	}
	for name, spec := range namespace.Want.NetworkPolicies {
		f.policies[prefix+"NetworkPolicy/"+name] = spec
	}
}

// policiesOf are the specs of what limits namespaces, by namespace and "<kind>/<name>".
func policiesOf(s *snapshot) map[string]map[string]any {
	found := map[string]map[string]any{}
	add := func(object client.Object, kind string, spec any) {
		if found[object.GetNamespace()] == nil {
			found[object.GetNamespace()] = map[string]any{}
		}
		found[object.GetNamespace()][kind+"/"+object.GetName()] = spec
	}
	for _, quota := range all[corev1.ResourceQuota](s) {
		add(quota, "ResourceQuota", quota.Spec)
	}
	for _, limits := range all[corev1.LimitRange](s) {
		add(limits, "LimitRange", limits.Spec)
	}
	for _, policy := range all[networkingv1.NetworkPolicy](s) {
		add(policy, "NetworkPolicy", policy.Spec)
	}
	return found
}

func peopleOf(situation *tenant.Situation, intent *tenant.Intent) map[string]string {
	people := map[string]string{}
	for _, membership := range situation.Memberships {
		name := personName(membership.User, membership.ClerkMember, membership.Spec.UserID)
		for _, subject := range []string{membership.Status.Subject, intent.Subjects[membership.Name]} {
			if subject != "" {
				people[subject] = name
			}
		}
	}
	return people
}

// difference is what changes for an organization; nil if nothing does.
func difference(before, after *future) *PlanOrganization {
	organization := before.organization
	found := &PlanOrganization{
		Name: organization.Name, Slug: organization.Spec.Slug, ID: organization.Spec.ID,
		ClassBefore: before.class, ClassAfter: after.class,
		Namespaces: namespaceChanges(before, after), Policies: policyChanges(before, after),
		Gains: grants(after.access.Without(before.access), after.people), Losses: grants(before.access.Without(after.access), after.people),
	}
	for message := range after.problems {
		if !before.problems[message] {
			found.Problems = append(found.Problems, message)
		}
	}
	slices.Sort(found.Problems)
	changes := len(found.Namespaces) + len(found.Policies) + len(found.Gains) + len(found.Losses) + len(found.Problems)
	if changes == 0 && before.class == after.class {
		return nil
	}
	return found
}

// grants are who gets what, by namespace, ClusterRole and name.
func grants(bySubject map[string][]string, people map[string]string) []PlanGrant {
	var found []PlanGrant
	for subject, all := range bySubject {
		for _, grant := range all {
			namespace, clusterRole, _ := strings.Cut(grant, "/")
			found = append(found, PlanGrant{Namespace: namespace, ClusterRole: clusterRole, Subject: subject, Person: people[subject]})
		}
	}
	slices.SortFunc(found, func(a, b PlanGrant) int {
		return strings.Compare(strings.Join([]string{a.Namespace, a.ClusterRole, a.Person, a.Subject}, "\x00"),
			strings.Join([]string{b.Namespace, b.ClusterRole, b.Person, b.Subject}, "\x00"))
	})
	return found
}

// namespaceChanges are what becomes of the namespaces of an organization.
func namespaceChanges(before, after *future) []PlanNamespace {
	var changes []PlanNamespace
	for _, name := range slices.Sorted(maps.Keys(after.namespaces)) {
		was, known := before.namespaces[name]
		is := after.namespaces[name]
		switch {
		case is.Made && (!known || !was.Made):
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceMade})
		case is.State == v1alpha1.NamespaceReleased && was.State != v1alpha1.NamespaceReleased:
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceReleased})
		case is.State == v1alpha1.NamespaceActive && was.State == v1alpha1.NamespaceReleased:
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceServed})
		case is.Want != nil && was.Want != nil && !hasSameMetadata(was.Want, is.Want):
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceRelabelled})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after.deletions)) {
		was, is := before.deletions[name], after.deletions[name]
		switch {
		case was.Equal(is):
		case is.IsZero():
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceKept})
		default:
			changes = append(changes, PlanNamespace{Name: name, Change: NamespaceDeleted, DeleteAt: new(metav1.NewTime(is.UTC()))})
		}
	}
	return changes
}

func hasSameMetadata(a, b *tenant.Namespace) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) && a.DerivedAccess == b.DerivedAccess &&
		a.Hosts == b.Hosts && slices.Equal(a.OwnDomains, b.OwnDomains) && a.Creators == b.Creators
}

// policyChanges are the policies that are made, changed and deleted.
func policyChanges(before, after *future) []PlanPolicy {
	changes := map[string]string{}
	for key, spec := range after.policies {
		was, known := before.policies[key]
		switch {
		case !known:
			changes[key] = "Created"
		case !equality.Semantic.DeepEqual(was, spec):
			changes[key] = "Changed"
		}
	}
	for key := range before.policies {
		namespace, _, _ := strings.Cut(key, "/")
		if _, isOurs := after.namespaces[namespace]; !isOurs {
			continue // it would not be made
		}
		if _, known := after.policies[key]; !known {
			changes[key] = "Deleted"
		}
	}
	var found []PlanPolicy
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		parts := strings.SplitN(key, "/", 3)
		found = append(found, PlanPolicy{Namespace: parts[0], Kind: parts[1], Name: parts[2], Change: changes[key]})
	}
	return found
}
