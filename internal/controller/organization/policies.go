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

package organization

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// maxRemovals bounds how many objects that are not wanted go in one look at a namespace, by kind: a member could label thousands, and
// everybody else of the organization would wait. A class has at most 32 of a kind.
const maxRemovals = 32

// ensurePolicies makes the quota, the limits and the network policies of a namespace what they should be.
func (e *enforcement) ensurePolicies(ctx context.Context, namespace string, want *tenant.Namespace) {
	quotas, limits, policies := map[string]any{}, map[string]any{}, map[string]any{}
	if want.ResourceQuota != nil {
		quotas[tenant.PolicyName] = *want.ResourceQuota
	}
	if want.LimitRange != nil {
		limits[tenant.PolicyName] = *want.LimitRange
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
			e.unmark(name, namespace, objects.kind)
			e.attempt(write.Delete(ctx, e.Client, object), "delete %s %s/%s", objects.kind, namespace, name)
			continue
		}
		exists[name], right[name] = true, !cached.IsReduced(object) && equality.Semantic.DeepEqual(objects.spec(object), spec)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if right[name] {
			e.markRight(name, namespace, objects.kind, wanted[name])
			continue
		}
		apply := e.createPolicy
		if exists[name] {
			apply = e.replacePolicy
		}
		if e.attempt(apply(ctx, namespace, name, objects, wanted[name]), "apply %s %s/%s", objects.kind, namespace, name) {
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
	return e.Client.Apply(ctx, configuration, write.FieldOwner, client.ForceOwnership)
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
	return e.Client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch), write.FieldOwner)
}
