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
	"maps"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/watch"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

const (
	// sweepPage is how many RoleBindings are read at a time, and how many Secrets deleted. Somebody else's may have 1.5 MB each, and members
	// may make any number.
	sweepPage = 4

	// sweepPause is how long an organization's next page waits, so that others have their turn.
	sweepPause = 5 * time.Millisecond

	// statusesPause is how long a sweep waits at a time for the statuses of those who left, which tell since when they have no access, and
	// maxWaits how often.
	statusesPause, maxWaits = 500 * time.Millisecond, 20

	// maxPasses is how often a namespace's ServiceAccounts are looked at until all are new: somebody with a token may make others meanwhile.
	maxPasses = 10

	// sweepAgain is how long a sweep waits that left something out: somebody else was changing it, or the API server refused. It doubles
	// up to maxSweepAgain.
	sweepAgain, maxSweepAgain = 5 * time.Second, 5 * time.Minute

	// maxTakeOuts is how often it is tried to take people out of a RoleBinding that somebody else is changing.
	maxTakeOuts = 5

	// maxRemembered is how many leavers of an organization are remembered after a sweep, so that those whose tombstones go cause no other.
	maxRemembered = 1000
)

// sweeper takes away what would let people in again who have no access in an organization: it takes them out of RoleBindings that the
// operator did not make, deletes Secrets with tokens, which they may have read, and makes ServiceAccounts again where the class says so.
// The cache holds none of these, so they are read from the API server, page by page: once for each set of people, and once after a start.
// It has a worker and a queue of its own, so that no revocation waits for it.
type sweeper struct {
	*Reconciler

	secrets  tokenSecrets
	accounts recycler

	// news has an organization's status written.
	news watch.Alarms

	mu     sync.Mutex
	queue  watch.Queue
	states map[string]*sweep // by the organization's name

	// early are the organizations whose turn was asked for before there was a queue.
	early []string

	// refusals are those of organizations whose namespaces refuse tokens, by the organization's name. Only the worker knows them.
	refusals map[string]*tokenRefusal
}

// keeping finds the subjects that a RoleBinding is to keep.
type keeping func(*rbacv1.RoleBinding) []rbacv1.Subject

func (s *sweeper) setup(manager ctrl.Manager) error {
	var err error
	if s.secrets, err = newTokenSecrets(manager); err != nil {
		return err
	}
	if s.accounts, err = newRecycler(manager, s.Now); err != nil {
		return err
	}
	settings := watch.Options(1)
	settings.EnableWarmup = nil // nothing is to be watched
	start := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.queue = queue
		watch.Enqueue(queue, watch.UsualPriority, slices.Sorted(maps.Keys(s.states))...)
		watch.Enqueue(queue, watch.UsualPriority, s.early...)
		s.early = nil
		return nil
	})
	return ctrl.NewControllerManagedBy(manager).Named("sweep").WithOptions(settings).WatchesRawSource(start).Complete(s)
}

// ask has an organization swept if that was not done for these people yet. What the operator gave them is taken away by now, but for what
// the intent still has them lose.
func (s *sweeper) ask(intent *tenant.Intent, situation *tenant.Situation) {
	name := situation.Organization.Name
	leavers, stay := intent.Leavers(situation)
	may, isOver := intent.MayRemove(situation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if isOver || may && len(leavers) == 0 && len(s.waiting(name)) == 0 {
		delete(s.states, name)
		s.askToAllow(situation)
		return
	}
	if !may {
		s.askToAllow(situation)
		return
	}
	if s.states == nil {
		s.states = map[string]*sweep{}
	}
	state := s.states[name]
	if state == nil {
		state = &sweep{}
		if isNotRemoved(situation.Organization) {
			state.unsafe = s.Now()
		}
		s.states[name] = state
	}
	if state.add(leavers, stay, intent.FormerNames(situation)) {
		state.revoked, state.leftMeanwhile = time.Time{}, state.began != 0
	}
	if state.revoked.IsZero() && len(intent.Losses()) == 0 {
		state.revoked, state.done, state.missed = s.Now(), 0, 0
	}
	switch key := sweepKey(state.leavers, intent); {
	case state.done == key:
		s.askToAllow(situation)
	case state.missed == key: // it is tried again in a while
	case s.queue != nil:
		state.done = 0
		watch.Enqueue(s.queue, watch.UsualPriority, name)
	}
}

// isNotRemoved tells whether something was left out when an organization was last swept.
func isNotRemoved(organization *v1alpha1.ClerkOrganization) bool {
	return meta.IsStatusConditionFalse(organization.Status.Conditions, v1alpha1.ConditionDerivedAccessRemoved)
}

// waiting are those for whom an organization has yet to be swept.
func (s *sweeper) waiting(organization string) tenant.Subjects {
	if state := s.states[organization]; state != nil {
		return state.leavers
	}
	return nil
}

func (s *sweeper) forget(organization string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.states, organization)
}

// Reconcile looks at the next page of an organization's RoleBindings.
func (s *sweeper) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var organization v1alpha1.ClerkOrganization
	if err := s.Client.Get(ctx, request.NamespacedName, &organization); err != nil {
		if apierrors.IsNotFound(err) {
			s.forget(request.Name)
			return s.allowGone(ctx, request.Name)
		}
		return reconcile.Result{}, err
	}
	situation, _, err := s.gather(ctx, &organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	intent := tenant.Decide(situation)
	state, keep, key := s.begin(request.Name, intent, situation)
	if state == nil {
		wait, err := s.allow(ctx, situation)
		return reconcile.Result{RequeueAfter: wait}, err
	}
	namespaces := sweptNamespaces(intent)
	at, _ := slices.BinarySearch(namespaces, state.namespace)
	if at == len(namespaces) {
		wait, err := s.allow(ctx, situation)
		if wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		if err != nil {
			s.miss(ctx, &organization, state, "a namespace could not be told to allow tokens again", err)
		}
		return s.finish(ctx, &organization, state, key), nil
	}
	if namespaces[at] != state.namespace {
		state.namespace, state.page, state.kind, state.pass, state.made = namespaces[at], "", sweptRoleBindings, 0, 0
	}
	pause, err := s.sweepPage(ctx, state, keep, intent, situation)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: pause}, nil
}

// begin begins a sweep, or goes on with the one that is under way, also where it was asked for others meanwhile: else it would never end
// where people come and go all the time. It is nil where there is nothing to do. It also returns whom a RoleBinding is to keep.
func (s *sweeper) begin(
	organization string, intent *tenant.Intent, situation *tenant.Situation,
) (state *sweep, keep keeping, key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state = s.states[organization]; state == nil {
		return nil, nil, 0
	}
	_, stay := intent.Leavers(situation)
	may, isOver := intent.MayRemove(situation)
	if !may && !isOver {
		return nil, nil, 0 // when it may again, it is asked for
	}
	state.leaveOut(stay, intent.FormerNames(situation))
	key = sweepKey(state.leavers, intent)
	switch {
	case isOver, key == 0:
		delete(s.states, organization)
		return nil, nil, 0
	case state.began == 0 && state.done == key:
		return nil, nil, 0
	case state.began == 0:
		state.began, state.missed = key, 0
	}
	leavers, formerNames := state.leavers, state.formerNames
	return state, func(binding *rbacv1.RoleBinding) []rbacv1.Subject {
		return intent.KeptSubjects(situation, binding, leavers, formerNames)
	}, key
}

// finish ends a sweep and reports what it did. What was left out, and those who left meanwhile, need another one.
func (s *sweeper) finish(ctx context.Context, organization *v1alpha1.ClerkOrganization, state *sweep, key uint64) reconcile.Result {
	found := state.found
	found.At = s.Now()
	if !found.IsNothing() {
		s.tell(ctx, organization, derivedAccessRemoved(found))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !found.IsNothing() || isNotRemoved(organization) != (found.Missed > 0) {
		state.reported = &found
		s.news.Reset(organization.Name, &found.At) // the status is to say so
	}
	again := state.began != key || state.leftMeanwhile
	if state.unsafe = (time.Time{}); state.open || state.leftMeanwhile {
		state.unsafe = s.Now()
	}
	state.open, state.leftMeanwhile = false, false
	if found.Missed > 0 {
		state.missed = state.began
		state.misses++
	} else {
		state.done, state.misses = state.began, 0
		if len(state.leavers) > maxRemembered {
			state.leavers, state.formerNames = nil, nil
		}
	}
	pause := min(sweepAgain<<min(state.misses, 10), maxSweepAgain)
	state.began, state.namespace, state.page, state.waits, state.found = 0, "", "", 0, tenant.Removal{}
	switch {
	case again:
		return reconcile.Result{RequeueAfter: sweepPause}
	case found.Missed > 0:
		return reconcile.Result{RequeueAfter: pause}
	}
	return reconcile.Result{}
}

// removal is what the last sweep of an organization that did anything came to; nil where none has.
func (s *sweeper) removal(organization string) *tenant.Removal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.states[organization]; state != nil {
		return state.reported
	}
	return nil
}
