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

// Command demo tells the story of the operator on a real Kubernetes control plane: signed deliveries, as Clerk sends them, become a
// namespace and people's access, and take it away again; what is never delivered, a resync finds. After each step it shows what kubectl
// says, and checks it. It ends by itself, with exit code 0 only if every step was true. Run it with "make demo".
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// storyTimeout bounds everything. It takes about 20 s; a busy machine may need far more.
	storyTimeout = 5 * time.Minute
	// logFolder is where all logs are, in the repository's folder.
	logFolder = "bin/demo-logs"
	// exitInterrupted is the exit code after Ctrl-C, as shells have it.
	exitInterrupted = 130
)

func main() { os.Exit(exitCode()) }

func exitCode() int {
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(interrupted, os.Stdout, logFolder)
	switch {
	case interrupted.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	default:
		return 0
	}
}

// run tells the story on out. The folder of the logs is in the repository, if it is not absolute.
func run(ctx context.Context, out *os.File, logFolder string) (err error) {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	logs := logFolder
	if !filepath.IsAbs(logs) {
		logs = filepath.Join(root, logs)
	}
	if err := os.RemoveAll(logs); err != nil { // of the last time
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nall logs are in %s", err, logFolder)
		}
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, storyTimeout, fmt.Errorf("the story took longer than %s", storyTimeout))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)

	n := newNarrator(out)
	n.title("clerk-operator: what Clerk says about organizations becomes namespaces and access")
	cp, err := startControlPlane(ctx, n, controlplane.Options{CRDs: filepath.Join(root, "config", "crd", "bases"), LogDir: logs}, end)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	administrator, err := operatorproc.NewClient(cp)
	if err != nil {
		return err
	}
	s := newStage(n, cp, administrator, operatorproc.Options{LogDir: logs, Args: handOnArgs, Died: end})
	defer func() { err = errors.Join(err, s.close()) }()
	if err := install(ctx, s); err != nil {
		return err
	}
	if err = tell(ctx, s); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // what ended the story before it could be true or untrue
	}
	n.flaw(err, s.operator.LogTail())
	return errors.New("the story is not true")
}

func startControlPlane(
	ctx context.Context, n *narrator, options controlplane.Options, died func(error),
) (*controlplane.ControlPlane, error) {
	began := time.Now()
	cp, err := controlplane.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := cp.Wait(ctx); err != nil {
			died(err)
		}
	}()
	n.say("A Kubernetes is up, on 127.0.0.1 alone: etcd, kube-apiserver, kube-controller-manager (%s).", since(began))
	return cp, nil
}

func install(ctx context.Context, s *stage) (err error) {
	began := time.Now()
	if s.signingSecret, err = operatorproc.Install(ctx, s.cp); err != nil {
		return err
	}
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	s.say("The operator is up, as the ServiceAccount %s/%s, with leader election (%s).",
		operatorproc.Namespace, operatorproc.ServiceAccount, since(began))
	return nil
}

// tell plays every step of the story.
func tell(ctx context.Context, s *stage) error {
	began := time.Now()
	for i, step := range story {
		s.heading(i+1, step.title)
		if err := step.play(ctx, s); err != nil {
			return err
		}
	}
	s.title("Every step was true.")
	s.say("From the event to access:    %5d ms   from sending the delivery until a SubjectAccessReview says yes", s.granted.Milliseconds())
	s.say("From the event to no access: %5d ms   from sending the delivery until a SubjectAccessReview says no", s.revoked.Milliseconds())
	s.say("From the ban to no access:   %5d ms   the same, until it says no in every organization", s.banned.Milliseconds())
	s.say("From the start to the truth: %5d ms   from starting the operator until a resync has repaired all", s.repaired.Milliseconds())
	s.say("The story took %s. `make run` brings up the same to play with.", since(began))
	return nil
}

func since(began time.Time) time.Duration { return time.Since(began).Round(100 * time.Millisecond) }
