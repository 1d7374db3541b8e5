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

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// claim makes a domain of the organization, as the mirror does. ownership is Clerk's word, empty where nobody has tried.
func (tn *tenancy) claim(name string, ownership v1alpha1.DomainVerificationStatus) *v1alpha1.ClerkOrganizationDomain {
	tn.t.Helper()
	domain := &v1alpha1.ClerkOrganizationDomain{Spec: v1alpha1.ClerkOrganizationDomainSpec{
		Entity:         v1alpha1.Entity{Instance: tn.instance, ID: uniqueID("orgdmn"), CreatedAt: tn.tick(), UpdatedAt: tn.tick()},
		OrganizationID: tn.id, Name: name, EnrollmentMode: "manual_invitation",
		Affiliation: v1alpha1.DomainVerification{Status: v1alpha1.DomainVerified}, // which proves a mailbox alone
	}}
	domain.Spec.Ownership.Status = ownership
	domain.Name = v1alpha1.ObjectName(domain.Spec.Instance, domain.Spec.ID)
	must(tn.t, cluster.Create(tn.t.Context(), domain))
	return domain
}

// prove changes how the proof of owning a domain stands.
func (tn *tenancy) prove(domain *v1alpha1.ClerkOrganizationDomain, ownership v1alpha1.DomainVerificationStatus) {
	tn.t.Helper()
	edit(tn.t, domain, func(d *v1alpha1.ClerkOrganizationDomain) {
		d.Spec.UpdatedAt, d.Spec.Ownership.Status = tn.tick(), ownership
	})
}

// giveUp makes a domain's tombstone.
func (tn *tenancy) giveUp(domain *v1alpha1.ClerkOrganizationDomain, at time.Time) {
	tn.t.Helper()
	edit(tn.t, domain, func(d *v1alpha1.ClerkOrganizationDomain) {
		d.Spec = v1alpha1.ClerkOrganizationDomainSpec{
			Entity:         v1alpha1.Entity{Instance: d.Spec.Instance, ID: d.Spec.ID, DeletedAt: new(metav1.NewMicroTime(at))},
			OrganizationID: d.Spec.OrganizationID,
		}
	})
}

func (tn *tenancy) wantAnnotation(key, want string) {
	tn.t.Helper()
	eventually(tn.t, "the annotation "+key+" is "+want, func(ctx context.Context) error {
		var namespace corev1.Namespace
		if err := cluster.Get(ctx, client.ObjectKey{Name: tn.namespace()}, &namespace); err != nil {
			return err
		}
		if got := namespace.Annotations[key]; got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func TestOnlyDomainsThatAreProvenDecide(t *testing.T) {
	t.Parallel()
	const key = "example.com/domains"
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces[0].Annotations = map[string]string{key: `${organization.domains.map(d, d.name).join(" ")}`}
	})
	organization := tn.createOrganization()
	wantReady(t, organization)
	domain := tn.claim("beta.example", "unverified")
	proven := tn.claim("alpha.example", v1alpha1.DomainVerified)
	tn.wantAnnotation(key, "alpha.example")
	eventually(t, "the domain says that it counts for nothing", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(domain), domain); err != nil {
			return err
		}
		said := meta.FindStatusCondition(domain.Status.Conditions, v1alpha1.ConditionReady)
		if said == nil || !strings.Contains(said.Message, "only a mailbox of the domain is verified") {
			return fmt.Errorf("it says %+v", said)
		}
		return nil
	})
	tn.prove(domain, v1alpha1.DomainVerified)
	tn.wantAnnotation(key, "alpha.example beta.example")
	tn.prove(proven, "expired")
	tn.wantAnnotation(key, "beta.example")
	tn.giveUp(domain, time.Now())
	tn.wantAnnotation(key, "")
	wantReady(t, organization)
}

func TestWhoeverHadAccessByADomainLosesItWithTheDomain(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, adminsWhen(`organization.domains.exists(d, d.name == "acme.example")`, ""))
	tn.createOrganization()
	member := tn.join("org:admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	domain := tn.claim("acme.example", v1alpha1.DomainVerified)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	tn.prove(domain, "failed")
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, member, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonConditionNotMet)
	tn.prove(domain, v1alpha1.DomainVerified)
	wantSubjects(t, tn.namespace(), "admin", subjectOf(member))

	// A deletion that nobody knows the organization of takes it away likewise.
	must(t, cluster.Delete(t.Context(), domain))
	wantSubjects(t, tn.namespace(), "admin")
}

// A domain that Clerk no longer knows of is collected: whatever speaks of it later is too old to create anything.
func TestATombstoneOfADomainIsCollected(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	tn.createOrganization()
	domain := tn.claim("b.example", v1alpha1.DomainVerified)
	tn.giveUp(domain, time.Now().Add(-30*24*time.Hour))
	eventually(t, "it is collected", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(domain), &v1alpha1.ClerkOrganizationDomain{})
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
}

func (tn *tenancy) wantHosts(label, domains string) {
	tn.t.Helper()
	tn.wantAnnotation(v1alpha1.OwnDomainsAnnotation, domains)
	eventually(tn.t, "the label of hosts is "+label, func(ctx context.Context) error {
		var namespace corev1.Namespace
		if err := cluster.Get(ctx, client.ObjectKey{Name: tn.namespace()}, &namespace); err != nil {
			return err
		}
		if got := namespace.Labels[v1alpha1.HostsLabel]; got != label {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

func TestANamespaceHasTheListOfOwnDomains(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) { class.Spec.Hosts = v1alpha1.HostsOwnDomains })
	organization := tn.createOrganization()
	tn.wantHosts("OwnDomains", "")
	first, second := tn.claim("a.example", v1alpha1.DomainVerified), tn.claim("b.example", v1alpha1.DomainVerified)
	tn.wantHosts("OwnDomains", "a.example,b.example")
	tn.prove(first, "expired")
	tn.wantHosts("OwnDomains", "b.example")
	setClass := func(change func(*v1alpha1.TenantClass)) {
		edit(t, get(t, &v1alpha1.TenantClass{}, "", tn.class), change)
	}

	// Somebody who the guards let through changes it: it is put right.
	edit(t, get(t, &corev1.Namespace{}, "", tn.namespace()), func(n *corev1.Namespace) {
		n.Annotations[v1alpha1.OwnDomainsAnnotation] = "bank.example"
		delete(n.Labels, v1alpha1.HostsLabel)
	})
	tn.wantHosts("OwnDomains", "b.example")
	setClass(func(c *v1alpha1.TenantClass) { c.Spec.Hosts = v1alpha1.HostsAny })
	tn.wantHosts("", "")
	setClass(func(c *v1alpha1.TenantClass) { c.Spec.Hosts = v1alpha1.HostsOwnDomains })
	tn.wantHosts("OwnDomains", "b.example")
	tn.prove(first, v1alpha1.DomainVerified)
	tn.wantHosts("OwnDomains", "a.example,b.example")

	// Where the class cannot be decided, what is lost goes all the same, and nothing comes.
	setClass(func(c *v1alpha1.TenantClass) {
		c.Spec.Namespaces[0].Annotations = map[string]string{"example.com/a": "${1 +}"}
	})
	wantStalled(t, organization, v1alpha1.ReasonTenantClassInvalid, "does not compile")
	tn.giveUp(second, time.Now())
	tn.wantHosts("OwnDomains", "a.example")
}

func TestADeletedOrganizationOwnsNoHosts(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) { class.Spec.Hosts = v1alpha1.HostsOwnDomains })
	tn.createOrganization()
	tn.claim("a.example", v1alpha1.DomainVerified)
	tn.wantHosts("OwnDomains", "a.example")
	tn.deleteOrganization()
	tn.wantHosts("OwnDomains", "")
}
