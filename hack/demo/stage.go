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
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/natsproc"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

const (
	// namespace is Acme's, by the TenantClass "default" and the organization's first slug; globexNamespace is that of Globex.
	namespace        = "org-acme"
	globexNamespace  = "org-globex"
	podSecurityLabel = "pod-security.kubernetes.io/enforce"

	// yes and no are kubectl's words.
	yes, no = "yes", "no"
)

const (
	// patience bounds how long the cluster may take for what it does within a second when it is not busy with something else.
	patience = 30 * time.Second
	// askAgain is how often it is asked meanwhile. It is what the measured times can be too long by.
	askAgain = 3 * time.Millisecond
)

// stage is where the story is played: the cluster, the ways to look at it, and what Clerk knows of the people in it.
type stage struct {
	*narrator
	cp            *controlplane.ControlPlane
	administrator client.Client

	options       operatorproc.Options
	operator      *operatorproc.Operator
	signingSecret string
	clerk         clerktest.Sender
	api           *apiServer

	organization clerktest.Organization
	jane, joe    clerktest.Membership
	last         message

	// Globex is known by Clerk's API alone.
	globex            clerktest.Organization
	janeAtGlobex, kim clerktest.Membership
	lea               clerktest.Membership

	// nats and postgres receive what is handed on; nil until their chapter.
	nats     *natsproc.Server
	postgres *pgproc.Server

	granted, revoked, repaired, banned time.Duration
}

func newStage(n *narrator, cp *controlplane.ControlPlane, administrator client.Client, options operatorproc.Options) *stage {
	s := &stage{narrator: n, cp: cp, administrator: administrator, options: options}
	s.organization = clerktest.Organization{
		ID: clerktest.ID("org", "acme"), Name: "Acme, Inc.", Slug: "acme", CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	s.jane = s.membership("jane", "Jane", "org:admin")
	s.joe = s.membership("joe", "Joe", "org:member")
	return s
}

// startOperator starts the operator, for the first time or again.
func (s *stage) startOperator(ctx context.Context) error {
	operator, err := operatorproc.Start(ctx, s.cp, s.options)
	if err != nil {
		return err
	}
	s.operator = operator
	s.clerk = operator.Sender(operatorproc.Instance, s.signingSecret)
	return nil
}

// close ends what the story has started.
func (s *stage) close() error {
	if s.api != nil {
		s.api.Close()
	}
	var err error
	if s.operator != nil {
		err = s.operator.Stop()
	}
	if s.postgres != nil {
		s.postgres.Remove()
	}
	if s.nats != nil {
		err = errors.Join(err, s.nats.Stop())
	}
	return err
}

// membership is one in the organization, as Clerk would make it now.
func (s *stage) membership(name, firstName, role string) clerktest.Membership {
	return clerktest.Membership{
		ID:           clerktest.ID("orgmem", name),
		Role:         role,
		Organization: s.organization,
		User:         s.user(name, firstName),
		CreatedAt:    s.now(),
	}
}

func (s *stage) user(name, firstName string) clerktest.User {
	address := name + "@acme.example"
	return clerktest.User{ID: clerktest.ID("user", name), Identifier: address, Email: address, FirstName: firstName, UpdatedAt: s.now()}
}

// now is the time on Clerk's clock.
func (s *stage) now() time.Time { return time.Now() }

// message is what is delivered, once or more.
type message struct {
	clerktest.Delivery
	eventType, about string
	// path is where in the ClerkInstance's path it goes: empty for the mirror.
	path string
}

func newMessage(event clerktest.Event, about string) message {
	return message{
		Delivery: clerktest.Delivery{ID: clerktest.RandomID("msg"), Body: event.Body()}, eventType: event.Type, about: about,
	}
}

// deliver delivers an event as Clerk does, which has to be accepted; about is for the reader.
func (s *stage) deliver(ctx context.Context, event clerktest.Event, about string) error {
	s.last = newMessage(event, about)
	return s.deliverAgain(ctx)
}

// deliverAgain delivers the last message once more, signed anew.
func (s *stage) deliverAgain(ctx context.Context) error {
	return s.send(ctx, s.clerk, s.last, http.StatusNoContent)
}

// deliverForged delivers an event signed with a secret that is not the endpoint's.
func (s *stage) deliverForged(ctx context.Context, event clerktest.Event, about string, want int) error {
	forger := s.clerk
	forger.Secret = clerktest.NewSecret()
	return s.send(ctx, forger, newMessage(event, about), want)
}

func (s *stage) send(ctx context.Context, from clerktest.Sender, m message, want int) error {
	status, answer, err := from.Send(ctx, m.Delivery)
	if err != nil {
		return err
	}
	s.delivery(m, status, answer)
	if status != want {
		return untrue{claim: "the delivery is answered with " + describe(want), want: describe(want), got: describe(status)}
	}
	return nil
}

func describe(status int) string { return fmt.Sprintf("%d %s", status, http.StatusText(status)) }

// kubectl runs kubectl as the administrator, and shows the command and what it printed.
func (s *stage) kubectl(ctx context.Context, args ...string) (string, error) {
	output, err := s.cp.Kubectl(ctx, args...).CombinedOutput()
	s.command(args, string(output))
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return string(bytes.TrimSpace(output)), nil
}

// action is something that a person may or may not do.
type action struct {
	verb, group, resource string
}

// attempt is a person's attempt at it in a namespace, and what should come of it.
type attempt struct {
	member    clerktest.Membership
	action    action
	namespace string
	want      string
}

// canEach asks kubectl whether people may do things.
func (s *stage) canEach(ctx context.Context, attempts ...attempt) error {
	for _, a := range attempts {
		if err := s.can(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) can(ctx context.Context, a attempt) error {
	args := []string{"auth", "can-i", a.action.verb, a.action.resource, "-n", a.namespace, "--as", subject(a.member)}
	output, err := s.cp.Kubectl(ctx, args...).CombinedOutput()
	s.command(args, string(output))
	// "no" comes with exit code 1.
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	may := map[string]string{yes: "may", no: "may not"}[a.want]
	claim := fmt.Sprintf("%s %s %s %s in %s", a.member.User.FirstName, may, a.action.verb, a.action.resource, a.namespace)
	return s.expect(claim, strings.TrimSpace(string(output)), a.want)
}

// subject is the name of a member's user in RBAC, as the ClerkInstance "default" has it.
func subject(m clerktest.Membership) string { return "clerk:" + m.User.ID }

func (s *stage) showRoleBindings(ctx context.Context) error {
	_, err := s.kubectl(ctx, "get", "rolebindings", "-n", namespace, "-o", "custom-columns=ROLE:.roleRef.name,USERS:.subjects[*].name")
	return err
}

// untrue is a claim of the story that the cluster does not bear out.
type untrue struct {
	claim, want, got string
}

// Error implements error.
func (u untrue) Error() string {
	return fmt.Sprintf("untrue: %s: expected %s, got %s", u.claim, u.want, u.got)
}

// expect checks a claim, and shows that it is true.
func (s *stage) expect(claim, got, want string) error {
	if got != want {
		return untrue{claim: claim, want: want, got: got}
	}
	s.proven(claim)
	return nil
}

// until asks about the cluster again and again until it is as the claim says; look returns what there is instead, "" if nothing.
func (s *stage) until(ctx context.Context, claim string, look func(context.Context) (instead string, err error)) error {
	tired := time.After(patience)
	for {
		instead, err := look(ctx)
		if err == nil && instead == "" {
			return nil
		}
		if err != nil {
			instead = err.Error()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tired:
			return untrue{claim: claim, want: "that it is so within " + patience.String(), got: instead}
		case <-time.After(askAgain):
		}
	}
}

// may looks whether the API server answers each attempt as it should, by SubjectAccessReviews.
func (s *stage) may(attempts ...attempt) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		for _, a := range attempts {
			if instead, err := s.review(ctx, a); instead != "" || err != nil {
				return instead, err
			}
		}
		return "", nil
	}
}

func (s *stage) review(ctx context.Context, a attempt) (instead string, err error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   subject(a.member),
		Groups: []string{"system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: a.namespace, Verb: a.action.verb, Group: a.action.group, Resource: a.action.resource,
		},
	}}
	if err := s.administrator.Create(ctx, review); err != nil {
		return "", err
	}
	if review.Status.Allowed == (a.want == yes) {
		return "", nil
	}
	return fmt.Sprintf("%s in %s: allowed: %t", a.member.User.FirstName, a.namespace, review.Status.Allowed), nil
}

func (s *stage) instanceReady(ctx context.Context) (string, error) {
	var instance v1alpha1.ClerkInstance
	err := s.administrator.Get(ctx, client.ObjectKey{Name: "default"}, &instance)
	return unready(instance.Status.Conditions), err
}

// organizationReady looks whether the organization is Ready as Clerk has it now.
func (s *stage) organizationReady(ctx context.Context) (string, error) {
	organization, err := s.getOrganization(ctx)
	if err != nil {
		return "", err
	}
	if organization.Spec.Slug != s.organization.Slug || organization.Status.ObservedGeneration != organization.Generation {
		return "its status is not of its last change yet", nil
	}
	return unready(organization.Status.Conditions), nil
}

func unready(conditions []metav1.Condition) string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return "no condition Ready"
	case ready.Status != metav1.ConditionTrue:
		return ready.Reason + ": " + ready.Message
	default:
		return ""
	}
}

// bound looks whether each member's status says that it is bound to this ClusterRole alone; to none if that is empty.
func (s *stage) bound(roles map[string]string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		for name, want := range roles {
			var member v1alpha1.ClerkMember
			key := client.ObjectKey{Name: v1alpha1.ObjectName("default", clerktest.ID("orgmem", name))}
			if err := s.administrator.Get(ctx, key, &member); err != nil {
				return "", err
			}
			var got []string
			for _, binding := range member.Status.Bindings {
				got = append(got, binding.ClusterRole)
			}
			if strings.Join(got, ",") != want || member.Status.ObservedGeneration != member.Generation {
				return fmt.Sprintf("%s is bound to %q: %s", name, got, unready(member.Status.Conditions)), nil
			}
			if problem := unready(member.Status.Conditions); problem != "" {
				return name + ": " + problem, nil
			}
		}
		return "", nil
	}
}

func (s *stage) namespaceState(want v1alpha1.NamespaceState) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		organization, err := s.getOrganization(ctx)
		if err != nil {
			return "", err
		}
		if states := organization.Status.Namespaces; len(states) != 1 || states[0].State != want {
			return fmt.Sprint(states), nil
		}
		return "", nil
	}
}

func (s *stage) getOrganization(ctx context.Context) (*v1alpha1.ClerkOrganization, error) {
	var organization v1alpha1.ClerkOrganization
	err := s.administrator.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", s.organization.ID)}, &organization)
	return &organization, err
}

func (s *stage) namespaceLabel(ctx context.Context, label string) (string, error) {
	var object corev1.Namespace
	err := s.administrator.Get(ctx, client.ObjectKey{Name: namespace}, &object)
	return object.Labels[label], err
}

// showNamespaces shows the namespaces of all organizations with their uids, which would tell a new one from the old.
func (s *stage) showNamespaces(ctx context.Context) (string, error) {
	return s.kubectl(ctx, "get", "namespaces", "-l", v1alpha1.OrganizationIDLabel,
		"-o", "custom-columns=NAME:.metadata.name,UID:.metadata.uid")
}

// identifier is what is kept of the name by which a member's user signs in.
func (s *stage) identifier(ctx context.Context, member clerktest.Membership) (string, error) {
	var object v1alpha1.ClerkMember
	err := s.administrator.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", member.ID)}, &object)
	return object.Spec.User.Identifier, err
}

// resourceVersion shows the version of a member's object, which any write would change.
func (s *stage) resourceVersion(ctx context.Context, member clerktest.Membership) (string, error) {
	return s.kubectl(ctx, "get", "clerkmember", v1alpha1.ObjectName("default", member.ID), "-o", "jsonpath={.metadata.resourceVersion}")
}
