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

package controller_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/operator"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	operatorNamespace = "clerk-operator-system"

	// retention is short, so that the collection of tombstones can be seen, and long enough to look at a tombstone before.
	retention = 15 * time.Second

	// patience is how long anything may take on a busy machine.
	patience = 90 * time.Second

	// parallelTests is how many tests run at once, whatever the number of cores: they wait for the API server most of the time.
	parallelTests = "16"
)

var (
	plane   *controlplane.ControlPlane
	cluster client.Client
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallelTests); err != nil {
		panic(err)
	}
	if os.Getenv("TEST_LOG") != "" {
		ctrl.SetLogger(zap.New(zap.UseDevMode(true)))
	} else {
		ctrl.SetLogger(zap.New(zap.WriteTo(discard{})))
	}
	controlplane.Main(m, controlplane.Options{CRDs: filepath.Join("..", "..", "config", "crd", "bases")}, setUp)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// setUp installs what an administrator installs and starts the operator, as its own ServiceAccount.
func setUp(ctx context.Context, cp *controlplane.ControlPlane) error {
	plane = cp
	if output, err := cp.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "base")).CombinedOutput(); err != nil {
		return fmt.Errorf("install: %w: %s", err, output)
	}
	if err := operatorproc.AllowClusterGrants(ctx, cp, clusterGrantRoles...); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	var err error
	if cluster, err = client.New(cp.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := createInstance(ctx, "default", "clerk:${user.id}"); err != nil {
		return err
	}
	config, err := cp.ServiceAccountConfig(ctx, operatorNamespace, "clerk-operator")
	if err != nil {
		return err
	}
	config.Wrap(hanging.wrap)
	go func() {
		err := operator.Run(ctx, config, operator.Config{
			Namespace: operatorNamespace, ReceiverBindAddress: "127.0.0.1:0", MetricsBindAddress: "0", HealthProbeBindAddress: "0",
			ClerkAPIHosts: []string{"127.0.0.1"}, TombstoneRetention: retention, ClusterGrantRoles: clusterGrantRoles,
		})
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "the operator ended:", err)
		}
	}()
	return nil
}

// createInstance creates a ClerkInstance and its Secret.
func createInstance(ctx context.Context, name, username string, changes ...func(*v1alpha1.ClerkInstance)) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name + "-webhook"},
		StringData: map[string]string{"endpoint": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	}
	if err := cluster.Create(ctx, secret); err != nil {
		return err
	}
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClerkInstanceSpec{
			Webhook:  v1alpha1.ClerkInstanceWebhook{SigningSecretRef: v1alpha1.SecretReference{Name: secret.Name}},
			Username: username,
		},
	}
	for _, change := range changes {
		change(instance)
	}
	return cluster.Create(ctx, instance)
}

var serial atomic.Int64

// uniqueID is an id that no other test uses.
func uniqueID(prefix string) string {
	return fmt.Sprintf("%s_%dT%d", prefix, os.Getpid(), serial.Add(1))
}

// tenancy is an organization of its own for one test, with a class that is for it alone.
type tenancy struct {
	t     *testing.T
	slug  string
	id    string
	class string
	clock time.Time

	// instance is the ClerkInstance that speaks of the organization.
	instance string
}

// newTenancy makes a class for the test's organizations; change, if given, edits it first.
func newTenancy(t *testing.T, change ...func(*v1alpha1.TenantClass)) *tenancy {
	t.Helper()
	tn := unservedTenancy(t)
	class := tn.newClass()
	for _, edit := range change {
		edit(class)
	}
	must(t, cluster.Create(t.Context(), class))
	return tn
}

// unservedTenancy has no class.
func unservedTenancy(t *testing.T) *tenancy {
	t.Helper()
	id := uniqueID("org")
	return &tenancy{t: t, id: id, slug: "s" + strings.ToLower(strings.TrimPrefix(id, "org_")), class: strings.ToLower(strings.ReplaceAll(id, "_", "-")),
		instance: "default", clock: time.Now().Add(-time.Minute).Truncate(time.Millisecond)}
}

func (tn *tenancy) newClass() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: tn.class},
		Spec: v1alpha1.TenantClassSpec{
			Match: fmt.Sprintf("organization.publicMetadata.test == %q", tn.id),
			Namespaces: []v1alpha1.TenantNamespace{{
				Name:   "org-${organization.handle}",
				Labels: map[string]string{"pod-security.kubernetes.io/enforce": "baseline"},
				RoleBindings: []v1alpha1.TenantRoleBinding{
					{Role: "org:admin", ClusterRole: "admin"}, {Role: "org:member", ClusterRole: "view"},
				},
			}},
		},
	}
}

// tick is a time of Clerk's, later at every call.
func (tn *tenancy) tick() *metav1.MicroTime {
	tn.clock = tn.clock.Add(time.Millisecond)
	return new(metav1.NewMicroTime(tn.clock))
}

func (tn *tenancy) namespace() string { return "org-" + tn.slug }

func (tn *tenancy) metadata() *runtime.RawExtension {
	raw, err := json.Marshal(map[string]string{"test": tn.id})
	must(tn.t, err)
	return &runtime.RawExtension{Raw: raw}
}

func (tn *tenancy) createOrganization() *v1alpha1.ClerkOrganization {
	tn.t.Helper()
	organization := &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName("default", tn.id), Labels: map[string]string{v1alpha1.OrganizationIDLabel: tn.id}},
		Spec: v1alpha1.ClerkOrganizationSpec{
			Entity:         v1alpha1.Entity{Instance: "default", ID: tn.id, UpdatedAt: tn.tick()},
			Name:           "Test",
			Slug:           tn.slug,
			PublicMetadata: tn.metadata(),
		},
	}
	must(tn.t, cluster.Create(tn.t.Context(), organization))
	return organization
}

// join makes a member of the organization.
func (tn *tenancy) join(role string, change ...func(*v1alpha1.ClerkMember)) *v1alpha1.ClerkMember {
	tn.t.Helper()
	id, user := uniqueID("orgmem"), uniqueID("user")
	member := &v1alpha1.ClerkMember{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.OrganizationIDLabel: tn.id}},
		Spec: v1alpha1.ClerkMemberSpec{
			Entity:         v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: tn.tick()},
			OrganizationID: tn.id,
			UserID:         user,
			Role:           role,
			User:           v1alpha1.ClerkMemberUser{Identifier: "jane@example.com"},
		},
	}
	for _, edit := range change {
		edit(member)
	}
	member.Name = v1alpha1.ObjectName(member.Spec.Instance, id)
	must(tn.t, cluster.Create(tn.t.Context(), member))
	return member
}

// leave makes a member's tombstone.
func (tn *tenancy) leave(member *v1alpha1.ClerkMember) {
	tn.t.Helper()
	edit(tn.t, member, func(m *v1alpha1.ClerkMember) {
		m.Spec = v1alpha1.ClerkMemberSpec{
			Entity:         v1alpha1.Entity{Instance: m.Spec.Instance, ID: m.Spec.ID, DeletedAt: new(metav1.NewMicroTime(time.Now()))},
			OrganizationID: m.Spec.OrganizationID,
			UserID:         m.Spec.UserID,
		}
	})
}

// deleteOrganization makes the organization's tombstone.
func (tn *tenancy) deleteOrganization() {
	tn.t.Helper()
	organization := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(tn.instance, tn.id)}}
	edit(tn.t, organization, func(o *v1alpha1.ClerkOrganization) {
		o.Spec = v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{Instance: o.Spec.Instance, ID: o.Spec.ID, DeletedAt: new(metav1.NewMicroTime(time.Now()))}}
	})
}

func subjectOf(member *v1alpha1.ClerkMember) string { return "clerk:" + member.Spec.UserID }

// edit changes an object as it stands in the cluster, and tries again when somebody else was first.
func edit[T client.Object](t *testing.T, object T, change func(T)) {
	t.Helper()
	eventually(t, "edit "+object.GetName(), func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return cluster.Update(ctx, object)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is no error. What it asks is always something that must come true by itself.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	wait.Within(t, patience, what, check)
}

// wantSubjects waits until the RoleBindings of a namespace to a ClusterRole name exactly these users.
func wantSubjects(t *testing.T, namespace, clusterRole string, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, fmt.Sprintf("%s in %s", clusterRole, namespace), func(ctx context.Context) error {
		var bindings rbacv1.RoleBindingList
		if err := cluster.List(ctx, &bindings, client.InNamespace(namespace)); err != nil {
			return err
		}
		var have []string
		for _, binding := range bindings.Items {
			if binding.RoleRef.Name != clusterRole {
				continue
			}
			for _, subject := range binding.Subjects {
				have = append(have, subject.Name)
			}
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			return fmt.Errorf("subjects are %v, want %v", have, want)
		}
		return nil
	})
}

// allowed asks the API server whether a user may list pods in a namespace.
func allowed(ctx context.Context, user, verb, namespace string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "pods"},
	}}
	err := cluster.Create(ctx, review)
	return review.Status.Allowed, err
}

func wantAccess(t *testing.T, user, verb, namespace string, want bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("whether %s may %s pods in %s", user, verb, namespace), func(ctx context.Context) error {
		have, err := allowed(ctx, user, verb, namespace)
		if err == nil && have != want {
			err = fmt.Errorf("allowed is %t, want %t", have, want)
		}
		return err
	})
}

// wantCondition waits for a condition's status and reason.
func wantCondition(t *testing.T, object client.Object, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s of %s", kind, object.GetName()), func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		conditions := conditionsOf(object)
		condition := meta.FindStatusCondition(conditions, kind)
		if condition == nil || condition.Status != status || condition.Reason != reason || condition.ObservedGeneration != object.GetGeneration() {
			return fmt.Errorf("generation %d, want %s=%s (%s), have %+v", object.GetGeneration(), kind, status, reason, conditions)
		}
		return nil
	})
}

func conditionsOf(object client.Object) []metav1.Condition {
	switch object := object.(type) {
	case *v1alpha1.ClerkOrganization:
		return object.Status.Conditions
	case *v1alpha1.ClerkMember:
		return object.Status.Conditions
	case *v1alpha1.ClerkUser:
		return object.Status.Conditions
	case *v1alpha1.ClerkRole:
		return object.Status.Conditions
	case *v1alpha1.ClerkPermission:
		return object.Status.Conditions
	case *v1alpha1.ClerkSubscriptionItem:
		return object.Status.Conditions
	case *v1alpha1.ClerkOrganizationDomain:
		return object.Status.Conditions
	case *v1alpha1.ClerkInstance:
		return object.Status.Conditions
	case *v1alpha1.TenantClass:
		return object.Status.Conditions
	case *v1alpha1.ClusterGrant:
		return object.Status.Conditions
	}
	return nil
}

func wantReady(t *testing.T, object client.Object) {
	t.Helper()
	wantCondition(t, object, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if meta.FindStatusCondition(conditionsOf(object), v1alpha1.ConditionStalled) != nil {
		t.Errorf("%s is ready and stalled at once", object.GetName())
	}
}

func wantStalled(t *testing.T, object client.Object, reason, says string) {
	t.Helper()
	eventually(t, object.GetName()+" stalls", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(conditionsOf(object), v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != reason || !strings.Contains(ready.Message, says) ||
			!meta.IsStatusConditionTrue(conditionsOf(object), v1alpha1.ConditionStalled) {
			return fmt.Errorf("want reason %s and a message that says %q, have %+v", reason, says, conditionsOf(object))
		}
		return nil
	})
}

func get[T client.Object](t *testing.T, object T, namespace, name string) T {
	t.Helper()
	must(t, cluster.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object))
	return object
}
