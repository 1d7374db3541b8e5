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
	"regexp"
)

// assetsVariable is envtest's: where it is set, its folder is used instead of the repository's own.
const assetsVariable = "KUBEBUILDER_ASSETS"

// moduleLine is how the repository's go.mod names its module; the modules under hack/ have longer names.
var moduleLine = regexp.MustCompile(`(?m)^module github\.com/clerk-operator/clerk-operator$`)

// binaries is the folder of the components' binaries.
type binaries string

func (b binaries) path(name string) string { return filepath.Join(string(b), name) }

// findBinaries returns the folder of the binaries after checking that all of them are there.
func findBinaries(options Options) (binaries, error) {
	folder, remedy, err := assets()
	if err != nil {
		return "", err
	}
	needed := []string{"etcd", "kube-apiserver", "kubectl"}
	if options.ControllerManager == WithControllerManager {
		needed = append(needed, "kube-controller-manager")
	}
	if options.Scheduler == WithScheduler {
		needed = append(needed, "kube-scheduler")
	}
	for _, name := range needed {
		// Stat follows the link: one that points to nothing is missing too.
		if _, err := os.Stat(folder.path(name)); err != nil {
			return "", fmt.Errorf("no %s in %s: %s", name, folder, remedy)
		}
	}
	return folder, nil
}

// assets returns where the binaries should be, and what to do when they are not.
func assets() (folder binaries, remedy string, err error) {
	if set := os.Getenv(assetsVariable); set != "" {
		// Components run in a folder of their own, where a relative path would lead nowhere.
		absolute, err := filepath.Abs(set)
		if err != nil {
			return "", "", err
		}
		return binaries(absolute), "put it there, or unset " + assetsVariable + " and run make kubernetes", nil
	}
	root, err := Root()
	if err != nil {
		return "", "", err
	}
	return binaries(filepath.Join(root, "bin", "k8s")), "run make kubernetes", nil
}

// Root returns the repository's folder, found from the working folder upwards.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && moduleLine.Match(content) {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("not inside the clerk-operator repository: run this from there, or set " + assetsVariable)
		}
		folder = parent
	}
}
