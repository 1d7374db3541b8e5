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
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// workDirPrefix begins the name of every temporary folder; the process's number and a random part follow.
const workDirPrefix = "clerk-operator-controlplane-"

// workDir is a temporary folder that is locked as long as its process lives.
type workDir struct {
	path string
	lock *os.File
}

// newWorkDir makes a temporary folder, and removes those of processes that died before they could.
func newWorkDir() (*workDir, error) {
	removeStale(os.TempDir())
	path, err := os.MkdirTemp("", workDirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &workDir{path: path, lock: lock}, nil
}

// remove removes the folder with all it holds. It may be called more than once.
func (d *workDir) remove() error {
	_ = d.lock.Close()
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("removing the control plane's folder: %w", err)
	}
	return nil
}

// lockDir takes the folder's lock, which the kernel gives back when the process ends, however that comes about.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), dir.Close())
	}
	return dir, nil
}

// removeStale removes the folders in parent whose process is dead. What cannot be removed, perhaps because it is another user's, stays.
func removeStale(parent string) {
	folders, err := filepath.Glob(filepath.Join(parent, workDirPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		if isStale(folder) {
			_ = os.RemoveAll(folder)
		}
	}
}

// isStale says whether a folder's process is dead: its number must be unused, and its lock free. The lock protects the folder of a process
// in another container, whose number means nothing here; the number protects a folder that was made but is not locked yet.
func isStale(folder string) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), workDirPrefix), "-")
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 0 {
		return false
	}
	if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	lock, err := lockDir(folder)
	if err != nil {
		return false
	}
	_ = lock.Close()
	return true
}
