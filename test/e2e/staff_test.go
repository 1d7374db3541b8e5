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

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// staff are those to whom a ClusterGrant gives something in the whole cluster: members of organizations that an administrator names.
type staff struct {
	grant *v1alpha1.ClusterGrant
	rule  rule

	// named are the organizations that it names, and since those that it named too since the cluster was last seen to agree.
	named, since []string

	// looks is how often it was changed only to be looked at again.
	looks int
}

// key is what the watchman knows it by.
func (s *staff) key() string { return staffKey(s.grant.Name) }

// GoString is what rapid shows of it.
func (s *staff) GoString() string { return s.grant.Name }

func staffKey(grant string) string { return "ClusterGrant " + grant }

// grants are what it gives to members of an organization that it names.
func (s *staff) grants(holders ...holder) map[grant]bool {
	all := map[grant]bool{}
	for _, h := range holders {
		if s.rule.gives(h) {
			all[grant{s.key(), subject(h.membership.user), staffRole}] = true
		}
	}
	return all
}

// appoint makes ClusterGrants that name an organization of which nothing was heard.
func (w *world) appoint(organization string) {
	w.t.Helper()
	w.staff = w.courier.appoint(w.clerk.prefix, organization)
	for _, s := range w.staff {
		w.guard.permitOnly(s.key(), w.possibleStaff(s), "0")
	}
}

// appoint makes ClusterGrants, one without conditions and others with some, that name an organization.
func (c *courier) appoint(prefix, organization string) []*staff {
	c.t.Helper()
	var all []*staff
	spec := func(grant v1alpha1.ClusterGrantSpec) v1alpha1.ClusterGrantSpec {
		grant.InstanceRef, grant.ClusterRole = v1alpha1.InstanceReference{Name: c.instance}, staffRole
		grant.OrganizationIDs = []string{organization}
		return grant
	}
	for name, s := range map[string]staff{
		"admins": {rule: rule{role: roleAdmin}, grant: &v1alpha1.ClusterGrant{Spec: spec(v1alpha1.ClusterGrantSpec{Role: roleAdmin})}},
		"oncall": {
			rule: rule{role: roleMember, when: holder.isOnCall, ends: true},
			grant: &v1alpha1.ClusterGrant{Spec: spec(v1alpha1.ClusterGrantSpec{
				Role: roleMember, When: whenOnCall, Until: untilOnCall,
			})},
		},
		"owners": {
			rule:  rule{role: roleMember, when: holder.isOfOwner},
			grant: &v1alpha1.ClusterGrant{Spec: spec(v1alpha1.ClusterGrantSpec{Role: roleMember, When: whenOwner})},
		},
		"secure": {
			rule: rule{permission: permissionRead, when: func(h holder) bool { return h.isPro() && h.hasTwoFactors() }},
			grant: &v1alpha1.ClusterGrant{Spec: spec(v1alpha1.ClusterGrantSpec{
				Permission: permissionRead, When: fmt.Sprintf("organization.plan == %q && user.twoFactorEnabled", planPro),
			})},
		},
	} {
		s.grant.Name, s.named = prefix+"-"+name, []string{organization}
		if err := cluster.Create(c.t.Context(), s.grant); err != nil {
			c.t.Fatalf("create the ClusterGrant %s: %v", s.grant.Name, err)
		}
		all = append(all, &s)
	}
	slices.SortFunc(all, func(a, b *staff) int { return strings.Compare(a.grant.Name, b.grant.Name) })
	return all
}

// dismiss deletes the ClusterGrants of a history.
func dismiss(all []*staff) {
	for _, s := range all {
		_ = cluster.Delete(context.Background(), s.grant)
	}
}

// name lets a ClusterGrant name other organizations.
func (w *world) name(s *staff, organizations []string) {
	w.t.Helper()
	s.rename(organizations)
	w.guard.allow(s.key(), w.possibleStaff(s))
	w.changeSpec(s, map[string]any{"organizationIDs": organizations})
}

func (s *staff) rename(organizations []string) {
	s.since, s.named = append(s.since, s.named...), organizations
}

// changeSpec lets an administrator change a ClusterGrant.
func (c *courier) changeSpec(s *staff, fields map[string]any) {
	c.t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": fields})
	if err == nil {
		err = cluster.Patch(c.t.Context(), &v1alpha1.ClusterGrant{ObjectMeta: metav1.ObjectMeta{Name: s.grant.Name}},
			client.RawPatch(types.MergePatchType, patch))
	}
	if err != nil {
		c.fail("change the ClusterGrant %s: %v", s.grant.Name, err)
	}
	c.note("the ClusterGrant %s gets %v", s.grant.Name, fields)
}

// haveLookedAt changes a ClusterGrant in such a way that it says the same, so that the operator looks at it again.
func (c *courier) haveLookedAt(s *staff) {
	c.t.Helper()
	when := cmp.Or(s.grant.Spec.When, "true")
	s.looks++
	if s.looks%2 == 1 {
		when += " "
	}
	c.changeSpec(s, map[string]any{"when": when})
}

// possibleStaff is possibleGrants for a ClusterGrant.
func (w *world) possibleStaff(s *staff) map[grant]bool {
	all := map[grant]bool{}
	for _, id := range slices.Concat(s.named, s.since) {
		past := w.since[id]
		if w.settled.organizations[id] == nil && (past == nil || len(past.states) == 0) {
			continue
		}
		maps.Copy(all, s.grants(w.possibleHolders(id)...))
	}
	return all
}

// wantStaff are those whom ClusterGrants should give something at a moment.
func (w *world) wantStaff(s *staff, at time.Time) map[grant]bool {
	all := map[grant]bool{}
	for _, id := range s.named {
		if w.heard.organizations[id] != nil {
			maps.Copy(all, s.grants(w.heard.holders(id, at)...))
		}
	}
	return all
}

// isStaff tells whether a user should have something in the whole cluster.
func (w *world) isStaff(user string, at time.Time) bool {
	return slices.ContainsFunc(w.staff, func(s *staff) bool {
		return w.wantStaff(s, at)[grant{s.key(), subject(user), staffRole}]
	})
}

// compareStaff says which ClusterRoleBindings, and which statuses of ClusterGrants, are not as they should be.
func compareStaff(seen *observation, all []*staff, wantOf func(*staff) map[grant]bool) []error {
	var wrong []error
	for _, s := range all {
		have := map[grant]bool{}
		for i := range seen.clusterBindings {
			binding := &seen.clusterBindings[i]
			if binding.Labels[v1alpha1.ClusterGrantLabel] != s.grant.Name {
				continue
			}
			for _, person := range binding.Subjects {
				have[grant{s.key(), person.Name, binding.RoleRef.Name}] = true
			}
		}
		want, object := wantOf(s), seen.clusterGrants[s.grant.Name]
		if !maps.Equal(have, want) {
			wrong = append(wrong, fmt.Errorf("the ClusterGrant %s grants %v, want %v", s.grant.Name, have, want))
		}
		if object == nil || object.Status.ObservedGeneration != object.Generation || object.Status.Members == nil ||
			int(*object.Status.Members) != len(want) {
			wrong = append(wrong, fmt.Errorf("the ClusterGrant %s is %+v, want it to tell of %d members", s.grant.Name, object, len(want)))
		}
	}
	return wrong
}

// checkStaff asks the API server whether a user may do anything in a namespace of nobody.
func (w *world) checkStaff(ctx context.Context, user string, at time.Time) error {
	attributes := power[0].attributes
	attributes.Namespace = metav1.NamespaceDefault
	review := &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: subject(user), ResourceAttributes: &attributes},
	}
	if err := cluster.Create(ctx, review); err != nil {
		return err
	}
	if may := w.isStaff(user, at); review.Status.Allowed != may {
		return fmt.Errorf("%s to %s %s in the whole cluster: allowed is %t", user, attributes.Verb, attributes.Resource, !may)
	}
	return nil
}

// nameStaff lets an administrator name other organizations whose members are staff, those too that are gone.
func (p *player) nameStaff() {
	p.name(rapid.SampledFrom(p.staff).Draw(p.r, "ClusterGrant"), p.drawNamed(p.clerk.ever, p.clerk.organizationIDs()))
}

// drawNamed draws which organizations a ClusterGrant names, of all that there ever were: mostly such as there are, so that many gain
// something by it, and lose it together.
func (d dice) drawNamed(ever, living []string) []string {
	mostly := slices.Concat(ever, living, living, living)
	return rapid.SliceOfNDistinct(rapid.SampledFrom(mostly), 1, min(3, len(ever)), rapid.ID[string]).Draw(d.r, "named")
}

// listClusterBindings are the ClusterRoleBindings of ClusterGrants.
func listClusterBindings(ctx context.Context) (*rbacv1.ClusterRoleBindingList, error) {
	var list rbacv1.ClusterRoleBindingList
	return &list, cluster.List(ctx, &list, client.HasLabels{v1alpha1.ClusterGrantLabel})
}
