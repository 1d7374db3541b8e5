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

package resync_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// domain is one of organization n modulo 3.
func (w *world) domain(n int, ownership string) clerktest.Domain {
	return clerktest.Domain{
		ID: w.id("orgdmn", n), OrganizationID: w.id("org", n%3), Name: w.name + ".example", Ownership: ownership,
		UpdatedAt: founded.Add(time.Duration(n) * time.Second),
	}
}

func (w *world) mirroredDomain(n int) *v1alpha1.ClerkOrganizationDomain {
	w.t.Helper()
	domain := &v1alpha1.ClerkOrganizationDomain{}
	w.must(w.cluster.Get(w.t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(w.name, w.id("orgdmn", n))}, domain))
	return domain
}

// asked tells how often the API was asked for domains.
func (w *world) asked() int {
	requests := w.api.Requests()
	return len(slices.DeleteFunc(requests, func(r clerkapi.Request) bool { return r.Path != "/organization_domains" }))
}

// It runs alone: a class is everybody's.
func TestDomainsAreListedWhereSomethingNeedsThem(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	for n := range 6 {
		w.api.SetDomain(w.domain(n, "verified"))
	}
	w.reconcile()
	w.wants(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.asked() != 0 {
		t.Fatal("domains are listed although nothing needs them")
	}
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: w.name}, Spec: v1alpha1.TenantClassSpec{
		Match:      `organization.domains.exists(d, d.name == "acme.example")`,
		Namespaces: []v1alpha1.TenantNamespace{},
	}}
	w.must(w.cluster.Create(t.Context(), class))
	status := w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.must(w.cluster.Delete(t.Context(), class))
	w.drift(status, "ClerkOrganizationDomain", 6, 6, 0, 0)
	if pages := w.asked(); pages != 2 { // each page begins with the last row of the one before
		t.Errorf("%d requests for 6 domains in pages of %d", pages, pageSize)
	}
	if spec := w.mirroredDomain(1).Spec; spec.Ownership.Status != v1alpha1.DomainVerified || spec.Name != w.name+".example" {
		t.Errorf("got %+v", spec)
	}

	// What is mirrored is looked at, whether or not a class still asks for it.
	lost := w.domain(1, "expired")
	lost.UpdatedAt = lost.UpdatedAt.Add(time.Hour)
	w.api.SetDomain(lost)
	w.api.DeleteDomain(w.id("orgdmn", 2))
	status = w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	w.drift(status, "ClerkOrganizationDomain", 5, 0, 1, 1)
	if spec := w.mirroredDomain(1).Spec; spec.Ownership.Status != "expired" {
		t.Errorf("got %+v", spec)
	}
	if spec := w.mirroredDomain(2).Spec; spec.DeletedAt == nil || spec.OrganizationID != w.id("org", 2) {
		t.Errorf("got %+v", spec)
	}
}

// A domain that a list leaves out stays, where a second look finds it.
func TestASecondLookSavesADomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	w.reconcile()
	domain := w.domain(1, "verified")
	w.must(w.cluster.Create(t.Context(), &v1alpha1.ClerkOrganizationDomain{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(w.name, domain.ID)},
		Spec: v1alpha1.ClerkOrganizationDomainSpec{
			Entity:         v1alpha1.Entity{Instance: w.name, ID: domain.ID, UpdatedAt: new(metav1.NewMicroTime(founded))},
			OrganizationID: domain.OrganizationID,
		},
	}))
	var looks atomic.Int32
	w.api.Intercept(func(r *http.Request) clerkapi.Fault {
		if r.URL.Query().Get("organization_id") != "" {
			looks.Add(1)
			w.api.SetDomain(domain)
		}
		return clerkapi.Fault{}
	})
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.mirroredDomain(1).Spec.DeletedAt != nil || looks.Load() != 1 {
		t.Errorf("after %d looks: %+v", looks.Load(), w.mirroredDomain(1).Spec)
	}
}

// Claims decide nothing, and anybody may make and delete any number: that holds no removal back.
func TestClaimsThatGoHoldNothingBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(3)
	w.reconcile()
	for n := range 10 {
		w.must(w.cluster.Create(t.Context(), &v1alpha1.ClerkOrganizationDomain{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(w.name, w.id("orgdmn", n))},
			Spec: v1alpha1.ClerkOrganizationDomainSpec{
				Entity:         v1alpha1.Entity{Instance: w.name, ID: w.id("orgdmn", n), UpdatedAt: new(metav1.NewMicroTime(founded))},
				OrganizationID: w.id("org", n%3),
			},
		}))
	}
	w.resync(v1alpha1.ResyncComplete, v1alpha1.ReasonSynced)
	if w.mirroredDomain(0).Spec.DeletedAt == nil {
		t.Error("a domain that is gone stays")
	}
}
