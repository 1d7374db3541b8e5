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

package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// elements is how many rules or limits an object of a class may have.
	elements = 1024

	// removals is how many unwanted objects of a kind go at a time.
	removals = 32
)

func quotaOf(resources int) *v1alpha1.TenantResourceQuota {
	spec := &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{}}
	for i := range resources {
		spec.Hard[corev1.ResourceName(fmt.Sprintf("count/r%d.x", i))] = "1"
	}
	return spec
}

func policyOf(rules int) v1alpha1.TenantNetworkPolicy {
	return v1alpha1.TenantNetworkPolicy{Name: "rules", Spec: v1alpha1.TenantNetworkPolicySpec{
		Ingress:     make([]v1alpha1.TenantIngressRule, rules),
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}}
}

// longPolicy has one rule and very many bytes.
func longPolicy() v1alpha1.TenantNetworkPolicy {
	policy := policyOf(1)
	var values []string
	for i := range 600 {
		values = append(values, fmt.Sprintf("%063d", i))
	}
	policy.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: values}}
	return policy
}

func limitsOf(limits int) *v1alpha1.TenantLimitRange {
	spec := &v1alpha1.TenantLimitRange{}
	for range limits {
		spec.Limits = append(spec.Limits, v1alpha1.TenantLimitRangeItem{Type: string(corev1.LimitTypeContainer)})
	}
	return spec
}

func TestAClassWithObjectsThatAreTooLargeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.TenantNamespace){
		"too many rules": func(n *v1alpha1.TenantNamespace) {
			n.NetworkPolicies = []v1alpha1.TenantNetworkPolicy{policyOf(elements + 1)}
		},
		"too long a rule": func(n *v1alpha1.TenantNamespace) {
			n.NetworkPolicies = []v1alpha1.TenantNetworkPolicy{longPolicy()}
		},
		"too many resources": func(n *v1alpha1.TenantNamespace) { n.ResourceQuota = quotaOf(elements + 1) },
		"too many limits":    func(n *v1alpha1.TenantNamespace) { n.LimitRange = limitsOf(elements + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t, func(class *v1alpha1.TenantClass) { change(&class.Spec.Namespaces[0]) })
			class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}
			wantStalled(t, class, v1alpha1.ReasonInvalid, "at most 32768 and 1024 are allowed")
			organization := tn.createOrganization()
			wantStalled(t, organization, v1alpha1.ReasonTenantClassInvalid, "")
			if err := cluster.Get(t.Context(), client.ObjectKey{Name: tn.namespace()}, &corev1.Namespace{}); client.IgnoreNotFound(err) != nil || err == nil {
				t.Errorf("it got a namespace: %v", err)
			}
			edit(t, class, func(c *v1alpha1.TenantClass) {
				c.Spec.Namespaces[0].ResourceQuota, c.Spec.Namespaces[0].LimitRange, c.Spec.Namespaces[0].NetworkPolicies = nil, nil, nil
			})
			wantReady(t, class)
			wantReady(t, organization)
		})
	}
}

func TestObjectsAsLargeAsAClassMayHaveAreKeptAndRest(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].NetworkPolicies = []v1alpha1.TenantNetworkPolicy{policyOf(elements)}
		class.Spec.Namespaces[0].ResourceQuota = quotaOf(elements)
	})
	member := tn.join("org:admin")
	organization := tn.createOrganization()
	wantReady(t, organization)
	policy := get(t, &networkingv1.NetworkPolicy{}, tn.namespace(), "rules")
	if len(policy.Spec.Ingress) != elements {
		t.Errorf("it has %d rules", len(policy.Spec.Ingress))
	}
	// Another look finds them as they should be: were they dropped from the cache, they would be written again.
	edit(t, organization, func(o *v1alpha1.ClerkOrganization) { o.Spec.Name, o.Spec.UpdatedAt = "Renamed", tn.tick() })
	wantReady(t, organization)
	if now := get(t, &networkingv1.NetworkPolicy{}, tn.namespace(), "rules"); now.ResourceVersion != policy.ResourceVersion {
		t.Error("the NetworkPolicy was written again")
	}
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
}

// TestAnnotationsThatExpandToTooMuchAreSaid has a class of which the API server only sees the templates.
func TestAnnotationsThatExpandToTooMuchAreSaid(t *testing.T) {
	t.Parallel()
	long := "${'" + strings.Repeat("a", 8000) + "'}"
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		annotations := map[string]string{}
		for i := range 40 { // 320 kB: Kubernetes allows 256 kB
			annotations[fmt.Sprintf("example.com/%d", i)] = long
		}
		class.Spec.Namespaces[0].Annotations = annotations
	})
	wantReady(t, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}})
	organization := tn.createOrganization()
	wantStalled(t, organization, v1alpha1.ReasonRejected, "annotations")
	edit(t, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}, func(c *v1alpha1.TenantClass) {
		c.Spec.Namespaces[0].Annotations = nil
	})
	wantReady(t, organization)
}

// TestHoweverManyUnwantedObjectsThereAreAllGo labels NetworkPolicies as the operator's, as somebody can where the guards are off. Of these only
// some go in one look.
func TestHoweverManyUnwantedObjectsThereAreAllGo(t *testing.T) {
	for _, many := range []int{removals - 1, removals, removals + 1, 2*removals + 1} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
				class.Spec.Namespaces[0].NetworkPolicies = []v1alpha1.TenantNetworkPolicy{policyOf(1)}
			})
			organization := tn.createOrganization()
			wantReady(t, organization)
			for i := range many {
				must(t, cluster.Create(t.Context(), &networkingv1.NetworkPolicy{
					ObjectMeta: metav1.ObjectMeta{Namespace: tn.namespace(), Name: fmt.Sprintf("foreign-%d", i), Labels: map[string]string{
						v1alpha1.OrganizationIDLabel: tn.id, v1alpha1.InstanceLabel: tn.instance, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy,
					}},
					Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
				}))
			}
			eventually(t, "what nobody wants goes", func(ctx context.Context) error {
				var policies networkingv1.NetworkPolicyList
				if err := cluster.List(ctx, &policies, client.InNamespace(tn.namespace())); err != nil {
					return err
				}
				if len(policies.Items) != 1 || policies.Items[0].Name != "rules" {
					return fmt.Errorf("there are %d", len(policies.Items))
				}
				return nil
			})
			wantReady(t, organization)
		})
	}
}
