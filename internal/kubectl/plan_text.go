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
	"slices"
	"strings"
	"time"
)

func (plan *Plan) text(out *page) {
	plan.summaryText(out)
	if plan.Changes {
		out.line("\n--details shows who and what.")
	}
}

// summaryText says what would change in all, and for which organizations.
func (plan *Plan) summaryText(out *page) {
	out.paragraph("", "  ", plan.objectsText()+".", plain)
	notesText(out, plan.Notes)
	summary := &plan.Summary
	organizations, grants := counted(summary.Organizations, "organization", "organizations"), ""
	if !plan.Changes {
		if summary.ClusterGrants > 0 {
			grants = " and " + counted(summary.ClusterGrants, "ClusterGrant", "ClusterGrants")
		}
		out.line("Nothing would change for %s%s.", organizations, grants)
		return
	}
	if summary.ClusterGrants > 0 {
		grants = fmt.Sprintf(" and %d of %s", summary.ClusterGrantsChanged, counted(summary.ClusterGrants, "ClusterGrant", "ClusterGrants"))
	}
	out.line("Something would change for %d of %s%s:\n", summary.Changed, organizations, grants)
	for _, line := range []struct {
		count     int
		one, many string
		look      style
	}{
		{summary.NamespacesMade, "namespace is made", "namespaces are made", green},
		{summary.NamespacesReleased, "namespace is released: nobody has access, and it stays",
			"namespaces are released: nobody has access, and they stay", yellow},
		{summary.NamespacesDeleted, "namespace is deleted with all that is in it", "namespaces are deleted with all that is in them", red},
		{summary.PoliciesChanged, "policy changes", "policies change", plain},
		{summary.Gaining, "user gains access", "users gain access", green},
		{summary.Losing, "user loses access", "users lose access", red},
		{summary.Problems, "organization has a new problem", "organizations have a new problem", red},
		{summary.ClusterGrantProblems, "ClusterGrant has a new problem", "ClusterGrants have a new problem", red},
	} {
		if line.count > 0 {
			out.line("  %s", out.in(line.look, counted(line.count, line.one, line.many)))
		}
	}
	plan.tables(out)
}

// tables list the organizations and the ClusterGrants for which something would change.
func (plan *Plan) tables(out *page) {
	if len(plan.Organizations) > 0 {
		rows := make([][]cell, len(plan.Organizations))
		for i := range plan.Organizations {
			rows[i] = plan.Organizations[i].row()
		}
		out.line("")
		out.table("", []string{"ORGANIZATION", "CLASS", "NAMESPACES", "POLICIES", "GAIN", "LOSE", "PROBLEMS"}, rows)
	}
	if len(plan.ClusterGrants) > 0 {
		rows := make([][]cell, len(plan.ClusterGrants))
		for i := range plan.ClusterGrants {
			rows[i] = plan.ClusterGrants[i].row()
		}
		out.line("")
		out.table("", []string{"CLUSTERGRANT", "CLUSTERROLE", "GAIN", "LOSE", "PROBLEMS"}, rows)
	}
}

func (o *PlanOrganization) row() []cell {
	made, released := 0, 0
	for _, namespace := range o.Namespaces {
		switch namespace.Change {
		case NamespaceMade, NamespaceServed, NamespaceKept:
			made++
		case NamespaceReleased, NamespaceDeleted:
			released++
		}
	}
	var namespaces []string
	if made > 0 {
		namespaces = append(namespaces, fmt.Sprintf("+%d", made))
	}
	if released > 0 {
		namespaces = append(namespaces, fmt.Sprintf("-%d", released))
	}
	if rest := len(o.Namespaces) - made - released; rest > 0 {
		namespaces = append(namespaces, fmt.Sprintf("~%d", rest))
	}
	return []cell{
		{text: cmp.Or(o.Slug, o.ID)}, {text: o.classText()}, {text: strings.Join(namespaces, " ")}, {text: number(len(o.Policies))},
		{text: number(subjects(o.Gains)), look: green}, {text: number(subjects(o.Losses)), look: red},
		{text: number(len(o.Problems)), look: red},
	}
}

func (o *PlanOrganization) classText() string {
	before, after := cmp.Or(o.ClassBefore, "none"), cmp.Or(o.ClassAfter, "none")
	if before == after {
		return after
	}
	return before + " → " + after
}

// subjects counts the names in RBAC of some grants.
func subjects(grants []PlanGrant) int {
	names := map[string]bool{}
	for _, grant := range grants {
		names[grant.Subject] = true
	}
	return len(names)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// detailedPlan is a plan that people read in full.
type detailedPlan struct{ *Plan }

func (plan *detailedPlan) text(out *page) {
	plan.summaryText(out)
	for i := range plan.Organizations {
		plan.Organizations[i].details(out)
	}
	for i := range plan.ClusterGrants {
		plan.ClusterGrants[i].details(out)
	}
}

func (o *PlanOrganization) details(out *page) {
	out.line("\n%s  class %s", out.in(bold, cmp.Or(o.Slug, o.ID)), o.classText())
	for _, problem := range o.Problems {
		out.paragraph("  "+out.in(red, "! "), "    ", problem, plain)
	}
	for _, namespace := range o.Namespaces {
		mark, look := "~", plain
		switch namespace.Change {
		case NamespaceMade, NamespaceServed, NamespaceKept:
			mark, look = "+", green
		case NamespaceReleased, NamespaceDeleted:
			mark, look = "-", red
		}
		out.line("  %s namespace %s: %s", out.in(look, mark), namespace.Name, namespace.says())
	}
	for _, policy := range o.Policies {
		out.line("  %s %s %s/%s: %s", changeMark(out, policy.Change), policy.Kind, policy.Namespace, policy.Name, strings.ToLower(policy.Change))
	}
	o.grantDetails(out, o.Gains, out.in(green, "+"), "gains")
	o.grantDetails(out, o.Losses, out.in(red, "-"), "loses")
}

func (n *PlanNamespace) says() string {
	switch n.Change {
	case NamespaceDeleted:
		return "deleted, with all that is in it, at " + n.DeleteAt.UTC().Format(time.RFC3339)
	case NamespaceKept:
		return "stays, although the organization is deleted"
	case NamespaceRelabelled:
		return "labels or annotations change"
	case NamespaceReleased:
		return "released: nobody has access, and it stays"
	case NamespaceServed:
		return "in use again"
	}
	return "made"
}

func changeMark(out *page, change string) string {
	switch change {
	case "Created":
		return out.in(green, "+")
	case "Deleted":
		return out.in(red, "-")
	}
	return "~"
}

func (o *PlanOrganization) grantDetails(out *page, grants []PlanGrant, mark, verb string) {
	limit := len(grants)
	if !out.wide {
		limit = min(limit, maxDetails)
	}
	for _, grant := range slices.Clone(grants)[:limit] {
		out.line("  %s %s %s %s in %s", mark, whoText(grant.Person, grant.Subject), verb, grant.ClusterRole, grant.Namespace)
	}
	moreText(out, mark, len(grants)-limit)
}

// whoText names somebody, with the name in RBAC.
func whoText(person, subject string) string {
	if person == "" || person == subject {
		return subject
	}
	return fmt.Sprintf("%s (%s)", person, subject)
}

// moreText says how many are not shown.
func moreText(out *page, mark string, rest int) {
	if rest > 0 {
		out.line("  %s and %d more: -o json has them all", mark, rest)
	}
}

// maxDetails is how many grants of an organization are shown to people.
const maxDetails = 200
