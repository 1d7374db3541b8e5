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
	"fmt"
	"syscall"
	"time"
)

// ProgramSpec says which program StartProgram starts.
type ProgramSpec struct {
	// Name is for messages, and names the log: <LogDir>/<Name>.log, which is appended to.
	Name string
	// Path of the binary.
	Path string
	// Args are its arguments. Its environment holds nothing of the caller's but PATH.
	Args []string
	// LogDir is the folder of the log with all that the program prints; by default the control plane's own.
	LogDir string
	// Died, where set, is called once if the program ends without having been stopped.
	Died func(error)
}

// Program is a program that runs beside the control plane with the same care: whatever becomes of this process, it does not outlive it.
type Program struct {
	process *process
}

// StartProgram starts a program. Stop or Kill it before the control plane is stopped, which does not do so.
func (cp *ControlPlane) StartProgram(spec ProgramSpec) (*Program, error) {
	if spec.LogDir == "" {
		spec.LogDir = cp.logDir()
	}
	if spec.Died == nil {
		spec.Died = func(error) {}
	}
	started, err := startProcess(processSpec{
		name: spec.Name, path: spec.Path, args: spec.Args, dir: cp.work.path, logDir: spec.LogDir, died: spec.Died,
	})
	if err != nil {
		return nil, err
	}
	return &Program{process: started}, nil
}

// Stop asks the program to end, with SIGTERM, and waits. A program that is still there after the grace is killed, which is an error, as is
// an exit code other than 0. A program that has ended by itself is none: ProgramSpec.Died has told.
func (p *Program) Stop(grace time.Duration) error {
	select {
	case <-p.process.done:
		return nil
	default:
	}
	p.process.killed.Store(true)
	_ = syscall.Kill(p.process.command.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.process.done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed; the end of its log:\n%s", p.process.spec.name, grace, p.LogTail())
	}
	if state := p.process.command.ProcessState; !state.Success() {
		return fmt.Errorf("%s stopped with %s; the end of its log:\n%s", p.process.spec.name, state, p.LogTail())
	}
	return nil
}

// Pause stops the program where it is, until resume.
func (p *Program) Pause() (resume func()) {
	p.process.pause()
	return p.process.resume
}

// Kill ends the program at once, as a crash would, and returns when it is gone.
func (p *Program) Kill() { p.process.kill() }

// PID is the program's process id.
func (p *Program) PID() int { return p.process.command.Process.Pid }

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.process.done }

// LogFile is the file with all that the program printed.
func (p *Program) LogFile() string { return p.process.spec.logFile() }

// LogTail is the end of the log, indented.
func (p *Program) LogTail() string { return logTail(p.LogFile()) }
