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
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	// floodObjects of floodBytes each are more than the container's memory would hold several times over, decoded.
	floodObjects = 200
	floodBytes   = 1 << 20

	// floodRoom is how far memory may rise: what the runtime uses for the decoding of some of them at once. Kept, they have over 260 MiB.
	floodRoom = 64 << 20

	// floodBindings small ones come besides, in a namespace of an organization of the attacker's own: these the operator has to remove.
	floodBindings = 1000

	// revocations are measured before the flood and in it. unusual is how many times as long as before is not the usual time: far beyond what
	// a busy machine does to the median, and far below the seconds that the removals take.
	revocations = 5
	unusual     = 20
)

// The administrator of the control plane is let through by the guards, so this is what a member may do where these are switched off.
func TestAFloodOfLabelledObjectsCostsNeitherMemoryNorTime(t *testing.T) {
	secret, err := operatorproc.Install(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(cluster)
	if err != nil {
		t.Fatal(err)
	}
	start := func() *operatorproc.Operator {
		operator, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{LogDir: t.TempDir(), Died: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		return operator
	}
	operator := start()
	victim := newMember("flood-victim")
	tell := func(event clerktest.Event) {
		t.Helper()
		status, answer, err := operator.Sender(operatorproc.Instance, secret).Deliver(t.Context(), clerktest.RandomID("msg"), event)
		if err != nil || status != http.StatusNoContent {
			t.Fatalf("got %d %q, %v", status, answer, err)
		}
	}
	makeFloodClass(t, administrator)
	tell(clerktest.MembershipCreated(victim))
	waitForBindings(t, administrator, victim.Organization.ID, true)

	attacker, other := newMember("flood-attacker"), newMember("flood-other")
	tell(clerktest.MembershipCreated(attacker))
	waitForBindings(t, administrator, attacker.Organization.ID, true)
	revoke := func() time.Duration {
		var took []time.Duration
		for range revocations {
			other.ID, other.User.ID, other.UpdatedAt = clerktest.RandomID("orgmem"), clerktest.RandomID("user"), time.Now()
			tell(clerktest.MembershipCreated(other))
			waitForBindings(t, administrator, other.Organization.ID, true)
			began := time.Now()
			tell(clerktest.MembershipDeleted(other, other.UpdatedAt.Add(time.Second)))
			waitForBindings(t, administrator, other.Organization.ID, false)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	usual := revoke()

	before := resident(t, operator)
	flood(t, administrator, victim.Organization.ID)
	label(t, administrator, attacker.Organization.ID)
	inFlood := revoke()
	t.Logf("the median of revocations in another organization: %s before the flood, %s in it", usual, inFlood)
	if inFlood > unusual*usual {
		t.Errorf("revocations took %s, and %s before the flood", inFlood, usual)
	}
	// The operator has seen all of it when it has put right what came after.
	waitForPolicies(t, administrator)
	during := resident(t, operator)
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
	operator = start()
	after := resident(t, operator)
	t.Logf("resident memory: %d MiB before, %d MiB with the flood, %d MiB after a restart in it", before>>20, during>>20, after>>20)
	if during > before+floodRoom || after > before+floodRoom {
		t.Errorf("memory rises with what is not the operator's: more than %d MiB", floodRoom>>20)
	}
	tell(clerktest.MembershipDeleted(victim, victim.UpdatedAt.Add(time.Second)))
	waitForBindings(t, administrator, victim.Organization.ID, false)
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
}

// newMember is an admin of an organization with a slug.
func newMember(slug string) clerktest.Membership {
	return clerktest.Membership{
		ID: clerktest.RandomID("orgmem"), Role: "org:admin", UpdatedAt: time.Now(), User: clerktest.User{ID: clerktest.RandomID("user"), UpdatedAt: time.Now()},
		Organization: clerktest.Organization{ID: clerktest.RandomID("org"), Slug: slug, UpdatedAt: time.Now()},
	}
}

// label makes small RoleBindings with the operator's labels in an organization's own namespace.
func label(t *testing.T, administrator client.Client, organization string) {
	t.Helper()
	inParallel(floodBindings, func(number int) {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("flood-%d", number), Namespace: "org-flood-attacker", Labels: map[string]string{
				v1alpha1.OrganizationIDLabel: organization, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		if err := administrator.Create(t.Context(), binding); err != nil {
			t.Error(err)
		}
	})
}

func inParallel(count int, do func(number int)) {
	var group sync.WaitGroup
	numbers := make(chan int)
	for range 4 {
		group.Go(func() {
			for number := range numbers {
				do(number)
			}
		})
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	group.Wait()
}

// makeFloodClass makes a class for the organization of this test, with a NetworkPolicy.
func makeFloodClass(t *testing.T, administrator client.Client) {
	t.Helper()
	class := &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: "flood"},
		Spec: v1alpha1.TenantClassSpec{
			Match: `organization.slug == "flood-victim"`,
			Namespaces: []v1alpha1.TenantNamespace{{
				Name:         "org-${organization.handle}",
				RoleBindings: []v1alpha1.TenantRoleBinding{{Role: "org:admin", ClusterRole: "admin"}},
				NetworkPolicies: []v1alpha1.TenantNetworkPolicy{{Name: "closed", Spec: v1alpha1.TenantNetworkPolicySpec{
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}}},
			}},
		},
	}
	if err := administrator.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
}

// flood makes objects as large as the API server takes with the operator's labels, in a namespace that is no organization's.
func flood(t *testing.T, administrator client.Client, organization string) {
	t.Helper()
	if err := administrator.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "flood"}}); err != nil {
		t.Fatal(err)
	}
	values := make([]string, floodBytes/65)
	for i := range values {
		values[i] = fmt.Sprintf("%063d", i)
	}
	inParallel(floodObjects, func(number int) {
		policy := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("flood-%d", number), Namespace: "flood", Labels: map[string]string{
				v1alpha1.OrganizationIDLabel: organization, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}},
			Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: values}}}},
		}
		if err := administrator.Create(t.Context(), policy); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := administrator.DeleteAllOf(ctx, &networkingv1.NetworkPolicy{}, client.InNamespace("flood")); err != nil {
			t.Error(err)
		}
	})
}

// waitForPolicies deletes a NetworkPolicy that the operator keeps, and waits until it is there again: by then the watch has told of all
// that was written before.
func waitForPolicies(t *testing.T, administrator client.Client) {
	t.Helper()
	var policies networkingv1.NetworkPolicyList
	if err := administrator.List(t.Context(), &policies, client.InNamespace("org-flood-victim")); err != nil || len(policies.Items) == 0 {
		t.Fatalf("the operator keeps no NetworkPolicy: %v", err)
	}
	policy := &policies.Items[0]
	uid := policy.UID
	if err := administrator.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		if err := administrator.Get(t.Context(), client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		if policy.UID == uid {
			return errors.New("it is the old one")
		}
		return nil
	})
}

func waitForBindings(t *testing.T, administrator client.Client, organization string, want bool) {
	t.Helper()
	await(t, func() error {
		var bindings rbacv1.RoleBindingList
		if err := administrator.List(t.Context(), &bindings, client.MatchingLabels{v1alpha1.OrganizationIDLabel: organization}); err != nil {
			return err
		}
		if (len(bindings.Items) > 0) != want {
			return fmt.Errorf("%d RoleBindings", len(bindings.Items))
		}
		return nil
	})
}

func await(t *testing.T, look func() error) {
	t.Helper()
	wait.Within(t, time.Minute, "waiting", func(context.Context) error { return look() })
}

// resident is the memory that the operator's process has, in bytes.
func resident(t *testing.T, operator *operatorproc.Operator) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", operator.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		var kilobytes int
		if _, err := fmt.Sscanf(strings.TrimSpace(string(line)), "VmRSS: %d kB", &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	t.Fatal("the kernel tells no VmRSS")
	return 0
}
