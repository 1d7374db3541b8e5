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

package kubectl_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// grant is a ClusterGrant of the town's name for the admins of both organizations, otherwise as change says.
func (w *town) grant(change func(*v1alpha1.ClusterGrantSpec)) *v1alpha1.ClusterGrant {
	grant := &v1alpha1.ClusterGrant{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindClusterGrant},
		ObjectMeta: metav1.ObjectMeta{Name: w.name},
		Spec: v1alpha1.ClusterGrantSpec{
			InstanceRef: v1alpha1.InstanceReference{Name: w.instance}, OrganizationIDs: []string{w.id(0), w.id(1)}, Role: "org:admin",
			ClusterRole: "view",
		},
	}
	change(&grant.Spec)
	return grant
}

// holders are those who have a ClusterRole by the ClusterRoleBinding of the town's ClusterGrant, as <ClusterRole>/<name>.
func (w *town) holders() map[string]bool {
	w.t.Helper()
	found := map[string]bool{}
	var binding rbacv1.ClusterRoleBinding
	err := cluster.Get(w.t.Context(), client.ObjectKey{Name: tenant.ClusterBindingName(w.name)}, &binding)
	w.must(client.IgnoreNotFound(err))
	for _, subject := range binding.Subjects {
		found[binding.RoleRef.Name+"/"+subject.Name] = true
	}
	return found
}

// checkGrant plans a ClusterGrant, makes it, and compares what the operator then does with what was foreseen.
func (w *town) checkGrant(grant *v1alpha1.ClusterGrant) kubectl.PlanClusterGrant {
	w.t.Helper()
	before := w.holders()
	plan, code := w.planOf(grant)
	if plan.Changes != (code == kubectl.ExitNo) {
		w.t.Errorf("exit code %d, with changes: %t", code, plan.Changes)
	}
	found := kubectl.PlanClusterGrant{}
	if len(plan.ClusterGrants) == 1 {
		found = plan.ClusterGrants[0]
	}
	want := maps.Clone(before)
	for _, holder := range found.Losses {
		delete(want, holder.ClusterRole+"/"+holder.Subject)
	}
	for _, holder := range found.Gains {
		want[holder.ClusterRole+"/"+holder.Subject] = true
	}
	w.eventually("make the ClusterGrant", func(ctx context.Context) error {
		var current v1alpha1.ClusterGrant
		err := cluster.Get(ctx, client.ObjectKeyFromObject(grant), &current)
		if apierrors.IsNotFound(err) {
			return cluster.Create(ctx, grant.DeepCopy())
		}
		if err != nil {
			return err
		}
		current.Spec = grant.Spec
		return cluster.Update(ctx, &current)
	})
	w.settleGrant()
	if difference := cmp.Diff(want, w.holders()); difference != "" {
		w.t.Errorf("%+v is otherwise than foreseen (-foreseen +there):\n%s", grant.Spec, difference)
	}
	if again, _ := w.planOf(grant); again.Changes {
		w.t.Errorf("after the edit, it would change something again: %+v", again.ClusterGrants)
	}
	return found
}

// settleGrant waits until the operator has carried out the town's ClusterGrant as it is now.
func (w *town) settleGrant() {
	w.t.Helper()
	w.eventually("the ClusterGrant is looked at", func(ctx context.Context) error {
		var grant v1alpha1.ClusterGrant
		if err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &grant); err != nil {
			return err
		}
		_, reason := condition.IsReady(grant.Status.Conditions)
		if grant.Status.ObservedGeneration != grant.Generation || reason == v1alpha1.ReasonProgressing {
			return fmt.Errorf("not yet: %s", reason)
		}
		return nil
	})
}

func TestPlanForeseesWhatAClusterGrantDoes(t *testing.T) {
	t.Parallel()
	w := settle(t, "plangrant", settlement{
		mode: v1alpha1.ModeEnforce, residents: []resident{{role: "admin"}, {role: "admin", banned: true}, {role: "member"}},
	})
	t.Cleanup(func() {
		w.must(cluster.Delete(context.WithoutCancel(t.Context()), w.grant(func(*v1alpha1.ClusterGrantSpec) {})))
	})
	// The ClusterRole edit is not named to the operator; what it said of another ClusterGrant says so.
	for _, step := range []struct {
		name          string
		change        func(*v1alpha1.ClusterGrantSpec)
		becomes       string
		gains, losses int
		problem       string
	}{
		{"new", func(*v1alpha1.ClusterGrantSpec) {}, "Created", 2, 0, ""},
		{"the same", func(*v1alpha1.ClusterGrantSpec) {}, "", 0, 0, ""},
		{"condition", func(s *v1alpha1.ClusterGrantSpec) { s.When = fmt.Sprintf("organization.slug == %q", w.slug(0)) }, "Changed", 0, 1, ""},
		{"another role", func(s *v1alpha1.ClusterGrantSpec) { s.Role = "org:member" }, "Changed", 2, 1, ""},
		{"refused", func(s *v1alpha1.ClusterGrantSpec) { s.ClusterRole = "edit" }, "Deleted", 0, 2, "none of those that the operator may give"},
		{"with an end", func(s *v1alpha1.ClusterGrantSpec) { s.Until = "'2100-01-01T00:00:00Z'" }, "Created", 2, 0, ""},
		{"ended", func(s *v1alpha1.ClusterGrantSpec) { s.Until = "'2020-01-01T00:00:00Z'" }, "Deleted", 0, 2, ""},
		{"not decided", func(s *v1alpha1.ClusterGrantSpec) { s.When = "member.publicMetadata.oncall" }, "", 0, 0, "it cannot be decided"},
		{"unheard of", func(s *v1alpha1.ClusterGrantSpec) { s.OrganizationIDs[1] = "org_unheardof" }, "Created", 1, 0, "are not mirrored"},
	} {
		found := w.checkGrant(w.grant(step.change))
		if found.Change != step.becomes || len(found.Gains) != step.gains || len(found.Losses) != step.losses ||
			(step.problem == "") != (len(found.Problems) == 0) || !strings.Contains(strings.Join(found.Problems, "\n"), step.problem) {
			t.Errorf("%s: %+v", step.name, found)
		}
		isEndTold := func(holder kubectl.PlanHolder) bool { return holder.Until != nil }
		if slices.ContainsFunc(found.Gains, isEndTold) != (step.name == "with an end") {
			t.Errorf("%s: who gains: %+v", step.name, found.Gains)
		}
	}
	// An edit of the ClerkInstance changes what ClusterGrants give, and to observe changes nothing.
	renamed := w.instanceIn(v1alpha1.ModeEnforce)
	renamed.Spec.Username = "staff:${user.id}"
	if plan, _ := w.planOf(renamed); len(plan.ClusterGrants) != 1 || len(plan.ClusterGrants[0].Gains) != 1 || len(plan.ClusterGrants[0].Losses) != 1 {
		t.Errorf("with other names: %+v", plan.ClusterGrants)
	}
	if plan, _ := w.planOf(w.instanceIn(v1alpha1.ModeObserve)); len(plan.ClusterGrants) > 0 {
		t.Errorf("to observe: %+v", plan.ClusterGrants)
	}
}

// A ClusterRoleBinding that somebody else made is in the way.
func TestPlanForeseesThatANameIsTaken(t *testing.T) {
	t.Parallel()
	w := settle(t, "plantaken", settlement{residents: []resident{{role: "admin"}}})
	taken := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: tenant.ClusterBindingName(w.name)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
	}
	w.must(cluster.Create(t.Context(), taken))
	t.Cleanup(func() { w.must(cluster.Delete(context.WithoutCancel(t.Context()), taken)) })
	plan, code := w.planOf(w.grant(func(*v1alpha1.ClusterGrantSpec) {}))
	if code != kubectl.ExitNo || len(plan.ClusterGrants) != 1 || len(plan.ClusterGrants[0].Gains) > 0 ||
		!strings.Contains(strings.Join(plan.ClusterGrants[0].Problems, ""), "was not made for this grant") {
		t.Errorf("exit code %d, %+v", code, plan.ClusterGrants)
	}
	// No ClusterGrant is for this ClusterRole, and no Deployment of the operator is there.
	plan, _ = w.planOf(w.grant(func(s *v1alpha1.ClusterGrantSpec) { s.ClusterRole = "admin" }))
	if !strings.Contains(strings.Join(plan.Notes, ""), "whether the operator may give the ClusterRole admin in the whole cluster is not known") {
		t.Errorf("it notes %q", plan.Notes)
	}
}
