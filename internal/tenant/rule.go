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
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Rule is a role binding of a class whose expressions are compiled.
type Rule struct {
	v1alpha1.TenantRoleBinding

	// Entry is the name, unexpanded, of the class's entry that it is of.
	Entry string

	when, until *expression

	// broken is why they do not compile: it gives nothing.
	broken error
}

// expression is one whose value is not written as text.
type expression struct {
	source  string
	program cel.Program
	ast     *compiled
}

// compileRule compiles the expressions of a role binding. With an error, the rule gives nothing to anybody.
func compileRule(entry string, source v1alpha1.TenantRoleBinding) (Rule, error) {
	rule := Rule{TenantRoleBinding: source, Entry: entry}
	var errs []error
	if source.When != "" {
		when, err := grantScope.predicate(source.When)
		if err == nil {
			rule.when = &expression{source: source.When, program: when.program, ast: when.ast}
		}
		errs = appendAt(errs, "when", err)
	}
	if source.Until != "" {
		var err error
		rule.until, err = grantScope.moment(source.Until)
		errs = appendAt(errs, "until", err)
	}
	rule.broken = errors.Join(errs...)
	return rule, rule.broken
}

// moment compiles an expression that gives a time, or none.
func (s scope) moment(source string) (*expression, error) {
	ast, program, err := s.compile(source)
	if err != nil {
		return nil, err
	}
	switch kind := ast.OutputType(); kind.Kind() {
	case types.TimestampKind, types.StringKind, types.DynKind, types.NullTypeKind:
	default:
		if !isOptional(kind) {
			return nil, fmt.Errorf("expression %q gives %s: it has to be a timestamp, or the text of one", source, kind)
		}
	}
	return &expression{source: source, program: program, ast: ast}, nil
}

func isOptional(kind *types.Type) bool {
	return kind.Kind() == types.OpaqueKind && kind.TypeName() == types.OptionalType.TypeName()
}

// IsFor tells whether a rule is for a role or one of its permissions, those too that are withheld.
func (r *Rule) IsFor(role Role) bool {
	if r.Role != "" {
		return r.Role == role.Key
	}
	return slices.Contains(role.Permissions, r.Permission) || slices.Contains(role.Withheld, r.Permission)
}

// needsPlan tells whether what a rule gives may depend on the organization's plan.
func (r *Rule) needsPlan() bool { return MayNeedPlan(r.TenantRoleBinding) }

// MayNeedPlan tells whether what a rule gives may depend on the organization's plan: a permission may need one of its features.
func MayNeedPlan(rule v1alpha1.TenantRoleBinding) bool {
	_, needsFeature := FeatureOf(rule.Permission)
	return needsFeature || rule.When != "" || rule.Until != ""
}

// IsConditional tells whether it depends on more than the role whether a rule gives anything.
func (r *Rule) IsConditional() bool { return r.When != "" || r.Until != "" }

// Given is what a rule comes to for a member at one moment.
type Given struct {
	// Holds: the member gets the ClusterRole.
	Holds bool

	// Until is when that ends by itself, or has ended; nil if it does not.
	Until *time.Time

	// Reason is why the member does not get it, as in a condition, and Message says it in words. Both are empty where the rule is not for
	// the member's role.
	Reason, Message string
}

// Given says what a rule comes to for a member. What cannot be decided gives nothing.
func (r *Rule) Given(holder *Holder, now time.Time) Given {
	switch {
	case !r.IsFor(holder.Role):
		return Given{}
	case r.broken != nil:
		return undecided(r.broken)
	case r.Permission != "" && slices.Contains(holder.Role.Withheld, r.Permission):
		return Given{Reason: v1alpha1.ReasonFeatureNotInPlan, Message: holder.organization.billing.whyWithheld(r.Permission)}
	case !r.IsConditional():
		return Given{Holds: true}
	}
	return holder.given(r, now)
}

// weigh evaluates the expressions of a rule for a member whose role it is for.
func (r *Rule) weigh(holder *Holder, now time.Time) Given {
	if r.when != nil {
		value, err := holder.value(r.when)
		switch {
		case err != nil:
			return undecided(fmt.Errorf("when: %w", err))
		case value != types.True && value != types.False:
			return undecided(fmt.Errorf("when: expression %q gives a %s: it has to be true or false", r.When, value.Type().TypeName()))
		case value == types.False:
			return Given{Reason: v1alpha1.ReasonConditionNotMet, Message: fmt.Sprintf("when is not true: %s", r.When)}
		}
	}
	if r.until == nil {
		return Given{Holds: true}
	}
	return r.weighUntil(holder, now)
}

func (r *Rule) weighUntil(holder *Holder, now time.Time) Given {
	value, err := holder.value(r.until)
	if err != nil {
		return undecided(fmt.Errorf("until: %w", err))
	}
	end, err := endOf(value)
	switch {
	case err != nil:
		return undecided(fmt.Errorf("until: expression %q: %w", r.Until, err))
	case end == nil:
		return Given{Holds: true}
	case now.IsZero() || !now.Before(*end):
		return Given{Until: end, Reason: v1alpha1.ReasonExpired, Message: "it ended at " + end.Format(time.RFC3339)}
	}
	return Given{Holds: true, Until: end}
}

func undecided(err error) Given {
	return Given{Reason: v1alpha1.ReasonConditionUndecided, Message: err.Error()}
}

// endOf reads a time, to the second; nil is no end. The year 1 is a time like any other, and no end that is missing.
func endOf(value ref.Val) (*time.Time, error) {
	switch v := value.(type) {
	case types.Null:
		return nil, nil //nolint:nilnil // no end is an answer
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil //nolint:nilnil // no end is an answer
		}
		return endOf(v.GetValue())
	case types.Timestamp:
		return endAt(v.Time)
	case types.String:
		end, err := time.Parse(time.RFC3339, string(v))
		if err != nil {
			return nil, errors.New("its value is no time in the form of RFC 3339")
		}
		return endAt(end)
	}
	return nil, fmt.Errorf("its value is a %s: it has to be a timestamp, or the text of one", value.Type().TypeName())
}

// endAt is an end, to the second. A status can say the years 1 to 9999: what an offset moves out of them is refused.
func endAt(end time.Time) (*time.Time, error) {
	end = end.UTC().Truncate(time.Second)
	if year := end.Year(); year < 1 || year > 9999 {
		return nil, errors.New("its value is not in the years 1 to 9999")
	}
	return &end, nil
}

// Holder is a member who may have access, as rules see them: not deleted, not banned, and with a name in RBAC. It serves one decision.
type Holder struct {
	Subject string
	Role    Role // with what the organization's plan leaves of it

	// member and user, nil if not mirrored, are what expressions are about, besides the organization.
	member       *v1alpha1.ClerkMember
	user         *v1alpha1.ClerkUser
	organization Organization

	// variables are made when they are first asked for. decided is what expressions came to so far, by their texts.
	variables map[string]any
	decided   map[conditions]Given
}

// conditions are the texts of a rule's expressions: several rules often have the same.
type conditions struct{ when, until string }

// NewHolder is a member with a name in RBAC and a standing, in an organization.
func NewHolder(subject string, member *v1alpha1.ClerkMember, standing Standing, organization Organization) *Holder {
	role := organization.billing.limit(standing.Role)
	return &Holder{Subject: subject, Role: role, member: member, user: standing.User, organization: organization}
}

// decide evaluates all that rules ask of the member, and keeps no more than what that came to: what the metadata of one member takes while
// it is read is so not held for all members at once.
func (h *Holder) decide(rules []Rule, now time.Time) {
	for i := range rules {
		rules[i].Given(h, now)
	}
	h.variables = nil
}

// given evaluates the expressions of a rule, once.
func (h *Holder) given(rule *Rule, now time.Time) Given {
	asked := conditions{rule.When, rule.Until}
	known, isKnown := h.decided[asked]
	if isKnown {
		return known
	}
	if h.decided == nil {
		h.decided = map[conditions]Given{}
	}
	given := rule.weigh(h, now)
	h.decided[asked] = given
	return given
}

func (h *Holder) value(e *expression) (ref.Val, error) {
	if h.variables == nil {
		h.variables = map[string]any{
			variableUser: UserOf(h.member, h.user), variableMember: MemberOf(h.member, h.Role), variableOrganization: h.organization,
		}
	}
	return h.evaluate(e)
}

func (h *Holder) evaluate(e *expression) (ref.Val, error) {
	if unknown := unknownRead(e.ast, h.variables); unknown != "" {
		return nil, fmt.Errorf("expression %q reads %s", e.source, unknown)
	}
	value, _, err := e.program.Eval(h.variables)
	if err != nil {
		return nil, fmt.Errorf("expression %q failed: %s", e.source, failure(err, e.source))
	}
	return value, nil
}

// HasRule tells whether a class has a rule of some kind.
func HasRule(class *v1alpha1.TenantClass, isSuch func(v1alpha1.TenantRoleBinding) bool) bool {
	return slices.ContainsFunc(class.Spec.Namespaces, func(namespace v1alpha1.TenantNamespace) bool {
		return slices.ContainsFunc(namespace.RoleBindings, isSuch)
	})
}

// CountsMembers tells whether what a rule gives may depend on how many members there are.
func CountsMembers(rule v1alpha1.TenantRoleBinding) bool {
	return strings.Contains(rule.When, fieldMembers) || strings.Contains(rule.Until, fieldMembers)
}

// TakesByCount tells whether a class may take access from members since there are more of them.
func TakesByCount(class *v1alpha1.TenantClass) bool {
	return class.Spec.Members != (v1alpha1.TenantClassMembers{}) || HasRule(class, CountsMembers)
}
