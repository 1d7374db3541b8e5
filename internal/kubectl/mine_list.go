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

package kubectl

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/me"
)

// listMine finds the caller's memberships, and what ClusterGrants give the caller, with the caller's own rights.
func (p *plugin) listMine(ctx context.Context) (*Mine, error) {
	cluster, err := p.client()
	if err != nil {
		return nil, err
	}
	var review authenticationv1.SelfSubjectReview
	if err := cluster.Create(ctx, &review); err != nil {
		return nil, fmt.Errorf("ask the API server who you are: %w", err)
	}
	user := review.Status.UserInfo.Username
	snapshot, err := load(ctx, cluster, optional(mirrored()), optional(everywhere()))
	if err != nil {
		return nil, err
	}
	switch unread := snapshot.unread[clerkMembers]; {
	case apierrors.IsForbidden(unread):
		return nil, fmt.Errorf("you are %s and may not list ClerkMembers: ask whoever looks after the cluster for the address of /me, "+
			"and name it with --url", user)
	case unread != nil:
		return nil, explainList(unread, &v1alpha1.ClerkMemberList{})
	}
	members := valuesOf[v1alpha1.ClerkMember](snapshot)
	found := &Mine{Mine: *me.Of(user, members)}
	if err := found.addClusterRoles(ctx, snapshot, members, p.Now); err != nil {
		return nil, err
	}
	return found, nil
}

// addClusterRoles adds what ClusterGrants give the caller, as far as the caller may see that.
func (found *Mine) addClusterRoles(ctx context.Context, s *snapshot, members []v1alpha1.ClerkMember, now func() time.Time) error {
	if found.Notes = s.unseenGrants("what ClusterGrants give you in the whole cluster is left out"); len(found.Notes) > 0 {
		return nil
	}
	grants := me.ClusterGrants{Reader: s, Expressions: cached.NewExpressions(), Now: now}
	if err := grants.Add(ctx, &found.Mine, members, valuesOf[rbacv1.ClusterRoleBinding](s)); err != nil || len(found.ClusterRoles) == 0 {
		return err
	}
	for _, listing := range mirrored() {
		if unread := s.unread[resourceOf(listing.list)]; unread != nil {
			for i := range found.ClusterRoles {
				found.ClusterRoles[i].Until = nil
			}
			found.Notes = []string{"when it ends what ClusterGrants give you is left out: " + explainList(unread, listing.list).Error()}
			break
		}
	}
	return nil
}

func (found *Mine) clusterRolesText(out *page) {
	if len(found.ClusterRoles) == 0 {
		return
	}
	out.line("\nIn the whole cluster, by ClusterGrants:")
	rows := make([][]cell, len(found.ClusterRoles))
	for i := range found.ClusterRoles {
		role := &found.ClusterRoles[i]
		rows[i] = []cell{{text: role.ClusterRole, look: green}, {text: role.ClusterGrant}, {text: second(role.Until)}}
	}
	out.table("", []string{"CLUSTERROLE", "CLUSTERGRANT", "UNTIL"}, rows)
}
