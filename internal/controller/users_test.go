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
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// knowUser makes a ClerkUser, as the mirror does.
func (tn *tenancy) knowUser(id string, change ...func(*v1alpha1.ClerkUserSpec)) *v1alpha1.ClerkUser {
	tn.t.Helper()
	user := &v1alpha1.ClerkUser{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.UserIDLabel: id}},
		Spec:       v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: tn.tick()}},
	}
	for _, edit := range change {
		edit(&user.Spec)
	}
	user.Name = v1alpha1.ObjectName(user.Spec.Instance, id)
	must(tn.t, cluster.Create(tn.t.Context(), user))
	return user
}

// changeUser changes what Clerk says of a user.
func (tn *tenancy) changeUser(user *v1alpha1.ClerkUser, change func(*v1alpha1.ClerkUserSpec)) {
	tn.t.Helper()
	edit(tn.t, user, func(u *v1alpha1.ClerkUser) {
		u.Spec.UpdatedAt = tn.tick()
		change(&u.Spec)
	})
}

// deleteUserInClerk makes a user's tombstone.
func (tn *tenancy) deleteUserInClerk(user *v1alpha1.ClerkUser, at time.Time) {
	tn.t.Helper()
	edit(tn.t, user, func(u *v1alpha1.ClerkUser) {
		u.Spec = v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{Instance: u.Spec.Instance, ID: u.Spec.ID, DeletedAt: new(metav1.NewMicroTime(at))}}
	})
}

func isUser(id string) func(*v1alpha1.ClerkMember) {
	return func(m *v1alpha1.ClerkMember) { m.Spec.UserID = id }
}

// wantGone waits until an object does not exist.
func wantGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, object.GetName()+" goes", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil {
			return fmt.Errorf("it is there: %+v", conditionsOf(object))
		}
		return client.IgnoreNotFound(err)
	})
}

// wantReason waits until an object is ready for a reason. Its conditions speak of no generation.
func wantReason(t *testing.T, object client.Object, reason string) {
	t.Helper()
	eventually(t, object.GetName()+" says "+reason, func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(conditionsOf(object), v1alpha1.ConditionReady)
		if condition == nil || condition.Status != metav1.ConditionTrue || condition.Reason != reason {
			return fmt.Errorf("have %+v", conditionsOf(object))
		}
		return nil
	})
}

func TestABanTakesEveryGrantInEveryOrganizationAndItsEndGivesThemBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bar, unbar func(*v1alpha1.ClerkUserSpec)
		reason     string
	}{
		"banned": {
			func(u *v1alpha1.ClerkUserSpec) { u.Banned = new(true) }, func(u *v1alpha1.ClerkUserSpec) { u.Banned = nil }, v1alpha1.ReasonUserBanned,
		},
		"deprovisioned": {
			func(u *v1alpha1.ClerkUserSpec) { u.Deprovisioned = new(true) },
			func(u *v1alpha1.ClerkUserSpec) { u.Deprovisioned = new(false) }, v1alpha1.ReasonUserDeprovisioned,
		},
		"deleted": {nil, nil, v1alpha1.ReasonUserDeleted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := uniqueID("user")
			tenancies := []*tenancy{newTenancy(t), newTenancy(t), newTenancy(t)}
			members := make([]*v1alpha1.ClerkMember, len(tenancies))
			for i, tn := range tenancies {
				tn.createOrganization()
				members[i] = tn.join([]string{"org:admin", "org:member", "org:admin"}[i], isUser(id))
			}
			joe := tenancies[0].join("org:admin")
			user := tenancies[2].knowUser(id)
			in := func() {
				t.Helper()
				wantSubjects(t, tenancies[0].namespace(), "admin", "clerk:"+id, subjectOf(joe))
				wantSubjects(t, tenancies[1].namespace(), "view", "clerk:"+id)
				wantSubjects(t, tenancies[2].namespace(), "admin", "clerk:"+id)
				for _, member := range members {
					wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
				}
				wantReason(t, user, v1alpha1.ReasonReady)
			}
			in()
			if test.bar == nil {
				tenancies[2].deleteUserInClerk(user, time.Now())
			} else {
				tenancies[2].changeUser(user, test.bar)
			}
			wantSubjects(t, tenancies[0].namespace(), "admin", subjectOf(joe))
			wantSubjects(t, tenancies[1].namespace(), "view")
			wantSubjects(t, tenancies[2].namespace(), "admin")
			for _, member := range members {
				wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, test.reason)
				wantCondition(t, member, v1alpha1.ConditionReady, metav1.ConditionTrue, test.reason)
			}
			if test.bar == nil {
				wantReason(t, user, v1alpha1.ReasonDeleted)
				return
			}
			wantReason(t, user, test.reason)
			tenancies[2].changeUser(user, test.unbar)
			in()
		})
	}
}

func TestALockedUserKeepsTheirAccess(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:member")
	user := tn.knowUser(jane.Spec.UserID)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	tn.changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.Locked = new(true) })
	tn.leave(joe) // whatever happens to the organization afterwards
	wantSubjects(t, tn.namespace(), "view")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	wantReason(t, user, v1alpha1.ReasonReady)
}

func TestTheOrderOfAUserAndAMembershipDoesNotMatter(t *testing.T) {
	t.Parallel()
	banned := func(u *v1alpha1.ClerkUserSpec) { u.Banned = new(true) }
	tn := newTenancy(t)
	tn.createOrganization()
	first, second, third := uniqueID("user"), uniqueID("user"), uniqueID("user")
	old, older := tn.tick(), tn.tick()

	early := tn.knowUser(first, banned)
	jane := tn.join("org:admin", isUser(first))
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUserBanned)

	// A membership that tells of a ban keeps out, until the user's own word is newer.
	joe := tn.join("org:admin", isUser(second), func(m *v1alpha1.ClerkMember) { m.Spec.User.Banned = new(true) })
	wantCondition(t, joe, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUserBanned)
	late := tn.knowUser(second, func(u *v1alpha1.ClerkUserSpec) { u.UpdatedAt = old })
	wantReason(t, late, v1alpha1.ReasonReady)

	// One that knows nothing of a ban gives no access, even if it is newer.
	tn.knowUser(third, banned, func(u *v1alpha1.ClerkUserSpec) { u.UpdatedAt = older })
	ann := tn.join("org:admin", isUser(third))
	wantCondition(t, ann, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUserBanned)
	wantSubjects(t, tn.namespace(), "admin")

	tn.changeUser(late, func(*v1alpha1.ClerkUserSpec) {}) // nothing but the time
	wantSubjects(t, tn.namespace(), "admin", "clerk:"+second)
	tn.changeUser(early, func(u *v1alpha1.ClerkUserSpec) { u.Banned = nil })
	wantSubjects(t, tn.namespace(), "admin", "clerk:"+first, "clerk:"+second)
	wantCondition(t, joe, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
}

func TestAUserThatAnotherInstanceSpeaksOfKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	other := newInstance(t, "clerk:${user.id}")
	jane, joe := tn.join("org:admin"), tn.join("org:member")
	tn.knowUser(jane.Spec.UserID, func(u *v1alpha1.ClerkUserSpec) { u.Instance, u.Banned = other.Name, new(true) })
	tn.leave(joe)
	wantSubjects(t, tn.namespace(), "view")
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
}

func TestAVerifiedAddressNamesAUser(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "mail:${user.primaryEmail}")
	wantReady(t, instance)
	tn := newTenancy(t)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name }
	tn.createOrganizationOf(instance.Name)
	jane := tn.join("org:admin", of)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUserNotMirrored)

	address := func(address string, verified bool) func(*v1alpha1.ClerkUserSpec) {
		return func(u *v1alpha1.ClerkUserSpec) {
			u.Instance, u.PrimaryEmail = instance.Name, v1alpha1.ClerkUserEmail{Address: address, Verified: &verified}
		}
	}
	user := tn.knowUser(jane.Spec.UserID, address("Jane@Example.com", false))
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonEmailNotVerified)
	wantSubjects(t, tn.namespace(), "admin")
	tn.changeUser(user, address("Jane@Example.com", true))
	wantSubjects(t, tn.namespace(), "admin", "mail:jane@example.com")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)

	tn.changeUser(user, address("jane@example.org", false))
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonEmailNotVerified)
	if jane.Status.Subject != "" {
		t.Errorf("the status still has the name %s", jane.Status.Subject)
	}
	tn.changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.PrimaryEmail = v1alpha1.ClerkUserEmail{} })
	tn.changeUser(user, address("jane@example.org", true))
	wantSubjects(t, tn.namespace(), "admin", "mail:jane@example.org")
	if strings.Contains(fmt.Sprint(conditionsOf(jane)), "example") {
		t.Errorf("a condition tells an address: %+v", conditionsOf(jane))
	}
}

// A changed address moves the grant in one write: at no moment have both names access, or neither.
func TestAChangedAddressMovesTheGrantAtOnce(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "mail:${user.primaryEmail}")
	tn := newTenancy(t)
	tn.createOrganizationOf(instance.Name)
	jane := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name })
	address := func(n int) func(*v1alpha1.ClerkUserSpec) {
		return func(u *v1alpha1.ClerkUserSpec) {
			u.Instance, u.PrimaryEmail = instance.Name, v1alpha1.ClerkUserEmail{Address: fmt.Sprintf("jane%d@example.com", n), Verified: new(true)}
		}
	}
	user := tn.knowUser(jane.Spec.UserID, address(0))
	wantSubjects(t, tn.namespace(), "admin", "mail:jane0@example.com")

	watcher, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: cluster.Scheme()})
	must(t, err)
	changes, err := watcher.Watch(t.Context(), &rbacv1.RoleBindingList{}, client.InNamespace(tn.namespace()))
	must(t, err)
	defer changes.Stop()
	const moves = 5
	for n := 1; n <= moves; n++ {
		tn.changeUser(user, address(n))
		wantSubjects(t, tn.namespace(), "admin", fmt.Sprintf("mail:jane%d@example.com", n))
	}
	last := fmt.Sprintf("mail:jane%d@example.com", moves)
	deadline := time.After(patience)
	for {
		select {
		case change := <-changes.ResultChan():
			binding, ok := change.Object.(*rbacv1.RoleBinding)
			if !ok || len(binding.Subjects) != 1 || change.Type == watch.Deleted {
				t.Fatalf("at some moment: %s %+v", change.Type, change.Object)
			}
			if binding.Subjects[0].Name == last {
				return
			}
		case <-deadline:
			t.Fatal("the last change is not told")
		}
	}
}

func TestAnExpressionThatNeedsUsersWhereNoneAreWantedIsSaid(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "clerk:${user.id}")
	tn := newTenancy(t)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name }
	tn.createOrganizationOf(instance.Name)
	jane := tn.join("org:admin", of)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	edit(t, instance, func(i *v1alpha1.ClerkInstance) {
		i.Spec.Username, i.Spec.Users = "${user.primaryEmail}", v1alpha1.UsersNone
	})
	wantStalled(t, instance, v1alpha1.ReasonUsersNotMirrored, "spec.users")
	late := tn.join("org:admin", of)
	wantCondition(t, late, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUsersNotMirrored)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	tn.leave(jane)
	wantSubjects(t, tn.namespace(), "admin")
	edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Username = "clerk:${user.id}" })
	wantReady(t, instance)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(late))
}

func TestWhichUsersAreKept(t *testing.T) {
	t.Parallel()
	of := map[v1alpha1.MirroredUsers]string{}
	for _, users := range []v1alpha1.MirroredUsers{v1alpha1.UsersMembers, v1alpha1.UsersAll} {
		instance := newInstance(t, "clerk:${user.id}")
		edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Users = users })
		of[users] = instance.Name
	}
	tn := newTenancy(t)
	tn.createOrganizationOf(of[v1alpha1.UsersMembers])
	jane := tn.join("org:admin", func(m *v1alpha1.ClerkMember) { m.Spec.Instance = of[v1alpha1.UsersMembers] })
	know := func(id string, users v1alpha1.MirroredUsers) *v1alpha1.ClerkUser {
		return tn.knowUser(id, func(u *v1alpha1.ClerkUserSpec) {
			u.Instance, u.UpdatedAt = of[users], new(metav1.NewMicroTime(time.Now()))
		})
	}
	everyone := know(uniqueID("user"), v1alpha1.UsersAll)
	member := know(jane.Spec.UserID, v1alpha1.UsersMembers)
	stranger := know(uniqueID("user"), v1alpha1.UsersMembers)
	wantReason(t, everyone, v1alpha1.ReasonReady)
	wantReason(t, member, v1alpha1.ReasonReady)
	wantReason(t, stranger, v1alpha1.ReasonNoMembership)

	// When the last of them goes, the others would have gone long ago.
	wantGone(t, stranger)
	if age := time.Since(stranger.Spec.UpdatedAt.Time); age < retention {
		t.Errorf("it went after %s, and so before an event could be too old to create its membership", age)
	}
	wantReason(t, everyone, v1alpha1.ReasonReady)
	wantReason(t, member, v1alpha1.ReasonReady)

	// Whose last membership ends goes with its tombstone.
	tn.leave(jane)
	wantReason(t, member, v1alpha1.ReasonNoMembership)
	wantGone(t, jane)
	wantGone(t, member)

	edit(t, get(t, &v1alpha1.ClerkInstance{}, "", of[v1alpha1.UsersAll]), func(i *v1alpha1.ClerkInstance) { i.Spec.Users = v1alpha1.UsersMembers })
	wantGone(t, everyone)
}

func TestWithoutUsersABanIsRememberedAsLongAsItMatters(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "clerk:${user.id}")
	tn := newTenancy(t)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name }
	ofUser := func(u *v1alpha1.ClerkUserSpec) { u.Instance = instance.Name }
	tn.createOrganizationOf(instance.Name)
	jane, joe := tn.join("org:admin", of), tn.join("org:admin", of)
	barred := tn.knowUser(jane.Spec.UserID, ofUser, func(u *v1alpha1.ClerkUserSpec) { u.Banned = new(true) })
	free := tn.knowUser(joe.Spec.UserID, ofUser, func(u *v1alpha1.ClerkUserSpec) { u.FirstName = "Joe" })
	stranger := tn.knowUser(uniqueID("user"), ofUser, func(u *v1alpha1.ClerkUserSpec) { u.Banned = new(true) })
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
	edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Users = v1alpha1.UsersNone })
	wantGone(t, free)
	wantGone(t, stranger)
	wantReason(t, barred, v1alpha1.ReasonUserBanned)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(joe))
	tn.changeUser(barred, func(u *v1alpha1.ClerkUserSpec) { u.Banned = nil })
	wantReason(t, barred, v1alpha1.ReasonReady) // it stays with the membership: a replay of the ban has to be known as old
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane), subjectOf(joe))
	tn.leave(jane)
	wantGone(t, jane)
	wantGone(t, barred)
}

func TestATombstoneOfAUserStaysWhileSomebodyWouldHaveAccessWithoutIt(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	jane := tn.join("org:admin")
	kept, stranger := tn.knowUser(jane.Spec.UserID), tn.knowUser(uniqueID("user"))
	wantSubjects(t, tn.namespace(), "admin", subjectOf(jane))
	for _, user := range []*v1alpha1.ClerkUser{kept, stranger} {
		tn.deleteUserInClerk(user, time.Now().Add(-time.Hour))
	}
	wantGone(t, stranger)
	wantSubjects(t, tn.namespace(), "admin")
	wantReason(t, kept, v1alpha1.ReasonDeleted)
	tn.leave(jane)
	wantGone(t, kept)
	wantSubjects(t, tn.namespace(), "admin")
}

// A ban of a member of many organizations costs one write for each of their RoleBindings, and so does its end; what else Clerk tells of the
// user costs none.
func TestABanCostsOneWriteForEachRoleBinding(t *testing.T) {
	t.Parallel()
	const organizations = 10
	id := uniqueID("user")
	tenancies, others := make([]*tenancy, organizations), make([]string, organizations)
	for i := range tenancies {
		tenancies[i] = newTenancy(t)
		tenancies[i].createOrganization()
		tenancies[i].join("org:admin", isUser(id))
		others[i] = subjectOf(tenancies[i].join("org:admin"))
	}
	user := tenancies[0].knowUser(id)
	want := func(subjects ...string) {
		t.Helper()
		for i, tn := range tenancies {
			wantSubjects(t, tn.namespace(), "admin", append([]string{others[i]}, subjects...)...)
		}
	}
	want("clerk:" + id)
	written := watchBindings(t)
	tenancies[0].changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.Banned = new(true) })
	want()
	tenancies[0].changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.Locked, u.FirstName = new(true), "Jane" })
	wantReason(t, user, v1alpha1.ReasonUserBanned)
	tenancies[0].changeUser(user, func(u *v1alpha1.ClerkUserSpec) { u.Banned = nil })
	want("clerk:" + id)
	for _, tn := range tenancies {
		if writes := written(tn.namespace()); writes != 2 {
			t.Errorf("%s: %d writes for a ban and its end, want 2", tn.namespace(), writes)
		}
	}
}

// watchBindings returns a function that counts how often the RoleBindings of a namespace were written since. By a marker it knows that it has
// been told of all that came before; by a first one, that the watch has begun.
func watchBindings(t *testing.T) func(namespace string) int {
	t.Helper()
	watcher, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: cluster.Scheme()})
	must(t, err)
	changes, err := watcher.Watch(t.Context(), &rbacv1.RoleBindingList{})
	must(t, err)
	t.Cleanup(changes.Stop)
	untilMarker := func() map[string]int {
		marker := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: strings.ToLower(strings.ReplaceAll(uniqueID("marker"), "_", "-"))},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		must(t, cluster.Create(t.Context(), marker))
		writes := map[string]int{}
		for change := range changes.ResultChan() {
			binding, ok := change.Object.(*rbacv1.RoleBinding)
			if !ok {
				t.Fatalf("the watch ended: %+v", change)
			}
			if binding.Name == marker.Name {
				break
			}
			if change.Type == watch.Modified {
				writes[binding.Namespace]++
			}
		}
		return writes
	}
	untilMarker()
	writes := sync.OnceValue(untilMarker)
	return func(namespace string) int { return writes()[namespace] }
}
