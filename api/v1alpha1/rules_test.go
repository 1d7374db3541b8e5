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

package v1alpha1_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// rule is an object that is applied, over one that is there where before is given. says is how each cause begins, one a line, that
// the API server refuses it for; empty, it accepts it.
type rule struct {
	reason, before, after, says string
}

func checkRules(t *testing.T, kind string, rules map[string]rule) {
	t.Helper()
	for name, tc := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := newName()
			if tc.before != "" {
				if err := apply(t.Context(), kind, object, tc.before); err != nil {
					t.Fatal(err)
				}
			}
			err := apply(t.Context(), kind, object, tc.after)
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("%s: it is refused: %v", tc.reason, err)
			case tc.says != "" && err == nil:
				t.Errorf("%s: it is accepted", tc.reason)
			case tc.says != "" && !beginAlike(refusals(err), tc.says):
				t.Errorf("%s: got\n%s\nwant\n%s", tc.reason, refusals(err), tc.says)
			}
		})
	}
}

// beginAlike tells whether each line of a text begins as it should.
func beginAlike(text, beginnings string) bool {
	lines, wanted := strings.Split(text, "\n"), strings.Split(beginnings, "\n")
	return slices.EqualFunc(lines, wanted, strings.HasPrefix)
}

const (
	early = "2026-01-15T09:30:00.001000Z"
	later = "2026-01-15T09:30:00.002000Z"

	// past is before early. A tombstone that went back to it would be collected before its time.
	past = "2020-01-01T00:00:00.000000Z"
	down = "FieldValueForbidden spec.deletedAt: Forbidden: deletedAt does not go down"
)

func TestClerkOrganizationsFollowTheirRules(t *testing.T) {
	t.Parallel()
	const acme = "{instance: default, id: org_2A, name: Acme, slug: acme, updatedAt: '"
	tombstone := "{instance: default, id: org_2A, deletedAt: '" + early + "'}"
	tombstoneWith := func(field string) string {
		return "{instance: default, id: org_2A, deletedAt: '" + early + "', " + field + "}"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, id and deletedAt"
	const backwards = "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"
	const forGood = "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"
	checkRules(t, "ClerkOrganization", map[string]rule{
		"least":              {"", "", "{instance: default, id: org_2A, updatedAt: '" + early + "'}", ""},
		"no updatedAt":       {"what has no time cannot be ordered", "", "{instance: default, id: org_2A}", "FieldValueRequired spec.updatedAt: "},
		"a new tombstone":    {"of what was never seen", "", tombstone, ""},
		"a full tombstone":   {"it would keep a name", "", tombstoneWith("name: Acme"), keeps},
		"tombstone, slug":    {"", "", tombstoneWith("slug: acme"), keeps},
		"tombstone, image":   {"", "", tombstoneWith("imageURL: x"), keeps},
		"tombstone, limit":   {"", "", tombstoneWith("maxAllowedMemberships: 0"), keeps},
		"tombstone, created": {"", "", tombstoneWith("createdAt: '" + early + "'"), keeps},
		"tombstone, updated": {"", "", tombstoneWith("updatedAt: '" + early + "'"), keeps},

		"newer":                 {"", acme + early + "'}", acme + later + "'}", ""},
		"as new":                {"a repeat is no change", acme + early + "'}", acme + early + "'}", ""},
		"as new, other content": {"the last one told counts", acme + early + "'}", "{instance: default, id: org_2A, updatedAt: '" + early + "'}", ""},
		"older by 1 ms":         {"", acme + later + "'}", acme + early + "'}", backwards},
		"another time zone":     {"times are compared, not text", acme + later + "'}", acme + "2026-01-15T10:30:00.003000+01:00'}", ""},
		"without updatedAt":     {"it would forget what it knows", acme + early + "'}", "{instance: default, id: org_2A}", "FieldValueRequired spec.updatedAt: \n" + backwards},
		"deletion":              {"whatever its time", acme + later + "'}", tombstone, ""},
		"back to life":          {"deletion is final", tombstone, acme + later + "'}", forGood},
		"deleted again":         {"", tombstone, "{instance: default, id: org_2A, deletedAt: '" + later + "'}", forGood},
		"deleted earlier":       {"", tombstone, "{instance: default, id: org_2A, deletedAt: '" + past + "'}", down},
		"deleted as before":     {"", tombstone, tombstone, ""},
		"another instance":      {"", acme + early + "'}", "{instance: dev, id: org_2A, updatedAt: '" + later + "'}", "FieldValueInvalid spec.instance: "},
		"another id":            {"", acme + early + "'}", "{instance: default, id: org_2a, updatedAt: '" + later + "'}", "FieldValueInvalid spec.id: "},
		"another's deletion":    {"", acme + early + "'}", "{instance: dev, id: org_2A, deletedAt: '" + later + "'}", "FieldValueInvalid spec.instance: "},

		"no id":                {"", "", "{instance: default, updatedAt: '" + early + "'}", "FieldValueRequired spec.id: "},
		"no instance":          {"", "", "{id: org_2A, updatedAt: '" + early + "'}", "FieldValueRequired spec.instance: "},
		"id with '-'":          {"it could be another's name", "", "{instance: default, id: org-2A, updatedAt: '" + early + "'}", "FieldValueInvalid spec.id: "},
		"id with '_' first":    {"", "", "{instance: default, id: _org, updatedAt: '" + early + "'}", "FieldValueInvalid spec.id: "},
		"id with '_' last":     {"", "", "{instance: default, id: org_, updatedAt: '" + early + "'}", "FieldValueInvalid spec.id: "},
		"id too long":          {"", "", "{instance: default, id: " + strings.Repeat("a", 64) + ", updatedAt: '" + early + "'}", "FieldValueTooLong spec.id: "},
		"no time":              {"", "", "{instance: default, id: org_2A, updatedAt: yesterday}", "FieldValueTypeInvalid spec.updatedAt: "},
		"a negative limit":     {"", "", acme + early + "', maxAllowedMemberships: -1}", "FieldValueInvalid spec.maxAllowedMemberships: "},
		"metadata of any kind": {"", "", acme + early + "', publicMetadata: [1, {a: null}]}", ""},
	})
}

func TestClerkMembersFollowTheirRules(t *testing.T) {
	t.Parallel()
	jane := func(time, rest string) string {
		return "{instance: default, id: orgmem_2A, organizationID: org_2A, userID: user_2A, role: 'org:member', updatedAt: '" + time + "'" + rest + "}"
	}
	const required = "FieldValueInvalid spec: Invalid value: organizationID, userID and role are required"
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, the ids and deletedAt"
	const backwards = "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"
	const forGood = "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"
	tombstone := func(rest string) string {
		return "{instance: default, id: orgmem_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	without := func(field string) string {
		kept := []string{"instance: default", "id: orgmem_2A"}
		for _, other := range []string{"organizationID: org_2A", "userID: user_2A", "role: 'org:member'", "updatedAt: '" + early + "'"} {
			if !strings.HasPrefix(other, field+":") {
				kept = append(kept, other)
			}
		}
		return "{" + strings.Join(kept, ", ") + "}"
	}
	checkRules(t, "ClerkMember", map[string]rule{
		"least":                   {"", "", jane(early, ""), ""},
		"no role":                 {"", "", without("role"), required},
		"no organization":         {"", "", without("organizationID"), required},
		"no user":                 {"", "", without("userID"), required},
		"no updatedAt":            {"", "", without("updatedAt"), "FieldValueRequired spec.updatedAt: "},
		"a new tombstone":         {"of whom Clerk said no more than the id", "", tombstone(""), ""},
		"tombstone with ids":      {"", "", tombstone(", organizationID: org_2A, userID: user_2A"), ""},
		"tombstone, role":         {"", "", tombstone(", role: 'org:admin'"), keeps},
		"tombstone, user":         {"it would keep personal data", "", tombstone(", user: {firstName: Jane}"), keeps},
		"tombstone, permissions":  {"", "", tombstone(", permissions: ['org:read']"), keeps},
		"tombstone, updated":      {"", "", tombstone(", updatedAt: '" + early + "'"), keeps},
		"tombstone, created":      {"", "", tombstone(", createdAt: '" + early + "'"), keeps},
		"newer":                   {"", jane(early, ""), jane(later, ""), ""},
		"as new":                  {"a repeat is no change", jane(early, ""), jane(early, ""), ""},
		"older by 1 ms":           {"", jane(later, ""), jane(early, ""), backwards},
		"deletion":                {"it carries the time from before", jane(later, ""), tombstone(", organizationID: org_2A, userID: user_2A"), ""},
		"deletion without ids":    {"", jane(later, ""), tombstone(""), ""},
		"back to life":            {"who joins again has a new id", tombstone(""), jane(later, ""), forGood},
		"deleted again":           {"", tombstone(""), "{instance: default, id: orgmem_2A, deletedAt: '" + later + "'}", forGood},
		"deleted earlier":         {"", tombstone(""), "{instance: default, id: orgmem_2A, deletedAt: '" + past + "'}", down},
		"another organization":    {"", jane(early, ""), strings.Replace(jane(later, ""), "org_2A", "org_2B", 1), "FieldValueInvalid spec.organizationID: "},
		"another user":            {"", jane(early, ""), strings.Replace(jane(later, ""), "user_2A", "user_2B", 1), "FieldValueInvalid spec.userID: "},
		"a tombstone of another":  {"", jane(early, ""), tombstone(", organizationID: org_2B"), "FieldValueInvalid spec.organizationID: "},
		"another instance":        {"", jane(early, ""), strings.Replace(jane(later, ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":              {"", jane(early, ""), strings.Replace(jane(later, ""), "mem_2A", "mem_2a", 1), "FieldValueInvalid spec.id: "},
		"an empty user":           {"", "", jane(early, ", user: {}"), "FieldValueInvalid spec.user: "},
		"an empty permission":     {"", "", jane(early, ", permissions: ['']"), "FieldValueInvalid spec.permissions[0]: "},
		"a user's id that is bad": {"", "", strings.Replace(jane(early, ""), "user_2A", "user 2A", 1), "FieldValueInvalid spec.userID: "},
	})
}

func TestClerkUsersFollowTheirRules(t *testing.T) {
	t.Parallel()
	jane := func(time, rest string) string {
		return "{instance: default, id: user_2A, updatedAt: '" + time + "'" + rest + "}"
	}
	tombstone := func(rest string) string {
		return "{instance: default, id: user_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, id and deletedAt"
	const backwards = "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"
	const forGood = "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"
	const verified = ", primaryEmail: {address: a@x, verified: true}"
	rules := map[string]rule{
		"least":            {"", "", jane(early, ""), ""},
		"whole":            {"", "", jane(early, verified+", username: a, firstName: A, lastName: B, imageURL: d, externalID: c, banned: true, locked: true, deprovisioned: true, publicMetadata: [1]"), ""},
		"no updatedAt":     {"what has no time cannot be ordered", "", "{instance: default, id: user_2A}", "FieldValueRequired spec.updatedAt: "},
		"no address":       {"", "", jane(early, ", primaryEmail: {verified: true}"), "FieldValueRequired spec.primaryEmail.address: "},
		"a new tombstone":  {"of whom was never seen", "", tombstone(""), ""},
		"newer":            {"", jane(early, ", banned: true"), jane(later, ""), ""},
		"as new":           {"a repeat is no change", jane(early, verified), jane(early, verified), ""},
		"older by 1 ms":    {"the ban would be undone", jane(later, ", banned: true"), jane(early, ""), backwards},
		"deletion":         {"whatever its time", jane(later, verified), tombstone(""), ""},
		"back to life":     {"deletion is final", tombstone(""), jane(later, ""), forGood},
		"deleted again":    {"", tombstone(""), "{instance: default, id: user_2A, deletedAt: '" + later + "'}", forGood},
		"deleted earlier":  {"", tombstone(""), "{instance: default, id: user_2A, deletedAt: '" + past + "'}", down},
		"another instance": {"", jane(early, ""), strings.Replace(jane(later, ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":       {"", jane(early, ""), strings.Replace(jane(later, ""), "user_2A", "user_2a", 1), "FieldValueInvalid spec.id: "},
		"a bad id":         {"", "", strings.Replace(jane(early, ""), "user_2A", "user-2A", 1), "FieldValueInvalid spec.id: "},
	}
	for _, field := range []string{
		"primaryEmail: {address: a@x}", "username: a", "firstName: a", "lastName: a", "imageURL: a", "externalID: a", "banned: true", "locked: false",
		"deprovisioned: true", "createdAt: '" + early + "'", "updatedAt: '" + early + "'",
	} {
		rules["a tombstone with "+field] = rule{"it would keep something of a person", "", tombstone(", " + field), keeps}
	}
	checkRules(t, "ClerkUser", rules)
}

func TestClerkRolesFollowTheirRules(t *testing.T) {
	t.Parallel()
	role := func(time, key, rest string) string {
		return "{instance: default, id: role_2A, key: '" + key + "', updatedAt: '" + time + "'" + rest + "}"
	}
	tombstone := func(rest string) string {
		return "{instance: default, id: role_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	seen := func(key, first, last string) string {
		return "{key: '" + key + "', firstSeen: '" + first + "', lastSeen: '" + last + "'}"
	}
	keys := func(names ...string) string {
		var entries []string
		for _, name := range names {
			entries = append(entries, seen(name, early, early))
		}
		return ", keys: [" + strings.Join(entries, ", ") + "]"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, id, the keys, createdAt and deletedAt"
	const backwards = "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"
	const forGood = "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"
	const changed = "FieldValueForbidden spec.keys: Forbidden: a key that changes is kept among keys"
	const kept = "FieldValueForbidden spec.keys: Forbidden: keys are kept, and their times only go apart"
	const createdAtKept = "FieldValueForbidden spec.createdAt: Forbidden: createdAt is kept"
	const required = "FieldValueInvalid spec: Invalid value: key is required"
	checkRules(t, "ClerkRole", map[string]rule{
		"least":                     {"", "", role(early, "org:mate", ""), ""},
		"whole":                     {"", "", role(early, "org:mate", keys("org:crew")+", name: Mate, description: D, permissions: [{id: perm_2A, key: 'org:a:b', updatedAt: '"+early+"'}]"), ""},
		"no key":                    {"members name it by that", "", "{instance: default, id: role_2A, updatedAt: '" + early + "'}", required},
		"no updatedAt":              {"", "", "{instance: default, id: role_2A, key: 'org:mate'}", "FieldValueRequired spec.updatedAt: "},
		"a permission without key":  {"", "", role(early, "org:mate", ", permissions: [{id: perm_2A}]"), "FieldValueRequired spec.permissions[0].key: "},
		"a key without its times":   {"", "", role(early, "org:mate", ", keys: [{key: a}]"), "FieldValueRequired spec.keys[0].firstSeen: \nFieldValueRequired spec.keys[0].lastSeen: "},
		"newer":                     {"", role(early, "org:mate", ""), role(later, "org:mate", ""), ""},
		"older by 1 ms":             {"", role(later, "org:mate", ""), role(early, "org:mate", ""), backwards},
		"older, with another key":   {"it is old, whatever else", role(later, "org:mate", ""), role(early, "org:crew", ""), changed + "\n" + backwards},
		"renamed":                   {"", role(early, "org:crew", ""), role(later, "org:mate", keys("org:crew")), ""},
		"renamed, forgetful":        {"members may still carry the key", role(early, "org:crew", ""), role(later, "org:mate", ""), changed},
		"renamed, wrong memory":     {"", role(early, "org:crew", ""), role(later, "org:mate", keys("org:other")), changed},
		"a former key forgotten":    {"", role(early, "org:mate", keys("org:crew")), role(later, "org:mate", ""), kept},
		"renamed back":              {"", role(early, "org:mate", keys("org:crew")), role(later, "org:crew", keys("org:crew", "org:mate")), ""},
		"a third name":              {"", role(early, "org:mate", keys("org:crew")), role(later, "org:first", keys("org:crew", "org:mate")), ""},
		"deletion":                  {"it keeps the keys", role(later, "org:mate", keys("org:crew")), tombstone(", key: 'org:mate'" + keys("org:crew")), ""},
		"deletion, forgetful":       {"whoever has the role would have it again", role(later, "org:mate", ""), tombstone(""), changed},
		"a new tombstone":           {"", "", tombstone(""), ""},
		"a new tombstone with key":  {"", "", tombstone(", key: 'org:mate'"), ""},
		"a tombstone with a name":   {"", "", tombstone(", name: Mate"), keeps},
		"a tombstone, permissions":  {"", "", tombstone(", permissions: [{id: perm_2A, key: 'org:a:b'}]"), keeps},
		"a tombstone, updated":      {"", "", tombstone(", updatedAt: '" + early + "'"), keeps},
		"back to life":              {"", tombstone(", key: 'org:mate'"), role(later, "org:mate", ""), forGood},
		"a key that is seen longer": {"", role(early, "a", ", keys: ["+seen("a", later, later)+"]"), role(later, "a", ", keys: ["+seen("a", early, later)+"]"), ""},
		"a key that is seen later":  {"", role(early, "a", ", keys: ["+seen("a", early, later)+"]"), role(later, "a", ", keys: ["+seen("a", later, later)+"]"), kept},
		"a key that is seen less":   {"", role(early, "a", ", keys: ["+seen("a", early, later)+"]"), role(later, "a", ", keys: ["+seen("a", early, early)+"]"), kept},
		"a tombstone gets a key":    {"by late news", tombstone(""), tombstone(", key: 'org:mate'" + keys("org:mate")), ""},
		"a tombstone gets its time": {"", tombstone(""), tombstone(", createdAt: '" + early + "'"), ""},
		"a tombstone loses a key":   {"", tombstone(keys("org:mate")), tombstone(""), kept},
		"a tombstone, other key":    {"it had this one later", tombstone(", key: a" + keys("a")), tombstone(", key: b" + keys("a", "b")), ""},
		"deleted earlier":           {"a listing missed it after its event", strings.Replace(tombstone(""), early, later, 1), tombstone(""), ""},
		"deleted later":             {"", tombstone(""), strings.Replace(tombstone(""), early, later, 1), forGood},
		"made earlier":              {"", role(early, "a", ", createdAt: '"+later+"'"), role(early, "a", ", createdAt: '"+early+"'"), ""},
		"made later":                {"", role(early, "a", ", createdAt: '"+early+"'"), role(early, "a", ", createdAt: '"+later+"'"), createdAtKept},
		"made no more":              {"", role(early, "a", ", createdAt: '"+early+"'"), role(early, "a", ""), createdAtKept},
		"too many keys":             {"then none is kept", role(early, "a", keys("a", "b")), role(later, "c", ", keysDropped: true"), ""},
		"too many keys, some kept":  {"", "", role(early, "a", keys("a")+", keysDropped: true"), "FieldValueInvalid spec: Invalid value: no keys are kept where keysDropped is set"},
		"too many keys, no more":    {"", role(early, "a", ", keysDropped: true"), role(later, "a", ""), "FieldValueForbidden spec.keysDropped: Forbidden: keysDropped stays"},
		"another instance":          {"", role(early, "a", ""), strings.Replace(role(later, "a", ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":                {"", role(early, "a", ""), strings.Replace(role(later, "a", ""), "role_2A", "role_2a", 1), "FieldValueInvalid spec.id: "},
	})
}

func TestClerkPermissionsFollowTheirRules(t *testing.T) {
	t.Parallel()
	permission := func(time, rest string) string {
		return "{instance: default, id: perm_2A, key: 'org:a:b', updatedAt: '" + time + "'" + rest + "}"
	}
	tombstone := func(rest string) string {
		return "{instance: default, id: perm_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, id and deletedAt"
	checkRules(t, "ClerkPermission", map[string]rule{
		"least":            {"", "", permission(early, ""), ""},
		"whole":            {"", "", permission(early, ", name: A, description: B, createdAt: '"+early+"'"), ""},
		"no key":           {"", "", "{instance: default, id: perm_2A, updatedAt: '" + early + "'}", "FieldValueInvalid spec: Invalid value: key is required"},
		"newer":            {"", permission(early, ""), strings.Replace(permission(later, ""), "a:b", "a:c", 1), ""},
		"older by 1 ms":    {"", permission(later, ""), permission(early, ""), "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"},
		"deletion":         {"", permission(later, ""), tombstone(""), ""},
		"deleted earlier":  {"", tombstone(""), "{instance: default, id: perm_2A, deletedAt: '" + past + "'}", down},
		"back to life":     {"", tombstone(""), permission(later, ""), "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"},
		"tombstone, key":   {"", "", tombstone(", key: 'org:a:b'"), keeps},
		"tombstone, name":  {"", "", tombstone(", name: A"), keeps},
		"another instance": {"", permission(early, ""), strings.Replace(permission(later, ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":       {"", permission(early, ""), strings.Replace(permission(later, ""), "perm_2A", "perm_2a", 1), "FieldValueInvalid spec.id: "},
	})
}

func TestClerkSubscriptionItemsFollowTheirRules(t *testing.T) {
	t.Parallel()
	item := func(time, rest string) string {
		return "{instance: default, id: csub_item_2A, organizationID: org_2A, status: active, plan: pro, updatedAt: '" + time + "'" + rest + "}"
	}
	tombstone := func(rest string) string {
		return "{instance: default, id: csub_item_2A, organizationID: org_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, the ids and deletedAt"
	const needs = "FieldValueInvalid spec: Invalid value: organizationID and status are required unless the item has ended"
	checkRules(t, "ClerkSubscriptionItem", map[string]rule{
		"least": {"", "", strings.Replace(item(early, ""), ", plan: pro", "", 1), ""},
		"whole": {
			"", "", item(early, ", planID: cplan_2A, periodStart: '"+early+"', periodEnd: '"+later+"', seats: 0, createdAt: '"+early+"', asOf: '"+early+
				"', droppedFields: [plan]"), "",
		},
		"no status":            {"it gives a plan, or none", "", strings.Replace(item(early, ""), ", status: active", "", 1), needs},
		"no organization":      {"", "", strings.Replace(item(early, ""), ", organizationID: org_2A", "", 1), needs},
		"another organization": {"", item(early, ""), strings.Replace(item(later, ""), "org_2A", "org_2B", 1), "FieldValueInvalid spec.organizationID: "},
		"a status of tomorrow": {"Clerk may add one", "", strings.Replace(item(early, ""), "active", "paused", 1), ""},
		"no word":              {"", "", strings.Replace(item(early, ""), "active", "'Not a word'", 1), "FieldValueInvalid spec.status: "},
		"negative seats":       {"", "", item(early, ", seats: -1"), "FieldValueInvalid spec.seats: "},
		"newer":                {"", item(early, ""), strings.Replace(item(later, ""), "pro", "free", 1), ""},
		"older by 1 ms":        {"", item(later, ""), item(early, ""), "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"},
		"it ends":              {"", item(later, ""), tombstone(""), ""},
		"it begins again":      {"", tombstone(""), item(later, ""), "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"},
		"ended earlier":        {"", tombstone(""), strings.Replace(tombstone(""), early, past, 1), down},
		"tombstone, plan":      {"", "", tombstone(", plan: pro"), keeps},
		"tombstone, status":    {"", "", tombstone(", status: ended"), keeps},
		"another instance":     {"", item(early, ""), strings.Replace(item(later, ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":           {"", item(early, ""), strings.Replace(item(later, ""), "csub_item_2A", "csub_item_2a", 1), "FieldValueInvalid spec.id: "},
	})
}

func TestClerkOrganizationDomainsFollowTheirRules(t *testing.T) {
	t.Parallel()
	domain := func(time, rest string) string {
		return "{instance: default, id: orgdmn_2A, organizationID: org_2A, name: acme.example, updatedAt: '" + time + "'" + rest + "}"
	}
	named := func(name string) string { return strings.Replace(domain(early, ""), "acme.example", "'"+name+"'", 1) }
	tombstone := func(rest string) string {
		return "{instance: default, id: orgdmn_2A, organizationID: org_2A, deletedAt: '" + early + "'" + rest + "}"
	}
	const keeps = "FieldValueInvalid spec: Invalid value: a tombstone keeps nothing but instance, the ids and deletedAt"
	checkRules(t, "ClerkOrganizationDomain", map[string]rule{
		"least": {"", "", domain(early, ""), ""},
		"whole": {
			"", "", domain(early, ", ownership: {status: verified, strategy: txt, verifiedAt: '"+early+"'}, affiliation: {status: expired}, "+
				"enrollmentMode: enterprise_sso, createdAt: '"+early+"', asOf: '"+early+"', droppedFields: [affiliation]"), "",
		},
		"no name":                {"Clerk sent none of use", "", strings.Replace(domain(early, ""), "name: acme.example, ", "", 1), ""},
		"punycode":               {"", "", named("xn--bcher-kva.example"), ""},
		"upper case":             {"names are compared as text", "", named("Acme.example"), "FieldValueInvalid spec.name: "},
		"a full stop at the end": {"", "", named("acme.example."), "FieldValueInvalid spec.name: "},
		"one label":              {"it would stand for all below", "", named("example"), "FieldValueInvalid spec.name: "},
		"a comma":                {"the names stand in a list", "", named("acme.example,evil.example"), "FieldValueInvalid spec.name: "},
		"a wildcard":             {"", "", named("*.acme.example"), "FieldValueInvalid spec.name: "},
		"beyond ASCII":           {"", "", named("bücher.example"), "FieldValueInvalid spec.name: "},
		"no organization":        {"", "", strings.Replace(domain(early, ""), "organizationID: org_2A, ", "", 1), "FieldValueRequired spec.organizationID: "},
		"another organization":   {"", domain(early, ""), strings.Replace(domain(later, ""), "org_2A", "org_2B", 1), "FieldValueInvalid spec.organizationID: "},
		"a status of tomorrow":   {"Clerk may add one", "", domain(early, ", ownership: {status: paused}"), ""},
		"no word":                {"", "", domain(early, ", ownership: {status: 'Not a word'}"), "FieldValueInvalid spec.ownership.status: "},
		"newer":                  {"", domain(early, ", ownership: {status: verified}"), domain(later, ""), ""},
		"older by 1 ms":          {"", domain(later, ""), domain(early, ""), "FieldValueForbidden spec.updatedAt: Forbidden: updatedAt never goes back"},
		"it goes":                {"", domain(later, ""), tombstone(""), ""},
		"it comes back":          {"", tombstone(""), domain(later, ""), "FieldValueForbidden spec.deletedAt: Forbidden: it is deleted for good"},
		"gone earlier":           {"", tombstone(""), strings.Replace(tombstone(""), early, past, 1), down},
		"tombstone, name":        {"", "", tombstone(", name: acme.example"), keeps},
		"tombstone, ownership":   {"", "", tombstone(", ownership: {status: verified}"), keeps},
		"of nobody knows whom":   {"a deletion does not say", "", strings.Replace(tombstone(""), "organizationID: org_2A, ", "", 1), ""},
		"another instance":       {"", domain(early, ""), strings.Replace(domain(later, ""), "default", "dev", 1), "FieldValueInvalid spec.instance: "},
		"another id":             {"", domain(early, ""), strings.Replace(domain(later, ""), "orgdmn_2A", "orgdmn_2a", 1), "FieldValueInvalid spec.id: "},
	})
}

func TestTenantClassesFollowTheirRules(t *testing.T) {
	t.Parallel()
	bound := func(rule string) string { return "{namespaces: [{name: a, roleBindings: [" + rule + "]}]}" }
	deleted := func(rule string) string { return "{namespaces: [{name: a}], deletion: " + rule + "}" }
	const either = "FieldValueInvalid spec.namespaces[0].roleBindings[0]: Invalid value: give either role or permission"
	checkRules(t, "TenantClass", map[string]rule{
		"least":               {"", "", "{namespaces: [{name: a}]}", ""},
		"a role":              {"", "", bound("{role: 'org:admin', clusterRole: admin}"), ""},
		"a permission":        {"", "", bound("{permission: 'org:read', clusterRole: view}"), ""},
		"role and permission": {"which of them?", "", bound("{role: 'org:admin', permission: 'org:read', clusterRole: view}"), either},
		"neither":             {"it would be for nobody", "", bound("{clusterRole: view}"), either},
		"no ClusterRole":      {"", "", bound("{role: 'org:admin'}"), "FieldValueRequired spec.namespaces[0].roleBindings[0].clusterRole: "},
		"no namespaces":       {"somebody forgot them?", "", "{}", "FieldValueRequired spec.namespaces: "},
		"namespaces, empty":   {"it gives nothing", "", "{namespaces: []}", ""},
		"ServiceAccounts":     {"", "", "{derivedAccess: None, serviceAccounts: Recycle, namespaces: []}", ""},
		"ServiceAccounts, without a bound": {
			"tokens would be left", "", "{serviceAccounts: Recycle, namespaces: []}",
			"FieldValueInvalid spec.serviceAccounts: Invalid value: Recycle needs derivedAccess to be Capped or None",
		},
		"bounds of members": {"", "", "{members: {atLeast: 3, keepAtLeast: 2}, namespaces: []}", ""},
		"bounds that are one": {
			"an organization would move to and fro", "", "{members: {atLeast: 3, keepAtLeast: 3}, namespaces: []}",
			"FieldValueInvalid spec.members: Invalid value: keepAtLeast is below atLeast",
		},
		"half of the bounds":   {"", "", "{members: {atLeast: 3}, namespaces: []}", "FieldValueRequired spec.members.keepAtLeast: "},
		"a condition":          {"", "", bound("{role: 'org:admin', clusterRole: view, when: 'true', until: 'null'}"), ""},
		"an empty condition":   {"", "", bound("{role: 'org:admin', clusterRole: view, when: ''}"), "FieldValueInvalid spec.namespaces[0].roleBindings[0].when: "},
		"no name":              {"", "", "{namespaces: [{labels: {a: b}}]}", "failed to create typed patch object"},
		"a delay":              {"", "", deleted("{policy: Delete, after: 1h30m}"), ""},
		"no delay":             {"", "", deleted("{policy: Delete, after: 0s}"), ""},
		"a negative delay":     {"", "", deleted("{after: -1h}"), "FieldValueInvalid spec.deletion.after: \nFieldValueInvalid spec.deletion: Invalid value: after is not below 0s"},
		"a delay in days":      {"Go knows no days", "", deleted("{after: 7d}"), "FieldValueInvalid spec.deletion.after: \nFieldValueInvalid spec.deletion: "},
		"a delay beyond times": {"nobody could read it", "", deleted("{after: 99999999999h}"), "FieldValueInvalid spec.deletion: "},
		"another policy":       {"", "", deleted("{policy: Orphan}"), "FieldValueNotSupported spec.deletion.policy: "},
		"a policy's name":      {"", "", "{namespaces: [{name: a, networkPolicies: [{name: A_b, spec: {podSelector: {}}}]}]}", "FieldValueInvalid spec.namespaces[0].networkPolicies[0].name: "},
		"an expression as port": {
			"strings within a policy may hold expressions", "",
			"{namespaces: [{name: a, networkPolicies: [{name: b, spec: {podSelector: {}, ingress: [{ports: [{port: '${organization.slug}'}]}]}}]}]}", "",
		},
	})
}

func TestQuantitiesAndPortsOfATenantClassFollowTheirRules(t *testing.T) {
	t.Parallel()
	quota := func(pods string) string {
		return "{namespaces: [{name: a, resourceQuota: {hard: {pods: " + pods + "}}}]}"
	}
	limits := func(cpu string) string {
		return "{namespaces: [{name: a, limitRange: {limits: [{type: Container, max: {cpu: " + cpu + "}}]}}]}"
	}
	port := func(port string) string {
		return "{namespaces: [{name: a, networkPolicies: [{name: p, spec: {podSelector: {}, egress: [{ports: [" + port + "]}]}}]}]}"
	}
	const (
		pods = "FieldValueInvalid spec.namespaces[0].resourceQuota.hard.pods: "
		cpu  = "FieldValueInvalid spec.namespaces[0].limitRange.limits[0].max.cpu: "
		at   = "spec.namespaces[0].networkPolicies[0].spec.egress[0].ports[0]."
	)
	long := "'${" + strings.Repeat("a", 1022) + "}'"
	checkRules(t, "TenantClass", map[string]rule{
		"a number":           {"as Kubernetes itself takes it", "", quota("10"), ""},
		"text":               {"", "", quota("'10'"), ""},
		"with a suffix":      {"", "", limits("500m"), ""},
		"an exponent":        {"", "", limits("5e3"), ""},
		"an expression":      {"", "", quota("'${organization.members}'"), ""},
		"in lines":           {"", "", quota(`"${organization.\nmembers}"`), ""},
		"part of it":         {"", "", limits("'${organization.members}Gi'"), ""},
		"no quantity":        {"", "", quota("many"), pods},
		"a fraction of YAML": {"it may be rounded", "", quota("1.5"), "FieldValueTypeInvalid spec.namespaces[0].resourceQuota.hard.pods: "},
		"a truth":            {"", "", quota("true"), "FieldValueTypeInvalid spec.namespaces[0].resourceQuota.hard.pods: "},
		"no limit":           {"", "", limits("lots"), cpu},
		"below 0":            {"", "", quota("'-1'"), pods},
		"an endless number":  {"it would take all memory to compute with", "", quota("1e1000000000"), pods},
		"1024 characters":    {"", "", quota(long[:1024] + "}'"), ""},
		"1025 characters":    {"", "", quota(long), "FieldValueTooLong spec.namespaces[0].resourceQuota.hard.pods: "},
		"a port":             {"", "", port("{port: 8080, endPort: 8090}"), ""},
		"a port's name":      {"", "", port("{port: http}"), ""},
		"ports, expressions": {"", "", port("{port: '${organization.members}', endPort: '${organization.members + 1}', protocol: '${\"TCP\"}'}"), ""},
		"a port below 0":     {"", "", port("{port: '-1'}"), "FieldValueInvalid " + at + "port: "},
		"no port's name":     {"", "", port("{port: Not_A_Name}"), "FieldValueInvalid " + at + "port: "},
		"no end of ports":    {"", "", port("{port: 1, endPort: '2-'}"), "FieldValueInvalid " + at + "endPort: "},
		"a long name":        {"a port's name has 15 characters at most", "", port("{port: abcdefghijklmnop}"), "FieldValueInvalid " + at + "port: "},
		"an empty port":      {"", "", port("{port: ''}"), "FieldValueInvalid " + at + "port: "},
		"a port, a list":     {"", "", port("{port: [1]}"), "FieldValueTypeInvalid " + at + "port: "},
	})
}

// What is stored is read, whatever number it is: one class must not keep all others from being read.
func TestAPortBeyondAllNumbersIsRead(t *testing.T) {
	t.Parallel()
	name := newName()
	if err := apply(t.Context(), "TenantClass", name, `{namespaces: [{name: a, resourceQuota: {hard: {pods: 10, cpu: "2"}},
		networkPolicies: [{name: p, spec: {podSelector: {}, egress: [{ports: [{port: 9000000000000000000, endPort: 443}]}]}}]}]}`); err != nil {
		t.Fatal(err)
	}
	namespace := get[v1alpha1.TenantClass](t, name).Spec.Namespaces[0]
	want := v1alpha1.TenantPolicyPort{Port: "9000000000000000000", EndPort: "443"}
	if have := namespace.NetworkPolicies[0].Spec.Egress[0].Ports[0]; have != want {
		t.Errorf("the port is %+v", have)
	}
	if hard := namespace.ResourceQuota.Hard; hard["pods"] != "10" || hard["cpu"] != "2" {
		t.Errorf("the quota is %v", hard)
	}
}

func TestATenantClassHasBounds(t *testing.T) {
	t.Parallel()
	// list is so many items, map so many entries, of which each holds its number at %d.
	list := func(count int, item string) string { return "[" + numbered(count, item) + "]" }
	entries := func(count int) string { return "{" + numbered(count, "'example.com/k%d': v") + "}" }
	within := func(field string) string { return "{namespaces: [{name: a, " + field + "}]}" }
	text := func(length int) string { return strings.Repeat("a", length) }
	const (
		policy  = "{name: p%d, spec: {podSelector: {}}}"
		binding = "{role: 'org:r%d', clusterRole: view}"
	)
	at := func(field string) string { return "spec.namespaces[0]." + field + ": " }
	checkRules(t, "TenantClass", map[string]rule{
		"16 namespaces":            {"", "", "{namespaces: " + list(16, "{name: 'a%d'}") + "}", ""},
		"17 namespaces":            {"", "", "{namespaces: " + list(17, "{name: 'a%d'}") + "}", "FieldValueTooMany spec.namespaces: "},
		"64 labels":                {"", "", within("labels: " + entries(64)), ""},
		"65 labels":                {"", "", within("labels: " + entries(65)), "FieldValueTooMany " + at("labels")},
		"64 annotations":           {"", "", within("annotations: " + entries(64)), ""},
		"65 annotations":           {"", "", within("annotations: " + entries(65)), "FieldValueTooMany " + at("annotations")},
		"32 policies":              {"", "", within("networkPolicies: " + list(32, policy)), ""},
		"33 policies":              {"", "", within("networkPolicies: " + list(33, policy)), "FieldValueTooMany " + at("networkPolicies")},
		"64 role bindings":         {"", "", within("roleBindings: " + list(64, binding)), ""},
		"65 role bindings":         {"", "", within("roleBindings: " + list(65, binding)), "FieldValueTooMany " + at("roleBindings")},
		"a name of 512":            {"templates are longer than names", "", "{namespaces: [{name: " + text(512) + "}]}", ""},
		"a name of 513":            {"", "", "{namespaces: [{name: " + text(513) + "}]}", "FieldValueTooLong " + at("name")},
		"a match of 4096":          {"", "", "{match: " + text(4096) + ", namespaces: [{name: a}]}", ""},
		"a match of 4097":          {"", "", "{match: " + text(4097) + ", namespaces: [{name: a}]}", "FieldValueTooLong spec.match: "},
		"a role of 257":            {"", "", within("roleBindings: [{role: " + text(257) + ", clusterRole: a}]"), "FieldValueTooLong " + at("roleBindings[0].role")},
		"a permission of 257":      {"", "", within("roleBindings: [{permission: " + text(257) + ", clusterRole: a}]"), "FieldValueTooLong " + at("roleBindings[0].permission")},
		"a ClusterRole of 254":     {"", "", within("roleBindings: [{role: a, clusterRole: " + text(254) + "}]"), "FieldValueTooLong " + at("roleBindings[0].clusterRole")},
		"a policy's name of 254":   {"", "", within("networkPolicies: [{name: " + text(254) + ", spec: {podSelector: {}}}]"), "FieldValueTooLong " + at("networkPolicies[0].name")},
		"two policies of one name": {"one would win", "", within("networkPolicies: [{name: p, spec: {podSelector: {}}}, {name: p, spec: {podSelector: {}}}]"), "failed to create typed patch object"},
	})
}

// numbered is a list of so many items, in each of which %d is its number.
func numbered(count int, item string) string {
	items := make([]string, count)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "%d", strconv.Itoa(i))
	}
	return strings.Join(items, ", ")
}

func TestClerkInstancesFollowTheirRules(t *testing.T) {
	t.Parallel()
	const webhook = "webhook: {signingSecretRef: {name: secret}}"
	checkRules(t, "ClerkInstance", map[string]rule{
		"least":          {"", "", "{" + webhook + "}", ""},
		"whole":          {"", "", "{" + webhook + ", instanceID: ins_2A, username: 'clerk:${user.username}'}", ""},
		"no webhook":     {"nothing would be heard", "", "{}", "FieldValueInvalid spec: Invalid value: webhook or api is required"},
		"an API alone":   {"", "", "{api: {secretKeyRef: {name: secret, key: key}}}", ""},
		"no interval":    {"none but those on demand", "", "{api: {secretKeyRef: {name: secret, key: key}, resyncInterval: '0'}}", ""},
		"an hour":        {"", "", "{api: {secretKeyRef: {name: secret, key: key}, resyncInterval: 1h30m}, mode: Observe}", ""},
		"a bad mode":     {"", "", "{" + webhook + ", mode: Pause}", "FieldValueNotSupported spec.mode: "},
		"no Secret":      {"", "", "{webhook: {}}", "FieldValueRequired spec.webhook.signingSecretRef: "},
		"no name":        {"", "", "{webhook: {signingSecretRef: {}}}", "FieldValueRequired spec.webhook.signingSecretRef.name: "},
		"an empty name":  {"", "", "{webhook: {signingSecretRef: {name: ''}}}", "FieldValueInvalid spec.webhook.signingSecretRef.name: "},
		"a bad id":       {"", "", "{" + webhook + ", instanceID: 'ins 2A'}", "FieldValueInvalid spec.instanceID: "},
		"no username":    {"the default is left out, not empty", "", "{" + webhook + ", username: ''}", "FieldValueInvalid spec.username: "},
		"users":          {"", "", "{" + webhook + ", users: All}", ""},
		"other users":    {"", "", "{" + webhook + ", users: Some}", "FieldValueNotSupported spec.users: "},
		"another secret": {"rotation may be by name", "{" + webhook + "}", "{webhook: {signingSecretRef: {name: other}}}", ""},
	})
}

func TestClerkSinksFollowTheirRules(t *testing.T) {
	t.Parallel()
	const from = "instanceRef: {name: default}, webhook: {signingSecretRef: {name: secret}}"
	spec := func(rest string) string { return "{" + from + ", " + rest + "}" }
	http := func(rest string) string { return spec("http: {" + rest + "}") }
	nats := func(rest string) string { return spec("nats: {" + rest + "}") }
	checkRules(t, "ClerkSink", map[string]rule{
		"http":                 {"", "", http("url: 'http://audit.apps.svc:8080/events?x=1'"), ""},
		"nats":                 {"", "", nats("servers: ['nats://nats.nats.svc:4222', 'tls://[2001:db8::1]:4222']"), ""},
		"no target":            {"events would go nowhere", "", "{" + from + "}", "FieldValueInvalid spec: Invalid value: exactly one target"},
		"two targets":          {"one sink, one endpoint", "", spec("http: {url: 'http://a'}, nats: {servers: ['nats://a']}"), "FieldValueInvalid spec: Invalid value: exactly one target"},
		"no instance":          {"", "", "{webhook: {signingSecretRef: {name: secret}}, http: {url: 'http://a'}}", "FieldValueRequired spec.instanceRef: "},
		"a long instance":      {"as long as names of ClerkInstances may be", "", "{instanceRef: {name: " + strings.Repeat("a", 63) + "}, webhook: {signingSecretRef: {name: secret}}, http: {url: 'http://a'}}", ""},
		"too long an instance": {"no ClerkInstance has such a name", "", "{instanceRef: {name: " + strings.Repeat("a", 64) + "}, webhook: {signingSecretRef: {name: secret}}, http: {url: 'http://a'}}", "FieldValueTooLong spec.instanceRef.name: "},
		"no secret":            {"", "", "{instanceRef: {name: default}, http: {url: 'http://a'}}", "FieldValueRequired spec.webhook: "},
		"another scheme":       {"", "", http("url: 'ftp://a/b'"), "FieldValueInvalid spec.http.url: "},
		"a password in a url":  {"it would be seen in kubectl", "", http("url: 'https://me:secret@a/b'"), "FieldValueInvalid spec.http.url: "},
		"no host":              {"", "", http("url: 'http:///b'"), "FieldValueInvalid spec.http.url: "},
		"a token in the clear": {"", "", http("url: 'http://a', auth: {serviceAccountToken: {audience: a}}"), "FieldValueInvalid spec.http: Invalid value: a token is sent"},
		"a token":              {"", "", http("url: 'https://a', auth: {bearerTokenSecretRef: {name: a, key: b}}"), ""},
		"two tokens":           {"", "", http("url: 'https://a', auth: {bearerTokenSecretRef: {name: a, key: b}, serviceAccountToken: {audience: a}}"), "FieldValueInvalid spec.http.auth: "},
		"tls without tls":      {"", "", http("url: 'http://a', tls: {serverName: b}"), "FieldValueInvalid spec.http: Invalid value: tls needs"},
		"a password for nats":  {"", "", nats("servers: ['nats://a'], auth: {userSecretRef: {name: a}}"), "FieldValueInvalid spec.nats: Invalid value: a password"},
		"a .creds file":        {"its seed never leaves", "", nats("servers: ['nats://a'], auth: {credentialsSecretRef: {name: a, key: b}}"), ""},
		"a wildcard prefix":    {"", "", nats("servers: ['nats://a'], subjectPrefix: 'a.>'"), "FieldValueInvalid spec.nats.subjectPrefix: "},
		"a user in a server":   {"", "", nats("servers: ['nats://me:secret@a']"), "FieldValueInvalid spec.nats.servers[0]: "},
		"types":                {"", "", spec("http: {url: 'http://a'}, filter: {types: [user.created, organization.*]}"), ""},
		"every type":           {"leave it out instead", "", spec("http: {url: 'http://a'}, filter: {types: ['*']}"), "FieldValueInvalid spec.filter.types[0]: "},
		"included":             {"", "", spec("http: {url: 'http://a'}, data: {include: [private_metadata.plan]}"), ""},
		"included in nothing":  {"no data leaves", "", spec("http: {url: 'http://a'}, data: {mode: Envelope, include: [a]}"), "FieldValueInvalid spec.data: "},
		"too patient":          {"Clerk hangs up after 15 s", "", spec("http: {url: 'http://a'}, delivery: {timeout: 11s}"), "FieldValueInvalid spec.delivery.timeout: "},
		"patient":              {"", "", spec("http: {url: 'http://a'}, delivery: {timeout: 10s, maxInFlight: 64, onRejected: Abort}"), ""},
		"too many at a time":   {"", "", spec("http: {url: 'http://a'}, delivery: {maxInFlight: 65}"), "FieldValueInvalid spec.delivery.maxInFlight: "},
	})
}

func TestClerkDatabasesFollowTheirRules(t *testing.T) {
	t.Parallel()
	const connection = "connection: {secretRef: {name: secret}}"
	spec := func(rest string) string { return "{instanceRef: {name: default}, " + connection + rest + "}" }
	tls := func(rest string) string {
		return "{instanceRef: {name: default}, connection: {secretRef: {name: secret}, tls: {" + rest + "}}}"
	}
	const own = "FieldValueInvalid spec.schema: Invalid value: the schema is to be the operator's own"
	const withDisable = "FieldValueInvalid spec.connection.tls: Invalid value: with mode Disable there are no certificates"
	checkRules(t, "ClerkDatabase", map[string]rule{
		"least":                {"", "", spec(""), ""},
		"whole":                {"", "", spec(", schema: crm_2, tables: [users, memberships], personalData: Omit"), ""},
		"no instance":          {"whose rows would they be", "", "{" + connection + "}", "FieldValueRequired spec.instanceRef: "},
		"another instance":     {"rows of two environments would be in one schema", spec(""), "{instanceRef: {name: dev}, " + connection + "}", "FieldValueInvalid spec.instanceRef: Invalid value: instanceRef never changes"},
		"no connection":        {"", "", "{instanceRef: {name: default}}", "FieldValueRequired spec.connection: "},
		"no Secret":            {"", "", "{instanceRef: {name: default}, connection: {}}", "FieldValueRequired spec.connection.secretRef: "},
		"another Secret":       {"a password may be rotated by name", spec(""), "{instanceRef: {name: default}, connection: {secretRef: {name: other}}}", ""},
		"public":               {"everybody's tables are there", "", spec(", schema: public"), own},
		"information_schema":   {"it is PostgreSQL's", "", spec(", schema: information_schema"), own},
		"pg_catalog":           {"it is PostgreSQL's", "", spec(", schema: pg_catalog"), own},
		"pg without _":         {"it is nobody's", "", spec(", schema: pg"), ""},
		"a quoted schema":      {"it would have to be quoted everywhere", "", spec(", schema: 'Clerk'"), "FieldValueInvalid spec.schema: "},
		"an injected schema":   {"", "", spec(", schema: 'clerk; DROP TABLE x'"), "FieldValueInvalid spec.schema: "},
		"a long schema":        {"PostgreSQL cuts names off", "", spec(", schema: " + strings.Repeat("a", 64)), "FieldValueTooLong spec.schema: "},
		"as long as they may":  {"", "", spec(", schema: " + strings.Repeat("a", 63)), ""},
		"another schema":       {"what is in the old one would stay", spec(""), spec(", schema: other"), "FieldValueInvalid spec.schema: Invalid value: schema never changes"},
		"the default by name":  {"it is no change", spec(""), spec(", schema: clerk"), ""},
		"no table":             {"leave it out for all", "", spec(", tables: []"), "FieldValueInvalid spec.tables: "},
		"a table twice":        {"", "", spec(", tables: [users, users]"), "failed to create typed patch object"},
		"another table":        {"", "", spec(", tables: [sessions]"), "FieldValueNotSupported spec.tables[0]: "},
		"fewer tables":         {"the others are emptied", spec(""), spec(", tables: [roles]"), ""},
		"half of the data":     {"", "", spec(", personalData: Some"), "FieldValueNotSupported spec.personalData: "},
		"an authority":         {"", "", tls("caSecretRef: {name: a, key: b}, certificateSecretRef: {name: c}, serverName: d"), ""},
		"an authority, no key": {"", "", tls("caSecretRef: {name: a}"), "FieldValueRequired spec.connection.tls.caSecretRef.key: "},
		"nothing of TLS":       {"leave it out instead", "", tls(""), ""},
		"no TLS":               {"in the same pod network", "", tls("mode: Disable"), ""},
		"less than VerifyFull": {"it could be anybody's server", "", tls("mode: Require"), "FieldValueNotSupported spec.connection.tls.mode: "},
		"no TLS, a name":       {"nobody would look for it", "", tls("mode: Disable, serverName: a"), withDisable},
		"no TLS, an authority": {"", "", tls("mode: Disable, caSecretRef: {name: a, key: b}"), withDisable},
		"no TLS, to show":      {"", "", tls("mode: Disable, certificateSecretRef: {name: a}"), withDisable},
	})
}

func TestClusterGrantsFollowTheirRules(t *testing.T) {
	t.Parallel()
	spec := func(rest string) string {
		return "{instanceRef: {name: default}, organizationIDs: [org_2A], clusterRole: view, " + rest + "}"
	}
	ids := func(list string) string {
		return "{instanceRef: {name: default}, organizationIDs: [" + list + "], clusterRole: view, role: a}"
	}
	const either = "FieldValueInvalid spec: Invalid value: give either role or permission"
	checkRules(t, "ClusterGrant", map[string]rule{
		"least":                 {"", "", spec("role: 'org:admin'"), ""},
		"whole":                 {"", "", spec("permission: 'org:a:b', when: 'true', until: 'null'"), ""},
		"role and permission":   {"which one counts", "", spec("role: a, permission: b"), either},
		"neither":               {"it would be for every member", "", spec("when: 'true'"), either},
		"another instance":      {"ids of another environment", spec("role: a"), "{instanceRef: {name: dev}, organizationIDs: [org_2A], clusterRole: view, role: a}", "FieldValueInvalid spec.instanceRef: Invalid value: instanceRef never changes"},
		"no instance":           {"", "", "{organizationIDs: [org_2A], clusterRole: view, role: a}", "FieldValueRequired spec.instanceRef: "},
		"no organization":       {"", "", ids(""), "FieldValueInvalid spec.organizationIDs: "},
		"a slug":                {"its admins can change it", "", ids("acme-corp"), "FieldValueInvalid spec.organizationIDs[0]: "},
		"an organization twice": {"", "", ids("org_2A, org_2A"), "failed to create typed patch object"},
		"16 organizations":      {"", "", ids("a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7"), ""},
		"17 organizations":      {"", "", ids("a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8"), "FieldValueTooMany spec.organizationIDs: "},
		"no ClusterRole":        {"", "", "{instanceRef: {name: default}, organizationIDs: [org_2A], role: a}", "FieldValueRequired spec.clusterRole: "},
		"another ClusterRole":   {"", spec("role: a"), "{instanceRef: {name: default}, organizationIDs: [org_2A], clusterRole: edit, role: a}", ""},
	})
	err := apply(t.Context(), "ClusterGrant", strings.Repeat("a", 64), spec("role: a"))
	if err == nil || !strings.Contains(err.Error(), "the name has at most 63 characters") {
		t.Errorf("a name that is no value of a label: %v", err)
	}
}

func TestWhatIsLeftOutHasDefaults(t *testing.T) {
	t.Parallel()
	class, instance := newName(), newName()
	if err := apply(t.Context(), "TenantClass", class, "{namespaces: [{name: a}]}"); err != nil {
		t.Fatal(err)
	}
	if err := apply(t.Context(), "ClerkInstance", instance, "{webhook: {signingSecretRef: {name: secret}}}"); err != nil {
		t.Fatal(err)
	}
	spec := get[v1alpha1.TenantClass](t, class).Spec
	rule := &v1alpha1.DeletionRule{Policy: v1alpha1.DeletionRetain, After: &metav1.Duration{Duration: 7 * 24 * time.Hour}}
	if diff := cmp.Diff(rule, spec.Deletion); diff != "" || spec.Priority == nil || *spec.Priority != 0 {
		t.Errorf("deletion (-want +got):\n%s\npriority: %v", diff, spec.Priority)
	}
	if got := get[v1alpha1.ClerkInstance](t, instance).Spec; got.Username != "clerk:${user.id}" || got.Users != v1alpha1.UsersMembers {
		t.Errorf("username: %q, users: %q", got.Username, got.Users)
	}
}

func TestTimesKeepTheirMilliseconds(t *testing.T) {
	t.Parallel()
	name := newName()
	const created, updated, deleted = "2026-01-15T09:30:00.123000Z", "2026-01-15T09:30:00.007000Z", "2026-02-01T00:00:00.999000Z"
	err := apply(t.Context(), "ClerkOrganization", name, "{instance: default, id: org_2A, createdAt: '"+created+"', updatedAt: '"+updated+"'}")
	if err != nil {
		t.Fatal(err)
	}
	spec := get[v1alpha1.ClerkOrganization](t, name).Spec
	if !spec.CreatedAt.Equal(microTime(t, created)) || !spec.UpdatedAt.Equal(microTime(t, updated)) || spec.CreatedAt.Nanosecond() != 123e6 {
		t.Errorf("got %v and %v", spec.CreatedAt, spec.UpdatedAt)
	}
	if err := apply(t.Context(), "ClerkOrganization", name, "{instance: default, id: org_2A, deletedAt: '"+deleted+"'}"); err != nil {
		t.Fatal(err)
	}
	if spec := get[v1alpha1.ClerkOrganization](t, name).Spec; !spec.DeletedAt.Equal(microTime(t, deleted)) || spec.UpdatedAt != nil {
		t.Errorf("got %v and %v", spec.DeletedAt, spec.UpdatedAt)
	}
}
