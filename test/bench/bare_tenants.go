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

package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// bareInstance is the ClerkInstance whose entities plain client-go creates. There is no such one: nobody else writes them.
const bareInstance = "bare"

// Labels and annotations of the bare namespaces: as many and as long as those of the operator's, but not its own, so that it does not
// take them for its business.
const (
	podSecurity         = "pod-security.kubernetes.io/enforce"
	bareOrganization    = "bare-operator.io/organization-id"
	bareManagedBy       = "app.kubernetes.io/made-by"
	bareTemplate        = "bare-operator.io/name-template"
	bareManagedMetadata = "bare-operator.io/managed-metadata"
)

// tenant creates a namespace and its three RoleBindings, each with its subject: what the operator makes of one organization.
func (c *bareClient) tenant(
	ctx context.Context, owner *rbacv1.ClusterRole, o clerktest.Organization, members []clerktest.Membership,
) error {
	labels := map[string]string{bareOrganization: o.ID, bareManagedBy: "clerk-operator"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   namespaceOf(o),
		Labels: map[string]string{bareOrganization: o.ID, bareManagedBy: "clerk-operator", podSecurity: "baseline"},
		Annotations: map[string]string{
			bareTemplate:        "org-${organization.handle}",
			bareManagedMetadata: `{"labels":["` + podSecurity + `"]}`,
		},
	}}
	if _, err := c.kubernetes.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the namespace %s: %w", namespace.Name, err)
	}
	for i, g := range grants {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Name: "bare:" + g.clusterRole, Labels: labels,
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: owner.Name, UID: owner.UID,
				}},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: g.clusterRole},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: subjectOf(members[i])}},
		}
		if _, err := c.kubernetes.RbacV1().RoleBindings(namespace.Name).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create a RoleBinding in %s: %w", namespace.Name, err)
		}
	}
	return nil
}

// bareEntities are the custom resources that an organization of a round and its members are, encoded as the operator encodes them.
func bareEntities(ctx context.Context, o clerktest.Organization, members []clerktest.Membership) ([]mirroredObject, error) {
	events := []clerktest.Event{clerktest.OrganizationCreated(o)}
	for _, m := range members {
		events = append(events, clerktest.MembershipCreated(m))
	}
	objects := make([]mirroredObject, len(events))
	for i, event := range events {
		var err error
		if objects[i], err = mirroredFor(ctx, bareInstance, event); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// bareTenantOperations create, for each organization, its namespace with three RoleBindings.
func bareTenantOperations(plain *bareClient, owner *rbacv1.ClusterRole, round tenantRound) []operation {
	operations := make([]operation, len(round.organizations))
	for i, organization := range round.organizations {
		operations[i] = func(ctx context.Context) error { return plain.tenant(ctx, owner, organization, round.members[i]) }
	}
	return operations
}

// bareWholeOperations create, for each organization, all that the operator has to write until its members are bound: the organization and
// its members as custom resources, its namespace, three RoleBindings. undo deletes the custom resources again.
func bareWholeOperations(
	ctx context.Context, plain *bareClient, owner *rbacv1.ClusterRole, round tenantRound,
) (do, undo []operation, err error) {
	for i, organization := range round.organizations {
		entities, err := bareEntities(ctx, organization, round.members[i])
		if err != nil {
			return nil, nil, err
		}
		do = append(do, func(ctx context.Context) error {
			for _, object := range entities {
				if err := plain.create(ctx, object); err != nil {
					return fmt.Errorf("create %s: %w", object.name, err)
				}
			}
			return plain.tenant(ctx, owner, organization, round.members[i])
		})
		undo = append(undo, func(ctx context.Context) error {
			var errs []error
			for _, object := range entities {
				errs = append(errs, plain.remove(ctx, object))
			}
			return errors.Join(errs...)
		})
	}
	return do, undo, nil
}
