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

package organization

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

const (
	// countPause is how long a status lags in which a count alone is new: a thousand members who join one organization so cost a write a
	// second, not a thousand.
	countPause = time.Second

	// countRate is how many statuses a second are written, over all organizations, in which a count alone is new, once countBurst of them
	// were. In a resync the members of an organization come one by one, many seconds apart: each would cost a write.
	countRate, countBurst = 20, 100

	// countCost is how many of these one counts for while something is being written that statuses wait for.
	countCost = 4
)

// statusPause is how long a status gives way to the access of other organizations, and then to whatever of that is waiting in the work
// queue.
const statusPause = 3 * time.Second

// statusGivesWay tells whether a status that says something new is to be written later, since the access of other organizations is being
// changed. It does so for statusPause: the look after that comes when nobody's access is waiting. The class never waits: which one served
// an organization decides which one does.
func (e *enforcement) statusGivesWay(status v1alpha1.ClerkOrganizationStatus) bool {
	organization := e.organization()
	return organization.Status.ClassName == status.ClassName &&
		!equality.Semantic.DeepEqual(organization.Status, status) && e.Gate.IsBusy() && e.statuses.giveWay(organization.UID, e.Now())
}

// writeStatus applies a status if it says anything new, and tells what changed for the tenant. It returns when to look again, since what is
// new could wait; 0 if nothing did.
func (r *Reconciler) writeStatus(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, status v1alpha1.ClerkOrganizationStatus,
) (again time.Duration, err error) {
	before := organization.Status
	if equality.Semantic.DeepEqual(before, status) {
		return 0, nil
	}
	if differsInCounts(before, status) {
		if wait := r.untilCount(ctx, organization, status.ClassName); wait > 0 {
			return wait, nil
		}
	}
	r.statuses.written(organization.UID, status, r.Now()) // before the watch can tell of it
	if err := write.Status(ctx, r.Client, configurationOfStatus(organization, status)); err != nil {
		r.statuses.forget(organization.UID)
		return 0, err
	}
	r.tellTransitions(ctx, organization, before, status)
	return 0, nil
}

// untilCount is how long the status of an organization in which a count alone is new has yet to wait. Where the count decides about access,
// that is short: what the statuses of its members say goes by it.
func (r *Reconciler) untilCount(ctx context.Context, organization *v1alpha1.ClerkOrganization, className string) time.Duration {
	var class v1alpha1.TenantClass
	err := r.Client.Get(ctx, client.ObjectKey{Name: className}, &class, client.UnsafeDisableDeepCopy)
	if err == nil && tenant.HasRule(&class, tenant.CountsMembers) {
		return countPause - r.statuses.age(organization.UID, r.Now())
	}
	cost := 1
	if r.Gate.IsBusy() {
		cost = countCost
	}
	return r.statuses.untilCount(organization.UID, r.Now(), cost)
}

// differsInCounts tells whether two statuses differ in no more than how many members there are, and what a preview says of them.
func differsInCounts(before, after v1alpha1.ClerkOrganizationStatus) bool {
	withoutCounts := func(status v1alpha1.ClerkOrganizationStatus) *v1alpha1.ClerkOrganizationStatus {
		plain := status.DeepCopy()
		plain.Members = nil
		for i := range plain.Conditions {
			if condition := &plain.Conditions[i]; condition.Reason == v1alpha1.ReasonObserving {
				condition.Message = ""
			}
		}
		return plain
	}
	return equality.Semantic.DeepEqual(withoutCounts(before), withoutCounts(after))
}

// writtenStatuses remembers what this process wrote last as the status of each organization, and when.
type writtenStatuses struct {
	last sync.Map // types.UID → writtenStatus

	// givenWay is since when the status of an organization has given way.
	givenWay sync.Map // types.UID → time.Time

	// counts spaces out the statuses in which a count alone is new; countDue is when that of an organization comes.
	counts   *rate.Limiter
	countDue sync.Map // types.UID → time.Time
}

func newWrittenStatuses() *writtenStatuses {
	return &writtenStatuses{counts: rate.NewLimiter(countRate, countBurst)}
}

type writtenStatus struct {
	hash uint64
	at   time.Time
}

func (w *writtenStatuses) written(organization types.UID, status v1alpha1.ClerkOrganizationStatus, at time.Time) {
	w.last.Store(organization, writtenStatus{hash: hashOf(status), at: at})
	w.givenWay.Delete(organization)
	w.countDue.Delete(organization)
}

func (w *writtenStatuses) forget(organization types.UID) {
	w.last.Delete(organization)
	w.givenWay.Delete(organization)
	w.countDue.Delete(organization)
}

// giveWay tells whether the status of an organization has not given way for statusPause yet.
func (w *writtenStatuses) giveWay(organization types.UID, now time.Time) bool {
	since, _ := w.givenWay.LoadOrStore(organization, now)
	return now.Sub(since.(time.Time)) < statusPause
}

// untilCount is how long the status of an organization in which a count alone is new has yet to wait.
func (w *writtenStatuses) untilCount(organization types.UID, now time.Time, cost int) time.Duration {
	due, known := w.countDue.Load(organization)
	if !known {
		turn := w.counts.ReserveN(now, cost).DelayFrom(now)
		due = now.Add(max(countPause-w.age(organization, now), turn))
		w.countDue.Store(organization, due)
	}
	return due.(time.Time).Sub(now)
}

// age is how long ago that was.
func (w *writtenStatuses) age(organization types.UID, now time.Time) time.Duration {
	last, known := w.last.Load(organization)
	if !known {
		return countPause
	}
	return now.Sub(last.(writtenStatus).at)
}

// isOwn tells whether a status is what this process wrote last. Another one may have been written by somebody's hand, or by a replica that
// was elected before, froze, and has gone on since.
func (w *writtenStatuses) isOwn(organization types.UID, status v1alpha1.ClerkOrganizationStatus) bool {
	last, known := w.last.Load(organization)
	return known && last.(writtenStatus).hash == hashOf(status)
}

func configurationOfStatus(
	organization *v1alpha1.ClerkOrganization, status v1alpha1.ClerkOrganizationStatus,
) *clerkac.ClerkOrganizationApplyConfiguration {
	namespaces := make([]*clerkac.OrganizationNamespaceApplyConfiguration, len(status.Namespaces))
	for i := range status.Namespaces {
		namespace := &status.Namespaces[i]
		namespaces[i] = &clerkac.OrganizationNamespaceApplyConfiguration{
			Name: &namespace.Name, State: &namespace.State, DeleteAt: namespace.DeleteAt,
		}
	}
	configuration := clerkac.ClerkOrganizationStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithNamespaces(namespaces...)
	configuration.Conditions = condition.Configurations(status.Conditions)
	configuration.Members = status.Members
	if status.ClassName != "" {
		configuration.WithClassName(status.ClassName)
	}
	if status.Plan != "" {
		configuration.WithPlan(status.Plan)
	}
	if status.SubscriptionStatus != "" {
		configuration.WithSubscriptionStatus(status.SubscriptionStatus)
	}
	return clerkac.ClerkOrganization(organization.Name).WithUID(organization.UID).WithStatus(configuration)
}

func (r *Reconciler) tellTransitions(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, before, after v1alpha1.ClerkOrganizationStatus,
) {
	wasReady, oldReason := condition.IsReady(before.Conditions)
	nowReady, newReason := condition.IsReady(after.Conditions)
	switch {
	case newReason == oldReason || isToldElsewhere(newReason):
	case newReason == v1alpha1.ReasonDeleted && oldReason != "":
		r.tell(ctx, organization, organizationDeleted())
	case nowReady && !wasReady && oldReason != "" && !isToldElsewhere(oldReason):
		r.tell(ctx, organization, ready(after.ClassName))
	case !nowReady:
		r.tell(ctx, organization, notReady(newReason))
	}
	r.tellReleased(ctx, organization, before, after)
}

func (r *Reconciler) tellReleased(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, before, after v1alpha1.ClerkOrganizationStatus,
) {
	for _, namespace := range after.Namespaces {
		wasActive := slices.ContainsFunc(before.Namespaces, func(old v1alpha1.OrganizationNamespace) bool {
			return old.Name == namespace.Name && old.State == v1alpha1.NamespaceActive
		})
		if wasActive && namespace.State == v1alpha1.NamespaceReleased {
			r.tell(ctx, organization, namespaceReleased())
		}
	}
}

// isToldElsewhere tells whether a reason is no news of one tenant: it passes by itself, or the TenantClass or the ClerkInstance says so.
func isToldElsewhere(reason string) bool {
	switch reason {
	case v1alpha1.ReasonProgressing, v1alpha1.ReasonObserving,
		v1alpha1.ReasonTenantClassInvalid, v1alpha1.ReasonInstanceInvalid, v1alpha1.ReasonInstanceNotFound:
		return true
	}
	return false
}

// recordDurations times how long the members' changes took to reach the RoleBindings, which gave the access in held before.
func (e *enforcement) recordDurations(held tenant.Access, revoked, granted time.Time) {
	due := e.intent.Due()
	for _, membership := range e.situation.Memberships {
		changed, timed := e.changes.Stop(membership.Name)
		subject := e.intent.Subjects[membership.Name]
		ended, hasEnded := e.intent.Ends.Passed[membership.Name]
		if !timed && !hasEnded || subject == "" {
			continue
		}
		if held.Loses(due, subject) {
			since := changed
			if ended.After(changed) { // the later of the two is why
				since = ended
			}
			metrics.RevocationSeconds.Observe(max(0, revoked.Sub(since).Seconds()))
		}
		if !timed {
			continue
		}
		if !e.intent.Frozen && held.Gains(due, subject) {
			metrics.GrantSeconds.Observe(max(0, granted.Sub(changed).Seconds()))
		}
	}
}
