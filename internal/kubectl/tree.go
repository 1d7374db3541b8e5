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
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// maxBranches is how many subjects of one RoleBinding, or people of one ClusterGrant, are shown to people, unless they ask for all.
const maxBranches = 20

// Tree shows what organizations have: their class, namespaces, RoleBindings and whom these name, and what ClusterGrants give their members.
type Tree struct {
	metav1.TypeMeta `json:",inline"`

	Organizations []TreeOrganization `json:"organizations"`

	// Notes say what the caller may not see.
	Notes []string `json:"notes,omitempty"`
}

// TreeOrganization is an organization with what it has.
type TreeOrganization struct {
	Name  string `json:"name"`
	Slug  string `json:"slug,omitempty"`
	ID    string `json:"id"`
	Class string `json:"class,omitempty"`

	// Plan and SubscriptionStatus are those of Clerk's billing; empty where nothing is known of it.
	Plan               string `json:"plan,omitempty"`
	SubscriptionStatus string `json:"subscriptionStatus,omitempty"`

	Members int32 `json:"members"`

	// Deleted: the organization was deleted in Clerk.
	Deleted bool `json:"deleted,omitempty"`

	Ready bool `json:"ready"`

	// Reason is that of the condition Ready.
	Reason string `json:"reason,omitempty"`

	Namespaces []TreeNamespace `json:"namespaces"`

	// ClusterGrants are what ClusterGrants give its members in the whole cluster: one for each member and grant.
	ClusterGrants []ClusterHolder `json:"clusterGrants,omitempty"`
}

// TreeNamespace is a namespace of an organization.
type TreeNamespace struct {
	Name string `json:"name"`

	// State is what the organization's status says of it: Active, Released, Retained or Deleting; empty if nothing.
	State v1alpha1.NamespaceState `json:"state,omitempty"`

	RoleBindings []TreeRoleBinding `json:"roleBindings"`
}

// TreeRoleBinding is a RoleBinding that is the operator's.
type TreeRoleBinding struct {
	Name     string        `json:"name"`
	Role     string        `json:"role"`
	Subjects []TreeSubject `json:"subjects"`
}

// TreeSubject is whom a RoleBinding names.
type TreeSubject struct {
	Subject string `json:"subject"`

	// Person is the member of that name; empty if no membership gives it.
	Person string `json:"person,omitempty"`
}

func (p *plugin) treeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tree [ORGANIZATION]",
		Short: "Show organizations with namespaces, RoleBindings and whom they name",
		Long: "Show organizations with their class, namespaces, RoleBindings and whom these name, and what ClusterGrants give their members\n" +
			"in the whole cluster.\n\n" +
			"Without an ORGANIZATION (a slug, an id or a name) it shows all that are not deleted.\n\n" +
			"Exit code: 0 all that is shown is ready, 2 something is not, 1 it cannot be told.",
		Example: "  kubectl clerk tree acme",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return p.tree(command.Context(), strings.Join(args, ""))
		},
	}
}

func (p *plugin) tree(ctx context.Context, text string) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	snapshot, err := load(ctx, cluster, mirrored(), bound(), optional(everywhere()))
	if err != nil {
		return err
	}
	var organizations []*v1alpha1.ClerkOrganization
	if text != "" {
		organization, err := snapshot.organization(text)
		if err != nil {
			return err
		}
		organizations = append(organizations, organization)
	} else {
		organizations = slices.DeleteFunc(all[v1alpha1.ClerkOrganization](snapshot), func(o *v1alpha1.ClerkOrganization) bool {
			return o.Spec.DeletedAt != nil
		})
	}
	slices.SortFunc(organizations, func(a, b *v1alpha1.ClerkOrganization) int {
		return cmp.Or(strings.Compare(cmp.Or(a.Spec.Slug, a.Spec.ID), cmp.Or(b.Spec.Slug, b.Spec.ID)), strings.Compare(a.Name, b.Name))
	})
	found := &Tree{TypeMeta: view("Tree"), Organizations: []TreeOrganization{}, Notes: snapshot.unseenGrants(withoutBindings)}
	e := &explainer{snapshot: snapshot, expressions: cached.NewExpressions(), now: p.Now()}
	for _, organization := range organizations {
		branch := snapshot.branch(organization)
		if branch.ClusterGrants, err = e.clusterHolders(ctx, organization); err != nil {
			return err
		}
		if !branch.Ready {
			p.code = ExitNo
		}
		found.Organizations = append(found.Organizations, branch)
	}
	return p.print(found)
}

// summary is an organization without what it has.
func summary(organization *v1alpha1.ClerkOrganization) TreeOrganization {
	found := TreeOrganization{
		Name: organization.Name, Slug: organization.Spec.Slug, ID: organization.Spec.ID, Class: organization.Status.ClassName,
		Plan: organization.Status.Plan, SubscriptionStatus: organization.Status.SubscriptionStatus,
		Deleted: organization.Spec.DeletedAt != nil, Namespaces: []TreeNamespace{},
	}
	if organization.Status.Members != nil {
		found.Members = *organization.Status.Members
	}
	found.Ready, found.Reason = condition.IsReady(organization.Status.Conditions)
	return found
}

// branch is what an organization has.
func (s *snapshot) branch(organization *v1alpha1.ClerkOrganization) TreeOrganization {
	found := summary(organization)
	people := s.subjectsOf(organization)
	for _, namespace := range having[corev1.Namespace](s, cached.ByOrganization, organization.Spec.ID) {
		if !tenant.IsNamespaceOf(namespace, organization) {
			continue
		}
		branch := TreeNamespace{Name: namespace.Name, RoleBindings: []TreeRoleBinding{}}
		for _, known := range organization.Status.Namespaces {
			if known.Name == namespace.Name {
				branch.State = known.State
			}
		}
		for _, binding := range having[rbacv1.RoleBinding](s, cached.ByOrganization, organization.Spec.ID) {
			if binding.Namespace == namespace.Name {
				branch.RoleBindings = append(branch.RoleBindings, bindingBranch(binding, people))
			}
		}
		found.Namespaces = append(found.Namespaces, branch)
	}
	slices.SortFunc(found.Namespaces, func(a, b TreeNamespace) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// subjectsOf are the members of an organization by their names in RBAC.
func (s *snapshot) subjectsOf(organization *v1alpha1.ClerkOrganization) map[string]string {
	people := map[string]string{}
	key := cached.Scoped(organization.Spec.Instance, organization.Spec.ID)
	for _, member := range having[v1alpha1.ClerkMember](s, cached.ByOrganization, key) {
		if member.Status.Subject == "" {
			continue
		}
		var user *v1alpha1.ClerkUser
		for _, user = range having[v1alpha1.ClerkUser](s, cached.ByID, cached.Scoped(member.Spec.Instance, member.Spec.UserID)) {
			break
		}
		people[member.Status.Subject] = personName(user, member, member.Spec.UserID)
	}
	return people
}

func bindingBranch(binding *rbacv1.RoleBinding, people map[string]string) TreeRoleBinding {
	found := TreeRoleBinding{Name: binding.Name, Role: binding.RoleRef.Name, Subjects: []TreeSubject{}}
	for _, subject := range binding.Subjects {
		found.Subjects = append(found.Subjects, TreeSubject{Subject: subject.Name, Person: people[subject.Name]})
	}
	return found
}
