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
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/internal/operator"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	operatorNamespace = "clerk-operator-system"

	// patience is how long anything may take on a busy machine.
	patience = 2 * time.Minute

	// pollInterval is how often a state is looked at that comes about by itself.
	pollInterval = 100 * time.Millisecond

	// parallelTests is how many tests run at once, whatever the number of cores: they wait for the API server most of the time.
	parallelTests = "16"
)

var (
	update = flag.Bool("update", false, "Write what is printed as what should be.")

	plane      *controlplane.ControlPlane
	cluster    client.Client
	kubeconfig string
)

// now is when all commands are run.
var now = time.Date(2026, time.November, 27, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = os.Unsetenv("CLERK_SIGNING_SECRET") // the README has people set it
	if err := flag.Set("test.parallel", parallelTests); err != nil {
		panic(err)
	}
	ctrl.SetLogger(zap.New(zap.WriteTo(discard{})))
	folder, err := os.MkdirTemp("", "kubectl-clerk-")
	if err != nil {
		panic(err)
	}
	people, err := writePeople(folder)
	if err != nil {
		panic(err)
	}
	controlplane.Main(m, controlplane.Options{
		CRDs: filepath.Join("..", "..", "config", "crd", "bases"), ExtraAPIServerArgs: []string{"--token-auth-file=" + people},
	}, func(ctx context.Context, cp *controlplane.ControlPlane) error {
		context.AfterFunc(ctx, func() { _ = os.RemoveAll(folder) })
		return setUp(ctx, cp, folder)
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// setUp installs what an administrator installs, and the world of the tests, and starts the operator as its own ServiceAccount.
func setUp(ctx context.Context, cp *controlplane.ControlPlane, folder string) error {
	plane = cp
	for _, args := range [][]string{
		{"apply", "--server-side", "-k", filepath.Join("..", "..", "config", "base")},
		{"apply", "--server-side", "-f", filepath.Join("testdata", "world.yaml")},
	} {
		if output, err := cp.Kubectl(ctx, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("install: %w: %s", err, output)
		}
	}
	if err := operatorproc.AllowClusterGrants(ctx, cp, "view"); err != nil {
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
	kubeconfig = filepath.Join(cp.Dir(), "kubectl-clerk.kubeconfig")
	if err := cp.Kubeconfig(kubeconfig); err != nil {
		return err
	}
	serving, err := serveMine(ctx, folder)
	if err != nil {
		return err
	}
	if receiverAt, err = freeAddress(ctx); err != nil {
		return err
	}
	config, err := cp.ServiceAccountConfig(ctx, operatorNamespace, "clerk-operator")
	if err != nil {
		return err
	}
	go func() {
		err := operator.Run(ctx, config, operator.Config{
			Namespace: operatorNamespace, ReceiverBindAddress: receiverAt, MetricsBindAddress: "0", HealthProbeBindAddress: "0",
			ClerkAPIHosts: []string{"127.0.0.1"}, TombstoneRetention: 100 * 365 * 24 * time.Hour, ClusterGrantRoles: []string{"view"},
			MeBindAddress: serving.address, MeTLSCertFile: serving.certificate, MeTLSKeyFile: serving.key,
		})
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "the operator ended:", err)
		}
	}()
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return settled(waiting)
}

// settled waits until every organization and every membership has a status, and all who should be are bound.
func settled(ctx context.Context) error {
	for {
		err := isSettled(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the operator does not settle: %w", err)
		case <-time.After(pollInterval):
		}
	}
}

func isSettled(ctx context.Context, options ...client.ListOption) error {
	var organizations v1alpha1.ClerkOrganizationList
	var members v1alpha1.ClerkMemberList
	var grants v1alpha1.ClusterGrantList
	if err := errors.Join(cluster.List(ctx, &organizations, options...), cluster.List(ctx, &members, options...),
		cluster.List(ctx, &grants, options...)); err != nil {
		return err
	}
	for _, grant := range grants.Items {
		// The API server may not have seen yet what its guard was told of the ClusterRoles.
		_, reason := condition.IsReady(grant.Status.Conditions)
		if reason == "" || reason == v1alpha1.ReasonProgressing || reason == v1alpha1.ReasonForbidden {
			return fmt.Errorf("%s is on its way", grant.Name)
		}
	}
	for _, organization := range organizations.Items {
		if len(organization.Status.Conditions) == 0 || organization.Status.Conditions[0].Reason == v1alpha1.ReasonProgressing {
			return fmt.Errorf("%s is on its way", organization.Name)
		}
	}
	for _, member := range members.Items {
		if len(member.Status.Conditions) == 0 {
			return fmt.Errorf("%s has no status", member.Name)
		}
		for _, condition := range member.Status.Conditions {
			if condition.Reason == v1alpha1.ReasonProgressing {
				return fmt.Errorf("%s is on its way", member.Name)
			}
		}
	}
	return nil
}

// result is what a command came to.
type result struct {
	out, errors string
	code        int
}

// run runs the plugin as a person would.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return runAt(t, func() time.Time { return now }, args...)
}

// runAt runs it by a clock.
func runAt(t *testing.T, clock func() time.Time, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := kubectl.Main(t.Context(), kubectl.Options{
		Streams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errs},
		Now:     clock, Version: "test",
	}, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	return result{out.String(), errs.String(), code}
}
