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
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// leaseDuration is how long the Lease of a leader that died keeps the others waiting.
	leaseDuration = 15 * time.Second

	// tenants and tenantMembers are how many organizations a stream of deliveries is about, and how many members each has.
	tenants, tenantMembers = 12, 3
)

// found makes organizations with members, and tells of them.
func (c *simulatedClerk) found(organizations, members int) {
	for range organizations {
		o := c.createOrganization(c.slug(fmt.Sprintf("tenant-%d", c.serial)), "")
		for j := range members {
			c.join(o, c.user(j), []string{roleAdmin, roleMember}[j%2])
		}
	}
}

// TestALeaderThatDiesLosesNothing lets the leader die in the middle of a stream of deliveries to both replicas. The other one goes on
// receiving, and reconciles when the Lease runs out. When the leader stops in order, the other takes over without waiting for that.
func TestALeaderThatDiesLosesNothing(t *testing.T) {
	replicas := startReplicas(t, 2)
	dies, others := leader(t, replicas)
	survives := others[0]
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(tenants, tenantMembers)

	w.deliver(4, func() { w.killInTheMiddle(dies, survives) }, w.toAll()...)
	began := time.Now()
	w.settle()
	if !survives.leads() {
		t.Error("the replica that survives does not lead")
	}
	t.Logf("the other replica took over and had finished %s after the last delivery", time.Since(began).Round(time.Millisecond))
	w.checkAccess()
	w.checkNothingTwice()

	must(t, dies.start())
	for _, id := range w.clerk.membershipIDs() {
		w.clerk.leave(w.clerk.memberships[id])
	}
	began = time.Now()
	w.deliver(4, survives.shutDown, w.toAll()...)
	w.settle()
	if took := time.Since(began); took > leaseDuration {
		t.Errorf("the Lease was given away, and still it took %s until everybody's access was gone", took)
	}
	t.Logf("a leader that stops in order was replaced, and all access gone, after %s", time.Since(began).Round(time.Millisecond))
	w.checkAccess()
	w.checkTombstones()
}

// TestAFrozenLeaderKeepsNobodyIn lets the leader freeze, which still holds the Lease. Nobody may grant anything then, but whoever left loses
// access by the other replica.
func TestAFrozenLeaderKeepsNobodyIn(t *testing.T) {
	replicas := startReplicas(t, 2)
	frozen, others := leader(t, replicas)
	w := newWorld(t, replicas)
	defer w.end(t)
	w.clerk.found(tenants, tenantMembers)
	w.deliverAll()
	w.settle()
	grant := grantStaff(t, w.clerk.organizationIDs())

	frozen.link().hold()
	defer frozen.link().release()
	for _, id := range w.clerk.membershipIDs() {
		w.clerk.leave(w.clerk.memberships[id])
	}
	pending := w.clerk.outbox
	w.clerk.outbox = nil
	deliveries := make([]delivery, len(pending))
	for i, m := range pending {
		deliveries[i] = delivery{message: m, attempts: []attempt{{replica: slices.Index(replicas, others[0])}}}
	}
	began := time.Now()
	w.deliver(4, nil, deliveries...)
	eventually(t, "nobody is left in any RoleBinding", func(ctx context.Context) error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(ctx, &bindings, client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}); err != nil {
			return err
		}
		for _, binding := range bindings.Items {
			if len(binding.Subjects) > 0 {
				return fmt.Errorf("%s/%s still names %d", binding.Namespace, binding.Name, len(binding.Subjects))
			}
		}
		return nil
	})
	wantStaff(t, grant, false)
	t.Logf("with a frozen leader, all access was gone after %s", time.Since(began).Round(time.Millisecond))
	if others[0].leads() {
		t.Error("the other replica was elected before everybody was out: this shows nothing")
	}
}

// TestAGrantEndsThoughTheLeaderIsFrozen gives grants an end of which no event tells, and has the leader freeze before.
func TestAGrantEndsThoughTheLeaderIsFrozen(t *testing.T) {
	replicas := startReplicas(t, 2)
	frozen, others := leader(t, replicas)
	w := newWorld(t, replicas)
	defer w.end(t)
	o := w.clerk.createOrganization(w.clerk.slug("guest"), planEnding)
	w.clerk.join(o, w.clerk.user(1), roleAdmin)
	w.clerk.join(o, w.clerk.user(2), roleMember)
	w.deliverAll()
	w.settle()

	frozen.link().hold()
	defer frozen.link().release()
	end := time.Now().Add(3 * time.Second).Truncate(time.Second)
	setEnd(t, fmt.Sprintf("timestamp(%q)", end.UTC().Format(time.RFC3339)))
	defer setEnd(t, "")
	eventually(t, "the admin has lost access, and the member has it", func(ctx context.Context) error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(ctx, &bindings, client.MatchingLabels{v1alpha1.OrganizationIDLabel: o.id}); err != nil {
			return err
		}
		if len(bindings.Items) == 1 && bindings.Items[0].RoleRef.Name == "view" {
			return nil
		}
		return fmt.Errorf("there are %d RoleBindings", len(bindings.Items))
	})
	if ended := time.Since(end); ended < 0 {
		t.Errorf("it ended %s before its second", -ended)
	}
	t.Logf("with a frozen leader, the grant ended %s after its second", time.Since(end).Round(time.Millisecond))
	if others[0].leads() {
		t.Error("the other replica was elected before the end: this shows nothing")
	}
}

// setEnd gives what admins have by the class "ending" an end, or none.
func setEnd(t *testing.T, until string) {
	t.Helper()
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: planEnding}}
	must(t, cluster.Get(context.WithoutCancel(t.Context()), client.ObjectKeyFromObject(class), class))
	class.Spec.Namespaces[0].RoleBindings[0].Until = until
	must(t, cluster.Update(context.WithoutCancel(t.Context()), class))
}

// toAll takes the outbox, for delivery to every replica.
func (w *world) toAll() []delivery {
	deliveries := make([]delivery, len(w.clerk.outbox))
	for i, m := range w.clerk.outbox {
		deliveries[i].message = m
		for at := range w.replicas {
			deliveries[i].attempts = append(deliveries[i].attempts, attempt{replica: (i + at) % len(w.replicas)})
		}
	}
	w.clerk.outbox = nil
	return deliveries
}

// killInTheMiddle kills the leader while it is at work on the deliveries, and wants of the other that it has done nothing but receive.
func (w *world) killInTheMiddle(dies, survives *replica) {
	for dies.link().count(isTenantWrite) < tenants && w.t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	meddled := survives.link().list(isTenantWrite)
	dies.kill()
	w.note("  %s, which leads, dies", dies.name)
	meddled = slices.DeleteFunc(meddled, func(q apiRequest) bool { return strings.HasPrefix(q.resource, "rolebindings") }) // any may take away
	if len(meddled) > 0 {
		w.t.Errorf("while another led, replica %s wrote %v", survives.name, meddled)
	}
}

// isTenantWrite tells whether a request changes what is only the leader's to change.
func isTenantWrite(q apiRequest) bool {
	switch strings.TrimSuffix(q.resource, "/status") {
	case "namespaces", "rolebindings", "resourcequotas", "limitranges", "networkpolicies", "tenantclasses":
		return q.writes()
	case "clerkorganizations", "clerkmembers":
		return q.writes() && strings.HasSuffix(q.resource, "/status")
	}
	return false
}

// checkNothingTwice wants that no organization has two namespaces for the same entry of its class.
func (w *world) checkNothingTwice() {
	w.t.Helper()
	var list corev1.NamespaceList
	if err := cluster.List(context.Background(), &list, client.HasLabels{v1alpha1.OrganizationIDLabel}); err != nil {
		w.fail("list namespaces: %v", err)
	}
	first := map[string]string{}
	for i := range list.Items {
		namespace := &list.Items[i]
		entry := namespace.Labels[v1alpha1.InstanceLabel] + " " + namespace.Labels[v1alpha1.OrganizationIDLabel] + " " +
			namespace.Annotations[v1alpha1.NameTemplateAnnotation]
		if other := first[entry]; other != "" {
			w.t.Errorf("%s and %s are both for %s", other, namespace.Name, entry)
		}
		first[entry] = namespace.Name
	}
}
