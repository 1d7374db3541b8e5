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

package mirror

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// moment is a minute of one hour in which everything happens.
func moment(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }

func version(key string, minute int) v1alpha1.ClerkRoleSpec {
	return roleSpec("default", &clerk.Role{ID: "role_A", Key: key, Name: key, CreatedAt: moment(1), UpdatedAt: moment(minute)})
}

func end(key string, minute int) v1alpha1.ClerkRoleSpec {
	return roleTombstone("default", &clerk.RoleDeleted{ID: "role_A", Key: key}, moment(minute))
}

// Whatever the order in which states of a role are put together, and in whichever groups: the end is one.
func TestStatesOfARoleArePutTogetherAlikeInEveryOrder(t *testing.T) {
	t.Parallel()
	pool := []v1alpha1.ClerkRoleSpec{
		version("a", 1), version("a", 5), version("b", 7), version("c", 8), version("a", 9), version("b", 12), version("d", 20),
	}
	for name, states := range map[string][]v1alpha1.ClerkRoleSpec{
		"alive": pool, "deleted": append(pool[1:7:7], end("", 30)), "deleted, with its key": append(pool[1:7:7], end("d", 30)),
		"deleted, with another": append(pool[1:7:7], end("e", 30)), "deleted twice": append(pool[2:7:7], end("d", 31), end("", 30)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := states[0]
			for _, state := range states[1:] {
				want = joinRoles(state, want)
			}
			if again := joinRoles(want, want); cmp.Diff(want, again) != "" {
				t.Errorf("not idempotent: %s", cmp.Diff(want, again))
			}
			permute(states, 0, func(order []v1alpha1.ClerkRoleSpec) {
				for split := 1; split < len(order); split++ {
					if diff := cmp.Diff(want, joinRoles(joinAll(order[split:]), joinAll(order[:split]))); diff != "" {
						t.Fatalf("%v (-want +got):\n%s", order, diff)
					}
				}
			})
		})
	}
}

func joinAll(states []v1alpha1.ClerkRoleSpec) v1alpha1.ClerkRoleSpec {
	joined := states[0]
	for _, state := range states[1:] {
		joined = joinRoles(state, joined)
	}
	return joined
}

// permute visits all orders of states.
func permute(states []v1alpha1.ClerkRoleSpec, from int, visit func([]v1alpha1.ClerkRoleSpec)) {
	if from == len(states)-1 {
		visit(states)
		return
	}
	states = append([]v1alpha1.ClerkRoleSpec{}, states...)
	for i := from; i < len(states); i++ {
		states[from], states[i] = states[i], states[from]
		permute(states, from+1, visit)
		states[from], states[i] = states[i], states[from]
	}
}

func TestARoleWithTooManyKeysKeepsNoneInEveryOrder(t *testing.T) {
	t.Parallel()
	states := make([]v1alpha1.ClerkRoleSpec, v1alpha1.MaxRoleKeys+1)
	for i := range states {
		states[i] = version(fmt.Sprintf("key%d", i), 0)
		states[i].UpdatedAt = microTime(moment(0).Add(time.Duration(i) * time.Second))
		states[i].Keys = nil
		states[i].Keys = states[i].SeenKeys()
	}
	if kept := joinAll(states[1:]); kept.KeysDropped != nil || len(kept.Keys) != v1alpha1.MaxRoleKeys {
		t.Fatalf("%d keys, dropped: %v", len(kept.Keys), kept.KeysDropped)
	}
	want := joinAll(states)
	if want.KeysDropped == nil || want.Keys != nil || want.Key != fmt.Sprintf("key%d", v1alpha1.MaxRoleKeys) {
		t.Fatalf("got %+v", want)
	}
	gone := joinRoles(end("key1", 59), want)
	if gone.KeysDropped == nil || gone.Keys != nil || gone.Key != "" {
		t.Fatalf("got %+v", gone)
	}
	for seed := range uint64(50) {
		source := rand.New(rand.NewPCG(seed, 0))
		source.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		if diff := cmp.Diff(want, joinAll(states)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(gone, joinRoles(joinAll(states), end("key1", 59))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}
