//go:build linux

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

package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/node"
)

const (
	// askedVariable has to be set for these tests to do anything: make e2e sets it, after it has built what they need.
	askedVariable = "CLERK_OPERATOR_E2E"
	// imageVariable names the operator's image in the cluster of KUBECONFIG.
	imageVariable = "CLERK_OPERATOR_E2E_IMAGE"

	// operatorImage and pauseImage are the names in the archives that make e2e builds: the first as docs/tutorials/kind.md says.
	operatorImage = "localhost/clerk-operator:0.1.0"
	pauseImage    = "localhost/pause:e2e"

	// exitInterrupted is the exit code after Ctrl-C, as shells have it.
	exitInterrupted = 130
)

// cluster is where everything here happens; skipped says why it does not.
var (
	cluster *world
	skipped string
)

// world is a cluster with a node, and who looks at it.
type world struct {
	root       string
	kubeconfig string // the administrator's
	config     *rest.Config
	client     client.Client
	clientset  kubernetes.Interface
	// image is the operator's, in the cluster.
	image string
	// own is true where the node is ours: there is an identity provider, pods are reached at their addresses, and processes can be killed.
	own    bool
	issuer *issuer
	began  time.Time
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(askedVariable) == "" {
		skipped = "run make e2e, which builds what this needs and sets " + askedVariable
		return m.Run()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if path := os.Getenv("KUBECONFIG"); path != "" && !node.Inside() {
		return runTests(ctx, m, func() (*world, error) { return existing(path) })
	}
	if node.Inside() {
		return runTests(ctx, m, func() (*world, error) { return own(ctx) })
	}
	packages, err := prepare(ctx)
	if err != nil {
		skipped = err.Error()
		return m.Run()
	}
	code, err := node.Enter(packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// prepare says by an error why there can be no node here.
func prepare(ctx context.Context) (packages string, err error) {
	if reason := node.Missing(); reason != "" {
		return "", errors.New(reason)
	}
	return node.Packages(ctx)
}

func runTests(ctx context.Context, m *testing.M, bringUp func() (*world, error)) int {
	finished := make(chan int, 1)
	go func() {
		began := time.Now()
		w, err := bringUp()
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			finished <- 1
			return
		}
		fmt.Printf("e2e: the cluster is there after %s\n", since(began))
		cluster = w
		finished <- m.Run()
	}()
	select {
	case code := <-finished:
		return code
	case <-ctx.Done():
		return exitInterrupted
	}
}

// own brings up a control plane and a node in this box. Neither is stopped: they end with the box.
func own(ctx context.Context) (*world, error) {
	root, err := controlplane.Root()
	if err != nil {
		return nil, err
	}
	idp, err := startIssuer(ctx)
	if err != nil {
		return nil, fmt.Errorf("start the identity provider: %w", err)
	}
	authentication := filepath.Join(node.Folder(), "authentication.yaml")
	if err := idp.writeAuthenticationConfiguration(root, authentication); err != nil {
		return nil, err
	}
	logs := filepath.Join(root, "bin", "e2e-logs")
	if err := os.RemoveAll(logs); err != nil {
		return nil, err
	}
	cp, err := controlplane.Start(ctx, controlplane.Options{
		Scheduler: controlplane.WithScheduler, AdvertiseAddress: node.Address, LogDir: logs,
		ExtraAPIServerArgs: []string{
			"--authentication-config=" + authentication,
			"--enable-admission-plugins=NodeRestriction",
			"--kubelet-preferred-address-types=InternalIP", // Nobody resolves the node's name.
		},
	})
	if err != nil {
		return nil, err
	}
	images := node.Images{
		Pause:    pauseImage,
		Archives: []string{filepath.Join(root, "bin", "e2e", "pause.tar"), filepath.Join(root, "bin", "clerk-operator-image.tar")},
	}
	if _, err := node.Start(ctx, cp, images, logs); err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	path := filepath.Join(node.Folder(), "admin.kubeconfig")
	if err := cp.Kubeconfig(path); err != nil {
		return nil, err
	}
	w, err := newWorld(root, path, cp.Config())
	if err != nil {
		return nil, err
	}
	w.own, w.issuer, w.image = true, idp, operatorImage
	return w, nil
}

// existing is the cluster of a kubeconfig. What needs a hand on its API server or node is skipped there.
func existing(path string) (*world, error) {
	root, err := controlplane.Root()
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	w, err := newWorld(root, path, config)
	if err != nil {
		return nil, err
	}
	if w.image = os.Getenv(imageVariable); !strings.Contains(w.image, ":") {
		return nil, fmt.Errorf("set %s to the name and tag of an image that the nodes of this cluster can pull or have", imageVariable)
	}
	return w, nil
}

func newWorld(root, path string, config *rest.Config) (*world, error) {
	config.WarningHandler = rest.NoWarnings{} // The test of what is stuck looks at every kind, also at deprecated ones.
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &world{root: root, kubeconfig: path, config: config, client: made, clientset: clientset, began: time.Now()}, nil
}

func since(start time.Time) time.Duration { return time.Since(start).Round(10 * time.Millisecond) }
