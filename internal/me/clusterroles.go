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

package me

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// ClusterRole is one that the caller has in the whole cluster by a ClusterGrant.
type ClusterRole struct {
	ClusterRole  string `json:"clusterRole"`
	ClusterGrant string `json:"clusterGrant"`

	// Until is when that ends; nil if it does not.
	Until *metav1.Time `json:"until,omitempty"`
}

// ClusterGrants tell what somebody has in the whole cluster.
type ClusterGrants struct {
	// Reader has the indexes of package cached.
	Reader      client.Reader
	Expressions *cached.Expressions
	Now         func() time.Time
}

// Add tells of somebody what ClusterRoleBindings of ClusterGrants give to their name, and, by their memberships, until when. Of what
// others have, and of other ClusterRoleBindings, nothing is told.
func (c *ClusterGrants) Add(ctx context.Context, mine *Mine, members []v1alpha1.ClerkMember, bindings []rbacv1.ClusterRoleBinding) error {
	byName := func(a, b *rbacv1.ClusterRoleBinding) int { return strings.Compare(a.Name, b.Name) }
	for _, binding := range slices.SortedFunc(slices.Values(cached.Pointers(bindings)), byName) { // of too many always the same ones
		grant := tenant.GrantOfBinding(binding)
		if grant == "" || !slices.Contains(usersOf(binding), mine.User) {
			continue
		}
		if len(mine.ClusterRoles) == maxClusterRoles {
			mine.Incomplete = true
			break
		}
		until, err := c.until(ctx, grant, mine.User, members)
		if err != nil {
			return err
		}
		mine.ClusterRoles = append(mine.ClusterRoles, ClusterRole{ClusterRole: binding.RoleRef.Name, ClusterGrant: grant, Until: until})
	}
	slices.SortFunc(mine.ClusterRoles, func(a, b ClusterRole) int {
		return cmp.Or(strings.Compare(a.ClusterRole, b.ClusterRole), strings.Compare(a.ClusterGrant, b.ClusterGrant))
	})
	return nil
}

// until is when somebody loses what a ClusterGrant gives; nil if that does not end by itself.
func (c *ClusterGrants) until(ctx context.Context, name, user string, members []v1alpha1.ClerkMember) (*metav1.Time, error) {
	var grant v1alpha1.ClusterGrant
	err := c.Reader.Get(ctx, client.ObjectKey{Name: name}, &grant)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // what is left of it is about to be taken away
	}
	if err != nil {
		return nil, fmt.Errorf("read a ClusterGrant of the caller: %w", err)
	}
	own := slices.DeleteFunc(cached.Pointers(members), func(member *v1alpha1.ClerkMember) bool { return member.Status.Subject != user })
	end, err := c.Expressions.ClusterGrantEnd(ctx, c.Reader, &grant, own, c.Now())
	if err != nil || end == nil {
		return nil, err
	}
	return new(metav1.NewTime(*end)), nil
}

// usersOf are the users whom a ClusterRoleBinding names.
func usersOf(binding *rbacv1.ClusterRoleBinding) []string {
	var users []string
	for _, subject := range binding.Subjects {
		if subject.Kind == rbacv1.UserKind && subject.Name != "" {
			users = append(users, subject.Name)
		}
	}
	return users
}
