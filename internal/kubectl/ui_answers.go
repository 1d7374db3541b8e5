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
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/kubectl/ui"
)

// pageSource answers what the page asks, from what watches say and by the code of the other commands.
type pageSource struct {
	live    *live
	context string
	now     func() time.Time
}

// pageState is what the page shows beside every answer.
type pageState struct {
	Context string      `json:"context"`
	Now     metav1.Time `json:"now"`

	// Loading are kinds that have not been listed yet.
	Loading []string `json:"loading"`

	// Stale says what was shown as it changed and is no longer: the page is not live then.
	Stale []string `json:"stale"`

	// Notes say what the caller may not see, or sees late; Late is whether the latter.
	Notes []string `json:"notes"`
	Late  bool     `json:"late"`
}

// State implements ui.Source.
func (p *pageSource) State() (state any, changed <-chan struct{}) {
	changed = p.live.next() // before, so that no change is missed
	gaps := p.live.gaps()
	found := &pageState{
		Context: p.context, Now: metav1.NewTime(p.now()), Loading: gaps.loading, Stale: gaps.stale, Notes: gaps.notes, Late: gaps.isLate,
	}
	cleanAll(reflect.ValueOf(found))
	return found, changed
}

// Answer implements ui.Source.
func (p *pageSource) Answer(ctx context.Context, name string, parameters url.Values) (any, error) {
	answers := map[string]func(context.Context, url.Values) (any, error){
		"organizations": p.organizations, "organization": p.organization, "people": p.people, "person": p.person, "instances": p.instances,
	}
	answer, known := answers[name]
	if !known {
		return nil, &ui.StatusError{Status: http.StatusNotFound, Message: "there is no such answer"}
	}
	found, err := answer(ctx, parameters)
	if err != nil {
		if problem, isProblem := errors.AsType[*ui.StatusError](err); isProblem {
			return nil, problem
		}
		return nil, errors.New(clean(err.Error()))
	}
	cleanAll(reflect.ValueOf(found))
	return found, nil
}

// PageOrganization is a row of the page's list.
type PageOrganization struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	FullName   string   `json:"fullName,omitempty"`
	ID         string   `json:"id"`
	Instance   string   `json:"instance"`
	Class      string   `json:"class,omitempty"`
	Members    int32    `json:"members"`
	Ready      bool     `json:"ready"`
	Reason     string   `json:"reason,omitempty"`
	Message    string   `json:"message,omitempty"`
	Deleted    bool     `json:"deleted,omitempty"`
	Namespaces []string `json:"namespaces"`
}

// PageOrganizations are those that are not deleted, as kubectl clerk tree has them.
type PageOrganizations struct {
	Items []PageOrganization `json:"items"`
}

func (p *pageSource) organizations(ctx context.Context, _ url.Values) (any, error) {
	snapshot, err := p.live.snapshot(ctx, []listing{{list: &v1alpha1.ClerkOrganizationList{}}})
	if err != nil {
		return nil, err
	}
	found := &PageOrganizations{Items: []PageOrganization{}}
	for _, organization := range all[v1alpha1.ClerkOrganization](snapshot) {
		if organization.Spec.DeletedAt == nil {
			found.Items = append(found.Items, pageOrganization(organization))
		}
	}
	slices.SortFunc(found.Items, func(a, b PageOrganization) int {
		return cmp.Or(strings.Compare(a.Title, b.Title), strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

func pageOrganization(organization *v1alpha1.ClerkOrganization) PageOrganization {
	branch := summary(organization)
	row := PageOrganization{
		Name: branch.Name, Title: organizationName(organization, ""), FullName: organization.Spec.Name, ID: branch.ID,
		Instance: organization.Spec.Instance, Class: branch.Class, Members: branch.Members, Ready: branch.Ready, Reason: branch.Reason,
		Deleted: branch.Deleted, Namespaces: []string{},
	}
	if ready := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		row.Message = ready.Message
	}
	for _, namespace := range organization.Status.Namespaces {
		row.Namespaces = append(row.Namespaces, namespace.Name)
	}
	return row
}

// PageTree is one organization: what kubectl clerk tree says of it, and what kubectl clerk who says.
type PageTree struct {
	Organization PageOrganization `json:"organization"`
	Tree         TreeOrganization `json:"tree"`
	People       []PageMember     `json:"people"`

	// Message says why there are no people where the caller may not see what they follow from.
	Message string `json:"message,omitempty"`
}

// PageMember is a member of an organization.
type PageMember struct {
	WhoPerson `json:",inline"`

	// AccessText is the access in words.
	AccessText string `json:"accessText,omitempty"`
}

func (p *pageSource) organization(ctx context.Context, parameters url.Values) (any, error) {
	snapshot, err := p.live.snapshot(ctx, []listing{{list: &v1alpha1.ClerkOrganizationList{}}}, optional(mirrored()), optional(bound()),
		optional(everywhere()))
	if err != nil {
		return nil, err
	}
	organization := named[v1alpha1.ClerkOrganization](snapshot, parameters.Get("name"))
	if organization == nil {
		return nil, &ui.StatusError{Status: http.StatusNotFound, Message: "this organization is not mirrored, or no longer"}
	}
	found := &PageTree{Organization: pageOrganization(organization), Tree: snapshot.branch(organization), People: []PageMember{}}
	for _, listing := range mirrored() {
		if err := snapshot.unread[resourceOf(listing.list)]; err != nil {
			found.Message = sentence(explainList(err, listing.list))
			return found, nil
		}
	}
	who, e := &Who{}, &explainer{snapshot: snapshot, expressions: cached.NewExpressions(), now: p.now()}
	if err := who.addPeople(ctx, e, organization); err != nil {
		return nil, err
	}
	if found.Tree.ClusterGrants, err = e.clusterHolders(ctx, organization); err != nil {
		return nil, err
	}
	for _, person := range who.People {
		person.Access = slices.Clone(person.Access) // it is cleaned, and may be the watches' own
		found.People = append(found.People, PageMember{WhoPerson: person, AccessText: accessText(person.Access, false)})
	}
	return found, nil
}

// PageInstances is what kubectl clerk status and prune show say.
type PageInstances struct {
	Status Status     `json:"status"`
	Held   []HeldItem `json:"held"`

	// Silent is since when each ClerkInstance was not heard from that deliveries come to.
	Silent map[string]metav1.Time `json:"silent"`
}

func (p *pageSource) instances(ctx context.Context, _ url.Values) (any, error) {
	needed, more := statusListings()
	snapshot, err := p.live.snapshot(ctx, needed, optional(more))
	if err != nil {
		return nil, err
	}
	found := &PageInstances{Status: *snapshot.status(), Held: snapshot.held(""), Silent: map[string]metav1.Time{}}
	for i := range found.Held {
		found.Held[i].IDs = slices.Clone(found.Held[i].IDs) // they are cleaned
	}
	for _, instance := range all[v1alpha1.ClerkInstance](snapshot) {
		if instance.Spec.Webhook.SigningSecretRef.Name == "" {
			continue // nothing is delivered to it
		}
		since := instance.CreationTimestamp
		if last := instance.Status.LastEvent.ReceivedAt; since.Before(&last) {
			since = last
		}
		found.Silent[instance.Name] = since
	}
	return found, nil
}
