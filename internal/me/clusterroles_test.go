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

package me_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/me"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// supportEnds is when what the ClusterGrant support gives ends.
var supportEnds = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func clusterGrants() *me.ClusterGrants {
	return &me.ClusterGrants{Reader: members, Expressions: cached.NewExpressions(), Now: time.Now}
}

// createGrants writes ClusterGrants, with the ClusterRoleBindings that the operator makes of them. What is orphan has no ClusterGrant any
// more; what is mine is not the operator's.
func createGrants(ctx context.Context) error {
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: v1alpha1.ClerkInstanceSpec{
			Username: "clerk:${user.id}", Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "none"}},
		},
	}
	organization := &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", "org_acme")},
		Spec: v1alpha1.ClerkOrganizationSpec{
			Entity: v1alpha1.Entity{Instance: "default", ID: "org_acme", UpdatedAt: new(metav1.NowMicro())}, Slug: "acme",
		},
	}
	errs := []error{cluster.Create(ctx, instance), cluster.Create(ctx, organization)}
	for _, grant := range []struct{ name, role, clusterRole, account, manager string }{
		{"support", "org:admin", "view", "jane", v1alpha1.ManagedBy},
		{"on-call", "org:member", "admin", "joe", v1alpha1.ManagedBy},
		{"orphan", "", "edit", "jane", v1alpha1.ManagedBy},
		{"mine", "", "cluster-admin", "jane", "jane"},
	} {
		object := &v1alpha1.ClusterGrant{
			ObjectMeta: metav1.ObjectMeta{Name: grant.name},
			Spec: v1alpha1.ClusterGrantSpec{
				InstanceRef: v1alpha1.InstanceReference{Name: "default"}, OrganizationIDs: []string{"org_acme"}, Role: grant.role,
				ClusterRole: grant.clusterRole, Until: fmt.Sprintf("%q", supportEnds.Format(time.RFC3339)),
			},
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: tenant.ClusterBindingName(grant.name), Labels: tenant.ClusterGrantLabels(object)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: grant.clusterRole},
			Subjects: []rbacv1.Subject{
				{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "system:serviceaccount:default:" + grant.account},
				{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccount:default:stranger"},
			},
		}
		binding.Labels[v1alpha1.ManagedByLabel] = grant.manager
		if grant.role != "" {
			errs = append(errs, cluster.Create(ctx, object))
		}
		errs = append(errs, cluster.Create(ctx, binding))
	}
	return errors.Join(errs...)
}

// In their answer is what the ClusterRoleBindings of ClusterGrants give to them, and nothing that these give to others.
func TestEachLearnsWhatTheyHaveInTheWholeCluster(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, _, body := s.ask(t, http.MethodGet, me.Path, tokenOf(t, "joe"))
	var got me.Mine
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	want := []me.ClusterRole{{ClusterRole: "admin", ClusterGrant: "on-call", Until: new(metav1.NewTime(supportEnds.Local()))}}
	if diff := cmp.Diff(want, got.ClusterRoles); diff != "" || strings.Contains(body, "jane") || strings.Contains(body, "support") {
		t.Errorf("%s\n(-want +got):\n%s", body, diff)
	}
}

// What ends is told as the operator decides it.
func TestTheEndIsThatOfTheDecision(t *testing.T) {
	t.Parallel()
	var list v1alpha1.ClerkMemberList
	if err := members.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	grant := &v1alpha1.ClusterGrant{ObjectMeta: metav1.ObjectMeta{Name: "ends", UID: "ends"}, Spec: v1alpha1.ClusterGrantSpec{
		InstanceRef: v1alpha1.InstanceReference{Name: "default"}, OrganizationIDs: []string{"org_acme"}, Permission: "org:none", ClusterRole: "view",
	}}
	for name, test := range map[string]struct {
		role, until string
		want        *time.Time
	}{
		"for no role of theirs": {"org:nobody", "'2100-01-01T00:00:00Z'", nil},
		"no end":                {"org:admin", "", nil},
		"has ended":             {"org:admin", "'2000-01-01T00:00:00Z'", nil},
		"ends":                  {"org:admin", "'2100-01-01T00:00:00Z'", &supportEnds},
		"does not compile":      {"org:admin", "nothing", nil},
	} {
		other := grant.DeepCopy()
		other.UID, other.Spec.Role, other.Spec.Permission, other.Spec.Until = "", test.role, "", test.until
		have, err := cached.NewExpressions().ClusterGrantEnd(t.Context(), members, other, cached.Pointers(list.Items), time.Now())
		if err != nil || (have == nil) != (test.want == nil) || have != nil && !have.Equal(*test.want) {
			t.Errorf("%s: %v, %v, want %v", name, have, err, test.want)
		}
	}
}

func TestWhereClusterGrantsAreOffNothingIsToldOfThem(t *testing.T) {
	t.Parallel()
	s := serveWith(t, &me.Options{})
	status, _, body := s.ask(t, http.MethodGet, me.Path, tokenOf(t, "jane"))
	if status != http.StatusOK || !strings.Contains(body, "org-acme") || strings.Contains(body, "clusterRoles") {
		t.Errorf("%d %s", status, body)
	}
}
