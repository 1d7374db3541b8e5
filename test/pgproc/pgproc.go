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

// Package pgproc runs a PostgreSQL server for tests: the real program, as an unprivileged user, on a port and in a folder of its own. It
// can be killed and started again on what it had stored.
package pgproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// readyTimeout bounds the start, which takes a moment; after a kill it has to read what it had written.
	readyTimeout = time.Minute
	// pollInterval is how often it is asked whether it is ready.
	pollInterval = 20 * time.Millisecond
	// stopTimeout is how long it may take to end.
	stopTimeout = 20 * time.Second

	// Admin is the superuser.
	Admin = "postgres"
	// Password is the superuser's.
	Password = "admin-of-the-tests"

	// nobody runs it where the tests run as root, as whom PostgreSQL refuses to run.
	nobody = "nobody"
)

// ErrNotInstalled says that there is no PostgreSQL to run.
var ErrNotInstalled = errors.New("PostgreSQL is not installed here: apt-get install postgresql, or put initdb and postgres on the PATH")

// Server is a PostgreSQL server.
type Server struct {
	binaries, dir string
	host          string
	port          uint16
	credential    *syscall.Credential
	command       *exec.Cmd
	done          chan struct{}
	ca            []byte
}

// Start starts a server for a test, and skips the test where PostgreSQL is not installed.
func Start(t *testing.T) *Server {
	t.Helper()
	s, err := New(t.Context())
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Remove)
	return s
}

// New makes a server and starts it. Remove it in the end.
func New(ctx context.Context) (*Server, error) {
	binaries, err := Find()
	if err != nil {
		return nil, err
	}
	s := &Server{binaries: binaries, host: "127.0.0.1"}
	if s.dir, err = os.MkdirTemp("", "clerk-operator-postgres-"); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.Remove()
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// Find looks for PostgreSQL on the PATH, then where Debian puts it, and returns the folder of the newest.
func Find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	slices.Sort(found)
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	for _, path := range slices.Backward(found) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "initdb")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", ErrNotInstalled
}

func (s *Server) prepare(ctx context.Context) error {
	if os.Getuid() == 0 {
		account, err := user.Lookup(nobody)
		if err != nil {
			return fmt.Errorf("find an unprivileged user to run PostgreSQL as: %w", err)
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(errUID, errGID, os.Chown(s.dir, int(uid), int(gid))); err != nil {
			return err
		}
		s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort(s.host, "0"))
	if err != nil {
		return err
	}
	s.port = uint16(listener.Addr().(*net.TCPAddr).Port)
	if err := errors.Join(listener.Close(), s.initialise(ctx)); err != nil {
		return err
	}
	return s.writeCertificate()
}

func (s *Server) initialise(ctx context.Context) error {
	password := filepath.Join(s.dir, "password")
	if err := s.write(password, []byte(Password)); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.binaries, "initdb"), "--pgdata="+s.data(), "--username="+Admin, "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	command.Dir, command.Env = s.dir, s.environment()
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, output)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C"}
}

// write writes a file that is the server's own.
func (s *Server) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	if s.credential == nil {
		return nil
	}
	return os.Chown(path, int(s.credential.Uid), int(s.credential.Gid))
}

// Start starts it again after a Kill or a Stop, with what it had stored, and returns once it takes connections.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	settings := map[string]string{
		"listen_addresses": s.host, "port": strconv.Itoa(int(s.port)), "unix_socket_directories": s.dir, "max_connections": "30",
		"shared_buffers": "32MB", "fsync": "off", // no test cuts the power
		"ssl": "on", "ssl_cert_file": s.certFile(), "ssl_key_file": s.keyFile(),
	}
	args := []string{"-D", s.data()}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	command := exec.Command(filepath.Join(s.binaries, "postgres"), args...) //nolint:noctx // Kill ends it
	command.Dir, command.Env, command.Stdout, command.Stderr = s.dir, s.environment(), log, log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	if err := controlplane.StartChild(command); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	done := make(chan struct{})
	go func() { _ = command.Wait(); close(done) }()
	s.command, s.done = command, done
	return s.untilReady(ctx)
}

func (s *Server) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL(Admin, Password, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL is not ready: %w; its log:\n%s", err, s.Log())
		case <-s.done:
			return fmt.Errorf("PostgreSQL ended; its log:\n%s", s.Log())
		case <-time.After(pollInterval):
		}
	}
}

// URL is where a user connects to, as the tests do: without TLS.
func (s *Server) URL(name, password, database string) string {
	return fmt.Sprintf("postgresql://%s:%s@%s/%s?sslmode=disable", name, password, s.Address(), database)
}

// Host and Port are where it listens.
func (s *Server) Host() string { return s.host }

// Port is where it listens.
func (s *Server) Port() uint16 { return s.port }

// Address is both.
func (s *Server) Address() string { return net.JoinHostPort(s.host, strconv.Itoa(int(s.port))) }

// CA is the authority (PEM) of its certificate, which is for 127.0.0.1.
func (s *Server) CA() []byte { return s.ca }

// Kill ends it at once with all that it runs, as a crash of the machine would.
func (s *Server) Kill() {
	if s.command == nil {
		return
	}
	children := s.children()
	_ = syscall.Kill(s.command.Process.Pid, syscall.SIGKILL)
	<-s.done
	s.command = nil
	for _, pid := range children {
		for syscall.Kill(pid, syscall.SIGKILL) == nil { // until it is gone
			time.Sleep(pollInterval)
		}
	}
}

// children are the processes of its connections and its own, which are in process groups of theirs.
func (s *Server) children() []int {
	pid := strconv.Itoa(s.command.Process.Pid)
	listed, err := os.ReadFile(fmt.Sprintf("/proc/%[1]s/task/%[1]s/children", pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(listed)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// Stop ends it, with its connections.
func (s *Server) Stop() {
	if s.command == nil {
		return
	}
	_ = syscall.Kill(s.command.Process.Pid, syscall.SIGINT)
	select {
	case <-s.done:
		s.command = nil
	case <-time.After(stopTimeout):
		s.Kill()
	}
}

// Remove stops it and takes away all that it had.
func (s *Server) Remove() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// Log is what it printed.
func (s *Server) Log() string {
	content, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(content))
}
