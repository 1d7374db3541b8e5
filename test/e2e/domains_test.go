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
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// domain is one state of a domain that an organization claims.
type domain struct {
	id, organization string

	// name is as Clerk tells it, in upper case too. ownership and affiliation are Clerk's words for the two proofs; empty if nobody has tried.
	name, ownership, affiliation string

	deleted          bool
	created, updated time.Time
}

const (
	// ownDomain is what some get more by: as an organization's domain whose ownership is verified.
	ownDomain = "acme.example"

	// mostDomains bounds how many there are at a time.
	mostDomains = 8

	verified = "verified"

	// listing stands for the list of own domains of a namespace, where a grant has a ClusterRole.
	listing = "the list of own domains"
)

// ownName is the name by which the organization has the domain for its own; empty if it does not. It must have proven that it owns it,
// and the name must have two labels or more.
func (d *domain) ownName() string {
	if d.deleted || d.ownership != verified || !strings.Contains(d.name, ".") {
		return ""
	}
	return strings.ToLower(d.name)
}

// isNewsOfDomain is isNewsOfItem for domains.
func (m *model) isNewsOfDomain(d *domain) bool {
	if d == nil {
		return false
	}
	known := m.domains[d.id]
	return known == nil || !known.deleted && (d.deleted || known.updated.Before(d.updated))
}

// ownDomains are the names of the domains that an organization owns, in order.
func (m *model) ownDomains(organization string) []string {
	names := map[string]bool{}
	for _, d := range m.domains {
		if name := d.ownName(); name != "" && d.organization == organization {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// ownsDomain tells whether an organization owns the domain that gives more.
func (m *model) ownsDomain(organization string) bool {
	return slices.Contains(m.ownDomains(organization), ownDomain)
}

// mayOwnDomain tells whether an organization may have owned that domain since the cluster was last seen to agree. To own it takes nothing
// away.
func (w *world) mayOwnDomain(organization string) bool {
	isIt := func(d *domain) bool { return d.ownName() == ownDomain }
	past := w.since[organization]
	return w.settled.ownsDomain(organization) || past != nil && slices.ContainsFunc(past.domains, isIt)
}

// expectDomain is the part of expect that is about a domain. What was once proven may be listed for a moment at any time after.
func (w *world) expectDomain(past *window, d *domain) {
	if !w.settled.isNewsOfDomain(d) {
		return
	}
	past.domains = append(past.domains, d)
	if name := d.ownName(); name != "" {
		w.proven[grant{d.organization, name, listing}] = true
	}
}

// compareDomains wants every domain mirrored as last heard of, and of those that are given up nothing but ids.
func (w *world) compareDomains(seen *observation) []error {
	return compareEach(seen.domains, w.heard.domains, compareDomain)
}

func compareDomain(object *v1alpha1.ClerkOrganizationDomain, d *domain) error {
	if object == nil {
		return errors.New("it is not mirrored")
	}
	spec := object.Spec
	if d.deleted {
		tombstone := v1alpha1.ClerkOrganizationDomainSpec{
			Entity:         v1alpha1.Entity{Instance: operatorproc.Instance, ID: d.id, DeletedAt: spec.DeletedAt},
			OrganizationID: spec.OrganizationID, // which the message does not tell
		}
		if spec.DeletedAt == nil || !equality.Semantic.DeepEqual(spec, tombstone) {
			return fmt.Errorf("it is given up but mirrored as %+v", spec)
		}
		return nil
	}
	if spec.OrganizationID != d.organization || string(spec.Ownership.Status) != d.ownership || spec.DeletedAt != nil ||
		string(spec.Affiliation.Status) != d.affiliation || spec.UpdatedAt == nil || !spec.UpdatedAt.Time.Equal(d.updated) {
		return fmt.Errorf("it is mirrored as %q of %v, want %q of %s", spec.Ownership.Status, spec.UpdatedAt, d.ownership, d.updated)
	}
	said := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	if said == nil || strings.Contains(said.Message, "so it counts:") != (d.ownName() != "") {
		return fmt.Errorf("its conditions are %+v, which should say whether it counts", object.Status.Conditions)
	}
	return nil
}

// compareLists says which of an organization's namespaces do not list its own domains as they should. Those that its class gives list all
// of them, if the class says so. Those that it had once list none that it owns no longer.
func compareLists(seen *observation, own []string, listsDomains bool, states map[string]v1alpha1.NamespaceState) []error {
	var wrong []error
	for name, state := range states {
		namespace := seen.namespaces[name]
		if namespace == nil {
			continue // which is said elsewhere
		}
		list, isListed := namespace.Annotations[v1alpha1.OwnDomainsAnnotation]
		isLabelled := namespace.Labels[v1alpha1.HostsLabel] == string(v1alpha1.HostsOwnDomains)
		if state == v1alpha1.NamespaceActive &&
			(isListed != listsDomains || isLabelled != listsDomains || listsDomains && list != strings.Join(own, ",")) {
			wrong = append(wrong, fmt.Errorf("the namespace %s lists %q (%t, labelled: %t) as own domains, want %q (%t)",
				name, list, isListed, isLabelled, own, listsDomains))
		}
		for _, domain := range listedDomains(namespace.Annotations) {
			if !slices.Contains(own, domain) {
				wrong = append(wrong, fmt.Errorf("the namespace %s (%s) lists %s, which its organization does not own", name, state, domain))
			}
		}
	}
	return wrong
}

// listedDomains are those that a namespace with these annotations lists.
func listedDomains(annotations map[string]string) []string {
	return strings.FieldsFunc(annotations[v1alpha1.OwnDomainsAnnotation], func(r rune) bool { return r == ',' })
}

// changeDomain makes a change to a domain, also to a new one, and tells of it.
func (c *simulatedClerk) changeDomain(d *domain, change func(*domain)) {
	change(d)
	d.updated = c.tick()
	event := clerktest.DomainUpdated
	if c.domains[d.id] == nil {
		c.domains[d.id], d.created, event = d, d.updated, clerktest.DomainCreated
	}
	c.say(event(d.clerktest()), &message{domain: new(*d)})
}

// giveUp ends a domain, and tells of it.
func (c *simulatedClerk) giveUp(d *domain) {
	delete(c.domains, d.id)
	gone := *d
	gone.deleted, gone.updated = true, c.tick()
	c.say(clerktest.DomainDeleted(d.clerktest(), gone.updated), &message{domain: &gone})
}

// endDomains ends an organization's domains with it. It is not known whether Clerk tells of them.
func (c *simulatedClerk) endDomains(organization string, tell bool) {
	for _, id := range slices.Sorted(maps.Keys(c.domains)) {
		if d := c.domains[id]; d.organization == organization && tell {
			c.giveUp(d)
		}
	}
	maps.DeleteFunc(c.domains, func(_ string, d *domain) bool { return d.organization == organization })
}

// clerktest is the domain as Clerk writes it, with the address to which a code was sent.
func (d *domain) clerktest() clerktest.Domain {
	return clerktest.Domain{
		ID: d.id, OrganizationID: d.organization, Name: d.name, Ownership: d.ownership, Affiliation: d.affiliation,
		CreatedAt: d.created, UpdatedAt: d.updated,
	}
}

// drawProofs draws how the proofs of a domain stand: that of a mailbox is worth nothing.
func (d dice) drawProofs() func(*domain) {
	ownership := rapid.SampledFrom([]string{verified, verified, verified, "unverified", "failed", "expired", ""}).Draw(d.r, "ownership")
	affiliation := rapid.SampledFrom([]string{verified, "unverified", ""}).Draw(d.r, "affiliation")
	return func(changed *domain) { changed.ownership, changed.affiliation = ownership, affiliation }
}

func (d dice) drawDomainName() string {
	return rapid.SampledFrom([]string{ownDomain, ownDomain, "ACME.example", "globex.example", "intranet"}).Draw(d.r, "domain name")
}

// claimDomain lets an organization claim a domain. Others may claim it too, and the same one may do so again.
func (p *player) claimDomain() {
	o, name, proofs := p.drawOrganization(), p.drawDomainName(), p.drawProofs()
	if len(p.clerk.domains) < mostDomains {
		p.clerk.changeDomain(&domain{id: p.clerk.id("orgdmn"), organization: o.id, name: name}, proofs)
		p.mayLose()
	}
}

func (p *player) drawDomain() *domain {
	return p.clerk.domains[rapid.SampledFrom(slices.Sorted(maps.Keys(p.clerk.domains))).Draw(p.r, "domain")]
}

// changeDomain lets a proof be given, or fail, or end.
func (p *player) changeDomain() {
	p.clerk.changeDomain(p.drawDomain(), p.drawProofs())
	p.mayLose()
}

func (p *player) giveUpDomain() {
	p.clerk.giveUp(p.drawDomain())
	p.mayLose()
}
