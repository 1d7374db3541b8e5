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
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// ClusterHolder is somebody who has a ClusterRole in the whole cluster by a ClusterGrant.
type ClusterHolder struct {
	// Name of the ClusterGrant.
	Name string `json:"name"`

	ClusterRole string `json:"clusterRole"`
	Subject     string `json:"subject"`

	// Person is the member whom the subject names, and Organizations are those that the grant names and that they are in.
	Person        string   `json:"person,omitempty"`
	Organizations []string `json:"organizations,omitempty"`

	// Until is when that ends.
	Until *metav1.Time `json:"until,omitempty"`

	// Uncertain: they may have it or not. Message says why, or why they will not have it for long.
	Uncertain bool   `json:"uncertain,omitempty"`
	Message   string `json:"message,omitempty"`
}

// grantDecision is what the operator decides about a ClusterGrant.
type grantDecision struct {
	grant     *v1alpha1.ClusterGrant
	situation *tenant.ClusterSituation
	intent    *tenant.ClusterIntent

	// isSeen: the caller may see the ClusterRoleBindings, and so who has what.
	isSeen bool
}

// decide has the operator's own code decide about a ClusterGrant. Whether the operator may give the ClusterRole, its status says.
func (e *explainer) decide(ctx context.Context, grant *v1alpha1.ClusterGrant) (*grantDecision, error) {
	return e.decideBy(ctx, grant, e.snapshot.bindingsOf(grant), []string{grant.Spec.ClusterRole})
}

func (e *explainer) decideBy(
	ctx context.Context, grant *v1alpha1.ClusterGrant, bindings []*rbacv1.ClusterRoleBinding, allowed []string,
) (*grantDecision, error) {
	gatherer := cached.Gatherer{Reader: e.snapshot, Expressions: e.expressions, Now: func() time.Time { return e.now }}
	situation, err := gatherer.ClusterSituation(ctx, grant, bindings, allowed)
	if err != nil {
		return nil, err
	}
	return &grantDecision{
		grant: grant, situation: situation, intent: tenant.DecideClusterGrant(situation), isSeen: e.snapshot.seesClusterBindings(),
	}, nil
}

// clusterHolders are those who have something in the whole cluster by ClusterGrants: all, or an organization's members alone.
func (e *explainer) clusterHolders(ctx context.Context, organization *v1alpha1.ClerkOrganization) ([]ClusterHolder, error) {
	grants := all[v1alpha1.ClusterGrant](e.snapshot)
	if organization != nil {
		key := cached.Scoped(organization.Spec.Instance, organization.Spec.ID)
		grants = having[v1alpha1.ClusterGrant](e.snapshot, cached.ByOrganization, key)
	}
	var found []ClusterHolder
	for _, grant := range grants {
		decision, err := e.decide(ctx, grant)
		if err != nil {
			return nil, err
		}
		found = append(found, decision.holders(organization)...)
	}
	slices.SortFunc(found, func(a, b ClusterHolder) int {
		return cmp.Or(strings.Compare(cmp.Or(a.Person, a.Subject), cmp.Or(b.Person, b.Subject)), strings.Compare(a.Subject, b.Subject),
			strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

// holders are those who have something by the grant: all, or an organization's members alone.
func (d *grantDecision) holders(organization *v1alpha1.ClerkOrganization) []ClusterHolder {
	subjects := maps.Clone(d.intent.Held)
	maps.Copy(subjects, d.intent.Due)
	var found []ClusterHolder
	for subject := range subjects {
		_, isDue := d.intent.Due[subject]
		given := whyClusterGrant(d.grant, tenant.Given{Holds: isDue, Until: d.intent.Ends[subject]}, holdingOf(d.isSeen, d.intent.Held, subject))
		if !given.Given && !given.Uncertain {
			continue
		}
		holder := ClusterHolder{
			Name: d.grant.Name, ClusterRole: d.grant.Spec.ClusterRole, Subject: subject,
			Until: given.Until, Uncertain: given.Uncertain, Message: given.Message,
		}
		if isMember := d.describe(&holder, organization); organization == nil || isMember {
			found = append(found, holder)
		}
	}
	return found
}

// describe says who a subject is, and tells whether they are, or were, a member of an organization that the grant names.
func (d *grantDecision) describe(holder *ClusterHolder, organization *v1alpha1.ClerkOrganization) (isMember bool) {
	for i := range d.situation.Organizations {
		named := &d.situation.Organizations[i]
		for j := range named.Memberships {
			membership := &named.Memberships[j]
			_, isDue := d.intent.Due[holder.Subject]
			hasLeft := membership.Spec.DeletedAt != nil || named.Object.Spec.DeletedAt != nil
			if d.intent.Subjects[membership.Name] != holder.Subject || isDue && hasLeft {
				continue // who is due is so by another membership
			}
			holder.Person = personName(membership.User, membership.ClerkMember, membership.Spec.UserID)
			holder.Organizations = append(holder.Organizations, organizationName(named.Object, ""))
			isMember = isMember || organization != nil && named.Object.Name == organization.Name
		}
	}
	slices.Sort(holder.Organizations)
	holder.Organizations = slices.Compact(holder.Organizations)
	return isMember
}

// clusterRoleBindings is the resource that many may not list.
const clusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io"

// clusterGrants is how kubectl calls ClusterGrants.
const clusterGrants = "clustergrants.clerk-operator.io"

func (s *snapshot) seesClusterBindings() bool { return s.unread[clusterRoleBindings] == nil }

// bindingsOf are the ClusterRoleBindings that concern a ClusterGrant.
func (s *snapshot) bindingsOf(grant *v1alpha1.ClusterGrant) []*rbacv1.ClusterRoleBinding {
	return slices.DeleteFunc(all[rbacv1.ClusterRoleBinding](s), func(binding *rbacv1.ClusterRoleBinding) bool {
		return !tenant.ConcernsGrant(binding, grant)
	})
}

// withoutBindings is what follows for who has something by ClusterGrants where the ClusterRoleBindings are not seen.
const withoutBindings = "who has something by ClusterGrants follows from what the operator decides, not from what there is"

// unseenGrants says what the caller may not see of ClusterGrants, and what follows from that where it is the ClusterRoleBindings. Where
// there are no ClusterGrants, nothing is missing.
func (s *snapshot) unseenGrants(withoutBindings string) []string {
	switch unread := s.unread[clusterGrants]; {
	case apierrors.IsForbidden(unread):
		return []string{"what ClusterGrants give in the whole cluster is left out: " + explainList(unread, &v1alpha1.ClusterGrantList{}).Error()}
	case len(all[v1alpha1.ClusterGrant](s)) > 0 && !s.seesClusterBindings():
		return []string{withoutBindings + ": " + explainList(s.unread[clusterRoleBindings], &rbacv1.ClusterRoleBindingList{}).Error()}
	}
	return nil
}

// clusterHoldersText lists who has something in the whole cluster. Of which organization they are is told where that is not one alone.
func clusterHoldersText(out *page, title string, holders []ClusterHolder, isOneOrganization bool) {
	if len(holders) == 0 {
		return
	}
	out.line("\n%s", title)
	titles := []string{"PERSON", "CLUSTERROLE", "CLUSTERGRANT", "UNTIL"}
	if !isOneOrganization {
		titles = append(titles, "ORGANIZATION")
	}
	if out.wide {
		titles = append(titles, "SUBJECT")
	}
	rows := make([][]cell, len(holders))
	for i := range holders {
		holder := &holders[i]
		role := cell{text: holder.ClusterRole, look: green}
		if holder.Uncertain {
			role = cell{text: "perhaps " + holder.ClusterRole, look: yellow}
		}
		rows[i] = []cell{{text: cmp.Or(holder.Person, holder.Subject)}, role, {text: holder.Name}, {text: second(holder.Until)}}
		if !isOneOrganization {
			rows[i] = append(rows[i], cell{text: strings.Join(holder.Organizations, ", ")})
		}
		if out.wide {
			rows[i] = append(rows[i], cell{text: holder.Subject})
		}
	}
	out.table("", titles, rows)
	holderMessages(out, holders)
}

// holderMessages says why it is uncertain who has something, or why somebody will not have it for long.
func holderMessages(out *page, holders []ClusterHolder) {
	var messages []string
	for i := range holders {
		if holder := &holders[i]; holder.Message != "" {
			messages = append(messages, fmt.Sprintf("ClusterGrant %s: %s", holder.Name, holder.Message))
		}
	}
	slices.Sort(messages)
	for _, message := range slices.Compact(messages) {
		out.paragraph("", "  ", message, plain)
	}
}

// notesText says what keeps an answer from being complete.
func notesText(out *page, notes []string) {
	for _, note := range notes {
		out.paragraph(out.in(yellow, "Note: "), "  ", note, plain)
	}
}

// second is a time to the second; empty if there is none.
func second(at *metav1.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
