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
	"maps"
	"slices"
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
	client            client.Client
	live              client.Reader
	expressions       *expressions
	way               *rightOfWay
	recorder          events.EventRecorder
	operatorNamespace string
	retention         time.Duration
	now               func() time.Time

	made      madeNamespaces
	ledger    ledger
	stopwatch stopwatch
}

// Reconcile first takes away every grant that should not be, whatever else fails; then it makes what is missing.
func (r *organizationReconciler) Reconcile(ctx context.Context, organization *v1alpha1.ClerkOrganization) (reconcile.Result, error) {
	defer r.way.take()()
	have, err := r.gather(ctx, organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	observed, err := r.isObserved(ctx, organization)
	if err != nil {
		return reconcile.Result{}, err
	}
	if observed {
		return r.rehearse(ctx, have)
	}
	if organization.Spec.DeletedAt != nil {
		return r.bury(ctx, have)
	}
	want, err := r.decide(ctx, have)
	if err != nil {
		return reconcile.Result{}, err
	}
	v := &visit{organizationReconciler: r, have: have, want: want}
	v.revoke(ctx)
	revoked := r.now()
	if !want.frozen {
		v.provision(ctx)
	}
	if v.problems().errs() == nil {
		v.observe(revoked, r.now())
	}
	if err := r.writeStatus(ctx, organization, v.status()); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, v.problems().errs()
}

// situation is what there is of an organization. Its objects are the cache's own.
type situation struct {
	organization *v1alpha1.ClerkOrganization
	members      []*v1alpha1.ClerkMember
	holdings
}

func (r *organizationReconciler) gather(ctx context.Context, organization *v1alpha1.ClerkOrganization) (*situation, error) {
	members, err := items[v1alpha1.ClerkMemberList](ctx, r.client, byOrganization, organization.Spec.ID)
	if err != nil {
		return nil, err
	}
	have := &situation{organization: organization}
	for i := range members.Items {
		// A member that another ClerkInstance speaks of is none: its secrets say nothing about this organization.
		if members.Items[i].Spec.Instance == organization.Spec.Instance {
			have.members = append(have.members, &members.Items[i])
		}
	}
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
	class := tenant.Select(from.matchables, view)
	if current := organization.Status.ClassName; from.broken[current] != nil && !from.isMatchable(current) {
		w.freezeWith(from, current)
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

// visit is one reconciliation of an organization that is not deleted.
type visit struct {
	*organizationReconciler
	have *situation
	want *intent

	// filled are the namespaces in use, by the order of the class, "" where there is none yet; released, those no longer wanted.
	filled   []string
	released []string

	// grants are who should have which ClusterRole, in the order of the class; plans, what is to be done to the RoleBindings that exist,
	// by namespace.
	grants []map[string]tenant.Subjects
	plans  map[string]tenant.BindingPlan
}

func (v *visit) problems() *problems { return &v.want.problems }

// revoke takes away every grant that should not be, in every namespace, before anything is added anywhere.
func (v *visit) revoke(ctx context.Context) {
	grants := v.assign()
	v.plans = map[string]tenant.BindingPlan{}
	for _, namespace := range slices.Sorted(maps.Keys(v.have.bindings)) {
		bindings := v.have.bindings[namespace]
		if v.want.frozen {
			grants[namespace] = v.restricted(grants[namespace], bindings)
		}
		v.plans[namespace] = tenant.PlanBindings(grants[namespace], bindings, v.have.organization.UID)
		v.carryOutRevocations(ctx, namespace, v.plans[namespace])
	}
}

// restricted are the grants of a frozen organization in a namespace: those that exist and should. Where it is not known which of its
// rules are for the namespace, all of them are.
func (v *visit) restricted(grants map[string]tenant.Subjects, bindings []*rbacv1.RoleBinding) map[string]tenant.Subjects {
	if len(v.want.namespaces) == 0 {
		grants = tenant.Grants(v.want.rules, v.want.members)
	}
	return tenant.Restrict(grants, bindings)
}

func (v *visit) carryOutRevocations(ctx context.Context, namespace string, plan tenant.BindingPlan) {
	for _, binding := range plan.Keep {
		v.settle(binding.Name, namespace, "RoleBinding", binding)
	}
	for _, binding := range plan.Delete {
		v.unsettle(binding.Name, namespace, "RoleBinding")
		err := v.remove(ctx, &rbacv1.RoleBinding{ObjectMeta: nameOf(binding)}, binding.UID)
		v.attempt(err, "delete RoleBinding %s/%s", namespace, binding.Name)
	}
	for _, binding := range plan.Shrink {
		v.shrinkBinding(ctx, namespace, binding)
	}
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
	v.problems().add(refusal(err, fmt.Sprintf(format, args...)))
	return false
}

// provision makes the namespaces and what is in them. Grants come after the limits, so that who gets in finds them in place; limits that
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
		plan, planned := v.plans[name]
		if !planned {
			plan = tenant.PlanBindings(v.grants[i], nil, v.have.organization.UID)
		}
		for _, binding := range plan.Grow {
			v.writeBinding(ctx, name, binding)
		}
	}
}
