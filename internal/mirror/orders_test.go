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
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// ordersAtOnce is how many orders are delivered at a time: enough to keep the API server busy.
const ordersAtOnce = 8

// Every order of every history of roles and permissions ends with the same objects, and so with the same access.
func TestEveryOrderOfARolesEventsEndsAlike(t *testing.T) {
	t.Parallel()
	const a, b, perm = "role_A", "role_B", "perm_1"
	role := func(id, key string, minutesAgo int, permissions ...string) *clerk.Event {
		data := mate(id, key, minutesAgo)
		if id == b {
			data.CreatedAt = at(45)
		}
		for _, permission := range permissions {
			data.Permissions = append(data.Permissions, clerk.RolePermission{ID: permission, Key: "org:read", UpdatedAt: at(70)})
		}
		return happened(minutesAgo, data)
	}
	end := func(id, key string, minutesAgo int) *clerk.Event {
		return happened(minutesAgo, &clerk.RoleDeleted{ID: id, Key: key})
	}
	permission := func(key string, minutesAgo int) *clerk.Event {
		return happened(minutesAgo, &clerk.Permission{ID: perm, Key: key, UpdatedAt: at(minutesAgo)})
	}
	deleted, unknown := tenant.Role{Doubt: tenant.RoleDeleted}, tenant.Role{Doubt: tenant.RoleUnknown}
	holds := func(key string, permissions ...string) tenant.Role {
		return tenant.Role{Key: key, Permissions: append([]string{}, permissions...)}
	}
	cases := map[string]struct {
		events []*clerk.Event

		// want is what members hold in the end, by the key that they carry and when their membership changed.
		want map[string]tenant.Role
	}{
		"renamed twice": {
			[]*clerk.Event{role(a, "org:k1", 60, perm), role(a, "org:k2", 50, perm), role(a, "org:k3", 40)},
			map[string]tenant.Role{
				"org:k1 55": holds("org:k3"), "org:k2 45": holds("org:k3"), "org:k3 35": holds("org:k3"),
				"org:k1 45": unknown, "org:k2 35": unknown, "org:none 35": {Key: "org:none"},
			},
		},
		"renamed twice, deleted without a key": {
			[]*clerk.Event{role(a, "org:k1", 60, perm), role(a, "org:k2", 50), role(a, "org:k3", 40), end(a, "", 30)},
			map[string]tenant.Role{"org:k1 55": deleted, "org:k2 45": deleted, "org:k3 35": deleted, "org:k3 25": unknown, "org:k1 35": unknown},
		},
		"deleted with a key that nothing else told": {
			[]*clerk.Event{role(a, "org:k1", 60), role(a, "org:k1", 50, perm), end(a, "org:k2", 30)},
			map[string]tenant.Role{"org:k1 55": deleted, "org:k2 35": deleted, "org:k2 25": unknown},
		},
		"created and deleted without a key": {
			[]*clerk.Event{role(a, "org:k1", 60, perm), end(a, "", 30)},
			map[string]tenant.Role{"org:k1 55": deleted, "org:k1 25": unknown},
		},
		"a key that another role gets": {
			[]*clerk.Event{
				role(a, "org:k1", 60, perm), role(a, "org:k2", 50, perm), role(b, "org:k1", 45), role(a, "org:k2", 40), end(b, "", 20),
			},
			map[string]tenant.Role{"org:k1 55": holds("org:k2"), "org:k2 35": holds("org:k2"), "org:k1 30": deleted, "org:k1 10": unknown},
		},
		"a key that comes back": {
			[]*clerk.Event{role(a, "org:k1", 60, perm), role(a, "org:k2", 50), role(a, "org:k1", 40), role(a, "org:k1", 30, perm)},
			map[string]tenant.Role{"org:k1 55": holds("org:k1", "org:read"), "org:k1 35": holds("org:k1", "org:read"), "org:k2 50": holds("org:k1", "org:read")},
		},
		"a permission that is renamed and deleted": {
			[]*clerk.Event{permission("org:read", 70), role(a, "org:k1", 60, perm), permission("org:look", 50), happened(40, &clerk.PermissionDeleted{ID: perm})},
			map[string]tenant.Role{"org:k1 55": holds("org:k1")},
		},
		"a permission that is renamed": {
			[]*clerk.Event{permission("org:read", 70), role(a, "org:k1", 60, perm), permission("org:look", 50), role(a, "org:k2", 40, perm)},
			map[string]tenant.Role{"org:k1 55": holds("org:k2", "org:look")},
		},
	}
	var serial atomic.Int64
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var group errgroup.Group
			group.SetLimit(ordersAtOnce)
			var first atomic.Pointer[[]any]
			for order := range permutations(len(tc.events)) {
				instance := fmt.Sprintf("order-%d", serial.Add(1))
				group.Go(func() error {
					ended, err := deliverAll(t.Context(), instance, tc.events, order)
					if err != nil {
						return fmt.Errorf("order %v: %w", order, err)
					}
					if diff := cmp.Diff(tc.want, ended.access(slices.Collect(maps.Keys(tc.want)))); diff != "" {
						return fmt.Errorf("order %v: access (-want +got):\n%s", order, diff)
					}
					specs := tree(t, ended.specs()).([]any)
					if !first.CompareAndSwap(nil, &specs) {
						if diff := cmp.Diff(*first.Load(), specs); diff != "" {
							return fmt.Errorf("order %v ends otherwise than another (-want +got):\n%s", order, diff)
						}
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// permutations are all orders of n things.
func permutations(n int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		var extend func(order []int) bool
		extend = func(order []int) bool {
			if len(order) == n {
				return yield(slices.Clone(order))
			}
			for i := range n {
				if !slices.Contains(order, i) && !extend(append(slices.Clone(order), i)) {
					return false
				}
			}
			return true
		}
		extend(nil)
	}
}

// deliverAll delivers events to one replica after the other, each twice, and reads what the API server holds in the end.
func deliverAll(ctx context.Context, instance string, events []*clerk.Event, order []int) (*ending, error) {
	replicas := []*replica{first, blind, second}
	for n, i := range append(order, order...) {
		if err := replicas[n%len(replicas)].deliverTo(ctx, instance, events[i]); err != nil {
			return nil, err
		}
	}
	e := &ending{roles: map[string]*v1alpha1.ClerkRole{}, permissions: map[string]*v1alpha1.ClerkPermission{}}
	for _, event := range events {
		id := event.Data.EntityID()
		key := client.ObjectKey{Name: v1alpha1.ObjectName(instance, id)}
		var err error
		switch event.Data.(type) {
		case *clerk.Role, *clerk.RoleDeleted:
			e.roles[id] = &v1alpha1.ClerkRole{}
			err = live.Get(ctx, key, e.roles[id])
		default:
			e.permissions[id] = &v1alpha1.ClerkPermission{}
			err = live.Get(ctx, key, e.permissions[id])
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// ending is what the API server holds when a history is over.
type ending struct {
	roles       map[string]*v1alpha1.ClerkRole
	permissions map[string]*v1alpha1.ClerkPermission
}

// specs are those of all objects, without the name of the instance, which each order has of its own.
func (e *ending) specs() []any {
	var specs []any
	for _, id := range slices.Sorted(maps.Keys(e.roles)) {
		spec := e.roles[id].Spec
		spec.Instance = ""
		specs = append(specs, spec)
	}
	for _, id := range slices.Sorted(maps.Keys(e.permissions)) {
		spec := e.permissions[id].Spec
		spec.Instance = ""
		specs = append(specs, spec)
	}
	return specs
}

// access is what members hold, by "key minutesAgo".
func (e *ending) access(members []string) map[string]tenant.Role {
	access := map[string]tenant.Role{}
	for _, who := range members {
		var key string
		var minutesAgo int
		if _, err := fmt.Sscanf(who, "%s %d", &key, &minutesAgo); err != nil {
			panic(err)
		}
		member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{UpdatedAt: new(metav1.NewMicroTime(at(minutesAgo)))}, Role: key}}
		var candidates []*v1alpha1.ClerkRole
		for _, role := range e.roles {
			if slices.ContainsFunc(role.Spec.SeenKeys(), func(seen v1alpha1.RoleKey) bool { return seen.Key == key }) {
				candidates = append(candidates, role)
			}
		}
		access[who] = tenant.RoleOf(member, candidates, func(id string) *v1alpha1.ClerkPermission { return e.permissions[id] })
	}
	return access
}
