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
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/kubectl/ui"
)

// maxPeople is how many people a search shows: who wants another says more of the name.
const maxPeople = 200

// PagePerson is a user that a search finds.
type PagePerson struct {
	Instance      string   `json:"instance"`
	ID            string   `json:"id"`
	Person        string   `json:"person"`
	Name          string   `json:"name,omitempty"`
	Organizations []string `json:"organizations"`
}

// PagePeople are the first of the people that a search finds.
type PagePeople struct {
	Total int          `json:"total"`
	Items []PagePerson `json:"items"`
}

func (p *pageSource) people(ctx context.Context, parameters url.Values) (any, error) {
	snapshot, err := p.live.snapshot(ctx, mirrored())
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(parameters.Get("search")))
	found := &PagePeople{Items: []PagePerson{}}
	for _, person := range snapshot.people() {
		row, text := snapshot.pagePerson(person)
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			found.Items = append(found.Items, row)
		}
	}
	slices.SortFunc(found.Items, func(a, b PagePerson) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.ID, b.ID), strings.Compare(a.Instance, b.Instance))
	})
	found.Total = len(found.Items)
	found.Items = found.Items[:min(found.Total, maxPeople)]
	return found, nil
}

// pagePerson is the row of a person, and the text in which a search looks.
func (s *snapshot) pagePerson(person *person) (row PagePerson, text string) {
	row = PagePerson{Instance: person.instance, ID: person.id, Organizations: []string{}}
	texts := []string{person.id}
	var first *v1alpha1.ClerkMember
	for _, member := range person.members {
		if first == nil || first.Spec.DeletedAt != nil {
			first = member
		}
		texts = append(texts, member.Status.Subject)
		if member.Spec.DeletedAt != nil {
			continue
		}
		organization := s.organizationOf(member.Spec.Instance, member.Spec.OrganizationID)
		row.Organizations = append(row.Organizations, organizationName(organization, member.Spec.OrganizationID))
	}
	row.Person = personName(person.user, first, person.id)
	switch {
	case person.user != nil:
		row.Name = strings.TrimSpace(person.user.Spec.FirstName + " " + person.user.Spec.LastName)
	case first != nil:
		row.Name = strings.TrimSpace(first.Spec.User.FirstName + " " + first.Spec.User.LastName)
	}
	slices.Sort(row.Organizations)
	return row, strings.ToLower(strings.Join(append(append(texts, row.Person, row.Name), row.Organizations...), "\n"))
}

// organizationOf is the organization of a ClerkInstance with a Clerk id, nil if it is not mirrored.
func (s *snapshot) organizationOf(instance, id string) *v1alpha1.ClerkOrganization {
	for _, organization := range having[v1alpha1.ClerkOrganization](s, cached.ByOrganization, id) {
		if organization.Spec.Instance == instance {
			return organization
		}
	}
	return nil
}

// person is what kubectl clerk why says of somebody.
func (p *pageSource) person(ctx context.Context, parameters url.Values) (any, error) {
	snapshot, err := p.live.snapshot(ctx, mirrored(), optional(bound()), optional(everywhere()))
	if err != nil {
		return nil, err
	}
	for _, person := range snapshot.people() {
		if person.instance != parameters.Get("instance") || person.id != parameters.Get("id") {
			continue
		}
		row, _ := snapshot.pagePerson(person)
		found := &PageWhy{
			Person: row, Why: Why{TypeMeta: view("Why"), User: person.id, Memberships: []WhyMembership{}}, Names: map[string]string{},
		}
		e := &explainer{snapshot: snapshot, cluster: p.live.cluster, expressions: cached.NewExpressions(), now: p.now()}
		if err := e.explain(ctx, person, nil, &found.Why); err != nil {
			return nil, err
		}
		for _, membership := range found.Why.Memberships {
			if organization := snapshot.organizationOf(person.instance, membership.OrganizationID); organization != nil {
				found.Names[membership.OrganizationID] = organization.Name
			}
		}
		return found, nil
	}
	return nil, &ui.StatusError{Status: http.StatusNotFound, Message: "this user is not mirrored, or no longer"}
}

// PageWhy is a person, and what kubectl clerk why says.
type PageWhy struct {
	Person PagePerson `json:"person"`
	Why    Why        `json:"why"`

	// Names are the ClerkOrganizations of the memberships, by Clerk's ids.
	Names map[string]string `json:"names"`
}
