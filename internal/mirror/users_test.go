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
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

// person is a user who was updated some minutes ago.
func person(id string, minutesAgo int, change ...func(*clerk.User)) *clerk.User {
	user := &clerk.User{
		ID: id, PrimaryEmail: clerk.EmailAddress{Address: canary + "@Example.com", Verified: true},
		Username: canary, FirstName: canary, LastName: canary, ImageURL: "https://img.example/" + canary, ExternalID: canary,
		PublicMetadata: json.RawMessage(`{"team":"` + canary + `"}`), CreatedAt: at(1000), UpdatedAt: at(minutesAgo),
	}
	for _, c := range change {
		c(user)
	}
	return user
}

func banned(user *clerk.User) { user.Banned = true }

// read reads the object of a Clerk id.
func read[T any, P interface {
	*T
	client.Object
}](t *testing.T, instance, id string) *T {
	t.Helper()
	object := P(new(T))
	if err := live.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(instance, id)}, object); err != nil {
		t.Fatal(err)
	}
	return (*T)(object)
}

func TestAUserIsMirroredWhole(t *testing.T) {
	t.Parallel()
	id := newID("user")
	first.apply(t, happened(30, person(id, 30, func(u *clerk.User) { u.Banned, u.Locked, u.Deprovisioned = true, true, true })), mirror.Applied)
	got := read[v1alpha1.ClerkUser](t, "default", id)
	isEqual(t, "the spec is what Clerk says", map[string]any{
		"instance": "default", "id": id, "primaryEmail": map[string]any{"address": canary + "@Example.com", "verified": true},
		"username": canary, "firstName": canary, "lastName": canary, "imageURL": "https://img.example/" + canary, "externalID": canary,
		"banned": true, "locked": true, "deprovisioned": true,
		"publicMetadata": map[string]any{"team": canary},
		"createdAt":      metav1.NewMicroTime(at(1000)), "updatedAt": metav1.NewMicroTime(at(30)), "asOf": metav1.NewMicroTime(at(30)),
	}, got.Spec)
	if got.Labels[v1alpha1.UserIDLabel] != id {
		t.Errorf("labels: %v", got.Labels)
	}
	first.knows(t, got)
	asked := first.requests.of(id)
	first.apply(t, happened(30, person(id, 30, func(u *clerk.User) { u.Banned, u.Locked, u.Deprovisioned = true, true, true })), mirror.Duplicate)
	first.apply(t, happened(40, person(id, 40)), mirror.Stale)
	if first.requests.of(id) != asked {
		t.Error("what the cache knows cost a request")
	}
	blind.apply(t, happened(40, person(id, 40)), mirror.Stale)
	first.apply(t, happened(20, &clerk.User{ID: id, UpdatedAt: at(20)}), mirror.Applied)
	isEqual(t, "what Clerk no longer says is gone", map[string]any{
		"instance": "default", "id": id, "updatedAt": metav1.NewMicroTime(at(20)), "asOf": metav1.NewMicroTime(at(20)),
	}, read[v1alpha1.ClerkUser](t, "default", id).Spec)
}

// No list tells of directories: it says nothing against a webhook that told of one, unless the user has changed since.
func TestAListLeavesAUsersDirectoryAlone(t *testing.T) {
	t.Parallel()
	id := newID("user")
	managed := func(user *clerk.User) {
		user.TwoFactorEnabled, user.EnterpriseAccount, user.Directory = new(false), new(false), true
	}
	first.apply(t, happened(30, person(id, 30, managed)), mirror.Applied)
	first.knows(t, read[v1alpha1.ClerkUser](t, "default", id))
	withoutDirectory := func(user *clerk.User) { user.TwoFactorEnabled, user.EnterpriseAccount = new(true), new(false) }
	first.apply(t, listed(20, person(id, 30, withoutDirectory)), mirror.Applied)
	got := read[v1alpha1.ClerkUser](t, "default", id)
	if spec := got.Spec; spec.Directory == nil || !*spec.Directory || !*spec.TwoFactorEnabled || *spec.EnterpriseAccount {
		t.Errorf("of the same state it is %+v", spec)
	}
	first.knows(t, got)
	first.apply(t, listed(10, person(id, 15, withoutDirectory)), mirror.Applied)
	if spec := read[v1alpha1.ClerkUser](t, "default", id).Spec; spec.Directory != nil {
		t.Errorf("of a newer state it is %+v", spec)
	}
}

func TestATombstoneOfAUserHoldsNothingPersonalAndIsFinal(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, unseen := newID("user"), newID("user")
			first.apply(t, happened(30, person(id, 30)), mirror.Applied)
			for _, id := range []string{id, unseen} {
				r.apply(t, happened(20, &clerk.UserDeleted{ID: id}), mirror.Applied)
				got := read[v1alpha1.ClerkUser](t, "default", id)
				holdsNoPersonalData(t, got)
				isEqual(t, "a tombstone keeps ids", map[string]any{"instance": "default", "id": id, "deletedAt": metav1.NewMicroTime(at(20))}, got.Spec)
				if name == "knowing" {
					r.knows(t, got)
				}
				r.apply(t, happened(10, person(id, 10)), mirror.Stale)
			}
		})
	}
}

func TestAnotherInstanceCanClaimNoUserRoleOrPermission(t *testing.T) {
	t.Parallel()
	for who, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			user, role, permission := newID("user"), newID("role"), newID("perm")
			claimed := []clerk.Data{
				person(user, 30), &clerk.Role{ID: role, Key: "org:mate", UpdatedAt: at(30)},
				&clerk.Permission{ID: permission, Key: "org:a", UpdatedAt: at(30)},
			}
			for _, data := range claimed {
				r.applyTo(t, "dev", happened(30, data), mirror.Applied)
			}
			// The owner's first word comes later, and counts.
			r.apply(t, happened(20, person(user, 20, banned)), mirror.Applied)
			r.apply(t, happened(20, &clerk.Role{ID: role, Key: "org:chief", UpdatedAt: at(20)}), mirror.Applied)
			r.apply(t, happened(20, &clerk.Permission{ID: permission, Key: "org:b", UpdatedAt: at(20)}), mirror.Applied)
			ends := []clerk.Data{&clerk.UserDeleted{ID: user}, &clerk.RoleDeleted{ID: role}, &clerk.PermissionDeleted{ID: permission}}
			for _, data := range ends {
				r.applyTo(t, "dev", happened(10, data), mirror.Applied)
			}
			isEqual(t, "the user is banned", true, *read[v1alpha1.ClerkUser](t, "default", user).Spec.Banned)
			isEqual(t, "the role's key", "org:chief", read[v1alpha1.ClerkRole](t, "default", role).Spec.Key)
			isEqual(t, "the permission's key", "org:b", read[v1alpha1.ClerkPermission](t, "default", permission).Spec.Key)
		})
	}
}

// instanceWith is a ClerkInstance that wants these users.
func instanceWith(t *testing.T, users v1alpha1.MirroredUsers) string {
	t.Helper()
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(strings.ReplaceAll(newID("instance"), "_", "-"))},
		Spec: v1alpha1.ClerkInstanceSpec{
			Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "x"}}, Users: users,
		},
	}
	if err := live.Create(t.Context(), instance); err != nil {
		t.Fatal(err)
	}
	first.knows(t, instance)
	return instance.Name
}

func (r *replica) applyTo(t *testing.T, instance string, event *clerk.Event, want mirror.Outcome) {
	t.Helper()
	got, err := r.Apply(t.Context(), instance, event)
	if err != nil || got != want {
		t.Fatalf("%s: got %q, %v; want %q", event.Data.EntityID(), got, err, want)
	}
}

func TestAnInstanceThatWantsNoUsersGetsNone(t *testing.T) {
	t.Parallel()
	instance, id, known := instanceWith(t, v1alpha1.UsersNone), newID("user"), newID("user")
	first.applyTo(t, instance, happened(30, person(id, 30)), mirror.Ignored)
	isMissing(t, &v1alpha1.ClerkUser{}, instance, id)

	// One who was mirrored before is followed, without anything personal.
	object := &v1alpha1.ClerkUser{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(instance, known)},
		Spec:       v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{Instance: instance, ID: known, UpdatedAt: new(metav1.NewMicroTime(at(40)))}, Username: canary, Banned: new(true)},
	}
	if err := live.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	first.knows(t, object)
	first.applyTo(t, instance, happened(30, person(known, 30, banned)), mirror.Applied)
	got := read[v1alpha1.ClerkUser](t, instance, known)
	holdsNoPersonalData(t, got)
	isEqual(t, "what keeps the user out, and nothing else", map[string]any{
		"instance": instance, "id": known, "banned": true, "updatedAt": metav1.NewMicroTime(at(30)), "asOf": metav1.NewMicroTime(at(30)),
	}, got.Spec)
	first.knows(t, got)
	first.applyTo(t, instance, happened(20, person(known, 20)), mirror.Applied)
	if read[v1alpha1.ClerkUser](t, instance, known).Spec.Banned != nil {
		t.Error("the user is still banned")
	}
}

// Nobody heard of these users before: what keeps them out is kept all the same, and nothing else.
func TestAnInstanceThatWantsNoUsersHonoursTheirDeletionsAndBans(t *testing.T) {
	t.Parallel()
	instance := instanceWith(t, v1alpha1.UsersNone)
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deleted, barred := newID("user"), newID("user")
			r.applyTo(t, instance, happened(20, &clerk.UserDeleted{ID: deleted}), mirror.Applied)
			isEqual(t, "a tombstone", map[string]any{
				"instance": instance, "id": deleted, "deletedAt": metav1.NewMicroTime(at(20)),
			}, read[v1alpha1.ClerkUser](t, instance, deleted).Spec)
			r.applyTo(t, instance, happened(30, person(deleted, 30)), mirror.Stale)

			r.applyTo(t, instance, happened(20, person(barred, 20, banned)), mirror.Applied)
			got := read[v1alpha1.ClerkUser](t, instance, barred)
			holdsNoPersonalData(t, got)
			if got.Spec.Banned == nil {
				t.Error("the user is not banned")
			}
			// The cache may not know of the ban yet when it is lifted.
			r.applyTo(t, instance, happened(10, person(barred, 10)), mirror.Applied)
			r.applyTo(t, instance, happened(20, person(barred, 20, banned)), mirror.Stale)
			if read[v1alpha1.ClerkUser](t, instance, barred).Spec.Banned != nil {
				t.Error("a replay banned the user again")
			}
		})
	}
}

func TestABanFromBeyondTheRetentionIsTakenOfAMember(t *testing.T) {
	t.Parallel()
	const long = 60 * 24 * 30 // a month, in minutes
	stranger, member := newID("user"), jane(newID("orgmem"), acme(newID("org"), 30))
	first.apply(t, happened(30, member), mirror.Applied)
	first.knows(t, memberOf(t, member.ID))
	first.apply(t, happened(long, person(stranger, long, banned)), mirror.Expired)
	first.apply(t, happened(long, &clerk.UserDeleted{ID: stranger}), mirror.Expired)
	isMissing(t, &v1alpha1.ClerkUser{}, "default", stranger)
	first.apply(t, happened(long, person(member.User.ID, long)), mirror.Expired)
	first.apply(t, happened(long, person(member.User.ID, long, banned)), mirror.Applied)
	if read[v1alpha1.ClerkUser](t, "default", member.User.ID).Spec.Banned == nil {
		t.Error("the user is not banned")
	}
}

// mate is a role that was updated some minutes ago.
func mate(id, key string, minutesAgo int, permissions ...clerk.RolePermission) *clerk.Role {
	return &clerk.Role{
		ID: id, Key: key, Name: "Mate", Description: "Moves cargo", Permissions: permissions, CreatedAt: at(1000), UpdatedAt: at(minutesAgo),
	}
}

// seen is a key that a role had from so many minutes ago to so many.
func seen(key string, first, last int) map[string]any {
	return map[string]any{"key": key, "firstSeen": metav1.NewMicroTime(at(first)), "lastSeen": metav1.NewMicroTime(at(last))}
}

func TestARoleKeepsEveryKeyThatItHad(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*replica{"knowing": first, "blind": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := newID("role")
			keys := func(key string, keys ...map[string]any) {
				t.Helper()
				got := read[v1alpha1.ClerkRole](t, "default", id)
				if got.Spec.Key != key {
					t.Errorf("the key is %q, want %q", got.Spec.Key, key)
				}
				isEqual(t, "keys", keys, got.Spec.Keys)
				if name == "knowing" {
					r.knows(t, got)
				}
			}
			r.apply(t, happened(60, mate(id, "org:crew", 60)), mirror.Applied)
			keys("org:crew", seen("org:crew", 60, 60))
			r.apply(t, happened(50, mate(id, "org:mate", 50)), mirror.Applied)
			keys("org:mate", seen("org:crew", 60, 60), seen("org:mate", 50, 50))
			r.apply(t, happened(40, mate(id, "org:mate", 40)), mirror.Applied)
			keys("org:mate", seen("org:crew", 60, 60), seen("org:mate", 50, 40))
			r.apply(t, happened(55, mate(id, "org:crew", 55)), mirror.Applied)
			keys("org:mate", seen("org:crew", 60, 55), seen("org:mate", 50, 40))
			r.apply(t, happened(55, mate(id, "org:crew", 55)), mirror.Stale)
			r.apply(t, happened(45, mate(id, "org:mate", 45)), mirror.Stale)
			r.apply(t, happened(30, mate(id, "org:first", 30)), mirror.Applied)
			keys("org:first", seen("org:crew", 60, 55), seen("org:first", 30, 30), seen("org:mate", 50, 40))
			r.apply(t, happened(20, mate(id, "org:crew", 20)), mirror.Applied)
			keys("org:crew", seen("org:crew", 60, 20), seen("org:first", 30, 30), seen("org:mate", 50, 40))
			r.apply(t, happened(10, &clerk.RoleDeleted{ID: id}), mirror.Applied)
			keys("org:crew", seen("org:crew", 60, 20), seen("org:first", 30, 30), seen("org:mate", 50, 40))
			r.apply(t, happened(15, mate(id, "org:crew", 15)), mirror.Applied)
			keys("org:crew", seen("org:crew", 60, 15), seen("org:first", 30, 30), seen("org:mate", 50, 40))
			r.apply(t, happened(15, mate(id, "org:crew", 15)), mirror.Stale)
			if spec := read[v1alpha1.ClerkRole](t, "default", id).Spec; spec.DeletedAt == nil || spec.Name != "" || len(spec.Permissions) > 0 {
				t.Errorf("it is no tombstone: %+v", spec)
			}
		})
	}
}

func TestAnEndOfARoleMayTellItsKey(t *testing.T) {
	t.Parallel()
	with, without := newID("role"), newID("role")
	first.apply(t, happened(10, &clerk.RoleDeleted{ID: with, Key: "org:mate"}), mirror.Applied)
	first.apply(t, happened(10, &clerk.RoleDeleted{ID: without}), mirror.Applied)
	if got := read[v1alpha1.ClerkRole](t, "default", with).Spec.Key; got != "org:mate" {
		t.Errorf("the key is %q", got)
	}
	if got := read[v1alpha1.ClerkRole](t, "default", without).Spec; got.Key != "" || got.DeletedAt == nil {
		t.Errorf("got %+v", got)
	}
	blind.apply(t, happened(5, &clerk.RoleDeleted{ID: with}), mirror.Duplicate)
}

func TestARolesPermissionsAreReplaced(t *testing.T) {
	t.Parallel()
	id := newID("role")
	read1 := clerk.RolePermission{ID: "perm_1", Key: "org:cargo:read", UpdatedAt: at(90)}
	scrap := clerk.RolePermission{ID: "perm_2", Key: "org:cargo:scrap"}
	first.apply(t, happened(30, mate(id, "org:mate", 30, read1, scrap)), mirror.Applied)
	got := read[v1alpha1.ClerkRole](t, "default", id)
	isEqual(t, "", []any{
		map[string]any{"id": "perm_1", "key": "org:cargo:read", "updatedAt": metav1.NewMicroTime(at(90))},
		map[string]any{"id": "perm_2", "key": "org:cargo:scrap"},
	}, got.Spec.Permissions)
	first.knows(t, got)
	first.apply(t, happened(30, mate(id, "org:mate", 30, read1, scrap)), mirror.Duplicate)
	first.apply(t, happened(20, mate(id, "org:mate", 20, read1)), mirror.Applied)
	if got := read[v1alpha1.ClerkRole](t, "default", id).Spec.Permissions; len(got) != 1 || got[0].ID != "perm_1" {
		t.Errorf("got %+v", got)
	}
}

func TestAPermissionIsMirrored(t *testing.T) {
	t.Parallel()
	id := newID("perm")
	permission := func(key string, minutesAgo int) *clerk.Permission {
		return &clerk.Permission{ID: id, Key: key, Name: "N", Description: "D", CreatedAt: at(1000), UpdatedAt: at(minutesAgo)}
	}
	first.apply(t, happened(30, permission("org:a", 30)), mirror.Applied)
	isEqual(t, "", map[string]any{
		"instance": "default", "id": id, "key": "org:a", "name": "N", "description": "D",
		"createdAt": metav1.NewMicroTime(at(1000)), "updatedAt": metav1.NewMicroTime(at(30)), "asOf": metav1.NewMicroTime(at(30)),
	}, read[v1alpha1.ClerkPermission](t, "default", id).Spec)
	blind.apply(t, happened(20, permission("org:b", 20)), mirror.Applied)
	blind.apply(t, happened(30, permission("org:a", 30)), mirror.Stale)
	blind.apply(t, happened(10, &clerk.PermissionDeleted{ID: id}), mirror.Applied)
	blind.apply(t, happened(5, permission("org:b", 5)), mirror.Stale)
	isEqual(t, "a tombstone", map[string]any{"instance": "default", "id": id, "deletedAt": metav1.NewMicroTime(at(10))},
		read[v1alpha1.ClerkPermission](t, "default", id).Spec)
}

// Two replicas rename a role at once, and neither knows of the other: what each has to keep is read again.
func TestTwoReplicasThatRenameARoleLoseNoKey(t *testing.T) {
	t.Parallel()
	id := newID("role")
	first.apply(t, happened(60, mate(id, "org:k0", 60)), mirror.Applied)
	done := make(chan error, 2)
	for n, r := range []*replica{first, second} {
		go func() {
			for i := range 10 {
				minute := 50 - 2*i - n
				err := r.deliver(t.Context(), happened(minute, mate(id, "org:k"+strings.Repeat("x", 2*i+n+1), minute)))
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	got := read[v1alpha1.ClerkRole](t, "default", id)
	if len(got.Spec.Keys) != 21 || got.Spec.Keys[0].Key != "org:k0" || got.Spec.Key != "org:k"+strings.Repeat("x", 20) {
		t.Errorf("the key is %s, of %v", got.Spec.Key, got.Spec.Keys)
	}
}

// hurried is a reader whose every answer is old when it comes: somebody else has renamed the role meanwhile.
type hurried struct {
	client.Reader
	meanwhile func() error
}

func (h *hurried) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := h.Reader.Get(ctx, key, object, options...); err != nil {
		return err
	}
	return h.meanwhile()
}

func TestLateNewsOfARoleThatOthersKeepChangingIsTriedAgainAndNotTakenForStale(t *testing.T) {
	t.Parallel()
	id, minute := newID("role"), 50
	rename := func() error {
		minute--
		_, err := first.Apply(t.Context(), "default", happened(minute, mate(id, fmt.Sprintf("org:k%d", minute), minute)))
		return err
	}
	if err := rename(); err != nil {
		t.Fatal(err)
	}
	options := blind.Options
	options.Live = &hurried{Reader: blind.Live, meanwhile: rename}
	if outcome, err := mirror.New(options).Apply(t.Context(), "default", happened(60, mate(id, "org:late", 60))); err == nil {
		t.Errorf("it is said to be %s, and the key is lost", outcome)
	}
	blind.apply(t, happened(60, mate(id, "org:late", 60)), mirror.Applied)
}
