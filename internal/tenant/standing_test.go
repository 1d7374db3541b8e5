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
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// day is a day of a month in which everything happens.
func day(n int) *metav1.MicroTime {
	return new(metav1.NewMicroTime(time.Date(2026, time.March, n, 12, 0, 0, 0, time.UTC)))
}

func TestWhoIsKeptOut(t *testing.T) {
	t.Parallel()
	yes, no := new(true), new(false)
	user := func(updated int, change func(*v1alpha1.ClerkUserSpec)) *v1alpha1.ClerkUser {
		u := &v1alpha1.ClerkUser{Spec: v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: day(updated)}}}
		if change != nil {
			change(&u.Spec)
		}
		return u
	}
	banned := func(u *v1alpha1.ClerkUserSpec) { u.Banned = yes }
	cases := map[string]struct {
		reason string
		told   v1alpha1.ClerkMemberUser // by a membership that changed on the 10th
		user   *v1alpha1.ClerkUser
		want   Bar
	}{
		"nobody knows anything":            {"", v1alpha1.ClerkMemberUser{}, nil, NotBarred},
		"the membership says banned":       {"it is all there is", v1alpha1.ClerkMemberUser{Banned: yes}, nil, BarredByBan},
		"the membership: deprovisioned":    {"", v1alpha1.ClerkMemberUser{Deprovisioned: yes}, nil, BarredByDirectory},
		"the user is banned":               {"", v1alpha1.ClerkMemberUser{}, user(11, banned), BarredByBan},
		"the user was, before":             {"the membership is newer, and doubt keeps out", v1alpha1.ClerkMemberUser{Banned: no}, user(9, banned), BarredByBan},
		"deprovisioned":                    {"", v1alpha1.ClerkMemberUser{}, user(11, func(u *v1alpha1.ClerkUserSpec) { u.Deprovisioned = yes }), BarredByDirectory},
		"deleted":                          {"a tombstone has no time of update", v1alpha1.ClerkMemberUser{}, user(1, func(u *v1alpha1.ClerkUserSpec) { u.UpdatedAt, u.DeletedAt = nil, day(2) }), BarredByDeletion},
		"unbanned since":                   {"the user's word is newer", v1alpha1.ClerkMemberUser{Banned: yes}, user(11, nil), NotBarred},
		"banned since, says the member":    {"the membership's word is newer", v1alpha1.ClerkMemberUser{Banned: yes}, user(9, nil), BarredByBan},
		"at the same moment":               {"doubt keeps out", v1alpha1.ClerkMemberUser{Banned: yes}, user(10, nil), BarredByBan},
		"deprovisioned since, by the same": {"", v1alpha1.ClerkMemberUser{Deprovisioned: yes}, user(9, nil), BarredByDirectory},
		"locked":                           {"too many attempts to sign in change no access", v1alpha1.ClerkMemberUser{}, user(11, func(u *v1alpha1.ClerkUserSpec) { u.Locked = yes }), NotBarred},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{UpdatedAt: day(10)}, User: tc.told}}
			if got := BarOf(member, tc.user); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestASignInLiftsNoBanThatAMembershipTellsOf(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason               string
		memberSaid, userSaid int
		want                 Bar
	}{
		"the membership told of it after the sign-in":      {"the user's object is newer by the sign-in alone", 20, 15, BarredByBan},
		"the user was told of after that, and not as such": {"unbanned since", 20, 21, NotBarred},
		"both at the same moment":                          {"doubt keeps out", 20, 20, BarredByBan},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{
				Entity: v1alpha1.Entity{UpdatedAt: day(1), AsOf: day(tc.memberSaid)},
				User:   v1alpha1.ClerkMemberUser{Banned: new(true)},
			}}
			user := &v1alpha1.ClerkUser{Spec: v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: day(15), AsOf: day(tc.userSaid)}}}
			if got := BarOf(member, user); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestWhatAMemberHolds(t *testing.T) {
	t.Parallel()
	role := func(id, key string, created int, change ...func(*v1alpha1.ClerkRoleSpec)) *v1alpha1.ClerkRole {
		r := &v1alpha1.ClerkRole{Spec: v1alpha1.ClerkRoleSpec{
			Entity:      v1alpha1.Entity{ID: id, CreatedAt: day(created), UpdatedAt: day(created)},
			Key:         key,
			Permissions: []v1alpha1.RolePermission{{ID: "perm_" + id, Key: "org:of:" + id, UpdatedAt: day(1)}},
		}}
		for _, c := range change {
			c(&r.Spec)
		}
		return r
	}
	had := func(key string, first, last int) func(*v1alpha1.ClerkRoleSpec) {
		return func(r *v1alpha1.ClerkRoleSpec) {
			r.Keys = append(r.Keys, v1alpha1.RoleKey{Key: key, FirstSeen: day(first), LastSeen: day(last)})
		}
	}
	// formerly is a key that was changed on a day to the one that the role has now.
	formerly := func(key string, until int) func(*v1alpha1.ClerkRoleSpec) {
		return func(r *v1alpha1.ClerkRoleSpec) {
			had(key, 1, 1)(r)
			had(r.Key, until, until)(r)
			r.UpdatedAt = day(until)
		}
	}
	dropped := func(r *v1alpha1.ClerkRoleSpec) { r.KeysDropped = new(true) }
	deleted := func(at int) func(*v1alpha1.ClerkRoleSpec) {
		return func(r *v1alpha1.ClerkRoleSpec) {
			r.Keys = r.SeenKeys()
			r.CreatedAt, r.UpdatedAt, r.Permissions, r.DeletedAt = nil, nil, nil, day(at)
		}
	}
	ambiguous, gone, unknown := Role{Doubt: RoleAmbiguous}, Role{Doubt: RoleDeleted}, Role{Doubt: RoleUnknown}
	own := Role{Key: "org:crew", Permissions: []string{"org:own"}}
	held := func(key, id string) Role { return Role{Key: key, Permissions: []string{"org:of:" + id}} }

	// The membership carries org:crew, and changed on the 10th.
	cases := map[string]struct {
		reason string
		roles  []*v1alpha1.ClerkRole
		want   Role
	}{
		"unknown":              {"the membership's own word counts", nil, own},
		"known":                {"the role's permissions are the member's", []*v1alpha1.ClerkRole{role("a", "org:crew", 1)}, held("org:crew", "a")},
		"renamed":              {"followed", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, formerly("org:crew", 12))}, held("org:mate", "a")},
		"renamed before":       {"somebody else has the key now, whose news is late", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, formerly("org:crew", 5))}, unknown},
		"renamed then":         {"it had the new key from that moment on", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, formerly("org:crew", 10))}, unknown},
		"renamed to it since":  {"Clerk tells the key that a role has now, in memberships that did not change", []*v1alpha1.ClerkRole{role("a", "org:crew", 1, formerly("org:mate", 15))}, held("org:crew", "a")},
		"changed since":        {"the role still had the key when it changed last", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, had("org:crew", 1, 11), had("org:mate", 12, 12))}, held("org:mate", "a")},
		"seen once, renamed":   {"when it was renamed, nobody heard: before the new key was seen", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, had("org:crew", 3, 3), had("org:mate", 12, 12))}, held("org:mate", "a")},
		"made since":           {"it cannot have been given before it was made", []*v1alpha1.ClerkRole{role("a", "org:crew", 11)}, unknown},
		"made then":            {"", []*v1alpha1.ClerkRole{role("a", "org:crew", 10)}, held("org:crew", "a")},
		"deleted before":       {"somebody else has the key now", []*v1alpha1.ClerkRole{role("a", "org:crew", 1, deleted(7))}, unknown},
		"the key came back":    {"", []*v1alpha1.ClerkRole{role("a", "org:crew", 1, had("org:crew", 1, 12), had("org:mate", 5, 5))}, held("org:crew", "a")},
		"the key in between":   {"how long it had that is not known", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, had("org:mate", 1, 12), had("org:crew", 5, 5))}, unknown},
		"keys dropped":         {"it may have had the key", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, dropped)}, ambiguous},
		"keys dropped, newer":  {"it was made after the membership changed", []*v1alpha1.ClerkRole{role("a", "org:mate", 11, dropped)}, own},
		"another's dropped":    {"a key belongs to one role at a time", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, dropped), role("b", "org:crew", 1)}, held("org:crew", "b")},
		"deleted":              {"", []*v1alpha1.ClerkRole{role("a", "org:crew", 1, deleted(20))}, gone},
		"deleted, renamed":     {"", []*v1alpha1.ClerkRole{role("a", "org:mate", 1, formerly("org:crew", 12), deleted(20))}, gone},
		"reused since":         {"the membership is older than the role that has the key now", []*v1alpha1.ClerkRole{role("b", "org:crew", 15), role("a", "org:mate", 1, formerly("org:crew", 14))}, held("org:mate", "a")},
		"reused before":        {"the membership changed when the key was the other's already", []*v1alpha1.ClerkRole{role("b", "org:crew", 6), role("a", "org:mate", 1, formerly("org:crew", 5))}, held("org:crew", "b")},
		"keys swapped":         {"either may be meant: both existed, and had the key", []*v1alpha1.ClerkRole{role("b", "org:crew", 1, formerly("org:mate", 14)), role("a", "org:mate", 1, formerly("org:crew", 14))}, ambiguous},
		"two former owners":    {"the later one had it when the membership changed", []*v1alpha1.ClerkRole{role("b", "org:x", 6, formerly("org:crew", 12)), role("a", "org:mate", 1, formerly("org:crew", 5))}, held("org:x", "b")},
		"two, and neither":     {"neither had it at the time", []*v1alpha1.ClerkRole{role("b", "org:x", 1, formerly("org:crew", 8)), role("a", "org:mate", 1, formerly("org:crew", 5))}, unknown},
		"deleted and reused":   {"", []*v1alpha1.ClerkRole{role("b", "org:crew", 8), role("a", "org:crew", 1, deleted(7))}, held("org:crew", "b")},
		"reused after":         {"the member held what was deleted", []*v1alpha1.ClerkRole{role("b", "org:crew", 15), role("a", "org:crew", 1, deleted(14))}, gone},
		"deletion known late":  {"when the key went over is not known", []*v1alpha1.ClerkRole{role("b", "org:crew", 8), role("a", "org:crew", 1, deleted(14))}, ambiguous},
		"permissions, deduped": {"", []*v1alpha1.ClerkRole{role("a", "org:crew", 1, func(r *v1alpha1.ClerkRoleSpec) { r.Permissions = append(r.Permissions, r.Permissions...) })}, held("org:crew", "a")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{UpdatedAt: day(10)}, Role: "org:crew", Permissions: []string{"org:own"}}}
			for _, roles := range [][]*v1alpha1.ClerkRole{tc.roles, reversed(tc.roles)} {
				got := RoleOf(member, roles, func(string) *v1alpha1.ClerkPermission { return nil })
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}
			}
		})
	}
}

func reversed(roles []*v1alpha1.ClerkRole) []*v1alpha1.ClerkRole {
	roles = slices.Clone(roles)
	slices.Reverse(roles)
	return roles
}

func TestAPermissionIsWhatIsLastKnownOfIt(t *testing.T) {
	t.Parallel()
	permission := func(key string, updated *metav1.MicroTime) *v1alpha1.ClerkPermission {
		return &v1alpha1.ClerkPermission{Spec: v1alpha1.ClerkPermissionSpec{Entity: v1alpha1.Entity{UpdatedAt: updated}, Key: key}}
	}
	dead := &v1alpha1.ClerkPermission{Spec: v1alpha1.ClerkPermissionSpec{Entity: v1alpha1.Entity{DeletedAt: day(1)}}}
	cases := map[string]struct {
		reason string
		told   *metav1.MicroTime
		known  *v1alpha1.ClerkPermission
		want   []string
	}{
		"unknown":        {"what the role tells counts", day(5), nil, []string{"org:told"}},
		"renamed since":  {"", day(5), permission("org:known", day(6)), []string{"org:known"}},
		"renamed before": {"the role tells of a later name", day(5), permission("org:known", day(4)), []string{"org:told"}},
		"the same":       {"", day(5), permission("org:told", day(5)), []string{"org:told"}},
		"no time":        {"what has a time counts", nil, permission("org:known", day(4)), []string{"org:known"}},
		"deleted":        {"for good, whatever a role tells", day(5), dead, []string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := &v1alpha1.ClerkRole{Spec: v1alpha1.ClerkRoleSpec{
				Entity:      v1alpha1.Entity{UpdatedAt: day(1)},
				Key:         "org:crew",
				Permissions: []v1alpha1.RolePermission{{ID: "perm_1", Key: "org:told", UpdatedAt: tc.told}},
			}}
			member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{UpdatedAt: day(10)}, Role: "org:crew"}}
			got := RoleOf(member, []*v1alpha1.ClerkRole{role}, func(string) *v1alpha1.ClerkPermission { return tc.known })
			if diff := cmp.Diff(tc.want, got.Permissions); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAUsernameMayUseTheWholeUser(t *testing.T) {
	t.Parallel()
	member := &v1alpha1.ClerkMember{Spec: v1alpha1.ClerkMemberSpec{
		Entity: v1alpha1.Entity{UpdatedAt: day(10)},
		UserID: "user_2A",
		User:   v1alpha1.ClerkMemberUser{Username: "jane", Identifier: "other@example.com"},
	}}
	user := func(change func(*v1alpha1.ClerkUserSpec)) *v1alpha1.ClerkUser {
		u := &v1alpha1.ClerkUser{Spec: v1alpha1.ClerkUserSpec{
			Entity:         v1alpha1.Entity{UpdatedAt: day(11)},
			PrimaryEmail:   v1alpha1.ClerkUserEmail{Address: "Jane@Example.com", Verified: new(true)},
			Username:       "janet",
			FirstName:      "Jane",
			LastName:       "Doe",
			ExternalID:     "crm-7",
			PublicMetadata: &runtime.RawExtension{Raw: []byte(`{"login":"jdoe"}`)},
		}}
		if change != nil {
			change(&u.Spec)
		}
		return u
	}
	unverified := user(func(u *v1alpha1.ClerkUserSpec) { u.PrimaryEmail.Verified = nil })
	cases := map[string]struct {
		reason, source string
		user           *v1alpha1.ClerkUser
		want           string
		err            error
	}{
		"address":             {"in lower case: RBAC compares letter by letter", "${user.primaryEmail}", user(nil), "jane@example.com", nil},
		"not verified":        {"anybody may claim an address", "${user.primaryEmail}", unverified, "", ErrEmailNotVerified},
		"no address":          {"", "${user.primaryEmail}", user(func(u *v1alpha1.ClerkUserSpec) { u.PrimaryEmail = v1alpha1.ClerkUserEmail{} }), "", ErrEmailNotVerified},
		"within":              {"everyone without would share the name", `${"clerk:" + user.primaryEmail}`, unverified, "", ErrEmailNotVerified},
		"by another name":     {"", `${[user].map(u, "clerk:" + u.primaryEmail)[0]}`, unverified, "", ErrEmailNotVerified},
		"by an unknown type":  {"", `${"clerk:" + dyn(user).primaryEmail}`, unverified, "", ErrEmailNotVerified},
		"a comparison":        {"it does not ask whether there is one", `${user.primaryEmail == "" ? user.id : user.primaryEmail}`, unverified, "", ErrEmailNotVerified},
		"a way out":           {"", `${has(user.primaryEmail) ? user.primaryEmail : user.id}`, unverified, "user_2A", nil},
		"a way out, not used": {"", `${has(user.primaryEmail) ? user.primaryEmail : user.id}`, user(nil), "jane@example.com", nil},
		"an optional":         {"", `${user.?primaryEmail.orValue(user.id)}`, unverified, "user_2A", nil},
		"no user":             {"a membership tells of no verified address", "${user.primaryEmail}", nil, "", ErrUserNotMirrored},
		"no user, a way out":  {"whether there is one is not known", `${has(user.primaryEmail) ? user.primaryEmail : user.id}`, nil, "", ErrUserNotMirrored},
		"id":                  {"known of everyone", "clerk:${user.id}", nil, "clerk:user_2A", nil},
		"user name":           {"of a membership, where there is no more", "${user.username}", nil, "jane", nil},
		"newer user name":     {"", "${user.username}", user(nil), "janet", nil},
		"older user name":     {"user names get reused", "${user.username}", user(func(u *v1alpha1.ClerkUserSpec) { u.UpdatedAt = day(9) }), "jane", nil},
		"external id":         {"", "${user.externalID}", user(nil), "crm-7", nil},
		"external id, none":   {"", "${user.externalID}", nil, "", ErrUserNotMirrored},
		"names":               {"", "${user.firstName}.${user.lastName}", user(nil), "Jane.Doe", nil},
		"metadata":            {"", "${user.publicMetadata.login}", user(nil), "jdoe", nil},
		"metadata, no user":   {"", "${user.publicMetadata.login}", nil, "", ErrUserNotMirrored},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			username, err := CompileUsername(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := username.Of(UserOf(member, tc.user))
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%s: got %q, %v; want %q, %v", tc.reason, got, err, tc.want, tc.err)
			}
			for _, personal := range []string{"jane", "Jane", "example.com"} {
				if err != nil && strings.Contains(err.Error(), personal) {
					t.Errorf("the error tells of a person: %v", err)
				}
			}
		})
	}
}

func TestItIsKnownWhatAUsernameNeeds(t *testing.T) {
	t.Parallel()
	for source, needs := range map[string]bool{
		"clerk:${user.id}": false, "${user.username == '' ? user.id : user.username}": false, "plain": false,
		"${user.primaryEmail}": true, "${has(user.externalID) ? 'a' : 'b'}": true, "${user.id}${user.firstName}": true,
		"${user.?publicMetadata.login.orValue('x')}": true,
	} {
		username, err := CompileUsername(source)
		if err != nil {
			t.Fatal(err)
		}
		if username.NeedsUser() != needs {
			t.Errorf("%s: needs a user: %t", source, !needs)
		}
	}
}
