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
)

const (
	// floodObjects of floodBytes each are more than the container's memory would hold several times over, decoded.
	floodObjects = 200
	floodBytes   = 1 << 20

	// floodRoom is how far memory may rise: what the runtime uses for the decoding of some of them at once. Kept, they have over 260 MiB.
	floodRoom = 64 << 20

	// usualTime is how long a revocation may take, here beside all else that runs on a machine of tests.
	usualTime = 5 * time.Second
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
	victim := clerktest.Membership{
		ID: clerktest.RandomID("orgmem"), Role: "org:admin", UpdatedAt: time.Now(), User: clerktest.User{ID: clerktest.RandomID("user"), UpdatedAt: time.Now()},
		Organization: clerktest.Organization{ID: clerktest.RandomID("org"), Slug: "flood-victim", UpdatedAt: time.Now()},
	}
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

	before := resident(t, operator)
	flood(t, administrator, victim.Organization.ID)
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

	began := time.Now()
	tell(clerktest.MembershipDeleted(victim, victim.UpdatedAt.Add(time.Second)))
	waitForBindings(t, administrator, victim.Organization.ID, false)
	if took := time.Since(began); took > usualTime {
		t.Errorf("the revocation took %s", took)
	}
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
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
				NetworkPolicies: []v1alpha1.TenantNetworkPolicy{{Name: "closed", Spec: networkingv1.NetworkPolicySpec{
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
	var group sync.WaitGroup
	numbers := make(chan int)
	for range 4 {
		group.Go(func() {
			for number := range numbers {
				policy := &networkingv1.NetworkPolicy{
					ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("flood-%d", number), Namespace: "flood", Labels: map[string]string{
						v1alpha1.OrganizationIDLabel: organization, v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}},
					Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
						{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: values}}}},
				}
				if err := administrator.Create(t.Context(), policy); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for number := range floodObjects {
		numbers <- number
	}
	close(numbers)
	group.Wait()
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
	deadline := time.Now().Add(time.Minute)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
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
