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
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// startOperator runs the operator as the ServiceAccount that the chart made, with no other rights.
func startOperator(t *testing.T, cp *controlplane.ControlPlane) *operatorproc.Operator {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), cp, operatorproc.Options{
		LogDir: t.TempDir(), Died: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return operator
}

// tenant is an organization with one member.
type tenant struct {
	organization clerktest.Organization
	membership   clerktest.Membership
}

func newTenant(name string) tenant {
	now := time.Now()
	o := clerktest.Organization{ID: clerktest.RandomID("org"), Slug: name, CreatedAt: now, UpdatedAt: now}
	return tenant{organization: o, membership: clerktest.Membership{
		ID: clerktest.RandomID("orgmem"), Organization: o, User: clerktest.User{ID: clerktest.RandomID("user")}, Role: "org:admin", CreatedAt: now, UpdatedAt: now,
	}}
}

// namespace is the one that the default class of the chart gives.
func (n tenant) namespace() string { return "org-" + n.organization.Slug }

// user is the member's name in RBAC.
func (n tenant) user() string { return "clerk:" + n.membership.User.ID }

// deliver sends an event as Clerk does.
func deliver(t *testing.T, operator *operatorproc.Operator, event clerktest.Event) {
	t.Helper()
	status, answer, err := operator.Sender("default", signingSecret).Deliver(t.Context(), clerktest.RandomID("msg"), event)
	if err != nil || status != 204 {
		t.Fatalf("answered %d %s (%v), want 204; the end of the log:\n%s", status, answer, err, operator.LogTail())
	}
}

// waitForAccess waits until the member may, or may not, do in the namespace what the ClusterRole admin allows.
func waitForAccess(t *testing.T, c client.Client, n tenant, want bool) {
	t.Helper()
	eventually(t, func() error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               n.user(),
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: n.namespace(), Verb: "create", Group: "apps", Resource: "deployments"},
		}}
		if err := c.Create(t.Context(), review); err != nil {
			return err
		}
		if review.Status.Allowed != want {
			return fmt.Errorf("%s allowed in %s: %t, want %t", n.user(), n.namespace(), review.Status.Allowed, want)
		}
		return nil
	})
}

// The operator with exactly the chart's rights does all that it has to do: least privilege, and not less.
func TestTheChartsRightsAreEnough(t *testing.T) {
	t.Parallel()
	operator := startOperator(t, plane)
	n := newTenant("enough")
	deliver(t, operator, clerktest.MembershipCreated(n.membership)) // brings its organization along
	waitForAccess(t, cluster, n, true)
	waitForDisabled(t, n)
	deliver(t, operator, clerktest.MembershipDeleted(n.membership, time.Now()))
	waitForAccess(t, cluster, n, false)
	deliver(t, operator, clerktest.OrganizationDeleted(n.organization, time.Now()))
	eventually(t, func() error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(t.Context(), &bindings, client.InNamespace(n.namespace())); err != nil {
			return err
		}
		if len(bindings.Items) > 0 {
			return fmt.Errorf("%d RoleBindings are left", len(bindings.Items))
		}
		return nil
	})
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(operator.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(log), "\n") {
		if strings.Contains(strings.ToLower(line), "forbidden") {
			t.Errorf("something was forbidden: %s", line)
		}
	}
}

func TestTheChartsRightsAreNoMore(t *testing.T) {
	t.Parallel()
	list := plane.Kubectl(t.Context(), "auth", "can-i", "--list", "-n", namespace,
		"--as=system:serviceaccount:"+namespace+":"+operatorproc.ServiceAccount)
	if output, err := list.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	} else {
		t.Logf("what the installed account may do in its own namespace; docs/security.md says why:\n%s", output)
	}
	role := func(verb, name string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Group: rbacv1.GroupName, Resource: "clusterroles", Name: name}
	}
	for name, test := range map[string]struct {
		attributes authorizationv1.ResourceAttributes
		want       bool
		reason     string
	}{
		"bind a mapped ClusterRole":         {role("bind", "admin"), true, "the default class maps it"},
		"bind another mapped one":           {role("bind", "view"), true, "the default class maps it"},
		"bind a ClusterRole nobody mapped":  {role("bind", "edit"), false, "the default class does not map it"},
		"bind cluster-admin":                {role("bind", "cluster-admin"), false, "no class maps it"},
		"bind any ClusterRole":              {role("bind", ""), false, "names are given one by one"},
		"escalate":                          {role("escalate", "admin"), false, "it would undo the bound of bind"},
		"write a ClusterRole":               {role("update", "admin"), false, "it only binds them"},
		"read a Secret of its own":          {authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Namespace: namespace}, true, "the signing secrets"},
		"write a Secret of its own":         {authorizationv1.ResourceAttributes{Verb: "update", Resource: "secrets", Namespace: namespace}, false, "it only reads them"},
		"read a Secret of somebody else":    {authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Namespace: "default"}, false, "in its own namespace alone"},
		"list Secrets of somebody else":     {authorizationv1.ResourceAttributes{Verb: "list", Resource: "secrets", Namespace: "default"}, false, "it only deletes them"},
		"delete Secrets with tokens":        {authorizationv1.ResourceAttributes{Verb: "deletecollection", Resource: "secrets", Namespace: "default"}, true, "where a class bounds derived access; a guard says where"},
		"make a ServiceAccount again":       {authorizationv1.ResourceAttributes{Verb: "create", Resource: "serviceaccounts", Namespace: "default"}, true, "where a class bounds derived access; a guard says where"},
		"impersonate a user":                {authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "users"}, false, "it acts as itself"},
		"change a guard":                    {authorizationv1.ResourceAttributes{Verb: "update", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies"}, false, "it is what bounds it"},
		"write a ClusterRoleBinding":        {authorizationv1.ResourceAttributes{Verb: "create", Group: rbacv1.GroupName, Resource: "clusterrolebindings"}, false, "clusterGrants.clusterRoles names none"},
		"watch ClusterRoleBindings":         {authorizationv1.ResourceAttributes{Verb: "watch", Group: rbacv1.GroupName, Resource: "clusterrolebindings"}, false, "clusterGrants.clusterRoles names none"},
		"write a ClusterGrant":              {authorizationv1.ResourceAttributes{Verb: "update", Group: "clerk-operator.io", Resource: "clustergrants"}, false, "those are yours"},
		"run a pod":                         {authorizationv1.ResourceAttributes{Verb: "create", Resource: "pods"}, false, "it runs nothing"},
		"do anything with any resource":     {authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"}, false, "no wildcards"},
		"write a TenantClass":               {authorizationv1.ResourceAttributes{Verb: "update", Group: "clerk-operator.io", Resource: "tenantclasses"}, false, "those are yours"},
		"collect a tombstone of a member":   {authorizationv1.ResourceAttributes{Verb: "delete", Group: "clerk-operator.io", Resource: "clerkmembers"}, true, "tombstones"},
		"delete many namespaces in one go":  {authorizationv1.ResourceAttributes{Verb: "deletecollection", Resource: "namespaces"}, false, "one by one"},
		"ask for a token of anybody":        {authorizationv1.ResourceAttributes{Verb: "create", Resource: "serviceaccounts", Subresource: "token"}, false, "it acts as itself"},
		"ask who scrapes it":                {authorizationv1.ResourceAttributes{Verb: "create", Group: "authentication.k8s.io", Resource: "tokenreviews"}, true, "metrics"},
		"let a namespace skip admission":    {authorizationv1.ResourceAttributes{Verb: "update", Resource: "namespaces", Subresource: "finalize"}, false, "the namespace controller's"},
		"hold somebody else's leader lease": {authorizationv1.ResourceAttributes{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-system"}, false, "in its own namespace alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + namespace + ":" + operatorproc.ServiceAccount,
				Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
				ResourceAttributes: &test.attributes,
			}}
			if err := cluster.Create(t.Context(), review); err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed != test.want {
				t.Errorf("allowed: %t, want %t: %s", review.Status.Allowed, test.want, test.reason)
			}
		})
	}
}

// A stolen token of the operator reaches no namespace but those of organizations.
func TestTheOperatorIsBoundToTenants(t *testing.T) {
	t.Parallel()
	config, err := plane.ServiceAccountConfig(t.Context(), namespace, operatorproc.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	thief, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	mine := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "org-bound", Labels: map[string]string{organizationLabel: "org_bound"}}}
	capped := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "org-bound-capped",
		Labels: map[string]string{organizationLabel: "org_capped", "clerk-operator.io/derived-access": "Capped"}}}
	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bound-other"}}
	unmarked := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bound-unmarked"}}
	if err := errors.Join(cluster.Create(t.Context(), other), thief.Create(t.Context(), mine), thief.Create(t.Context(), capped)); err != nil {
		t.Fatal(err)
	}
	binding := func(namespace string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "grant", Namespace: namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "thief"}},
		}
	}
	secret := func(namespace string, kind corev1.SecretType) *corev1.Secret {
		return &corev1.Secret{Type: kind, ObjectMeta: metav1.ObjectMeta{Name: "bound", Namespace: namespace,
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "bound"}}}
	}
	account := func(namespace string) *corev1.ServiceAccount {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "bound", Namespace: namespace}}
	}
	for _, object := range []client.Object{ // without its ServiceAccount, the controller manager deletes a Secret with a token
		account(mine.Name), account(other.Name),
		secret(mine.Name, corev1.SecretTypeServiceAccountToken), secret(other.Name, corev1.SecretTypeServiceAccountToken),
	} {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	deleteSecrets := func(namespace string) func() error {
		return func() error {
			return thief.DeleteAllOf(t.Context(), &corev1.Secret{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "bound"})
		}
	}
	// Where it may delete Secrets, it may not delete those that hold no token.
	cappedSecrets := func(kind corev1.SecretType) func() error {
		return func() error {
			if err := cluster.Create(t.Context(), secret(capped.Name, kind)); err != nil {
				return err
			}
			defer func() { _ = cluster.Delete(context.WithoutCancel(t.Context()), secret(capped.Name, kind)) }()
			return deleteSecrets(capped.Name)()
		}
	}
	if err := cappedSecrets(corev1.SecretTypeServiceAccountToken)(); err != nil {
		t.Errorf("Secrets with tokens, where a class bounds derived access: %v", err)
	}
	claim := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+organizationLabel+`":"org_bound"}}}`))
	for name, test := range map[string]struct {
		do      func() error
		refused bool
	}{
		"grant in an organization's namespace":  {func() error { return thief.Create(t.Context(), binding(mine.Name)) }, false},
		"grant in kube-system":                  {func() error { return thief.Create(t.Context(), binding("kube-system")) }, true},
		"grant in its own namespace":            {func() error { return thief.Create(t.Context(), binding(namespace)) }, true},
		"make a namespace that is nobody's":     {func() error { return thief.Create(t.Context(), unmarked) }, true},
		"claim somebody's namespace":            {func() error { return thief.Patch(t.Context(), other.DeepCopy(), claim) }, true},
		"delete somebody's namespace":           {func() error { return thief.Delete(t.Context(), other.DeepCopy()) }, true},
		"delete other Secrets":                  {cappedSecrets(corev1.SecretTypeOpaque), true},
		"delete Secrets of an unbounded tenant": {deleteSecrets(mine.Name), true},
		"delete somebody's Secrets":             {deleteSecrets(other.Name), true},
		"make a ServiceAccount":                 {func() error { return thief.Create(t.Context(), account(capped.Name)) }, false},
		"make a ServiceAccount elsewhere":       {func() error { return thief.Create(t.Context(), account("kube-system")) }, true},
		"delete a ServiceAccount elsewhere":     {func() error { return thief.Delete(t.Context(), account(other.Name)) }, true},
		"delete one of an unbounded tenant":     {func() error { return thief.Delete(t.Context(), account(mine.Name)) }, true},
		"delete an organization's namespace":    {func() error { return thief.Delete(t.Context(), mine.DeepCopy(), client.DryRunAll) }, false},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, test.do(), test.refused) })
	}
}

// wantRefused checks that a guard refused what was done, or that nothing did.
func wantRefused(t *testing.T, err error, refused bool) {
	t.Helper()
	switch {
	case !refused && err != nil:
		t.Errorf("it was refused: %v", err)
	case refused && err == nil:
		t.Error("it was not refused")
	case refused && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'clerk-operator-")):
		t.Errorf("it was refused by something else than a guard: %v", err)
	}
}
