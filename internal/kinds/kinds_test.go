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

package kinds_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kinds"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		_, err := operatorproc.Install(ctx, cp)
		return err
	})
}

// With the operator's own rights: kinds as they are installed are of this version; one of another is told, and no longer when it is mended.
func TestAKindOfAnotherVersionIsTold(t *testing.T) {
	config, err := plane.ServiceAccountConfig(t.Context(), operatorproc.Namespace, operatorproc.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	live, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	watcher := kinds.NewWatcher(live)
	expect(t, watcher, "")

	const name = "clerkmembers.clerk-operator.io"
	current := annotate(t, name, "0123456789abcdef")
	expect(t, watcher, name)
	annotate(t, name, "") // as the kinds of versions before the annotation
	expect(t, watcher, name)
	annotate(t, name, current)
	expect(t, watcher, "")
}

// With the operator's own rights: while a kind is of another version, each ClerkInstance says which, and what others say of it stays.
func TestEachClerkInstanceSaysWhichKindsAreStale(t *testing.T) {
	config, err := plane.ServiceAccountConfig(t.Context(), operatorproc.Namespace, operatorproc.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	status := clerkac.ClerkInstanceStatus().WithConditions(metav1ac.Condition().WithType(v1alpha1.ConditionReady).WithStatus(metav1.ConditionTrue).
		WithReason(v1alpha1.ReasonReady).WithMessage("by the controller").WithLastTransitionTime(metav1.Now()))
	ready := clerkac.ClerkInstance(operatorproc.Instance).WithStatus(status)
	if err := c.Status().Apply(t.Context(), ready, client.FieldOwner("clerk-operator")); err != nil {
		t.Fatal(err)
	}
	reporter := &kinds.Reporter{Client: c, Live: c}
	says := func(want string) (version string) {
		t.Helper()
		if err := reporter.Report(t.Context()); err != nil {
			t.Fatal(err)
		}
		var instance v1alpha1.ClerkInstance
		if err := c.Get(t.Context(), client.ObjectKey{Name: operatorproc.Instance}, &instance); err != nil {
			t.Fatal(err)
		}
		if !meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionReady) {
			t.Errorf("the condition of somebody else is gone: %+v", instance.Status.Conditions)
		}
		said := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionKindsStale)
		if (said != nil) != (want != "") || said != nil && !strings.Contains(said.Message, want) {
			t.Fatalf("the ClerkInstance says %+v, want %q", said, want)
		}
		return instance.ResourceVersion
	}
	before := says("")
	const name = "clerkusers.clerk-operator.io"
	current := annotate(t, name, "0123456789abcdef")
	first := says(name)
	if first == before || says(name) != first {
		t.Error("what is said already is written again, or nothing was written")
	}
	annotate(t, name, current)
	if repaired := says(""); says("") != repaired {
		t.Error("that all is well is written again")
	}
}

// expect looks, and wants one kind to be stale, or none.
func expect(t *testing.T, watcher *kinds.Watcher, stale string) {
	t.Helper()
	var want []string
	if stale != "" {
		want = []string{stale}
	}
	if got := watcher.Look(t.Context()); !slices.Equal(got, want) {
		t.Fatalf("stale are %v, want %v", got, want)
	}
	if count := testutil.CollectAndCount(metrics.StaleKinds); count != 12 {
		t.Errorf("the metric has %d kinds, want all 12", count)
	}
	for _, name := range []string{"clerkmembers.clerk-operator.io", "tenantclasses.clerk-operator.io"} {
		want := 0.0
		if name == stale {
			want = 1
		}
		if got := testutil.ToFloat64(metrics.StaleKinds.WithLabelValues(name)); got != want {
			t.Errorf("the metric says %v of %s, want %v", got, name, want)
		}
	}
}

// annotate gives a kind another checksum, or none, and returns the one that it had.
func annotate(t *testing.T, name, checksum string) (before string) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	administrator, err := client.New(plane.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := administrator.Get(t.Context(), client.ObjectKey{Name: name}, &crd); err != nil {
		t.Fatal(err)
	}
	before = crd.Annotations[kinds.Annotation]
	if crd.Annotations[kinds.Annotation] = checksum; checksum == "" {
		delete(crd.Annotations, kinds.Annotation)
	}
	if err := administrator.Update(t.Context(), &crd); err != nil {
		t.Fatal(err)
	}
	return before
}
