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

package ui

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// apiPrefix is what every path begins with that answers from the cluster.
	apiPrefix = "/api/"

	// changesPath is where changes are told.
	changesPath = apiPrefix + "changes"

	// headerTimeout is how long a request's headers may take, and idleTimeout how long a connection stays open without one.
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute

	// maxHeaderBytes is how long a request's headers may be: a token and what a browser adds.
	maxHeaderBytes = 16 << 10

	// answerTimeout is how long an answer may take: the first one waits for the cluster's lists.
	answerTimeout = time.Minute

	// drainTimeout is how long answers under way may take after the end.
	drainTimeout = 2 * time.Second

	// maxAnswers is how many answers are worked on at a time: a person looks at one or two.
	maxAnswers = 8
)

//go:embed assets
var embedded embed.FS

// Source answers what the page asks.
type Source interface {
	// Answer is the answer of a name, to be sent as JSON. An error of the type *StatusError says its status.
	Answer(ctx context.Context, name string, parameters url.Values) (any, error)

	// State is what the page shows beside every answer; changed is closed as soon as it, or any answer, may be another.
	State() (state any, changed <-chan struct{})
}

// StatusError is an error with the HTTP status that says it.
type StatusError struct {
	Status  int
	Message string
}

func (p *StatusError) Error() string { return p.Message }

// Server serves the page.
type Server struct {
	source  Source
	token   string
	hosts   []string
	address string
	answers chan struct{}
	streams chan struct{}
}

// NewServer makes one for a listener, with a token of its own.
func NewServer(listener net.Addr, source Source) (*Server, error) {
	address, isTCP := listener.(*net.TCPAddr)
	if !isTCP || !address.IP.IsLoopback() {
		return nil, fmt.Errorf("the page is served on loopback alone, not on %s", listener)
	}
	port := strconv.Itoa(address.Port)
	return &Server{
		source: source, token: rand.Text(), address: net.JoinHostPort(address.IP.String(), port),
		hosts:   []string{net.JoinHostPort(address.IP.String(), port), net.JoinHostPort("localhost", port)},
		answers: make(chan struct{}, maxAnswers), streams: make(chan struct{}, maxStreams),
	}, nil
}

// URL is the page's address with its token. The token stands behind a #, which browsers send to nobody.
func (s *Server) URL() string { return "http://" + s.address + "/#token=" + s.token }

// Serve serves until the context ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return server.Close()
	}
	return nil
}

// Handler answers every request.
func (s *Server) Handler() http.Handler {
	assets, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.HandleFunc(changesPath, s.changes)
	mux.HandleFunc(apiPrefix+"{name}", s.answer)
	mux.Handle("/{$}", http.FileServerFS(assets))
	for _, name := range []string{"page.js", "page.css", "icon.svg"} {
		mux.Handle("/"+name, http.FileServerFS(assets))
	}
	return s.guard(mux)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	select {
	case s.answers <- struct{}{}:
		defer func() { <-s.answers }()
	case <-ctx.Done():
		refuse(w, http.StatusServiceUnavailable, "too much is asked at once: try again")
		return
	}
	found, err := s.source.Answer(ctx, r.PathValue("name"), r.URL.Query())
	switch problem, isProblem := errors.AsType[*StatusError](err); {
	case isProblem:
		refuse(w, problem.Status, problem.Message)
	case err != nil:
		refuse(w, http.StatusBadGateway, err.Error())
	default:
		writeJSON(w, http.StatusOK, found)
	}
}

// refuse says in one sentence why there is no answer.
func refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	content, err := json.Marshal(value)
	if err != nil {
		status, content = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(content) // who does not read it is gone
}
