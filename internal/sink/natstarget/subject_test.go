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

package natstarget

import (
	"strings"
	"testing"
)

func TestASubjectHasAlwaysAsManyTokensAndNoWildcard(t *testing.T) {
	for _, test := range []struct{ instance, organization, eventType, want string }{
		{"default", "org_2g7", "organizationMembership.created", "clerk.default.org_2g7.organizationMembership.created"},
		{"default", "", "user.created", "clerk.default._.user.created"},
		{"eu.prod", "", "user.created", "clerk.eu_prod._.user.created"},
		{"default", "*", "a.>.b", "clerk.default._.a.__b"},
		{"default", "org 1", "wormhole", "clerk.default.org_1.wormhole._"},
		{"default", "", "a/b:c.d-e", "clerk.default._.a_b_c.d-e"},
		{"default", "", ".", "clerk.default._._._"},
	} {
		got := Subject("clerk", test.instance, test.organization, test.eventType)
		if got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
		if strings.Count(got, ".") != 4 || strings.ContainsAny(got, "*> \t\r\n") || strings.Contains(got, "..") {
			t.Errorf("%s is no subject of five tokens", got)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("default", "org_1", "user.created")
	f.Fuzz(func(t *testing.T, instance, organization, eventType string) {
		tokens := strings.Split(Subject("clerk", instance, organization, eventType), ".")
		for _, token := range tokens {
			if token == "" || strings.ContainsAny(token, "*> \t\r\n\x00") {
				t.Errorf("%q is no token", token)
			}
		}
		if len(tokens) != 5 {
			t.Errorf("%q has not five tokens", tokens)
		}
	})
}
