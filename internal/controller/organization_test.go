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
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

func TestAnOrganizationGetsItsNamespaceAndItsMembersTheirRoles(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:member")

	wantAccess(t, subjectOf(jane), "create", tn.namespace(), true)
	wantAccess(t, subjectOf(joe), "list", tn.namespace(), true)
	wantAccess(t, subjectOf(joe), "create", tn.namespace(), false)
	wantReady(t, organization)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	wantReady(t, jane)
	if jane.Status.Subject != subjectOf(jane) || len(jane.Status.Bindings) != 1 || jane.Status.Bindings[0].ClusterRole != "admin" {
		t.Errorf("status is %+v", jane.Status)
	}

	namespace := get(t, &corev1.Namespace{}, "", tn.namespace())
	if namespace.Labels["pod-security.kubernetes.io/enforce"] != "baseline" || namespace.Labels[v1alpha1.OrganizationIDLabel] != tn.id {
		t.Errorf("labels are %v", namespace.Labels)
	}
	eventually(t, "the organization's status", func(ctx context.Context) error {
		must(t, cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization))
		status := organization.Status
		if status.Members == nil || *status.Members != 2 || status.ClassName != tn.class || len(status.Namespaces) != 1 ||
			status.Namespaces[0].State != v1alpha1.NamespaceActive {
			return fmt.Errorf("status is %+v", status)
		}
		return nil
	})
	class := get(t, &v1alpha1.TenantClass{}, "", tn.class)
	wantReady(t, class)
	eventually(t, "the class's count", func(ctx context.Context) error {
		must(t, cluster.Get(ctx, client.ObjectKeyFromObject(class), class))
		if class.Status.Organizations == nil || *class.Status.Organizations != 1 {
			return fmt.Errorf("status is %+v", class.Status)
		}
		return nil
	})
}

func wantEvent(t *testing.T, organization, reason string) {
	t.Helper()
	eventually(t, "the event "+reason, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := cluster.List(ctx, &list); err != nil {
			return err
		}
		if !slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool { return e.Regarding.Name == organization && e.Reason == reason }) {
			return errors.New("there is none")
		}
		return nil
	})
}

func TestARoleChangeMovesTheGrant(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	edit(t, jane, func(m *v1alpha1.ClerkMember) { m.Spec.Role, m.Spec.UpdatedAt = "org:member", tn.tick() })
	wantSubjects(t, tn.namespace(), "view", subjectOf(jane))
	wantSubjects(t, tn.namespace(), "admin")
}

func TestWhoLeavesLosesEverythingAndWhoComesBackGetsItAgain(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane), subjectOf(joe))
	tn.leave(jane)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonDeleted)
	if jane.Status.Subject != "" {
		t.Errorf("the tombstone keeps the subject %q", jane.Status.Subject)
	}
	again := tn.join("org:member", func(m *v1alpha1.ClerkMember) { m.Spec.UserID = jane.Spec.UserID })
	wantSubjects(t, tn.namespace(), "view", subjectOf(again))
	wantCondition(t, again, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonDeleted)
}

func TestWhoMayNotHaveAccessHasNone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*v1alpha1.ClerkMember)
		reason string
	}{
		"banned":        {func(m *v1alpha1.ClerkMember) { m.Spec.User.Banned = new(true) }, v1alpha1.ReasonUserBanned},
		"deprovisioned": {func(m *v1alpha1.ClerkMember) { m.Spec.User.Deprovisioned = new(true) }, v1alpha1.ReasonUserDeprovisioned},
		"role nobody mapped": {
			func(m *v1alpha1.ClerkMember) { m.Spec.Role = "org:guest" }, v1alpha1.ReasonRoleNotMapped,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t)
			tn.createOrganization()
			jane := tn.join("org:admin")
			wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
			edit(t, jane, func(m *v1alpha1.ClerkMember) { test.change(m); m.Spec.UpdatedAt = tn.tick() })
			wantSubjects(t, tn.namespace(), "admin")
			wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, test.reason)
		})
	}
}

func TestAPermissionGrantsWhatItIsMappedTo(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = []v1alpha1.TenantRoleBinding{{Permission: "org:posts:write", ClusterRole: "edit"}}
	})
	tn.createOrganization()
	jane := tn.join("org:author", func(m *v1alpha1.ClerkMember) { m.Spec.Permissions = []string{"org:posts:read", "org:posts:write"} })
	wantSubjects(t, tn.namespace(), "edit", subjectOf(jane))
	edit(t, jane, func(m *v1alpha1.ClerkMember) {
		m.Spec.Permissions, m.Spec.UpdatedAt = []string{"org:posts:read"}, tn.tick()
	})
	wantSubjects(t, tn.namespace(), "edit")
}

func TestAMemberThatAnotherInstanceSpeaksOfGetsNothing(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	other := uniqueID("dev")
	other = strings.ToLower(strings.ReplaceAll(other, "_", "-"))
	must(t, createInstance(t.Context(), other, "clerk:${user.id}"))
	jane := tn.join("org:admin")
	stranger := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = other })
	wantCondition(t, stranger, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonOrganizationNotFound)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReady(t, organization)
}

func TestASlugThatChangesMovesNothing(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	// At once: the namespace that was just made may not have come back to the operator yet.
	for i := range 5 {
		edit(t, organization, func(o *v1alpha1.ClerkOrganization) {
			o.Spec.Slug, o.Spec.UpdatedAt = fmt.Sprintf("%s-%d", tn.slug, i), tn.tick()
		})
	}
	wantReady(t, organization)
	var namespaces corev1.NamespaceList
	must(t, cluster.List(t.Context(), &namespaces, client.MatchingLabels{v1alpha1.OrganizationIDLabel: tn.id}))
	if len(namespaces.Items) != 1 {
		t.Fatalf("the organization has %d namespaces", len(namespaces.Items))
	}
	eventually(t, "the member's status with the slug of now", func(ctx context.Context) error {
		must(t, cluster.Get(ctx, client.ObjectKeyFromObject(jane), jane))
		status := jane.Status
		if status.Organization != tn.slug+"-4" || !slices.Equal(status.Namespaces, []string{namespaces.Items[0].Name}) {
			return fmt.Errorf("status is %+v", status)
		}
		return nil
	})
}

func withPolicies(class *v1alpha1.TenantClass) {
	namespace := &class.Spec.Namespaces[0]
	namespace.ResourceQuota = &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourcePods: "10"}}
	namespace.LimitRange = &v1alpha1.TenantLimitRange{Limits: []v1alpha1.TenantLimitRangeItem{{
		Type: string(corev1.LimitTypeContainer),
		Max:  map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourceCPU: "2"},
		Min:  map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourceMemory: "64Mi"},
	}}}
	namespace.NetworkPolicies = []v1alpha1.TenantNetworkPolicy{{Name: "own", Spec: v1alpha1.TenantNetworkPolicySpec{
		Ingress: []v1alpha1.TenantIngressRule{{
			Ports: []v1alpha1.TenantPolicyPort{{}},
			From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{v1alpha1.OrganizationIDLabel: "${organization.id}"},
			}}},
		}},
	}}}
}

func TestAnEditedClassIsFollowed(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, withPolicies)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	policy := get(t, &networkingv1.NetworkPolicy{}, tn.namespace(), "own")
	if have := policy.Spec.Ingress[0].From[0].NamespaceSelector.MatchLabels[v1alpha1.OrganizationIDLabel]; have != tn.id {
		t.Errorf("the expression in the network policy gave %q", have)
	}
	edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(class *v1alpha1.TenantClass) {
		namespace := &class.Spec.Namespaces[0]
		namespace.Name = "renamed-${organization.handle}"
		namespace.Labels = map[string]string{"example.com/stage": "dev"}
		namespace.ResourceQuota, namespace.LimitRange, namespace.NetworkPolicies = nil, nil, nil
		namespace.RoleBindings = []v1alpha1.TenantRoleBinding{{Role: "org:admin", ClusterRole: "edit"}}
	})
	wantSubjects(t, tn.namespace(), "edit", subjectOf(jane))
	wantSubjects(t, tn.namespace(), "admin")
	eventually(t, "what the class no longer wants", func(ctx context.Context) error {
		key := client.ObjectKey{Namespace: tn.namespace(), Name: "clerk-operator"}
		for _, gone := range []client.Object{&corev1.ResourceQuota{}, &corev1.LimitRange{}} {
			if err := cluster.Get(ctx, key, gone); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%T: %w", gone, errors.Join(err, errors.New("is still there")))
			}
		}
		if err := cluster.Get(ctx, client.ObjectKey{Namespace: tn.namespace(), Name: "own"}, policy); !apierrors.IsNotFound(err) {
			return errors.New("the network policy is still there")
		}
		namespace := &corev1.Namespace{}
		must(t, cluster.Get(ctx, client.ObjectKey{Name: tn.namespace()}, namespace))
		if _, set := namespace.Labels["pod-security.kubernetes.io/enforce"]; set || namespace.Labels["example.com/stage"] != "dev" {
			return fmt.Errorf("labels are %v", namespace.Labels)
		}
		return nil
	})
	wantReady(t, organization)
}

func TestANamespaceThatNoClassWantsLosesItsGrantsAndSaysSo(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		second := *class.Spec.Namespaces[0].DeepCopy()
		second.Name = "second-${organization.handle}"
		class.Spec.Namespaces = append(class.Spec.Namespaces, second)
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	second := "second-" + tn.slug
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantSubjects(t, second, "admin", subjectOf(jane))
	wantReady(t, organization)
	edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces = class.Spec.Namespaces[:1]
	})
	wantSubjects(t, second, "admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	eventually(t, "the state of the namespace", func(ctx context.Context) error {
		must(t, cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization))
		want := v1alpha1.OrganizationNamespace{Name: second, State: v1alpha1.NamespaceReleased}
		if !slices.Contains(organization.Status.Namespaces, want) {
			return fmt.Errorf("namespaces are %v", organization.Status.Namespaces)
		}
		return nil
	})
	get(t, &corev1.Namespace{}, "", second)
	wantEvent(t, organization.Name, "NamespaceReleased")
}

func TestATakenNameGetsASuffixAndTheOtherNamespaceIsNotTouched(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tn.namespace()}}
	must(t, cluster.Create(t.Context(), foreign))
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tenant.AlternativeName(tn.namespace(), tn.id), "admin", subjectOf(jane))
	wantReady(t, organization)
	after := get(t, &corev1.Namespace{}, "", foreign.Name)
	if after.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("somebody else's namespace was changed: %v", after)
	}
	wantSubjects(t, foreign.Name, "admin")
}

func TestTakenNamesAreSaidAndHealWhenOneIsFree(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	entry := tenant.Namespace{Template: "org-${organization.handle}", Name: tn.namespace()}
	for _, name := range entry.Candidates(tn.id) {
		must(t, cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantStalled(t, organization, v1alpha1.ReasonNamespaceTaken, tn.namespace())
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonOrganizationNotReady)
	must(t, cluster.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tn.namespace()}}))
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
}

// adopt has an organization with one admin take a namespace that somebody else made, with the organization's id alone. It is observed first,
// as documented: a namespace that the operator has yet to hear of when the organization comes would be one too many.
func (tn *tenancy) adopt() (adopted *corev1.Namespace, organization *v1alpha1.ClerkOrganization, admin *v1alpha1.ClerkMember) {
	t := tn.t
	t.Helper()
	adopted = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "legacy-" + tn.slug, Labels: map[string]string{v1alpha1.OrganizationIDLabel: tn.id},
	}}
	must(t, cluster.Create(t.Context(), adopted))
	instance := "adopting-" + tn.class
	must(t, createInstance(t.Context(), instance, "clerk:${user.id}"))
	setMode(t, instance, v1alpha1.ModeObserve)
	organization = tn.mirrorOrganization(instance)
	admin = tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance })
	wantPreview(t, organization, "grant admin in "+adopted.Name+" to 1 users")
	setMode(t, instance, v1alpha1.ModeEnforce)
	return adopted, organization, admin
}

func TestANamespaceIsAdoptedOnlyByItsLabel(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Deletion = &v1alpha1.DeletionRule{Policy: v1alpha1.DeletionDelete, After: &metav1.Duration{}}
	})
	adopted, organization, jane := tn.adopt()
	wantSubjects(t, adopted.Name, "admin", subjectOf(jane))
	wantReady(t, organization)
	tn.deleteOrganization()
	wantSubjects(t, adopted.Name, "admin")
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonDeleted)
	if state := organization.Status.Namespaces; len(state) != 1 || state[0].State != v1alpha1.NamespaceRetained {
		t.Errorf("namespaces are %v: a namespace that the operator did not make is never deleted", state)
	}
}

func TestProtectedAndUnusableNamesAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"default": "default", "kube- prefix": "kube-${organization.handle}", "the operator's own": operatorNamespace,
		"digit first": "1${organization.handle}", "capital": "Org-${organization.handle}",
	}
	for name, template := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t, func(class *v1alpha1.TenantClass) { class.Spec.Namespaces[0].Name = template })
			organization := tn.createOrganization()
			wantStalled(t, organization, v1alpha1.ReasonNamespaceNameInvalid, "TenantClass")
			edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(class *v1alpha1.TenantClass) {
				class.Spec.Namespaces[0].Name = "org-${organization.handle}"
			})
			wantReady(t, organization)
		})
	}
}

func TestALabelDoesNotMakeAProtectedNamespaceATenants(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	edit(t, get(t, &corev1.Namespace{}, "", "kube-public"), func(n *corev1.Namespace) { n.Labels[v1alpha1.OrganizationIDLabel] = tn.id })
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReady(t, organization)
	wantAccess(t, subjectOf(jane), "list", "kube-public", false)
}

func TestWithoutAClassTheOrganizationWaitsForOne(t *testing.T) {
	t.Parallel()
	tn := unservedTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantStalled(t, organization, v1alpha1.ReasonNoTenantClass, "create one")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonOrganizationNotReady)
	class := tn.newClass()
	must(t, cluster.Create(t.Context(), class))
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	must(t, cluster.Delete(t.Context(), class))
	wantStalled(t, organization, v1alpha1.ReasonNoTenantClass, "create one")
	wantSubjects(t, tn.namespace(), "admin")
}

func TestABrokenClassTouchesNobodyButRevocationsGoOn(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:member")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantSubjects(t, tn.namespace(), "view", subjectOf(joe))
	wantReady(t, organization)

	class := get(t, &v1alpha1.TenantClass{}, "", tn.class)
	edit(t, class, func(c *v1alpha1.TenantClass) { c.Spec.Namespaces[0].Labels["x"] = "${organization.slugg}" })
	wantStalled(t, class, v1alpha1.ReasonInvalid, "slugg")
	wantStalled(t, organization, v1alpha1.ReasonTenantClassInvalid, tn.class)
	late := tn.join("org:admin")
	tn.leave(joe)
	wantSubjects(t, tn.namespace(), "view")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	edit(t, jane, func(m *v1alpha1.ClerkMember) { m.Spec.Role, m.Spec.UpdatedAt = "org:member", tn.tick() })
	wantSubjects(t, tn.namespace(), "admin")

	edit(t, class, func(c *v1alpha1.TenantClass) { delete(c.Spec.Namespaces[0].Labels, "x") })
	wantReady(t, class)
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(late))
	wantSubjects(t, tn.namespace(), "view", subjectOf(jane))
}

func TestABrokenClassKeepsItsOrganizationsFromAnother(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].Labels["x"] = "${organization.slugg}"
		class.Spec.Priority = new(int32(10))
	})
	wider := tn.newClass()
	wider.Name += "-wider"
	must(t, cluster.Create(t.Context(), wider))
	organization := tn.createOrganization()
	wantStalled(t, organization, v1alpha1.ReasonTenantClassInvalid, tn.class)
	edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(c *v1alpha1.TenantClass) { delete(c.Spec.Namespaces[0].Labels, "x") })
	wantReady(t, organization)
	if organization.Status.ClassName != tn.class {
		t.Errorf("the class is %s", organization.Status.ClassName)
	}
}

func TestAnExpressionThatFailsForOneOrganizationStopsNoOther(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].Annotations = map[string]string{"example.com/owner": "${organization.publicMetadata.owner}"}
	})
	organization := tn.createOrganization()
	wantStalled(t, organization, v1alpha1.ReasonExpressionFailed, "owner")
	other := newTenancy(t)
	wantReady(t, other.createOrganization())
	edit(t, organization, func(o *v1alpha1.ClerkOrganization) {
		o.Spec.PublicMetadata.Raw = []byte(fmt.Sprintf(`{"test":%q,"owner":"jane"}`, tn.id))
		o.Spec.UpdatedAt = tn.tick()
	})
	wantReady(t, organization)
}

func TestAClusterRoleThatMayNotBeBoundIsSaidAndHeals(t *testing.T) {
	t.Parallel()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(strings.ReplaceAll(uniqueID("role"), "_", "-"))},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}},
	}
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = append(class.Spec.Namespaces[0].RoleBindings,
			v1alpha1.TenantRoleBinding{Role: "org:member", ClusterRole: role.Name})
	})
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}
	wantStalled(t, class, v1alpha1.ReasonBindForbidden, role.Name)
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:member")
	wantStalled(t, organization, v1alpha1.ReasonClusterRoleNotFound, role.Name)
	must(t, cluster.Create(t.Context(), role))
	wantStalled(t, organization, v1alpha1.ReasonBindForbidden, "bind")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantSubjects(t, tn.namespace(), "view", subjectOf(joe))

	binder := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role.Name + "-bind"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{role.Name}, Verbs: []string{"bind"},
	}}}
	must(t, cluster.Create(t.Context(), binder))
	permission := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: binder.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: binder.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: "clerk-operator"}},
	}
	must(t, cluster.Create(t.Context(), permission))
	wantReady(t, organization)
	wantReady(t, class)
	wantSubjects(t, tn.namespace(), role.Name, subjectOf(joe))

	// Without the permission the API server refuses even to take somebody out: whoever leaves loses access all the same.
	jim := tn.join("org:member")
	wantSubjects(t, tn.namespace(), role.Name, subjectOf(joe), subjectOf(jim))
	must(t, cluster.Delete(t.Context(), permission))
	eventually(t, "the permission to be gone", func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + operatorNamespace + ":clerk-operator",
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: rbacv1.GroupName, Resource: "clusterroles", Verb: "bind", Name: role.Name,
			},
		}}
		if err := cluster.Create(ctx, review); err != nil || review.Status.Allowed {
			return errors.Join(err, errors.New("it is still there"))
		}
		return nil
	})
	tn.leave(joe)
	wantSubjects(t, tn.namespace(), role.Name)
	wantStalled(t, organization, v1alpha1.ReasonBindForbidden, "bind")
	permission.ResourceVersion = ""
	must(t, cluster.Create(t.Context(), permission))
	wantSubjects(t, tn.namespace(), role.Name, subjectOf(jim))
	wantReady(t, organization)
}

func TestATombstoneWithoutItsOrganizationTakesTheGrantAway(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	edit(t, jane, func(m *v1alpha1.ClerkMember) {
		m.Spec = v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{Instance: m.Spec.Instance, ID: m.Spec.ID, DeletedAt: new(metav1.NewMicroTime(time.Now()))}}
	})
	wantSubjects(t, tn.namespace(), "admin")
}

func TestAQuotaThatLeavesNoRoomIsSaidAndHeals(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: tn.namespace(), Labels: map[string]string{v1alpha1.OrganizationIDLabel: tn.id},
	}}
	must(t, cluster.Create(t.Context(), namespace))
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "somebody-elses"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/rolebindings.rbac.authorization.k8s.io": resource.MustParse("0")}},
	}
	must(t, cluster.Create(t.Context(), quota))
	eventually(t, "the quota's status", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(quota), quota)
		if err == nil && len(quota.Status.Hard) == 0 {
			err = errors.New("it is empty")
		}
		return err
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantStalled(t, organization, v1alpha1.ReasonQuotaExceeded, "raise it")
	must(t, cluster.Delete(t.Context(), quota))
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
}

func TestAnObjectThatTheAPIServerRefusesIsSaid(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].ResourceQuota = &v1alpha1.TenantResourceQuota{
			Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{"Not A Resource": "1"},
		}
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantStalled(t, organization, v1alpha1.ReasonRejected, "ResourceQuota")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
}

func TestANamespaceThatIsDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	namespace := get(t, &corev1.Namespace{}, "", tn.namespace())
	must(t, cluster.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: tn.namespace(), Name: "holds-on", Finalizers: []string{"example.com/hold"},
	}}))
	must(t, cluster.Delete(t.Context(), namespace))
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceTerminating)
	edit(t, get(t, &corev1.ConfigMap{}, tn.namespace(), "holds-on"), func(c *corev1.ConfigMap) { c.Finalizers = nil })
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	if again := get(t, &corev1.Namespace{}, "", tn.namespace()); again.UID == namespace.UID {
		t.Error("the namespace is still the old one")
	}
}

func TestADeletedOrganizationLosesEveryGrantAndKeepsItsNamespace(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReady(t, organization)
	tn.deleteOrganization()
	wantSubjects(t, tn.namespace(), "admin")
	wantAccess(t, subjectOf(jane), "list", tn.namespace(), false)
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonDeleted)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonDeleted)
	eventually(t, "the collection of the tombstone and its members", func(ctx context.Context) error {
		for _, object := range []client.Object{organization, jane} {
			if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%s: %w", object.GetName(), errors.Join(err, errors.New("is still there")))
			}
		}
		return nil
	})
	get(t, &corev1.Namespace{}, "", tn.namespace())
}

func TestADeletedOrganizationsNamespaceGoesAfterTheDelay(t *testing.T) {
	t.Parallel()
	const delay = 4 * time.Second
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Deletion = &v1alpha1.DeletionRule{Policy: v1alpha1.DeletionDelete, After: &metav1.Duration{Duration: delay}}
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReady(t, organization)
	tn.deleteOrganization()
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonDeleted)
	if state := organization.Status.Namespaces; len(state) != 1 || state[0].State != v1alpha1.NamespaceDeleting || state[0].DeleteAt == nil {
		t.Errorf("namespaces are %v", state)
	}
	eventually(t, "the deletion of the namespace", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKey{Name: tn.namespace()}, &corev1.Namespace{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it is still there"))
	})
	if lasted := time.Since(organization.Spec.DeletedAt.Time); lasted < delay-time.Second {
		t.Errorf("the namespace was gone %s after the organization, before the delay of %s", lasted, delay)
	}
}

func TestATombstoneOfAMemberIsCollected(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	tn.leave(jane)
	eventually(t, "the collection of the tombstone", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(jane), jane)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it is still there"))
	})
	wantReady(t, organization)
}

func TestAnOrganizationThatIsDeletedByHandTakesItsGrantsAlong(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	must(t, cluster.Delete(t.Context(), organization))
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonOrganizationNotFound)
	tn.createOrganization()
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
}

func TestManyMembersAreSplitOverSeveralRoleBindings(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	var want []string
	var members []*v1alpha1.ClerkMember
	for range tenant.MaxSubjects + 20 {
		member := tn.join("org:member")
		members = append(members, member)
		want = append(want, subjectOf(member))
	}
	organization := tn.createOrganization()
	wantSubjects(t, tn.namespace(), "view", slices.Clone(want)...)
	wantReady(t, organization)
	tn.leave(members[0])
	wantSubjects(t, tn.namespace(), "view", want[1:]...)
	var bindings rbacv1.RoleBindingList
	must(t, cluster.List(t.Context(), &bindings, client.InNamespace(tn.namespace())))
	for _, binding := range bindings.Items {
		if len(binding.Subjects) > tenant.MaxSubjects {
			t.Errorf("%s has %d subjects", binding.Name, len(binding.Subjects))
		}
	}
}

func TestANameThatIsTakenTwiceByAChangedSlugGetsAnotherHash(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	first, slug := tn.namespace(), tn.slug
	must(t, cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: first + "-data"}}))
	tn.slug += "-data"
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	hashed := tenant.AlternativeName(first+"-data", tn.id)
	wantSubjects(t, hashed, "admin", subjectOf(jane))

	// Both names of the second entry are taken now: one by somebody else, one by the first entry.
	edit(t, organization, func(o *v1alpha1.ClerkOrganization) { o.Spec.Slug, o.Spec.UpdatedAt = slug, tn.tick() })
	second := tenant.Namespace{Template: "org-${organization.handle}-data", Name: first + "-data"}
	edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), func(class *v1alpha1.TenantClass) {
		entry := *class.Spec.Namespaces[0].DeepCopy()
		entry.Name = second.Template
		class.Spec.Namespaces = append(class.Spec.Namespaces, entry)
	})
	wantSubjects(t, second.Candidates(tn.id)[2], "admin", subjectOf(jane))
	wantSubjects(t, hashed, "admin", subjectOf(jane))
	wantReady(t, organization)
}

func TestTwoEntriesWhoseNamesComeOutTheSameGetANamespaceEach(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		second := *class.Spec.Namespaces[0].DeepCopy()
		second.Name = "org-${organization.slug}"
		class.Spec.Namespaces = append(class.Spec.Namespaces, second)
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantSubjects(t, tenant.AlternativeName(tn.namespace(), tn.id), "admin", subjectOf(jane))
	wantReady(t, organization)
}
