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
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Class is a TenantClass whose expressions are compiled.
type Class struct {
	object  *v1alpha1.TenantClass
	match   *predicate
	entries []entry

	// misfit: its match rule does not compile, so that it is not known for whom it is.
	misfit bool
}

// entry is a compiled TenantNamespace.
type entry struct {
	source          v1alpha1.TenantNamespace
	name            *Template
	labels          map[string]*Template
	annotations     map[string]*Template
	resourceQuota   *quota
	limitRange      limitRange
	networkPolicies []networkPolicy
	rules           []Rule
}

// CompileClass compiles every expression of a class. The error names each field that is wrong. The class is returned even then: whose
// grants have to go can be told by the role bindings that are right.
func CompileClass(object *v1alpha1.TenantClass) (*Class, error) {
	class := &Class{object: object}
	var errs []error
	if object.Spec.Match != "" {
		var err error
		class.match, err = compileMatch(object.Spec.Match)
		class.misfit, errs = err != nil, appendAt(errs, "spec.match", err)
	}
	for i := range object.Spec.Namespaces {
		compiled, err := compileEntry(object.Spec.Namespaces[i], fmt.Sprintf("spec.namespaces[%d]", i))
		class.entries, errs = append(class.entries, compiled), append(errs, err)
	}
	return class, errors.Join(errs...)
}

// compileMatch compiles the rule that says for whom a class is. It may not count members: an organization would move to and fro.
func compileMatch(source string) (*predicate, error) {
	match, err := organizationScope.predicate(source)
	if err == nil {
		match.partial, err = organizationScope.env.Program(match.ast.Ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptPartialEval))
	}
	if err == nil && readsField(match.ast.Ast, typeOf(Organization{}), fieldMembers) {
		return nil, fmt.Errorf("expression %q reads organization.members: say in spec.members how many get the class and keep it", source)
	}
	return match, err
}

func appendAt(errs []error, path string, err error) []error {
	if err == nil {
		return errs
	}
	return append(errs, fmt.Errorf("%s: %w", path, err))
}

func compileEntry(source v1alpha1.TenantNamespace, path string) (entry, error) {
	compiled := entry{source: source}
	var errs []error
	var err error
	compiled.name, err = organizationScope.template(source.Name)
	errs = appendAt(errs, path+".name", err)
	compiled.labels, err = compileMap(source.Labels, path+".labels")
	errs = append(errs, err, checkConstants(compiled.labels, path+".labels"))
	compiled.annotations, err = compileMap(source.Annotations, path+".annotations")
	errs = append(errs, err)
	compiled.resourceQuota, err = compileQuota(source.ResourceQuota, path+".resourceQuota")
	errs = append(errs, err)
	compiled.limitRange, err = compileLimits(source.LimitRange, path+".limitRange")
	errs = append(errs, err)
	for i, policy := range source.NetworkPolicies {
		compiledPolicy, err := compilePolicy(policy)
		errs = appendAt(errs, fmt.Sprintf("%s.networkPolicies[%d]", path, i), err)
		compiled.networkPolicies = append(compiled.networkPolicies, compiledPolicy)
	}
	for i, binding := range source.RoleBindings {
		rule, err := compileRule(source.Name, binding)
		compiled.rules, errs = append(compiled.rules, rule), appendAt(errs, fmt.Sprintf("%s.roleBindings[%d]", path, i), err)
	}
	return compiled, errors.Join(errs...)
}

// reservedKeys are labels that the API server or the operator sets on namespaces itself.
var reservedKeys = []string{corev1.LabelMetadataName, v1alpha1.ManagedByLabel}

func compileMap(source map[string]string, path string) (map[string]*Template, error) {
	compiled := make(map[string]*Template, len(source))
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(source)) {
		at := fmt.Sprintf("%s[%s]", path, key)
		if strings.HasPrefix(key, v1alpha1.ReservedPrefix) || slices.Contains(reservedKeys, key) {
			errs = append(errs, fmt.Errorf("%s: the key is the operator's own: leave it out", at))
			continue
		}
		if problems := validation.IsQualifiedName(key); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s: %s", at, strings.Join(problems, "; ")))
			continue
		}
		template, err := organizationScope.template(source[key])
		compiled[key], errs = template, appendAt(errs, at, err)
	}
	return compiled, errors.Join(errs...)
}

// checkConstants says which labels can have no value, whatever the organization.
func checkConstants(labels map[string]*Template, path string) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value, constant := labels[key].constant()
		if !constant {
			continue
		}
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s[%s]: the value is no label value: %s", path, key, strings.Join(problems, "; ")))
		}
	}
	return errors.Join(errs...)
}

// Name of the TenantClass.
func (c *Class) Name() string { return c.object.Name }

// Rules are all role bindings of a class, whatever the namespace; none where the class is nil.
func (c *Class) Rules() []Rule {
	if c == nil {
		return nil
	}
	var rules []Rule
	for i := range c.entries {
		rules = append(rules, c.entries[i].rules...)
	}
	return rules
}

// Select returns the class for an organization, nil if none is: of those whose rule matches, else of those without a rule, the
// one of the highest priority, then the first by name. current is the class that it has, "" if none: fewer members keep a class than get
// it. A rule that reads what was dropped of the organization may match or not, and so may one that depends on what Clerk has not
// told of it: where that decides, the error says so.
func Select(classes []*Class, organization Organization, current string) (*Class, error) {
	members := organization.Members
	organization.Members = 0 // no rule sees it, whatever way it takes
	variables := map[string]any{"organization": organization}
	var candidates, defaults []*Class
	doubts := map[*Class]string{}
	for _, class := range classes {
		switch {
		case !class.isForSize(members, current):
			continue
		case class.match == nil && class.object.Spec.Members == (v1alpha1.TenantClassMembers{}):
			defaults = append(defaults, class)
			continue
		case class.match == nil:
			candidates = append(candidates, class)
			continue
		}
		doubts[class] = class.match.doubt(organization, variables)
		if doubts[class] != "" || class.match.holds(variables) {
			candidates = append(candidates, class)
		}
	}
	if len(candidates) == 0 {
		candidates = defaults
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(candidates, byPriority)
	if unknown := doubts[first]; unknown != "" {
		return nil, fmt.Errorf("spec.match of the TenantClass %s reads %s", first.Name(), unknown)
	}
	return first, nil
}

// isForSize tells whether a class is for organizations with so many members: to keep it, fewer are enough.
func (c *Class) isForSize(members int64, current string) bool {
	bounds := c.object.Spec.Members
	if current == c.Name() && bounds.KeepAtLeast != nil {
		return members >= int64(*bounds.KeepAtLeast)
	}
	return members >= int64(bounds.AtLeast)
}

func byPriority(a, b *Class) int {
	if difference := priority(b.object) - priority(a.object); difference != 0 {
		return difference
	}
	return strings.Compare(a.object.Name, b.object.Name)
}

func priority(class *v1alpha1.TenantClass) int {
	if class.Spec.Priority == nil {
		return 0
	}
	return int(*class.Spec.Priority)
}

// Namespace is a namespace as it should be.
type Namespace struct {
	// Template is the entry's name, unexpanded: what tells the entries of a class apart.
	Template string

	// Name that the namespace gets when it is made. One that would be too long is cut already, and has the hash of the organization's id.
	Name string

	Labels          map[string]string
	Annotations     map[string]string
	ResourceQuota   *corev1.ResourceQuotaSpec
	LimitRange      *corev1.LimitRangeSpec
	NetworkPolicies map[string]networkingv1.NetworkPolicySpec
	RoleBindings    []Rule

	// DerivedAccess is Capped or None; "" where the class bounds nothing.
	DerivedAccess v1alpha1.DerivedAccess

	// Hosts is OwnDomains; "" where the class bounds nothing.
	Hosts v1alpha1.HostPolicy

	// OwnDomains are the domains that the organization has proven to own.
	OwnDomains []string

	// Creators is Record, or "" where nobody records who makes what.
	Creators v1alpha1.CreatorPolicy
}

// Render says which namespaces an organization should have. The error names the expression that failed.
func (c *Class) Render(organization Organization) ([]Namespace, error) {
	namespaces := make([]Namespace, 0, len(c.entries))
	for i := range c.entries {
		namespace, err := c.entries[i].render(organization)
		if err != nil {
			return nil, fmt.Errorf("spec.namespaces[%d]%w", i, err)
		}
		namespace.DerivedAccess = boundOf(c.object.Spec.DerivedAccess)
		if c.object.Spec.Hosts == v1alpha1.HostsOwnDomains {
			namespace.Hosts, namespace.OwnDomains = v1alpha1.HostsOwnDomains, organization.domainNames()
		}
		if c.object.Spec.Creators == v1alpha1.CreatorsRecorded {
			namespace.Creators = v1alpha1.CreatorsRecorded
		}
		namespaces = append(namespaces, namespace)
	}
	return namespaces, nil
}

// boundOf is "" for what bounds nothing.
func boundOf(access v1alpha1.DerivedAccess) v1alpha1.DerivedAccess {
	if access == v1alpha1.DerivedAccessUnlimited {
		return ""
	}
	return access
}

func (e *entry) render(organization Organization) (Namespace, error) {
	variables := map[string]any{"organization": organization}
	namespace := Namespace{Template: e.source.Name, RoleBindings: e.rules}
	var err error
	if namespace.Name, err = e.name.expand(variables); err != nil {
		return namespace, fmt.Errorf(".name: %w", err)
	}
	namespace.Name = fittingName(namespace.Name, organization.ID)
	if namespace.Labels, err = expandMap(e.labels, variables); err != nil {
		return namespace, fmt.Errorf(".labels%w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(namespace.Labels)) {
		if problems := validation.IsValidLabelValue(namespace.Labels[key]); len(problems) > 0 {
			return namespace, fmt.Errorf(".labels[%s]: the value that it expands to is no label value: %s", key, strings.Join(problems, "; "))
		}
	}
	if namespace.Annotations, err = expandMap(e.annotations, variables); err != nil {
		return namespace, fmt.Errorf(".annotations%w", err)
	}
	if namespace.ResourceQuota, err = e.resourceQuota.expand(variables); err != nil {
		return namespace, fmt.Errorf(".resourceQuota%w", err)
	}
	if namespace.LimitRange, err = e.limitRange.expand(variables); err != nil {
		return namespace, fmt.Errorf(".limitRange%w", err)
	}
	namespace.NetworkPolicies = make(map[string]networkingv1.NetworkPolicySpec, len(e.networkPolicies))
	for i := range e.networkPolicies {
		spec, err := e.networkPolicies[i].expand(variables)
		if err != nil {
			return namespace, fmt.Errorf(".networkPolicies[%d]: %w", i, err)
		}
		namespace.NetworkPolicies[e.networkPolicies[i].name] = spec
	}
	return namespace, nil
}

func expandMap(templates map[string]*Template, variables map[string]any) (map[string]string, error) {
	expanded := make(map[string]string, len(templates))
	for _, key := range slices.Sorted(maps.Keys(templates)) { // of several errors always the same one, so that a status rests
		value, err := templates[key].expand(variables)
		if err != nil {
			return nil, fmt.Errorf("[%s]: %w", key, err)
		}
		expanded[key] = value
	}
	return expanded, nil
}
