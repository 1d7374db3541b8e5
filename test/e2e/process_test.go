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

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// processLease is how long the Lease of a replica that is a process counts when it is not renewed: as short as a busy machine allows, since
// a replica has to be frozen for longer.
const processLease = 4 * time.Second

// process is what a replica that is a process of its own runs in, one after the other. Unlike one in this process, it can be frozen.
type process struct {
	logDir string

	mu      sync.Mutex
	current *operatorproc.Operator // nil while there is none that is ready
	runs    int
	end     end
}

// end is how a process is ended.
type end int

const (
	stopped end = iota
	killed
)

// startProcesses starts that many replicas as processes of their own, and stops them with the test.
func startProcesses(t *testing.T, n int) []*replica {
	t.Helper()
	replicas := make([]*replica, n)
	for i := range replicas {
		r := &replica{name: string(rune('A' + i)), process: &process{logDir: t.TempDir()}}
		r.run = r.runProcess
		replicas[i] = r
		t.Cleanup(r.shutDown)
	}
	for _, r := range replicas {
		must(t, r.start())
	}
	return replicas
}

// runProcess runs the operator in a process of its own, and has its log looked through in the end.
func (r *replica) runProcess(ctx context.Context) error {
	p, address := r.process, freeAddress()
	r.mu.Lock()
	r.address = address
	r.mu.Unlock()
	p.mu.Lock()
	p.end = stopped
	p.runs++
	name := fmt.Sprintf("replica-%s-%d", r.name, p.runs)
	p.mu.Unlock()
	operator, err := operatorproc.Start(ctx, plane, operatorproc.Options{
		Name: name, LogDir: p.logDir, ReceiverBindAddress: address,
		Args: []string{
			"--leader-elect-lease-duration=" + processLease.String(), "--tombstone-retention=" + retention.String(), logLevel,
			"--cluster-grant-roles=" + staffRole,
		},
	})
	if err != nil {
		return err
	}
	p.set(operator)
	select {
	case <-operator.Done():
		err = errors.New("it ended by itself")
	case <-ctx.Done():
		if p.set(nil) == killed {
			operator.Kill()
		} else {
			err = operator.Stop()
		}
	}
	p.set(nil)
	content, readErr := os.ReadFile(operator.LogFile())
	for line := range bytes.Lines(content) {
		_, _ = logs.Write(line)
	}
	return errors.Join(err, readErr, os.Remove(operator.LogFile()))
}

// set says which process runs now, and returns how it is to be ended.
func (p *process) set(current *operatorproc.Operator) end {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = current
	return p.end
}

func (p *process) endsBy(end end) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = end
}

func (p *process) running() *operatorproc.Operator {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// leads tells whether the process that runs was elected: one that was and is no longer ends.
func (p *process) leads() bool { return wasElected(p.running()) }

// wasElected reads it in the log.
func wasElected(operator *operatorproc.Operator) bool {
	if operator == nil {
		return false
	}
	content, err := os.ReadFile(operator.LogFile())
	return err == nil && bytes.Contains(content, []byte("Successfully acquired lease"))
}
