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
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// networkPolicy is a compiled NetworkPolicy.
type networkPolicy struct {
	name   string
	source v1alpha1.TenantNetworkPolicySpec

	// spec is what it is for every organization, where no string holds an expression.
	spec networkingv1.NetworkPolicySpec

	// strings are those within the source that hold an expression, compiled.
	strings map[string]*Template
}

func compilePolicy(source v1alpha1.TenantNetworkPolicy) (networkPolicy, error) {
	compiled := networkPolicy{name: source.Name, source: source.Spec, spec: policyOf(&source.Spec)}
	var errs []error
	var err error
	compiled.strings, err = compileStrings(source.Spec)
	errs = append(errs, err, CheckPolicySize(&compiled.spec))
	checkPorts(&source.Spec, func(path string, port v1alpha1.TenantPort, problem error) {
		if _, isTemplate := compiled.strings[string(port)]; !isTemplate {
			errs = append(errs, fmt.Errorf("%s: %q %w", path, port, problem))
		}
	})
	return compiled, errors.Join(errs...)
}

// expand is the NetworkPolicy of an organization, as the API server stores it.
func (p *networkPolicy) expand(variables map[string]any) (networkingv1.NetworkPolicySpec, error) {
	if len(p.strings) == 0 {
		return withPolicyDefaults(p.spec), nil
	}
	expanded, err := mapStrings(p.source, func(text string) (string, error) {
		if template, ok := p.strings[text]; ok {
			return template.expand(variables)
		}
		return text, nil
	})
	if err != nil {
		return networkingv1.NetworkPolicySpec{}, err
	}
	checkPorts(&expanded, func(path string, _ v1alpha1.TenantPort, problem error) {
		if err == nil {
			err = fmt.Errorf("%s: what it expands to %w", path, problem)
		}
	})
	if err != nil {
		return networkingv1.NetworkPolicySpec{}, err
	}
	spec := policyOf(&expanded)
	return withPolicyDefaults(spec), CheckPolicySize(&spec)
}

// compileStrings compiles every string within a NetworkPolicy that holds an expression.
func compileStrings(spec v1alpha1.TenantNetworkPolicySpec) (map[string]*Template, error) {
	texts := map[string]*Template{}
	var errs []error
	_, err := mapStrings(spec, func(text string) (string, error) {
		if strings.Contains(text, "${") {
			template, err := organizationScope.template(text)
			texts[text], errs = template, append(errs, err)
		}
		return text, nil
	})
	return texts, errors.Join(append(errs, err)...)
}

// mapStrings returns a copy of spec in which every string value is what change makes of it. Keys stay as they are.
func mapStrings(
	spec v1alpha1.TenantNetworkPolicySpec, change func(string) (string, error),
) (v1alpha1.TenantNetworkPolicySpec, error) {
	var result v1alpha1.TenantNetworkPolicySpec
	encoded, err := json.Marshal(spec)
	if err != nil {
		return result, err
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		return result, err
	}
	tree, err = walkStrings(tree, change)
	if err != nil {
		return result, err
	}
	if encoded, err = json.Marshal(tree); err != nil {
		return result, err
	}
	err = json.Unmarshal(encoded, &result)
	return result, err
}

func walkStrings(node any, change func(string) (string, error)) (any, error) {
	var err error
	switch node := node.(type) {
	case string:
		return change(node)
	case []any:
		for i := range node {
			if node[i], err = walkStrings(node[i], change); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range node {
			if node[key], err = walkStrings(node[key], change); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

// policyOf is the NetworkPolicy in Kubernetes' own type. A port that is no number is a name, and an end that is no number is left out:
// checkPorts says so.
func policyOf(source *v1alpha1.TenantNetworkPolicySpec) networkingv1.NetworkPolicySpec {
	spec := networkingv1.NetworkPolicySpec{PodSelector: source.PodSelector, PolicyTypes: source.PolicyTypes}
	for _, rule := range source.Ingress {
		spec.Ingress = append(spec.Ingress, networkingv1.NetworkPolicyIngressRule{Ports: portsOf(rule.Ports), From: rule.From})
	}
	for _, rule := range source.Egress {
		spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: portsOf(rule.Ports), To: rule.To})
	}
	return spec
}

func portsOf(source []v1alpha1.TenantPolicyPort) []networkingv1.NetworkPolicyPort {
	var ports []networkingv1.NetworkPolicyPort
	for _, from := range source {
		port := networkingv1.NetworkPolicyPort{}
		if from.Protocol != "" {
			port.Protocol = new(corev1.Protocol(from.Protocol))
		}
		if number, isNumber := portNumber(from.Port); isNumber {
			port.Port = new(intstr.FromInt32(number))
		} else if from.Port != "" {
			port.Port = new(intstr.FromString(string(from.Port)))
		}
		if number, isNumber := portNumber(from.EndPort); isNumber {
			port.EndPort = new(number)
		}
		ports = append(ports, port)
	}
	return ports
}

func portNumber(port v1alpha1.TenantPort) (number int32, isNumber bool) {
	parsed, err := strconv.ParseInt(string(port), 10, 32)
	return int32(parsed), err == nil
}

// checkPorts tells of each port that is none.
func checkPorts(spec *v1alpha1.TenantNetworkPolicySpec, tell func(path string, port v1alpha1.TenantPort, problem error)) {
	check := func(path string, ports []v1alpha1.TenantPolicyPort) {
		for i, port := range ports {
			if port.Port != "" && !isPort(port.Port) {
				tell(fmt.Sprintf("%s.ports[%d].port", path, i), port.Port, errNoPort)
			}
			if number, isNumber := portNumber(port.EndPort); port.EndPort != "" && (!isNumber || validation.IsValidPortNum(int(number)) != nil) {
				tell(fmt.Sprintf("%s.ports[%d].endPort", path, i), port.EndPort, errNoPortNumber)
			}
		}
	}
	for i, rule := range spec.Ingress {
		check(fmt.Sprintf("spec.ingress[%d]", i), rule.Ports)
	}
	for i, rule := range spec.Egress {
		check(fmt.Sprintf("spec.egress[%d]", i), rule.Ports)
	}
}

var (
	errNoPort       = errors.New("is not a port: a number from 1 to 65535, or a port's name")
	errNoPortNumber = errors.New("is not a port's number, from 1 to 65535")
)

func isPort(port v1alpha1.TenantPort) bool {
	if number, isNumber := portNumber(port); isNumber {
		return validation.IsValidPortNum(int(number)) == nil
	}
	return validation.IsValidPortName(string(port)) == nil
}
