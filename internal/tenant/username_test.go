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
	"strings"
	"testing"
)

func TestAUserHasTheNameThatTheInstanceGives(t *testing.T) {
	t.Parallel()
	jane := User{ID: "user_2A", Username: "jane"}
	cases := map[string]struct {
		reason, source string
		user           User
		want, says     string
	}{
		"the default":      {"the subject of Clerk's tokens, with a prefix", "clerk:${user.id}", jane, "clerk:user_2A", ""},
		"no prefix":        {"", "${user.id}", jane, "user_2A", ""},
		"user name":        {"", "clerk:${user.username}", jane, "clerk:jane", ""},
		"within":           {"only the beginning is Kubernetes' own", "clerk:system:${user.id}", jane, "clerk:system:user_2A", ""},
		"longest":          {"", "${user.username}", User{Username: strings.Repeat("a", 256)}, strings.Repeat("a", 256), ""},
		"system":           {"it would be a part of Kubernetes", "system:${user.id}", jane, "", `begins with "system:"`},
		"system, by user":  {"whoever chose that user name", "${user.username}", User{Username: "system:admin"}, "", `begins with "system:"`},
		"system, spaces":   {"nothing that could pass for it", " \u00a0system:${user.id}", jane, "", `begins with "system:"`},
		"a service":        {"a ServiceAccount is system: too", "system:serviceaccount:kube-system:x", jane, "", `begins with "system:"`},
		"empty":            {"the user has no user name", "${user.username}", User{ID: "user_2A"}, "", "gives no text"},
		"prefix alone":     {"everyone without a user name would have the access of all of them", "clerk:${user.username}", User{ID: "user_2A"}, "", "gives no text"},
		"a way out":        {"", "clerk:${user.username == '' ? user.id : user.username}", User{ID: "user_2A"}, "clerk:user_2A", ""},
		"blank":            {"", "${user.username} ", User{Username: " "}, "", "is empty"},
		"nothing":          {"", " ", jane, "", "is empty"},
		"control":          {"a table or a log would show another name", "${user.username}", User{Username: "ja\nne"}, "", "control characters"},
		"escape sequences": {"", "${user.username}", User{Username: "ja\x1b[2Kne"}, "", "control characters"},
		"too long":         {"", "${user.username}", User{Username: strings.Repeat("a", 257)}, "", "over 256 bytes"},
		"failing":          {"", "${user.username.substring(9)}", jane, "", "failed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			username, err := CompileUsername(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := username.Of(tc.user)
			if got != tc.want || (err == nil) != (tc.says == "") {
				t.Errorf("%s: got %q, %v; want %q", tc.reason, got, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v; want an error with %q", tc.reason, err, tc.says)
			}
		})
	}
}

func TestAUsernameThatDoesNotCompileIsRefused(t *testing.T) {
	t.Parallel()
	for source, says := range map[string]string{
		"${user.email}":      "undefined field 'email'",
		"${user.identifier}": "undefined field 'identifier'",
		"${organization.id}": "undeclared reference",
		"clerk:${user.id":    "no closing }",
		"${user}":            "gives tenant.User",
	} {
		if _, err := CompileUsername(source); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v; want an error with %q", source, err, says)
		}
	}
}
