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
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// TestAQuotaFollowsTheOrganizationsPlan changes an organization's plan, and what the application stores with it. What that makes invalid
// changes nothing, and concerns this organization alone.
func TestAQuotaFollowsTheOrganizationsPlan(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		namespace := &class.Spec.Namespaces[0]
		namespace.ResourceQuota = &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{
			corev1.ResourcePods: `${organization.plan == "pro" ? "100" : "10"}`,
			"requests.cpu":      `${organization.publicMetadata.?cpu.orValue(1)}`,
		}}
		namespace.NetworkPolicies = []v1alpha1.TenantNetworkPolicy{{Name: "web", Spec: v1alpha1.TenantNetworkPolicySpec{
			Ingress: []v1alpha1.TenantIngressRule{{
				Ports: []v1alpha1.TenantPolicyPort{{Port: `${organization.publicMetadata.?port.orValue(8080)}`}},
			}},
		}}}
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed, "organization.plan, which Clerk has not told")
	free := tn.subscribe("free")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantLimits := func(pods, cpu string, port int) {
		t.Helper()
		eventually(t, "the quota and the port", func(ctx context.Context) error {
			var quota corev1.ResourceQuota
			if err := cluster.Get(ctx, client.ObjectKey{Namespace: tn.namespace(), Name: tenant.PolicyName}, &quota); err != nil {
				return err
			}
			var policy networkingv1.NetworkPolicy
			if err := cluster.Get(ctx, client.ObjectKey{Namespace: tn.namespace(), Name: "web"}, &policy); err != nil {
				return err
			}
			hard := quota.Spec.Hard
			havePods, haveCPU, havePort := hard[corev1.ResourcePods], hard["requests.cpu"], policy.Spec.Ingress[0].Ports[0].Port
			if havePods.String() != pods || haveCPU.String() != cpu || havePort.IntValue() != port {
				return fmt.Errorf("%s pods, %s CPUs, port %s", &havePods, &haveCPU, havePort)
			}
			return nil
		})
	}
	store := func(values map[string]any) {
		t.Helper()
		values["test"] = tn.id
		edit(t, organization, func(o *v1alpha1.ClerkOrganization) {
			o.Spec.UpdatedAt = tn.tick()
			o.Spec.PublicMetadata = metadataOf(t, values)
		})
	}
	wantLimits("10", "1", 8080)
	pro := tn.subscribe("pro")
	tn.endItem(free, time.Now())
	wantLimits("100", "1", 8080)
	store(map[string]any{"cpu": "2500m", "port": 9090})
	wantLimits("100", "2500m", 9090)
	wantReady(t, organization)

	store(map[string]any{"cpu": "as many as there are"})
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed,
		"spec.namespaces[0].resourceQuota.hard[requests.cpu]: what it expands to is not a quantity, such as 10, 500m or 2Gi")
	wantLimits("100", "2500m", 9090)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReady(t, classOfTenancy(tn))

	tn.leave(jane) // access goes all the same
	wantSubjects(t, tn.namespace(), "admin")
	store(map[string]any{})
	tn.endItem(pro, time.Now())
	wantLimits("10", "1", 8080)
	wantReady(t, organization)

	edit(t, classOfTenancy(tn), func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].ResourceQuota.Hard["requests.cpu"] = "${organization.publicMetadata.plann()}"
	})
	wantStalled(t, classOfTenancy(tn), v1alpha1.ReasonInvalid, "spec.namespaces[0].resourceQuota.hard[requests.cpu]: expression")
	wantLimits("10", "1", 8080)
}
