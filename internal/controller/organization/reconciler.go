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

// Package organization gives each organization its namespaces, policies and grants, and takes them away.
package organization

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// workers reconcile organizations at a time. Each waits for the API server most of the time; more would only queue there.
const workers = 16

// Reconciler gives each organization what its TenantClass says: namespaces, policies and grants. It gathers a situation, has
// package tenant decide what should be, and carries that out.
type Reconciler struct {
	Client write.Client

	// Live reads from the API server.
	Live client.Reader

	Expressions       *cached.Expressions
	Gate              *write.StatusGate
	Recorder          events.EventRecorder
	OperatorNamespace string
	Tombstones        cached.Tombstones
	Now               func() time.Time

	// Exists asks Clerk about an organization; known is false where nobody can tell. Nil where nobody can be asked.
	Exists func(ctx context.Context, instance, id string) (exists, known bool, err error)

	beside   spare
	recent   recentWrites
	drift    driftDetector
	changes  watch.Timer
	statuses *writtenStatuses
	alarms   watch.Alarms
	sweeper  *sweeper
}

// Reconcile first takes away every grant that should not be, whatever else fails; then it makes what is missing.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	release := sync.OnceFunc(r.Gate.Begin())
	defer release()
	var organization v1alpha1.ClerkOrganization
	err := write.OwnWrites{Client: r.Client.Client}.Get(ctx, request.NamespacedName, &organization)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, r.takeFromOrphaned(ctx, request.Name)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClerkOrganization %s: %w", request.Name, err)
	}
	e := r.enforce(false, &r.alarms)
	if err := e.look(ctx, &organization); err != nil {
		return reconcile.Result{}, err
	}
	e.accessIsDone = release
	switch {
	case e.intent.Observe:
		return e.preview(ctx)
	case e.intent.Deleted:
		return e.reconcileDeleted(ctx)
	}
	return e.reconcileLiving(ctx)
}

// enforcement carries out what was decided for one organization, in one reconciliation.
type enforcement struct {
	*Reconciler

	// situation, policies and intent are of the last look.
	situation *tenant.Situation
	policies  *policies
	intent    *tenant.Intent

	// problems are what went wrong; failed, what is not to be tried again before the next reconciliation.
	problems tenant.Problems
	failed   map[string]bool

	// ready are the namespaces that grants may go into.
	ready map[string]bool

	// alarms are those of the controller that this is for.
	alarms *watch.Alarms

	// standby: this replica may not be the elected one, and its cache may be behind.
	standby bool

	// accessIsDone says that no more access is being changed.
	accessIsDone func()

	// conflicts is how often somebody else wrote the same RoleBinding.
	conflicts int
}

// enforce begins a reconciliation. A standby takes away what it finds, and gives nothing.
func (r *Reconciler) enforce(standby bool, alarms *watch.Alarms) *enforcement {
	return &enforcement{
		Reconciler: r, standby: standby, alarms: alarms, failed: map[string]bool{}, ready: map[string]bool{}, accessIsDone: func() {},
	}
}

// look gathers what there is of an organization, all of it at once, and decides what should be.
func (e *enforcement) look(ctx context.Context, organization *v1alpha1.ClerkOrganization) error {
	situation, policies, err := e.gather(ctx, organization)
	if err != nil {
		return err
	}
	if e.standby {
		revokeOnlyWhatIsWhole(situation)
	}
	e.situation, e.policies, e.intent = situation, policies, tenant.Decide(situation)
	e.alarms.Reset(organization.Name, e.intent.Ends.Next)
	return nil
}

// revokeOnlyWhatIsWhole has a situation give nothing, and leave out the RoleBindings that are kept without their content: of them only the
// elected replica, which writes them as a whole, can tell that they name nobody else.
func revokeOnlyWhatIsWhole(situation *tenant.Situation) {
	situation.RevokeOnly = true
	isReduced := func(binding *rbacv1.RoleBinding) bool { return cached.IsReduced(binding) }
	situation.RoleBindings = slices.DeleteFunc(situation.RoleBindings, isReduced)
}

// lookAgain is another look at the same organization. It is false where the organization is deleted by now, or only observed: the event
// that tells of it has it reconciled anew.
func (e *enforcement) lookAgain(ctx context.Context) (same bool, err error) {
	var organization v1alpha1.ClerkOrganization
	before := e.intent
	err = e.Client.Get(ctx, client.ObjectKeyFromObject(e.organization()), &organization)
	if err != nil || organization.UID != e.organization().UID {
		return false, client.IgnoreNotFound(err)
	}
	if err := e.look(ctx, &organization); err != nil {
		return false, err
	}
	return e.intent.Observe == before.Observe && e.intent.Deleted == before.Deleted, nil
}

func (e *enforcement) organization() *v1alpha1.ClerkOrganization { return e.situation.Organization }

// reconcileLiving makes an organization what its class says.
func (e *enforcement) reconcileLiving(ctx context.Context) (reconcile.Result, error) {
	held := e.intent.Held()
	if same, err := e.bind(ctx, revokeOnly); err != nil || !same {
		return reconcile.Result{}, err
	}
	revoked := e.Now()
	e.takeLostDomains(ctx)
	if same, err := e.provide(ctx); err != nil || !same {
		return reconcile.Result{}, err
	}
	e.accessIsDone()
	e.sweeper.ask(e.intent, e.situation)
	e.reportHeld(ctx)
	err := retryErrors(slices.Concat(e.intent.Problems, e.problems))
	if err == nil {
		e.recordDurations(held, revoked, e.Now())
	}
	status := tenant.Status(e.situation, e.intent, e.problems)
	if err == nil && e.statusGivesWay(status) {
		return reconcile.Result{RequeueAfter: statusPause, Priority: new(watch.BulkPriority)}, nil
	}
	again, writeErr := e.writeStatus(ctx, e.organization(), status)
	if err := cmp.Or(writeErr, err); err != nil {
		return reconcile.Result{}, err
	}
	if pending := e.recent.pending(e.organization().UID); again == 0 || pending > 0 && pending < again {
		again = pending
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// preview says what would be done, and does nothing: it grants nothing, and takes nothing away either.
func (e *enforcement) preview(ctx context.Context) (reconcile.Result, error) {
	e.accessIsDone()
	for _, membership := range e.situation.Memberships {
		e.changes.Stop(membership.Name) // no change is on its way
	}
	status := tenant.Status(e.situation, e.intent, nil)
	if e.intent.Deleted {
		status = tenant.DeletedStatus(e.situation, e.intent, nil, nil)
	}
	again, err := e.writeStatus(ctx, e.organization(), status)
	return reconcile.Result{RequeueAfter: again}, err
}

// provide makes the namespaces and what is in them, and then gives access. Making them takes a while, so it looks again before it grants
// anything. It is false where the organization has become another.
func (e *enforcement) provide(ctx context.Context) (same bool, err error) {
	if e.intent.Frozen {
		return true, nil
	}
	made := slices.ContainsFunc(e.intent.Entries, func(entry tenant.Entry) bool { return entry.Existing == nil })
	e.provision(ctx)
	if !made && !e.intent.Grows() {
		return true, nil
	}
	if same, err := e.lookAgain(ctx); err != nil || !same {
		return false, err
	}
	return e.bind(ctx, revokeAndGrant)
}

// provision makes the namespaces and what limits them. Grants come after the limits, so that who gets in finds them in place; limits that
// the API server refuses keep nobody out, since that would punish the members for a mistake in the class.
func (e *enforcement) provision(ctx context.Context) {
	taken := map[string]bool{}
	for i := range e.intent.Entries {
		if existing := e.intent.Entries[i].Existing; existing != nil {
			taken[existing.Name] = true
		}
	}
	for i := range e.intent.Entries {
		entry := &e.intent.Entries[i]
		name, ok := e.ensureNamespace(ctx, entry, taken)
		if !ok {
			continue
		}
		taken[name] = true
		e.ensurePolicies(ctx, name, &entry.Namespace)
		e.ready[name] = true
	}
}

// attempt files what went wrong, if anything did, and tells whether nothing did.
func (e *enforcement) attempt(err error, format string, args ...any) bool {
	if err == nil {
		return true
	}
	e.problems.Add(refusal(err, fmt.Sprintf(format, args...)))
	return false
}

// retryErrors has a reconciliation run again, where any of its problems asks for it. They are logged, so they say no more than why: what
// the API server answers may name a namespace, which may have a person's name.
func retryErrors(problems tenant.Problems) error {
	var errs []error
	for _, found := range problems {
		if found.Retry {
			errs = append(errs, errors.New(found.Reason+": the condition Ready of the ClerkOrganization says more"))
		}
	}
	return errors.Join(errs...)
}
