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

package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// exitInterrupted is the exit code after Ctrl-C or SIGTERM, as shells have it.
const exitInterrupted = 128 + int(syscall.SIGINT)

// Main is the body of a package's TestMain: it starts a control plane, hands it to setup, runs the tests, stops the control plane and exits
// with the tests' code. Ctrl-C and SIGTERM stop the control plane too. m is a *testing.M; setup may be nil.
//
//	var cluster *controlplane.ControlPlane
//
//	func TestMain(m *testing.M) {
//		controlplane.Main(m, controlplane.Options{}, func(_ context.Context, cp *controlplane.ControlPlane) error { cluster = cp; return nil })
//	}
func Main(m interface{ Run() int }, options Options, setup func(context.Context, *ControlPlane) error) {
	os.Exit(mainCode(m, options, setup))
}

func mainCode(m interface{ Run() int }, options Options, setup func(context.Context, *ControlPlane) error) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cp, err := Start(ctx, options)
	if err != nil {
		return complain(err)
	}
	defer func() {
		if err := cp.Stop(); err != nil {
			code = max(code, complain(err))
		}
	}()
	if setup != nil {
		if err := setup(ctx, cp); err != nil {
			return complain(fmt.Errorf("setting up the tests: %w", err))
		}
	}
	finished := make(chan int, 1)
	go func() { finished <- m.Run() }()
	select {
	case code := <-finished:
		return code
	case <-ctx.Done():
		return exitInterrupted
	}
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
