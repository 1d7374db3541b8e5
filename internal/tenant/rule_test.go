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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// rulesOf are the rules of a class with these role bindings, all of which compile.
func rulesOf(t *testing.T, bindings ...v1alpha1.TenantRoleBinding) []Rule {
	t.Helper()
	class, err := CompileClass(classOf(v1alpha1.TenantNamespace{Name: "org-${organization.handle}", RoleBindings: bindings}))
	if err != nil {
		t.Fatal(err)
	}
	return class.Rules()
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// holderOf is Jane, an admin of Acme, with public metadata of her membership, and with a ClerkUser, nil if there is none.
func holderOf(metadata string, user *v1alpha1.ClerkUserSpec) *Holder {
	member := membership("jane", "org:admin")
	if metadata != "" {
		member.Spec.PublicMetadata = &runtime.RawExtension{Raw: []byte(metadata)}
	}
	if user != nil {
		member.User = &v1alpha1.ClerkUser{Spec: *user}
	}
	organization := OrganizationOf(&v1alpha1.ClerkOrganization{Spec: v1alpha1.ClerkOrganizationSpec{
		Entity: v1alpha1.Entity{ID: "org_acme"}, Slug: "acme",
		PublicMetadata: &runtime.RawExtension{Raw: []byte(`{"plan":"pro","contractEnd":"2026-12-31T23:59:59Z"}`)},
	}})
	return NewHolder("clerk:jane", member.ClerkMember, member.Standing, organization)
}

func TestAConditionDecidesWhoIsGivenAClusterRole(t *testing.T) {
	t.Parallel()
	secure := &v1alpha1.ClerkUserSpec{TwoFactorEnabled: new(true), EnterpriseAccount: new(false), Directory: new(true)}
	plain := &v1alpha1.ClerkUserSpec{TwoFactorEnabled: new(false), EnterpriseAccount: new(false)}
	older := &v1alpha1.ClerkUserSpec{FirstName: "Jane"}
	unbanned := &v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{ID: "jane", UpdatedAt: new(metav1.NewMicroTime(noon))}}
	expensive := `[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, ` +
		`[1,2,3,4,5,6,7,8,9,0].all(d, [1,2,3,4,5,6,7,8,9,0].all(e, a + b + c + d + e >= 0 && member.role != "")))))`
	cases := map[string]struct {
		reason, when, metadata string
		user                   *v1alpha1.ClerkUserSpec
		want                   string // the reason for which nothing is given; empty if something is
		says                   string
	}{
		"two factors":           {"", "user.twoFactorEnabled", "", secure, "", ""},
		"one factor":            {"", "user.twoFactorEnabled", "", plain, v1alpha1.ReasonConditionNotMet, "user.twoFactorEnabled"},
		"by a directory":        {"", "user.externalManaged", "", secure, "", ""},
		"by an account":         {"", "user.externalManaged", "", &v1alpha1.ClerkUserSpec{EnterpriseAccount: new(true)}, "", ""},
		"by nobody":             {"", "user.externalManaged", "", plain, v1alpha1.ReasonConditionNotMet, ""},
		"of the membership":     {"", "member.publicMetadata.oncall == true", `{"oncall":true}`, nil, "", ""},
		"its role":              {"", `member.role == "org:admin" && member.id == ""`, "", nil, "", ""},
		"of the organization":   {"", `organization.publicMetadata.plan == "pro"`, "", nil, "", ""},
		"a key that is missing": {"it fails", "member.publicMetadata.oncall", "{}", nil, v1alpha1.ReasonConditionUndecided, "no such key: oncall"},
		"a key that may be":     {"", "member.publicMetadata.?oncall.orValue(false)", "{}", nil, v1alpha1.ReasonConditionNotMet, ""},
		"no boolean":            {"truth is not guessed", "member.publicMetadata.oncall", `{"oncall":"yes"}`, nil, v1alpha1.ReasonConditionUndecided, "a string"},
		"a user nobody knows":   {"", "user.twoFactorEnabled", "", nil, v1alpha1.ReasonConditionUndecided, "the user is not mirrored"},
		"not even its opposite": {"what is not known is not false", "!user.twoFactorEnabled", "", nil, v1alpha1.ReasonConditionUndecided, ""},
		"not told":              {"by an older operator", "!user.twoFactorEnabled", "", older, v1alpha1.ReasonConditionUndecided, "has not told"},
		"accounts not told":     {"", "!user.externalManaged", "", older, v1alpha1.ReasonConditionUndecided, "externalManaged"},
		"nothing but no ban": {"where ClerkUsers are not wanted", "!user.publicMetadata.?suspended.orValue(false)", "", unbanned,
			v1alpha1.ReasonConditionUndecided, "the user is not mirrored"},
		"what the membership has": {"the id is known", `user.id == "jane"`, "", nil, "", ""},
		"handed on as a whole":    {"it may read anything", `[user].exists(u, u.id == "jane")`, "", nil, v1alpha1.ReasonConditionUndecided, ""},
		"dropped": {"", "!user.twoFactorEnabled", "", &v1alpha1.ClerkUserSpec{DroppedFields: []string{"twoFactorEnabled"}},
			v1alpha1.ReasonConditionUndecided, "could not be kept"},
		"accounts dropped": {"", "!user.externalManaged", "", &v1alpha1.ClerkUserSpec{DroppedFields: []string{"enterpriseAccount"}},
			v1alpha1.ReasonConditionUndecided, "could not be kept"},
		"of another variable": {"a field of the user's that nobody reads", "member.publicMetadata.oncall", `{"oncall":true}`,
			&v1alpha1.ClerkUserSpec{DroppedFields: []string{"publicMetadata"}}, "", ""},
		"too expensive": {"its work is bounded", expensive, "", nil, v1alpha1.ReasonConditionUndecided, "cost limit"},
		"no value told": {"metadata is not for everybody's eyes", "int(member.publicMetadata.n) > 0", `{"n":"secret"}`, nil,
			v1alpha1.ReasonConditionUndecided, "type conversion error"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin", When: tc.when})
			given := rules[0].Given(holderOf(tc.metadata, tc.user), noon)
			if given.Holds != (tc.want == "") || given.Reason != tc.want || !strings.Contains(given.Message, tc.says) {
				t.Errorf("%s: got %+v, want %q, with %q", tc.reason, given, tc.want, tc.says)
			}
			if strings.Contains(given.Message, "secret") {
				t.Errorf("it tells a value: %s", given.Message)
			}
		})
	}
}

func TestAGrantEndsAtASecond(t *testing.T) {
	t.Parallel()
	end := noon.Add(time.Hour)
	cases := map[string]struct {
		reason, until, metadata string
		now                     time.Time
		want                    string
		end                     *time.Time
	}{
		"before":      {"", "member.publicMetadata.?until", `{"until":"2026-11-28T13:00:00Z"}`, end.Add(-1), "", &end},
		"at the end":  {"the second itself is after", "member.publicMetadata.?until", `{"until":"2026-11-28T13:00:00Z"}`, end, v1alpha1.ReasonExpired, &end},
		"by a zone":   {"", "member.publicMetadata.until", `{"until":"2026-11-28T14:00:00+01:00"}`, noon, "", &end},
		"a fraction":  {"to the second", "member.publicMetadata.until", `{"until":"2026-11-28T13:00:00.9Z"}`, noon, "", &end},
		"a timestamp": {"", `timestamp("2026-11-28T13:00:00Z")`, "", noon, "", &end},
		"computed":    {"", `timestamp("2026-11-28T12:00:00Z") + duration("1h")`, "", noon, "", &end},
		"none":        {"", "member.publicMetadata.?until", "{}", noon, "", nil},
		"null":        {"", "member.publicMetadata.?until", `{"until":null}`, noon, "", nil},
		"null itself": {"", "null", "", noon, "", nil},
		"a choice":    {"", `has(member.publicMetadata.until) ? timestamp(member.publicMetadata.until) : null`, "{}", noon, "", nil},
		"missing":     {"not asked whether it is there", "member.publicMetadata.until", "{}", noon, v1alpha1.ReasonConditionUndecided, nil},
		"no time":     {"", "member.publicMetadata.?until", `{"until":"tomorrow"}`, noon, v1alpha1.ReasonConditionUndecided, nil},
		"empty":       {"no text is no time", "member.publicMetadata.?until", `{"until":""}`, noon, v1alpha1.ReasonConditionUndecided, nil},
		"a number":    {"of what?", "member.publicMetadata.?until", `{"until":1795870800}`, noon, v1alpha1.ReasonConditionUndecided, nil},
		"the first":   {"Go's zero time is a time", "member.publicMetadata.until", `{"until":"0001-01-01T00:00:00Z"}`, noon, v1alpha1.ReasonExpired, new(time.Time{})},
		"beyond years": {"a status could not say it", "member.publicMetadata.until", `{"until":"9999-12-31T23:59:59-23:59"}`, noon,
			v1alpha1.ReasonConditionUndecided, nil},
		"no clock":     {"who does not know what time it is gives nothing", `timestamp("2026-11-28T13:00:00Z")`, "", time.Time{}, v1alpha1.ReasonExpired, &end},
		"of the class": {"", "organization.publicMetadata.?contractEnd", "", noon, "", new(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC))},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin", Until: tc.until})
			given := rules[0].Given(holderOf(tc.metadata, nil), tc.now)
			sameEnd := (given.Until == nil) == (tc.end == nil) && (tc.end == nil || given.Until.Equal(*tc.end))
			if given.Holds != (tc.want == "") || given.Reason != tc.want || !sameEnd {
				t.Errorf("%s: got %+v (until %v), want %q until %v", tc.reason, given, given.Until, tc.want, tc.end)
			}
		})
	}
}

func TestConditionsThatDoNotCompile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ when, until, says string }{
		"an unknown field":    {"user.password", "", "spec.namespaces[0].roleBindings[0]: when: "},
		"an unknown variable": {"request.user", "", "when: "},
		"no condition":        {`"text"`, "", "it has to be true or false"},
		"no end":              {"", "true", "it has to be a timestamp"},
		"both":                {"${", "user", "until: "},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, err := CompileClass(classOf(v1alpha1.TenantNamespace{Name: "a", RoleBindings: []v1alpha1.TenantRoleBinding{
				{Role: "org:admin", ClusterRole: "admin", When: tc.when, Until: tc.until}, {Role: "org:admin", ClusterRole: "view"},
			}}))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("the error is %v, want %q", err, tc.says)
			}
			rules := class.Rules()
			if given := rules[0].Given(holderOf("", nil), noon); given.Holds || given.Reason != v1alpha1.ReasonConditionUndecided {
				t.Errorf("what does not compile gives something: %+v", given)
			}
			if !rules[1].Given(holderOf("", nil), noon).Holds {
				t.Error("the role binding beside it gives nothing")
			}
		})
	}
}

// conditionalClass gives admins admin on a condition and until a time, and view in any case.
func conditionalClass(when, until string) *v1alpha1.TenantClass {
	class := namespaceClass("standard", "org-${organization.handle}")
	class.Spec.Namespaces[0].RoleBindings[0].When, class.Spec.Namespaces[0].RoleBindings[0].Until = when, until
	return class
}

func TestDecideByConditions(t *testing.T) {
	t.Parallel()
	const until = `timestamp("2026-11-28T13:00:00Z")`
	at := func(now time.Time) func(*Situation) { return func(s *Situation) { s.Now = now } }
	cases := map[string]struct {
		reason  string
		class   *v1alpha1.TenantClass
		changes []func(*Situation)
		losses  int
		next    bool
		passed  bool
	}{
		"met":        {"", conditionalClass("true", until), []func(*Situation){at(noon)}, 0, true, false},
		"not met":    {"who has it loses it", conditionalClass("false", until), []func(*Situation){at(noon)}, 1, false, false},
		"ended":      {"", conditionalClass("", until), []func(*Situation){at(noon.Add(time.Hour))}, 1, false, true},
		"undecided":  {"", conditionalClass("user.twoFactorEnabled", ""), []func(*Situation){at(noon)}, 1, false, false},
		"mistaken":   {"the organization is frozen, and who has what cannot be decided loses it", conditionalClass("user.x", ""), []func(*Situation){at(noon)}, 1, false, false},
		"no matter":  {"a mistake elsewhere takes nothing", withLabel(conditionalClass("true", until)), []func(*Situation){at(noon)}, 0, true, false},
		"frozen end": {"also then", withLabel(conditionalClass("true", until)), []func(*Situation){at(noon.Add(time.Hour))}, 1, false, true},
		"standby": {"a replica that only takes away", conditionalClass("", until),
			[]func(*Situation){at(noon.Add(time.Hour)), func(s *Situation) { s.RevokeOnly = true }}, 1, false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := append([]func(*Situation){onlyClass(tc.class), servedBy("standard"), hasNamespace("org-acme"), hasBinding("admin", "jane")},
				tc.changes...)
			intent := Decide(situation(changes...))
			if losses := intent.Losses(); len(losses) != tc.losses {
				t.Errorf("%s: it takes %v away, want %d", tc.reason, losses, tc.losses)
			}
			if (intent.Ends.Next != nil) != tc.next || (len(intent.Ends.Passed) > 0) != tc.passed {
				t.Errorf("%s: the ends are %+v", tc.reason, intent.Ends)
			}
		})
	}
}

func withLabel(class *v1alpha1.TenantClass) *v1alpha1.TenantClass {
	class.Spec.Namespaces[0].Labels = map[string]string{"example.com/x": "${mistake}"}
	return class
}

func TestTheStatusOfAMemberSaysWhatConditionsComeTo(t *testing.T) {
	t.Parallel()
	organization := &v1alpha1.ClerkOrganization{Status: v1alpha1.ClerkOrganizationStatus{
		ClassName: "default", Conditions: condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady}.Conditions(nil, 1),
	}}
	bound := []v1alpha1.MemberBinding{{Namespace: "org-acme", Name: "clerk:admin", ClusterRole: "admin"}}
	rule := func(clusterRole, when, until string) v1alpha1.TenantRoleBinding {
		return v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: clusterRole, When: when, Until: until}
	}
	const soon, later, past = `"2026-11-28T13:00:00Z"`, `"2026-11-28T14:00:00Z"`, `"2026-11-28T11:00:00Z"`
	cases := map[string]struct {
		reason   string
		rules    []v1alpha1.TenantRoleBinding
		bindings []v1alpha1.MemberBinding
		want     string // the reason of Ready
		says     string
		expires  string
	}{
		"not met":   {"", []v1alpha1.TenantRoleBinding{rule("admin", "false", "")}, nil, v1alpha1.ReasonConditionNotMet, "when is not true: false", ""},
		"expired":   {"", []v1alpha1.TenantRoleBinding{rule("admin", "", past)}, nil, v1alpha1.ReasonExpired, "2026-11-28T11:00:00Z", ""},
		"undecided": {"what is missing is named", []v1alpha1.TenantRoleBinding{rule("admin", "member.publicMetadata.oncall", "")}, nil, v1alpha1.ReasonConditionUndecided, "oncall", ""},
		"the most urgent": {
			"that which somebody can mend",
			[]v1alpha1.TenantRoleBinding{rule("admin", "false", ""), rule("edit", "member.publicMetadata.x", ""), rule("view", "", past)}, nil,
			v1alpha1.ReasonConditionUndecided, "ClusterRole edit", "",
		},
		"bound, one undecided": {
			"", []v1alpha1.TenantRoleBinding{rule("admin", "", ""), rule("edit", "member.publicMetadata.x", "")}, bound,
			v1alpha1.ReasonReady, "no such key: x", "",
		},
		"being taken away": {"", []v1alpha1.TenantRoleBinding{rule("admin", "", past)}, bound, v1alpha1.ReasonProgressing, "taken away", ""},
		"the first end":    {"", []v1alpha1.TenantRoleBinding{rule("admin", "", later), rule("view", "", soon)}, bound, v1alpha1.ReasonReady, "", "2026-11-28T13:00:00Z"},
		"the later of two": {"both give the same", []v1alpha1.TenantRoleBinding{rule("admin", "", soon), rule("admin", "", later)}, bound, v1alpha1.ReasonReady, "", "2026-11-28T14:00:00Z"},
		"and without end":  {"", []v1alpha1.TenantRoleBinding{rule("admin", "", ""), rule("admin", "", later)}, bound, v1alpha1.ReasonReady, "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := MemberFacts{
				Member: membership("jane", "org:admin").ClerkMember, Standing: Standing{Role: Role{Key: "org:admin"}},
				Organization: organization, Rules: rulesOf(t, tc.rules...), Now: noon, Subject: "clerk:jane", Bindings: tc.bindings,
			}
			status := facts.Status()
			_, reason := condition.IsReady(status.Conditions)
			message := ""
			for _, c := range status.Conditions {
				message += c.Message
			}
			if reason != tc.want || !strings.Contains(message, tc.says) {
				t.Errorf("%s: Ready is %s (%s), want %s (%s)", tc.reason, reason, message, tc.want, tc.says)
			}
			expires := ""
			if status.Expires != nil {
				expires = status.Expires.Format(time.RFC3339)
			}
			if expires != tc.expires {
				t.Errorf("%s: it expires %q, want %q", tc.reason, expires, tc.expires)
			}
		})
	}
}

// A class without conditions looks at nothing but the role: not even at metadata that is there.
func TestWithoutConditionsNothingIsRead(t *testing.T) {
	t.Parallel()
	holder := holderOf(`{"a":1}`, &v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: new(metav1.NowMicro())}})
	rules := rulesOf(t, v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin"})
	if !rules[0].Given(holder, noon).Holds || holder.variables != nil {
		t.Errorf("it made variables: %v", holder.variables)
	}
}
