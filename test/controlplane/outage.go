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

import "context"

// StopAPIServer kills the API server, as an outage would: connections break, and new ones are refused until StartAPIServer.
// Its port stays reserved meanwhile. The controller manager goes too, since it would take up to half a minute to come back by itself.
func (cp *ControlPlane) StopAPIServer() {
	cp.kill(controllerManager)
	cp.kill(apiServer)
}

// StartAPIServer starts the API server again after StopAPIServer, at the same address and with the same data, and returns once it is ready,
// with the controller manager where there is one.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	if err := cp.startAPIServer(ctx); err != nil {
		return err
	}
	return cp.startControllerManager(ctx)
}

// StopEtcd kills etcd: the API server goes on, and has nothing to read from and to write to until StartEtcd.
func (cp *ControlPlane) StopEtcd() { cp.kill(etcd) }

// StartEtcd starts etcd again after StopEtcd, with the same data, and returns once the API server is ready.
func (cp *ControlPlane) StartEtcd(ctx context.Context) error {
	if err := cp.launch(etcd, cp.etcdArgs()); err != nil {
		return err
	}
	return cp.until(ctx, "kube-apiserver to be ready", cp.probe(cp.ports.apiServer, "/readyz"))
}

// PauseAPIServer stops the API server where it is, until resume: it takes connections and answers nothing.
func (cp *ControlPlane) PauseAPIServer() (resume func()) { return cp.pause(apiServer) }

// PauseEtcd stops etcd where it is, until resume: the API server waits for it.
func (cp *ControlPlane) PauseEtcd() (resume func()) { return cp.pause(etcd) }

func (cp *ControlPlane) pause(name component) (resume func()) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	p := cp.running[name]
	if p == nil {
		return func() {}
	}
	p.pause()
	return p.resume
}

func (cp *ControlPlane) kill(name component) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if p := cp.running[name]; p != nil {
		p.kill()
		delete(cp.running, name)
	}
}
