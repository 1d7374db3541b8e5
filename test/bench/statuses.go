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
	"encoding/json"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// statusesAtATime is how many statuses are written at a time.
const statusesAtATime = 8

// statusWay is a way to write the status of a ClerkMember.
type statusWay struct {
	name  string
	write func(context.Context, client.Client, *v1alpha1.ClerkMember) error
}

// statusWays are all there are. Each writes the same.
func statusWays() []statusWay {
	owner := client.FieldOwner("clerk-operator")
	return []statusWay{
		{"server-side apply", func(ctx context.Context, c client.Client, member *v1alpha1.ClerkMember) error {
			status := clerkac.ClerkMemberStatus().WithObservedGeneration(member.Status.ObservedGeneration).WithSubject(member.Status.Subject)
			status.Conditions = condition.Configurations(member.Status.Conditions)
			for _, binding := range member.Status.Bindings {
				status.WithBindings(clerkac.MemberBinding().
					WithNamespace(binding.Namespace).WithName(binding.Name).WithClusterRole(binding.ClusterRole))
			}
			return c.Status().Apply(ctx, clerkac.ClerkMember(member.Name).WithUID(member.UID).WithStatus(status), owner, client.ForceOwnership)
		}},
		{"merge patch", func(ctx context.Context, c client.Client, member *v1alpha1.ClerkMember) error {
			patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": member.UID}, "status": member.Status})
			if err != nil {
				return err
			}
			return c.Status().Patch(ctx, nameOnly(member), client.RawPatch(types.MergePatchType, patch), owner)
		}},
		{"JSON patch", func(ctx context.Context, c client.Client, member *v1alpha1.ClerkMember) error {
			patch, err := json.Marshal([]map[string]any{
				{"op": "test", "path": "/metadata/uid", "value": member.UID}, {"op": "add", "path": "/status", "value": member.Status},
			})
			if err != nil {
				return err
			}
			return c.Status().Patch(ctx, nameOnly(member), client.RawPatch(types.JSONPatchType, patch), owner)
		}},
		{"update", func(ctx context.Context, c client.Client, member *v1alpha1.ClerkMember) error {
			return c.Status().Update(ctx, member, owner)
		}},
	}
}

func nameOnly(member *v1alpha1.ClerkMember) *v1alpha1.ClerkMember {
	return &v1alpha1.ClerkMember{ObjectMeta: metav1.ObjectMeta{Name: member.Name}}
}

// measureStatusWays compares what the API server does for the status of a member, by the way in which it is written: its first one, and one
// that changes it. No operator runs, and nobody watches.
func measureStatusWays(ctx context.Context, b *bench) error {
	if err := b.stopReplica(); err != nil {
		return err
	}
	rows := b.report.table("Processor time of kube-apiserver for a member's status", "The first", "A changed one")
	for i, way := range statusWays() {
		members, err := b.mirroredMembers(ctx, "statuses-"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		cells := []string{way.name}
		for _, message := range []string{"ClusterRole admin in namespace org-acme", "ClusterRole edit in namespace org-acme"} {
			operations := make([]operation, len(members))
			for at, member := range members {
				fillStatus(member, message)
				operations[at] = func(ctx context.Context) error { return way.write(ctx, b.administrator, member) }
			}
			before := workSoFar()
			if _, err := perform(ctx, operations, statusesAtATime); err != nil {
				return err
			}
			cells = append(cells, duration(workSoFar().since(before).of("kube-apiserver")/time.Duration(len(members))))
		}
		rows.row(cells...)
	}
	rows.end()
	return nil
}

// fillStatus makes a status as the operator writes it.
func fillStatus(member *v1alpha1.ClerkMember, message string) {
	bound := metav1.Condition{Type: v1alpha1.ConditionBound, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonBound, Message: message}
	verdict := condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: "the member has the access that the TenantClass gives"}
	member.Status = v1alpha1.ClerkMemberStatus{
		ObservedGeneration: member.Generation,
		Subject:            "clerk:" + member.Spec.UserID,
		Bindings:           []v1alpha1.MemberBinding{{Namespace: "org-acme", Name: "clerk-admin", ClusterRole: "admin"}},
		Conditions:         verdict.Conditions(member.Status.Conditions, member.Generation, bound),
	}
}

// mirroredMembers makes as many ClerkMembers as are delivered in the largest round.
func (b *bench) mirroredMembers(ctx context.Context, group string) ([]*v1alpha1.ClerkMember, error) {
	plain, err := newBareClient(ctx, b)
	if err != nil {
		return nil, err
	}
	organization := newOrganization(group, 0)
	size := b.sizes.deliveries[len(b.sizes.deliveries)-1]
	operations := make([]operation, size.perKind)
	members := make([]*v1alpha1.ClerkMember, size.perKind)
	for i := range operations {
		operations[i] = func(ctx context.Context) error {
			object, err := mirroredFor(ctx, operatorproc.Instance, clerktest.MembershipCreated(newMembership(organization, i)))
			if err != nil {
				return err
			}
			if err := plain.create(ctx, object); err != nil {
				return err
			}
			members[i] = &v1alpha1.ClerkMember{}
			return b.administrator.Get(ctx, client.ObjectKey{Name: object.name}, members[i])
		}
	}
	_, err = perform(ctx, operations, statusesAtATime)
	return members, err
}
