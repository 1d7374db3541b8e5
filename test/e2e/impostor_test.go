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

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// impostor begins the names of ClerkInstances that speak of what is another one's.
const impostor = "impostor-"

// isImpostor tells whether what has these labels is of such an instance.
func isImpostor(labels map[string]string) bool { return ofImpostor(labels[v1alpha1.InstanceLabel]) }

// ofImpostor tells whether a ClerkInstance is such a one.
func ofImpostor(instance string) bool { return strings.HasPrefix(instance, impostor) }

// impostorInstance is a second ClerkInstance beside that of a history.
func (w *repaired) impostorInstance() *v1alpha1.ClerkInstance {
	return &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: impostor + w.clerk.prefix},
		Spec:       v1alpha1.ClerkInstanceSpec{Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "clerk-webhook"}}},
	}
}

// impersonate lets the second ClerkInstance speak of ids of the first: that somebody else is a member of its organization, that its
// organization, members, users and roles are gone, or banned, that its organization owns a domain. Nothing of it may count.
func (p *misfortune) impersonate() {
	said := rapid.IntRange(0, 5).Draw(p.r, "said by the other instance")
	at := p.clerk.tick()
	var event clerktest.Event
	switch ids := alive(p.clerk.memberships); {
	case said == 0 && len(ids) > 0:
		m := p.clerk.membership(draw(p.r, "membership", ids))
		m.UpdatedAt, m.Role, m.User.ID = at, roleAdmin, clerktest.ID("user", impostor+m.ID)
		event = clerktest.MembershipCreated(m)
	case said == 1 && len(ids) > 0:
		event = clerktest.MembershipDeleted(p.clerk.membership(draw(p.r, "membership", ids)), at)
	case said == 2 && len(alive(p.clerk.organizations)) > 0:
		o := p.clerk.organizations[draw(p.r, "organization", alive(p.clerk.organizations))].last()
		event = clerktest.OrganizationDeleted(o.clerktest(), at)
	case said == 3:
		u := p.clerk.people[draw(p.r, "user", p.people())].last().clerktest()
		u.Banned, u.UpdatedAt = true, at
		event = clerktest.UserUpdated(u)
	case said == 4 && len(alive(p.clerk.organizations)) > 0:
		id := draw(p.r, "organization", alive(p.clerk.organizations))
		d := domain{id: clerktest.ID("orgdmn", impostor+id), organization: id, name: ownDomain, ownership: verified, created: at, updated: at}
		event = clerktest.DomainCreated(d.clerktest())
	default:
		event = clerktest.RoleDeleted(clerktest.Role{ID: p.clerk.position(roleAdmin).last().id}, at)
	}
	replica := rapid.IntRange(0, len(p.replicas)-1).Draw(p.r, "replica")
	deadline := time.Now().Add(patience)
	id := clerktest.RandomID("msg")
	for number := 0; ; number++ {
		to := p.replicas[(replica+number)%len(p.replicas)]
		sender := clerktest.Sender{URL: to.url(impostor + p.clerk.prefix), Secret: signingSecret}
		ctx, cancel := context.WithTimeout(p.t.Context(), cmp.Or(p.hangUp(number), senderPatience))
		status, answer, err := sender.Send(ctx, clerktest.Delivery{ID: id, Body: event.Body()})
		cancel()
		if err == nil && status == http.StatusNoContent {
			break
		}
		if time.Now().After(deadline) || err == nil && status != http.StatusServiceUnavailable && status != http.StatusNotFound {
			p.fail("%s of the other instance is answered %d %s (%v)", event.Type, status, answer, err)
		}
		time.Sleep(pollInterval)
	}
	p.note("the other instance says %s", event.Type)
}

// checkBorders says which RoleBindings of one ClerkInstance are in a namespace of another.
func checkBorders(seen *observation) []error {
	var wrong []error
	for _, binding := range seen.everyBinding {
		namespace := seen.namespaces[binding.Namespace]
		if namespace == nil || !isImpostor(binding.Labels) && !isImpostor(namespace.Labels) {
			continue
		}
		if binding.Labels[v1alpha1.InstanceLabel] != namespace.Labels[v1alpha1.InstanceLabel] {
			wrong = append(wrong, fmt.Errorf("%s/%s is of %s in a namespace of %s", binding.Namespace, binding.Name,
				binding.Labels[v1alpha1.InstanceLabel], namespace.Labels[v1alpha1.InstanceLabel]))
		}
	}
	return wrong
}
