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
	"errors"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// intruder begins the names of those whom others than the operator let in. The operator has to put them out.
	intruder = "intruder-"

	// holding is a finalizer that somebody puts on RoleBindings.
	holding = "example.com/hold"
)

// deed is something that somebody does by hand to a RoleBinding of the operator, or beside it.
type deed struct {
	name string
	do   func(context.Context, client.Client, *rbacv1.RoleBinding) error

	// guarded is what the guards let nobody do but administrators.
	guarded bool
}

// deeds are what members with admin and administrators do. Each gets a number of its own for names.
func deeds(number int) []deed {
	patch := func(what string) func(context.Context, client.Client, *rbacv1.RoleBinding) error {
		return func(ctx context.Context, as client.Client, binding *rbacv1.RoleBinding) error {
			return as.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(what)))
		}
	}
	labels := func(binding *rbacv1.RoleBinding) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: binding.Namespace, Name: fmt.Sprintf("by-hand-%d", number), Labels: binding.Labels}
	}
	return []deed{
		{"hold it by a finalizer", patch(`{"metadata":{"finalizers":["` + holding + `"]}}`), true},
		{"take its labels away", patch(`{"metadata":{"labels":null}}`), true},
		{"write an annotation of the operator's", patch(`{"metadata":{"annotations":{"clerk-operator.io/reduced":""}}}`), true},
		{"label another one as the operator's", func(ctx context.Context, as client.Client, binding *rbacv1.RoleBinding) error {
			return as.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: labels(binding), RoleRef: binding.RoleRef, Subjects: subjectsOf(number)})
		}, true},
		{"label a NetworkPolicy as the operator's", func(ctx context.Context, as client.Client, binding *rbacv1.RoleBinding) error {
			return as.Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: labels(binding)})
		}, true},
		{"let somebody in", patch(fmt.Sprintf(`{"subjects":[{"kind":"User","apiGroup":%q,"name":"%s%d"}]}`, rbacv1.GroupName, intruder, number)), false},
		{"empty it", patch(`{"subjects":null}`), false},
		{"delete it", func(ctx context.Context, as client.Client, binding *rbacv1.RoleBinding) error {
			return as.Delete(ctx, binding)
		}, false},
		{"make one of their own", func(ctx context.Context, as client.Client, binding *rbacv1.RoleBinding) error {
			own := labels(binding)
			own.Labels = nil
			return as.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: own, RoleRef: binding.RoleRef, Subjects: subjectsOf(number)})
		}, false},
	}
}

func subjectsOf(number int) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: fmt.Sprintf("%s%d", intruder, number)}}
}

// meddle lets a member with admin, or an administrator, do something to a RoleBinding of an organization of this history.
func (p *misfortune) meddle() {
	var bindings rbacv1.RoleBindingList
	if err := cluster.List(p.t.Context(), &bindings, client.MatchingLabels{v1alpha1.InstanceLabel: p.instance}); err != nil {
		p.fail("list RoleBindings: %v", err)
	}
	asMember := rapid.Bool().Draw(p.r, "by a member with admin")
	about := rapid.IntRange(0, 99).Draw(p.r, "which RoleBinding")
	p.hands++
	what := rapid.SampledFrom(deeds(p.hands)).Draw(p.r, "deed")
	if len(bindings.Items) == 0 {
		return
	}
	binding := &bindings.Items[about%len(bindings.Items)]
	as, who := client.Client(cluster), "an administrator"
	if asMember {
		at := slices.IndexFunc(bindings.Items, func(b rbacv1.RoleBinding) bool {
			return b.Namespace == binding.Namespace && b.RoleRef.Name == "admin" && len(b.Subjects) > 0
		})
		if at < 0 {
			return
		}
		who = bindings.Items[at].Subjects[0].Name
		as = impersonating(p.t, who)
	}
	err := what.do(p.t.Context(), as, binding)
	p.note("%s tries to %s (%s/%s): %v", who, what.name, binding.Namespace, binding.Name, err)
	switch {
	case err == nil && asMember && what.guarded:
		p.fail("a member may %s", what.name)
	case err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err):
		p.fail("%s cannot %s: %v", who, what.name, err)
	}
	p.held = p.held || err == nil && strings.HasPrefix(what.name, "hold")
}

// GoString is what rapid shows of it.
func (d deed) GoString() string { return d.name }

func impersonating(t tester, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	as, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatalf("act as %s: %v", user, err)
	}
	return as
}

// letGo wants that nobody is in a RoleBinding which only a finalizer keeps, and then takes the finalizers away.
func (w *repaired) letGo() {
	w.t.Helper()
	if !w.held {
		return
	}
	w.held = false
	err := poll(w.t.Context(), func(ctx context.Context) error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(ctx, &bindings); err != nil {
			return err
		}
		var wrong []error
		for i := range bindings.Items {
			binding := &bindings.Items[i]
			if !slices.Contains(binding.Finalizers, holding) {
				continue
			}
			if binding.DeletionTimestamp != nil && len(binding.Subjects) > 0 {
				wrong = append(wrong, fmt.Errorf("%s/%s is held and names %v", binding.Namespace, binding.Name, binding.Subjects))
				continue
			}
			err := cluster.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
			wrong = append(wrong, client.IgnoreNotFound(err))
		}
		return errors.Join(wrong...)
	})
	if err != nil {
		w.fail("a finalizer keeps somebody in: %v", err)
	}
}

// deleteByHand lets an administrator delete an object of what lives. What was heard of it is forgotten with it, until Clerk says it again.
func (p *misfortune) deleteByHand() {
	ids := slices.Concat(alive(p.clerk.memberships), alive(p.clerk.organizations), alive(p.clerk.domains))
	id := draw(p.r, "of what lives", ids)
	object := client.Object(&v1alpha1.ClerkMember{})
	if p.clerk.organizations[id] != nil {
		object = &v1alpha1.ClerkOrganization{}
	}
	if p.clerk.domains[id] != nil {
		object = &v1alpha1.ClerkOrganizationDomain{}
	}
	object.SetName(v1alpha1.ObjectName(p.instance, id))
	err := client.IgnoreNotFound(cluster.Delete(p.t.Context(), object))
	if err != nil {
		p.fail("delete %s by hand: %v", id, err)
	}
	p.note("an administrator deletes %s", id)
	delete(p.heard, id)
	delete(p.settled, id)
	if p.asked != nil {
		delete(p.asked.true, id)
	}
	p.permit()
}
