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

package tenant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Plans are the plans of an environment's billing, with what each gives. Where none is known, nothing depends on what plans give.
type Plans []v1alpha1.InstancePlan

// Plans are those that are known of the ClerkInstance's environment.
func (i Instance) Plans() Plans {
	if i.object == nil {
		return nil
	}
	return i.object.Status.Plans
}

// of is the plan of an item; nil where it is not among those that are known. By its slug it is found where the item has no id of it alone:
// another plan may have got the slug.
func (p Plans) of(item *v1alpha1.ClerkSubscriptionItemSpec) *v1alpha1.InstancePlan {
	return p.find(func(plan *v1alpha1.InstancePlan) bool {
		return item.PlanID != "" && plan.ID == item.PlanID || item.PlanID == "" && plan.Slug == item.Plan
	})
}

// usual is the plan of who has no other, nil where that is none or not certain.
func (p Plans) usual() *v1alpha1.InstancePlan {
	return p.find(func(plan *v1alpha1.InstancePlan) bool { return plan.Default != nil && *plan.Default })
}

// find is the only plan of some kind.
func (p Plans) find(isIt func(*v1alpha1.InstancePlan) bool) *v1alpha1.InstancePlan {
	var found *v1alpha1.InstancePlan
	for i := range p {
		switch {
		case !isIt(&p[i]):
		case found != nil:
			return nil
		default:
			found = &p[i]
		}
	}
	return found
}

// addFeatures says what the plan gives, by the item that counts. An organization without one has the default plan.
func (p *Plan) addFeatures(plans Plans) {
	if len(plans) == 0 {
		return
	}
	var item *v1alpha1.ClerkSubscriptionItemSpec
	if p.source != nil {
		item = &p.source.Spec
	}
	p.isGating = true
	var found *v1alpha1.InstancePlan
	switch {
	case slices.Contains(p.dropped, fieldPlan) && (item == nil || item.PlanID == ""): // the plan itself is not known
		p.dropped, p.hasFeatures = append(p.dropped, fieldFeatures), true
		return
	case item == nil:
		if found = plans.usual(); found != nil {
			p.Slug, p.isUsual = found.Slug, true
		}
	case item.PlanID == "" && item.Plan == "":
	default:
		if found = plans.of(item); found == nil {
			p.isUnlisted = true
			return
		}
	}
	p.hasFeatures = true
	if found != nil {
		p.Features = found.Features
	}
}

// FeatureOf is the feature without which a permission does not count: that of org:feature:action. System permissions need none, and keys of
// another form name none.
func FeatureOf(permission string) (feature string, needsOne bool) {
	parts := strings.Split(permission, ":")
	if len(parts) != 3 || parts[0] != "org" || strings.HasPrefix(parts[1], "sys_") {
		return "", false
	}
	return parts[1], true
}

// withholds tells whether a permission does not count since its feature is not in the plan. What is not known of the plan gives nothing.
func (p *Plan) withholds(permission string) bool {
	feature, needsOne := FeatureOf(permission)
	return needsOne && p.isGating && !slices.Contains(p.Features, feature)
}

// limit is what a role comes to with the plan.
func (p *Plan) limit(role Role) Role {
	if p == nil || !slices.ContainsFunc(role.Permissions, p.withholds) {
		return role
	}
	limited := Role{Key: role.Key, Doubt: role.Doubt}
	for _, permission := range role.Permissions {
		if p.withholds(permission) {
			limited.Withheld = append(limited.Withheld, permission)
		} else {
			limited.Permissions = append(limited.Permissions, permission)
		}
	}
	return limited
}

// whyWithheld says why a permission does not count, and what to do.
func (p *Plan) whyWithheld(permission string) string {
	feature, _ := FeatureOf(permission)
	text := fmt.Sprintf("the permission %s counts only with the feature %s, ", permission, feature)
	switch {
	case p.isUnlisted:
		return text + "and Clerk did not list the plan of the organization when it was last asked: ask for a resync"
	case !p.hasFeatures, slices.Contains(p.dropped, fieldFeatures):
		return text + "and the plan of the organization could not be kept as Clerk sent it: correct it in Clerk"
	case p.Slug == "":
		return text + "which the organization does not have, since it has no plan: give it one in Clerk"
	}
	return text + fmt.Sprintf("which the organization's plan %s does not have: change the plan, or add the feature to it in Clerk", p.Slug)
}

// whyNoFeatures is why the features of the plan are not known.
func (p *Plan) whyNoFeatures() string {
	if p.isUnlisted {
		return "which is not known, since Clerk did not list the plan of the organization when it was last asked: ask for a resync"
	}
	return "which is not known, since Clerk's plans are not: see the condition PlansKnown of the ClerkInstance"
}

// Source is the ClerkSubscriptionItem that says which plan it is; nil if none does.
func (p *Plan) Source() *v1alpha1.ClerkSubscriptionItem { return p.source }

// Text says in words which plan it is, how the subscription stands, and what it gives; empty where nothing is known.
func (p *Plan) Text() string {
	if !p.isKnown && !p.isUsual {
		return ""
	}
	text := p.Slug
	switch {
	case slices.Contains(p.dropped, fieldPlan):
		text = "one that could not be kept as Clerk sent it"
	case p.Slug == "":
		text = "none"
	case p.isUsual:
		text += ", the default plan, since no subscription gives another"
	}
	if p.Status != "" {
		text += " (" + p.Status + ")"
	}
	if p.Ends != nil {
		text += ", until " + p.Ends.UTC().Format(time.RFC3339)
	}
	switch {
	case p.isUnlisted:
		text += "; Clerk did not list it when it was last asked, so no permission counts that needs a feature: ask for a resync"
	case !p.isGating, slices.Contains(p.dropped, fieldFeatures):
	case len(p.Features) == 0:
		text += "; it has no features"
	default:
		text += "; its features: " + strings.Join(p.Features, ", ")
	}
	return text
}
