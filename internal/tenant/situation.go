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

package tenant

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Situation is all that it depends on what an organization should have. A decision reads nothing else, and changes none of it: the objects
// may be a cache's own.
type Situation struct {
	Organization *v1alpha1.ClerkOrganization

	// Instance is the organization's ClerkInstance, and Classes are all TenantClasses.
	Instance Instance
	Classes  *Classes

	// Memberships are the organization's, deleted ones too, with what is known of each. Of a deleted organization they are not needed.
	Memberships []Membership

	// Subscription is what is known of the organization's plan.
	Subscription Subscription

	// Domains are all that the organization claims, those too that it has no longer.
	Domains []*v1alpha1.ClerkOrganizationDomain

	// Namespaces and RoleBindings are those that have the organization's id as a label, whoever put it there.
	Namespaces   []*corev1.Namespace
	RoleBindings []*rbacv1.RoleBinding

	// IsOnlyOne: no other ClerkInstance speaks of an organization of the same id. A namespace with the id alone is then meant for this one.
	IsOnlyOne bool

	// RevokeOnly: whoever asks may be behind, so that access is to be taken away and none given.
	RevokeOnly bool

	// OperatorNamespace is never an organization's.
	OperatorNamespace string

	// Removal is what was last taken away of what people had made of their access; nil where nothing was since the start.
	Removal *Removal

	// Now is when this is; without it, no grant is given that has an end.
	Now time.Time
}

// Membership is a ClerkMember with what is known of them beyond it.
type Membership struct {
	*v1alpha1.ClerkMember
	Standing
}

// Standing is what is known of a member beyond the membership: their user, whether Clerk lets them in, and what they hold.
type Standing struct {
	User *v1alpha1.ClerkUser // nil if not mirrored
	Bar  Bar
	Role Role
}

// mayHaveAccess tells whether a member is one, and is let in by Clerk.
func (m *Membership) mayHaveAccess() bool { return m.Spec.DeletedAt == nil && m.Bar == NotBarred }

// Instance is what a ClerkInstance decides about its organizations.
type Instance struct {
	name     string
	object   *v1alpha1.ClerkInstance // nil if it does not exist
	username *Username               // nil if it does not compile
}

// NewInstance makes an Instance of the ClerkInstance of a name, nil if it does not exist, and of its spec.username, nil if that does not
// compile.
func NewInstance(name string, object *v1alpha1.ClerkInstance, username *Username) Instance {
	return Instance{name: name, object: object, username: username}
}

// Observes tells whether it is in mode Observe, so that nothing is to be touched.
func (i Instance) Observes() bool {
	return i.object != nil && i.object.Spec.Mode == v1alpha1.ModeObserve
}

// Problem is what keeps it from naming users, nil if nothing does.
func (i Instance) Problem() *Problem {
	switch {
	case i.object == nil:
		return &Problem{Reason: v1alpha1.ReasonInstanceNotFound, Stalled: true,
			Message: fmt.Sprintf("the ClerkInstance %s does not exist, so no grant is added: create it again", i.name)}
	case i.username == nil:
		return &Problem{Reason: v1alpha1.ReasonInstanceInvalid, Stalled: true,
			Message: fmt.Sprintf("spec.username of the ClerkInstance %s does not compile, so no grant is added: correct it", i.name)}
	case NeedsUsers(i.object, i.username):
		return &Problem{Reason: v1alpha1.ReasonUsersNotMirrored, Stalled: true,
			Message: fmt.Sprintf("spec.username of the ClerkInstance %s needs users to be mirrored, and spec.users is None, "+
				"so no grant is added: change one of them", i.name)}
	}
	return nil
}

// NeedsUsers tells whether the expression reads what no member has, since no user is mirrored.
func NeedsUsers(instance *v1alpha1.ClerkInstance, username *Username) bool {
	return instance.Spec.Users == v1alpha1.UsersNone && username.NeedsUser()
}

// Subject is a member's name in RBAC, by what is known of the user, nil if they are not mirrored; "" or an error where there is none. Where
// the ClerkInstance cannot tell, and of a deleted membership, it is the last one known: it serves to take grants away.
func (i Instance) Subject(member *v1alpha1.ClerkMember, user *v1alpha1.ClerkUser) (string, error) {
	if member.Spec.DeletedAt != nil || i.Problem() != nil {
		return member.Status.Subject, nil
	}
	return i.username.Of(UserOf(member, user))
}

// Classes are all TenantClasses: those of which it is known for whom they are, and by name the error of those that do not compile.
type Classes struct {
	objects   map[string]*v1alpha1.TenantClass
	compiled  map[string]*Class
	matchable []*Class
	broken    map[string]error
}

// Add adds a TenantClass and what CompileClass made of it.
func (c *Classes) Add(object *v1alpha1.TenantClass, class *Class, err error) {
	if c.objects == nil {
		c.objects, c.compiled, c.broken = map[string]*v1alpha1.TenantClass{}, map[string]*Class{}, map[string]error{}
	}
	c.objects[object.Name], c.compiled[object.Name] = object, class
	if err != nil {
		c.broken[object.Name] = err
	}
	if !class.misfit {
		c.matchable = append(c.matchable, class)
	}
}

func (c *Classes) isMatchable(name string) bool {
	return slices.ContainsFunc(c.matchable, func(class *Class) bool { return class.Name() == name })
}

// rules are all role bindings of a class, whatever the namespace; none where there is no such class.
func (c *Classes) rules(name string) []Rule { return c.compiled[name].Rules() }
