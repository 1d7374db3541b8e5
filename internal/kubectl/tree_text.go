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
	for i := range t.Organizations {
		t.Organizations[i].text(out)
	}
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
		o.Namespaces[i].text(out, i == len(o.Namespaces)-1)
	}
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
		subjects, more := binding.Subjects, 0
		if !out.wide && len(subjects) > maxBranches {
			subjects, more = subjects[:maxBranches], len(subjects)-maxBranches
		}
		deeper := out.trunk(indent, isLast)
		for j, subject := range subjects {
			text := subject.Subject
			if subject.Person != "" {
				text = subject.Person + "  " + out.in(dim, subject.Subject)
			}
			out.line("%s%s", out.branch(deeper, j == len(subjects)-1 && more == 0), text)
		}
		if more > 0 {
			out.line("%s%s", out.branch(deeper, true), out.in(dim, fmt.Sprintf("and %d more: -o wide shows them", more)))
		}
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
