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

package e2e

import (
	"context"
	"fmt"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// staffRole is what ClusterGrants may give.
const staffRole = "view"

// grantStaff gives the members of some organizations something in the whole cluster, and waits until they have it.
func grantStaff(t *testing.T, organizationIDs []string) *v1alpha1.ClusterGrant {
	t.Helper()
	grant := &v1alpha1.ClusterGrant{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "staff-"},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: "default"}, OrganizationIDs: organizationIDs, Role: roleMember, ClusterRole: staffRole,
		},
	}
	must(t, cluster.Create(t.Context(), grant))
	t.Cleanup(func() { _ = cluster.Delete(context.WithoutCancel(t.Context()), grant) })
	wantStaff(t, grant, true)
	return grant
}

// wantStaff waits until anybody, or nobody, has something by a ClusterGrant.
func wantStaff(t *testing.T, grant *v1alpha1.ClusterGrant, anybody bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("anybody has something by the ClusterGrant: %t", anybody), func(ctx context.Context) error {
		var binding rbacv1.ClusterRoleBinding
		err := cluster.Get(ctx, client.ObjectKey{Name: tenant.ClusterBindingName(grant.Name)}, &binding)
		if err = client.IgnoreNotFound(err); err == nil && (len(binding.Subjects) > 0) != anybody {
			err = fmt.Errorf("it names %d", len(binding.Subjects))
		}
		return err
	})
}
