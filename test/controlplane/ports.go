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
	"syscall"

	"golang.org/x/sys/unix"
)

// ports are the ports of one control plane.
type ports struct {
	etcdClient, etcdPeer, apiServer, controllerManager, scheduler int

	sockets []int
}

func reservePorts() (ports, error) {
	var reserved ports
	for _, port := range []*int{
		&reserved.etcdClient, &reserved.etcdPeer, &reserved.apiServer, &reserved.controllerManager, &reserved.scheduler,
	} {
		socket, number, err := reservePort()
		if err != nil {
			reserved.release()
			return ports{}, fmt.Errorf("reserving a port on 127.0.0.1: %w", err)
		}
		*port = number
		reserved.sockets = append(reserved.sockets, socket)
	}
	return reserved, nil
}

// reservePort binds a free port of 127.0.0.1 and holds it without listening on it. The component binds it as well, which SO_REUSEPORT
// allows to processes of one user that all ask for it. So nobody else can get the port between choosing and using it, nor while the API
// server is stopped, and there is nothing to try again; connections meanwhile are refused, as they should be.
func reservePort() (socket, port int, err error) {
	// Under this lock no child is forked that would inherit the socket.
	syscall.ForkLock.RLock()
	socket, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, 0, err
	}
	port, err = bindAnyPort(socket)
	if err != nil {
		return 0, 0, errors.Join(err, unix.Close(socket))
	}
	return socket, port, nil
}

func bindAnyPort(socket int) (int, error) {
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return 0, err
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	address, err := unix.Getsockname(socket)
	if err != nil {
		return 0, err
	}
	inet, ok := address.(*unix.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("unexpected address type %T", address)
	}
	return inet.Port, nil
}

func (p *ports) release() {
	for _, socket := range p.sockets {
		_ = unix.Close(socket)
	}
	p.sockets = nil
}
