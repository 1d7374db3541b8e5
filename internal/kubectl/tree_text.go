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
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func (t *Tree) names() []string {
	names := make([]string, len(t.Organizations))
	for i := range t.Organizations {
		names[i] = reference("clerkorganization", t.Organizations[i].Name)
	}
	return names
}

func (t *Tree) text(out *page) {
	if len(t.Organizations) == 0 {
		out.line("No organization is mirrored: kubectl clerk status says what was heard.")
	}
	var holders []ClusterHolder
	for i := range t.Organizations {
		t.Organizations[i].text(out)
		holders = append(holders, t.Organizations[i].ClusterGrants...)
	}
	holderMessages(out, holders)
	notesText(out, t.Notes)
}

func (o *TreeOrganization) text(out *page) {
	state := out.in(green, "ready")
	if !o.Ready {
		state = out.in(red, cmp.Or(o.Reason, "not looked at yet"))
	}
	if o.Deleted {
		state = out.in(dim, "deleted in Clerk")
	}
	class := "no class"
	if o.Class != "" {
		class = "class " + o.Class
	}
	if plan := o.planText(); plan != "" {
		class += ", " + plan
	}
	out.line("%s  %s  %s, %s, %s", out.in(bold, cmp.Or(o.Slug, o.ID)), out.in(dim, o.ID), class,
		counted(int(o.Members), "member", "members"), state)
	for i := range o.Namespaces {
		o.Namespaces[i].text(out, i == len(o.Namespaces)-1 && len(o.ClusterGrants) == 0)
	}
	if len(o.ClusterGrants) > 0 {
		out.line("%s%s", out.branch("", true), "the whole cluster")
		out.clusterGrants(out.trunk("", true), o.ClusterGrants)
	}
}

// clusterGrants shows what each ClusterGrant gives, and to whom.
func (p *page) clusterGrants(indent string, holders []ClusterHolder) {
	byGrant := map[string][]ClusterHolder{}
	for _, holder := range holders {
		byGrant[holder.Name] = append(byGrant[holder.Name], holder)
	}
	names := slices.Sorted(maps.Keys(byGrant))
	for i, name := range names {
		holders, isLast := byGrant[name], i == len(names)-1
		p.line("%s%s  %s", p.branch(indent, isLast), p.in(bold, holders[0].ClusterRole), p.in(dim, "ClusterGrant "+name))
		texts := make([]string, len(holders))
		for j := range holders {
			texts[j] = p.holderText(&holders[j])
		}
		p.leaves(p.trunk(indent, isLast), texts)
	}
}

// holderText is who has something by a ClusterGrant, until when, and whether that is certain.
func (p *page) holderText(holder *ClusterHolder) string {
	text := p.subjectText(holder.Subject, holder.Person)
	switch {
	case holder.Uncertain:
		text += "  " + p.in(yellow, "perhaps")
	case holder.Message != "":
		text += "  " + p.in(yellow, "should not have it")
	}
	if holder.Until != nil {
		text += "  " + p.in(dim, "until "+second(holder.Until))
	}
	return text
}

// planText is which plan the organization has, and how the subscription stands where that is not as usual.
func (o *TreeOrganization) planText() string {
	status := ""
	if o.SubscriptionStatus != "" && o.SubscriptionStatus != string(v1alpha1.SubscriptionActive) {
		status = " (" + o.SubscriptionStatus + ")"
	}
	switch {
	case o.Plan != "":
		return "plan " + o.Plan + status
	case o.SubscriptionStatus != "":
		return "no plan" + status
	}
	return ""
}

func (n *TreeNamespace) text(out *page, isLast bool) {
	state := ""
	if n.State != v1alpha1.NamespaceActive && n.State != "" {
		state = "  " + out.in(yellow, strings.ToLower(string(n.State)))
	}
	out.line("%s%s%s", out.branch("", isLast), n.Name, state)
	indent := out.trunk("", isLast)
	for i, binding := range n.RoleBindings {
		isLast := i == len(n.RoleBindings)-1
		out.line("%s%s  %s", out.branch(indent, isLast), out.in(bold, binding.Role), out.in(dim, binding.Name))
		texts := make([]string, len(binding.Subjects))
		for j, subject := range binding.Subjects {
			texts[j] = out.subjectText(subject.Subject, subject.Person)
		}
		out.leaves(out.trunk(indent, isLast), texts)
	}
}

// subjectText is a name in RBAC, behind whose it is.
func (p *page) subjectText(subject, person string) string {
	if person == "" {
		return subject
	}
	return person + "  " + p.in(dim, subject)
}

// leaves are the ends of a branch, no more than people read unless they ask for all.
func (p *page) leaves(indent string, texts []string) {
	more := 0
	if !p.wide && len(texts) > maxBranches {
		texts, more = texts[:maxBranches], len(texts)-maxBranches
	}
	for i, text := range texts {
		p.line("%s%s", p.branch(indent, i == len(texts)-1 && more == 0), text)
	}
	if more > 0 {
		p.line("%s%s", p.branch(indent, true), p.in(dim, fmt.Sprintf("and %d more: -o wide shows them", more)))
	}
}

// branch begins the line of a branch, and trunk those of what grows on it.
func (p *page) branch(indent string, isLast bool) string {
	if isLast {
		return indent + p.in(dim, "└─ ")
	}
	return indent + p.in(dim, "├─ ")
}

func (p *page) trunk(indent string, isLast bool) string {
	if isLast {
		return indent + "   "
	}
	return indent + p.in(dim, "│  ")
}
