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
	"net/http"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// step is one chapter: something happens in Clerk, and this is what the cluster makes of it.
type step struct {
	title string
	play  func(context.Context, *stage) error
}

var story = []step{
	{"Before anything happens: one Clerk environment to listen to, and what its organizations get.", beforeAnything},
	{"An organization is created in Clerk: it gets a namespace.", organizationCreated},
	{"Two people join it: Jane as admin, Joe as member. Each gets the access of their role.", membersJoin},
	{"Joe is promoted to admin.", memberPromoted},
	{"Deliveries come twice, or too late: nothing changes.", doubledAndLate},
	{"Somebody forges a delivery: it is refused.", forged},
	{"The organization gets another slug: nothing moves.", slugChanges},
	{"Joe leaves: he can no longer do anything.", memberLeaves},
	{"The news that Joe joined is replayed: that does not bring him back.", joiningReplayed},
	{"Clerk can also be asked: with an API key, what was there before the operator is found.", apiAsked},
	{"The operator is down. In Clerk someone joins, is demoted, leaves: the events are lost for good.", newsLost},
	{"The operator is up again: a resync from Clerk's API repairs it.", newsRepaired},
	{"Jane is banned: she has no access in any organization.", userBanned},
	{"Jane is unbanned: she gets back what she had.", userUnbanned},
	{"Others are told as well: a ClerkSink hands the event on to NATS.", eventHandedOn},
	{"Applications can join with it: a ClerkDatabase keeps tables in step.", databaseInStep},
	{"The organization is deleted in Clerk: nobody has access, and the namespace with its data stays.", organizationDeleted},
}

// What people try in the namespace: to look takes the ClusterRole view, to deploy takes more.
var (
	look   = action{verb: "get", group: "", resource: "pods"}
	deploy = action{verb: "create", group: "apps", resource: "deployments"}
)

func beforeAnything(ctx context.Context, s *stage) error {
	if err := s.until(ctx, "the ClerkInstance is ready for deliveries", s.instanceReady); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkinstances,tenantclasses"); err != nil {
		return err
	}
	_, err := s.kubectl(ctx, "get", "tenantclasses",
		"-o", "custom-columns=NAMESPACE:.spec..name,ROLE:.spec..role,CLUSTERROLE:.spec..clusterRole")
	return err
}

func organizationCreated(ctx context.Context, s *stage) error {
	s.organization.UpdatedAt = s.now()
	if err := s.deliver(ctx, clerktest.OrganizationCreated(s.organization), "Acme, Inc., with the slug acme"); err != nil {
		return err
	}
	if err := s.until(ctx, "the ClerkOrganization is Ready", s.organizationReady); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkorganizations"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "namespaces", "-l", v1alpha1.OrganizationIDLabel, "-L", podSecurityLabel); err != nil {
		return err
	}
	label, err := s.namespaceLabel(ctx, podSecurityLabel)
	if err != nil {
		return err
	}
	return s.expect("its namespace is "+namespace+", with the pod-security label of the TenantClass", label, "baseline")
}

func membersJoin(ctx context.Context, s *stage) error {
	s.jane.UpdatedAt = s.now()
	began := s.now()
	if err := s.deliver(ctx, clerktest.MembershipCreated(s.jane), "Jane, org:admin"); err != nil {
		return err
	}
	if err := s.until(ctx, "Jane has access", s.may(attempt{s.jane, deploy, namespace, yes})); err != nil {
		return err
	}
	s.granted = s.now().Sub(began)
	s.joe.UpdatedAt = s.now()
	if err := s.deliver(ctx, clerktest.MembershipCreated(s.joe), "Joe, org:member"); err != nil {
		return err
	}
	if err := s.until(ctx, "both ClerkMembers are bound", s.bound(map[string]string{"jane": "admin", "joe": "view"})); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkmembers"); err != nil {
		return err
	}
	if err := s.showRoleBindings(ctx); err != nil {
		return err
	}
	return s.canEach(ctx,
		attempt{s.jane, deploy, namespace, yes},
		attempt{s.joe, look, namespace, yes},
		attempt{s.joe, deploy, namespace, no},
		attempt{s.joe, look, "default", no},
	)
}

func memberPromoted(ctx context.Context, s *stage) error {
	s.joe.Role = "org:admin"
	s.joe.UpdatedAt = s.now()
	if err := s.deliver(ctx, clerktest.MembershipUpdated(s.joe), "Joe, org:admin"); err != nil {
		return err
	}
	if err := s.until(ctx, "Joe is bound as admin", s.bound(map[string]string{"jane": "admin", "joe": "admin"})); err != nil {
		return err
	}
	if err := s.showRoleBindings(ctx); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{s.joe, deploy, namespace, yes})
}

func doubledAndLate(ctx context.Context, s *stage) error {
	before, err := s.resourceVersion(ctx, s.joe)
	if err != nil {
		return err
	}
	s.say("The same message a second time:")
	if err := s.deliverAgain(ctx); err != nil {
		return err
	}
	s.say("And one from before the promotion, delivered only now, freshly signed:")
	late := s.joe
	late.Role, late.UpdatedAt = "org:member", late.CreatedAt
	if err := s.deliver(ctx, clerktest.MembershipUpdated(late), "Joe, org:member"); err != nil {
		return err
	}
	after, err := s.resourceVersion(ctx, s.joe)
	if err != nil {
		return err
	}
	if err := s.expect("Joe's ClerkMember was not written: the same resourceVersion as before", after, before); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{s.joe, deploy, namespace, yes})
}

func forged(ctx context.Context, s *stage) error {
	mallory := s.membership("mallory", "Mallory", "org:admin")
	mallory.UpdatedAt = s.now()
	if err := s.deliverForged(ctx, clerktest.MembershipCreated(mallory), "Mallory, org:admin", http.StatusUnauthorized); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkmembers"); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{mallory, look, namespace, no})
}

func slugChanges(ctx context.Context, s *stage) error {
	before, err := s.showNamespaces(ctx)
	if err != nil {
		return err
	}
	s.organization.Slug, s.organization.UpdatedAt = "acme-worldwide", s.now()
	if err := s.deliver(ctx, clerktest.OrganizationUpdated(s.organization), "the slug is now acme-worldwide"); err != nil {
		return err
	}
	if err := s.until(ctx, "the ClerkOrganization is Ready with its new slug", s.organizationReady); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkorganizations"); err != nil {
		return err
	}
	after, err := s.showNamespaces(ctx)
	if err != nil {
		return err
	}
	if err := s.expect("it is the very same namespace, and the only one", after, before); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{s.jane, deploy, namespace, yes})
}

func memberLeaves(ctx context.Context, s *stage) error {
	began := s.now()
	if err := s.deliver(ctx, clerktest.MembershipDeleted(s.joe, began), "Joe"); err != nil {
		return err
	}
	if err := s.until(ctx, "Joe has no access", s.may(attempt{s.joe, look, namespace, no})); err != nil {
		return err
	}
	s.revoked = s.now().Sub(began)
	if err := s.until(ctx, "Joe's ClerkMember is bound nowhere", s.bound(map[string]string{"jane": "admin", "joe": ""})); err != nil {
		return err
	}
	s.say("His ClerkMember stays for a while as a tombstone:")
	if _, err := s.kubectl(ctx, "get", "clerkmembers"); err != nil {
		return err
	}
	name, err := s.identifier(ctx, s.joe)
	if err != nil {
		return err
	}
	if err := s.expect("the tombstone keeps ids and nothing personal", name, ""); err != nil {
		return err
	}
	if err := s.showRoleBindings(ctx); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{s.joe, deploy, namespace, no}, attempt{s.joe, look, namespace, no})
}

func joiningReplayed(ctx context.Context, s *stage) error {
	before, err := s.resourceVersion(ctx, s.joe)
	if err != nil {
		return err
	}
	s.say("Well signed, and newer than everything before, by its own times:")
	replayed := s.joe
	replayed.UpdatedAt = s.now()
	if err := s.deliver(ctx, clerktest.MembershipCreated(replayed), "Joe, org:admin"); err != nil {
		return err
	}
	after, err := s.resourceVersion(ctx, s.joe)
	if err != nil {
		return err
	}
	if err := s.expect("the tombstone stands: the same resourceVersion as before", after, before); err != nil {
		return err
	}
	return s.canEach(ctx, attempt{s.joe, look, namespace, no})
}

func organizationDeleted(ctx context.Context, s *stage) error {
	before, err := s.showNamespaces(ctx)
	if err != nil {
		return err
	}
	s.api.DeleteOrganization(s.organization.ID)
	if err := s.deliver(ctx, clerktest.OrganizationDeleted(s.organization, s.now()), "Acme, Inc."); err != nil {
		return err
	}
	out := []attempt{{s.jane, look, namespace, no}, {s.lea, look, namespace, no}}
	if err := s.until(ctx, "nobody has access", s.may(out...)); err != nil {
		return err
	}
	if err := s.until(ctx, "the namespace is Retained", s.namespaceState(v1alpha1.NamespaceRetained)); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkorganizations"); err != nil {
		return err
	}
	grants, err := s.kubectl(ctx, "get", "rolebindings", "-n", namespace)
	if err != nil {
		return err
	}
	if err := s.expect("no RoleBinding is left", grants, "No resources found in "+namespace+" namespace."); err != nil {
		return err
	}
	if err := s.canEach(ctx, out...); err != nil {
		return err
	}
	after, err := s.showNamespaces(ctx)
	if err != nil {
		return err
	}
	return s.expect("the namespace is still there: nobody's data goes, as the TenantClass says nothing else", after, before)
}
