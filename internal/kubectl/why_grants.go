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
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// WhyClusterGrant is what a ClusterGrant for a member's role comes to: a ClusterRole in the whole cluster, besides what the organization
// gives.
type WhyClusterGrant struct {
	// Name of the ClusterGrant.
	Name string `json:"name"`

	ClusterRole string `json:"clusterRole"`

	// Given: the member has the ClusterRole. Until is when that ends; Message says why it is not given.
	Given   bool         `json:"given"`
	Until   *metav1.Time `json:"until,omitempty"`
	Message string       `json:"message,omitempty"`
}

// clusterGrants are what the ClusterGrants come to that name a member's organization and are for the member's role.
func (e *explainer) clusterGrants(facts *tenant.MemberFacts) []WhyClusterGrant {
	if !mayBeGranted(facts) {
		return nil
	}
	spec := &facts.Member.Spec
	var found []WhyClusterGrant
	for _, grant := range having[v1alpha1.ClusterGrant](e.snapshot, cached.ByOrganization, cached.Scoped(spec.Instance, spec.OrganizationID)) {
		rule, _ := e.expressions.ClusterGrant(grant) // one that does not compile says so itself
		if !rule.IsFor(facts.Standing.Role) {
			continue
		}
		given := facts.Given(rule)
		one := WhyClusterGrant{Name: grant.Name, ClusterRole: grant.Spec.ClusterRole, Given: given.Holds, Message: given.Message}
		if given.Holds && given.Until != nil {
			one.Until = new(metav1.NewTime(*given.Until))
		}
		if reason := notCarriedOut(grant); given.Holds && reason != "" {
			one.Given, one.Message = false, "the ClusterGrant is not ready ("+reason+"): see kubectl describe clustergrant "+grant.Name
		}
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b WhyClusterGrant) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// mayBeGranted tells whether a member may be given anything at all.
func mayBeGranted(facts *tenant.MemberFacts) bool {
	isLiving := facts.Member.Spec.DeletedAt == nil && facts.Organization != nil && facts.Organization.Spec.DeletedAt == nil
	return isLiving && facts.Standing.Bar == tenant.NotBarred && facts.Standing.Role.Doubt == "" &&
		facts.Subject != "" && facts.SubjectError == nil
}

// notCarriedOut is why a ClusterGrant gives nothing to whom it should; "" if it does.
func notCarriedOut(grant *v1alpha1.ClusterGrant) string {
	ready, reason := condition.IsReady(grant.Status.Conditions)
	switch {
	case ready, reason == v1alpha1.ReasonOrganizationsMissing, reason == v1alpha1.ReasonConditionUndecided:
		return "" // it serves all others
	case reason == "":
		return "NotLookedAt"
	}
	return reason
}

func (g *WhyClusterGrant) text(out *page) {
	text, look := "ClusterRole "+g.ClusterRole+" in the whole cluster, by the ClusterGrant "+g.Name, green
	switch {
	case !g.Given:
		text, look = "no "+text+": "+strings.TrimSpace(g.Message), yellow
	case g.Until != nil:
		text += " until " + g.Until.UTC().Format("2006-01-02T15:04:05Z")
	}
	out.paragraph("  "+out.in(look, "+")+" ", "    ", text, plain)
}
