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
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// Name is the node's.
	Name = "node"

	// containerdSocket is where the kubelet finds containerd. /run is the box's own.
	containerdSocket = "/run/containerd/containerd.sock"
	// startTimeout bounds the start of one component. It takes seconds; a busy machine may need many times that.
	startTimeout = 3 * time.Minute
	// pollInterval is how often a component is asked whether it is ready.
	pollInterval = 100 * time.Millisecond
)

// Node is a running node. It goes with its box.
type Node struct {
	cp         *controlplane.ControlPlane
	pauseImage string
	logs       string
}

// Images are archives of images that the node has from the start, since it can pull none.
type Images struct {
	// Pause is the name of the image that keeps a pod's namespaces, which must be in one of the archives.
	Pause string
	// Archives are the files.
	Archives []string
}

// Start makes this box a node of a control plane whose AdvertiseAddress is Address, and returns once the node is ready. logs is the folder
// for the components' logs.
func Start(ctx context.Context, cp *controlplane.ControlPlane, images Images, logs string) (*Node, error) {
	if !Inside() {
		return nil, errors.New("a node is started in a box alone: see Enter")
	}
	n := &Node{cp: cp, pauseImage: images.Pause, logs: logs}
	if err := n.writeFiles(); err != nil {
		return nil, fmt.Errorf("writing the node's configuration: %w", err)
	}
	if err := n.startContainerd(ctx, images.Archives); err != nil {
		return nil, err
	}
	if err := n.startDNS(ctx); err != nil {
		return nil, err
	}
	if err := n.startKubelet(ctx); err != nil {
		return nil, err
	}
	if err := n.startProxy(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Node) file(name string) string { return filepath.Join(Folder(), name) }

// configuration is all that the templates need.
type configuration struct{ Folder, Socket, Pause, Cgroup, Address, Name, KubeletKubeconfig, ProxyKubeconfig string }

func (n *Node) writeFiles() error {
	kubelet, err := n.cp.UserConfig("system:node:"+Name, "system:nodes")
	if err != nil {
		return err
	}
	proxy, err := n.cp.UserConfig("system:kube-proxy")
	if err != nil {
		return err
	}
	values := configuration{
		Folder: Folder(), Socket: containerdSocket, Pause: n.pauseImage, Cgroup: cgroup(), Address: Address, Name: Name,
		KubeletKubeconfig: n.file("kubelet.kubeconfig"), ProxyKubeconfig: n.file("kube-proxy.kubeconfig"),
	}
	err = errors.Join(
		controlplane.WriteKubeconfig(values.KubeletKubeconfig, kubelet),
		controlplane.WriteKubeconfig(values.ProxyKubeconfig, proxy),
		os.Mkdir(n.file("cni"), 0o755),
		os.WriteFile(n.file("resolv.conf"), nil, 0o644),
	)
	for name, text := range map[string]string{
		"containerd.toml": containerdConfig, "cni/10-bridge.conflist": cniConfig, "kubelet.yaml": kubeletConfig, "kube-proxy.yaml": proxyConfig,
	} {
		err = errors.Join(err, writeTemplate(n.file(name), text, values))
	}
	return err
}

func writeTemplate(path, text string, values configuration) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(template.Must(template.New(path).Parse(text)).Execute(file, values), file.Close())
}

// start starts a component. It is never stopped: it ends with the box.
func (n *Node) start(name, path string, args ...string) (*controlplane.Program, error) {
	return n.cp.StartProgram(controlplane.ProgramSpec{Name: name, Path: path, Args: args, LogDir: n.logs})
}

func (n *Node) startContainerd(ctx context.Context, archives []string) error {
	containerd, err := n.start("containerd", "/usr/bin/containerd", "--config", n.file("containerd.toml"))
	if err != nil {
		return err
	}
	ctr := func(args ...string) error {
		return run(ctx, "/usr/bin/ctr", append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...)...)
	}
	if err := until(ctx, containerd, func(context.Context) error { return ctr("version") }); err != nil {
		return err
	}
	for _, archive := range archives {
		if err := ctr("images", "import", archive); err != nil {
			return fmt.Errorf("load the image of %s: %w", archive, err)
		}
	}
	return nil
}

func (n *Node) startKubelet(ctx context.Context) error {
	path, err := binary("kubelet")
	if err != nil {
		return err
	}
	kubelet, err := n.start("kubelet", path, "--config="+n.file("kubelet.yaml"), "--kubeconfig="+n.file("kubelet.kubeconfig"),
		"--root-dir="+n.file("kubelet"), "--hostname-override="+Name, "--node-ip="+Address, "--cert-dir="+n.file("kubelet-pki"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(n.cp.Config())
	if err != nil {
		return err
	}
	return until(ctx, kubelet, func(ctx context.Context) error {
		found, err := client.CoreV1().Nodes().Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("the node is not ready: %v", found.Status.Conditions)
	})
}

// startProxy does not wait: that pods reach Services shows soon enough, when the operator finds its API server.
func (n *Node) startProxy() error {
	path, err := binary("kube-proxy")
	if err != nil {
		return err
	}
	_, err = n.start("kube-proxy", path, "--config="+n.file("kube-proxy.yaml"))
	return err
}

// binary is the path of one that "hack/kubernetes/build.sh node" makes.
func binary(name string) (string, error) {
	root, err := controlplane.Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "bin", "k8s", name), nil
}

// until asks ready again and again until it answers without an error; the component that it waits for must not end meanwhile.
func until(ctx context.Context, component *controlplane.Program, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-component.Done():
			return fmt.Errorf("%s ended; the end of its log:\n%s", filepath.Base(component.LogFile()), component.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w; the end of %s:\n%s", last, filepath.Base(component.LogFile()), component.LogTail())
		case <-time.After(pollInterval):
		}
	}
}
