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

// Package clustergrant gives what ClusterGrants say, by ClusterRoleBindings, and takes it away.
package clustergrant

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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

const (
	// workers carry out ClusterGrants at a time. There are few of these, and each waits for the API server most of the time.
	workers = 4

	// maxLooks bounds how often one reconciliation looks again because something was written: whoever may write ClusterRoleBindings could go
	// on for ever. It is tried again later.
	maxLooks = 20
)

// Reconciler keeps the ClusterRoleBinding of each ClusterGrant. It gathers a situation, has package tenant decide who should be in it, and
// carries that out: first it takes away, then it gives, and after each write it looks again at everything that decides about access.
type Reconciler struct {
	Client write.Client

	// Live reads from the API server.
	Live client.Reader

	Expressions *cached.Expressions
	Gate        *write.StatusGate
	Recorder    events.EventRecorder
	Now         func() time.Time

	// ClusterRoles are those that may be given in the whole cluster. Without any, nothing is carried out.
	ClusterRoles []string

	// Forbidden is what the operator would need to watch ClusterRoleBindings and may not; "" if it may. Nothing is carried out then.
	Forbidden string

	alarms  watch.Alarms
	changes watch.Timer
	drift   sync.Map // types.UID of a ClusterGrant → the tenant.Binding that last was right

	// checked are the ClusterGrants, by name, of which this replica found, while it was elected, that no ClusterRoleBinding has their name
	// that the cache does not hold.
	checked sync.Map
}

// Reconcile makes the ClusterRoleBinding of a ClusterGrant what it should be.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	release := sync.OnceFunc(r.Gate.Begin())
	defer release()
	var grant v1alpha1.ClusterGrant
	err := write.OwnWrites{Client: r.Client.Client}.Get(ctx, request.NamespacedName, &grant)
	if apierrors.IsNotFound(err) {
		r.alarms.Reset(request.Name, nil)
		return reconcile.Result{}, r.takeFromOrphaned(ctx, request.Name)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClusterGrant %s: %w", request.Name, err)
	}
	e := r.enforce(&r.alarms)
	if err := e.look(ctx, &grant); err != nil {
		return reconcile.Result{}, err
	}
	before := e.intent
	if same, err := e.carryOut(ctx); err != nil || !same {
		return reconcile.Result{}, err
	}
	release()
	e.recordDurations(before)
	retry := retryErrors(slices.Concat(e.intent.Problems, e.problems))
	return reconcile.Result{}, cmp.Or(r.writeStatus(ctx, e), retry)
}

// enforcement carries out what was decided for one ClusterGrant, in one reconciliation.
type enforcement struct {
	*Reconciler

	// situation and intent are of the last look.
	situation *tenant.ClusterSituation
	intent    *tenant.ClusterIntent

	// problems are what went wrong; failed, what is not to be tried again before the next reconciliation.
	problems tenant.Problems
	failed   map[string]bool

	// latest are ClusterRoleBindings as they were written or read since, nil where they are gone: the cache may be behind.
	latest map[types.UID]*rbacv1.ClusterRoleBinding

	// alarms are those of the controller that this is for.
	alarms *watch.Alarms

	// standby: this replica may not be the elected one, and its cache may be behind. It gives nothing.
	standby bool
}

func (r *Reconciler) enforce(alarms *watch.Alarms) *enforcement {
	return &enforcement{
		Reconciler: r, alarms: alarms, failed: map[string]bool{}, latest: map[types.UID]*rbacv1.ClusterRoleBinding{},
	}
}

// look gathers all that decides about a ClusterGrant, at once, and decides.
func (e *enforcement) look(ctx context.Context, grant *v1alpha1.ClusterGrant) error {
	bindings, err := e.bindings(ctx, grant)
	if err != nil {
		return err
	}
	gatherer := cached.Gatherer{Reader: e.Client, Expressions: e.Expressions, Now: e.Now}
	situation, err := gatherer.ClusterSituation(ctx, grant, bindings, e.ClusterRoles)
	if err != nil {
		return err
	}
	if e.standby {
		// Of those that are kept without their content, only the elected replica, which writes them as a whole, can tell that they name nobody.
		situation.RevokeOnly = true
		isReduced := func(binding *rbacv1.ClusterRoleBinding) bool { return cached.IsReduced(binding) }
		situation.Bindings = slices.DeleteFunc(situation.Bindings, isReduced)
	}
	e.situation, e.intent = situation, tenant.DecideClusterGrant(situation)
	e.alarms.Reset(grant.Name, e.intent.Next)
	return nil
}

// lookAgain is another look at the same ClusterGrant. It is false where that is gone by now, or another: the event that tells of it has it
// reconciled anew.
func (e *enforcement) lookAgain(ctx context.Context) (same bool, err error) {
	var grant v1alpha1.ClusterGrant
	before := e.situation.Grant
	err = e.Client.Get(ctx, client.ObjectKeyFromObject(before), &grant)
	if err != nil || grant.UID != before.UID {
		return false, client.IgnoreNotFound(err)
	}
	return true, e.look(ctx, &grant)
}

// carryOut first takes away, and then gives. After each write it looks again: a grant goes out only if nothing newer is known, and one that
// was overtaken on its way is taken back at once. It is false where the ClusterGrant has become another.
func (e *enforcement) carryOut(ctx context.Context) (same bool, err error) {
	for range maxLooks {
		if e.intent.Observe {
			return true, nil
		}
		wrote := e.revoke(ctx)
		if !wrote && !e.standby && !e.intent.Frozen {
			wrote = e.grant(ctx)
		}
		if !wrote {
			e.reportRight()
			return true, nil
		}
		if same, err := e.lookAgain(ctx); err != nil || !same {
			return false, err
		}
	}
	return false, fmt.Errorf("the ClusterRoleBinding of %s changes all the time: tried again later", e.situation.Grant.Name)
}

// revoke takes away what should not be, and tells whether it wrote anything.
func (e *enforcement) revoke(ctx context.Context) (wrote bool) {
	for _, binding := range e.intent.Plan.Delete {
		wrote = e.takeAway(ctx, binding.DeepCopy()) || wrote
	}
	if want := e.intent.Plan.Shrink; want != nil {
		wrote = e.write(ctx, want) || wrote
	}
	return wrote
}

// grant gives what is missing, and tells whether it wrote anything.
func (e *enforcement) grant(ctx context.Context) (wrote bool) {
	want := e.intent.Plan.Grow
	return want != nil && e.write(ctx, want)
}

// takeFromOrphaned takes away the ClusterRoleBindings of a ClusterGrant that is gone. Garbage collection deletes them too, later, and a
// finalizer would keep them, and what they give.
func (r *Reconciler) takeFromOrphaned(ctx context.Context, name string) error {
	r.checked.Delete(name)
	var list rbacv1.ClusterRoleBindingList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list ClusterRoleBindings: %w", err)
	}
	owned := slices.DeleteFunc(cached.Pointers(list.Items), func(binding *rbacv1.ClusterRoleBinding) bool {
		return !slices.Contains(cached.OwningGrants(binding), name)
	})
	if len(owned) == 0 {
		return nil
	}
	err := r.Live.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClusterGrant{}) // the cache may have yet to see it
	if !apierrors.IsNotFound(err) {
		return err
	}
	e := r.enforce(&r.alarms)
	for _, binding := range owned {
		e.takeAway(ctx, binding.DeepCopy())
	}
	return retryErrors(e.problems)
}

// retryErrors has a reconciliation run again, where any of its problems asks for it. They are logged, so they say no more than why.
func retryErrors(problems tenant.Problems) error {
	var errs []error
	for _, found := range problems {
		if found.Retry {
			errs = append(errs, errors.New(found.Reason+": the condition Ready of the ClusterGrant says more"))
		}
	}
	return errors.Join(errs...)
}
