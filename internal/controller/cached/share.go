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

package cached

import (
	"maps"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// maxShared bounds how many different strings, and how many different sets of labels, are shared among objects: those of some ten thousand
	// organizations. When there are more, it begins anew: what is in memory stays, what comes later shares among itself.
	maxShared = 1 << 16

	// maxSharedBytes is how long a string may be that is shared. Names, ids, reasons and short sentences are; what is longer hardly repeats.
	maxSharedBytes = 256

	// maxSharedLabels is how many labels a set may have that is shared. The operator's own objects have fewer.
	maxSharedLabels = 8
)

// shared keeps one copy of what many objects say alike. Each object that comes from the API server brings its own copy of every string:
// of ten thousand members, ten thousand times the name of the same role. Nothing in a cache is ever changed, so one copy serves all.
type shared struct {
	mu      sync.Mutex
	strings map[string]string
	labels  map[string]map[string]string
}

func newShared() *shared {
	return &shared{strings: map[string]string{}, labels: map[string]map[string]string{}}
}

// keep is the cache's transform for mirrored objects.
func (s *shared) keep(stored any) (any, error) {
	object, ok := stored.(client.Object)
	if !ok {
		return stored, nil // a tombstone of the cache itself
	}
	object.SetManagedFields(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	object.SetLabels(s.set(object.GetLabels()))
	if mirrored, ok := object.(v1alpha1.Mirrored); ok {
		s.one(&mirrored.GetEntity().Instance)
	}
	switch object := object.(type) {
	case *v1alpha1.ClerkOrganization:
		s.one(&object.Status.ClassName)
		object.Status.Conditions = s.conditions(object.Status.Conditions)
		object.Status.Namespaces = slices.Clone(object.Status.Namespaces)
	case *v1alpha1.ClerkMember:
		s.member(object)
	case *v1alpha1.ClerkSubscriptionItem:
		s.one((*string)(&object.Spec.Status))
		s.one(&object.Spec.Plan)
		s.one(&object.Spec.PlanID)
		object.Status.Conditions = s.conditions(object.Status.Conditions)
	case *v1alpha1.ClerkOrganizationDomain:
		s.domain(object)
	case *v1alpha1.ClerkUser:
		object.Status.Conditions = s.conditions(object.Status.Conditions)
	}
	return object, nil
}

func (s *shared) domain(domain *v1alpha1.ClerkOrganizationDomain) {
	s.one(&domain.Spec.EnrollmentMode)
	for _, verification := range []*v1alpha1.DomainVerification{&domain.Spec.Ownership, &domain.Spec.Affiliation} {
		s.one((*string)(&verification.Status))
		s.one(&verification.Strategy)
	}
	domain.Status.Conditions = s.conditions(domain.Status.Conditions)
}

func (s *shared) member(member *v1alpha1.ClerkMember) {
	s.one(&member.Spec.OrganizationID)
	s.one(&member.Spec.Role)
	member.Spec.Permissions = slices.Clone(member.Spec.Permissions)
	for i := range member.Spec.Permissions {
		s.one(&member.Spec.Permissions[i])
	}
	status := &member.Status
	status.Conditions = s.conditions(status.Conditions)
	status.Bindings = slices.Clone(status.Bindings)
	for i := range status.Bindings {
		binding := &status.Bindings[i]
		s.one(&binding.Namespace)
		s.one(&binding.Name)
		s.one(&binding.ClusterRole)
	}
}

// binding shares what RoleBindings say alike. The names of their subjects do not repeat.
func (s *shared) binding(binding *rbacv1.RoleBinding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	binding.Labels = s.set(binding.Labels)
	s.one(&binding.Name)
	s.one(&binding.RoleRef.APIGroup)
	s.one(&binding.RoleRef.Kind)
	s.one(&binding.RoleRef.Name)
	binding.Subjects = slices.Clone(binding.Subjects)
	for i := range binding.Subjects {
		s.one(&binding.Subjects[i].APIGroup)
		s.one(&binding.Subjects[i].Kind)
	}
}

// conditions are the same, with no more room than they need: what decodes JSON leaves room for others.
func (s *shared) conditions(conditions []metav1.Condition) []metav1.Condition {
	conditions = slices.Clone(conditions)
	for i := range conditions {
		condition := &conditions[i]
		s.one(&condition.Type)
		s.one((*string)(&condition.Status))
		s.one(&condition.Reason)
		s.one(&condition.Message)
	}
	return conditions
}

// one makes a string the copy that all share.
func (s *shared) one(value *string) {
	if *value == "" || len(*value) > maxSharedBytes {
		return
	}
	if known, ok := s.strings[*value]; ok {
		*value = known
		return
	}
	if len(s.strings) >= maxShared {
		clear(s.strings)
	}
	s.strings[*value] = *value
}

// set is the set of labels that all share which have the same.
func (s *shared) set(labels map[string]string) map[string]string {
	if len(labels) == 0 || len(labels) > maxSharedLabels {
		return labels
	}
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		key.WriteString(name)
		key.WriteByte('=')
		key.WriteString(labels[name])
		key.WriteByte(',') // neither is in a label's name or value
	}
	if known, ok := s.labels[key.String()]; ok {
		return known
	}
	if len(s.labels) >= maxShared {
		clear(s.labels)
	}
	own := make(map[string]string, len(labels))
	for name, value := range labels {
		s.one(&name)
		s.one(&value)
		own[name] = value
	}
	s.labels[key.String()] = own
	return own
}
