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
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// PlanClusterGrant is what would change for a ClusterGrant.
type PlanClusterGrant struct {
	Name string `json:"name"`

	// ClusterRoleBefore and ClusterRoleAfter are what it gives in the whole cluster; empty where there is no such ClusterGrant yet.
	ClusterRoleBefore string `json:"clusterRoleBefore,omitempty"`
	ClusterRoleAfter  string `json:"clusterRoleAfter"`

	// ClusterRoleBinding is its name, and Change what would become of it: Created, Changed or Deleted; empty if nothing.
	ClusterRoleBinding string `json:"clusterRoleBinding"`
	Change             string `json:"change,omitempty"`

	Gains  []PlanHolder `json:"gains,omitempty"`
	Losses []PlanHolder `json:"losses,omitempty"`

	// Problems are those that it would have and has not now, such as why nobody gets anything.
	Problems []string `json:"problems,omitempty"`
}

// PlanHolder is somebody who would get or lose a ClusterRole in the whole cluster.
type PlanHolder struct {
	ClusterRole string `json:"clusterRole"`
	Subject     string `json:"subject"`

	// Person is the member whom the subject names; empty if none does.
	Person string `json:"person,omitempty"`

	// Until is when that would end.
	Until *metav1.Time `json:"until,omitempty"`
}

// grantForecast says what ClusterGrants will give, by the operator's own decisions.
type grantForecast struct {
	before, after *explainer
	allowed       *allowance
}

// newGrantForecast is one for the world before and after an edit.
func newGrantForecast(forecast *forecast, before, after *snapshot, allowed *allowance) *grantForecast {
	return &grantForecast{
		before:  &explainer{snapshot: before, expressions: cached.NewExpressions(), now: forecast.now},
		after:   &explainer{snapshot: after, expressions: cached.NewExpressions(), now: forecast.now},
		allowed: allowed,
	}
}

// compareGrants looks at every ClusterGrant before and after the edit.
func (plan *Plan) compareGrants(ctx context.Context, forecast *grantForecast) error {
	unknown := map[string]bool{}
	for _, grant := range all[v1alpha1.ClusterGrant](forecast.after.snapshot) {
		plan.Summary.ClusterGrants++
		found, err := forecast.difference(ctx, grant)
		if err != nil {
			return err
		}
		if _, isKnown := forecast.allowed.of(grant.Spec.ClusterRole); !isKnown {
			unknown[grant.Spec.ClusterRole] = true
		}
		if found != nil {
			plan.ClusterGrants = append(plan.ClusterGrants, *found)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		plan.Notes = append(plan.Notes, fmt.Sprintf("whether the operator may give the ClusterRole %s in the whole cluster is not known, "+
			"since you see none of its Deployments: it is taken for one of those", name))
	}
	slices.SortFunc(plan.ClusterGrants, func(a, b PlanClusterGrant) int { return strings.Compare(a.Name, b.Name) })
	plan.Summary.ClusterGrantsChanged = len(plan.ClusterGrants)
	plan.Changes = plan.Changes || len(plan.ClusterGrants) > 0
	return nil
}

// difference is what changes for a ClusterGrant, as it is after the edit; nil if nothing does.
func (f *grantForecast) difference(ctx context.Context, grant *v1alpha1.ClusterGrant) (*PlanClusterGrant, error) {
	found := &PlanClusterGrant{
		Name: grant.Name, ClusterRoleAfter: grant.Spec.ClusterRole, ClusterRoleBinding: tenant.ClusterBindingName(grant.Name),
	}
	bindings := f.before.snapshot.bindingsOf(grant)
	var now *grantDecision
	if known := named[v1alpha1.ClusterGrant](f.before.snapshot, grant.Name); known != nil {
		var err error
		if now, err = f.decide(ctx, f.before, known, bindings); err != nil {
			return nil, err
		}
		found.ClusterRoleBefore = known.Spec.ClusterRole
		bindings = now.carriedOut()
	}
	then, err := f.decide(ctx, f.after, grant, bindings)
	if err != nil {
		return nil, err
	}
	had, have := now.outcome(), then.outcome()
	found.Gains, found.Losses = then.without(had), now.without(have)
	switch {
	case len(found.Gains)+len(found.Losses) == 0:
	case len(had) == 0:
		found.Change = "Created"
	case len(have) == 0:
		found.Change = "Deleted"
	default:
		found.Change = "Changed"
	}
	found.Problems = then.problemsBut(now)
	if found.Change == "" && len(found.Problems) == 0 {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	return found, nil
}

// decide decides about a ClusterGrant by some ClusterRoleBindings, and by what is known of what the operator may give.
func (f *grantForecast) decide(
	ctx context.Context, e *explainer, grant *v1alpha1.ClusterGrant, bindings []*rbacv1.ClusterRoleBinding,
) (*grantDecision, error) {
	allowed, _ := f.allowed.of(grant.Spec.ClusterRole)
	return e.decideBy(ctx, grant, bindings, allowed)
}

// carriedOut are the ClusterRoleBindings once what was decided is carried out. Those that are not the operator's stay as they are.
func (d *grantDecision) carriedOut() []*rbacv1.ClusterRoleBinding {
	isMade := func(binding *rbacv1.ClusterRoleBinding) bool { return tenant.IsOfGrant(binding, d.grant) }
	bindings := slices.DeleteFunc(slices.Clone(d.situation.Bindings), isMade)
	subjects := slices.Sorted(maps.Keys(d.intent.Outcome()))
	if len(subjects) == 0 {
		return bindings
	}
	return append(bindings, tenant.ClusterRoleBindingOf(d.grant, &tenant.Binding{
		Name: tenant.ClusterBindingName(d.grant.Name), ClusterRole: d.grant.Spec.ClusterRole, Subjects: subjects,
	}))
}

// clusterAccess is a ClusterRole that a subject has in the whole cluster.
type clusterAccess struct{ clusterRole, subject string }

// outcome is who has what once what was decided is carried out; nobody has anything by a ClusterGrant that does not exist.
func (d *grantDecision) outcome() map[clusterAccess]bool {
	found := map[clusterAccess]bool{}
	if d != nil {
		for subject := range d.intent.Outcome() {
			found[clusterAccess{d.grant.Spec.ClusterRole, subject}] = true
		}
	}
	return found
}

// without is who has something by what was decided and not among others.
func (d *grantDecision) without(others map[clusterAccess]bool) []PlanHolder {
	var found []PlanHolder
	for one := range d.outcome() {
		if others[one] {
			continue
		}
		who := ClusterHolder{Subject: one.subject}
		d.describe(&who, nil)
		holder := PlanHolder{ClusterRole: one.clusterRole, Subject: one.subject, Person: who.Person}
		if end := d.intent.Ends[one.subject]; end != nil {
			holder.Until = new(metav1.NewTime(*end))
		}
		found = append(found, holder)
	}
	slices.SortFunc(found, func(a, b PlanHolder) int {
		return strings.Compare(a.Person+"\x00"+a.Subject, b.Person+"\x00"+b.Subject)
	})
	return found
}

// problemsBut are the problems that another decision does not have.
func (d *grantDecision) problemsBut(before *grantDecision) []string {
	known := map[string]bool{}
	if before != nil {
		for _, problem := range before.intent.Problems {
			known[problem.Message] = true
		}
	}
	var messages []string
	for _, problem := range d.intent.Problems {
		if !known[problem.Message] {
			messages = append(messages, problem.Message)
		}
	}
	slices.Sort(messages)
	return messages
}

func (g *PlanClusterGrant) roleText() string {
	if g.ClusterRoleBefore == "" || g.ClusterRoleBefore == g.ClusterRoleAfter {
		return g.ClusterRoleAfter
	}
	return g.ClusterRoleBefore + " → " + g.ClusterRoleAfter
}

func (g *PlanClusterGrant) row() []cell {
	return []cell{
		{text: g.Name}, {text: g.roleText()}, {text: number(len(g.Gains)), look: green}, {text: number(len(g.Losses)), look: red},
		{text: number(len(g.Problems)), look: red},
	}
}

func (g *PlanClusterGrant) details(out *page) {
	out.line("\nClusterGrant %s  %s in the whole cluster", out.in(bold, g.Name), g.roleText())
	for _, problem := range g.Problems {
		out.paragraph("  "+out.in(red, "! "), "    ", problem, plain)
	}
	if g.Change != "" {
		out.line("  %s ClusterRoleBinding %s: %s", changeMark(out, g.Change), g.ClusterRoleBinding, strings.ToLower(g.Change))
	}
	holdersDetails(out, g.Gains, out.in(green, "+"), "gains")
	holdersDetails(out, g.Losses, out.in(red, "-"), "loses")
}

func holdersDetails(out *page, holders []PlanHolder, mark, verb string) {
	limit := len(holders)
	if !out.wide {
		limit = min(limit, maxDetails)
	}
	for i := range holders[:limit] {
		text := fmt.Sprintf("%s %s %s", whoText(holders[i].Person, holders[i].Subject), verb, holders[i].ClusterRole)
		if verb == "gains" && holders[i].Until != nil {
			text += " until " + second(holders[i].Until)
		}
		out.line("  %s %s", mark, text)
	}
	moreText(out, mark, len(holders)-limit)
}
