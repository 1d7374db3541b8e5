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
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// PolicyName is the name of the ResourceQuota and the LimitRange that the operator keeps in a namespace.
const PolicyName = "clerk-operator"

// managedKeys lists the labels and annotations that a TenantClass set; it is kept in an annotation.
type managedKeys struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

// managedKeysOf are those of a namespace. What nobody can read names none.
func managedKeysOf(namespace *corev1.Namespace) (keys managedKeys) {
	_ = json.Unmarshal([]byte(namespace.Annotations[v1alpha1.ManagedMetadataAnnotation]), &keys)
	return keys
}

// ManagedAnnotations are the keys of the annotations of a namespace that a TenantClass set.
func ManagedAnnotations(namespace *corev1.Namespace) []string {
	return managedKeysOf(namespace).Annotations
}

// NamespaceMetadata are the labels and annotations that an organization's namespace should have.
func NamespaceMetadata(want *Namespace, organization *v1alpha1.ClerkOrganization) (labels, annotations map[string]string) {
	labels, annotations = maps.Clone(want.Labels), maps.Clone(want.Annotations)
	keys, err := json.Marshal(managedKeys{
		Labels: slices.Sorted(maps.Keys(want.Labels)), Annotations: slices.Sorted(maps.Keys(want.Annotations)),
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	labels[v1alpha1.OrganizationIDLabel], labels[v1alpha1.InstanceLabel] = organization.Spec.ID, organization.Spec.Instance
	if want.DerivedAccess != "" {
		labels[v1alpha1.DerivedAccessLabel] = string(want.DerivedAccess)
	}
	if want.Hosts != "" {
		labels[v1alpha1.HostsLabel] = string(want.Hosts)
		annotations[v1alpha1.OwnDomainsAnnotation] = strings.Join(want.OwnDomains, ",")
	}
	if want.Creators != "" {
		labels[v1alpha1.CreatorsLabel] = string(want.Creators)
	}
	annotations[v1alpha1.NameTemplateAnnotation] = want.Template
	annotations[v1alpha1.ManagedMetadataAnnotation] = string(keys)
	return labels, annotations
}

// MetadataPatch is the JSON merge patch that makes a namespace's metadata as they should be; nil if they are. Keys that the operator did
// not set are left alone.
func MetadataPatch(have *corev1.Namespace, want *Namespace, organization *v1alpha1.ClerkOrganization) ([]byte, error) {
	before := managedKeysOf(have)
	wantedLabels, wantedAnnotations := NamespaceMetadata(want, organization)
	labels := difference(have.Labels, wantedLabels,
		append(before.Labels, v1alpha1.DerivedAccessLabel, v1alpha1.HostsLabel, v1alpha1.CreatorsLabel))
	annotations := difference(have.Annotations, wantedAnnotations, append(before.Annotations, v1alpha1.OwnDomainsAnnotation))
	if len(labels) == 0 && len(annotations) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
}

// LostDomainsPatch is the JSON merge patch that takes from a namespace the domains that its organization owns no longer; nil if there are
// none. It adds none: it is for what the class does not decide about now.
func LostDomainsPatch(have *corev1.Namespace, own []string) ([]byte, error) {
	listed := have.Annotations[v1alpha1.OwnDomainsAnnotation]
	kept := slices.DeleteFunc(strings.Split(listed, ","), func(name string) bool { return !slices.Contains(own, name) })
	left := strings.Join(kept, ",")
	if left == listed {
		return nil, nil
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.OwnDomainsAnnotation: left}}})
}

// difference holds what is to be set and, as nil, what is to be taken away.
func difference(have, desired map[string]string, managed []string) map[string]*string {
	changes := map[string]*string{}
	for key, value := range desired {
		if current, set := have[key]; !set || current != value {
			changes[key] = &value
		}
	}
	for _, key := range managed {
		_, wanted := desired[key]
		if _, set := have[key]; set && !wanted {
			changes[key] = nil
		}
	}
	return changes
}
