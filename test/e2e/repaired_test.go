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
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// Domains and staff in histories that count states.

func (t *truth) claimDomain(organization, name string, proofs func(*domain)) {
	d := domain{id: t.id("orgdmn"), organization: organization, name: name, created: t.tick()}
	proofs(&d)
	d.updated = d.created
	t.domains[d.id] = begin(d)
	t.tellDomain(d.id, clerktest.DomainCreated)
}

func (t *truth) changeDomain(id string, change func(*domain)) {
	d := t.domains[id].last()
	change(&d)
	d.updated = t.tick()
	t.domains[id].states = append(t.domains[id].states, d)
	t.tellDomain(id, clerktest.DomainUpdated)
}

func (t *truth) tellDomain(id string, event func(clerktest.Domain) clerktest.Event) {
	last := t.domains[id].last()
	d := last.clerktest()
	t.announce()
	t.api.SetDomain(d)
	t.say(event(d), &message{facts: []fact{factOf(id, t.domains[id])}})
}

func (t *truth) giveUp(id string) {
	t.domains[id].ended = true
	t.announce()
	t.api.DeleteDomain(id)
	t.tellOfGivingUp([]string{id})
}

// endDomains ends an organization's domains with it.
func (t *truth) endDomains(organization string) []string {
	gone := slices.DeleteFunc(alive(t.domains), func(id string) bool { return t.domains[id].last().organization != organization })
	for _, id := range gone {
		t.domains[id].ended = true
	}
	return gone
}

func (t *truth) tellOfGivingUp(domains []string) {
	for _, id := range domains {
		last := t.domains[id].last()
		t.say(clerktest.DomainDeleted(last.clerktest(), t.tick()), &message{facts: []fact{factOf(id, t.domains[id])}})
	}
}

// mayOwnDomain tells whether an organization may own the domain that gives more, when what is mirrored of its domains is the given state
// or a later one. To own it takes nothing away.
func (t *truth) mayOwnDomain(organization string, from map[string]int) bool {
	for id, l := range t.domains {
		if l.last().organization == organization && from[id] != l.end() &&
			slices.ContainsFunc(l.since(from[id]), func(d domain) bool { return d.ownName() == ownDomain }) {
			return true
		}
	}
	return false
}

// everListed are the domains that an organization ever owned, as what its namespaces may list.
func (t *truth) everListed(organization string) map[grant]bool {
	all := map[grant]bool{}
	for _, l := range t.domains {
		for _, d := range l.states {
			if name := d.ownName(); name != "" && d.organization == organization {
				all[grant{organization, name, listing}] = true
			}
		}
	}
	return all
}

// ownDomains are the names of the domains that an organization owns by what is mirrored.
func ownDomains(seen *sight, organization string) []string {
	mirrored := newModel()
	for id, object := range seen.domains {
		spec := &object.Spec
		mirrored.domains[id] = &domain{
			id: id, organization: spec.OrganizationID, name: spec.Name, ownership: string(spec.Ownership.Status), deleted: spec.DeletedAt != nil,
		}
	}
	return mirrored.ownDomains(organization)
}

// judgeLists wants of an organization's namespaces that they list its own domains as what is mirrored says. Where it is not certain which
// class it has, they list none that it does not own.
func judgeLists(seen *sight, object *v1alpha1.ClerkOrganization) []error {
	states := map[string]v1alpha1.NamespaceState{}
	for _, place := range seen.places(object.Spec.ID) {
		states[place.name] = v1alpha1.NamespaceReleased
	}
	if object.Spec.DeletedAt != nil {
		return compareLists(seen.observation, nil, false, states)
	}
	for _, namespace := range object.Status.Namespaces {
		if len(object.Spec.DroppedFields) == 0 {
			states[namespace.Name] = namespace.State
		}
	}
	class := (&organization{plan: planOf(object)}).class()
	return compareLists(seen.observation, ownDomains(seen, object.Spec.ID), class == planGold, states)
}

// possibleStaff is possible for a ClusterGrant.
func (w *repaired) possibleStaff(s *staff, from map[string]int) map[grant]bool {
	all := map[grant]bool{}
	for _, id := range slices.Concat(s.named, s.since) {
		maps.Copy(all, s.grants(w.clerk.possibleHolders(id, from)...))
	}
	return all
}

// judgeStaff says what of ClusterGrants does not follow, or not yet, from what is mirrored.
func (w *repaired) judgeStaff(seen *sight) []error {
	return compareStaff(seen.observation, w.staff, func(s *staff) map[grant]bool {
		all := map[grant]bool{}
		for _, id := range s.named {
			if object := seen.organizations[id]; object == nil || object.Spec.DeletedAt != nil {
				continue
			}
			for _, member := range seen.members {
				if member.Spec.OrganizationID == id && member.Spec.DeletedAt == nil && letsIn(seen, member) {
					maps.Copy(all, s.grants(w.clerk.holderOf(seen, member)))
				}
			}
		}
		return all
	})
}

// nameStaff lets an administrator name other organizations whose members are staff, those too that are gone.
func (p *misfortune) nameStaff() {
	s := rapid.SampledFrom(p.staff).Draw(p.r, "ClusterGrant")
	s.rename(p.drawNamed(slices.Sorted(maps.Keys(p.clerk.organizations)), alive(p.clerk.organizations)))
	p.permit()
	p.changeSpec(s, map[string]any{"organizationIDs": s.named})
}
