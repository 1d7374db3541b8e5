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
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
)

// randomEdits is how many random edits are planned and then made.
const randomEdits = 6

// serial tells apart what several runs make.
var serial atomic.Int64

// town is a world of one test: a class, and the organizations that it alone is for.
type town struct {
	t     *testing.T
	name  string
	clock time.Time

	// instance is the ClerkInstance that speaks of it.
	instance string
	hasClass bool
}

// resident is somebody who is in each organization of a town.
type resident struct {
	role   string
	banned bool
}

// settlement says what a town begins with.
type settlement struct {
	// class is the town's own, nil for none: then the class default serves it.
	class *v1alpha1.TenantClassSpec

	// mode, if set, is that of a ClerkInstance of the town's own.
	mode v1alpha1.InstanceMode

	residents []resident
}

// newTown makes a class and two organizations with people of several roles.
func newTown(t *testing.T, name string, spec v1alpha1.TenantClassSpec) *town {
	t.Helper()
	return settle(t, name, settlement{class: &spec, residents: []resident{{role: "admin"}, {role: "member"}, {role: "guest"}}})
}

// settle makes a town of two organizations.
func settle(t *testing.T, name string, begin settlement) *town {
	t.Helper()
	name = fmt.Sprintf("%s%d", name, serial.Add(1))
	w := &town{t: t, name: name, clock: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), instance: "default", hasClass: begin.class != nil}
	if begin.mode != "" {
		w.instance = name
		w.must(cluster.Create(t.Context(), w.instanceIn(begin.mode)))
	}
	if w.hasClass {
		w.must(cluster.Create(t.Context(), w.class(*begin.class)))
		w.eventually("the class is known", func(ctx context.Context) error { // else another one may serve the organizations first
			var class v1alpha1.TenantClass
			err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &class)
			if err == nil && len(class.Status.Conditions) == 0 {
				err = errors.New("nobody has looked at it")
			}
			return err
		})
	}
	for number := range 2 {
		w.must(cluster.Create(t.Context(), &v1alpha1.ClerkOrganization{
			ObjectMeta: metav1.ObjectMeta{
				Name: v1alpha1.ObjectName(w.instance, w.id(number)), Labels: map[string]string{v1alpha1.OrganizationIDLabel: w.id(number)},
			},
			Spec: v1alpha1.ClerkOrganizationSpec{
				Entity: v1alpha1.Entity{Instance: w.instance, ID: w.id(number), UpdatedAt: w.tick()}, Name: "Test", Slug: w.slug(number),
				PublicMetadata: &runtime.RawExtension{Raw: fmt.Appendf(nil, `{"town":%q,"number":%d}`, w.name, number)},
			},
		}))
		for at, resident := range begin.residents {
			role := resident.role
			id := fmt.Sprintf("%s%d%s%d", w.name, number, role, at)
			w.must(cluster.Create(t.Context(), &v1alpha1.ClerkMember{
				ObjectMeta: metav1.ObjectMeta{
					Name: v1alpha1.ObjectName(w.instance, "orgmem_"+id), Labels: map[string]string{v1alpha1.OrganizationIDLabel: w.id(number)},
				},
				Spec: v1alpha1.ClerkMemberSpec{
					Entity:         v1alpha1.Entity{Instance: w.instance, ID: "orgmem_" + id, UpdatedAt: w.tick()},
					OrganizationID: w.id(number), UserID: "user_" + id, Role: "org:" + role,
					Permissions: []string{"org:" + role + ":read"},
					User:        v1alpha1.ClerkMemberUser{Identifier: role + "@example.com", Banned: new(resident.banned)},
				},
			}))
		}
	}
	w.settle()
	t.Cleanup(w.remove)
	return w
}

// remove removes what the other tests would see.
func (w *town) remove() {
	for _, kind := range []client.Object{&v1alpha1.ClerkMember{}, &v1alpha1.ClerkOrganization{}} {
		for number := range 2 {
			err := cluster.DeleteAllOf(context.Background(), kind, client.MatchingLabels{v1alpha1.OrganizationIDLabel: w.id(number)})
			if err != nil {
				w.t.Error(err)
			}
		}
	}
	if w.hasClass {
		if err := cluster.Delete(context.Background(), w.class(v1alpha1.TenantClassSpec{})); err != nil {
			w.t.Error(err)
		}
	}
	if w.instance != "default" {
		if err := cluster.Delete(context.Background(), w.instanceIn(v1alpha1.ModeEnforce)); err != nil {
			w.t.Error(err)
		}
	}
}

// instanceIn is the town's own ClerkInstance, in a mode. No delivery comes in by it.
func (w *town) instanceIn(mode v1alpha1.InstanceMode) *v1alpha1.ClerkInstance {
	return &v1alpha1.ClerkInstance{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClerkInstance"},
		ObjectMeta: metav1.ObjectMeta{Name: w.name},
		Spec: v1alpha1.ClerkInstanceSpec{
			Mode: mode, Username: "clerk:${user.id}", Users: v1alpha1.UsersMembers,
			Webhook: v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: "default-webhook"}},
		},
	}
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) id(number int) string   { return fmt.Sprintf("org_%s%d", w.name, number) }
func (w *town) slug(number int) string { return fmt.Sprintf("%s%d", w.name, number) }

func (w *town) tick() *metav1.MicroTime {
	w.clock = w.clock.Add(time.Second)
	return new(metav1.NewMicroTime(w.clock))
}

// class is the town's: its match rule sees to it that it is for the town alone.
func (w *town) class(spec v1alpha1.TenantClassSpec) *v1alpha1.TenantClass {
	spec.Match = fmt.Sprintf("organization.publicMetadata.town == %q", w.name)
	return &v1alpha1.TenantClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TenantClass"},
		ObjectMeta: metav1.ObjectMeta{Name: w.name}, Spec: spec,
	}
}

// eventually asks until the answer is no error.
func (w *town) eventually(what string, check func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s: %v", what, err)
		case <-time.After(pollInterval):
		}
	}
}

// settle waits until the operator has looked at the class as it is now, and after that at each organization once more: what it does about an
// organization it does before it writes that organization's status.
func (w *town) settle() {
	w.t.Helper()
	w.eventually("class and instance are looked at", func(ctx context.Context) error {
		var class v1alpha1.TenantClass
		var instance v1alpha1.ClerkInstance
		if w.hasClass {
			if err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &class); err != nil {
				return err
			}
		}
		if err := cluster.Get(ctx, client.ObjectKey{Name: w.instance}, &instance); err != nil {
			return err
		}
		if class.Status.ObservedGeneration != class.Generation || instance.Status.ObservedGeneration != instance.Generation {
			return errors.New("not yet")
		}
		return nil
	})
	for number := range 2 {
		var organization v1alpha1.ClerkOrganization
		key := client.ObjectKey{Name: v1alpha1.ObjectName(w.instance, w.id(number))}
		w.eventually("the organization is touched", func(ctx context.Context) error {
			if err := cluster.Get(ctx, key, &organization); err != nil {
				return err
			}
			organization.Spec.UpdatedAt = w.tick()
			return cluster.Update(ctx, &organization)
		})
		generation := organization.Generation
		w.eventually("the organization is looked at", func(ctx context.Context) error {
			if err := cluster.Get(ctx, key, &organization); err != nil {
				return err
			}
			if organization.Status.ObservedGeneration < generation {
				return errors.New("not yet")
			}
			return isSettled(ctx, client.MatchingLabels{v1alpha1.OrganizationIDLabel: w.id(number)})
		})
	}
}

// state is what an organization has: namespaces with their states, grants, and the specs of policies.
type state struct {
	Namespaces map[string]string
	Grants     map[string]bool
	Policies   map[string]string
	Problems   bool
}

func (w *town) state(number int) state {
	w.t.Helper()
	found := state{Namespaces: map[string]string{}, Grants: map[string]bool{}, Policies: map[string]string{}}
	labels := client.MatchingLabels{v1alpha1.OrganizationIDLabel: w.id(number)}
	var organization v1alpha1.ClerkOrganization
	w.must(cluster.Get(w.t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(w.instance, w.id(number))}, &organization))
	for _, namespace := range organization.Status.Namespaces {
		found.Namespaces[namespace.Name] = string(namespace.State)
	}
	for _, condition := range organization.Status.Conditions {
		found.Problems = found.Problems || condition.Type == v1alpha1.ConditionReady && condition.Status != metav1.ConditionTrue &&
			condition.Reason != v1alpha1.ReasonObserving
	}
	var bindings rbacv1.RoleBindingList
	var quotas corev1.ResourceQuotaList
	var limits corev1.LimitRangeList
	var policies networkingv1.NetworkPolicyList
	for _, list := range []client.ObjectList{&bindings, &quotas, &limits, &policies} {
		w.must(cluster.List(w.t.Context(), list, labels))
	}
	for _, binding := range bindings.Items {
		for _, subject := range binding.Subjects {
			found.Grants[binding.Namespace+"/"+binding.RoleRef.Name+"/"+subject.Name] = true
		}
	}
	put := func(object client.Object, kind string, spec any) {
		content, err := json.Marshal(spec)
		w.must(err)
		found.Policies[object.GetNamespace()+"/"+kind+"/"+object.GetName()] = string(content)
	}
	for i := range quotas.Items {
		put(&quotas.Items[i], "ResourceQuota", quotas.Items[i].Spec)
	}
	for i := range limits.Items {
		put(&limits.Items[i], "LimitRange", limits.Items[i].Spec)
	}
	for i := range policies.Items {
		put(&policies.Items[i], "NetworkPolicy", policies.Items[i].Spec)
	}
	return found
}

// plan plans an edit of the class.
func (w *town) plan(spec v1alpha1.TenantClassSpec) (kubectl.Plan, int) {
	w.t.Helper()
	return w.planOf(w.class(spec))
}

// planOf plans that an object is as it is given.
func (w *town) planOf(object client.Object) (kubectl.Plan, int) {
	w.t.Helper()
	content, err := yaml.Marshal(object)
	w.must(err)
	file := filepath.Join(w.t.TempDir(), "object.yaml")
	w.must(os.WriteFile(file, content, 0o600))
	found := run(w.t, "plan", "-f", file, "-o", "json")
	if found.code == kubectl.ExitError {
		w.t.Fatal(found.errors)
	}
	var plan kubectl.Plan
	w.must(json.Unmarshal([]byte(found.out), &plan))
	return plan, found.code
}

// apply is the state that a plan foresees.
func (before state) apply(organization *kubectl.PlanOrganization) state {
	after := state{maps.Clone(before.Namespaces), maps.Clone(before.Grants), maps.Clone(before.Policies), before.Problems}
	if organization == nil {
		return after
	}
	after.Problems = after.Problems || len(organization.Problems) > 0
	for _, namespace := range organization.Namespaces {
		switch namespace.Change {
		case kubectl.NamespaceMade, kubectl.NamespaceServed:
			after.Namespaces[namespace.Name] = string(v1alpha1.NamespaceActive)
		case kubectl.NamespaceReleased:
			after.Namespaces[namespace.Name] = string(v1alpha1.NamespaceReleased)
		}
	}
	for _, grant := range organization.Gains {
		after.Grants[grant.Namespace+"/"+grant.ClusterRole+"/"+grant.Subject] = true
	}
	for _, grant := range organization.Losses {
		delete(after.Grants, grant.Namespace+"/"+grant.ClusterRole+"/"+grant.Subject)
	}
	for _, policy := range organization.Policies {
		key := policy.Namespace + "/" + policy.Kind + "/" + policy.Name
		delete(after.Policies, key)
		if policy.Change != "Deleted" {
			after.Policies[key] = policy.Change
		}
	}
	return after
}

// check makes an edit of the class that was planned, and compares what the operator then does with what was foreseen.
func (w *town) check(spec v1alpha1.TenantClassSpec) kubectl.Plan {
	w.t.Helper()
	return w.compare(w.class(spec), func(ctx context.Context) error {
		var class v1alpha1.TenantClass
		err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &class)
		if apierrors.IsNotFound(err) {
			w.hasClass = true
			return cluster.Create(ctx, w.class(spec))
		}
		if err != nil {
			return err
		}
		class.Spec = w.class(spec).Spec
		return cluster.Update(ctx, &class)
	})
}

// checkMode does so with the mode of the town's own ClerkInstance.
func (w *town) checkMode(mode v1alpha1.InstanceMode) kubectl.Plan {
	w.t.Helper()
	return w.compare(w.instanceIn(mode), func(ctx context.Context) error {
		var instance v1alpha1.ClerkInstance
		if err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &instance); err != nil {
			return err
		}
		instance.Spec.Mode = mode
		return cluster.Update(ctx, &instance)
	})
}

// compare plans that an object is as it is given, makes it so, and compares what the operator then does with what was foreseen.
func (w *town) compare(object client.Object, edit func(context.Context) error) kubectl.Plan {
	w.t.Helper()
	before := []state{w.state(0), w.state(1)}
	plan, code := w.planOf(object)
	if plan.Changes != (code == kubectl.ExitNo) {
		w.t.Errorf("exit code %d, with changes: %t", code, plan.Changes)
	}
	w.eventually("make the edit", edit)
	w.settle()
	for number := range before {
		want := before[number].apply(planned(plan, w.id(number)))
		have := w.state(number)
		for key, content := range want.Policies { // of one that is made or changed, the plan says just that
			if content == "Created" || content == "Changed" && have.Policies[key] != before[number].Policies[key] {
				want.Policies[key] = have.Policies[key]
			}
		}
		if difference := cmp.Diff(want, have); difference != "" {
			w.t.Errorf("%s is otherwise than foreseen (-foreseen +there):\n%s", w.id(number), difference)
		}
	}
	if again, _ := w.planOf(object); again.Changes {
		w.t.Errorf("after the edit, it would change something again: %+v", again.Organizations)
	}
	return plan
}

func planned(plan kubectl.Plan, id string) *kubectl.PlanOrganization {
	at := slices.IndexFunc(plan.Organizations, func(o kubectl.PlanOrganization) bool { return o.ID == id })
	if at < 0 {
		return nil
	}
	return &plan.Organizations[at]
}

func rule(role, clusterRole string) v1alpha1.TenantRoleBinding {
	return v1alpha1.TenantRoleBinding{Role: "org:" + role, ClusterRole: clusterRole}
}

// conditional gives admins the ClusterRole admin.
func conditional(when, until string) v1alpha1.TenantRoleBinding {
	return v1alpha1.TenantRoleBinding{Role: "org:admin", ClusterRole: "admin", When: when, Until: until}
}

func entry(suffix string, rules ...v1alpha1.TenantRoleBinding) v1alpha1.TenantNamespace {
	return v1alpha1.TenantNamespace{Name: "plan-${organization.handle}-" + suffix, RoleBindings: rules}
}

func spec(entries ...v1alpha1.TenantNamespace) v1alpha1.TenantClassSpec {
	return v1alpha1.TenantClassSpec{Namespaces: entries}
}

func quota(pods v1alpha1.TenantQuantity) *v1alpha1.TenantResourceQuota {
	return &v1alpha1.TenantResourceQuota{Hard: map[corev1.ResourceName]v1alpha1.TenantQuantity{corev1.ResourcePods: pods}}
}

// TestPlanIsWhatTheOperatorDoes plans edits, makes them, and compares.
func TestPlanIsWhatTheOperatorDoes(t *testing.T) {
	first := entry("a", rule("admin", "admin"), rule("member", "view"))
	limited := entry("a", rule("admin", "admin"), rule("member", "view"))
	limited.ResourceQuota = quota("10")
	relimited := *limited.DeepCopy()
	relimited.ResourceQuota = quota("20")
	counted, missing := *limited.DeepCopy(), *limited.DeepCopy()
	counted.ResourceQuota, missing.ResourceQuota = quota("${organization.members + 1}"), quota("${organization.publicMetadata.missing}")
	broken := entry("${organization.nothing}", rule("admin", "admin"))
	failing := entry("${organization.publicMetadata.missing}", rule("admin", "admin"))
	half := entry("a", rule("admin", "admin"))
	half.Name = "${organization.publicMetadata.number == 0 ? 'kube-system' : 'plan-' + organization.handle + '-a'}"
	capped := spec(first)
	capped.DerivedAccess = v1alpha1.DerivedAccessCapped
	recorded := spec(first)
	recorded.Creators = v1alpha1.CreatorsRecorded
	tests := map[string]struct {
		before, after v1alpha1.TenantClassSpec
		says          kubectl.PlanSummary
	}{
		"capped":    {spec(first), capped, kubectl.PlanSummary{Changed: 2}},
		"recorded":  {spec(first), recorded, kubectl.PlanSummary{Changed: 2}},
		"nothing":   {spec(first), spec(first), kubectl.PlanSummary{}},
		"namespace": {spec(first), spec(first, entry("b", rule("guest", "view"))), kubectl.PlanSummary{Changed: 2, NamespacesMade: 2, Gaining: 2}},
		"released": {
			spec(first, entry("b", rule("admin", "edit"))), spec(first), kubectl.PlanSummary{Changed: 2, NamespacesReleased: 2, Losing: 2},
		},
		"gain":      {spec(first), spec(entry("a", rule("admin", "admin"), rule("member", "edit"))), kubectl.PlanSummary{Changed: 2, Gaining: 2, Losing: 2}},
		"lose":      {spec(first), spec(entry("a", rule("admin", "admin"))), kubectl.PlanSummary{Changed: 2, Losing: 2}},
		"renamed":   {spec(first), spec(entry("z", rule("admin", "admin"), rule("member", "view"))), kubectl.PlanSummary{}},
		"limited":   {spec(first), spec(limited), kubectl.PlanSummary{Changed: 2, PoliciesChanged: 2}},
		"more":      {spec(limited), spec(relimited), kubectl.PlanSummary{Changed: 2, PoliciesChanged: 2}},
		"free":      {spec(limited), spec(first), kubectl.PlanSummary{Changed: 2, PoliciesChanged: 2}},
		"broken":    {spec(first), spec(broken), kubectl.PlanSummary{Changed: 2, Problems: 2, Losing: 2}},
		"quota":     {spec(limited), spec(counted), kubectl.PlanSummary{Changed: 2, PoliciesChanged: 2}},
		"unlimited": {spec(limited), spec(missing), kubectl.PlanSummary{Changed: 2, Problems: 2}},
		"failing":   {spec(first), spec(failing), kubectl.PlanSummary{Changed: 2, Problems: 2, Losing: 2}},
		"condition": {
			spec(first), spec(entry("a", conditional(`organization.publicMetadata.number == 0`, ""), rule("member", "view"))),
			kubectl.PlanSummary{Changed: 1, Losing: 1},
		},
		"unknown": {
			spec(first), spec(entry("a", conditional("user.twoFactorEnabled", ""), rule("member", "view"))),
			kubectl.PlanSummary{Changed: 2, Losing: 2},
		},
		"ended": {
			spec(first), spec(entry("a", conditional("", `timestamp("2020-01-01T00:00:00Z")`), rule("member", "view"))),
			kubectl.PlanSummary{Changed: 2, Losing: 2},
		},
		"ends": {
			spec(first), spec(entry("a", conditional("true", `"2999-01-01T00:00:00Z"`), rule("member", "view"))),
			kubectl.PlanSummary{},
		},
		"half": {spec(first), spec(first, half), kubectl.PlanSummary{Changed: 2, Problems: 1, NamespacesMade: 1, Gaining: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := newTown(t, "plan"+name+"x", test.before).check(test.after)
			plan.Summary.Organizations, plan.Summary.ClusterGrants = 0, 0
			if difference := cmp.Diff(test.says, plan.Summary); difference != "" {
				t.Errorf("the summary (-want +have):\n%s", difference)
			}
		})
	}
	for seed := range randomEdits {
		t.Run(fmt.Sprintf("random %d", seed), func(t *testing.T) {
			t.Parallel()
			class := randomSpec().Example(3 * seed)
			w := settle(t, fmt.Sprintf("random%dx", seed), settlement{class: &class, residents: randomResidents().Example(seed)})
			w.check(randomSpec().Example(3*seed + 1))
			w.check(randomSpec().Example(3*seed + 2))
		})
	}
}

// TestPlanForeseesWhatANewClassDoes plans a class for organizations that another one serves.
func TestPlanForeseesWhatANewClassDoes(t *testing.T) {
	t.Parallel()
	w := settle(t, "plannew", settlement{residents: []resident{{role: "admin"}, {role: "member"}, {role: "admin", banned: true}}})
	// Each organization gives up the two namespaces of the class default for one of its own.
	plan := w.check(spec(entry("a", rule("admin", "edit"), rule("guest", "view"))))
	want := kubectl.PlanSummary{Changed: 2, NamespacesMade: 2, NamespacesReleased: 4, PoliciesChanged: plan.Summary.PoliciesChanged,
		Gaining: 2, Losing: 4, Organizations: plan.Summary.Organizations, ClusterGrants: plan.Summary.ClusterGrants}
	if difference := cmp.Diff(want, plan.Summary); difference != "" {
		t.Errorf("the summary (-want +have):\n%s", difference)
	}
}

// TestPlanForeseesWhatAModeDoes plans that a ClerkInstance begins to enforce, and that it ceases to.
func TestPlanForeseesWhatAModeDoes(t *testing.T) {
	t.Parallel()
	first, second := spec(entry("a", rule("admin", "admin"))), spec(entry("a", rule("admin", "edit")), entry("b", rule("member", "view")))
	w := settle(t, "planmode", settlement{class: &first, mode: v1alpha1.ModeObserve, residents: []resident{{role: "admin"}, {role: "member"}}})
	if plan := w.check(second); plan.Changes {
		t.Errorf("what is only observed would change: %+v", plan.Organizations)
	}
	if plan := w.checkMode(v1alpha1.ModeEnforce); plan.Summary.NamespacesMade != 4 || plan.Summary.Gaining != 4 || plan.Summary.Losing != 0 {
		t.Errorf("to enforce: %+v", plan.Summary)
	}
	if plan := w.check(first); plan.Summary.NamespacesReleased != 2 {
		t.Errorf("while it enforces: %+v", plan.Summary)
	}
	if plan := w.checkMode(v1alpha1.ModeObserve); plan.Changes {
		t.Errorf("to observe: %+v", plan.Organizations)
	}
	if plan := w.check(second); plan.Changes {
		t.Errorf("what is observed again would change: %+v", plan.Organizations)
	}
	if plan := w.checkMode(v1alpha1.ModeEnforce); plan.Summary.Gaining != 4 || plan.Summary.Losing != 2 {
		t.Errorf("to enforce again: %+v", plan.Summary)
	}
}

// TestPlanIsChecked looks that manifests are refused which the API server would refuse, and that a plan says if nobody checked them.
func TestPlanIsChecked(t *testing.T) {
	command(t, kubectl.ExitError, "the API server refuses the TenantClass default of testdata/invalid.yaml", "plan", "-f", "testdata/invalid.yaml")
	command(t, kubectl.ExitError, "name a manifest with -f", "plan")
	command(t, kubectl.ExitError, "leave one out", "plan", "-f", "testdata/same.yaml", "-f", "testdata/same.yaml")
	command(t, kubectl.ExitYes, "did not check the TenantClass system, since you may not write it", "plan", "-f", "testdata/same.yaml", "--as", "auditor")
	command(t, kubectl.ExitYes, "Note: what ClusterGrants give in the whole cluster is left out", "plan", "-f", "testdata/same.yaml", "--as", "planner")
	command(t, kubectl.ExitError, "you may not list clustergrants", "plan", "-f", "testdata/grants.yaml", "--as", "planner")
}

// TestPlanForeseesDeletion plans that namespaces of an organization go which is deleted in Clerk, and compares when.
func TestPlanForeseesDeletion(t *testing.T) {
	t.Parallel()
	class := spec(entry("a", rule("admin", "admin")))
	w := newTown(t, "plandeletion", class)
	deleted := metav1.NewMicroTime(time.Now().Truncate(time.Second))
	key := client.ObjectKey{Name: v1alpha1.ObjectName(w.instance, w.id(0))}
	var organization v1alpha1.ClerkOrganization
	states := func(want v1alpha1.NamespaceState) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := cluster.Get(ctx, key, &organization); err != nil {
				return err
			}
			if len(organization.Status.Namespaces) != 1 || organization.Status.Namespaces[0].State != want {
				return fmt.Errorf("have %+v", organization.Status.Namespaces)
			}
			return nil
		}
	}
	w.eventually("delete the organization", func(ctx context.Context) error {
		if err := cluster.Get(ctx, key, &organization); err != nil {
			return err
		}
		organization.Spec = v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: "default", ID: w.id(0), DeletedAt: &deleted}}
		return cluster.Update(ctx, &organization)
	})
	w.eventually("the namespace is kept", states(v1alpha1.NamespaceRetained))
	class.Deletion = &v1alpha1.DeletionRule{Policy: v1alpha1.DeletionDelete, After: &metav1.Duration{Duration: 1000 * time.Hour}}
	plan, code := w.plan(class)
	if code != kubectl.ExitNo || plan.Summary.NamespacesDeleted != 1 || len(plan.Organizations) != 1 {
		t.Fatalf("exit code %d, %+v", code, plan)
	}
	w.eventually("edit the class", func(ctx context.Context) error {
		var current v1alpha1.TenantClass
		if err := cluster.Get(ctx, client.ObjectKey{Name: w.name}, &current); err != nil {
			return err
		}
		current.Spec = w.class(class).Spec
		return cluster.Update(ctx, &current)
	})
	w.eventually("the namespace is to be deleted", states(v1alpha1.NamespaceDeleting))
	if have, want := organization.Status.Namespaces[0].DeleteAt, plan.Organizations[0].Namespaces[0].DeleteAt; !have.Equal(want) {
		t.Errorf("it goes at %s, and was foreseen for %s", have, want)
	}
}

// randomSpec is any class of a few namespaces, with rules by role and by permission, quotas and policies.
func randomSpec() *rapid.Generator[v1alpha1.TenantClassSpec] {
	return rapid.Custom(func(t *rapid.T) v1alpha1.TenantClassSpec {
		var result v1alpha1.TenantClassSpec
		for _, suffix := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(t, "entries") {
			namespace := entry(suffix)
			for _, text := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
				"admin admin", "admin edit", "member view", "member edit", "guest view", "guest:read view", "admin:read admin",
			}), 0, 4, rapid.ID[string]).Draw(t, "rules") {
				who, clusterRole, _ := strings.Cut(text, " ")
				binding := rule(who, clusterRole)
				if strings.Contains(who, ":") {
					binding = v1alpha1.TenantRoleBinding{Permission: "org:" + who, ClusterRole: clusterRole}
				}
				namespace.RoleBindings = append(namespace.RoleBindings, binding)
			}
			if rapid.Bool().Draw(t, "quota") {
				namespace.ResourceQuota = quota(rapid.SampledFrom([]v1alpha1.TenantQuantity{"5", "${organization.members}"}).Draw(t, "pods"))
			}
			if rapid.Bool().Draw(t, "policy") {
				namespace.NetworkPolicies = []v1alpha1.TenantNetworkPolicy{{
					Name: rapid.SampledFrom([]string{"deny", "isolate"}).Draw(t, "name"),
					Spec: v1alpha1.TenantNetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
				}}
			}
			result.Namespaces = append(result.Namespaces, namespace)
		}
		return result
	})
}

// randomResidents are up to six people of any roles, some of them banned.
func randomResidents() *rapid.Generator[[]resident] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) resident {
		return resident{
			role: rapid.SampledFrom([]string{"admin", "member", "guest", "other"}).Draw(t, "role"), banned: rapid.IntRange(0, 3).Draw(t, "luck") == 0,
		}
	}), 0, 6)
}
