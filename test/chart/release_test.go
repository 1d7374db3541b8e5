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

package chart_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// instanceCRD is the kind that the older chart of this test knows less of.
const instanceCRD = "clerkinstances.clerk-operator.io"

// A release from its first day to its last, with an operator that works all the while: an older chart is installed, upgraded with other
// values and newer kinds, rolled back, uninstalled and installed again. Tenants notice nothing of it.
func TestAReleaseLivesAndGoesWithoutATrace(t *testing.T) {
	t.Parallel()
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	life := &lifetime{t: t, plane: cp}
	if life.cluster, err = operatorproc.NewClient(cp); err != nil {
		t.Fatal(err)
	}
	if err := apiextensionsv1.AddToScheme(life.cluster.Scheme()); err != nil {
		t.Fatal(err)
	}

	// What is there before, and has nothing to do with the operator.
	before := life.inventory()

	mustHelm(t, cp, "install", release, olderChart(t), "-n", namespace, "--create-namespace", "--set", oneCommand())
	if life.knows("instanceID") {
		t.Fatal("the older chart's kinds are not older")
	}
	instance := life.instance()

	operator := startOperator(t, cp)
	n := newTenant("lifetime")
	deliver(t, operator, clerktest.MembershipCreated(n.membership))
	waitForAccess(t, life.cluster, n, true)

	life.upgrade(instance)
	life.rollBack(instance)

	// The operator still runs while its release goes, as its pods would.
	mustHelm(t, cp, "uninstall", release, "-n", namespace)
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
	life.wantTenant(n)
	life.wantNothingLeft(before)

	// And it comes back to what it left.
	mustHelm(t, cp, "install", release, chart, "-n", namespace, "--set", oneCommand())
	operator = startOperator(t, cp)
	deliver(t, operator, clerktest.MembershipDeleted(n.membership, n.membership.UpdatedAt))
	waitForAccess(t, life.cluster, n, false)

	// Who wants all access to end deletes the RoleBindings, and then the kinds; what tenants made stays.
	n.membership.ID = clerktest.RandomID("orgmem")
	deliver(t, operator, clerktest.MembershipCreated(n.membership))
	waitForAccess(t, life.cluster, n, true)
	if err := operator.Stop(); err != nil {
		t.Error(err)
	}
	mustHelm(t, cp, "uninstall", release, "-n", namespace)
	output, err := cp.Kubectl(t.Context(), "delete", "rolebindings", "--all-namespaces",
		"-l", "app.kubernetes.io/managed-by=clerk-operator,clerk-operator.io/organization-id").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	waitForAccess(t, life.cluster, n, false)
	life.deleteKinds()
	var ns corev1.Namespace
	life.get("", n.namespace(), &ns)
	if ns.DeletionTimestamp != nil {
		t.Error("the namespace goes with the kinds")
	}
}

// lifetime is what a release is seen by.
type lifetime struct {
	t       *testing.T
	plane   *controlplane.ControlPlane
	cluster client.Client
}

func (l *lifetime) upgrade(before *v1alpha1.ClerkInstance) {
	l.t.Helper()
	// The new field of the new kind is in the same upgrade as the kind.
	mustHelm(l.t, l.plane, "upgrade", release, chart, "-n", namespace, "--set", oneCommand(),
		"--set", "instances.default.instanceID=ins_new,replicas=3,service.port=80,exposure.host=a.example,exposure.ingress.enabled=true,"+
			"flowControl.enabled=true")
	if !l.knows("instanceID") {
		l.t.Error("the upgrade did not bring the new kinds")
	}
	after := l.instance()
	if after.UID != before.UID || after.Spec.InstanceID != "ins_new" {
		l.t.Errorf("the ClerkInstance was made anew, or is not upgraded: %v, %q", after.UID != before.UID, after.Spec.InstanceID)
	}
	var deployment appsv1.Deployment
	l.get(namespace, release, &deployment)
	if *deployment.Spec.Replicas != 3 {
		l.t.Errorf("%d replicas, want 3", *deployment.Spec.Replicas)
	}
	var service corev1.Service
	l.get(namespace, release, &service)
	if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 80 {
		l.t.Errorf("the Service has the ports %v, want 80", service.Spec.Ports)
	}
	history := mustHelm(l.t, l.plane, "get", "hooks", release, "-n", namespace)
	for _, crd := range l.crds() {
		if !strings.Contains(history, crd.Name) {
			l.t.Errorf("the upgrade did not care for %s", crd.Name)
		}
	}
}

func (l *lifetime) rollBack(before *v1alpha1.ClerkInstance) {
	l.t.Helper()
	mustHelm(l.t, l.plane, "rollback", release, "1", "-n", namespace)
	if !l.knows("instanceID") {
		l.t.Error("the rollback took fields away from the kinds, and what objects have in them")
	}
	if after := l.instance(); after.UID != before.UID || after.Spec.InstanceID != "" {
		l.t.Errorf("the ClerkInstance was made anew, or is not rolled back: %v, %q", after.UID != before.UID, after.Spec.InstanceID)
	}
}

// wantTenant checks that a tenant has what it had.
func (l *lifetime) wantTenant(n tenant) {
	l.t.Helper()
	waitForAccess(l.t, l.cluster, n, true)
	var ns corev1.Namespace
	l.get("", n.namespace(), &ns)
	var organizations v1alpha1.ClerkOrganizationList
	var members v1alpha1.ClerkMemberList
	l.list(&organizations)
	l.list(&members)
	if ns.DeletionTimestamp != nil || len(organizations.Items) != 1 || len(members.Items) != 1 {
		l.t.Errorf("the namespace is being deleted: %t; %d organizations and %d members, want one each",
			ns.DeletionTimestamp != nil, len(organizations.Items), len(members.Items))
	}
	for _, object := range []client.Object{&organizations.Items[0], &members.Items[0]} {
		if object.GetDeletionTimestamp() != nil || len(object.GetFinalizers()) > 0 {
			l.t.Errorf("%s is stuck: finalizers %v", object.GetName(), object.GetFinalizers())
		}
	}
}

// wantNothingLeft checks that of the release itself nothing is there any more but the kinds and the namespace, which hold what is yours.
func (l *lifetime) wantNothingLeft(before []string) {
	l.t.Helper()
	shipped, err := filepath.Glob(filepath.Join(chart, "crds", "*.yaml"))
	if crds := l.crds(); err != nil || len(crds) != len(shipped) {
		l.t.Errorf("%d kinds are kept, want %d (%v)", len(crds), len(shipped), err)
	}
	eventually(l.t, func() error {
		var left []string
		for _, name := range l.inventory() {
			if !slices.Contains(before, name) {
				left = append(left, name)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		return nil
	})
}

// inventory lists what a release may have made: every object of the kinds that the chart has, but those of tenants.
func (l *lifetime) inventory() []string {
	l.t.Helper()
	kinds := []metav1.GroupVersionKind{
		{Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ServiceAccount"},
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		{Group: "scheduling.k8s.io", Version: "v1", Kind: "PriorityClass"},
		{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Kind: "FlowSchema"},
		{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Kind: "PriorityLevelConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
		{Group: "clerk-operator.io", Version: "v1alpha1", Kind: "ClerkInstance"},
		{Group: "clerk-operator.io", Version: "v1alpha1", Kind: "TenantClass"},
	}
	var names []string
	for _, kind := range kinds {
		var list unstructured.UnstructuredList
		list.SetAPIVersion(strings.TrimPrefix(kind.Group+"/"+kind.Version, "/"))
		list.SetKind(kind.Kind + "List")
		err := l.cluster.List(l.t.Context(), &list)
		if err != nil && !apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "no matches for kind") {
			l.t.Fatal(err)
		}
		for i := range list.Items {
			_, tenants := list.Items[i].GetLabels()[v1alpha1.OrganizationIDLabel]
			isDefault := kind.Kind == "ServiceAccount" && list.Items[i].GetName() == "default" // every namespace has one
			if !tenants && !isDefault {
				names = append(names, kind.Kind+" "+list.Items[i].GetNamespace()+"/"+list.Items[i].GetName())
			}
		}
	}
	return names
}

func (l *lifetime) deleteKinds() {
	l.t.Helper()
	for _, crd := range l.crds() {
		if err := l.cluster.Delete(l.t.Context(), &crd); err != nil {
			l.t.Fatal(err)
		}
	}
	eventually(l.t, func() error {
		var all apiextensionsv1.CustomResourceDefinitionList
		l.list(&all)
		for _, crd := range all.Items {
			if crd.Spec.Group == v1alpha1.GroupVersion.Group {
				return fmt.Errorf("%s is still there", crd.Name)
			}
		}
		return nil
	})
}

func (l *lifetime) get(namespace, name string, object client.Object) {
	l.t.Helper()
	if err := l.cluster.Get(l.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lifetime) list(list client.ObjectList) {
	l.t.Helper()
	if err := l.cluster.List(l.t.Context(), list); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lifetime) instance() *v1alpha1.ClerkInstance {
	l.t.Helper()
	var instance v1alpha1.ClerkInstance
	l.get("", "default", &instance)
	return &instance
}

func (l *lifetime) crds() []apiextensionsv1.CustomResourceDefinition {
	l.t.Helper()
	var all apiextensionsv1.CustomResourceDefinitionList
	l.list(&all)
	return slices.DeleteFunc(all.Items, func(crd apiextensionsv1.CustomResourceDefinition) bool {
		return crd.Spec.Group != v1alpha1.GroupVersion.Group || crd.DeletionTimestamp != nil
	})
}

// knows tells whether the ClerkInstances in the cluster have a field in their spec.
func (l *lifetime) knows(field string) bool {
	l.t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	l.get("", instanceCRD, &crd)
	_, known := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties[field]
	return known
}

// olderChart is this chart as it might have been before: another version, and a ClerkInstance without the field instanceID. It is packed.
func olderChart(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	older := filepath.Join(folder, "clerk-operator")
	if err := os.CopyFS(older, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	crd := filepath.Join(older, "crds", "clerk-operator.io_clerkinstances.yaml")
	content, err := os.ReadFile(crd)
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(content, &definition); err != nil {
		t.Fatal(err)
	}
	delete(definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties, "instanceID")
	versions := definition.Spec.Versions
	// Rules that speak of the field, or of the status's like it, were not there before it either.
	schema := versions[0].Schema.OpenAPIV3Schema
	schema.XValidations = slices.DeleteFunc(schema.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
		return strings.Contains(rule.Rule, "instanceID")
	})
	versions[0].AdditionalPrinterColumns = slices.DeleteFunc(versions[0].AdditionalPrinterColumns,
		func(column apiextensionsv1.CustomResourceColumnDefinition) bool {
			return strings.Contains(column.JSONPath, "instanceID")
		})
	if content, err = json.Marshal(definition); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(crd, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := helm(context.WithoutCancel(t.Context()), plane, "package", older, "--version", "0.0.1", "--app-version", "0.0.1", "-d", folder); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "clerk-operator-0.0.1.tgz")
}
