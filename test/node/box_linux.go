//go:build linux

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

package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Address is the node's, in the box's own network.
	Address = "192.168.77.1"

	// stageVariable and folderVariable tell the program that it runs in the box, and where the box's folder is.
	stageVariable  = "CLERK_OPERATOR_BOX_STAGE"
	folderVariable = "CLERK_OPERATOR_BOX_FOLDER"
	// stageInit prepares the box and reaps; stageInside is what everything is done for.
	stageInit, stageInside = "init", "inside"

	// packagePath is where the programs of packages are.
	packagePath = "/usr/sbin:/usr/bin:/sbin:/bin"
	// boxPrefix begins the names of folders and cgroups; the process's number follows, so that what a killed process left can be told.
	boxPrefix = "clerk-operator-box-"
	// cgroupFilesystems is where they are mounted, everywhere.
	cgroupFilesystems = "/sys/fs/cgroup"
	// cgroupPatience is how long the kernel may take to let go of the cgroups of processes that were killed.
	cgroupPatience = 30 * time.Second
	// exitInterrupted is the exit code after Ctrl-C, as shells have it.
	exitInterrupted = 130
)

// Inside says whether this process runs in a box.
func Inside() bool { return os.Getenv(stageVariable) == stageInside }

// Folder is the box's folder, which goes with it.
func Folder() string { return os.Getenv(folderVariable) }

// cgroup is the one that the box's pods are in, as a path below the mounted hierarchies.
func cgroup() string { return "/" + filepath.Base(Folder()) }

// Enter runs this very program again, with the same arguments, in a box, and returns its exit code. In the box's first process it does not
// return. The packages are laid over /usr there.
func Enter(packages string) (code int, err error) {
	if os.Getenv(stageVariable) == stageInit {
		os.Exit(initialize(packages))
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	removeStale()
	folder, err := os.MkdirTemp("", boxPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, clean(folder)) }()
	if err := makeCgroups("/" + filepath.Base(folder)); err != nil {
		return 1, err
	}
	command, err := box(folder)
	if err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // The kernel kills the box when the thread that made it ends.
		started <- command.Start()
		done <- command.Wait()
	}()
	if err := <-started; err != nil {
		<-done
		return 1, fmt.Errorf("make a box of namespaces: %w", err)
	}
	select {
	case <-interrupted:
		_ = command.Process.Kill() // The first process of the box: all others end with it.
		<-done
		return exitInterrupted, nil
	case <-done:
		return command.ProcessState.ExitCode(), nil
	}
}

// box is this program as the first process of new namespaces. It has a process group of its own, so that Ctrl-C comes here alone.
func box(folder string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	//nolint:noctx // Enter ends it.
	command := exec.Command(self, os.Args[1:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = append(os.Environ(), stageVariable+"="+stageInit, folderVariable+"="+folder)
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true,
	}
	return command, nil
}

// initialize is the box's first process: it prepares the box, runs this program in it once more, and reaps, as a first process has to.
func initialize(packages string) int {
	if err := prepare(Folder(), packages); err != nil {
		fmt.Fprintln(os.Stderr, "preparing a box:", err)
		return 1
	}
	err := errors.Join(os.Setenv(stageVariable, stageInside), os.Setenv("TMPDIR", Folder()), os.Setenv("PATH", packagePath+":"+os.Getenv("PATH")))
	if err != nil {
		fmt.Fprintln(os.Stderr, "preparing a box:", err)
		return 1
	}
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting in the box:", err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 1
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid:
			return status.ExitStatus()
		}
	}
}

// prepare gives the box what is its own: mounts, /proc, the folders that programs write to by themselves, and a network.
func prepare(folder, packages string) error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"cut off the mounts", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount /proc", func() error {
			return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
		{"mount /run", func() error { return unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") }},
		{"mount /var/log", func() error { return unix.Mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755") }},
		{"cover /var/lib", func() error { return coverVarLib(folder) }},
		{"lay the packages over /usr", func() error { return overlayUsr(packages) }},
		{"cover the kernel's settings", func() error { return coverSettings(folder) }},
		{"bring up the network", bringUpNetwork},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// coverVarLib makes /var/lib writable without a trace: the CNI library keeps its results there, whatever it is told.
func coverVarLib(folder string) error {
	cover := filepath.Join(folder, "var-lib")
	if err := os.Mkdir(cover, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", cover, "tmpfs", 0, ""); err != nil { // An overlay's upper folder may not be on an overlay.
		return err
	}
	upper, work := filepath.Join(cover, "upper"), filepath.Join(cover, "work")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	return unix.Mount("overlay", "/var/lib", "overlay", 0, "lowerdir=/var/lib,upperdir="+upper+",workdir="+work)
}

// overlayUsr shows the packages where they expect to be, without installing them.
func overlayUsr(packages string) error {
	if packages == "" {
		return nil
	}
	return unix.Mount("overlay", "/usr", "overlay", unix.MS_RDONLY, "lowerdir="+filepath.Join(packages, "usr")+":/usr")
}

// coverSettings gives the kubelet files to write its settings of the kernel to, which are the whole machine's and stay as they are.
func coverSettings(folder string) error {
	for _, name := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	} {
		setting := filepath.Join("/proc/sys", name)
		content, err := os.ReadFile(setting)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		cover := filepath.Join(folder, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(cover, content, 0o600); err != nil {
			return err
		}
		if err := unix.Mount(cover, setting, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// bringUpNetwork gives the box its loopback and, on it, the node's address; pods reach that through their bridge. Without a route there is
// no way to a Service, not even one that kube-proxy turns aside.
func bringUpNetwork() error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", Address + "/32", "dev", "lo"},
		{"route", "add", "default", "dev", "lo"},
	} {
		if err := run(context.Background(), "/usr/sbin/ip", args...); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"} {
		err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// hierarchies are the folders of the mounted cgroup hierarchies that limit something: one with cgroup v2, one for each controller with v1.
func hierarchies() ([]string, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = mounts.Close() }()
	byKind := map[string][]string{}
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) > 4 && len(kind) > 0 && strings.HasPrefix(fields[4], cgroupFilesystems) {
			byKind[kind[0]] = append(byKind[kind[0]], fields[4])
		}
	}
	if v1 := byKind["cgroup"]; len(v1) > 0 {
		return slices.Concat(v1, byKind["cgroup2"]), nil
	}
	return byKind["cgroup2"], nil
}

func makeCgroups(name string) error {
	folders, err := hierarchies()
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// A new cpuset of cgroup v1 has neither processors nor memory, and takes no process until it has.
		for _, inherited := range []string{"cpuset.cpus", "cpuset.mems"} {
			content, err := os.ReadFile(filepath.Join(folder, inherited))
			if err != nil {
				continue
			}
			_ = os.WriteFile(filepath.Join(folder, name, inherited), content, 0) // cgroup v2 inherits by itself, and has it read-only.
		}
	}
	return nil
}

// removeCgroups removes a cgroup with those in it. The kernel keeps them for a moment after their last process was killed.
func removeCgroups(name string) error {
	folders, err := hierarchies()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(cgroupPatience)
	for {
		var failed error
		for _, folder := range folders {
			failed = errors.Join(failed, removeTree(filepath.Join(folder, name)))
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeTree removes cgroups from the leaves up; the files in them go with them.
func removeTree(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(folder, entry.Name())))
		}
	}
	if removed := unix.Rmdir(folder); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("remove the cgroup %s: %w", folder, removed))
	}
	return err
}

func clean(folder string) error {
	return errors.Join(removeCgroups("/"+filepath.Base(folder)), os.RemoveAll(folder))
}

// removeStale removes what a process that was killed could not: a folder and cgroups, which hold nothing that runs.
func removeStale() {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), boxPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), boxPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err == nil && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = clean(folder)
		}
	}
}
