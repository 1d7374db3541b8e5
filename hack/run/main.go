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
// Ctrl-C. Deliveries come in at $RECEIVER_BIND_ADDRESS. Run it with "make run".
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

	"github.com/clerk-operator/clerk-operator/test/clerktest"
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

	address, err := bindAddress(interrupted)
	if err != nil {
		return err
	}
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	if err := serve(interrupted, root, address); err != nil {
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

// serve brings everything up, stays, and takes everything down.
func serve(interrupted context.Context, root, address string) (err error) {
	logs := filepath.Join(root, logFolder)
	if err := os.RemoveAll(logs); err != nil { // of the last time
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nall logs are in %s", err, logFolder)
		}
	}()
	ctx, end := context.WithCancelCause(interrupted)
	defer end(nil)

	fmt.Println("Starting etcd, kube-apiserver and kube-controller-manager …")
	cp, err := controlplane.Start(ctx, controlplane.Options{CRDs: filepath.Join(root, "config", "crd", "bases"), LogDir: logs})
	if err != nil {
		return unlessEnded(interrupted, err)
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	kubeconfig := filepath.Join(root, "bin", "kubeconfig")
	if err := cp.Kubeconfig(kubeconfig); err != nil {
		return err
	}
	// It leads nowhere afterwards. That it is gone already, after a make clean, is no error.
	defer func() { err = errors.Join(err, os.RemoveAll(kubeconfig)) }()

	fmt.Println("Installing and starting the operator …")
	secret, err := operatorproc.Install(ctx, cp)
	if err != nil {
		return unlessEnded(interrupted, err)
	}
	operator, err := operatorproc.Start(ctx, cp, operatorproc.Options{
		ReceiverBindAddress: address, LogDir: logs, Args: []string{"--zap-encoder=console"}, Died: end,
	})
	if err != nil {
		return unlessEnded(interrupted, err)
	}
	defer func() { err = errors.Join(err, operator.Stop()) }()

	fmt.Print(instructions(operator.URL(operatorproc.Instance), secret, cp.Kubectl(ctx).Path, root))
	go follow(ctx, operator.LogFile(), os.Stderr)
	if err := cp.Wait(ctx); err != nil {
		return err
	}
	fmt.Println("\nStopping …")
	return unlessEnded(interrupted, context.Cause(ctx))
}

// unlessEnded is the error, but none after Ctrl-C: whatever failed then did so for that reason.
func unlessEnded(interrupted context.Context, err error) error {
	if interrupted.Err() == nil {
		return err
	}
	return nil
}

// instructions say what there is and how to use it.
func instructions(url, secret, kubectl, root string) string {
	if relative, err := filepath.Rel(root, kubectl); err == nil && filepath.IsLocal(relative) {
		kubectl = relative
	}
	subject := "clerk:" + clerktest.ID("user", "jane")
	return fmt.Sprintf(`
Everything is up, until Ctrl-C.

  Deliveries      %[1]s
  Signing secret  %[2]s
  Logs            %[5]s

In another terminal, in this folder: send signed deliveries, and see what becomes of them.

  export KUBECONFIG=$PWD/bin/kubeconfig
  export CLERK_WEBHOOK_URL=%[1]s CLERK_SIGNING_SECRET=%[2]s
  go run ./hack/send --type organization.created --organization acme
  go run ./hack/send --type organizationMembership.created --organization acme --user jane --role org:admin
  %[3]s get clerkorganizations,clerkmembers
  %[3]s auth can-i create deployments -n org-acme --as %[4]s
  go run ./hack/send --type organizationMembership.deleted --organization acme --user jane
  go run ./hack/send --help     (what else can be sent, and how to do so with curl and openssl)

The operator's log:

`, url, secret, kubectl, subject, logFolder)
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
