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

// Command run brings up a Kubernetes control plane and the operator in it, says how to use them, shows the operator's log and stays until
// Ctrl-C. Deliveries come in at $RECEIVER_BIND_ADDRESS. With CLERK_SECRET_KEY or CLERK_SIGNING_SECRET it hears a Clerk application of
// yours; with CLERK_SINK_SIGNING_SECRET and a target it hands its events on. Run it with "make run".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	addressVariable = "RECEIVER_BIND_ADDRESS"
	defaultAddress  = "127.0.0.1:8090"
)

const (
	// logFolder is where all logs are, in the repository's folder.
	logFolder = "bin/run-logs"
	// followInterval is how often the operator's log is looked at for more.
	followInterval = 200 * time.Millisecond
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run() error {
	interrupted, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	// A second Ctrl-C ends this process at once; the kernel ends its children.
	context.AfterFunc(interrupted, restore)

	clerk, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if err := forgetSettings(); err != nil {
		return err
	}
	address, err := bindAddress(interrupted)
	if err != nil {
		return err
	}
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	session := session{
		root: root, address: address, clerk: clerk, out: os.Stdout, log: os.Stderr,
		logs: filepath.Join(root, logFolder), kubeconfig: filepath.Join(root, "bin", "kubeconfig"),
	}
	if err := session.serve(interrupted); err != nil {
		return err
	}
	fmt.Println("Everything is stopped.")
	return nil
}

// bindAddress is where deliveries are to come in. That somebody else is there is found out before anything is started.
func bindAddress(ctx context.Context) (string, error) {
	address := os.Getenv(addressVariable)
	if address == "" {
		address = defaultAddress
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%s is %q, which is no host:port: %w", addressVariable, address, err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", fmt.Errorf("%s is %q: its port has to be a number from 1 to 65535", addressVariable, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("cannot receive deliveries at %s: %w: end who is there, or set %s to another host:port",
			address, err, addressVariable)
	}
	return address, listener.Close()
}

// session is one run: where everything of it is, and what it hears.
type session struct {
	root, address    string
	logs, kubeconfig string
	clerk            settings
	out, log         io.Writer
}

// serve brings everything up, stays, and takes everything down.
func (s session) serve(interrupted context.Context) (err error) {
	if err := os.RemoveAll(s.logs); err != nil { // of the last time
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nall logs are in %s", err, s.logs)
		}
	}()
	ctx, end := context.WithCancelCause(interrupted)
	defer end(nil)

	fmt.Fprintln(s.out, "Starting etcd, kube-apiserver and kube-controller-manager …")
	cp, err := controlplane.Start(ctx, controlplane.Options{CRDs: filepath.Join(s.root, "config", "crd", "bases"), LogDir: s.logs})
	if err != nil {
		return unlessEnded(interrupted, err)
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	if err := cp.Kubeconfig(s.kubeconfig); err != nil {
		return err
	}
	// It leads nowhere afterwards. That it is gone already, after a make clean, is no error.
	defer func() { err = errors.Join(err, os.RemoveAll(s.kubeconfig)) }()

	fmt.Fprintln(s.out, "Installing and starting the operator …")
	if err := operatorproc.InstallFor(ctx, cp, s.clerk.Clerk); err != nil {
		return unlessEnded(interrupted, err)
	}
	if s.clerk.sink != nil {
		if err := s.clerk.sink.install(ctx, cp); err != nil {
			return unlessEnded(interrupted, err)
		}
	}
	operator, err := operatorproc.Start(ctx, cp, operatorproc.Options{
		ReceiverBindAddress: s.address, LogDir: s.logs, Args: append(s.clerk.operatorArgs(), "--zap-encoder=console"), Died: end,
	})
	if err != nil {
		return unlessEnded(interrupted, err)
	}
	defer func() { err = errors.Join(err, operator.Stop()) }()

	where := placeAt(s.root, operator.URL(operatorproc.Instance), cp.Kubectl(ctx).Path)
	fmt.Fprint(s.out, instructions(s.clerk, where))
	go follow(ctx, operator.LogFile(), s.log)
	if err := cp.Wait(ctx); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "\nStopping …")
	return unlessEnded(interrupted, context.Cause(ctx))
}

// unlessEnded is the error, but none after Ctrl-C: whatever failed then did so for that reason.
func unlessEnded(interrupted context.Context, err error) error {
	if interrupted.Err() == nil {
		return err
	}
	return nil
}

// follow copies a growing file until ctx ends, and what is in it by then.
func follow(ctx context.Context, path string, out io.Writer) {
	file, err := os.Open(path)
	if err != nil {
		fmt.Fprintln(out, "run: cannot show the operator's log:", err)
		return
	}
	defer func() { _ = file.Close() }()
	for {
		if _, err := io.Copy(out, file); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followInterval):
		}
	}
}
