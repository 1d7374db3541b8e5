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

// Package node runs a real Kubernetes node for the tests: containerd, kubelet and kube-proxy, with a control plane, in a box of Linux
// namespaces (processes, mounts, network) of its own. Nothing of it is ever part of the machine: no network interface, route, mount or
// firewall rule, and whatever ends the box, be it kill -9, ends everything in it. Its network leads nowhere.
//
// The tests in this folder are the end-to-end tests that "make e2e" runs: image, chart, pods.
package node
