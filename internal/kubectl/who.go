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
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
)

// Who says who is in an organization, and what they may in its namespaces.
type Who struct {
	metav1.TypeMeta `json:",inline"`

	Organization   string `json:"organization"`
	OrganizationID string `json:"organizationID"`

	// Namespace is the only one that was asked about, empty if all of the organization are.
	Namespace string `json:"namespace,omitempty"`

	// People are the members, in the order of their names.
	People []WhoPerson `json:"people"`

	// Others are subjects that RoleBindings of the namespace name which are not the operator's.
	Others []WhoOther `json:"others,omitempty"`

	// ClusterGrants are what ClusterGrants give in the whole cluster, and so here: to members of the organization, or, of a namespace, to all.
	ClusterGrants []ClusterHolder `json:"clusterGrants,omitempty"`

	// Notes say what the caller may not see.
	Notes []string `json:"notes,omitempty"`
}

// WhoPerson is a member of an organization.
type WhoPerson struct {
	Person  string `json:"person"`
	UserID  string `json:"userID"`
	Member  string `json:"member"`
	Subject string `json:"subject,omitempty"`

	// Role is the key of the role as Clerk has it now; empty where it is in doubt.
	Role string `json:"role,omitempty"`

	// Access are the RoleBindings that name the person.
	Access []v1alpha1.MemberBinding `json:"access"`

	// Reason is why there is none; empty where there is.
	Reason string `json:"reason,omitempty"`

	// JoinedAt is when the person joined, by Clerk's clock.
	JoinedAt *metav1.Time `json:"joinedAt,omitempty"`
}

// WhoOther is a subject of a RoleBinding that is not the operator's.
type WhoOther struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	RoleBinding string `json:"roleBinding"`
	Role        string `json:"role"`
}

func (p *plugin) whoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "who ORGANIZATION|NAMESPACE",
		Short: "List who is in an organization, and what they may",
		Long: "List who is in an organization, in which role, since when, and which ClusterRoles that gives them where.\n\n" +
			"ORGANIZATION is a slug, an id or a name. What ClusterGrants give its members in the whole cluster is listed too. Of a\n" +
			"NAMESPACE it also lists who else is named there by RoleBindings that are not the operator's, and whomever ClusterGrants give\n" +
			"something, of any organization. What other ClusterRoleBindings give in every namespace is not listed.\n\n" +
			"Exit code: 0 somebody has access, 2 nobody has, 1 it cannot be told.",
		Example: "  kubectl clerk who acme\n  kubectl clerk who org-acme -o wide",
		Args:    cobra.ExactArgs(1),
		RunE:    func(command *cobra.Command, args []string) error { return p.who(command.Context(), args[0]) },
	}
}

func (p *plugin) who(ctx context.Context, text string) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	snapshot, err := load(ctx, cluster, mirrored(), optional(bound()), optional(everywhere()))
	if err != nil {
		return err
	}
	found := &Who{TypeMeta: view("Who"), People: []WhoPerson{}}
	organization, err := snapshot.organizationOfNamespace(text)
	if err == nil {
		found.Namespace = text
	} else if organization, err = snapshot.organization(text); err != nil {
		return fmt.Errorf("%q is no namespace of an organization either: %w", text, err)
	}
	found.Organization, found.OrganizationID = organizationName(organization, ""), organization.Spec.ID
	e := &explainer{snapshot: snapshot, expressions: cached.NewExpressions(), namespace: found.Namespace, now: p.Now()}
	if err := found.addPeople(ctx, e, organization); err != nil {
		return err
	}
	if found.Namespace != "" {
		if err := found.addOthers(ctx, cluster, organization); err != nil {
			return err
		}
	}
	if err := found.addClusterGrants(ctx, e, organization); err != nil {
		return err
	}
	if !found.anyAccess() {
		p.code = ExitNo
	}
	return p.print(found)
}

// anyAccess tells whether somebody certainly has access.
func (w *Who) anyAccess() bool {
	return len(w.Others) > 0 || slices.ContainsFunc(w.People, func(person WhoPerson) bool { return len(person.Access) > 0 }) ||
		slices.ContainsFunc(w.ClusterGrants, func(holder ClusterHolder) bool { return !holder.Uncertain })
}

// addClusterGrants lists what ClusterGrants give. What they give anybody holds in a namespace too.
func (w *Who) addClusterGrants(ctx context.Context, e *explainer, organization *v1alpha1.ClerkOrganization) (err error) {
	w.Notes = e.snapshot.unseenGrants(withoutBindings)
	if w.Namespace != "" {
		organization = nil
	}
	w.ClusterGrants, err = e.clusterHolders(ctx, organization)
	return err
}

func (w *Who) addPeople(ctx context.Context, e *explainer, organization *v1alpha1.ClerkOrganization) error {
	for _, member := range all[v1alpha1.ClerkMember](e.snapshot) {
		if member.Spec.OrganizationID != organization.Spec.ID || member.Spec.Instance != organization.Spec.Instance {
			continue
		}
		facts, err := e.expressions.MemberFacts(ctx, e.snapshot, member, e.now)
		if err != nil {
			return err
		}
		e.addBindings(facts)
		if member.Spec.DeletedAt != nil && len(facts.Bindings) == 0 {
			continue
		}
		person := WhoPerson{
			Person: personName(facts.Standing.User, member, member.Spec.UserID), UserID: member.Spec.UserID, Member: member.Name,
			Subject: facts.Subject, Role: facts.Standing.Role.Key, Access: facts.Bindings, JoinedAt: timeOf(member.Spec.CreatedAt),
		}
		if len(facts.Bindings) == 0 {
			person.Access, person.Reason = []v1alpha1.MemberBinding{}, e.whyNot(facts).Reason
		}
		w.People = append(w.People, person)
	}
	slices.SortFunc(w.People, func(a, b WhoPerson) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.Member, b.Member))
	})
	return nil
}

// addOthers lists whom the other RoleBindings of the namespace name, if the caller may see them.
func (w *Who) addOthers(ctx context.Context, cluster client.Client, organization *v1alpha1.ClerkOrganization) error {
	var bindings rbacv1.RoleBindingList
	err := cluster.List(ctx, &bindings, client.InNamespace(w.Namespace))
	if err != nil {
		if apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("list RoleBindings in %s: %w", w.Namespace, err)
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if binding.Labels[v1alpha1.OrganizationIDLabel] == organization.Spec.ID {
			continue
		}
		for _, subject := range binding.Subjects {
			name := subject.Name
			if subject.Kind == rbacv1.ServiceAccountKind {
				name = cmp.Or(subject.Namespace, w.Namespace) + "/" + name
			}
			w.Others = append(w.Others, WhoOther{
				Kind: subject.Kind, Name: name, RoleBinding: binding.Name, Role: binding.RoleRef.Kind + "/" + binding.RoleRef.Name,
			})
		}
	}
	return nil
}

func (w *Who) names() []string {
	names := make([]string, len(w.People))
	for i := range w.People {
		names[i] = reference("clerkmember", w.People[i].Member)
	}
	return names
}

func (w *Who) text(out *page) {
	where := "in " + out.in(bold, w.Organization)
	if w.Namespace != "" {
		where = "in the namespace " + out.in(bold, w.Namespace) + " of " + out.in(bold, w.Organization)
	}
	out.line("%s %s", counted(len(w.People), "person", "people"), where)
	if len(w.People) > 0 {
		titles := []string{"PERSON", "ROLE", "ACCESS", "SINCE"}
		if out.wide {
			titles = append(titles, "USER", "SUBJECT", "MEMBER")
		}
		rows := make([][]cell, len(w.People))
		for i := range w.People {
			rows[i] = w.People[i].row(out, w.Namespace != "")
		}
		out.table("", titles, rows)
	}
	if len(w.Others) > 0 {
		out.line("\nBesides, by RoleBindings that are not the operator's:")
		rows := make([][]cell, len(w.Others))
		for i, other := range w.Others {
			rows[i] = []cell{{text: other.Kind}, {text: other.Name}, {text: other.Role}, {text: other.RoleBinding, look: dim}}
		}
		out.table("", []string{"KIND", "NAME", "ROLE", "ROLEBINDING"}, rows)
	}
	clusterHoldersText(out, "In the whole cluster, by ClusterGrants:", w.ClusterGrants, w.Namespace == "")
	notesText(out, w.Notes)
}

func (person *WhoPerson) row(out *page, isOneNamespace bool) []cell {
	access := cell{text: accessText(person.Access, isOneNamespace), look: green}
	if person.Reason != "" {
		access = cell{text: "none: " + person.Reason, look: red}
	}
	row := []cell{{text: person.Person}, {text: cmp.Or(person.Role, "?")}, access, {text: day(person.JoinedAt)}}
	if out.wide {
		row = append(row, cell{text: person.UserID}, cell{text: person.Subject}, cell{text: person.Member})
	}
	return row
}

// accessText says which ClusterRoles somebody has where: "admin in org-acme, org-acme-dev; view in org-acme-logs".
func accessText(bindings []v1alpha1.MemberBinding, isOneNamespace bool) string {
	namespaces := map[string][]string{}
	for _, binding := range bindings {
		namespaces[binding.ClusterRole] = append(namespaces[binding.ClusterRole], binding.Namespace)
	}
	texts := make([]string, 0, len(namespaces))
	for _, role := range slices.Sorted(maps.Keys(namespaces)) {
		text := role
		if !isOneNamespace {
			slices.Sort(namespaces[role])
			text += " in " + strings.Join(slices.Compact(namespaces[role]), ", ")
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}
