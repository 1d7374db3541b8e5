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

// ensureNamespace makes the namespace of an entry, or sets the labels and annotations of the one that is there. It returns the namespace's
// name, and false while it cannot be used. taken are the names of those that fill another entry.
func (e *enforcement) ensureNamespace(ctx context.Context, entry *tenant.Entry, taken map[string]bool) (string, bool) {
	have := entry.Existing
	if have == nil {
		return e.makeNamespace(ctx, &entry.Namespace, taken)
	}
	if have.DeletionTimestamp != nil {
		e.problems.Add(terminating(have.Name))
		return "", false
	}
	patch, err := metadataPatch(have, desiredMetadata(&entry.Namespace, e.organization()))
	if err != nil || patch == nil {
		e.markRight(have.Name, "", "Namespace", shape(&entry.Namespace))
		return have.Name, e.attempt(err, "compare namespace %s", have.Name)
	}
	err = e.client.Patch(ctx, &corev1.Namespace{ObjectMeta: nameOf(have)}, client.RawPatch(types.MergePatchType, patch), fieldOwner)
	if err == nil {
		e.reportDrift(ctx, have.Name, "", "Namespace", shape(&entry.Namespace))
		e.markRight(have.Name, "", "Namespace", shape(&entry.Namespace))
	}
	return have.Name, e.attempt(err, "label namespace %s", have.Name)
}

func terminating(name string) tenant.Problem {
	return tenant.Problem{Reason: v1alpha1.ReasonNamespaceTerminating,
		Message: fmt.Sprintf("the namespace %s is being deleted; it is made again when it is gone", name)}
}

// makeNamespace creates, and never applies: a namespace that exists and is not this organization's stays as it is.
func (e *enforcement) makeNamespace(ctx context.Context, want *tenant.Namespace, taken map[string]bool) (string, bool) {
	if err := tenant.CheckName(want.Name, e.operatorNamespace); err != nil {
		e.problems.Add(tenant.Problem{Reason: v1alpha1.ReasonNamespaceNameInvalid, Stalled: true, Message: err.Error()})
		return "", false
	}
	candidates := want.Candidates(e.organization().Spec.ID)
	for _, name := range candidates {
		err := e.createNamespace(ctx, name, want)
		if err == nil {
			return name, true
		}
		if !apierrors.IsAlreadyExists(err) {
			return name, e.attempt(err, "create namespace %s", name)
		}
		var have corev1.Namespace
		if err := e.live.Get(ctx, types.NamespacedName{Name: name}, &have); err != nil {
			return name, e.attempt(err, "read namespace %s", name)
		}
		if !tenant.IsNamespaceOf(&have, e.organization()) || taken[name] {
			continue // somebody else's, or another entry's whose name comes out the same
		}
		if have.DeletionTimestamp != nil {
			e.problems.Add(terminating(name))
			return "", false
		}
		e.recent.put(e.organization().UID, &have)
		return name, true
	}
	e.problems.Add(tenant.Problem{Reason: v1alpha1.ReasonNamespaceTaken, Stalled: true, Retry: true,
		Message: fmt.Sprintf("the namespaces %s exist and are not this organization's, or are in use for another entry of the TenantClass: "+
			"delete one, change the name in the TenantClass, or adopt one with the label %s=%s",
			strings.Join(candidates, ", "), v1alpha1.OrganizationIDLabel, e.organization().Spec.ID)})
	return "", false
}

func (e *enforcement) createNamespace(ctx context.Context, name string, want *tenant.Namespace) error {
	organization := e.organization()
	metadata := desiredMetadata(want, organization)
	metadata.labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedBy
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: metadata.labels, Annotations: metadata.annotations}}
	if err := e.client.Create(ctx, namespace, fieldOwner, client.DisableReadYourWritesConsistency); err != nil {
		return err
	}
	e.recent.put(organization.UID, namespace)
	e.markRight(name, "", "Namespace", shape(want))
	e.tell(ctx, organization, namespaceCreated(want.Template))
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
func (e *enforcement) ensurePolicies(ctx context.Context, namespace string, want *tenant.Namespace) {
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
	e.ensure(ctx, namespace, quotaKind, e.policies.quotas[namespace], quotas)
	e.ensure(ctx, namespace, limitKind, e.policies.limits[namespace], limits)
	e.ensure(ctx, namespace, policyKind, e.policies.networkPolicies[namespace], policies)
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
func (e *enforcement) ensure(ctx context.Context, namespace string, objects policyObjects, have []client.Object, wanted map[string]any) {
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
			e.unmark(name, namespace, objects.kind)
			e.attempt(e.remove(ctx, gone, object.GetUID()), "delete %s %s/%s", objects.kind, namespace, name)
			continue
		}
		exists[name], right[name] = true, !isReduced(object) && equality.Semantic.DeepEqual(objects.spec(object), spec)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if right[name] {
			e.markRight(name, namespace, objects.kind, wanted[name])
			continue
		}
		write := e.createPolicy
		if exists[name] {
			write = e.replacePolicy
		}
		if e.attempt(write(ctx, namespace, name, objects, wanted[name]), "apply %s %s/%s", objects.kind, namespace, name) {
			e.reportDrift(ctx, name, namespace, objects.kind, wanted[name])
			e.markRight(name, namespace, objects.kind, wanted[name])
		}
	}
}

func (e *enforcement) createPolicy(ctx context.Context, namespace, name string, objects policyObjects, spec any) error {
	configuration, err := objects.apply(name, namespace, tenant.Labels(e.organization()), spec)
	if err != nil {
		return err
	}
	return e.client.Apply(ctx, configuration, fieldOwner, client.ForceOwnership)
}

// replacePolicy replaces the whole spec. An apply would leave in place what somebody else added.
func (e *enforcement) replacePolicy(ctx context.Context, namespace, name string, objects policyObjects, spec any) error {
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": spec}})
	if err != nil {
		return err
	}
	object := objects.empty()
	object.SetName(name)
	object.SetNamespace(namespace)
	return e.client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch), fieldOwner)
}

func nameOf(object client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: object.GetName(), Namespace: object.GetNamespace()}
}

// shape is what of a namespace itself is put right.
func shape(want *tenant.Namespace) any {
	return []any{want.Template, want.Labels, want.Annotations}
}
