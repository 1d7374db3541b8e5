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
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// storedMember is a member of an organization as it comes from the API server.
func storedMember(t *testing.T, number int) *v1alpha1.ClerkMember {
	t.Helper()
	member := &v1alpha1.ClerkMember{}
	err := json.Unmarshal([]byte(fmt.Sprintf(`{
		"metadata": {"name": "default.orgmem-%d", "labels": {"clerk-operator.io/organization-id": "org_1"},
			"managedFields": [{"manager": "any"}]},
		"spec": {"instance": "default", "id": "orgmem_%d", "organizationID": "org_1", "role": "org:admin", "permissions": ["org:posts:read"]},
		"status": {
			"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "all is well"}],
			"bindings": [{"namespace": "org-acme", "name": "clerk-admin", "clusterRole": "admin"}]}}`, number, number)), member)
	if err != nil {
		t.Fatal(err)
	}
	return member
}

func TestMembersShareWhatTheySayAlike(t *testing.T) {
	values, members := newShared(), [2]*v1alpha1.ClerkMember{}
	for i := range members {
		want := storedMember(t, i)
		want.ManagedFields = nil
		kept, err := values.keep(storedMember(t, i))
		if err != nil {
			t.Fatal(err)
		}
		members[i] = kept.(*v1alpha1.ClerkMember)
		if got, want := asJSON(t, members[i]), asJSON(t, want); got != want {
			t.Errorf("the cache keeps %s of %s", got, want)
		}
		if conditions := members[i].Status.Conditions; cap(conditions) != len(conditions) {
			t.Errorf("there is room for %d conditions, and %d are there", cap(conditions), len(conditions))
		}
	}
	for field, of := range map[string]func(*v1alpha1.ClerkMember) string{
		"spec.instance":             func(m *v1alpha1.ClerkMember) string { return m.Spec.Instance },
		"spec.organizationID":       func(m *v1alpha1.ClerkMember) string { return m.Spec.OrganizationID },
		"spec.role":                 func(m *v1alpha1.ClerkMember) string { return m.Spec.Role },
		"spec.permissions":          func(m *v1alpha1.ClerkMember) string { return m.Spec.Permissions[0] },
		"a condition's type":        func(m *v1alpha1.ClerkMember) string { return m.Status.Conditions[0].Type },
		"a condition's message":     func(m *v1alpha1.ClerkMember) string { return m.Status.Conditions[0].Message },
		"a RoleBinding's namespace": func(m *v1alpha1.ClerkMember) string { return m.Status.Bindings[0].Namespace },
		"a label":                   func(m *v1alpha1.ClerkMember) string { return m.Labels[v1alpha1.OrganizationIDLabel] },
	} {
		if unsafe.StringData(of(members[0])) != unsafe.StringData(of(members[1])) {
			t.Errorf("%s is in memory twice", field)
		}
	}
}

func TestRoleBindingsShareWhatTheySayAlike(t *testing.T) {
	tenants, bindings := NewTenantObjects(), [2]*rbacv1.RoleBinding{}
	for i := range bindings {
		kept, err := tenants.keep(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "org-acme", Name: "clerk-admin", UID: "a",
				OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindOrganization}},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: strings.Clone("admin")},
			Subjects: []rbacv1.Subject{{APIGroup: strings.Clone(rbacv1.GroupName), Kind: strings.Clone("User"), Name: "clerk:user_1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		bindings[i] = kept.(*rbacv1.RoleBinding)
	}
	for field, of := range map[string]func(*rbacv1.RoleBinding) string{
		"roleRef.name":         func(b *rbacv1.RoleBinding) string { return b.RoleRef.Name },
		"a subject's kind":     func(b *rbacv1.RoleBinding) string { return b.Subjects[0].Kind },
		"a subject's apiGroup": func(b *rbacv1.RoleBinding) string { return b.Subjects[0].APIGroup },
	} {
		if unsafe.StringData(of(bindings[0])) != unsafe.StringData(of(bindings[1])) {
			t.Errorf("%s is in memory twice", field)
		}
	}
}

func TestWhatIsSharedIsBounded(t *testing.T) {
	values := newShared()
	for i := range 3 * maxShared {
		value := fmt.Sprintf("value %d", i)
		values.one(&value)
		if want := fmt.Sprintf("value %d", i); value != want {
			t.Fatalf("%q became %q", want, value)
		}
		labels := map[string]string{"a": value, "b": "=,"}
		if got := values.set(labels); !maps.Equal(got, labels) {
			t.Fatalf("%v became %v", labels, got)
		}
	}
	long := strings.Repeat("a", maxSharedBytes+1)
	values.one(&long)
	if _, known := values.strings[long]; known || len(values.strings) > maxShared || len(values.labels) > maxShared {
		t.Errorf("%d strings and %d sets of labels are shared, a long one among them: %t", len(values.strings), len(values.labels), known)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
