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
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestDriftIsPutRight(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, withPolicies)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	wantReady(t, organization)

	binding := get(t, &rbacv1.RoleBinding{}, namespace, "clerk:admin")
	edit(t, binding, func(b *rbacv1.RoleBinding) {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "mallory"})
	})
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	edit(t, binding, func(b *rbacv1.RoleBinding) { b.Labels = nil; b.Subjects = nil })
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	must(t, cluster.Delete(t.Context(), binding))
	wantSubjects(t, namespace, "admin", subjectOf(jane))

	edit(t, get(t, &corev1.ResourceQuota{}, namespace, "clerk-operator"), func(q *corev1.ResourceQuota) {
		q.Spec.Hard[corev1.ResourcePods] = resource.MustParse("1000")
	})
	eventually(t, "the quota", func(ctx context.Context) error {
		quota := &corev1.ResourceQuota{}
		err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "clerk-operator"}, quota)
		if err == nil && quota.Spec.Hard.Pods().Value() != 10 {
			err = fmt.Errorf("it is %v", quota.Spec.Hard)
		}
		return err
	})
	edit(t, get(t, &networkingv1.NetworkPolicy{}, namespace, "own"), func(p *networkingv1.NetworkPolicy) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
	})
	eventually(t, "the network policy", func(ctx context.Context) error {
		policy := &networkingv1.NetworkPolicy{}
		err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "own"}, policy)
		if err == nil && len(policy.Spec.Ingress) != 1 {
			err = fmt.Errorf("it is %v", policy.Spec)
		}
		return err
	})
	// What somebody adds is theirs as far as server-side apply goes, and still has to go.
	edit(t, get(t, &networkingv1.NetworkPolicy{}, namespace, "own"), func(p *networkingv1.NetworkPolicy) {
		p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
	})
	edit(t, get(t, &corev1.ResourceQuota{}, namespace, "clerk-operator"), func(q *corev1.ResourceQuota) {
		q.Spec.Hard[corev1.ResourceServices] = resource.MustParse("0")
	})
	eventually(t, "what was added to go", func(ctx context.Context) error {
		policy, quota := &networkingv1.NetworkPolicy{}, &corev1.ResourceQuota{}
		err := errors.Join(cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "own"}, policy),
			cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "clerk-operator"}, quota))
		if err == nil && (len(policy.Spec.Egress) > 0 || len(quota.Spec.Hard) != 1) {
			err = fmt.Errorf("they are %v and %v", policy.Spec, quota.Spec)
		}
		return err
	})
	must(t, cluster.Delete(t.Context(), get(t, &corev1.LimitRange{}, namespace, "clerk-operator")))
	eventually(t, "the limits", func(ctx context.Context) error {
		return cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "clerk-operator"}, &corev1.LimitRange{})
	})
	edit(t, get(t, &corev1.Namespace{}, "", namespace), func(n *corev1.Namespace) {
		n.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
		n.Labels["somebody.else/label"] = "stays"
	})
	eventually(t, "the namespace's labels", func(ctx context.Context) error {
		have := &corev1.Namespace{}
		err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, have)
		if err == nil && (have.Labels["pod-security.kubernetes.io/enforce"] != "baseline" || have.Labels["somebody.else/label"] != "stays") {
			err = fmt.Errorf("they are %v", have.Labels)
		}
		return err
	})
	wantEvent(t, organization.Name, "DriftRepaired")
}

// Whoever deletes a RoleBinding the moment it was written gets it back, though no reconciliation may have seen it in the operator's cache.
func TestARoleBindingDeletedRightAfterItWasWrittenComesBack(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	subjects := []string{subjectOf(tn.join("org:admin"))}
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjects...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 10 {
		subjects = append(subjects, subjectOf(tn.join("org:admin")))
		binding := &rbacv1.RoleBinding{}
		for len(binding.Subjects) < len(subjects) { // as fast as the API server answers: the reconciliation must not be over
			must(t, cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "clerk:admin"}, binding))
		}
		must(t, cluster.Delete(t.Context(), binding))
		wantSubjects(t, namespace, "admin", subjects...)
	}
}

// A replica that was elected before, froze, and has gone on since writes statuses that are not so any more.
func TestAStatusThatSomebodyElseWroteIsPutRight(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	member := tn.join("org:admin")
	wantReady(t, organization)
	wantReady(t, member)
	change := func(object client.Object, patch string) {
		must(t, cluster.Status().Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
	}
	for range 3 {
		change(organization, `{"status":{"members":99}}`)
		change(member, `{"status":{"subject":"mallory"}}`)
		eventually(t, "what is so", func(ctx context.Context) error {
			err := errors.Join(cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization),
				cluster.Get(ctx, client.ObjectKeyFromObject(member), member))
			if err == nil && (*organization.Status.Members != 1 || member.Status.Subject != subjectOf(member)) {
				err = fmt.Errorf("the statuses are %+v and %+v", organization.Status, member.Status)
			}
			return err
		})
	}
}

// Whatever somebody writes on a RoleBinding, a member's status says what it gives: also while its labels say that it is another
// organization's, and when they are put right.
func TestAStatusSaysWhatRoleBindingsGiveWhateverIsWrittenOnThem(t *testing.T) {
	t.Parallel()
	for name, patch := range map[string]string{
		"the operator's own annotation": `{"metadata":{"annotations":{"clerk-operator.io/reduced":""}}}`,
		"another instance":              `{"metadata":{"labels":{"clerk-operator.io/instance":"another"}}}`,
		"another organization":          `{"metadata":{"labels":{"clerk-operator.io/organization-id":"org_another"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t)
			wantReady(t, tn.createOrganization())
			member := tn.join("org:admin")
			wantReady(t, member)
			binding := get(t, &rbacv1.RoleBinding{}, tn.namespace(), "clerk:admin")
			for i := range 3 {
				must(t, cluster.Patch(t.Context(), binding.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))))
				edit(t, member, func(member *v1alpha1.ClerkMember) { member.Spec.User.FirstName = fmt.Sprint(i) }) // has the status looked at
				eventually(t, "what the RoleBinding gives", func(ctx context.Context) error {
					err := cluster.Get(ctx, client.ObjectKeyFromObject(member), member)
					if err == nil && (member.Status.ObservedGeneration != member.Generation || len(member.Status.Bindings) != 1) {
						err = fmt.Errorf("the status is %+v", member.Status)
					}
					return err
				})
			}
		})
	}
}

func TestAConditionThatSomebodyElseWroteIsPutRight(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	user := c.knowUser(uniqueID("user"))
	c.join(c.key, isUser(user.Spec.ID))
	class := get(t, &v1alpha1.TenantClass{}, "", c.class)
	const wrong = `{"status":{"conditions":[
		{"type":"Ready","status":"False","reason":"SaidBefore","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	for _, object := range []client.Object{user, c.knowRole(c.key), c.knowPermission(), class, newInstance(t, "other:${user.id}")} {
		isReady := func(ctx context.Context) error {
			err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
			if err == nil && !meta.IsStatusConditionTrue(conditionsOf(object), v1alpha1.ConditionReady) {
				err = fmt.Errorf("%s says %+v", object.GetName(), conditionsOf(object))
			}
			return err
		}
		eventually(t, "the condition", isReady)
		for range 3 {
			must(t, cluster.Status().Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(wrong))))
			eventually(t, "the condition, put right", isReady)
		}
	}
	must(t, cluster.Status().Patch(t.Context(), class, client.RawPatch(types.MergePatchType, []byte(`{"status":{"organizations":99}}`))))
	eventually(t, "the class counts what there is", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(class), class)
		if err == nil && *class.Status.Organizations != 1 {
			err = fmt.Errorf("it counts %d", *class.Status.Organizations)
		}
		return err
	})
}

// Where nothing guards the operator's labels, somebody can fill what the cache keeps of a namespace with RoleBindings that are not the
// operator's. It then holds the operator's own without their content, which must not keep it busy for ever.
func TestARoleBindingThatIsKeptWithoutItsContentIsLeftInPeace(t *testing.T) {
	t.Parallel()
	tn, other := newTenancy(t), newTenancy(t)
	organization, owner := tn.createOrganization(), other.createOrganization()
	wantReady(t, organization)
	namespace := tn.namespace()
	fillCache(t, namespace, owner)

	jane := tn.join("org:admin")
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	made := get(t, &rbacv1.RoleBinding{}, namespace, "clerk:admin")
	joe := tn.join("org:admin")
	wantSubjects(t, namespace, "admin", subjectOf(jane), subjectOf(joe))
	eventually(t, "the end of a reconciliation: the status counts both", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(organization), organization)
		if err == nil && *organization.Status.Members != 2 {
			err = fmt.Errorf("it counts %d", *organization.Status.Members)
		}
		return err
	})
	tn.leave(joe)
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	if now := get(t, &rbacv1.RoleBinding{}, namespace, "clerk:admin"); now.UID != made.UID {
		t.Errorf("%s was made anew", made.Name)
	}
}

// fillCache makes RoleBindings that look like the operator's, of an organization that there is and with the id of none, until the cache
// keeps no more of a namespace: 16 MiB.
func fillCache(t *testing.T, namespace string, owner *v1alpha1.ClerkOrganization) {
	t.Helper()
	subjects := make([]rbacv1.Subject, 900)
	for i := range subjects {
		subjects[i] = rbacv1.Subject{
			APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: fmt.Sprintf("%d%s", i, strings.Repeat("x", 250)),
		}
	}
	made := 0
	fill := func(subjects []rbacv1.Subject) {
		made++
		must(t, cluster.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: fmt.Sprintf("filling-%d", made),
				Labels: map[string]string{v1alpha1.OrganizationIDLabel: "org_nobody", v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClerkOrganization", Name: owner.Name, UID: owner.UID,
				}},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: subjects,
		}))
	}
	for range 62 {
		fill(subjects)
	}
	for size := len(subjects) / 2; size > 0; size /= 2 { // and the rest, by ever smaller ones
		fill(subjects[:size])
		fill(subjects[:size])
	}
	for range 8 {
		fill(subjects[:1])
		fill(nil)
	}
}
