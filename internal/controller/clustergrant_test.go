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

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// clusterGrantRoles are the ClusterRoles that the operator may give in the whole cluster.
var clusterGrantRoles = []string{"edit", "view"}

// newGrant gives the admins of a tenancy's organization view in the whole cluster; change edits that first.
func (tn *tenancy) newGrant(change ...func(*v1alpha1.ClusterGrant)) *v1alpha1.ClusterGrant {
	tn.t.Helper()
	grant := &v1alpha1.ClusterGrant{
		ObjectMeta: metav1.ObjectMeta{Name: tn.class},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: tn.instance}, OrganizationIDs: []string{tn.id}, Role: "org:admin", ClusterRole: "view",
		},
	}
	for _, edit := range change {
		edit(grant)
	}
	must(tn.t, cluster.Create(tn.t.Context(), grant))
	tn.t.Cleanup(func() { _ = cluster.Delete(context.WithoutCancel(tn.t.Context()), grant) })
	return grant
}

// wantGranted waits until the ClusterRoleBinding of a ClusterGrant names exactly these users; with none, until it is gone.
func wantGranted(t *testing.T, grant *v1alpha1.ClusterGrant, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, "who has something by "+grant.Name, func(ctx context.Context) error {
		var binding rbacv1.ClusterRoleBinding
		err := cluster.Get(ctx, client.ObjectKey{Name: tenant.ClusterBindingName(grant.Name)}, &binding)
		if len(want) == 0 && err == nil {
			return fmt.Errorf("it names %v", binding.Subjects)
		}
		if len(want) == 0 {
			return client.IgnoreNotFound(err)
		}
		if err != nil {
			return err
		}
		var have []string
		for _, subject := range binding.Subjects {
			have = append(have, subject.Name)
		}
		slices.Sort(have)
		if !slices.Equal(have, want) || binding.RoleRef.Name != grant.Spec.ClusterRole {
			return fmt.Errorf("%v have %s, want %v", have, binding.RoleRef.Name, want)
		}
		return nil
	})
}

// mayEverywhere asks the API server whether a user may do something with pods in all namespaces.
func mayEverywhere(ctx context.Context, user, verb string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods"},
	}}
	err := cluster.Create(ctx, review)
	return review.Status.Allowed, err
}

func wantEverywhere(t *testing.T, user, verb string, want bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("whether %s may %s pods everywhere", user, verb), func(ctx context.Context) error {
		have, err := mayEverywhere(ctx, user, verb)
		if err == nil && have != want {
			err = fmt.Errorf("allowed is %t, want %t", have, want)
		}
		return err
	})
}

func TestAClusterGrantFollowsTheMembers(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	grant := tn.newGrant()
	wantGranted(t, grant, subjectOf(jane))
	wantEverywhere(t, subjectOf(jane), "list", true)
	joe, jim := tn.join("org:member"), tn.join("org:admin")
	wantGranted(t, grant, subjectOf(jane), subjectOf(jim))
	wantEverywhere(t, subjectOf(joe), "list", false)
	eventually(t, "it counts 2 members", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(grant), grant); err != nil {
			return err
		}
		if members := grant.Status.Members; members == nil || *members != 2 {
			return fmt.Errorf("its status is %+v", grant.Status)
		}
		return nil
	})
	wantReady(t, grant)
	tn.changeMember(joe, func(m *v1alpha1.ClerkMemberSpec) { m.Role = "org:admin" })
	wantGranted(t, grant, subjectOf(jane), subjectOf(jim), subjectOf(joe))
	tn.changeMember(jim, func(m *v1alpha1.ClerkMemberSpec) { m.User.Banned = new(true) })
	wantGranted(t, grant, subjectOf(jane), subjectOf(joe))
	tn.changeMember(joe, func(m *v1alpha1.ClerkMemberSpec) { m.Role = "org:member" })
	wantGranted(t, grant, subjectOf(jane))
	tn.leave(jane)
	wantGranted(t, grant)
	wantEverywhere(t, subjectOf(jane), "list", false)
	wantReady(t, grant)

	lea := tn.join("org:admin")
	wantGranted(t, grant, subjectOf(lea))
	edit(t, grant, func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "edit" })
	wantGranted(t, grant, subjectOf(lea))
	wantEverywhere(t, subjectOf(lea), "delete", true)
	tn.deleteOrganization()
	wantGranted(t, grant)
	wantEverywhere(t, subjectOf(lea), "list", false)
}

func TestAUserWhoIsBannedHasNothingInTheClusterEither(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	grant := tn.newGrant()
	wantGranted(t, grant, subjectOf(jane))
	user := mirrorUser(t, jane, func(u *v1alpha1.ClerkUser) { u.Spec.Banned = new(true) })
	wantGranted(t, grant)
	edit(t, user, func(u *v1alpha1.ClerkUser) { u.Spec.Banned, u.Spec.UpdatedAt = new(false), new(metav1.NowMicro()) })
	wantGranted(t, grant, subjectOf(jane))
}

// mirrorUser makes the ClerkUser of a member.
func mirrorUser(t *testing.T, member *v1alpha1.ClerkMember, change func(*v1alpha1.ClerkUser)) *v1alpha1.ClerkUser {
	t.Helper()
	user := &v1alpha1.ClerkUser{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(member.Spec.Instance, member.Spec.UserID)},
		Spec: v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{
			Instance: member.Spec.Instance, ID: member.Spec.UserID, UpdatedAt: new(metav1.NowMicro()),
		}},
	}
	change(user)
	must(t, cluster.Create(t.Context(), user))
	return user
}

func TestAClusterGrantEndsByItselfAtItsSecond(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	other := tn.join("org:admin")
	later, end := untilOf(t, time.Hour)
	member := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.PublicMetadata = later })
	grant := tn.newGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.Until = "member.publicMetadata.?until" })
	wantGranted(t, grant, subjectOf(other), subjectOf(member))
	eventually(t, "the status says when the first ends", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(grant), grant); err != nil {
			return err
		}
		if expires := grant.Status.Expires; expires == nil || !expires.Time.Equal(end) {
			return fmt.Errorf("it says %v, want %v", expires, end)
		}
		return nil
	})
	soon, end := untilOf(t, 3*time.Second)
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = soon })
	eventually(t, "the grant ends", func(ctx context.Context) error {
		may, err := mayEverywhere(ctx, subjectOf(member), "list")
		if err == nil && may {
			err = errors.New("it has not")
		}
		return err
	})
	if early := time.Until(end); early > 0 {
		t.Errorf("it ended %s too early", early)
	}
	wantGranted(t, grant, subjectOf(other))
}

func TestAClusterRoleBindingThatSomebodyChangesIsPutRight(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	grant := tn.newGrant()
	wantGranted(t, grant, subjectOf(jane))
	wantReady(t, grant)
	binding := get(t, &rbacv1.ClusterRoleBinding{}, "", tenant.ClusterBindingName(grant.Name))
	edit(t, binding, func(b *rbacv1.ClusterRoleBinding) { b.Subjects = append(b.Subjects, userNamed("mallory")) })
	wantGranted(t, grant, subjectOf(jane))
	wantEvent(t, grant.Name, "DriftRepaired")
	edit(t, binding, func(b *rbacv1.ClusterRoleBinding) { b.Labels, b.Subjects = nil, nil })
	wantGranted(t, grant, subjectOf(jane))
	must(t, cluster.Delete(t.Context(), binding))
	wantGranted(t, grant, subjectOf(jane))
	must(t, cluster.Delete(t.Context(), get(t, &rbacv1.ClusterRoleBinding{}, "", tenant.ClusterBindingName(grant.Name))))
	wantGranted(t, grant, subjectOf(jane))
	// What somebody labels as the grant's by another name gives nothing for long.
	made := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "copy-of-" + grant.Name, Labels: tenant.ClusterGrantLabels(grant)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{userNamed("mallory-of-" + grant.Name)},
	}
	must(t, cluster.Create(t.Context(), made))
	eventually(t, "the copy is gone", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(made), &rbacv1.ClusterRoleBinding{})
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
	wantEverywhere(t, "mallory-of-"+grant.Name, "list", false)
}

// What is hidden from the operator's cache is looked for until it is gone, also after a deletion that failed.
func TestAHiddenClusterRoleBindingIsDeletedAsSoonAsThatIsPossible(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	grant := tn.newGrant()
	wantGranted(t, grant, subjectOf(jane))
	wantEverywhere(t, subjectOf(jane), "list", true)
	binding := get(t, &rbacv1.ClusterRoleBinding{}, "", tenant.ClusterBindingName(grant.Name))
	policy := refuseDeletion(t, binding, "at first")
	tn.leave(jane)
	wantStalled(t, grant, v1alpha1.ReasonForbidden, "at first")
	edit(t, binding, func(b *rbacv1.ClusterRoleBinding) { b.Labels = nil })
	edit(t, policy, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) { p.Spec.Validations[0].Message = "again" })
	wantStalled(t, grant, v1alpha1.ReasonForbidden, "again")
	must(t, cluster.Delete(t.Context(), policy))
	wantGranted(t, grant)
	wantEverywhere(t, subjectOf(jane), "list", false)
}

// refuseDeletion has the API server refuse to delete a ClusterRoleBinding, and say so.
func refuseDeletion(t *testing.T, binding *rbacv1.ClusterRoleBinding, says string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	t.Helper()
	name := "keep-" + strings.ReplaceAll(binding.Name, ":", "-")
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				ResourceNames: []string{binding.Name},
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Delete},
					Rule: admissionregistrationv1.Rule{
						APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"clusterrolebindings"},
					},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: says, Reason: new(metav1.StatusReasonForbidden)}},
		},
	}
	binds := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	for _, object := range []client.Object{policy, binds} {
		must(t, cluster.Create(t.Context(), object))
		t.Cleanup(func() { _ = cluster.Delete(context.WithoutCancel(t.Context()), object) })
	}
	eventually(t, "the API server refuses to delete "+binding.Name, func(ctx context.Context) error {
		err := cluster.Delete(ctx, binding.DeepCopy(), client.DryRunAll)
		switch {
		case err == nil:
			return errors.New("it does not")
		case !strings.Contains(err.Error(), says):
			return err
		}
		return nil
	})
	return policy
}

// Without list and watch nothing could be seen of ClusterRoleBindings. Without any other right, what does not need it goes on.
func TestClusterGrantsAreCarriedOutWithTheRightsThatThereAre(t *testing.T) {
	t.Parallel()
	name := strings.ToLower(strings.ReplaceAll(uniqueID("poor"), "_", "-"))
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterrolebindings"}, Verbs: []string{"list", "watch"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{userNamed(name)},
	}
	for _, object := range []client.Object{role, binding} {
		must(t, cluster.Create(t.Context(), object))
		t.Cleanup(func() { _ = cluster.Delete(context.WithoutCancel(t.Context()), object) })
	}
	config := plane.Config()
	config.Impersonate.UserName = name
	poor, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	must(t, err)
	want := func(want string) {
		t.Helper()
		eventually(t, "what is missing", func(ctx context.Context) error {
			missing, err := controller.MissingForGrants(ctx, poor, clusterGrantRoles)
			if err == nil && missing != want {
				err = fmt.Errorf("got %q, want %q", missing, want)
			}
			return err
		})
	}
	want("")
	edit(t, role, func(r *rbacv1.ClusterRole) { r.Rules[0].Verbs = []string{"list"} })
	want("watch clusterrolebindings.rbac.authorization.k8s.io")
}

func TestAClusterRoleBindingOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	foreign := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant.ClusterBindingName(tn.class)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{userNamed("somebody-of-" + tn.class)},
	}
	must(t, cluster.Create(t.Context(), foreign))
	grant := tn.newGrant()
	wantStalled(t, grant, v1alpha1.ReasonClusterRoleBindingTaken, "was not made for this grant")
	wantGranted(t, grant, "somebody-of-"+tn.class)
	must(t, cluster.Delete(t.Context(), foreign))
	wantGranted(t, grant, subjectOf(jane))
	wantReady(t, grant)
}

func TestWhatAnotherInstanceSaysOfAnOrganizationGivesNothing(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	other := "other-" + tn.class
	must(t, createInstance(t.Context(), other, "clerk:${user.id}"))
	tn.mirrorOrganization(other)
	tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = other })
	grant := tn.newGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.InstanceRef.Name = "default" })
	wantStalled(t, grant, v1alpha1.ReasonOrganizationsMissing, "1 of the 1 organizations")
	wantGranted(t, grant)
}

func TestAnInstanceThatObservesChangesNoClusterGrant(t *testing.T) {
	t.Parallel()
	tn, instance := observedTenancy(t, v1alpha1.ModeEnforce)
	tn.mirrorOrganization(instance)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance }
	jane := tn.join("org:admin", of)
	grant := tn.newGrant()
	wantGranted(t, grant, subjectOf(jane))
	setMode(t, instance, v1alpha1.ModeObserve)
	wantCondition(t, grant, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonObserving)
	tn.leave(jane)
	tn.join("org:admin", of)
	eventually(t, "the status says what would be done", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(grant), grant); err != nil {
			return err
		}
		return saysReady(grant, "to 1 users more, and take it from 1")
	})
	wantGranted(t, grant, subjectOf(jane))

	// Without its instance, nobody has anything.
	must(t, cluster.Delete(t.Context(), &v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: instance}}))
	wantStalled(t, grant, v1alpha1.ReasonInstanceNotFound, "create it again")
	wantGranted(t, grant)
}

func TestAClusterRoleThatIsNotNamedIsGivenToNobody(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	grant := tn.newGrant(func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "cluster-admin" })
	wantStalled(t, grant, v1alpha1.ReasonClusterRoleNotAllowed, "clusterGrants.clusterRoles")
	wantGranted(t, grant)
	edit(t, grant, func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "view" })
	wantGranted(t, grant, subjectOf(jane))
	edit(t, grant, func(g *v1alpha1.ClusterGrant) { g.Spec.ClusterRole = "cluster-admin" })
	wantGranted(t, grant)
}

func TestWhatADeletedClusterGrantGaveIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, finalizers := range map[string][]string{"plain": nil, "held by a finalizer": {"example.com/keep"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tn := newTenancy(t)
			tn.createOrganization()
			jane := tn.join("org:admin")
			grant := tn.newGrant()
			wantGranted(t, grant, subjectOf(jane))
			binding := get(t, &rbacv1.ClusterRoleBinding{}, "", tenant.ClusterBindingName(grant.Name))
			edit(t, binding, func(b *rbacv1.ClusterRoleBinding) { b.Finalizers = finalizers })
			t.Cleanup(func() {
				_ = cluster.Patch(context.WithoutCancel(t.Context()), binding,
					client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
			})
			wantEverywhere(t, subjectOf(jane), "list", true)
			must(t, cluster.Delete(t.Context(), grant))
			wantEverywhere(t, subjectOf(jane), "list", false)
		})
	}
}
