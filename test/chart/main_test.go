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
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	// release and namespace are what the documentation uses.
	release   = "clerk-operator"
	namespace = operatorproc.Namespace

	// image names one that a cluster could pull; without it the chart refuses to be installed.
	image = "image.repository=registry.example.com/clerk-operator"

	// patience bounds every wait for a state. What is waited for takes under a second on an idle machine.
	patience = 2 * time.Minute
	// pollInterval is how often the state is looked at.
	pollInterval = 50 * time.Millisecond
)

var (
	// plane is a control plane in which the chart is installed by the one command of the documentation.
	plane *controlplane.ControlPlane
	// cluster is its administrator.
	cluster client.Client
	// signingSecret is that of the ClerkInstance "default".
	signingSecret = clerktest.NewSecret()
	// chart is the chart's folder, helmBinary the helm that make helm builds.
	chart, helmBinary string
)

// oneCommand are the values that the documentation's one command sets.
func oneCommand() string { return image + ",clerk.signingSecret=" + signingSecret }

func TestMain(m *testing.M) { controlplane.Main(m, controlplane.Options{}, setUp) }

func setUp(ctx context.Context, cp *controlplane.ControlPlane) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	plane, chart, helmBinary = cp, filepath.Join(root, "charts", "clerk-operator"), filepath.Join(root, "bin", "helm")
	if _, err := os.Stat(helmBinary); err != nil {
		return fmt.Errorf("no helm: %w: run make helm", err)
	}
	if err := installOthersCRDs(ctx, cp, root); err != nil {
		return err
	}
	if cluster, err = operatorproc.NewClient(cp); err != nil {
		return err
	}
	_, err = helm(ctx, cp, "install", release, chart, "-n", namespace, "--create-namespace", "--set", oneCommand())
	if err != nil {
		return err
	}
	return guarded(ctx, cp)
}

// guarded waits until the API server enforces every guard: it learns of a new one after a moment. The last one made is asked for, with
// what it refuses and nothing else would.
func guarded(ctx context.Context, cp *controlplane.ControlPlane) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		attempt := cp.Kubectl(ctx, "create", "namespace", "guarded", "--dry-run=server",
			"--as=system:serviceaccount:"+namespace+":"+operatorproc.ServiceAccount)
		if output, err := attempt.CombinedOutput(); err != nil && bytes.Contains(output, []byte("clerk-operator-tenants-only")) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no guard is enforced: %w", ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// othersCRDs are the kinds of other projects that the chart can make, by module and path. They are read where Go keeps the modules.
var othersCRDs = map[string][]string{
	"sigs.k8s.io/gateway-api": {
		"config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
		"config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml",
		"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
	},
	"github.com/cert-manager/cert-manager": {"deploy/crds/cert-manager.io_certificaterequests.yaml", "deploy/crds/cert-manager.io_certificates.yaml"},
	"github.com/prometheus-operator/prometheus-operator": {
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
	},
}

func installOthersCRDs(ctx context.Context, cp *controlplane.ControlPlane, root string) error {
	for module, files := range othersCRDs {
		command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
		command.Dir = filepath.Join(root, "hack", "chart")
		output, err := command.Output()
		if err != nil {
			return fmt.Errorf("find the module %s: %w\n%s", module, err, output)
		}
		var found struct{ Dir string }
		if err := json.Unmarshal(output, &found); err != nil {
			return err
		}
		for _, file := range files {
			if err := cp.InstallCRDs(ctx, filepath.Join(found.Dir, filepath.FromSlash(file))); err != nil {
				return err
			}
		}
	}
	return nil
}

// helm runs helm as the administrator of a control plane, with no settings but its own.
func helm(ctx context.Context, cp *controlplane.ControlPlane, args ...string) (string, error) {
	home := filepath.Join(cp.Dir(), "helm")
	kubeconfig := filepath.Join(home, "kubeconfig")
	if err := cp.Kubeconfig(kubeconfig); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, helmBinary, args...)
	command.Env = []string{
		"HOME=" + home, "KUBECONFIG=" + kubeconfig,
		"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
	}
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("helm %s: %w\n%s%s", args[0], err, problems.Bytes(), output.Bytes())
	}
	return output.String(), nil
}

// mustHelm is helm where it has to succeed.
func mustHelm(t *testing.T, cp *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	output, err := helm(t.Context(), cp, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// eventually waits until look finds nothing to complain of.
func eventually(t *testing.T, look func() error) {
	t.Helper()
	wait.Within(t, patience, "waiting", func(context.Context) error { return look() })
}
