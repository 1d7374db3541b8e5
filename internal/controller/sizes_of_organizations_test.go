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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Applications make an organization for every sign-up: such a one has nothing, and is as it should be.
func TestAnOrganizationGetsANamespaceOnceItHasMembers(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) { class.Spec.Namespaces = []v1alpha1.TenantNamespace{} })
	team := tn.newClass()
	team.Name, team.Spec.Priority = tn.class+"-team", new(int32(1))
	team.Spec.Members = v1alpha1.TenantClassMembers{AtLeast: 3, KeepAtLeast: new(int32(2))}
	must(t, cluster.Create(t.Context(), team))
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:member")
	served := func(by string, members int32) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s serves the organization of %d", by, members), func(ctx context.Context) error {
			if err := cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization); err != nil {
				return err
			}
			if status := organization.Status; status.ClassName != by || status.Members == nil || *status.Members != members {
				return fmt.Errorf("it has %+v", status)
			}
			return nil
		})
		wantReady(t, organization)
	}
	served(tn.class, 2)
	wantCondition(t, jane, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRoleNotMapped)
	var namespaces corev1.NamespaceList
	must(t, cluster.List(t.Context(), &namespaces, client.MatchingLabels{v1alpha1.OrganizationIDLabel: tn.id}))
	if len(namespaces.Items) != 0 {
		t.Errorf("it has %d namespaces", len(namespaces.Items))
	}
	lea := tn.join("org:member")
	served(team.Name, 3)
	wantSubjects(t, tn.namespace(), "view", subjectOf(joe), subjectOf(lea))
	tn.leave(lea)
	served(team.Name, 2)
	wantSubjects(t, tn.namespace(), "view", subjectOf(joe))
	tn.leave(joe)
	served(tn.class, 1)
	wantSubjects(t, tn.namespace(), "admin")
	wantSubjects(t, tn.namespace(), "view")
}

func TestBoundsOfMembersThatLetAnOrganizationMoveToAndFroAreRefused(t *testing.T) {
	t.Parallel()
	tn := unservedTenancy(t)
	class := tn.newClass()
	class.Spec.Members = v1alpha1.TenantClassMembers{AtLeast: 3, KeepAtLeast: new(int32(3))}
	if err := cluster.Create(t.Context(), class, client.DryRunAll); err == nil {
		t.Error("it was accepted")
	}
}
