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
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// downloadTimeout bounds the download of the packages: 40 MB, once.
const downloadTimeout = 10 * time.Minute

// programs are what a node needs and this repository does not build, each with the path that it has to have and the Debian package it is in.
var programs = []struct{ path, debian string }{
	{"/usr/bin/containerd", "containerd"},
	{"/usr/sbin/runc", "runc"},
	{"/usr/lib/cni/bridge", "containernetworking-plugins"},
	{"/usr/sbin/nft", "nftables"},
	{"/usr/sbin/ip", "iproute2"},
}

// Missing says why no box with a node can be made here; "" when it can.
func Missing() string {
	if Inside() || os.Getenv(stageVariable) == stageInit {
		return ""
	}
	if os.Geteuid() != 0 {
		return "a node needs root: run this as root, or set KUBECONFIG to use a cluster that is there"
	}
	if _, err := os.Stat("/proc/sys/net/ipv4/ip_forward"); err != nil {
		return "a node needs /proc/sys: " + err.Error()
	}
	folders, err := hierarchies()
	if err != nil || len(folders) == 0 {
		return fmt.Sprintf("a node needs cgroups, and none are mounted at %s (%v)", cgroupFilesystems, err)
	}
	for _, folder := range folders {
		if err := unix.Access(folder, unix.W_OK); err != nil {
			return fmt.Sprintf("a node needs cgroups that it can write to: %s: %v", folder, err)
		}
	}
	return tryBox()
}

// tryBox makes the namespaces and an overlay for a program that does nothing.
func tryBox() string {
	folder, err := os.MkdirTemp("", boxPrefix+"try-")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.RemoveAll(folder) }()
	command, err := box(folder)
	if err != nil {
		return err.Error()
	}
	const try = `mount --make-rprivate / && mount -t tmpfs tmpfs "$0" && mkdir "$0/u" "$0/w" && ` +
		`mount -t overlay overlay -o lowerdir=/var/lib,upperdir="$0/u",workdir="$0/w" /var/lib && mount -t proc proc /proc && ` +
		`echo 1 >/proc/sys/net/ipv4/ip_forward`
	command.Path, command.Args = "/bin/sh", []string{"sh", "-c", try, folder}
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Run(); err != nil {
		return fmt.Sprintf("a node needs namespaces, mounts and overlayfs, which are not allowed here: %v %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return ""
}

// Packages returns the folder of a tree with the programs that are missing on this machine, "" when none is. They are downloaded from Debian's
// archive, once, and unpacked outside the clone; nothing is installed.
func Packages(ctx context.Context) (string, error) {
	var names []string
	for _, program := range programs {
		if _, err := os.Stat(program.path); err != nil {
			names = append(names, program.debian)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("a node needs %s: install them (there is no apt-get here to fetch Debian's packages with)", strings.Join(names, ", "))
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", strings.Join(names, " "), runtime.GOARCH, release))
	tree := filepath.Join(cache, fmt.Sprintf("node-packages-%x", hash[:8]))
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	fmt.Printf("node: downloading %s, once\n", strings.Join(names, ", "))
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	work, err := os.MkdirTemp(cache, "node-packages-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := download(ctx, work, names); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, "tree"), tree); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return tree, nil
}

func cacheFolder() (string, error) {
	if set := os.Getenv("CLERK_OPERATOR_CACHE"); set != "" {
		return set, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "clerk-operator"), nil
}

// download has apt fetch the packages with what they depend on and is not installed, and unpacks them to work/tree.
func download(ctx context.Context, work string, names []string) error {
	debs, lists := filepath.Join(work, "debs"), filepath.Join(work, "lists")
	if err := errors.Join(os.MkdirAll(filepath.Join(debs, "partial"), 0o755), os.MkdirAll(filepath.Join(lists, "partial"), 0o755)); err != nil {
		return err
	}
	options := []string{"-qq", "-o", "Dir::Cache::archives=" + debs, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"}
	install := append([]string{"install", "--download-only", "--no-install-recommends", "-y"}, names...)
	if err := run(ctx, "apt-get", append(options, install...)...); err != nil {
		// Perhaps the machine knows no packages yet, or old ones. What it knows stays as it is.
		options = append(options, "-o", "Dir::State::lists="+lists)
		if err := run(ctx, "apt-get", append(options, "update")...); err != nil {
			return err
		}
		if err := run(ctx, "apt-get", append(options, install...)...); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	tree := filepath.Join(work, "tree")
	for _, file := range packages {
		if err := run(ctx, "dpkg", "-x", file, tree); err != nil {
			return err
		}
	}
	return usrMerge(tree)
}

// usrMerge moves what older packages put into /lib, /bin and /sbin to where it is on today's systems.
func usrMerge(tree string) error {
	for _, name := range []string{"lib", "bin", "sbin"} {
		if _, err := os.Stat(filepath.Join(tree, name)); err != nil {
			continue
		}
		if err := run(context.Background(), "cp", "-a", filepath.Join(tree, name), filepath.Join(tree, "usr")); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program to its end; what it printed is told only when it fails.
func run(ctx context.Context, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(command.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
