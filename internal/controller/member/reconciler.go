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

// Package member says in each ClerkMember's status where its user has access.
package member

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// firstStatusDelay is how long a new member may be on the way to its first RoleBinding before its status says that it waits. It spares
// the API server a write for each member that gets access at once.
const firstStatusDelay = 3 * time.Second

const (
	// expiryPause is how long after the end of a grant the status is looked at: the RoleBinding that changes then has it looked at anyway.
	expiryPause = 2 * time.Second

	// longestSleep is how long a member whose grant ends is not looked at: the clock may have been set since.
	longestSleep = time.Hour
)

// Reconciler says in each ClerkMember's status where its user has access, and collects tombstones. It changes no access.
type Reconciler struct {
	Client      client.Client
	Expressions *cached.Expressions
	Gate        *write.StatusGate
	Tombstones  cached.Tombstones
	Now         func() time.Time

	// missingUser is told of each user who is a member and not mirrored, time and again; nil where nobody can do anything about it.
	MissingUser func(instance, userID string)
}

// Reconcile reads the status off the RoleBindings that exist.
func (r *Reconciler) Reconcile(ctx context.Context, member *v1alpha1.ClerkMember) (reconcile.Result, error) {
	facts, err := r.gather(ctx, member)
	if err != nil {
		return reconcile.Result{}, err
	}
	due, err := r.collectionDue(ctx, member)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !due.IsZero() && !r.Now().Before(due) && len(facts.Bindings) == 0 {
		return reconcile.Result{}, write.Delete(ctx, r.Client, member)
	}
	status := facts.Status()
	if wait := r.untilFirstStatus(member, status); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if !equality.Semantic.DeepEqual(member.Status, status) && r.Gate.Wait(ctx) {
		// While it waited, the RoleBindings may have changed.
		if facts, err = r.gather(ctx, member); err != nil {
			return reconcile.Result{}, err
		}
		status = facts.Status()
	}
	if err := r.writeStatus(ctx, member, status); err != nil {
		return reconcile.Result{}, err
	}
	switch {
	case !due.IsZero():
		return reconcile.Result{RequeueAfter: max(due.Sub(r.Now()), time.Second)}, nil
	case status.Expires != nil: // it may be that no RoleBinding changes
		return reconcile.Result{RequeueAfter: min(status.Expires.Add(expiryPause).Sub(r.Now()), longestSleep)}, nil
	}
	return reconcile.Result{}, nil
}

// gather gathers what the member's status is made from.
func (r *Reconciler) gather(ctx context.Context, member *v1alpha1.ClerkMember) (*tenant.MemberFacts, error) {
	facts, err := r.Expressions.MemberFacts(ctx, r.Client, member, r.Now())
	if err == nil && facts.Standing.User == nil && member.Spec.DeletedAt == nil && r.MissingUser != nil {
		r.MissingUser(member.Spec.Instance, member.Spec.UserID)
	}
	return facts, err
}

// collectionDue is when a tombstone may go; zero for a member who is one.
func (r *Reconciler) collectionDue(ctx context.Context, member *v1alpha1.ClerkMember) (time.Time, error) {
	if member.Spec.DeletedAt == nil {
		return time.Time{}, nil
	}
	return r.Tombstones.CollectionTime(ctx, member)
}

// untilFirstStatus is how much longer to wait before the first status of a member that is on its way to access.
func (r *Reconciler) untilFirstStatus(member *v1alpha1.ClerkMember, status v1alpha1.ClerkMemberStatus) time.Duration {
	_, reason := condition.IsReady(status.Conditions)
	if len(member.Status.Conditions) > 0 || reason != v1alpha1.ReasonProgressing {
		return 0
	}
	return firstStatusDelay - r.Now().Sub(member.CreationTimestamp.Time)
}

func (r *Reconciler) writeStatus(ctx context.Context, member *v1alpha1.ClerkMember, status v1alpha1.ClerkMemberStatus) error {
	if equality.Semantic.DeepEqual(member.Status, status) {
		return nil
	}
	configuration := clerkac.ClerkMemberStatus().WithObservedGeneration(status.ObservedGeneration)
	configuration.Conditions = condition.Configurations(status.Conditions)
	if status.Subject != "" {
		configuration.WithSubject(status.Subject)
	}
	if status.Organization != "" {
		configuration.WithOrganization(status.Organization)
	}
	configuration.WithNamespaces(status.Namespaces...)
	configuration.Expires = status.Expires
	for i := range status.Bindings {
		binding := &status.Bindings[i]
		configuration.WithBindings(clerkac.MemberBinding().
			WithNamespace(binding.Namespace).WithName(binding.Name).WithClusterRole(binding.ClusterRole))
	}
	return write.Status(ctx, r.Client, clerkac.ClerkMember(member.Name).WithUID(member.UID).WithStatus(configuration))
}
