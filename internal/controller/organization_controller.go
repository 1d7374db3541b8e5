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

package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// fieldOwner is the field manager of everything that the controllers write.
const fieldOwner = client.FieldOwner("clerk-operator")

// organizationReconciler gives each organization what its TenantClass says: namespaces, policies and grants.
type organizationReconciler struct {
	client            promptClient
	live              client.Reader
	expressions       *expressions
	way               *rightOfWay
	recorder          events.EventRecorder
	operatorNamespace string
	retention         time.Duration
	now               func() time.Time
	exists            func(ctx context.Context, instance, id string) (exists, known bool, err error)

	recent    recentWrites
	ledger    ledger
	stopwatch stopwatch
}

// Reconcile first takes away every grant that should not be, whatever else fails; then it makes what is missing.
func (r *organizationReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	release := sync.OnceFunc(r.way.take())
	defer release()
	var organization v1alpha1.ClerkOrganization
	err := ownWrites{r.client.Client}.Get(ctx, request.NamespacedName, &organization)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, r.takeFromOrphaned(ctx, request.Name)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read ClerkOrganization %s: %w", request.Name, err)
	}
	first, err := r.look(ctx, &organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	first.release = release
	switch {
	case first.observed:
		return r.rehearse(ctx, first)
	case organization.Spec.DeletedAt != nil:
		return r.bury(ctx, first)
	}
	return r.keep(ctx, first)
}

// keep makes an organization what its class says.
func (r *organizationReconciler) keep(ctx context.Context, first *visit) (reconcile.Result, error) {
	v, err := first.bind(ctx, revokeOnly)
	if err != nil || v == nil {
		return reconcile.Result{}, err
	}
	revoked := r.now()
	if v, err = v.provide(ctx); err != nil || v == nil {
		return reconcile.Result{}, err
	}
	v.release() // what follows is no access
	v.tellHeld(ctx)
	if v.problems().errs() == nil {
		v.observe(first, revoked, r.now())
	}
	if err := r.writeStatus(ctx, v.have.organization, v.status()); err != nil {
		return reconcile.Result{}, err
	}
	if err := v.problems().errs(); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.recent.pending(v.have.organization.UID)}, nil
}

// situation is what there is of an organization. Its objects are the cache's own.
type situation struct {
	organization *v1alpha1.ClerkOrganization
	members      []*v1alpha1.ClerkMember
	holdings
}

func (r *organizationReconciler) gather(ctx context.Context, organization *v1alpha1.ClerkOrganization) (*situation, error) {
	members, err := items[v1alpha1.ClerkMemberList](ctx, r.client, byOrganization, scoped(organization.Spec.Instance, organization.Spec.ID))
	if err != nil {
		return nil, err
	}
	have := &situation{organization: organization, members: pointers(members.Items)}
	have.holdings, err = r.holdings(ctx, organization)
	return have, err
}

// intent is what an organization should have.
type intent struct {
	className  string
	namespaces []tenant.Namespace

	// members may have access; subjects are the names in RBAC of all members that have one, by object name.
	members  []tenant.Member
	subjects map[string]string

	// rules are all role bindings of the class, whatever the namespace.
	rules []v1alpha1.TenantRoleBinding

	// frozen: it is not certain what should be, so nothing is added; grants that certainly should not be are taken away.
	frozen bool

	problems problems
}

func (r *organizationReconciler) decide(ctx context.Context, have *situation) (*intent, error) {
	catalogue, err := r.expressions.catalogue(ctx, r.client)
	if err != nil {
		return nil, err
	}
	want := &intent{subjects: map[string]string{}}
	want.choose(catalogue, have.organization)
	if err := r.nameMembers(ctx, want, have); err != nil {
		return nil, err
	}
	return want, nil
}

// choose finds the class and what it gives. It freezes an organization whose class does not compile; where not even the rule does that
// says for whom the class is, those are whom it served before.
func (w *intent) choose(from catalogue, organization *v1alpha1.ClerkOrganization) {
	view := tenant.OrganizationOf(organization)
	class, err := tenant.Select(from.matchables, view)
	current := organization.Status.ClassName
	if from.broken[current] != nil && !from.isMatchable(current) {
		w.freezeWith(from, current)
		return
	}
	if err != nil {
		w.className, w.rules = current, allRules(from.objects[current])
		w.freeze(v1alpha1.ReasonExpressionFailed, "which TenantClass is for this organization is not certain: %s", err)
		return
	}
	if class == nil {
		w.problems.add(problem{reason: v1alpha1.ReasonNoTenantClass, stalled: true,
			message: "no TenantClass is for this organization: create one without a match rule to serve as the default"})
		return
	}
	if from.broken[class.Name()] != nil {
		w.freezeWith(from, class.Name())
		return
	}
	w.className = class.Name()
	w.rules = allRules(from.objects[class.Name()])
	namespaces, err := class.Render(view)
	if err != nil {
		w.freeze(v1alpha1.ReasonExpressionFailed, "the TenantClass %s fails for this organization: correct it or the organization's metadata: %s",
			class.Name(), err)
		return
	}
	w.namespaces = namespaces
}

// freezeWith freezes an organization with a class that does not compile. Its role bindings hold no expression, so they still say whose
// grants have to go.
func (w *intent) freezeWith(from catalogue, class string) {
	w.className = class
	w.rules = allRules(from.objects[class])
	w.freeze(v1alpha1.ReasonTenantClassInvalid, "the TenantClass %s does not compile: correct it: %s", class, from.broken[class])
}

func (w *intent) freeze(reason, format string, args ...any) {
	w.frozen = true
	w.problems.add(problem{reason: reason, stalled: true, message: fmt.Sprintf(format, args...)})
}

func allRules(class *v1alpha1.TenantClass) []v1alpha1.TenantRoleBinding {
	var rules []v1alpha1.TenantRoleBinding
	if class == nil {
		return nil
	}
	for _, namespace := range class.Spec.Namespaces {
		rules = append(rules, namespace.RoleBindings...)
	}
	return rules
}

// nameMembers finds the members' names in RBAC. Where the ClerkInstance cannot tell, the last known names serve to take grants away.
func (r *organizationReconciler) nameMembers(ctx context.Context, want *intent, have *situation) error {
	name, found, err := r.expressions.namer(ctx, r.client, have.organization.Spec.Instance)
	if err != nil {
		return err
	}
	if found != nil {
		want.frozen = true
		want.problems.add(*found)
	}
	registry := newRegistry(r.client)
	for _, member := range have.members {
		standing, err := registry.standingOf(ctx, member)
		if err != nil {
			return err
		}
		subject, err := name(member, standing.user)
		if err != nil || subject == "" {
			continue
		}
		want.subjects[member.Name] = subject
		if standing.mayHaveAccess(member) && standing.role.Doubt == "" {
			want.members = append(want.members, tenant.Member{
				Subject: subject, Role: standing.role.Key, Permissions: standing.role.Permissions,
			})
		}
	}
	return nil
}

// naming gives a member, with what is known of the user, its name in RBAC.
type naming func(*v1alpha1.ClerkMember, *v1alpha1.ClerkUser) (string, error)

// namer returns the function that names members, and the problem that there is with the ClerkInstance, if any.
func (e *expressions) namer(ctx context.Context, reader client.Reader, instance string) (naming, *problem, error) {
	lastKnown := func(member *v1alpha1.ClerkMember, _ *v1alpha1.ClerkUser) (string, error) {
		return member.Status.Subject, nil
	}
	var object v1alpha1.ClerkInstance
	err := reader.Get(ctx, client.ObjectKey{Name: instance}, &object)
	if apierrors.IsNotFound(err) {
		return lastKnown, &problem{reason: v1alpha1.ReasonInstanceNotFound, stalled: true,
			message: fmt.Sprintf("the ClerkInstance %s does not exist, so no grant is added: create it again", instance)}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read ClerkInstance %s: %w", instance, err)
	}
	username, err := e.usernames.of(&object)
	if err != nil {
		return lastKnown, &problem{reason: v1alpha1.ReasonInstanceInvalid, stalled: true, //nolint:nilerr // it is the administrator's to mend
			message: fmt.Sprintf("spec.username of the ClerkInstance %s does not compile, so no grant is added: correct it", instance)}, nil
	}
	if needsUsers(&object, username) {
		return lastKnown, &problem{reason: v1alpha1.ReasonUsersNotMirrored, stalled: true,
			message: fmt.Sprintf("spec.username of the ClerkInstance %s needs users to be mirrored, and spec.users is None, "+
				"so no grant is added: change one of them", instance)}, nil
	}
	return func(member *v1alpha1.ClerkMember, user *v1alpha1.ClerkUser) (string, error) {
		if member.Spec.DeletedAt != nil {
			return member.Status.Subject, nil
		}
		return username.Of(tenant.UserOf(member, user))
	}, nil, nil
}

// needsUsers tells whether the expression reads what no member has, since no user is mirrored.
func needsUsers(instance *v1alpha1.ClerkInstance, username *tenant.Username) bool {
	return instance.Spec.Users == v1alpha1.UsersNone && username.NeedsUser()
}

// visit is one look at an organization: what there is, what should be, and what is to be done about access.
type visit struct {
	*organizationReconciler
	*pass
	have *situation
	want *intent

	// observed: the ClerkInstance is in mode Observe, so nothing is to be touched.
	observed bool

	// filled are the namespaces in use, by the order of the class, "" where there is none yet; released, those no longer wanted.
	filled   []string
	released []string

	// grants are who should have which ClusterRole, in the order of the class; plans, what is to be done to the RoleBindings, by namespace.
	grants []map[string]tenant.Subjects
	plans  map[string]tenant.BindingPlan
}

// pass is what the looks of one reconciliation have in common.
type pass struct {
	// failures are what went wrong; failed, what is not to be tried again before the next reconciliation.
	failures problems
	failed   map[string]bool

	// ready are the namespaces that grants may go into.
	ready map[string]bool

	// standby: this replica may not be the elected one, and its cache may be behind.
	standby bool

	// release says that no more access is being changed.
	release func()

	// conflicts is how often somebody else wrote the same RoleBinding.
	conflicts int
}

func newPass() *pass { return &pass{failed: map[string]bool{}, ready: map[string]bool{}} }

// look gathers what there is of an organization, all of it at once, and decides what should be.
func (r *organizationReconciler) look(ctx context.Context, organization *v1alpha1.ClerkOrganization) (*visit, error) {
	have, err := r.gather(ctx, organization)
	if err != nil {
		return nil, err
	}
	v := &visit{
		organizationReconciler: r, have: have, want: &intent{subjects: map[string]string{}},
		pass: newPass(),
	}
	if v.observed, err = r.isObserved(ctx, organization); err != nil {
		return nil, err
	}
	if organization.Spec.DeletedAt == nil {
		if v.want, err = r.decide(ctx, have); err != nil {
			return nil, err
		}
	}
	v.plan(v.assign())
	return v, nil
}

// plan says what is to be done to the RoleBindings, by what should be granted in each namespace.
func (v *visit) plan(grants map[string]map[string]tenant.Subjects) {
	v.plans = map[string]tenant.BindingPlan{}
	for namespace, granted := range grants {
		v.planNamespace(namespace, granted)
	}
	for namespace := range v.have.bindings {
		if _, planned := v.plans[namespace]; !planned {
			v.planNamespace(namespace, nil)
		}
	}
}

func (v *visit) planNamespace(namespace string, granted map[string]tenant.Subjects) {
	bindings := v.have.bindings[namespace]
	if v.want.frozen {
		granted = v.restricted(granted, bindings)
	}
	plan := tenant.PlanBindings(granted, bindings, v.have.organization.UID)
	plan.Keep = slices.DeleteFunc(plan.Keep, func(kept tenant.Binding) bool {
		unmarked := !isMarked(v.bindingNamed(namespace, kept.Name), v.have.organization)
		if unmarked {
			plan.Grow = append(plan.Grow, kept) // nobody gains anything by it but the labels
		}
		return unmarked
	})
	v.plans[namespace] = plan
}

// isMarked tells whether a RoleBinding has the labels by which the cache finds it.
func isMarked(binding *rbacv1.RoleBinding, organization *v1alpha1.ClerkOrganization) bool {
	for key, value := range tenantLabels(organization) {
		if binding.Labels[key] != value {
			return false
		}
	}
	return true
}

// problems are those of the decision and those of what was done since.
func (v *visit) problems() problems { return slices.Concat(v.want.problems, v.failures) }

// restricted are the grants of a frozen organization in a namespace: those that exist and should. Where it is not known which of its
// rules are for the namespace, all of them are.
func (v *visit) restricted(grants map[string]tenant.Subjects, bindings []*rbacv1.RoleBinding) map[string]tenant.Subjects {
	if len(v.want.namespaces) == 0 {
		grants = tenant.Grants(v.want.rules, v.want.members)
	}
	return tenant.Restrict(grants, bindings)
}

// releasedBefore are the namespaces that the organization no longer had access to when it was last reconciled.
func releasedBefore(organization *v1alpha1.ClerkOrganization) []string {
	var names []string
	for _, namespace := range organization.Status.Namespaces {
		if namespace.State == v1alpha1.NamespaceReleased {
			names = append(names, namespace.Name)
		}
	}
	return names
}

// attempt files what went wrong, if anything did, and tells whether nothing did.
func (v *visit) attempt(err error, format string, args ...any) bool {
	if err == nil {
		return true
	}
	v.failures.add(refusal(err, fmt.Sprintf(format, args...)))
	return false
}

// provide makes the namespaces and what is in them. Making them takes a while, so it looks again before it grants anything.
func (v *visit) provide(ctx context.Context) (*visit, error) {
	if v.want.frozen {
		return v, nil
	}
	made := slices.Contains(v.filled, "")
	v.provision(ctx)
	if !made && !v.grows() {
		return v, nil
	}
	next, err := v.again(ctx)
	if err != nil || next == nil {
		return nil, err
	}
	return next.bind(ctx, revokeAndGrant)
}

// grows tells whether anybody is to be granted anything.
func (v *visit) grows() bool {
	for _, plan := range v.plans {
		if len(plan.Grow) > 0 {
			return true
		}
	}
	return false
}

// provision makes the namespaces and what limits them. Grants come after the limits, so that who gets in finds them in place; limits that
// the API server refuses keep nobody out, since that would punish the members for a mistake in the class.
func (v *visit) provision(ctx context.Context) {
	for i := range v.want.namespaces {
		want := &v.want.namespaces[i]
		name, ok := v.ensureNamespace(ctx, want, v.filled[i])
		if !ok {
			continue
		}
		v.filled[i] = name
		v.ensurePolicies(ctx, name, want)
		v.ready[name] = true
	}
}
