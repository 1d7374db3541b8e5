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

package node_test

import (
	"context"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// ingressFor routes a host to a Service.
func ingressFor(host string) *networkingv1.Ingress {
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80},
	}}
	return &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: networkingv1.IngressSpec{
		Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: new(networkingv1.PathTypePrefix), Backend: backend}},
		}}}},
	}}
}

// ownHosts has an organization claim a domain, prove that it owns it, use it, and lose it.
func ownHosts(t *testing.T, s *story) {
	t.Helper()
	if s.issuer == nil {
		t.Skip("skipped: the API server of KUBECONFIG cannot be made to trust the test's identity provider")
	}
	b, own := newBalancer(t, s), "org-own-hosts"
	organization := s.found(t, b, "own-hosts", map[string]string{"plan": "own-hosts"})
	erin, asErin := s.login(t, "erin")
	s.join(t, b, organization, erin, "org:admin")
	eventually(t, "erin's access", func(ctx context.Context) error { return write(ctx, asErin, own) })
	route := func(ctx context.Context, host string) error {
		_, err := asErin.NetworkingV1().Ingresses(own).Create(ctx, ingressFor(host), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	mustRefuse := func(host, why string) {
		t.Helper()
		if err := s.guarded(route(t.Context(), host)); err != nil {
			t.Fatalf("an Ingress for %s, %s: %v", host, why, err)
		}
	}

	domain := clerktest.Domain{
		ID: clerktest.ID("orgdmn", "erin"), OrganizationID: organization.ID, Name: "erin.example", Affiliation: "verified", UpdatedAt: time.Now(),
	}
	s.tell(t, b, clerktest.DomainCreated(domain))
	eventually(t, "the domain", func(ctx context.Context) error {
		name := client.ObjectKey{Name: v1alpha1.ObjectName(instance, domain.ID)}
		return s.client.Get(ctx, name, &v1alpha1.ClerkOrganizationDomain{})
	})
	mustRefuse("www.erin.example", "of which a mailbox alone is verified")
	domain.Ownership, domain.UpdatedAt = "verified", time.Now()
	s.tell(t, b, clerktest.DomainUpdated(domain))
	took := eventually(t, "erin's host", func(ctx context.Context) error { return route(ctx, "www.erin.example") })
	say("an Ingress for a domain is let through %s after Clerk's word that its ownership is verified was answered, and not before", took)
	mustRefuse("bank.example", "somebody else's")
	mustRefuse("evilerin.example", "somebody else's with the same end")
	mustRefuse("", "every host")
	say("Ingresses for another host, and for every host, are refused")
	s.tell(t, b, clerktest.DomainDeleted(domain, time.Now()))
	took = eventually(t, "the host to be refused", func(ctx context.Context) error { return s.guarded(route(ctx, "www.erin.example")) })
	say("an Ingress for the domain is refused again %s after its deletion was answered", took)
}
