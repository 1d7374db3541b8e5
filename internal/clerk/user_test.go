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

package clerk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// acceptance is an event that is understood, and as what.
type acceptance struct {
	reason, body string
	want         Data
}

func checkAccepted(t *testing.T, cases map[string]acceptance) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			event, err := Decode([]byte(tc.body))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, event.Data); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if printed := fmt.Sprintf("%+v", event.Data); strings.Contains(printed, canary) {
				t.Error("what must never be stored is in the decoded event")
			}
		})
	}
}

var updated = time.UnixMilli(1773480660123).UTC()

// eventOf is an event of a type, whose data is JSON without the braces and the time of update.
func eventOf(eventType, fields string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":1773480660123,"data":{"updated_at":1773480660123,%s}}`, eventType, fields)
}

func userEvent(fields string) string { return eventOf(TypeUserUpdated, `"id":"user_1",`+fields) }

func userCases() map[string]acceptance {
	const work = `{"id":"idn_work","email_address":"Ines@Nordlicht.example","verification":{"status":"verified"}}`
	const old = `{"id":"idn_old","email_address":"` + canary + `@example.org","verification":{"status":"verified"}}`
	user := func(change func(*User)) *User {
		u := &User{ID: "user_1", UpdatedAt: updated}
		if change != nil {
			change(u)
		}
		return u
	}
	noEmail := func(u *User) { u.Dropped = []string{"primaryEmail"} }
	noImage := func(u *User) { u.Dropped = []string{"imageURL"} }
	emails := func(primary string, entries ...string) string {
		return userEvent(`"primary_email_address_id":` + primary + `,"email_addresses":[` + strings.Join(entries, ",") + `]`)
	}
	return map[string]acceptance{
		"whole": {
			"", userEvent(`"external_id":"crm-7","username":"ines","first_name":"Ines","last_name":"Okafor","banned":true,"locked":true,
				"image_url":"https://images.example/u/1.png",
				"deprovisioned":true,"public_metadata":{"b":1,"a":2},"created_at":1773480660123,
				"private_metadata":{"x":"` + canary + `"},"unsafe_metadata":{"x":"` + canary + `"},
				"phone_numbers":[{"phone_number":"` + canary + `"}],"primary_email_address_id":"idn_work","email_addresses":[` + old + `,` + work + `]`),
			user(func(u *User) {
				u.ExternalID, u.Username, u.FirstName, u.LastName = "crm-7", "ines", "Ines", "Okafor"
				u.ImageURL = "https://images.example/u/1.png"
				u.Banned, u.Locked, u.Deprovisioned = true, true, true
				u.PublicMetadata, u.CreatedAt = json.RawMessage(`{"a":2,"b":1}`), updated
				u.PrimaryEmail = EmailAddress{Address: "Ines@Nordlicht.example", Verified: true}
			}),
		},
		"two factors, by a directory": {
			"", userEvent(`"two_factor_enabled":true,"enterprise_accounts":[],"saml_accounts":[],
				"scim":{"directory_id":"dir_1","directory_enabled":true,"external_id":"` + canary + `"}`),
			user(func(u *User) { u.TwoFactorEnabled, u.EnterpriseAccount, u.Directory = new(true), new(false), true }),
		},
		"one factor, nobody's": {
			"false is not the same as not told", userEvent(`"two_factor_enabled":false,"enterprise_accounts":[],"scim":null`),
			user(func(u *User) { u.TwoFactorEnabled, u.EnterpriseAccount = new(false), new(false) }),
		},
		"a directory that is off": {"", userEvent(`"scim":{"directory_id":"dir_1","external_id":null}`), user(nil)},
		"an enterprise account": {
			"", userEvent(`"enterprise_accounts":[{"active":false},{"active":true,"email_address":"` + canary + `","verification":{"status":"verified"}}]`),
			user(func(u *User) { u.EnterpriseAccount = new(true) }),
		},
		"a SAML account": {
			"", userEvent(`"enterprise_accounts":[],"saml_accounts":[{"active":true,"verification":{"status":"verified"}}]`),
			user(func(u *User) { u.EnterpriseAccount = new(true) }),
		},
		"accounts that do not count": {
			"not active, not verified, no verification", userEvent(`"enterprise_accounts":[{"active":false,"verification":{"status":"verified"}},
				{"active":true,"verification":{"status":"unverified"}},{"active":true,"verification":null},null]`),
			user(func(u *User) { u.EnterpriseAccount = new(false) }),
		},
		"odd factors": {
			"what cannot be read is not known", userEvent(`"two_factor_enabled":"yes","enterprise_accounts":{},"scim":7`),
			user(func(u *User) { u.Dropped = []string{"directory", "enterpriseAccount", "twoFactorEnabled"} }),
		},
		"an odd account": {
			"it might have been one", userEvent(`"saml_accounts":[{"active":"yes"}]`),
			user(func(u *User) { u.Dropped = []string{"enterpriseAccount"} }),
		},
		"nulls": {
			"most fields may be null", userEvent(`"external_id":null,"username":null,"first_name":null,"last_name":null,"banned":null,
				"public_metadata":null,"primary_email_address_id":null,"email_addresses":null,"created_at":null`),
			user(nil),
		},
		"the chosen address": {
			"never the first of the list", emails(`"idn_work"`, old, work),
			user(func(u *User) { u.PrimaryEmail = EmailAddress{"Ines@Nordlicht.example", true} }),
		},
		"an image of no use":    {"", userEvent(`"image_url":"https://x/` + strings.Repeat("a", maxURLLength) + `"`), user(noImage)},
		"an odd image":          {"", userEvent(`"image_url":{}`), user(noImage)},
		"no choice":             {"an address that nobody chose is none", emails(`null`, old), user(nil)},
		"a choice of nothing":   {"", emails(`"idn_gone"`, old), user(nil)},
		"a choice of an empty":  {"an id that is missing chooses nothing", emails(`""`, `{"email_address":"`+canary+`"}`), user(nil)},
		"a choice of two":       {"which of them?", emails(`"idn_work"`, work, `{"id":"idn_work","email_address":"`+canary+`"}`), user(nil)},
		"an address of no use":  {"cleaned, it would be someone else's", emails(`"a"`, `{"id":"a","email_address":"`+canary+`\u0000@x"}`), user(noEmail)},
		"an address, too long":  {"", emails(`"a"`, `{"id":"a","email_address":"`+strings.Repeat("a", maxIdentifierLength)+`@x"}`), user(noEmail)},
		"an address that lacks": {"", emails(`"a"`, `{"id":"a","email_address":"","verification":{"status":"verified"}}`), user(nil)},
		"not verified": {
			"", emails(`"a"`, `{"id":"a","email_address":"a@x","verification":{"status":"unverified"}}`),
			user(func(u *User) { u.PrimaryEmail.Address = "a@x" }),
		},
		"verification null": {
			"as of an address that is reserved", emails(`"a"`, `{"id":"a","email_address":"a@x","verification":null}`),
			user(func(u *User) { u.PrimaryEmail.Address = "a@x" }),
		},
		"verification in capitals": {
			"one word alone means it", emails(`"a"`, `{"id":"a","email_address":"a@x","verification":{"status":"Verified"}}`),
			user(func(u *User) { u.PrimaryEmail.Address = "a@x" }),
		},
		"a ban, and all else odd": {
			"a ban takes effect whatever else is odd", userEvent(`"banned":true,"username":"i\u0000nes","external_id":"` +
				strings.Repeat("x", maxIdentifierLength+1) + `","first_name":"I\u0000nes","public_metadata":"` + strings.Repeat("a", maxMetadataLength) + `"`),
			user(func(u *User) {
				u.Banned, u.FirstName, u.Dropped = true, "Ines", []string{"externalID", "publicMetadata", "username"}
			}),
		},
		"deleted":           {"the id alone says it", `{"type":"user.deleted","data":{"id":"user_1","deleted":true}}`, &UserDeleted{ID: "user_1"}},
		"deleted, external": {"", `{"type":"user.deleted","data":{"id":"user_1","external_id":"` + canary + `"}}`, &UserDeleted{ID: "user_1"}},
	}
}

func TestDecodeUser(t *testing.T) { checkAccepted(t, userCases()) }

func roleCases() map[string]acceptance {
	const read = `{"object":"permission","id":"perm_2","name":"Read","key":"org:cargo:read","updated_at":1773480660123}`
	const scrap = `{"id":"perm_1","key":"org:cargo:scrap"}`
	readDecoded := RolePermission{ID: "perm_2", Key: "org:cargo:read", UpdatedAt: updated}
	scrapDecoded := RolePermission{ID: "perm_1", Key: "org:cargo:scrap"}
	role := func(fields string) string { return eventOf(TypeRoleUpdated, `"id":"role_1","key":"org:mate",`+fields) }
	return map[string]acceptance{
		"whole": {
			"permissions come in any order", role(`"name":"Mate","description":"Moves cargo","created_at":1773480660123,"permissions":[` + read + `,` + scrap + `]`),
			&Role{
				ID: "role_1", Key: "org:mate", Name: "Mate", Description: "Moves cargo", CreatedAt: updated, UpdatedAt: updated,
				Permissions: []RolePermission{scrapDecoded, readDecoded},
			},
		},
		"twice the same": {
			"", role(`"permissions":[` + read + `,` + read + `]`),
			&Role{ID: "role_1", Key: "org:mate", UpdatedAt: updated, Permissions: []RolePermission{readDecoded}},
		},
		"nothing": {
			"", role(`"name":null,"description":null,"permissions":null`),
			&Role{ID: "role_1", Key: "org:mate", UpdatedAt: updated, Permissions: []RolePermission{}},
		},
		"deleted":           {"", `{"type":"role.deleted","data":{"object":"role","id":"role_1","slug":null,"deleted":true}}`, &RoleDeleted{ID: "role_1"}},
		"deleted with key":  {"", `{"type":"role.deleted","data":{"id":"role_1","key":"org:mate","permissions":[` + read + `]}}`, &RoleDeleted{ID: "role_1", Key: "org:mate"}},
		"deleted, odd key":  {"a deletion must take access away", `{"type":"role.deleted","data":{"id":"role_1","key":"a b"}}`, &RoleDeleted{ID: "role_1"}},
		"deleted, odd type": {"", `{"type":"role.deleted","data":{"id":"role_1","key":7}}`, &RoleDeleted{ID: "role_1"}},
		"permission": {
			"", eventOf(TypePermissionUpdated, `"id":"perm_1","key":"org:a:b","name":"A","description":"B","type":"custom"`),
			&Permission{ID: "perm_1", Key: "org:a:b", Name: "A", Description: "B", UpdatedAt: updated},
		},
		"permission deleted": {"", `{"type":"permission.deleted","data":{"id":"perm_1","deleted":true}}`, &PermissionDeleted{ID: "perm_1"}},
		"permission deleted, whole": {
			"", eventOf(TypePermissionDeleted, `"id":"perm_1","key":"org:a:b"`), &PermissionDeleted{ID: "perm_1"},
		},
	}
}

func TestDecodeRole(t *testing.T) { checkAccepted(t, roleCases()) }

func TestDecodeRefusesUsersAndRolesOfNoUse(t *testing.T) {
	role := func(fields string) string { return eventOf(TypeRoleCreated, fields) }
	cases := map[string]struct{ reason, body, names string }{
		"user without id":       {"", eventOf(TypeUserCreated, `"username":"secretvalue"`), "data.id"},
		"user, odd id":          {"ids become names of objects", eventOf(TypeUserCreated, `"id":"secretvalue/.."`), "data.id"},
		"user without a time":   {"it orders everything", `{"type":"user.created","data":{"id":"user_1"}}`, "data.updated_at"},
		"user deleted, no id":   {"", `{"type":"user.deleted","data":{"deleted":true}}`, "data.id"},
		"role without id":       {"", role(`"key":"org:mate"`), "data.id"},
		"role without key":      {"memberships name it by that", role(`"id":"role_1"`), "data.key"},
		"role, odd key":         {"", role(`"id":"role_1","key":"secretvalue x"`), "data.key"},
		"role without a time":   {"", `{"type":"role.created","data":{"id":"role_1","key":"org:mate"}}`, "data.updated_at"},
		"role, permission's id": {"", role(`"id":"role_1","key":"org:mate","permissions":[{"key":"org:a:b"}]`), "data.permissions[0].id"},
		"role, its key": {
			"", role(`"id":"role_1","key":"org:mate","permissions":[{"id":"perm_1","key":"secretvalue b"}]`), "data.permissions[0].key",
		},
		"role, its time": {
			"", role(`"id":"role_1","key":"org:mate","permissions":[{"id":"perm_1","key":"a","updated_at":424242}]`), "data.permissions[0].updated_at",
		},
		"role, one id with two keys": {
			"which of them?", role(`"id":"role_1","key":"org:mate","permissions":[{"id":"perm_1","key":"a"},{"id":"perm_1","key":"b"}]`), "data.permissions",
		},
		"role, too many": {
			"etcd has limits", role(`"id":"role_1","key":"org:mate","permissions":[{}` + strings.Repeat(`,{}`, maxPermissions) + `]`), "data.permissions",
		},
		"role deleted, no id":       {"", `{"type":"role.deleted","data":{"key":"org:mate"}}`, "data.id"},
		"permission without key":    {"", eventOf(TypePermissionCreated, `"id":"perm_1"`), "data.key"},
		"permission without id":     {"", eventOf(TypePermissionCreated, `"key":"a"`), "data.id"},
		"permission without a time": {"", `{"type":"permission.created","data":{"id":"perm_1","key":"a"}}`, "data.updated_at"},
		"permission deleted, no id": {"", `{"type":"permission.deleted","data":{}}`, "data.id"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			event, err := Decode([]byte(tc.body))
			if err == nil {
				t.Fatalf("%s: decoded to %+v, want an error", tc.reason, event.Data)
			}
			if field, _, _ := strings.Cut(err.Error(), ": "); field != tc.names {
				t.Errorf("%s: error %q names %q, want %q", tc.reason, err, field, tc.names)
			}
			for _, value := range []string{"secretvalue", "424242"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("error %q quotes a value", err)
				}
			}
		})
	}
}

func TestAChangeWithoutATimeOfItsOwnIsAsOldAsItsEntity(t *testing.T) {
	for eventType, fields := range map[string]string{
		TypeUserUpdated: `"id":"user_1"`, TypeRoleUpdated: `"id":"role_1","key":"org:mate"`, TypePermissionUpdated: `"id":"perm_1","key":"a"`,
	} {
		body := strings.Replace(eventOf(eventType, fields), `"timestamp":1773480660123,`, "", 1)
		event, err := Decode([]byte(body))
		if err != nil || !event.Time.Equal(updated) {
			t.Errorf("%s: %v, %v", eventType, event, err)
		}
	}
}

func checkUser(t *testing.T, user *User) {
	t.Helper()
	if user.UpdatedAt.IsZero() {
		t.Errorf("user %+v lacks its time", user)
	}
	for _, identifier := range []string{user.PrimaryEmail.Address, user.Username, user.ExternalID} {
		if !isIdentifier(identifier) {
			t.Errorf("%q is no identifier", identifier)
		}
	}
	if user.PrimaryEmail.Verified && user.PrimaryEmail.Address == "" {
		t.Error("no address is verified")
	}
	for _, text := range []string{user.FirstName, user.LastName} {
		if len(text) > maxTextLength || strings.ContainsFunc(text, isUnprintable) {
			t.Errorf("%q is not display text", text)
		}
	}
}

func checkRole(t *testing.T, role *Role) {
	t.Helper()
	if role.Key == "" || role.UpdatedAt.IsZero() {
		t.Errorf("role %+v lacks its key or its time", role)
	}
	for i, permission := range role.Permissions {
		if CheckID("id", permission.ID) != nil || permission.Key == "" || i > 0 && permission.ID <= role.Permissions[i-1].ID {
			t.Errorf("permission %+v lacks its id or key, or is out of order", permission)
		}
	}
}
