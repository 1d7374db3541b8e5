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
	"fmt"
	"net/http/httptest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// These are the chapters about what no webhook tells, or tells of users.

// longAgo is how long before the operator Globex was there.
const longAgo = 365 * 24 * time.Hour

// drift are a resync's findings of the memberships, as kubectl prints them.
const drift = `{.status.lastResync.kinds[?(@.kind=="ClerkMember")]}`

// boundReasons are why members are bound or not.
const boundReasons = `{.items[*].status.conditions[?(@.type=="Bound")].reason}`

// apiServer plays Clerk's Backend API.
type apiServer struct {
	*clerkapi.API
	*httptest.Server
	key string
}

// openAPI lets Clerk be asked for what there is: Acme with Jane, and Globex, of which no event was ever delivered.
func (s *stage) openAPI() {
	s.api = &apiServer{key: clerktest.RandomID("sk_test")}
	s.api.API = clerkapi.New(clerkapi.Options{InstanceID: clerktest.ID("ins", "demo"), Key: s.api.key})
	s.api.Server = httptest.NewServer(s.api.API)

	before := s.now().Add(-longAgo)
	s.globex = clerktest.Organization{
		ID: clerktest.ID("org", "globex"), Name: "Globex Corporation", Slug: "globex", CreatedAt: before, UpdatedAt: before,
	}
	s.janeAtGlobex = clerktest.Membership{
		ID: clerktest.ID("orgmem", "jane at globex"), Role: "org:admin", Organization: s.globex, User: s.jane.User, UpdatedAt: before,
	}
	s.kim = clerktest.Membership{
		ID: clerktest.ID("orgmem", "kim"), Role: "org:member", Organization: s.globex, User: s.user("kim", "Kim"), UpdatedAt: before,
	}
	for _, organization := range []clerktest.Organization{s.organization, s.globex} {
		s.api.SetOrganization(organization)
	}
	for _, member := range []clerktest.Membership{s.jane, s.janeAtGlobex, s.kim} {
		s.api.SetUser(member.User)
		s.api.SetMembership(member)
	}
}

func apiAsked(ctx context.Context, s *stage) error {
	s.openAPI()
	s.say("A fake plays Clerk's Backend API here, by Clerk's schema. It also knows Globex: Jane is an admin there, Kim a member.")
	if _, err := s.kubectl(ctx, "create", "secret", "generic", "clerk-api", "-n", operatorproc.Namespace,
		"--from-literal=key="+s.api.key); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "label", "secret", "clerk-api", "-n", operatorproc.Namespace,
		v1alpha1.APIKeyLabel+"="+v1alpha1.APIKeyLabelValue); err != nil {
		return err
	}
	spec := fmt.Sprintf(`{"spec":{"api":{"url":%q,"secretKeyRef":{"name":"clerk-api","key":"key"}}}}`, s.api.URL+clerkapi.Prefix)
	if _, err := s.kubectl(ctx, "patch", "clerkinstance", operatorproc.Instance, "--type=merge", "-p", spec); err != nil {
		return err
	}
	found := finding{listed: 3, created: 2}
	if err := s.until(ctx, "a resync finds the two members of Globex", s.resynced(found)); err != nil {
		return err
	}
	attempts := []attempt{{s.janeAtGlobex, deploy, globexNamespace, yes}, {s.kim, look, globexNamespace, yes}}
	if err := s.until(ctx, "they have access", s.may(attempts...)); err != nil {
		return err
	}
	if err := s.until(ctx, "the ClerkInstance tells when it last heard something", s.heard); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkinstances"); err != nil {
		return err
	}
	return s.canEach(ctx, attempts...)
}

// heard looks whether the status tells of the last event, which is written every few seconds.
func (s *stage) heard(ctx context.Context) (string, error) {
	var instance v1alpha1.ClerkInstance
	err := s.administrator.Get(ctx, client.ObjectKey{Name: operatorproc.Instance}, &instance)
	if err == nil && instance.Status.LastEvent.ReceivedAt.IsZero() {
		return "no last event", nil
	}
	return "", err
}

// newsLost stops the operator and lets three things happen in Clerk.
func newsLost(ctx context.Context, s *stage) error {
	if err := s.operator.Stop(); err != nil {
		return err
	}
	s.say("The operator is stopped. Clerk's sender would try for 27.6 hours; in this story it gives up.")
	s.lea = s.membership("lea", "Lea", "org:admin")
	s.lea.UpdatedAt = s.now()
	s.api.SetUser(s.lea.User)
	s.api.SetMembership(s.lea)
	s.jane.Role, s.jane.UpdatedAt = "org:member", s.now()
	s.api.SetMembership(s.jane)
	s.api.DeleteMembership(s.kim.ID)
	for _, lost := range []message{
		newMessage(clerktest.MembershipCreated(s.lea), "Lea, org:admin in Acme"),
		newMessage(clerktest.MembershipUpdated(s.jane), "Jane, org:member in Acme"),
		newMessage(clerktest.MembershipDeleted(s.kim, s.now()), "Kim, of Globex"),
	} {
		if err := s.lose(ctx, lost); err != nil {
			return err
		}
	}
	s.say("So the cluster is wrong in all three:")
	return s.canEach(ctx,
		attempt{s.lea, look, namespace, no},
		attempt{s.jane, deploy, namespace, yes},
		attempt{s.kim, look, globexNamespace, yes},
	)
}

// lose delivers to nobody.
func (s *stage) lose(ctx context.Context, m message) error {
	_, _, err := s.clerk.Send(ctx, m.Delivery)
	if err == nil {
		return untrue{claim: "nobody answers while the operator is down", want: "no answer", got: "one"}
	}
	s.lost(m)
	return context.Cause(ctx)
}

func newsRepaired(ctx context.Context, s *stage) error {
	began := s.now()
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	attempts := []attempt{
		{s.lea, deploy, namespace, yes},
		{s.jane, deploy, namespace, no},
		{s.kim, look, globexNamespace, no},
	}
	if err := s.until(ctx, "everyone has the access that they have in Clerk", s.may(attempts...)); err != nil {
		return err
	}
	s.repaired = s.now().Sub(began)
	s.say("Nothing was delivered. At its start, the operator asked:")
	found := finding{listed: 3, created: 1, updated: 1, deleted: 1}
	if err := s.until(ctx, "the resync is over", s.resynced(found)); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "get", "clerkinstances"); err != nil {
		return err
	}
	told, err := s.kubectl(ctx, "get", "clerkinstance", operatorproc.Instance, "-o", "jsonpath="+drift)
	if err != nil {
		return err
	}
	want := `{"created":1,"deleted":1,"kind":"ClerkMember","listed":3,"updated":1}`
	if err := s.expect("it found what the webhooks had lost: one membership created, one updated, one deleted", told, want); err != nil {
		return err
	}
	return s.canEach(ctx, append(attempts, attempt{s.jane, look, namespace, yes})...)
}

// finding is what a resync found of the memberships.
type finding struct {
	listed, created, updated, deleted int32
}

// resynced looks whether the last resync found everything, and this of the memberships.
func (s *stage) resynced(want finding) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		var instance v1alpha1.ClerkInstance
		if err := s.administrator.Get(ctx, client.ObjectKey{Name: operatorproc.Instance}, &instance); err != nil {
			return "", err
		}
		last := instance.Status.LastResync
		var found finding
		for _, k := range last.Kinds {
			if k.Kind == "ClerkMember" {
				found = finding{number(k.Listed), number(k.Created), number(k.Updated), number(k.Deleted)}
			}
		}
		if found != want || last.Result != v1alpha1.ResyncComplete {
			return fmt.Sprintf("%s: %+v", last.Result, found), nil
		}
		return "", nil
	}
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

func userBanned(ctx context.Context, s *stage) error {
	out := []attempt{{s.jane, look, namespace, no}, {s.janeAtGlobex, look, globexNamespace, no}}
	began, err := s.letIn(ctx, false, out)
	if err != nil {
		return err
	}
	s.banned = s.now().Sub(began)
	if err := s.until(ctx, "Jane's ClerkMembers say why", s.boundReasons(v1alpha1.ReasonUserBanned, s.jane, s.janeAtGlobex)); err != nil {
		return err
	}
	hers := v1alpha1.UserIDLabel + "=" + s.jane.User.ID
	if _, err := s.kubectl(ctx, "get", "clerkmembers", "-l", hers); err != nil {
		return err
	}
	why, err := s.kubectl(ctx, "get", "clerkmembers", "-l", hers, "-o", "jsonpath="+boundReasons)
	if err != nil {
		return err
	}
	if err := s.expect("her memberships stay, and say why they grant nothing", why, "UserBanned UserBanned"); err != nil {
		return err
	}
	return s.canEach(ctx, out...)
}

func userUnbanned(ctx context.Context, s *stage) error {
	in := []attempt{{s.jane, look, namespace, yes}, {s.janeAtGlobex, deploy, globexNamespace, yes}}
	if _, err := s.letIn(ctx, true, in); err != nil {
		return err
	}
	return s.canEach(ctx, append(in, attempt{s.jane, deploy, namespace, no})...)
}

// letIn bans Jane or lifts the ban, and waits until that has its effect.
func (s *stage) letIn(ctx context.Context, in bool, effect []attempt) (began time.Time, err error) {
	user := s.jane.User
	user.Banned, user.UpdatedAt = !in, s.now()
	s.api.SetUser(user)
	began = s.now()
	if err := s.deliver(ctx, clerktest.UserUpdated(user), fmt.Sprintf("Jane, banned: %t", user.Banned)); err != nil {
		return began, err
	}
	return began, s.until(ctx, "what Jane may do follows", s.may(effect...))
}

// boundReasons looks whether the members' condition Bound has this reason.
func (s *stage) boundReasons(want string, members ...clerktest.Membership) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		for _, m := range members {
			var member v1alpha1.ClerkMember
			if err := s.administrator.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", m.ID)}, &member); err != nil {
				return "", err
			}
			bound := meta.FindStatusCondition(member.Status.Conditions, v1alpha1.ConditionBound)
			if bound == nil || bound.Reason != want {
				return fmt.Sprintf("%s: %+v", m.User.FirstName, bound), nil
			}
		}
		return "", nil
	}
}
