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
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	// logTailBytes and logTailLines bound how much of a component's log an error quotes: enough for the reason, not for a screen.
	logTailBytes = 8 << 10
	logTailLines = 15
)

// processSpec says what to run.
type processSpec struct {
	name, path string
	args       []string
	dir        string      // working folder, home and place for temporary files
	logDir     string      // standard output and error are appended to <logDir>/<name>.log
	died       func(error) // called when the process ends without having been killed by kill
}

// process is a running component.
type process struct {
	spec    processSpec
	command *exec.Cmd
	killed  atomic.Bool
	done    chan struct{} // closed when the process has ended and was reaped
}

func startProcess(spec processSpec) (*process, error) {
	if err := os.MkdirAll(spec.logDir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(spec.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The child has its own copy.

	//nolint:noctx // kill ends it, with its process group; a context would end it alone.
	command := exec.Command(spec.path, spec.args...)
	command.Dir = spec.dir
	command.Stdout, command.Stderr = log, log
	// A clean environment: ETCD_*, proxies and the like of the person's shell must not change what runs.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + spec.dir, "TMPDIR=" + spec.dir}
	if err := StartChild(command); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.name, err)
	}
	p := &process{spec: spec, command: command, done: make(chan struct{})}
	go p.watch()
	return p, nil
}

// watch reaps the process and reports a death that nobody asked for.
func (p *process) watch() {
	defer close(p.done)
	err := p.command.Wait()
	if p.killed.Load() {
		return
	}
	if err == nil {
		err = errors.New("exit status 0")
	}
	p.spec.died(fmt.Errorf("%s ended by itself: %w; look at the end of its log for why (Options.LogDir keeps all of it):\n%s",
		p.spec.name, err, logTail(p.spec.logFile())))
}

// kill ends the process, with everything in its process group, and returns when it is gone.
func (p *process) kill() {
	p.killed.Store(true)
	select {
	case <-p.done: // Reaped: its number may belong to someone else by now.
		return
	default:
	}
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// pause stops the process where it is, as a machine that hangs would: it answers nothing, and its connections stay. resume lets it go on.
func (p *process) pause()  { p.signal(syscall.SIGSTOP) }
func (p *process) resume() { p.signal(syscall.SIGCONT) }

func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.done: // Reaped: its number may belong to someone else by now.
	default:
		_ = syscall.Kill(-p.command.Process.Pid, signal)
	}
}

func (s processSpec) logFile() string { return filepath.Join(s.logDir, s.name+".log") }

// logTail returns the last lines of a log.
func logTail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(-logTailBytes, io.SeekEnd); err != nil {
		_, _ = file.Seek(0, io.SeekStart) // A short log: all of it.
	}
	end, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(end), []byte("\n"))
	lines = lines[max(0, len(lines)-logTailLines):]
	return "  " + strings.TrimSpace(string(bytes.Join(lines, []byte("\n  "))))
}

// StartChild starts a command that must not outlive this process, such as a component or the operator: in a process group of its own, so
// that a terminal's Ctrl-C does not reach it, and on Linux killed by the kernel when this process ends without having stopped it. It runs
// as the user that the command says, if it says one.
func StartChild(command *exec.Cmd) error {
	attributes := childAttributes()
	if command.SysProcAttr != nil {
		attributes.Credential = command.SysProcAttr.Credential
	}
	command.SysProcAttr = attributes
	// The kernel kills the children when the thread that forked them ends, and Go ends threads as it likes, apart from one that a goroutine
	// is locked to. So one such thread starts them all.
	started := make(chan error, 1)
	forks() <- func() { started <- command.Start() }
	return <-started
}

var forks = sync.OnceValue(func() chan<- func() {
	requests := make(chan func())
	go func() {
		runtime.LockOSThread() // Never unlocked, and the goroutine never ends: the thread lives as long as the process.
		for fork := range requests {
			fork()
		}
	}()
	return requests
})
