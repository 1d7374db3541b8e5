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

package operatorproc_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// TestWhoJoinsAnOrganizationDoesNotWaitForNewOnes lets a replica that is not elected hear of many new organizations, and then of somebody
// who joins one that is there. When it is elected, it finds all of that waiting: the API server's versions say in which order it worked.
func TestWhoJoinsAnOrganizationDoesNotWaitForNewOnes(t *testing.T) {
	const newOrganizations, workers = 60, 16
	secret, err := operatorproc.Install(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(cluster)
	if err != nil {
		t.Fatal(err)
	}
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	first := newMember("home-" + run)
	withRetention(t, 7*day, func(operator *operatorproc.Operator) {
		deliver(t, administrator, operator.Sender(operatorproc.Instance, secret), first, true)
		waitForBindings(t, administrator, first.Organization.ID, true)
	})
	letNobodyBeElected(t, administrator)
	joiner := newMember("")
	joiner.Organization = first.Organization
	withRetention(t, 7*day, func(operator *operatorproc.Operator) {
		sender := operator.Sender(operatorproc.Instance, secret)
		for number := range newOrganizations {
			deliver(t, administrator, sender, newMember(fmt.Sprintf("new-%s-%d", run, number)), true)
		}
		deliver(t, administrator, sender, joiner, true)
		letSomebodyBeElected(t, administrator)

		var joined uint64
		await(t, func() error {
			joined, err = versionOfBinding(t, administrator, joiner.Organization.ID, "clerk:"+joiner.User.ID)
			return err
		})
		await(t, func() error {
			made := versionsOfNamespaces(t, administrator, "org-new-"+run+"-")
			if len(made) < newOrganizations {
				return fmt.Errorf("%d namespaces of %d", len(made), newOrganizations)
			}
			before := slices.IndexFunc(made, func(version uint64) bool { return version > joined })
			if before < 0 {
				before = len(made)
			}
			if before > 2*workers {
				t.Errorf("%d of %d new organizations had their namespace before somebody who joined an old one had access", before, len(made))
			}
			return nil
		})
	})
}

// TestAJoinThatTakesAccessFromOthersNeedsNoElectedReplica has a class that gives two members access and three none.
func TestAJoinThatTakesAccessFromOthersNeedsNoElectedReplica(t *testing.T) {
	secret, err := operatorproc.Install(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(cluster)
	if err != nil {
		t.Fatal(err)
	}
	slug := "few-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: slug}}
	class.Spec.Match = fmt.Sprintf("organization.slug == %q", slug)
	class.Spec.Namespaces = []v1alpha1.TenantNamespace{{
		Name:         "org-${organization.handle}",
		RoleBindings: []v1alpha1.TenantRoleBinding{{Role: "org:admin", ClusterRole: "admin", When: "organization.members < 3"}},
	}}
	if err := administrator.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = administrator.Delete(context.Background(), class) }()
	first, witness := newMember(slug), newMember("witness-of-"+slug)
	join := func(sender clerktest.Sender) {
		t.Helper()
		next := newMember("")
		next.Organization = first.Organization
		deliver(t, administrator, sender, next, true)
	}
	withRetention(t, 7*day, func(operator *operatorproc.Operator) {
		sender := operator.Sender(operatorproc.Instance, secret)
		deliver(t, administrator, sender, witness, true)
		deliver(t, administrator, sender, first, true)
		join(sender)
		waitForBindings(t, administrator, witness.Organization.ID, true)
		waitForBindings(t, administrator, first.Organization.ID, true)
	})
	letNobodyBeElected(t, administrator)
	defer letSomebodyBeElected(t, administrator)
	withRetention(t, 7*day, func(operator *operatorproc.Operator) {
		sender := operator.Sender(operatorproc.Instance, secret)
		left := clerktest.MembershipDeleted(witness, time.Now())
		if status, answer, err := sender.Deliver(t.Context(), clerktest.RandomID("msg"), left); err != nil || status != http.StatusNoContent {
			t.Fatalf("got %d %q, %v", status, answer, err)
		}
		waitForBindings(t, administrator, witness.Organization.ID, false) // after what it looks at when it starts
		join(sender)
		waitForBindings(t, administrator, first.Organization.ID, false)
	})
}

// leaseOfReplicas is the Lease by which the operator's replicas elect one of them.
func leaseOfReplicas() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: "clerk-operator"}}
}

// letNobodyBeElected gives the Lease to somebody who does not exist.
func letNobodyBeElected(t *testing.T, administrator client.Client) {
	t.Helper()
	if err := client.IgnoreNotFound(administrator.Delete(t.Context(), leaseOfReplicas())); err != nil {
		t.Fatal(err)
	}
	now, lease := metav1.NewMicroTime(time.Now()), leaseOfReplicas()
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new("nobody"), LeaseDurationSeconds: new(int32(24 * 60 * 60)), AcquireTime: &now, RenewTime: &now,
	}
	if err := administrator.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
}

func letSomebodyBeElected(t *testing.T, administrator client.Client) {
	t.Helper()
	if err := administrator.Delete(t.Context(), leaseOfReplicas()); err != nil {
		t.Fatal(err)
	}
}

// versionOfBinding is the resourceVersion of the RoleBinding of an organization that names a subject.
func versionOfBinding(t *testing.T, administrator client.Client, organization, subject string) (uint64, error) {
	t.Helper()
	var bindings rbacv1.RoleBindingList
	if err := administrator.List(t.Context(), &bindings, client.MatchingLabels{v1alpha1.OrganizationIDLabel: organization}); err != nil {
		return 0, err
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Name == subject }) {
			return strconv.ParseUint(binding.ResourceVersion, 10, 64)
		}
	}
	return 0, fmt.Errorf("no RoleBinding names %s", subject)
}

// versionsOfNamespaces are the resourceVersions of the namespaces whose names begin so, in their order.
func versionsOfNamespaces(t *testing.T, administrator client.Client, prefix string) []uint64 {
	t.Helper()
	var namespaces corev1.NamespaceList
	if err := administrator.List(t.Context(), &namespaces, client.HasLabels{v1alpha1.OrganizationIDLabel}); err != nil {
		t.Fatal(err)
	}
	var versions []uint64
	for i := range namespaces.Items {
		if !strings.HasPrefix(namespaces.Items[i].Name, prefix) {
			continue
		}
		version, err := strconv.ParseUint(namespaces.Items[i].ResourceVersion, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions
}
