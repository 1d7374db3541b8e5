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

// Package examples_test applies every example of the documentation to a real API server, and serves organizations by their TenantClasses.
package examples_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	// patience bounds every wait for a state. What is waited for takes about a second on an idle machine.
	patience = 2 * time.Minute
)

var (
	plane   *controlplane.ControlPlane
	cluster client.Client
	secret  string
	// root is the repository's folder, folder the one of the examples.
	root, folder string
	// unchecked has, by the folder of an example, why the kinds of another project that it uses are not there.
	unchecked map[string]error
)

func TestMain(m *testing.M) { controlplane.Main(m, controlplane.Options{}, setUp) }

func setUp(ctx context.Context, cp *controlplane.ControlPlane) (err error) {
	plane = cp
	if root, err = controlplane.Root(); err != nil {
		return err
	}
	folder = filepath.Join(root, "examples")
	if secret, err = operatorproc.Install(ctx, cp); err != nil {
		return err
	}
	if cluster, err = operatorproc.NewClient(cp); err != nil {
		return err
	}
	for _, namespace := range []string{"argocd", "flux-system"} { // where the examples put things
		if err := cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			return err
		}
	}
	unchecked, err = installOthersCRDs(ctx)
	return err
}

// examples are the names of the folders.
func examples(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		t.Fatal("no examples")
	}
	return names
}

// mustKubectl runs kubectl as the administrator.
func mustKubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := plane.Kubectl(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", args, err, output)
	}
	return string(output)
}

// startOperator runs the operator until the test ends, and returns who delivers to it.
func startOperator(t *testing.T) clerktest.Sender {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), plane, operatorproc.Options{LogDir: t.TempDir(), Died: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			there, _ := plane.Kubectl(context.Background(), "get", "tenantclasses,clerkorganizations,clerkmembers", "-o", "wide").CombinedOutput()
			t.Logf("%s\nthe end of the operator's log:\n%s", there, operator.LogTail())
		}
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	})
	return operator.Sender(operatorproc.Instance, secret)
}

// deliver sends an event, which has to be accepted.
func deliver(t *testing.T, sender clerktest.Sender, event clerktest.Event) {
	t.Helper()
	status, answer, err := sender.Deliver(t.Context(), clerktest.RandomID("msg"), event)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("the delivery is answered %d %q: %v", status, answer, err)
	}
}

// eventually waits until look finds nothing to complain of.
func eventually(t *testing.T, look func() error) {
	t.Helper()
	wait.Within(t, patience, "waiting", func(context.Context) error { return look() })
}
