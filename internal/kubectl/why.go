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
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
)

// Why says whether somebody has access, and by which steps.
type Why struct {
	metav1.TypeMeta `json:",inline"`

	// User is who was asked about, as they were named.
	User string `json:"user"`

	// HasAccess: in every organization that was asked about.
	HasAccess bool `json:"hasAccess"`

	// Memberships are the user's, one for each organization.
	Memberships []WhyMembership `json:"memberships"`

	// Message says what is wrong where there is no membership.
	Message string `json:"message,omitempty"`
}

// WhyMembership is what one membership comes to.
type WhyMembership struct {
	// Member is the ClerkMember.
	Member string `json:"member"`

	UserID         string `json:"userID"`
	Person         string `json:"person"`
	Organization   string `json:"organization"`
	OrganizationID string `json:"organizationID"`

	// Subject is the user's name in RBAC.
	Subject string `json:"subject,omitempty"`

	HasAccess bool `json:"hasAccess"`

	// Reason is that of the ClerkMember's condition Bound, decided anew; Message says it in words, and Advice what to do.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`

	Steps []WhyStep `json:"steps"`

	// ClusterGrants are those for the member's role. What they give is in the whole cluster, and does not count for HasAccess.
	ClusterGrants []WhyClusterGrant `json:"clusterGrants,omitempty"`
}

// WhyStep is one link from the user to the access.
type WhyStep struct {
	// Name of the step: identity, membership, organization, ban, name, role, class, rule, rolebinding, apiserver.
	Name string `json:"name"`

	// State is Passed, Broken, Unknown (it could not be asked) or NotReached.
	State StepState `json:"state"`

	// Message says what holds.
	Message string `json:"message,omitempty"`

	// From is the object that says so, as <resource>/<name>.
	From string `json:"from,omitempty"`

	// SaidAt is when Clerk said so.
	SaidAt *metav1.Time `json:"saidAt,omitempty"`
}

// StepState is what became of a step.
type StepState string

// States of a step.
const (
	StepPassed     StepState = "Passed"
	StepBroken     StepState = "Broken"
	StepUnknown    StepState = "Unknown"
	StepNotReached StepState = "NotReached"
)

func (p *plugin) whyCommand() *cobra.Command {
	var organization string
	command := &cobra.Command{
		Use:   "why USER [-n NAMESPACE | --organization ORGANIZATION]",
		Short: "Say why somebody has access, or has none",
		Long: "Say why somebody has access, or has none: from who they are to what the API server answers, step by step.\n\n" +
			"USER is an e-mail address, a user id, a name in RBAC, a user name, or first and last name.\n" +
			"Without a namespace or an organization it looks at all organizations of the user.\n\n" +
			"Exit code: 0 they have access in all that was asked about, 2 they have not, 1 it cannot be told.",
		Example: "  kubectl clerk why jane@acme.example -n org-acme\n  kubectl clerk why user_2g7np7Hrk0SN6kj5EDMLDaKNL0S -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return p.why(command.Context(), args[0], *p.config.Namespace, organization)
		},
	}
	command.Flags().StringVar(&organization, "organization", "", "Look at one organization: its slug, id or name.")
	return command
}

func (p *plugin) why(ctx context.Context, user, namespace, organization string) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	if namespace != "" && organization != "" {
		return errors.New("give either a namespace or an organization")
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	snapshot, err := load(ctx, cluster, mirrored(), optional(bound()), optional(everywhere()))
	if err != nil {
		return err
	}
	asked, err := snapshot.asked(namespace, organization)
	if err != nil {
		return err
	}
	found := &Why{TypeMeta: view("Why"), User: user, Memberships: []WhyMembership{}}
	person, err := snapshot.person(user, asked)
	switch {
	case errors.Is(err, errNoPerson):
		found.Message = "nobody of that name, address or id is mirrored: " +
			"invite them in Clerk, or have what Clerk knows listed with kubectl clerk resync"
	case err != nil:
		return err
	default:
		e := &explainer{snapshot: snapshot, cluster: cluster, expressions: cached.NewExpressions(), namespace: namespace, now: p.Now()}
		if err := e.explain(ctx, person, asked, found); err != nil {
			return err
		}
	}
	if !found.HasAccess {
		p.code = ExitNo
	}
	return p.print(found)
}

// asked is the organization that was asked about, nil if all are.
func (s *snapshot) asked(namespace, organization string) (*v1alpha1.ClerkOrganization, error) {
	switch {
	case organization != "":
		return s.organization(organization)
	case namespace != "":
		return s.organizationOfNamespace(namespace)
	}
	return nil, nil //nolint:nilnil // nothing is an answer
}

// explainer explains memberships.
type explainer struct {
	snapshot    *snapshot
	cluster     client.Client
	expressions *cached.Expressions

	// namespace is the only one that was asked about, "" if all are.
	namespace string

	// now is when this is.
	now time.Time
}

// explain looks at the memberships of a person, in one organization if one was asked about. Those that were deleted count where there is no
// other in the organization.
func (e *explainer) explain(ctx context.Context, person *person, asked *v1alpha1.ClerkOrganization, found *Why) error {
	members := slices.DeleteFunc(slices.Clone(person.members), func(m *v1alpha1.ClerkMember) bool {
		return asked != nil && (m.Spec.OrganizationID != asked.Spec.ID || m.Spec.Instance != asked.Spec.Instance)
	})
	isLiving := func(m *v1alpha1.ClerkMember) bool { return m.Spec.DeletedAt == nil }
	if slices.ContainsFunc(members, isLiving) {
		members = slices.DeleteFunc(members, func(m *v1alpha1.ClerkMember) bool { return !isLiving(m) })
	}
	if len(members) == 0 {
		found.Message = "the user is a member of no organization that is mirrored: add them to one in Clerk"
		if asked != nil {
			found.Message = fmt.Sprintf("the user is no member of the organization %s: add them to it in Clerk", organizationName(asked, ""))
		}
		return nil
	}
	found.HasAccess = true
	for _, member := range members {
		explained, err := e.membership(ctx, person, member)
		if err != nil {
			return err
		}
		found.HasAccess = found.HasAccess && explained.HasAccess
		found.Memberships = append(found.Memberships, *explained)
	}
	slices.SortFunc(found.Memberships, func(a, b WhyMembership) int {
		return strings.Compare(a.Organization+" "+a.Member, b.Organization+" "+b.Member)
	})
	return nil
}

func (w *Why) names() []string {
	names := make([]string, len(w.Memberships))
	for i := range w.Memberships {
		names[i] = reference("clerkmember", w.Memberships[i].Member)
	}
	return names
}

func (w *Why) text(out *page) {
	if w.Message != "" {
		out.line("%s", out.in(bold, w.User))
		out.paragraph("", "", "✗ "+w.Message, red)
	}
	for i := range w.Memberships {
		if i > 0 {
			out.line("")
		}
		w.Memberships[i].text(out)
	}
}

// stepTitles are the steps as people read them.
var stepTitles = map[string]string{stepRoleBinding: "RoleBinding", stepAPIServer: "API server"}

func (m *WhyMembership) text(out *page) {
	out.line("%s in %s", out.in(bold, m.Person), out.in(bold, m.Organization))
	marks := map[StepState]string{StepPassed: "✓", StepBroken: "✗", StepUnknown: "?", StepNotReached: "·"}
	looks := map[StepState]style{StepPassed: green, StepBroken: red, StepUnknown: yellow, StepNotReached: dim}
	for _, step := range m.Steps {
		title := step.Name
		if stepTitles[step.Name] != "" {
			title = stepTitles[step.Name]
		}
		first := fmt.Sprintf("  %s %s", out.in(looks[step.State], marks[step.State]), out.in(bold, fmt.Sprintf("%-14s", title)))
		const indent = "                  "
		if step.Message == "" {
			out.line("%s", strings.TrimRight(first, " "))
			continue
		}
		out.paragraph(first, indent, step.Message, plain)
		if source := step.source(out); source != "" {
			out.paragraph(indent, indent, source, dim)
		}
	}
	switch {
	case m.HasAccess:
		out.paragraph(out.in(green, "They have access: "), "  ", m.Message, plain)
	default:
		out.paragraph(out.in(red, "They have no access: "), "  ", m.Message, plain)
	}
	if m.Advice != "" {
		out.paragraph("What to do: ", "  ", m.Advice, plain)
	}
	for i := range m.ClusterGrants {
		m.ClusterGrants[i].text(out)
	}
}

// source is where a step comes from, and when Clerk said so.
func (s *WhyStep) source(out *page) string {
	said := ""
	if s.SaidAt != nil {
		said = "Clerk said so " + out.ago(s.SaidAt)
	}
	return strings.Trim(s.From+", "+said, ", ")
}

// reference is how kubectl names an object of the operator's kinds.
func reference(kind, name string) string {
	return kind + "." + v1alpha1.GroupVersion.Group + "/" + name
}
