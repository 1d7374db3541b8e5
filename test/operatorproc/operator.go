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

// Package operatorproc installs the operator into a control plane and runs it there as it runs anywhere: the real binary, as its own
// ServiceAccount with no rights but those of config/rbac, with leader election.
package operatorproc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// readyTimeout bounds the start. It takes about a second; a machine that compiles and tests in parallel may need far more.
	readyTimeout = 2 * time.Minute
	// stopTimeout is how long a stopping operator may take: its own 30 s to drain, and a little.
	stopTimeout = 35 * time.Second
	// probeTimeout bounds one question for its readiness.
	probeTimeout = 2 * time.Second
)

// Options says how an operator is started. The zero value is one replica with ports of its own.
type Options struct {
	// Name tells replicas apart, and names their logs; "clerk-operator" by default.
	Name string
	// ReceiverBindAddress is where deliveries come in; by default a free port of 127.0.0.1.
	ReceiverBindAddress string
	// LogDir is the folder of the log; by default it goes with the control plane.
	LogDir string
	// Args are further flags of the operator.
	Args []string
	// Profiling serves the Go runtime's profiles: see ProfilesURL.
	Profiling bool
	// Died, where set, is called if the operator ends without having been stopped.
	Died func(error)
}

// Operator is one running replica. Start makes one; Stop ends it.
type Operator struct {
	program                   *controlplane.Program
	receiver, metrics, health string
	profiles                  string // empty where none are served
}

// Start starts bin/clerk-operator and returns once it is ready: it receives deliveries, whether or not it is the elected one.
func Start(ctx context.Context, cp *controlplane.ControlPlane, options Options) (*Operator, error) {
	o, err := launch(ctx, cp, options)
	if err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	if err := o.untilReady(ctx); err != nil {
		o.program.Kill()
		return nil, fmt.Errorf("start the operator: %w; the end of its log:\n%s", err, o.LogTail())
	}
	return o, nil
}

func launch(ctx context.Context, cp *controlplane.ControlPlane, options Options) (*Operator, error) {
	if options.Name == "" {
		options.Name = "clerk-operator"
	}
	binary, err := findBinary()
	if err != nil {
		return nil, err
	}
	kubeconfig, err := writeKubeconfig(ctx, cp, options.Name)
	if err != nil {
		return nil, err
	}
	o := &Operator{receiver: options.ReceiverBindAddress}
	for _, address := range []*string{&o.receiver, &o.metrics, &o.health} {
		if *address != "" {
			continue
		}
		if *address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	if options.Profiling {
		if o.profiles, err = freeAddress(ctx); err != nil {
			return nil, err
		}
		options.Args = append([]string{"--pprof-bind-address=" + o.profiles}, options.Args...)
	}
	o.program, err = cp.StartProgram(controlplane.ProgramSpec{
		Name: options.Name,
		Path: binary,
		Args: append([]string{
			"--kubeconfig=" + kubeconfig,
			"--namespace=" + Namespace,
			"--leader-elect",
			"--clerk-api-hosts=127.0.0.1", // where the fake of Clerk's API is
			"--receiver-bind-address=" + o.receiver,
			"--metrics-bind-address=" + o.metrics,
			"--health-probe-bind-address=" + o.health,
		}, options.Args...),
		LogDir: options.LogDir,
		Died:   options.Died,
	})
	return o, err
}

func findBinary() (string, error) {
	root, err := controlplane.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "clerk-operator")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no operator to run: %w: run make build", err)
	}
	return path, nil
}

func writeKubeconfig(ctx context.Context, cp *controlplane.ControlPlane, name string) (string, error) {
	config, err := cp.ServiceAccountConfig(ctx, Namespace, ServiceAccount)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cp.Dir(), name+".kubeconfig")
	return path, controlplane.WriteKubeconfig(path, config)
}

// untilReady waits until the operator says that it is ready, or ends.
func (o *Operator) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := o.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-o.program.Done():
			return errors.New("it ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w: %w", ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}

func (o *Operator) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.health+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answered %s", response.Status)
	}
	return nil
}

// Sender is Clerk, as the endpoint of a ClerkInstance sees it.
func (o *Operator) Sender(instance, signingSecret string) clerktest.Sender {
	return clerktest.Sender{URL: o.URL(instance), Secret: signingSecret}
}

// URL is where the deliveries for a ClerkInstance come in.
func (o *Operator) URL(instance string) string {
	return "http://" + o.receiver + "/webhooks/" + instance
}

// MetricsURL is where its metrics are, over HTTPS with a certificate that nobody has signed.
func (o *Operator) MetricsURL() string { return "https://" + o.metrics + "/metrics" }

// ProfilesURL is where its profiles are, where Options.Profiling asked for them.
func (o *Operator) ProfilesURL() string { return "http://" + o.profiles + "/debug/pprof/" }

// LogFile is the file with all that it logs.
func (o *Operator) LogFile() string { return o.program.LogFile() }

// LogTail is the end of its log, indented.
func (o *Operator) LogTail() string { return o.program.LogTail() }

// PID is the id of its process.
func (o *Operator) PID() int { return o.program.PID() }

// Stop lets the operator answer what it has begun, and ends it.
func (o *Operator) Stop() error { return o.program.Stop(stopTimeout) }

// Done is closed when the operator has ended.
func (o *Operator) Done() <-chan struct{} { return o.program.Done() }

// Pause stops the operator where it is, as a machine that hangs would, until resume: its connections stay, and it answers nothing.
func (o *Operator) Pause() (resume func()) { return o.program.Pause() }

// Kill ends the operator at once, as a crash would.
func (o *Operator) Kill() { o.program.Kill() }

const (
	// firstPort and lastPort bound the ports that are tried: below those that Linux and macOS give to outgoing connections, so that the
	// only one who could come in between is another test that picks the same.
	firstPort, lastPort = 20000, 32767
	// portAttempts is how many are tried.
	portAttempts = 100
)

// given are the ports that were found so far: no two operators of a process get the same one.
var given sync.Map

// freeAddress is a free port of 127.0.0.1, each time another one.
func freeAddress(ctx context.Context) (string, error) {
	var problem error
	for range portAttempts {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort+1)))
		if _, isGiven := given.LoadOrStore(address, true); isGiven {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", address)
		if err == nil {
			return address, listener.Close()
		}
		problem = err
	}
	return "", fmt.Errorf("find a free port on 127.0.0.1: %w", problem)
}
