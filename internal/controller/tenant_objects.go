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

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// maxRemovals bounds how many objects that are not wanted go in one look at a namespace, by kind: a member could label thousands, and
// everybody else of the organization would wait. A class has at most 32 of a kind.
const maxRemovals = 32

// policyName is the name of the ResourceQuota and the LimitRange that the operator keeps in a namespace.
const policyName = "clerk-operator"

// ensureNamespace makes a namespace, or sets the labels and annotations of the one that is there. It returns the namespace's
// name, and false while it cannot be used.
func (v *visit) ensureNamespace(ctx context.Context, want *tenant.Namespace, existing string) (string, bool) {
	at := slices.IndexFunc(v.have.namespaces, func(namespace corev1.Namespace) bool { return namespace.Name == existing })
	if at < 0 {
		return v.makeNamespace(ctx, want)
	}
	have := &v.have.namespaces[at]
	if have.DeletionTimestamp != nil {
		v.failures.add(terminating(have.Name))
		return "", false
	}
	patch, err := metadataPatch(have, desiredMetadata(want, v.have.organization))
	if err != nil || patch == nil {
		v.settle(have.Name, "", "Namespace", shape(want))
		return have.Name, v.attempt(err, "compare namespace %s", have.Name)
	}
	err = v.client.Patch(ctx, &corev1.Namespace{ObjectMeta: nameOf(have)}, client.RawPatch(types.MergePatchType, patch), fieldOwner)
	if err == nil {
		v.noteDrift(ctx, have.Name, "", "Namespace", shape(want))
		v.settle(have.Name, "", "Namespace", shape(want))
	}
	return have.Name, v.attempt(err, "label namespace %s", have.Name)
}

func terminating(name string) problem {
	return problem{reason: v1alpha1.ReasonNamespaceTerminating,
		message: fmt.Sprintf("the namespace %s is being deleted; it is made again when it is gone", name)}
}

// makeNamespace creates, and never applies: a namespace that exists and is not this organization's stays as it is.
func (v *visit) makeNamespace(ctx context.Context, want *tenant.Namespace) (string, bool) {
	if err := tenant.CheckName(want.Name, v.operatorNamespace); err != nil {
		v.failures.add(problem{reason: v1alpha1.ReasonNamespaceNameInvalid, stalled: true, message: err.Error()})
		return "", false
	}
	organization := v.have.organization
	candidates := want.Candidates(organization.Spec.ID)
	for _, name := range candidates {
		err := v.createNamespace(ctx, name, want)
		if err == nil {
			return name, true
		}
		if !apierrors.IsAlreadyExists(err) {
			return name, v.attempt(err, "create namespace %s", name)
		}
		var have corev1.Namespace
		if err := v.live.Get(ctx, types.NamespacedName{Name: name}, &have); err != nil {
			return name, v.attempt(err, "read namespace %s", name)
		}
		if !isOf(&have, organization) || slices.Contains(v.filled, name) {
			continue // somebody else's, or another entry's whose name comes out the same
		}
		if have.DeletionTimestamp != nil {
			v.failures.add(terminating(name))
			return "", false
		}
		v.recent.put(organization.UID, &have)
		return name, true
	}
	v.failures.add(problem{reason: v1alpha1.ReasonNamespaceTaken, stalled: true, err: errNamespaceTaken,
		message: fmt.Sprintf("the namespaces %s exist and are not this organization's, or are in use for another entry of the TenantClass: "+
			"delete one, change the name in the TenantClass, or adopt one with the label %s=%s",
			strings.Join(candidates, ", "), v1alpha1.OrganizationIDLabel, organization.Spec.ID)})
	return "", false
}

var errNamespaceTaken = errors.New("the namespace is taken")

func (v *visit) createNamespace(ctx context.Context, name string, want *tenant.Namespace) error {
	organization := v.have.organization
	metadata := desiredMetadata(want, organization)
	metadata.labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedBy
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: metadata.labels, Annotations: metadata.annotations}}
	if err := v.client.Create(ctx, namespace, fieldOwner, client.DisableReadYourWritesConsistency); err != nil {
		return err
	}
	v.recent.put(organization.UID, namespace)
	v.settle(name, "", "Namespace", shape(want))
	v.tell(ctx, organization, namespaceCreated(want.Template))
	return nil
}

// metadata are labels and annotations.
type metadata struct {
	labels      map[string]string
	annotations map[string]string
}

// managedKeys lists the labels and annotations that a TenantClass set; it is kept in an annotation.
type managedKeys struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

func desiredMetadata(want *tenant.Namespace, organization *v1alpha1.ClerkOrganization) metadata {
	desired := metadata{labels: maps.Clone(want.Labels), annotations: maps.Clone(want.Annotations)}
	keys, err := json.Marshal(managedKeys{
		Labels: slices.Sorted(maps.Keys(want.Labels)), Annotations: slices.Sorted(maps.Keys(want.Annotations)),
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	desired.labels[v1alpha1.OrganizationIDLabel], desired.labels[v1alpha1.InstanceLabel] = organization.Spec.ID, organization.Spec.Instance
	desired.annotations[v1alpha1.NameTemplateAnnotation] = want.Template
	desired.annotations[v1alpha1.ManagedMetadataAnnotation] = string(keys)
	return desired
}

// metadataPatch is the JSON merge patch that makes a namespace's metadata as desired; nil if it is. Keys that the operator did not
// set are left alone.
func metadataPatch(have *corev1.Namespace, desired metadata) ([]byte, error) {
	var before managedKeys
	if managed := have.Annotations[v1alpha1.ManagedMetadataAnnotation]; managed != "" {
		// What nobody can read names no key that would have to go.
		_ = json.Unmarshal([]byte(managed), &before)
	}
	labels := difference(have.Labels, desired.labels, before.Labels)
	annotations := difference(have.Annotations, desired.annotations, before.Annotations)
	if len(labels) == 0 && len(annotations) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
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

// ensurePolicies makes the quota, the limits and the network policies of a namespace what they should be.
func (v *visit) ensurePolicies(ctx context.Context, namespace string, want *tenant.Namespace) {
	quotas, limits, policies := map[string]any{}, map[string]any{}, map[string]any{}
	if want.ResourceQuota != nil {
		quotas[policyName] = *want.ResourceQuota
	}
	if want.LimitRange != nil {
		limits[policyName] = *want.LimitRange
	}
	for name, spec := range want.NetworkPolicies {
		policies[name] = spec
	}
	v.ensure(ctx, namespace, quotaKind, v.have.quotas[namespace], quotas)
	v.ensure(ctx, namespace, limitKind, v.have.limits[namespace], limits)
	v.ensure(ctx, namespace, policyKind, v.have.networkPolicies[namespace], policies)
}

// policyObjects are a kind of object that limits a namespace.
type policyObjects struct {
	kind  string
	empty func() client.Object
	spec  func(client.Object) any
	apply func(name, namespace string, labels map[string]string, spec any) (runtime.ApplyConfiguration, error)
}

var (
	quotaKind = policyObjects{
		kind:  "ResourceQuota",
		empty: func() client.Object { return &corev1.ResourceQuota{} },
		spec:  func(object client.Object) any { return object.(*corev1.ResourceQuota).Spec },
		apply: func(name, namespace string, labels map[string]string, spec any) (runtime.ApplyConfiguration, error) {
			configuration, err := configurationOf[corev1ac.ResourceQuotaSpecApplyConfiguration](spec)
			return corev1ac.ResourceQuota(name, namespace).WithLabels(labels).WithSpec(configuration), err
		},
	}
	limitKind = policyObjects{
		kind:  "LimitRange",
		empty: func() client.Object { return &corev1.LimitRange{} },
		spec:  func(object client.Object) any { return object.(*corev1.LimitRange).Spec },
		apply: func(name, namespace string, labels map[string]string, spec any) (runtime.ApplyConfiguration, error) {
			configuration, err := configurationOf[corev1ac.LimitRangeSpecApplyConfiguration](spec)
			return corev1ac.LimitRange(name, namespace).WithLabels(labels).WithSpec(configuration), err
		},
	}
	policyKind = policyObjects{
		kind:  "NetworkPolicy",
		empty: func() client.Object { return &networkingv1.NetworkPolicy{} },
		spec:  func(object client.Object) any { return object.(*networkingv1.NetworkPolicy).Spec },
		apply: func(name, namespace string, labels map[string]string, spec any) (runtime.ApplyConfiguration, error) {
			configuration, err := configurationOf[networkingv1ac.NetworkPolicySpecApplyConfiguration](spec)
			return networkingv1ac.NetworkPolicy(name, namespace).WithLabels(labels).WithSpec(configuration), err
		},
	}
)

// configurationOf turns a spec into the form that server-side apply takes: the two are the same JSON.
func configurationOf[C any](spec any) (*C, error) {
	encoded, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	configuration := new(C)
	err = json.Unmarshal(encoded, configuration)
	return configuration, err
}

// ensure makes the objects of one kind in a namespace those that are wanted, by name.
func (v *visit) ensure(ctx context.Context, namespace string, objects policyObjects, have []client.Object, wanted map[string]any) {
	exists, right, removed := map[string]bool{}, map[string]bool{}, 0
	for _, object := range have {
		name := object.GetName()
		spec, isWanted := wanted[name]
		if !isWanted {
			removed++
			if removed > maxRemovals {
				continue // the next look, which these removals bring about, goes on
			}
			gone := objects.empty()
			gone.SetName(name)
			gone.SetNamespace(namespace)
			v.unsettle(name, namespace, objects.kind)
			v.attempt(v.remove(ctx, gone, object.GetUID()), "delete %s %s/%s", objects.kind, namespace, name)
			continue
		}
		exists[name], right[name] = true, !isReduced(object) && equality.Semantic.DeepEqual(objects.spec(object), spec)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if right[name] {
			v.settle(name, namespace, objects.kind, wanted[name])
			continue
		}
		write := v.createPolicy
		if exists[name] {
			write = v.replacePolicy
		}
		if v.attempt(write(ctx, namespace, name, objects, wanted[name]), "apply %s %s/%s", objects.kind, namespace, name) {
			v.noteDrift(ctx, name, namespace, objects.kind, wanted[name])
			v.settle(name, namespace, objects.kind, wanted[name])
		}
	}
}

func (v *visit) createPolicy(ctx context.Context, namespace, name string, objects policyObjects, spec any) error {
	configuration, err := objects.apply(name, namespace, tenantLabels(v.have.organization), spec)
	if err != nil {
		return err
	}
	return v.client.Apply(ctx, configuration, fieldOwner, client.ForceOwnership)
}

// replacePolicy replaces the whole spec. An apply would leave in place what somebody else added.
func (v *visit) replacePolicy(ctx context.Context, namespace, name string, objects policyObjects, spec any) error {
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
	if err != nil {
		return err
	}
	object := objects.empty()
	object.SetName(name)
	object.SetNamespace(namespace)
	return v.client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch), fieldOwner)
}

// tenantLabels mark what the operator keeps in a namespace.
func tenantLabels(organization *v1alpha1.ClerkOrganization) map[string]string {
	return map[string]string{
		v1alpha1.OrganizationIDLabel: organization.Spec.ID,
		v1alpha1.InstanceLabel:       organization.Spec.Instance,
		v1alpha1.ManagedByLabel:      v1alpha1.ManagedBy,
	}
}

func nameOf(object client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: object.GetName(), Namespace: object.GetNamespace()}
}

// shape is what of a namespace itself is put right.
func shape(want *tenant.Namespace) any {
	return []any{want.Template, want.Labels, want.Annotations}
}
