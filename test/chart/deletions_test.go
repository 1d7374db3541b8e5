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

package chart_test

import (
	"context"
	"errors"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

// named is what every mirrored object of these tests is called by.
func named(id string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", id)}
}

// keepers are objects without which somebody would have access again, and others.
func keepers() map[string]struct {
	object client.Object
	kept   bool
} {
	now := metav1.NewMicroTime(time.Now())
	user := func(change func(*v1alpha1.ClerkUserSpec)) client.Object {
		id := clerktest.RandomID("user")
		user := &v1alpha1.ClerkUser{ObjectMeta: named(id), Spec: v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: &now}}}
		change(&user.Spec)
		return user
	}
	member := func(deletedAt *metav1.MicroTime) client.Object {
		id := clerktest.RandomID("orgmem")
		member := &v1alpha1.ClerkMember{ObjectMeta: named(id), Spec: v1alpha1.ClerkMemberSpec{
			Entity:         v1alpha1.Entity{Instance: "default", ID: id, DeletedAt: deletedAt},
			OrganizationID: "org_gone",
			UserID:         "user_gone",
		}}
		if deletedAt == nil { // a tombstone keeps neither
			member.Spec.Role, member.Spec.UpdatedAt = "org:admin", &now
		}
		return member
	}
	gone, living, role, permission := clerktest.RandomID("org"), clerktest.RandomID("org"), clerktest.RandomID("role"), clerktest.RandomID("perm")
	item, domain := clerktest.RandomID("csub_item"), clerktest.RandomID("orgdmn")
	return map[string]struct {
		object client.Object
		kept   bool
	}{
		"a banned user":        {user(func(spec *v1alpha1.ClerkUserSpec) { spec.Banned = new(true) }), true},
		"a deprovisioned user": {user(func(spec *v1alpha1.ClerkUserSpec) { spec.Deprovisioned = new(true) }), true},
		"a user's tombstone":   {user(func(spec *v1alpha1.ClerkUserSpec) { spec.DeletedAt, spec.UpdatedAt = &now, nil }), true},
		"a living user":        {user(func(*v1alpha1.ClerkUserSpec) {}), false},
		"a member's tombstone": {member(&now), true},
		"a living member":      {member(nil), false},
		"an organization's tombstone": {&v1alpha1.ClerkOrganization{ObjectMeta: named(gone), Spec: v1alpha1.ClerkOrganizationSpec{
			Entity: v1alpha1.Entity{Instance: "default", ID: gone, DeletedAt: &now},
		}}, true},
		"a living organization": {&v1alpha1.ClerkOrganization{ObjectMeta: named(living), Spec: v1alpha1.ClerkOrganizationSpec{
			Entity: v1alpha1.Entity{Instance: "default", ID: living, UpdatedAt: &now},
			Name:   "Acme",
		}}, false},
		"a role": {&v1alpha1.ClerkRole{ObjectMeta: named(role), Spec: v1alpha1.ClerkRoleSpec{
			Entity: v1alpha1.Entity{Instance: "default", ID: role, UpdatedAt: &now},
			Key:    "org:keeper",
		}}, true},
		"a permission": {&v1alpha1.ClerkPermission{ObjectMeta: named(permission), Spec: v1alpha1.ClerkPermissionSpec{
			Entity: v1alpha1.Entity{Instance: "default", ID: permission, UpdatedAt: &now},
			Key:    "org:keeper:read",
		}}, true},
		"a domain": {&v1alpha1.ClerkOrganizationDomain{ObjectMeta: named(domain), Spec: v1alpha1.ClerkOrganizationDomainSpec{
			Entity:         v1alpha1.Entity{Instance: "default", ID: domain, UpdatedAt: &now},
			OrganizationID: living,
			Name:           "acme.example",
		}}, true},
		"a subscription item": {&v1alpha1.ClerkSubscriptionItem{ObjectMeta: named(item), Spec: v1alpha1.ClerkSubscriptionItemSpec{
			Entity:         v1alpha1.Entity{Instance: "default", ID: item, UpdatedAt: &now},
			OrganizationID: living,
			Status:         v1alpha1.SubscriptionActive,
		}}, true},
	}
}

func TestNobodyButTheOperatorDeletesWhatKeepsSomebodyOut(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	for name, test := range keepers() {
		t.Run(name, func(t *testing.T) {
			if err := who.operator.Create(t.Context(), test.object); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, who.admin.Delete(t.Context(), test.object, client.DryRunAll), test.kept)
			wantRefused(t, who.admin.DeleteAllOf(t.Context(), test.object,
				client.MatchingFields{"metadata.name": test.object.GetName()}, client.DryRunAll), test.kept)
			wantRefused(t, who.brokenGlass.Delete(t.Context(), test.object, client.DryRunAll), false)
			wantRefused(t, who.operator.Delete(t.Context(), test.object), false)
		})
	}
}

// A kind is deleted with all of its objects by the API server itself, which asks no guard: uninstalling cannot get stuck.
func TestAKindGoesWithItsTombstonesAlthoughTheyAreGuarded(t *testing.T) {
	t.Parallel()
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	mustHelm(t, cp, "install", release, chart, "-n", namespace, "--create-namespace", "--set", oneCommand())
	if err := guarded(t.Context(), cp); err != nil {
		t.Fatal(err)
	}
	administrator, err := client.New(cp.Config(), client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range keepers() {
		if err := administrator.Create(t.Context(), test.object); err != nil {
			t.Fatal(err)
		}
	}
	ordinary := ordinaryAdmin(t, cp, administrator)
	for _, kind := range []string{"clerkusers", "clerkmembers", "clerkorganizations", "clerkroles", "clerkpermissions", "clerksubscriptionitems", "clerkorganizationdomains"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: kind + ".clerk-operator.io"}}
		if err := ordinary.Delete(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			err := ordinary.Get(t.Context(), client.ObjectKeyFromObject(crd), crd)
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(errors.New(kind+" is still there"), err)
		})
	}
}

// ordinaryAdmin is a cluster-admin of another control plane, in no group that the guards let through.
func ordinaryAdmin(t *testing.T, cp *controlplane.ControlPlane, administrator client.Client) client.Client {
	t.Helper()
	config, err := cp.UserConfig("ordinary-admin")
	if err != nil {
		t.Fatal(err)
	}
	err = administrator.Create(context.WithoutCancel(t.Context()), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test:ordinary-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "ordinary-admin"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	scheme := administrator.Scheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	ordinary, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return ordinary
}
