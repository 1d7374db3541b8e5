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

package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// Whatever the order in which a history is delivered, how often, and to which replica: in the end the API server holds its end.
func TestEveryDeliveryOfAHistoryEndsAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		history := drawHistory(rt)
		var deliveries []*clerk.Event
		for _, event := range history {
			for range rapid.IntRange(1, 3).Draw(rt, "copies") {
				deliveries = append(deliveries, event)
			}
		}
		deliveries = rapid.Permutation(deliveries).Draw(rt, "order")
		replicas := []*replica{first, second, blind}
		queues := make([][]*clerk.Event, len(replicas))
		for _, event := range deliveries {
			to := rapid.IntRange(0, len(replicas)-1).Draw(rt, "to")
			queues[to] = append(queues[to], event)
		}
		var group errgroup.Group
		for i, queue := range queues {
			group.Go(func() error {
				for _, event := range queue {
					if err := replicas[i].deliver(t.Context(), event); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			rt.Fatal(err)
		}
		wanted := endOf(history)
		stored, err := storedOf(t.Context(), history)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(tree(t, wanted), tree(t, stored)); diff != "" {
			rt.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// deliver does as Clerk's sender does: again and again until it is taken.
func (r *replica) deliver(ctx context.Context, event *clerk.Event) error {
	return r.deliverTo(ctx, "default", event)
}

func (r *replica) deliverTo(ctx context.Context, instance string, event *clerk.Event) error {
	for deadline := time.Now().Add(patience); ; {
		_, err := r.Apply(ctx, instance, event)
		if err == nil {
			return nil
		}
		if _, rejected := errors.AsType[*mirror.RejectedError](err); rejected || time.Now().After(deadline) {
			return fmt.Errorf("%T of %s: %w", event.Data, event.Data.EntityID(), err)
		}
	}
}

// drawHistory draws what happened to an organization and its members, oldest first, a minute apart.
func drawHistory(rt *rapid.T) []*clerk.Event {
	organization := clerk.Organization{ID: newID("org"), CreatedAt: at(1000)}
	members := make([]*clerk.Membership, rapid.IntRange(1, 3).Draw(rt, "members"))
	for i := range members {
		members[i] = &clerk.Membership{ID: newID("orgmem"), User: clerk.PublicUser{ID: newID("user")}, CreatedAt: at(1000)}
	}
	rolesOf := []*clerk.Role{{ID: newID("role"), CreatedAt: at(1000)}, {ID: newID("role"), CreatedAt: at(900)}}
	ended := map[string]bool{}
	change := func(minutesAgo int) {
		organization.Name, organization.UpdatedAt = fmt.Sprintf("as of %d", minutesAgo), at(minutesAgo)
	}
	change(900)

	var history []*clerk.Event
	for minutesAgo := rapid.IntRange(1, 12).Draw(rt, "length"); minutesAgo > 0; minutesAgo-- {
		member := members[rapid.IntRange(0, len(members)-1).Draw(rt, "member")]
		switch what := rapid.SampledFrom([]string{"organization", "unheard", "membership", "membership", "leave", "delete",
			"role", "role", "role's end"}).Draw(rt, "what"); {
		case strings.HasPrefix(what, "role"):
			history = append(history, drawRoleEvent(rt, rolesOf[rapid.IntRange(0, 1).Draw(rt, "role")], what, minutesAgo, ended)...)
		case ended[organization.ID]:
		case what == "organization":
			change(minutesAgo)
			history = append(history, happened(minutesAgo, new(organization)))
		case what == "unheard": // its event is lost; the next membership tells
			change(minutesAgo)
		case what == "delete":
			ended[organization.ID] = true
			history = append(history, happened(minutesAgo, &clerk.OrganizationDeleted{ID: organization.ID}))
		case ended[member.ID]:
		case what == "membership":
			next := *member
			next.Role, next.UpdatedAt, next.Organization = fmt.Sprintf("org:role%d", minutesAgo), at(minutesAgo), organization
			history = append(history, happened(minutesAgo, &next))
		case what == "leave":
			ended[member.ID] = true
			next := *member
			next.Organization = organization
			history = append(history, happened(minutesAgo, left(&next)))
		}
	}
	return history
}

// drawRoleEvent draws a change or the end of a role, unless it has ended. Keys come back, and go from one role to another.
func drawRoleEvent(rt *rapid.T, role *clerk.Role, what string, minutesAgo int, ended map[string]bool) []*clerk.Event {
	if ended[role.ID] {
		return nil
	}
	if what == "role" {
		role.Key, role.UpdatedAt = rapid.SampledFrom([]string{"org:a", "org:b", "org:c"}).Draw(rt, "key"), at(minutesAgo)
		return []*clerk.Event{happened(minutesAgo, new(*role))}
	}
	ended[role.ID] = true
	end := &clerk.RoleDeleted{ID: role.ID}
	if rapid.Bool().Draw(rt, "tells its key") {
		end.Key = role.Key
	}
	return []*clerk.Event{happened(minutesAgo, end)}
}

// state is what the API server holds: specs by Clerk id.
type state map[string]any

// endOf is the model: how things are when a history is over.
func endOf(history []*clerk.Event) state {
	end := state{}
	deleted := map[string]bool{}
	newest := map[string]time.Time{}
	organization := func(o *clerk.Organization, asOf *metav1.MicroTime) {
		if deleted[o.ID] || o.UpdatedAt.Before(newest[o.ID]) || o.UpdatedAt.Equal(newest[o.ID]) && asOf == nil {
			return
		}
		newest[o.ID] = o.UpdatedAt
		end[o.ID] = v1alpha1.ClerkOrganizationSpec{
			Entity:                v1alpha1.Entity{Instance: "default", ID: o.ID, CreatedAt: new(metav1.NewMicroTime(o.CreatedAt)), UpdatedAt: new(metav1.NewMicroTime(o.UpdatedAt)), AsOf: asOf},
			Name:                  o.Name,
			MaxAllowedMemberships: new(int64(0)),
		}
	}
	for _, event := range history {
		when := new(metav1.NewMicroTime(event.Time))
		switch data := event.Data.(type) {
		case *clerk.Organization:
			organization(data, when)
		case *clerk.OrganizationDeleted:
			deleted[data.ID] = true
			end[data.ID] = v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "default", ID: data.ID, DeletedAt: when}}
		case *clerk.Membership:
			organization(&data.Organization, nil)
			end[data.ID] = v1alpha1.ClerkMemberSpec{
				Entity:         v1alpha1.Entity{Instance: "default", ID: data.ID, CreatedAt: new(metav1.NewMicroTime(data.CreatedAt)), UpdatedAt: when, AsOf: when},
				OrganizationID: data.Organization.ID,
				UserID:         data.User.ID,
				Role:           data.Role,
			}
		case *clerk.Role, *clerk.RoleDeleted:
			end[data.EntityID()] = endOfRole(history, data.EntityID())
		case *clerk.MembershipDeleted:
			end[data.ID] = v1alpha1.ClerkMemberSpec{
				Entity:         v1alpha1.Entity{Instance: "default", ID: data.ID, DeletedAt: when},
				OrganizationID: data.OrganizationID,
				UserID:         data.UserID,
			}
		}
	}
	return end
}

// storedOf reads what the API server holds of everything that a history is about.
func storedOf(ctx context.Context, history []*clerk.Event) (state, error) {
	stored := state{}
	var errs []error
	read := func(id string, object client.Object, spec func() any) {
		err := live.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", id)}, object)
		if err == nil {
			stored[id] = spec()
		}
		errs = append(errs, client.IgnoreNotFound(err))
	}
	organization := func(id string) {
		object := &v1alpha1.ClerkOrganization{}
		read(id, object, func() any { return object.Spec })
	}
	for _, event := range history {
		switch data := event.Data.(type) {
		case *clerk.Organization, *clerk.OrganizationDeleted:
			organization(data.EntityID())
		case *clerk.Membership:
			organization(data.Organization.ID)
			object := &v1alpha1.ClerkMember{}
			read(data.ID, object, func() any { return object.Spec })
		case *clerk.Role, *clerk.RoleDeleted:
			object := &v1alpha1.ClerkRole{}
			read(data.EntityID(), object, func() any { return object.Spec })
		case *clerk.MembershipDeleted:
			organization(data.OrganizationID)
			object := &v1alpha1.ClerkMember{}
			read(data.ID, object, func() any { return object.Spec })
		}
	}
	return stored, errors.Join(errs...)
}

// endOfRole is the model of a role: every key with the first and the last time at which an event had it, beside what the last event says.
func endOfRole(history []*clerk.Event, id string) v1alpha1.ClerkRoleSpec {
	end := v1alpha1.ClerkRoleSpec{Entity: v1alpha1.Entity{Instance: "default", ID: id}}
	for _, event := range history { // oldest first
		when := new(metav1.NewMicroTime(event.Time))
		key := ""
		switch data := event.Data.(type) {
		case *clerk.Role:
			if data.ID == id {
				key, end.Key, end.UpdatedAt, end.CreatedAt = data.Key, data.Key, when, new(metav1.NewMicroTime(data.CreatedAt))
				end.AsOf = when
			}
		case *clerk.RoleDeleted:
			if data.ID == id {
				key, end.DeletedAt, end.UpdatedAt, end.AsOf = data.Key, when, nil, nil
			}
		}
		if key == "" {
			continue
		}
		end.Key = key
		i := slices.IndexFunc(end.Keys, func(seen v1alpha1.RoleKey) bool { return seen.Key == key })
		if i < 0 {
			end.Keys = append(end.Keys, v1alpha1.RoleKey{Key: key, FirstSeen: when})
			i = len(end.Keys) - 1
		}
		end.Keys[i].LastSeen = when
	}
	slices.SortFunc(end.Keys, func(a, b v1alpha1.RoleKey) int { return strings.Compare(a.Key, b.Key) })
	return end
}
