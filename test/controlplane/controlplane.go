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

// Package controlplane runs a real Kubernetes control plane for tests, the demo, the benchmark and "make run": etcd, kube-apiserver and
// kube-controller-manager as child processes on 127.0.0.1. Unlike with envtest the controller manager is there, so garbage collection,
// namespace deletion, aggregated ClusterRoles and quota status are real.
//
// Nothing outlives the process that called Start: see Stop for the ordinary end, newWorkDir and StartChild for every other.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// startTimeout bounds Start. It takes about 4 s on two idle cores; a machine that compiles and tests in parallel may need ten times that.
	startTimeout = 2 * time.Minute
	// pollInterval is how often a component is asked whether it is ready: far below what a component takes to start.
	pollInterval = 50 * time.Millisecond
	// probeTimeout bounds one such question, so that a server that accepts but does not answer is asked again.
	probeTimeout = 5 * time.Second
)

// errStopped is why a control plane that was stopped no longer answers.
var errStopped = errors.New("the control plane is stopped")

// ControllerManager says whether the controller manager runs.
type ControllerManager int

const (
	// WithControllerManager runs kube-controller-manager: what is deleted really goes away. The default.
	WithControllerManager ControllerManager = iota
	// WithoutControllerManager leaves it out. The start is quicker, but namespaces stay Terminating, owned objects stay behind, no
	// ServiceAccount appears by itself, aggregated ClusterRoles (admin, edit, view) are empty and ResourceQuotas get no status.
	WithoutControllerManager
)

// Scheduler says whether the scheduler runs.
type Scheduler int

const (
	// WithoutScheduler leaves it out: no pod ever gets a node. The default.
	WithoutScheduler Scheduler = iota
	// WithScheduler runs kube-scheduler.
	WithScheduler
)

// Options says how a control plane is started. The zero value is what most tests want.
type Options struct {
	// ControllerManager says whether kube-controller-manager runs; by default it does.
	ControllerManager ControllerManager
	// CRDs is a folder of CustomResourceDefinitions, installed before the controller manager starts: the garbage collector looks for new kinds
	// only every 30 s, so objects owned by a kind that comes later may outlive their owner by that long.
	CRDs string
	// Scheduler says whether kube-scheduler runs, from beside the other binaries ("hack/kubernetes/build.sh node" puts it there); it is of use
	// only where nodes are.
	Scheduler Scheduler
	// AdvertiseAddress is an IPv4 address of this machine at which pods reach the API server, and what the Service kubernetes leads to. The
	// API server then listens on every address: only for a network that nobody else is in. By default it is 127.0.0.1 alone.
	AdvertiseAddress string
	// Profiling lets the administrator take profiles of the API server, at /debug/pprof; by default nobody can.
	Profiling bool
	// ExtraAPIServerArgs come after the API server's own flags, and so override them.
	ExtraAPIServerArgs []string
	// AuditLog is the file the API server writes its audit log to, for AuditEvents; without it nothing is audited.
	AuditLog string
	// AuditPolicy is the audit policy's file; by default every request is logged without its body.
	AuditPolicy string
	// LogDir is the folder for the components' logs, one file each, and is kept; by default they go with the control plane.
	LogDir string
}

// ControlPlane is a running control plane. Start makes one; Stop ends it.
type ControlPlane struct {
	options  Options
	binaries binaries
	work     *workDir
	ports    ports
	pki      *pki
	admin    *rest.Config
	client   kubernetes.Interface
	probes   *http.Client

	// life ends, with the reason as its cause, when a component dies by itself or Stop is called.
	life context.Context
	end  context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	running map[component]*process
}

// Start starts a control plane and returns once it is ready: every health check passes and the namespace "default" is there, with its
// ServiceAccount unless the controller manager is left out. ctx bounds the start alone; after it, Stop must be called.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	cp, err := prepare(options)
	if err != nil {
		return nil, fmt.Errorf("preparing a control plane: %w", err)
	}
	if err := cp.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a control plane: %w", err), cp.Stop())
	}
	return cp, nil
}

// prepare does everything that needs no running component: binaries, folder, ports, certificates.
func prepare(options Options) (*ControlPlane, error) {
	found, err := findBinaries(options)
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{options: options, binaries: found, running: map[component]*process{}}
	cp.life, cp.end = context.WithCancelCause(context.Background())
	if cp.work, err = newWorkDir(); err != nil {
		return nil, err
	}
	if err := cp.prepareFiles(); err != nil {
		return nil, errors.Join(err, cp.Stop())
	}
	return cp, nil
}

func (cp *ControlPlane) prepareFiles() error {
	var err error
	if cp.ports, err = reservePorts(); err != nil {
		return err
	}
	if cp.pki, err = newPKI(cp.work.path, cp.options.AdvertiseAddress); err != nil {
		return err
	}
	if cp.admin, err = cp.UserConfig("admin", "system:masters"); err != nil {
		return err
	}
	if err := cp.Kubeconfig(cp.adminKubeconfig()); err != nil {
		return err
	}
	manager, err := cp.UserConfig("system:kube-controller-manager", "system:masters")
	if err != nil {
		return err
	}
	if err := WriteKubeconfig(cp.controllerManagerKubeconfig(), manager); err != nil {
		return err
	}
	scheduler, err := cp.UserConfig("system:kube-scheduler")
	if err != nil {
		return err
	}
	if err := WriteKubeconfig(cp.schedulerKubeconfig(), scheduler); err != nil {
		return err
	}
	if cp.client, err = kubernetes.NewForConfig(cp.admin); err != nil {
		return err
	}
	if cp.probes, err = rest.HTTPClientFor(cp.admin); err != nil {
		return err
	}
	return cp.prepareAudit()
}

func (cp *ControlPlane) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// The API server waits for etcd by itself, and both have enough to do before they meet.
	if err := cp.launch(etcd, cp.etcdArgs()); err != nil {
		return err
	}
	if err := cp.startAPIServer(ctx); err != nil {
		return err
	}
	if cp.options.CRDs != "" {
		if err := cp.InstallCRDs(ctx, cp.options.CRDs); err != nil {
			return err
		}
	}
	if err := cp.startControllerManager(ctx); err != nil {
		return err
	}
	return cp.startScheduler(ctx)
}

func (cp *ControlPlane) startScheduler(ctx context.Context) error {
	if cp.options.Scheduler == WithoutScheduler {
		return nil
	}
	if err := cp.launch(scheduler, cp.schedulerArgs()); err != nil {
		return err
	}
	return cp.until(ctx, "kube-scheduler to be ready", cp.probe(cp.ports.scheduler, "/readyz"))
}

func (cp *ControlPlane) startAPIServer(ctx context.Context) error {
	if err := cp.launch(apiServer, cp.apiServerArgs()); err != nil {
		return err
	}
	if err := cp.until(ctx, "kube-apiserver to be ready", cp.probe(cp.ports.apiServer, "/readyz")); err != nil {
		return err
	}
	return cp.until(ctx, "the namespace default to be created", cp.hasDefaultNamespace)
}

func (cp *ControlPlane) startControllerManager(ctx context.Context) error {
	if cp.options.ControllerManager == WithoutControllerManager {
		return nil
	}
	if err := cp.launch(controllerManager, cp.controllerManagerArgs()); err != nil {
		return err
	}
	if err := cp.until(ctx, "kube-controller-manager to be healthy", cp.probe(cp.ports.controllerManager, "/healthz")); err != nil {
		return err
	}
	// Its health check passes before its controllers work; that one of them has done something shows that they do.
	return cp.until(ctx, "the ServiceAccount default to be created", cp.hasDefaultServiceAccount)
}

// Stop ends every component and removes the temporary folder. It may be called more than once.
// Everything is killed, not asked to stop: nothing that the components hold is kept, so there is nothing to wait for.
func (cp *ControlPlane) Stop() error {
	cp.end(errStopped)
	cp.mu.Lock()
	defer cp.mu.Unlock()
	for _, p := range cp.running {
		p.kill()
	}
	clear(cp.running)
	cp.ports.release()
	if cp.probes != nil {
		cp.probes.CloseIdleConnections()
	}
	return cp.work.remove()
}

// Wait blocks until ctx ends or Stop is called, and then returns nil; when a component dies by itself before that, it says which and why.
func (cp *ControlPlane) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-cp.life.Done():
	}
	if err := context.Cause(cp.life); !errors.Is(err, errStopped) {
		return err
	}
	return nil
}

// Dir is the control plane's temporary folder. Stop removes it, so it is a good place for what should live exactly as long.
func (cp *ControlPlane) Dir() string { return cp.work.path }

// Kubectl returns kubectl with args as a command that acts as the administrator; put "--kubeconfig" among args to act as someone else.
// The person's own kubectl settings and caches are neither used nor touched.
func (cp *ControlPlane) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, cp.binaries.path("kubectl"), args...)
	command.Env = append(command.Environ(),
		"KUBECONFIG="+cp.adminKubeconfig(),
		"KUBECACHEDIR="+filepath.Join(cp.work.path, "kubectl-cache"),
		"KUBERC=off",
	)
	return command
}

// launch starts a component, unless it runs already.
func (cp *ControlPlane) launch(name component, args []string) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.life.Err() != nil {
		return context.Cause(cp.life)
	}
	if cp.running[name] != nil {
		return nil
	}
	p, err := startProcess(processSpec{
		name:   string(name),
		path:   cp.binaries.path(string(name)),
		args:   args,
		dir:    cp.work.path,
		logDir: cp.logDir(),
		died:   cp.end,
	})
	if err != nil {
		return err
	}
	cp.running[name] = p
	return nil
}

// until asks ready again and again until it answers without an error, ctx ends or a component dies.
func (cp *ControlPlane) until(ctx context.Context, what string, ready func(context.Context) error) error {
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-cp.life.Done():
			return context.Cause(cp.life)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the last answer was: %w; Options.LogDir keeps the components' logs", what, ctx.Err(), last)
		case <-time.After(pollInterval):
		}
	}
}

// probe returns a question for until: does the component at port answer path with 200?
func (cp *ControlPlane) probe(port int, path string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, localURL(port)+path, http.NoBody)
		if err != nil {
			return err
		}
		response, err := cp.probes.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s", path, response.Status)
		}
		return nil
	}
}

func (cp *ControlPlane) hasDefaultNamespace(ctx context.Context) error {
	_, err := cp.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

func (cp *ControlPlane) hasDefaultServiceAccount(ctx context.Context) error {
	_, err := cp.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func (cp *ControlPlane) logDir() string {
	if cp.options.LogDir != "" {
		return cp.options.LogDir
	}
	return filepath.Join(cp.work.path, "logs")
}
