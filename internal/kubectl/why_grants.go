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

	// Uncertain: the ClusterGrant is not ready, and so the member may have the ClusterRole or not. Message says why.
	Uncertain bool `json:"uncertain,omitempty"`
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
		found = append(found, whyClusterGrant(grant, facts.Given(rule)))
	}
	slices.SortFunc(found, func(a, b WhyClusterGrant) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// whyClusterGrant is what a ClusterGrant comes to for a member, by how it stands.
func whyClusterGrant(grant *v1alpha1.ClusterGrant, given tenant.Given) WhyClusterGrant {
	found := WhyClusterGrant{Name: grant.Name, ClusterRole: grant.Spec.ClusterRole, Given: given.Holds, Message: given.Message}
	if given.Holds && given.Until != nil {
		found.Until = new(metav1.NewTime(*given.Until))
	}
	reason := notCarriedOut(grant)
	see := " (" + reason + "): see kubectl describe clustergrant " + grant.Name
	switch {
	case reason == "":
	case given.Holds && givesNothing[reason]:
		found.Given, found.Message = false, "the ClusterGrant is not ready"+see
	case given.Holds:
		found.Given, found.Uncertain = false, true
		found.Message = "they should have it, but the ClusterGrant is not ready" + see + ", and ask the API server with kubectl auth can-i --as"
	case takesNothing[reason]:
		found.Uncertain = true
		found.Message = "they should not have it (" + given.Message + "), but the ClusterGrant is not ready" + see +
			", and ask the API server with kubectl auth can-i --as"
	}
	return found
}

// givesNothing are the reasons for which nobody has anything by a ClusterGrant that is not ready. With any other, who had it may have it
// still, and some may have it already.
var givesNothing = map[string]bool{
	notLookedAt: true, v1alpha1.ReasonClusterRoleNotAllowed: true, v1alpha1.ReasonInvalid: true, v1alpha1.ReasonInstanceNotFound: true,
	v1alpha1.ReasonClusterRoleBindingTaken: true,
}

// takesNothing are the reasons for which somebody may have something still who should not.
var takesNothing = map[string]bool{
	v1alpha1.ReasonObserving: true, v1alpha1.ReasonDisabled: true, v1alpha1.ReasonForbidden: true, v1alpha1.ReasonProgressing: true,
}

// notLookedAt is the reason of a ClusterGrant that no operator has seen yet.
const notLookedAt = "NotLookedAt"

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
		return notLookedAt
	}
	return reason
}

func (g *WhyClusterGrant) text(out *page) {
	text, look := "ClusterRole "+g.ClusterRole+" in the whole cluster, by the ClusterGrant "+g.Name, green
	switch {
	case g.Uncertain:
		text, look = "perhaps "+text+": "+g.Message, yellow
	case !g.Given:
		text, look = "no "+text+": "+strings.TrimSpace(g.Message), yellow
	case g.Until != nil:
		text += " until " + g.Until.UTC().Format("2006-01-02T15:04:05Z")
	}
	out.paragraph("  "+out.in(look, "+")+" ", "    ", text, plain)
}
