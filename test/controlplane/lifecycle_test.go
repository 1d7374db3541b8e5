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
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test binary start a control plane and wait, as the parent that a test then ends in some unkind way.
const childVariable = "CONTROLPLANE_TEST_CHILD"

// blocking stands for a package's tests that never end.
type blocking struct{}

func (blocking) Run() int { select {} }

// childMain is what the test binary does as that parent: it says what it has started, and blocks.
func childMain() {
	Main(blocking{}, Options{ControllerManager: WithoutControllerManager}, func(_ context.Context, cp *ControlPlane) error {
		words := []string{"ready", cp.Dir()}
		for _, pid := range cp.pids() {
			words = append(words, strconv.Itoa(pid))
		}
		_, err := fmt.Println(strings.Join(words, " "))
		return err
	})
}

func (cp *ControlPlane) pids() []int {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var pids []int
	for _, p := range cp.running {
		pids = append(pids, p.command.Process.Pid)
	}
	return pids
}

func TestStopLeavesNothingBehind(t *testing.T) {
	cp, err := Start(t.Context(), Options{ControllerManager: WithoutControllerManager})
	if err != nil {
		t.Fatal(err)
	}
	pids := cp.pids()
	if len(pids) != 2 {
		t.Errorf("got %d processes, want 2", len(pids))
	}
	for range 2 { // Twice is harmless.
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	}
	checkNothingLeft(t, cp.Dir(), pids)
	if err := cp.Wait(t.Context()); err != nil {
		t.Errorf("Wait after Stop: %v", err)
	}
	if err := cp.StartAPIServer(t.Context()); !errors.Is(err, errStopped) {
		t.Errorf("StartAPIServer after Stop: got %v, want %v", err, errStopped)
	}
}

func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	child, dir, pids := startChildControlPlane(t)
	if err := child.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if got := child.ProcessState.ExitCode(); got != exitInterrupted {
		t.Errorf("exit code %d, want %d", got, exitInterrupted)
	}
	checkNothingLeft(t, dir, pids)
}

func TestAKilledParentLeavesNothingBehind(t *testing.T) {
	child, dir, pids := startChildControlPlane(t)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	removeStale(os.TempDir()) // As the next Start does.
	checkNothingLeft(t, dir, pids)
}

func TestFoldersOfTheLivingStay(t *testing.T) {
	parent := t.TempDir()
	unused := strconv.Itoa(1 << 30) // Above any process number there can be.
	own := filepath.Join(parent, workDirPrefix+strconv.Itoa(os.Getpid())+"-1")
	foreign := filepath.Join(parent, workDirPrefix+unused+"-1") // As of a process in another container.
	dead := filepath.Join(parent, workDirPrefix+unused+"-2")
	other := filepath.Join(parent, workDirPrefix+"something")
	for _, folder := range []string{own, foreign, dead, other} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockDir(foreign)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()

	removeStale(parent)
	for folder, want := range map[string]bool{own: true, foreign: true, other: true, dead: false} {
		if _, err := os.Stat(folder); (err == nil) != want {
			t.Errorf("%s: there is %t, want %t", filepath.Base(folder), err == nil, want)
		}
	}
}

func TestAComponentThatCannotStartSaysWhy(t *testing.T) {
	logs := t.TempDir()
	_, err := Start(t.Context(), Options{ExtraAPIServerArgs: []string{"--no-such-flag"}, LogDir: logs})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"kube-apiserver", "no-such-flag", "LogDir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not contain %q: %v", want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(logs, "kube-apiserver.log")); err != nil {
		t.Errorf("the log was not kept: %v", err)
	}
}

func TestWaitReportsADeath(t *testing.T) {
	cp, err := Start(t.Context(), Options{ControllerManager: WithoutControllerManager})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cp.Stop() }()
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cp.Wait(expired); err != nil {
		t.Errorf("Wait when its context ends: %v", err)
	}
	if err := syscall.Kill(cp.running[etcd].command.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := cp.Wait(ctx); err == nil || !strings.Contains(err.Error(), "etcd ended by itself") {
		t.Errorf("got %v, want that etcd ended", err)
	}
}

func TestMissingBinaries(t *testing.T) {
	complete := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if err := os.WriteFile(filepath.Join(complete, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	repository := t.TempDir()
	module := []byte("module github.com/clerk-operator/clerk-operator\n")
	if err := os.WriteFile(filepath.Join(repository, "go.mod"), module, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		assets, dir string
		manager     ControllerManager
		want        string
	}{
		"nothing in the repository":      {dir: repository, want: "run make kubernetes"},
		"outside the repository":         {dir: t.TempDir(), want: "not inside the clerk-operator repository"},
		"nothing in KUBEBUILDER_ASSETS":  {assets: t.TempDir(), dir: repository, want: "no etcd"},
		"envtest's own, for everything":  {assets: complete, dir: repository, want: "no kube-controller-manager"},
		"envtest's own, for part of it":  {assets: complete, dir: repository, manager: WithoutControllerManager},
		"what to do about a missing one": {assets: complete, dir: repository, want: "unset KUBEBUILDER_ASSETS and run make kubernetes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(assetsVariable, test.assets)
			t.Chdir(test.dir)
			_, err := findBinaries(Options{ControllerManager: test.manager})
			if test.want == "" && err != nil {
				t.Errorf("got %v, want no error", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func startChildControlPlane(t *testing.T) (child *exec.Cmd, dir string, pids []int) {
	t.Helper()
	child = exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=1")
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	words := strings.Fields(line)
	if len(words) != 4 || words[0] != "ready" {
		t.Fatalf("the child said %q, want ready, a folder and two processes", line)
	}
	for _, word := range words[2:] {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return child, words[1], pids
}

// checkNothingLeft waits for the processes to end, since the kernel kills orphans but nobody waits for that, and looks for the folder.
func checkNothingLeft(t *testing.T, dir string, pids []int) {
	t.Helper()
	for _, pid := range pids {
		eventually(t, func(context.Context) error {
			if isZombie(pid) || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				return nil
			}
			return fmt.Errorf("process %d is still there", pid)
		})
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is still there (%v)", dir, err)
	}
}

// isZombie says whether a process has ended but was not reaped, which is up to whoever inherits orphans here.
func isZombie(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(status), ") Z ")
}
