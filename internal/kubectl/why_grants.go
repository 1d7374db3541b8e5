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

	// Given: the member has the ClusterRole. Until is when that ends; Message says why it is not given, or not for long.
	Given   bool         `json:"given"`
	Until   *metav1.Time `json:"until,omitempty"`
	Message string       `json:"message,omitempty"`

	// Uncertain: the ClusterGrant is not ready, and so the member may have the ClusterRole or not. Message says why.
	Uncertain bool `json:"uncertain,omitempty"`
}

// clusterGrants are what the ClusterGrants come to that name a member's organization and are for the member's role, or give the member
// something all the same.
func (e *explainer) clusterGrants(facts *tenant.MemberFacts) []WhyClusterGrant {
	spec := &facts.Member.Spec
	subject := cmp.Or(facts.Subject, facts.Member.Status.Subject)
	var found []WhyClusterGrant
	for _, grant := range having[v1alpha1.ClusterGrant](e.snapshot, cached.ByOrganization, cached.Scoped(spec.Instance, spec.OrganizationID)) {
		rule, _ := e.expressions.ClusterGrant(grant) // one that does not compile says so itself
		now := holdingOf(e.snapshot.seesClusterBindings(), tenant.HeldBy(grant, e.snapshot.bindingsOf(grant)), subject)
		var given tenant.Given
		isFor := facts.MayBeGiven() && rule.IsFor(facts.Standing.Role)
		if isFor {
			given = facts.Given(rule)
		}
		if isFor || now == holds {
			found = append(found, whyClusterGrant(grant, given, now))
		}
	}
	slices.SortFunc(found, func(a, b WhyClusterGrant) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// holding is whether a user has something by a ClusterGrant, as far as the caller may see it.
type holding int

const (
	holdingUnseen holding = iota
	holds
	holdsNot
)

func holdingOf(isSeen bool, held tenant.Subjects, subject string) holding {
	if !isSeen {
		return holdingUnseen
	}
	if _, found := held[subject]; found {
		return holds
	}
	return holdsNot
}

// whyClusterGrant is what a ClusterGrant comes to for a member, by what it should give and by what there is.
func whyClusterGrant(grant *v1alpha1.ClusterGrant, given tenant.Given, now holding) WhyClusterGrant {
	found := WhyClusterGrant{Name: grant.Name, ClusterRole: grant.Spec.ClusterRole, Given: given.Holds, Message: given.Message}
	if given.Holds && given.Until != nil {
		found.Until = new(metav1.NewTime(*given.Until))
	}
	if now == holdingUnseen {
		found.judge(notCarriedOut(grant), given)
		return found
	}
	found.Given = now == holds
	if found.Given == given.Holds {
		return found
	}
	why := "that is about to change"
	if reason := notCarriedOut(grant); reason != "" {
		why = notReady(grant.Name, reason)
	}
	switch {
	case given.Holds:
		found.Until, found.Message = nil, why
	default:
		found.Message = "they should not have it" + inBrackets(given.Message) + ", and have it: " + why
	}
	return found
}

// judge says by how the ClusterGrant stands what it gives to somebody. "" is the reason of one that is carried out.
func (g *WhyClusterGrant) judge(reason string, given tenant.Given) {
	why := notReady(g.Name, reason)
	const ask = ", and ask the API server with kubectl auth can-i --as"
	switch {
	case reason == "":
	case given.Holds && givesNothing[reason]:
		g.Given, g.Until, g.Message = false, nil, why
	case given.Holds:
		g.Given, g.Uncertain = false, true
		g.Message = "they should have it, but " + why + ask
	case takesNothing[reason]:
		g.Uncertain = true
		g.Message = "they should not have it" + inBrackets(given.Message) + ", but " + why + ask
	}
}

func notReady(grant, reason string) string {
	return "the ClusterGrant is not ready (" + reason + "): see kubectl describe clustergrant " + grant
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
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
	case g.Message != "":
		text, look = text+": "+g.Message, yellow
	case g.Until != nil:
		text += " until " + second(g.Until)
	}
	out.paragraph("  "+out.in(look, "+")+" ", "    ", text, plain)
}
