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
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxQuantity is how long a quantity may be, in characters: far longer than any in use, and too short for numbers that take long to compute
// with.
const maxQuantity = 64

// quantityForm is that of a quantity. An exponent has two digits at most: adding to a number of a billion digits would take all memory.
var quantityForm = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$`)

var (
	errNoQuantity = errors.New("is not a quantity, such as 10, 500m or 2Gi")
	errNegative   = errors.New("is a quantity below 0")
)

func parseQuantity(text string) (resource.Quantity, error) {
	if len(text) > maxQuantity || !quantityForm.MatchString(text) {
		return resource.Quantity{}, errNoQuantity
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return quantity, errNoQuantity
	}
	return quantity, nil
}

// amount is a quantity of which there may be none or more, not less.
func amount(text string) (resource.Quantity, error) {
	quantity, err := parseQuantity(text)
	if err == nil && quantity.Sign() < 0 {
		err = errNegative
	}
	return quantity, err
}

// quantities are those of a list of resources: constant ones, and templates of others.
type quantities struct {
	constant  corev1.ResourceList
	templates map[corev1.ResourceName]*Template
}

func compileQuantities(source map[corev1.ResourceName]v1alpha1.TenantQuantity, path string) (quantities, error) {
	if source == nil {
		return quantities{}, nil
	}
	compiled := quantities{constant: make(corev1.ResourceList, len(source)), templates: map[corev1.ResourceName]*Template{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(source)) {
		at := fmt.Sprintf("%s[%s]", path, name)
		template, err := organizationScope.template(string(source[name]))
		if err != nil {
			errs = appendAt(errs, at, err)
			continue
		}
		text, isConstant := template.constant()
		if !isConstant {
			compiled.templates[name] = template
			continue
		}
		quantity, err := amount(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q %w", at, text, err))
		}
		compiled.constant[name] = quantity
	}
	return compiled, errors.Join(errs...)
}

// expand is the list for an organization: nil where the class has none. The error does not say the value, which may be personal.
func (q quantities) expand(variables map[string]any) (corev1.ResourceList, error) {
	if q.constant == nil {
		return nil, nil
	}
	expanded := maps.Clone(q.constant)
	for _, name := range slices.Sorted(maps.Keys(q.templates)) { // of several errors always the same one, so that a status rests
		text, err := q.templates[name].expand(variables)
		if err != nil {
			return nil, fmt.Errorf("[%s]: %w", name, err)
		}
		quantity, err := amount(text)
		if err != nil {
			return nil, fmt.Errorf("[%s]: what it expands to %w", name, err)
		}
		expanded[name] = quantity
	}
	return expanded, nil
}

// quota is a compiled ResourceQuota; nil is none.
type quota struct {
	source *v1alpha1.TenantResourceQuota
	hard   quantities
}

func compileQuota(source *v1alpha1.TenantResourceQuota, path string) (*quota, error) {
	if source == nil {
		return nil, nil
	}
	hard, err := compileQuantities(source.Hard, path+".hard")
	compiled := &quota{source: source, hard: hard}
	size := compiled.with(hard.constant)
	return compiled, errors.Join(append(appendAt(nil, path, CheckQuotaSize(size)), err)...)
}

func (q *quota) with(hard corev1.ResourceList) *corev1.ResourceQuotaSpec {
	return &corev1.ResourceQuotaSpec{Hard: hard, Scopes: q.source.Scopes, ScopeSelector: q.source.ScopeSelector}
}

// expand is the ResourceQuota of an organization, as the API server stores it.
func (q *quota) expand(variables map[string]any) (*corev1.ResourceQuotaSpec, error) {
	if q == nil {
		return nil, nil
	}
	hard, err := q.hard.expand(variables)
	if err != nil {
		return nil, fmt.Errorf(".hard%w", err)
	}
	spec := withQuotaDefaults(q.with(hard))
	if err := CheckQuotaSize(spec); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return spec, nil
}

// limitRange is a compiled LimitRange; nil is none.
type limitRange []limits

// limits is a compiled item of a LimitRange, with its lists in the order of limitLists.
type limits struct {
	kind  corev1.LimitType
	lists [len(limitLists)]quantities
}

// limitLists are the names of an item's lists.
var limitLists = [...]string{"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}

func sourceLists(item *v1alpha1.TenantLimitRangeItem) [len(limitLists)]map[corev1.ResourceName]v1alpha1.TenantQuantity {
	return [...]map[corev1.ResourceName]v1alpha1.TenantQuantity{
		item.Max, item.Min, item.Default, item.DefaultRequest, item.MaxLimitRequestRatio,
	}
}

func resultLists(item *corev1.LimitRangeItem) [len(limitLists)]*corev1.ResourceList {
	return [...]*corev1.ResourceList{&item.Max, &item.Min, &item.Default, &item.DefaultRequest, &item.MaxLimitRequestRatio}
}

func compileLimits(source *v1alpha1.TenantLimitRange, path string) (limitRange, error) {
	if source == nil {
		return nil, nil
	}
	compiled := make(limitRange, len(source.Limits))
	var errs []error
	for i := range source.Limits {
		compiled[i].kind = corev1.LimitType(source.Limits[i].Type)
		for j, list := range sourceLists(&source.Limits[i]) {
			var err error
			compiled[i].lists[j], err = compileQuantities(list, fmt.Sprintf("%s.limits[%d].%s", path, i, limitLists[j]))
			errs = append(errs, err)
		}
	}
	constant, _ := compiled.with(func(q quantities) (corev1.ResourceList, error) { return q.constant, nil })
	return compiled, errors.Join(append(appendAt(nil, path, CheckLimitsSize(constant)), errs...)...)
}

// with is the LimitRange with the lists that it is given.
func (l limitRange) with(list func(quantities) (corev1.ResourceList, error)) (*corev1.LimitRangeSpec, error) {
	spec := &corev1.LimitRangeSpec{Limits: make([]corev1.LimitRangeItem, len(l))}
	for i := range l {
		spec.Limits[i].Type = l[i].kind
		for j, into := range resultLists(&spec.Limits[i]) {
			var err error
			if *into, err = list(l[i].lists[j]); err != nil {
				return nil, fmt.Errorf(".limits[%d].%s%w", i, limitLists[j], err)
			}
		}
	}
	return spec, nil
}

// expand is the LimitRange of an organization, as the API server stores it.
func (l limitRange) expand(variables map[string]any) (*corev1.LimitRangeSpec, error) {
	if l == nil {
		return nil, nil
	}
	spec, err := l.with(func(q quantities) (corev1.ResourceList, error) { return q.expand(variables) })
	if err != nil {
		return nil, err
	}
	spec = withLimitDefaults(spec)
	if err := CheckLimitsSize(spec); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return spec, nil
}
