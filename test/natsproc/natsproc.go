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

// Package natsproc runs a NATS server beside a control plane: the real program, which can be killed and started again on what it
// had stored.
package natsproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// readyTimeout bounds the start, which takes a moment.
	readyTimeout = time.Minute
	// pollInterval is how often it is asked whether it is ready.
	pollInterval = 20 * time.Millisecond
	// stopTimeout is how long it may take to end.
	stopTimeout = 10 * time.Second

	// Window is the duplicate window of the stream: a little more than Clerk goes on trying.
	Window = 28 * time.Hour
)

// Server is a NATS server with JetStream on a disk.
type Server struct {
	cp      *controlplane.ControlPlane
	dir     string
	address string
	options Options
	program *controlplane.Program
}

// Options say how a server differs from one that lets everybody in.
type Options struct {
	// JetStream are further settings of JetStream, in the server's own language, such as "sync_interval: always".
	JetStream string
	// Config, where set, returns settings of the whole server, in the same language. They may refer to Files, which are in that folder.
	Config func(folder string) string
	Files  map[string][]byte
	// Connect is how this package itself connects.
	Connect []nats.Option
}

// Start starts bin/nats-server on a free port of 127.0.0.1, and returns once it takes connections.
func Start(ctx context.Context, cp *controlplane.ControlPlane, name string) (*Server, error) {
	return StartWith(ctx, cp, name, Options{})
}

// StartWith is Start with settings.
func StartWith(ctx context.Context, cp *controlplane.ControlPlane, name string, options Options) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cp.Dir(), name+"-")
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Server{cp: cp, dir: dir, address: listener.Addr().String(), options: options}
	return s, errors.Join(listener.Close(), s.configure(), s.Start(ctx))
}

// configure writes the server's settings, and the files that they refer to.
func (s *Server) configure() error {
	text := fmt.Sprintf("jetstream {\n store_dir: %q\n %s\n}\n", s.dir, s.options.JetStream)
	if s.options.Config != nil {
		text += s.options.Config(s.dir) + "\n"
	}
	errs := []error{os.WriteFile(s.config(), []byte(text), 0o600)}
	for name, content := range s.options.Files {
		errs = append(errs, os.WriteFile(filepath.Join(s.dir, name), content, 0o600))
	}
	return errors.Join(errs...)
}

func (s *Server) config() string { return filepath.Join(s.dir, "server.conf") }

// Start starts it again after a Kill, with what it had stored.
func (s *Server) Start(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	binary := filepath.Join(root, "bin", "nats-server")
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("no NATS server to run: %w: run make nats", err)
	}
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	s.program, err = s.cp.StartProgram(controlplane.ProgramSpec{
		Name: filepath.Base(s.dir), Path: binary, LogDir: s.dir,
		Args: []string{"--addr=" + host, "--port=" + port, "--config=" + s.config()},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		conn, err := nats.Connect(s.URL(), s.options.Connect...)
		if err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the NATS server is not ready: %w: %w; its log:\n%s", ctx.Err(), err, s.program.LogTail())
		case <-s.program.Done():
			return fmt.Errorf("the NATS server ended; its log:\n%s", s.program.LogTail())
		case <-time.After(pollInterval):
		}
	}
}

// Address is where it listens.
func (s *Server) Address() string { return s.address }

// URL is where clients connect to.
func (s *Server) URL() string { return "nats://" + s.address }

// Kill ends it at once, as a crash would.
func (s *Server) Kill() { s.program.Kill() }

// Stop ends it.
func (s *Server) Stop() error { return s.program.Stop(stopTimeout) }

// MakeStream makes a stream for all subjects that begin with a prefix.
func (s *Server) MakeStream(ctx context.Context, name, prefix string) error {
	return s.with(func(js jetstream.JetStream) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{prefix + ".>"}, Storage: jetstream.FileStorage, Duplicates: Window,
		})
		return err
	})
}

// Messages are all that a stream holds, in order.
func (s *Server) Messages(ctx context.Context, stream string) (messages []*jetstream.RawStreamMsg, err error) {
	err = s.with(func(js jetstream.JetStream) error {
		found, err := js.Stream(ctx, stream)
		if err != nil {
			return err
		}
		info, err := found.Info(ctx)
		if err != nil {
			return err
		}
		for sequence := uint64(1); sequence <= info.State.LastSeq; sequence++ {
			message, err := found.GetMsg(ctx, sequence)
			if err != nil {
				return fmt.Errorf("read message %d of the stream %s: %w", sequence, stream, err)
			}
			messages = append(messages, message)
		}
		return nil
	})
	return messages, err
}

func (s *Server) with(do func(jetstream.JetStream) error) error {
	conn, err := nats.Connect(s.URL(), s.options.Connect...)
	if err != nil {
		return fmt.Errorf("connect to the NATS server: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	return do(js)
}
