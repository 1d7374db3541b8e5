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
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// TestANamespaceWithAHashIsFoundAgain takes an organization whose namespace got a hash to its name, since the plain one was taken,
// through other classes and back.
func TestANamespaceWithAHashIsFoundAgain(t *testing.T) {
	w := newWorld(t, startReplicas(t, 1))
	defer w.end(t)
	step := func(change func()) {
		t.Helper()
		change()
		w.deliverAll()
		w.settle()
		w.checkAccess()
	}
	var first, second *organization
	step(func() { first = w.clerk.createOrganization(w.clerk.slug("wanted"), "") })
	step(func() { w.clerk.changeOrganization(first, func(o *organization) { o.slug = w.clerk.slug("given-up") }) })
	step(func() {
		second = w.clerk.createOrganization(w.clerk.slug("wanted"), "")
		w.clerk.join(second, w.clerk.user(1), roleAdmin)
	})
	for _, plan := range []string{planSilver, planGold, planSilver, "", planGold} {
		step(func() { w.clerk.changeOrganization(second, func(o *organization) { o.plan = plan }) })
	}
}

// TestAnEditedTemplateMovesNobody edits the templates of two namespaces in a way that changes no name. Also where the names got a hash,
// the namespaces stay, and nobody loses access in between: the RoleBindings are still the same ones.
func TestAnEditedTemplateMovesNobody(t *testing.T) {
	replicas := startReplicas(t, 1)
	w := newWorld(t, replicas)
	defer w.end(t)
	entry := func(name string) v1alpha1.TenantNamespace {
		return v1alpha1.TenantNamespace{Name: name, RoleBindings: []v1alpha1.TenantRoleBinding{{Role: roleAdmin, ClusterRole: "admin"}}}
	}
	class := &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: "edited"},
		Spec: v1alpha1.TenantClassSpec{
			Match:      `organization.publicMetadata.plan == "edited"`,
			Namespaces: []v1alpha1.TenantNamespace{entry("a-${organization.handle}"), entry("b-${organization.handle}")},
		},
	}
	must(t, cluster.Create(t.Context(), class))
	first := w.clerk.createOrganization(w.clerk.slug("edited"), class.Name)
	w.deliverUnsettled()
	wantTemplates(t, first, class)
	w.clerk.changeOrganization(first, func(o *organization) { o.slug = w.clerk.slug("given-up") })
	second := w.clerk.createOrganization(w.clerk.slug("edited"), class.Name)
	w.clerk.join(second, w.clerk.user(1), roleAdmin)
	w.deliverUnsettled()
	before := wantTemplates(t, second, class)

	eventually(t, "the edit", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
			return err
		}
		class.Spec.Namespaces = []v1alpha1.TenantNamespace{entry("a-${organization.slug}"), entry("b-${organization.slug}")}
		return cluster.Update(ctx, class)
	})
	after := wantTemplates(t, second, class)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("RoleBindings were made anew (-before +after):\n%s", diff)
	}
}

// deliverUnsettled delivers the outbox, where the model does not know what is to come of it.
func (w *world) deliverUnsettled() {
	w.t.Helper()
	for _, m := range w.clerk.outbox {
		if err := w.send(delivery{message: m}); err != nil {
			w.fail("deliver: %v", err)
		}
	}
	w.clerk.outbox = nil
}

// wantTemplates waits until an organization has one namespace, in use, for each entry of a class, and returns the uids of the
// RoleBindings in them.
func wantTemplates(t *testing.T, o *organization, class *v1alpha1.TenantClass) map[string]types.UID {
	t.Helper()
	var bindings map[string]types.UID
	eventually(t, "the namespaces of "+o.id, func(ctx context.Context) error {
		seen, err := observe(ctx)
		if err != nil {
			return err
		}
		object := seen.organizations[o.id]
		if object == nil {
			return errors.New("it is not mirrored")
		}
		var templates []string
		for _, place := range seen.places(o.id) {
			templates = append(templates, place.template)
		}
		slices.Sort(templates)
		want := []string{class.Spec.Namespaces[0].Name, class.Spec.Namespaces[1].Name}
		released := slices.ContainsFunc(object.Status.Namespaces, func(n v1alpha1.OrganizationNamespace) bool {
			return n.State != v1alpha1.NamespaceActive
		})
		if !slices.Equal(templates, want) || released || len(object.Status.Namespaces) != len(want) {
			return fmt.Errorf("they are made from %v, and its status is %+v", templates, object.Status)
		}
		bindings = map[string]types.UID{}
		for _, binding := range seen.bindings {
			if binding.Labels[v1alpha1.OrganizationIDLabel] == o.id {
				bindings[binding.Namespace] = binding.UID
			}
		}
		return compareReady(object.Status.Conditions, object.Generation, v1alpha1.ReasonReady)
	})
	return bindings
}
