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

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Version is the apiVersion of an answer, and Kind its kind. Fields are added within a version, and none is changed or taken away.
const (
	Version = "cli.clerk-operator.io/v1alpha1"
	Kind    = "Mine"
)

// Mine is what somebody has by Clerk: of nobody else a word.
type Mine struct {
	metav1.TypeMeta `json:",inline"`

	// User is the caller's name in RBAC.
	User string `json:"user"`

	Organizations []Organization `json:"organizations"`

	// ClusterRoles are what the caller has in the whole cluster by ClusterGrants.
	ClusterRoles []ClusterRole `json:"clusterRoles,omitempty"`

	// Incomplete: there are more of either than are told.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Organization is one that the caller is a member of.
type Organization struct {
	// Organization is how it is called, and OrganizationID its id in Clerk.
	Organization   string `json:"organization"`
	OrganizationID string `json:"organizationID"`

	// Role is the key of the caller's role in Clerk.
	Role string `json:"role"`

	// Access is what the caller has there; Reason says why there is none.
	Access []Access `json:"access"`
	Reason string   `json:"reason,omitempty"`
}

// Access is a ClusterRole in a namespace.
type Access struct {
	Namespace   string `json:"namespace"`
	ClusterRole string `json:"clusterRole"`
}

// Of tells what the members of a list have that are called by a name in RBAC. Members of other names are passed over.
func Of(user string, members []v1alpha1.ClerkMember) *Mine {
	mine := &Mine{TypeMeta: metav1.TypeMeta{APIVersion: Version, Kind: Kind}, User: user, Organizations: []Organization{}}
	for i := range members {
		member := &members[i]
		if user == "" || member.Status.Subject != user || member.Spec.DeletedAt != nil {
			continue
		}
		mine.Organizations = append(mine.Organizations, organizationOf(member))
	}
	slices.SortFunc(mine.Organizations, func(a, b Organization) int {
		return cmp.Or(strings.Compare(a.Organization, b.Organization), strings.Compare(a.OrganizationID, b.OrganizationID))
	})
	if len(mine.Organizations) > maxOrganizations {
		mine.Organizations, mine.Incomplete = mine.Organizations[:maxOrganizations], true
	}
	return mine
}

func organizationOf(member *v1alpha1.ClerkMember) Organization {
	organization := Organization{
		Organization:   cmp.Or(member.Status.Organization, member.Spec.OrganizationID),
		OrganizationID: member.Spec.OrganizationID, Role: member.Spec.Role, Access: []Access{},
	}
	for _, binding := range member.Status.Bindings {
		organization.Access = append(organization.Access, Access{Namespace: binding.Namespace, ClusterRole: binding.ClusterRole})
	}
	if bound := meta.FindStatusCondition(member.Status.Conditions, v1alpha1.ConditionBound); bound != nil && len(member.Status.Bindings) == 0 {
		organization.Reason = bound.Reason
	}
	return organization
}

// bySubject finds the ClerkMembers that have a name in RBAC, and the ClusterRoleBindings that name it.
const bySubject = "subject"

// AddIndex adds to the caches what the server asks them by. With ClusterGrants, ClusterRoleBindings are watched.
func AddIndex(ctx context.Context, indexer client.FieldIndexer, withClusterGrants bool) error {
	err := indexer.IndexField(ctx, &v1alpha1.ClerkMember{}, bySubject, func(object client.Object) []string {
		if subject := object.(*v1alpha1.ClerkMember).Status.Subject; subject != "" {
			return []string{subject}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("index ClerkMembers by their names in RBAC: %w", err)
	}
	if !withClusterGrants {
		return nil
	}
	err = indexer.IndexField(ctx, &rbacv1.ClusterRoleBinding{}, bySubject, func(object client.Object) []string {
		return usersOf(object.(*rbacv1.ClusterRoleBinding))
	})
	if err != nil {
		return fmt.Errorf("index ClusterRoleBindings by whom they name: %w", err)
	}
	return nil
}

func (s *Server) mine(ctx context.Context, user string) (*Mine, error) {
	var members v1alpha1.ClerkMemberList
	err := s.options.Members.List(ctx, &members, client.MatchingFields{bySubject: user}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the caller's memberships: %w", err)
	}
	mine := Of(user, members.Items)
	if s.options.ClusterGrants == nil {
		return mine, nil
	}
	var bindings rbacv1.ClusterRoleBindingList
	err = s.options.ClusterGrants.Reader.List(ctx, &bindings, client.MatchingFields{bySubject: user}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the ClusterRoleBindings that name the caller: %w", err)
	}
	if err := s.options.ClusterGrants.Add(ctx, mine, members.Items, bindings.Items); err != nil {
		return nil, err
	}
	return mine, nil
}
