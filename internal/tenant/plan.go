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

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// planBindings says what is to be done to the RoleBindings, by what should be granted in each namespace. In a namespace that fills no entry
// nobody has access. A frozen organization keeps the grants that exist and should: where it is not known which rules are for a namespace,
// all of them are.
func (i *Intent) planBindings(s *Situation, rules []Rule, holders []*Holder) {
	i.RoleBindings = s.bindingsByNamespace(i.Namespaces)
	wanted := map[string]map[string]Subjects{}
	for namespace := range i.RoleBindings {
		wanted[namespace] = nil
	}
	for at := range i.Entries {
		if entry := &i.Entries[at]; entry.Existing != nil {
			wanted[entry.Existing.Name] = entry.Grants
		}
	}
	i.Bindings = make(map[string]BindingPlan, len(wanted))
	for namespace, grants := range wanted {
		if i.Frozen && len(i.Entries) == 0 {
			grants = Grants(rules, holders, s.Now)
		}
		if i.Frozen || s.RevokeOnly {
			grants = Restrict(grants, i.RoleBindings[namespace])
		}
		i.Bindings[namespace] = planMarked(grants, i.RoleBindings[namespace], s.Organization)
	}
}

// PlanRemoval is the intent by which some RoleBindings go, and nothing else.
func PlanRemoval(bindings []*rbacv1.RoleBinding) *Intent {
	intent := &Intent{Deleted: true, RoleBindings: map[string][]*rbacv1.RoleBinding{}, Bindings: map[string]BindingPlan{}}
	for _, binding := range bindings {
		intent.RoleBindings[binding.Namespace] = append(intent.RoleBindings[binding.Namespace], binding)
	}
	for namespace, existing := range intent.RoleBindings {
		intent.Bindings[namespace] = PlanBindings(nil, existing, "")
	}
	return intent
}

// planMarked is PlanBindings, where those that lack a label are written too: without it, the cache would not find them.
func planMarked(grants map[string]Subjects, existing []*rbacv1.RoleBinding, organization *v1alpha1.ClerkOrganization) BindingPlan {
	plan := PlanBindings(grants, existing, organization.UID)
	plan.Keep = slices.DeleteFunc(plan.Keep, func(kept Binding) bool {
		unmarked := !isMarked(named(existing, kept.Name), organization)
		if unmarked {
			plan.Grow = append(plan.Grow, kept) // nobody gains anything by it but the labels
		}
		return unmarked
	})
	return plan
}

// Grows tells whether anybody is to be granted anything.
func (i *Intent) Grows() bool {
	for _, plan := range i.Bindings {
		if len(plan.Grow) > 0 {
			return true
		}
	}
	return false
}

// Loss is a name that a RoleBinding is to lose.
type Loss struct {
	RoleBinding types.UID
	Subject     rbacv1.Subject
}

// Losses are who is to be taken out of which RoleBinding, of each RoleBinding the first MaxSubjects: somebody else's may name any number.
func (i *Intent) Losses() []Loss {
	var losses []Loss
	for namespace, plan := range i.Bindings {
		for _, binding := range plan.Delete {
			losses = append(losses, lossesOf(binding.UID, binding.Subjects, nil)...)
		}
		for _, want := range plan.Shrink {
			have := i.Existing(namespace, want.Name)
			losses = append(losses, lossesOf(have.UID, have.Subjects, want.Subjects)...)
		}
	}
	return losses
}

// lossesOf are those whom a RoleBinding or ClusterRoleBinding names that is to name only some.
func lossesOf(binding types.UID, subjects []rbacv1.Subject, kept []string) []Loss {
	var losses []Loss
	for _, subject := range subjects {
		if len(losses) == MaxSubjects {
			break
		}
		if !isUser(subject) || !slices.Contains(kept, subject.Name) {
			losses = append(losses, Loss{RoleBinding: binding, Subject: subject})
		}
	}
	return losses
}

// Existing is the RoleBinding of a name that there is in a namespace, nil if there is none.
func (i *Intent) Existing(namespace, name string) *rbacv1.RoleBinding {
	return named(i.RoleBindings[namespace], name)
}

func named(bindings []*rbacv1.RoleBinding, name string) *rbacv1.RoleBinding {
	at := slices.IndexFunc(bindings, func(binding *rbacv1.RoleBinding) bool { return binding.Name == name })
	if at < 0 {
		return nil
	}
	return bindings[at]
}

// Labels mark what the operator keeps in an organization's namespaces.
func Labels(organization *v1alpha1.ClerkOrganization) map[string]string {
	return map[string]string{
		v1alpha1.OrganizationIDLabel: organization.Spec.ID,
		v1alpha1.InstanceLabel:       organization.Spec.Instance,
		v1alpha1.ManagedByLabel:      v1alpha1.ManagedBy,
	}
}

func isMarked(binding *rbacv1.RoleBinding, organization *v1alpha1.ClerkOrganization) bool {
	for key, value := range Labels(organization) {
		if binding.Labels[key] != value {
			return false
		}
	}
	return true
}

// maxForeignBindings is how many RoleBindings that are not the organization's by their owner are looked at at a time. A member who may
// write RoleBindings could label thousands, and the organization would do nothing but delete them. Each deletion has it looked at again.
const maxForeignBindings = 32

// bindingsByNamespace are the RoleBindings that an organization looks at: those that it owns, wherever they are, before some others that
// have its label, in its own namespaces alone. Elsewhere the label says nothing: it may be there to keep the organization busy.
func (s *Situation) bindingsByNamespace(namespaces []*corev1.Namespace) map[string][]*rbacv1.RoleBinding {
	own, result, foreign := map[string]bool{}, map[string][]*rbacv1.RoleBinding{}, 0
	for _, namespace := range namespaces {
		own[namespace.Name] = true
	}
	for _, binding := range s.RoleBindings {
		switch {
		case IsOwnedBy(binding, s.Organization.UID):
		case own[binding.Namespace] && foreign < maxForeignBindings:
			foreign++
		default:
			continue
		}
		result[binding.Namespace] = append(result[binding.Namespace], binding)
	}
	return result
}
