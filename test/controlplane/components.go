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
	"path/filepath"
	"strconv"
)

// component is one of the control plane's processes, by the name of its binary.
type component string

const (
	etcd              component = "etcd"
	apiServer         component = "kube-apiserver"
	controllerManager component = "kube-controller-manager"
	scheduler         component = "kube-scheduler"
)

const (
	// serviceCIDR is the range of Service addresses. Traffic goes there only where a node runs kube-proxy.
	serviceCIDR = "10.0.0.0/24"
	// kubernetesServiceIP is the address of the Service kubernetes: the first of the range.
	kubernetesServiceIP = "10.0.0.1"
	// issuer is the name in the ServiceAccount tokens' iss claim.
	issuer = "https://kubernetes.default.svc"
)

func (cp *ControlPlane) etcdArgs() []string {
	client, peer := localURL(cp.ports.etcdClient), localURL(cp.ports.etcdPeer)
	pki := cp.pki
	return []string{
		"--name=default",
		"--data-dir=" + filepath.Join(cp.work.path, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--socket-reuse-port=true", // See reservePort.
		// Client certificates are asked for, since any user of the machine can reach the port, and Secrets are stored as they are.
		"--client-cert-auth=true",
		"--cert-file=" + pki.etcd.certFile,
		"--key-file=" + pki.etcd.keyFile,
		"--trusted-ca-file=" + pki.etcdCAFile,
		"--peer-client-cert-auth=true",
		"--peer-cert-file=" + pki.etcd.certFile,
		"--peer-key-file=" + pki.etcd.keyFile,
		"--peer-trusted-ca-file=" + pki.etcdCAFile,
		"--unsafe-no-fsync=true",           // The data does not outlive the process, so it need not survive a power cut.
		"--quota-backend-bytes=8589934592", // 8 GiB, instead of 2: the benchmark writes hundreds of thousands of objects.
		"--log-level=warn",
	}
}

func (cp *ControlPlane) apiServerArgs() []string {
	pki := cp.pki
	args := []string{
		"--secure-port=" + strconv.Itoa(cp.ports.apiServer),
		"--permit-port-sharing=true", // See reservePort.
		"--service-cluster-ip-range=" + serviceCIDR,
		"--etcd-servers=" + localURL(cp.ports.etcdClient),
		"--etcd-cafile=" + pki.etcdCAFile,
		"--etcd-certfile=" + pki.etcd.certFile,
		"--etcd-keyfile=" + pki.etcd.keyFile,
		"--cert-dir=" + cp.work.path,
		"--tls-cert-file=" + pki.serving.certFile,
		"--tls-private-key-file=" + pki.serving.keyFile,
		"--client-ca-file=" + pki.caFile,
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + pki.serviceAccountKeyFile,
		"--service-account-signing-key-file=" + pki.serviceAccountKeyFile,
		"--allow-privileged=true",
		"--profiling=" + strconv.FormatBool(cp.options.Profiling),
		// Well above what tests and the benchmark send at once, so that nobody measures the API server's own throttling.
		"--max-requests-inflight=2000",
		"--max-mutating-requests-inflight=1000",
		"--delete-collection-workers=4",
	}
	args = append(args, cp.addressArgs()...)
	args = append(args, cp.auditArgs()...)
	return append(args, cp.options.ExtraAPIServerArgs...)
}

// addressArgs say where the API server listens, and what it says of that in the cluster.
func (cp *ControlPlane) addressArgs() []string {
	if address := cp.options.AdvertiseAddress; address != "" {
		return []string{"--bind-address=0.0.0.0", "--advertise-address=" + address}
	}
	return []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // A loopback address is not allowed in the Endpoints of the Service kubernetes.
	}
}

func (cp *ControlPlane) schedulerArgs() []string {
	pki, kubeconfig := cp.pki, cp.schedulerKubeconfig()
	return []string{
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(cp.ports.scheduler),
		"--permit-port-sharing=true", // See reservePort.
		"--tls-cert-file=" + pki.serving.certFile,
		"--tls-private-key-file=" + pki.serving.keyFile,
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--profiling=false",
	}
}

func (cp *ControlPlane) controllerManagerArgs() []string {
	pki, kubeconfig := cp.pki, cp.controllerManagerKubeconfig()
	return []string{
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(cp.ports.controllerManager),
		"--permit-port-sharing=true", // See reservePort.
		"--tls-cert-file=" + pki.serving.certFile,
		"--tls-private-key-file=" + pki.serving.keyFile,
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--service-account-private-key-file=" + pki.serviceAccountKeyFile,
		"--root-ca-file=" + pki.caFile,
		"--profiling=false",
		// The defaults are made for a cluster that has other things to do; here someone waits for every deletion.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--concurrent-namespace-syncs=50",
		"--concurrent-gc-syncs=50",
		"--concurrent-resource-quota-syncs=20",
		"--concurrent-serviceaccount-token-syncs=20",
	}
}

func (cp *ControlPlane) adminKubeconfig() string {
	return filepath.Join(cp.work.path, "admin.kubeconfig")
}

func (cp *ControlPlane) controllerManagerKubeconfig() string {
	return filepath.Join(cp.work.path, "kube-controller-manager.kubeconfig")
}

func (cp *ControlPlane) schedulerKubeconfig() string {
	return filepath.Join(cp.work.path, "kube-scheduler.kubeconfig")
}

func localURL(port int) string { return "https://127.0.0.1:" + strconv.Itoa(port) }
