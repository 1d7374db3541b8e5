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
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// adminsWhen gives admins the ClusterRole admin on a condition and until a time.
func adminsWhen(when, until string) func(*v1alpha1.TenantClass) {
	return func(class *v1alpha1.TenantClass) {
		rule := &class.Spec.Namespaces[0].RoleBindings[0]
		rule.When, rule.Until = when, until
	}
}

func metadataOf(t *testing.T, values map[string]any) *runtime.RawExtension {
	t.Helper()
	raw, err := json.Marshal(values)
	must(t, err)
	return &runtime.RawExtension{Raw: raw}
}

func (tn *tenancy) changeMember(member *v1alpha1.ClerkMember, change func(*v1alpha1.ClerkMemberSpec)) {
	tn.t.Helper()
	edit(tn.t, member, func(m *v1alpha1.ClerkMember) {
		m.Spec.UpdatedAt = tn.tick()
		change(&m.Spec)
	})
}

func TestAConditionOverTheUserIsMetAndNoLonger(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen("user.twoFactorEnabled || user.externalManaged", ""))
	tn.createOrganization()
	id := uniqueID("user")
	member := tn.join("org:admin", isUser(id))
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
	user := tn.knowUser(id, func(u *v1alpha1.ClerkUserSpec) { u.TwoFactorEnabled, u.EnterpriseAccount = new(false), new(false) })
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	wantCondition(t, member, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonConditionNotMet)
	wantAccess(t, "clerk:"+id, "delete", tn.namespace(), false)
	for _, change := range []func(*v1alpha1.ClerkUserSpec, bool){
		func(u *v1alpha1.ClerkUserSpec, on bool) { u.TwoFactorEnabled = new(on) },
		func(u *v1alpha1.ClerkUserSpec, on bool) { u.EnterpriseAccount = new(on) },
		func(u *v1alpha1.ClerkUserSpec, on bool) { u.Directory = new(on) },
	} {
		tn.changeUser(user, func(u *v1alpha1.ClerkUserSpec) { change(u, true) })
		wantAccess(t, "clerk:"+id, "delete", tn.namespace(), true)
		wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
		tn.changeUser(user, func(u *v1alpha1.ClerkUserSpec) { change(u, false) })
		wantAccess(t, "clerk:"+id, "delete", tn.namespace(), false)
		wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	}
	tn.changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.TwoFactorEnabled = new(true) })
	wantSubjects(t, tn.namespace(), "admin", "clerk:"+id)
	must(t, cluster.Delete(t.Context(), user))
	wantSubjects(t, tn.namespace(), "admin") // nothing is known of the user any longer
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
}

func TestAConditionOverTheMembershipAndTheOrganization(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen(`member.publicMetadata.?oncall.orValue(false) == true && organization.publicMetadata.?open.orValue(true)`, ""))
	organization := tn.createOrganization()
	member := tn.join("org:admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = metadataOf(t, map[string]any{"oncall": true}) })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	open := func(open bool) {
		edit(t, organization, func(o *v1alpha1.ClerkOrganization) {
			o.Spec.UpdatedAt = tn.tick()
			o.Spec.PublicMetadata = metadataOf(t, map[string]any{"test": tn.id, "open": open})
		})
	}
	open(false)
	wantSubjects(t, tn.namespace(), "admin")
	open(true)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = metadataOf(t, map[string]any{"oncall": "yes"}) })
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	edit(t, classOfTenancy(tn), func(class *v1alpha1.TenantClass) { adminsWhen("member.publicMetadata.absent", "")(class) })
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
}

func classOfTenancy(tn *tenancy) *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}
}

// A mistake in a condition is one in the class. What it would have given cannot be decided, and nothing else is touched.
func TestAConditionThatDoesNotCompileGivesNothing(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	admin, viewer := tn.join("org:admin"), tn.join("org:member")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(admin))
	wantSubjects(t, tn.namespace(), "view", subjectOf(viewer))
	edit(t, classOfTenancy(tn), adminsWhen("user.password", ""))
	wantStalled(t, classOfTenancy(tn), v1alpha1.ReasonInvalid, "spec.namespaces[0].roleBindings[0]: when: ")
	wantSubjects(t, tn.namespace(), "admin")
	wantSubjects(t, tn.namespace(), "view", subjectOf(viewer))
	wantCondition(t, admin, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionUndecided)
}

// untilOf gives a member until a time, as a second that is still to come.
func untilOf(t *testing.T, after time.Duration) (*runtime.RawExtension, time.Time) {
	t.Helper()
	end := time.Now().Add(after + time.Second).Truncate(time.Second)
	return metadataOf(t, map[string]any{"until": end.UTC().Format(time.RFC3339)}), end
}

func TestAGrantEndsByItselfAtItsSecond(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen("", "member.publicMetadata.?until"))
	tn.createOrganization()
	other := tn.join("org:admin")
	later, end := untilOf(t, time.Hour)
	member := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.PublicMetadata = later })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(other), subjectOf(member))
	eventually(t, "the status says when it ends", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(member), member); err != nil {
			return err
		}
		if expires := member.Status.Expires; expires == nil || !expires.Time.Equal(end) {
			return fmt.Errorf("it says %v, want %v", expires, end)
		}
		return nil
	})
	soon, end := untilOf(t, 3*time.Second)
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = soon })
	eventually(t, "the grant ends", func(ctx context.Context) error {
		may, err := allowed(ctx, subjectOf(member), "delete", tn.namespace())
		if err == nil && may {
			err = errors.New("it has not")
		}
		return err
	})
	if ended := time.Since(end); ended < 0 {
		t.Errorf("it ended %v before its second", -ended)
	}
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	if member.Status.Expires != nil {
		t.Errorf("it still expires at %v", member.Status.Expires)
	}
	wantSubjects(t, tn.namespace(), "admin", subjectOf(other))
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = later })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(other), subjectOf(member))
}

// What keeps an organization from being as it should be keeps no grant alive.
func TestAGrantEndsAlsoWhereTheOrganizationFails(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen("", "member.publicMetadata.?until"))
	tn.createOrganization()
	later, _ := untilOf(t, time.Hour)
	member := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.PublicMetadata = later })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	edit(t, classOfTenancy(tn), func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = append(class.Spec.Namespaces[0].RoleBindings,
			v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "nobody-made-this"})
	})
	organization := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", tn.id)}}
	wantStalled(t, organization, v1alpha1.ReasonClusterRoleNotFound, "nobody-made-this")
	soon, end := untilOf(t, 3*time.Second)
	tn.changeMember(member, func(m *v1alpha1.ClerkMemberSpec) { m.PublicMetadata = soon })
	wantSubjects(t, tn.namespace(), "admin")
	if time.Now().Before(end) {
		t.Errorf("it ended before %v", end)
	}
}
