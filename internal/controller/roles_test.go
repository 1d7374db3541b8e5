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
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// crew is a tenancy whose class maps one permission and one role, which are its own.
type crew struct {
	*tenancy
	key, permission, permissionID string
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := unservedCrew(t)
	c.createOrganization()
	return c
}

// unservedCrew is a crew without its organization.
func unservedCrew(t *testing.T) *crew {
	t.Helper()
	id := uniqueID("role")
	c := &crew{key: "org:" + id, permission: "org:" + id + ":scrap", permissionID: "perm_" + id}
	c.tenancy = newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].RoleBindings = []v1alpha1.TenantRoleBinding{
			{Role: c.key, ClusterRole: "view"}, {Permission: c.permission, ClusterRole: "edit"},
		}
	})
	return c
}

// knowRole makes a ClerkRole, as the mirror does. It has the permission.
func (c *crew) knowRole(key string, change ...func(*v1alpha1.ClerkRoleSpec)) *v1alpha1.ClerkRole {
	c.t.Helper()
	id := uniqueID("role")
	role := &v1alpha1.ClerkRole{
		Spec: v1alpha1.ClerkRoleSpec{
			Entity:      v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: c.tick()},
			Key:         key,
			Permissions: []v1alpha1.RolePermission{{ID: c.permissionID, Key: c.permission}},
		},
	}
	for _, edit := range change {
		edit(&role.Spec)
	}
	role.Name = v1alpha1.ObjectName(role.Spec.Instance, id)
	role.Name = v1alpha1.ObjectName(role.Spec.Instance, id)
	must(c.t, cluster.Create(c.t.Context(), role))
	return role
}

func (c *crew) changeRole(role *v1alpha1.ClerkRole, change func(*v1alpha1.ClerkRoleSpec)) {
	c.t.Helper()
	edit(c.t, role, func(r *v1alpha1.ClerkRole) {
		r.Spec.UpdatedAt = c.tick()
		change(&r.Spec)
	})
}

// rename changes a role's key, and keeps the one before.
func (c *crew) rename(role *v1alpha1.ClerkRole, key string) {
	c.t.Helper()
	edit(c.t, role, func(object *v1alpha1.ClerkRole) {
		r := &object.Spec
		r.Keys = r.SeenKeys() // by the time of the change before
		r.Key, r.UpdatedAt = key, c.tick()
	})
}

func (c *crew) deleteRoleInClerk(role *v1alpha1.ClerkRole, at time.Time) {
	c.t.Helper()
	edit(c.t, role, func(r *v1alpha1.ClerkRole) {
		before := r.Spec
		r.Spec = v1alpha1.ClerkRoleSpec{
			Entity:      v1alpha1.Entity{Instance: before.Instance, ID: before.ID, DeletedAt: new(metav1.NewMicroTime(at))},
			KeysDropped: before.KeysDropped,
		}
		if before.KeysDropped == nil {
			r.Spec.Key, r.Spec.Keys = before.Key, before.SeenKeys()
		}
	})
}

func (c *crew) knowPermission(change ...func(*v1alpha1.ClerkPermissionSpec)) *v1alpha1.ClerkPermission {
	c.t.Helper()
	permission := &v1alpha1.ClerkPermission{
		Spec: v1alpha1.ClerkPermissionSpec{Entity: v1alpha1.Entity{Instance: "default", ID: c.permissionID, UpdatedAt: c.tick()}, Key: c.permission},
	}
	for _, edit := range change {
		edit(&permission.Spec)
	}
	permission.Name = v1alpha1.ObjectName(permission.Spec.Instance, c.permissionID)
	must(c.t, cluster.Create(c.t.Context(), permission))
	return permission
}

func withPermission(key string) func(*v1alpha1.ClerkMember) {
	return func(m *v1alpha1.ClerkMember) { m.Spec.Permissions = []string{key} }
}

func TestARoleThatLosesAPermissionTakesTheGrantFromEveryoneWhoHoldsIt(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	role := c.knowRole(c.key)
	jane, joe := c.join(c.key, withPermission(c.permission)), c.join(c.key)
	other := c.join("org:other", withPermission(c.permission))
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe), subjectOf(other))

	lost := role.Spec.Permissions
	c.changeRole(role, func(r *v1alpha1.ClerkRoleSpec) { r.Permissions = nil })
	wantSubjects(t, c.namespace(), "edit", subjectOf(other)) // of whose role nothing is known but the membership
	wantSubjects(t, c.namespace(), "view", subjectOf(jane), subjectOf(joe))
	c.changeRole(role, func(r *v1alpha1.ClerkRoleSpec) { r.Permissions = lost })
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe), subjectOf(other))
	wantReason(t, role, v1alpha1.ReasonReady)
}

func TestTheOrderOfARoleAndAMembershipDoesNotMatter(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	jane := c.join(c.key, withPermission(c.permission))
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
	role := c.knowRole(c.key, func(r *v1alpha1.ClerkRoleSpec) { r.Permissions = nil })
	wantSubjects(t, c.namespace(), "edit")
	joe := c.join(c.key, withPermission(c.permission))
	wantCondition(t, joe, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	wantSubjects(t, c.namespace(), "edit")
	wantSubjects(t, c.namespace(), "view", subjectOf(jane), subjectOf(joe))
	must(t, cluster.Delete(t.Context(), role))
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe)) // then the memberships' own word counts again
}

func TestAPermissionThatIsRenamedOrDeletedIsSoInEveryRole(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.knowRole(c.key)
	jane := c.join(c.key)
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
	permission := c.knowPermission()
	renamed := func(key string) {
		edit(t, permission, func(p *v1alpha1.ClerkPermission) { p.Spec.Key, p.Spec.UpdatedAt = key, c.tick() })
	}
	renamed("org:another")
	wantSubjects(t, c.namespace(), "edit")
	renamed(c.permission)
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
	edit(t, permission, func(p *v1alpha1.ClerkPermission) {
		p.Spec = v1alpha1.ClerkPermissionSpec{
			Entity: v1alpha1.Entity{Instance: p.Spec.Instance, ID: p.Spec.ID, DeletedAt: new(metav1.NewMicroTime(time.Now().Add(-time.Hour)))},
		}
	})
	wantSubjects(t, c.namespace(), "edit")
	wantReason(t, permission, v1alpha1.ReasonDeleted) // it stays as long as a role lists it: that would give it again
}

func TestADeletedPermissionStaysDeletedInARoleThatComesLater(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	permission := c.knowPermission(func(p *v1alpha1.ClerkPermissionSpec) {
		*p = v1alpha1.ClerkPermissionSpec{Entity: v1alpha1.Entity{Instance: p.Instance, ID: p.ID, DeletedAt: new(metav1.NewMicroTime(time.Now()))}}
	})
	role := c.knowRole(c.key)
	jane := c.join(c.key)
	wantSubjects(t, c.namespace(), "view", subjectOf(jane))
	wantSubjects(t, c.namespace(), "edit")
	c.changeRole(role, func(r *v1alpha1.ClerkRoleSpec) { r.Permissions = nil })
	wantGone(t, permission)
}

func TestARenamedRoleIsFollowed(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	role := c.knowRole(c.key + "_before")
	jane := c.join(c.key + "_before")
	joe := c.join(c.key)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound) // by the permission
	wantSubjects(t, c.namespace(), "view", subjectOf(joe))                                      // of a role that is not known
	c.rename(role, c.key)
	wantSubjects(t, c.namespace(), "view", subjectOf(jane), subjectOf(joe))
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe))
	c.rename(role, c.key+"_after")
	wantSubjects(t, c.namespace(), "view") // the class names a role by the key that it has now
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe))
}

func TestADeletedRoleGrantsNothingWhileSomebodyHoldsIt(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	role := c.knowRole(c.key)
	jane := c.join(c.key, withPermission(c.permission), func(m *v1alpha1.ClerkMember) {
		m.Spec.UpdatedAt = new(metav1.NewMicroTime(time.Now().Add(-2 * time.Hour)))
	})
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
	c.deleteRoleInClerk(role, time.Now().Add(-time.Hour))
	wantSubjects(t, c.namespace(), "edit")
	wantSubjects(t, c.namespace(), "view")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleDeleted)
	wantReason(t, role, v1alpha1.ReasonDeleted)
	late := c.join(c.key) // which cannot mean what was gone already
	wantCondition(t, late, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleUnknown)
	for _, member := range []*v1alpha1.ClerkMember{jane, late} {
		c.leave(member)
	}
	wantGone(t, role)
}

func TestAKeyOfTwoRolesGrantsNothingUnlessTheTimesTellThemApart(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	start := c.tick()
	old := c.knowRole(c.key, func(r *v1alpha1.ClerkRoleSpec) { r.CreatedAt, r.Permissions = start, nil })
	jane := c.join(c.key)
	wantSubjects(t, c.namespace(), "view", subjectOf(jane))
	c.rename(old, c.key+"_old")
	wantSubjects(t, c.namespace(), "view")
	reused := c.knowRole(c.key, func(r *v1alpha1.ClerkRoleSpec) { r.CreatedAt = r.UpdatedAt })
	joe := c.join(c.key) // after the key went over
	wantSubjects(t, c.namespace(), "view", subjectOf(joe))
	wantSubjects(t, c.namespace(), "edit", subjectOf(joe))
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleNotMapped)
	c.changeRole(reused, func(r *v1alpha1.ClerkRoleSpec) { r.CreatedAt = start }) // it may have had the key before
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleAmbiguous)
	wantSubjects(t, c.namespace(), "edit", subjectOf(joe))
}

func TestAReusedKeyGrantsNothingUntilTheRoleThatHasItNowIsKnown(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	old := c.knowRole(c.key)
	jane := c.join(c.key)
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
	c.rename(old, c.key+"_old")
	joe := c.join(c.key, withPermission(c.permission)) // whose role nobody has heard of
	wantCondition(t, joe, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleUnknown)
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane)) // who has the role that was renamed
	wantSubjects(t, c.namespace(), "view")
	c.knowRole(c.key, func(r *v1alpha1.ClerkRoleSpec) { r.CreatedAt, r.Permissions = joe.Spec.UpdatedAt, nil })
	wantSubjects(t, c.namespace(), "view", subjectOf(joe))
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane))
}

func TestARoleWhoseKeysAreDroppedLetsNobodyInByAKeyThatNobodyKnows(t *testing.T) {
	t.Parallel()
	c := unservedCrew(t)
	instance := newInstance(t, "")
	c.createOrganizationOf(instance.Name)
	in := func(m *v1alpha1.ClerkMember) {
		m.Spec.Instance, m.Spec.Permissions = instance.Name, []string{c.permission}
	}
	other := c.knowRole("org:other", func(r *v1alpha1.ClerkRoleSpec) { r.Instance = instance.Name })
	jane, joe := c.join(c.key, in), c.join(other.Spec.Key, in)
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe))
	dropped := c.knowRole("org:any", func(r *v1alpha1.ClerkRoleSpec) { r.Instance, r.KeysDropped = instance.Name, new(true) })
	wantSubjects(t, c.namespace(), "edit", subjectOf(joe))
	wantSubjects(t, c.namespace(), "view")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonRoleAmbiguous)
	c.deleteRoleInClerk(dropped, time.Now().Add(-time.Hour)) // which ended before jane's membership changed
	wantSubjects(t, c.namespace(), "edit", subjectOf(jane), subjectOf(joe))
	wantGone(t, dropped)
}
