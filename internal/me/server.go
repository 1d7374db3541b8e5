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

// Package me tells people what they have by Clerk: GET /me, on a port of its own. Members of an organization may list none of the
// operator's kinds, so the operator answers them. The API server says whose a token is (TokenReview), and the answer is about its owner
// alone: who is a member of nothing, and who was never heard of, get the same one.
package me

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/wait"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Path is where the answer is.
const Path = "/me"

// Options are what a Server needs.
type Options struct {
	// Tokens has the API server say whose a token is.
	Tokens authenticationclient.TokenReviewInterface

	// Members has the index of AddIndex.
	Members client.Reader

	// ClusterGrants tell what people have in the whole cluster; nil where none is carried out. Their Reader has the index of AddIndex.
	ClusterGrants *ClusterGrants

	// Audiences are those that a token has to be for; the API server's own, where there are none.
	Audiences []string

	// BindAddress is where to listen, host:port; Listener, if set, is used instead.
	BindAddress string
	Listener    net.Listener

	// TLSCertFile and TLSKeyFile are what it is served with. They are read again when they change.
	TLSCertFile, TLSKeyFile string
}

// Server answers GET /me. It is a Runnable of a controller-runtime manager.
type Server struct {
	options  Options
	reviewer *reviewer
	log      logr.Logger
	failures rate.Sometimes
}

// New returns a Server, which listens once it is started.
func New(options Options) (*Server, error) {
	if options.TLSCertFile == "" || options.TLSKeyFile == "" {
		return nil, errors.New(Path + " is served over TLS alone, since people show their tokens there: it needs a certificate and its key")
	}
	return &Server{
		options: options, reviewer: newReviewer(options.Tokens, options.Audiences), log: ctrl.Log.WithName("me"),
		failures: rate.Sometimes{Interval: logInterval},
	}, nil
}

// NeedLeaderElection is false: every replica answers.
func (s *Server) NeedLeaderElection() bool { return false }

// ServeHTTP answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path != Path {
		http.Error(w, "there is nothing but "+Path, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	token := bearerToken(r)
	if token == "" {
		refuse(w)
		return
	}
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	user, err := s.reviewer.owner(r.Context(), address, token)
	switch {
	case errors.Is(err, errUnknown):
		refuse(w)
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", retryAfterSeconds)
		http.Error(w, "too many requests: try again", http.StatusTooManyRequests)
	case err != nil:
		s.fail(w, err)
	default:
		s.answer(w, r, user)
	}
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "a bearer token is needed that the API server knows", http.StatusUnauthorized)
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	s.failures.Do(func() { s.log.Error(err, "Cannot answer "+Path) })
	w.Header().Set("Retry-After", retryAfterSeconds)
	http.Error(w, "the API server does not answer: try again", http.StatusServiceUnavailable)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, user string) {
	mine, err := s.mine(r.Context(), user)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(mine) // to nobody, if it fails
}

// certificate reads the TLS certificate, and tries again until it can be read: one that is renewed half, or is wrong, must not end the
// operator, which has more to do. The error is that ctx is done.
func (s *Server) certificate(ctx context.Context) (watcher *certwatcher.CertWatcher, err error) {
	err = wait.PollUntilContextCancel(ctx, certificateRetry, true, func(context.Context) (bool, error) {
		var err error
		if watcher, err = certwatcher.New(s.options.TLSCertFile, s.options.TLSKeyFile); err != nil {
			s.log.Error(err, "Cannot read the TLS certificate, so nobody is told what they have: correct it", "path", Path)
		}
		return err == nil, nil
	})
	return watcher, err
}

// Start answers until ctx is done, then lets those in flight finish.
func (s *Server) Start(ctx context.Context) error {
	watcher, err := s.certificate(ctx)
	if err != nil {
		return nil //nolint:nilerr // ctx is done
	}
	listener := s.options.Listener
	if listener == nil {
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.options.BindAddress); err != nil {
			return fmt.Errorf("listen for %s: %w", Path, err)
		}
	}
	listener = netutil.LimitListener(listener, maxConnections)
	listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: watcher.GetCertificate})
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		MaxHeaderBytes: maxHeaderBytes, DisableGeneralOptionsHandler: true, Protocols: new(http.Protocols),
		ErrorLog: stdlog.New(io.Discard, "", 0), // complaints about connections, of which anyone can cause any number
	}
	server.Protocols.SetHTTP1(true)
	server.SetKeepAlivesEnabled(false) // people ask once, and a connection that waits keeps somebody else's out

	group, stopping := errgroup.WithContext(ctx)
	group.Go(func() error { return watcher.Start(stopping) })
	group.Go(func() error {
		s.log.Info("Telling people what they have", "path", Path, "address", listener.Addr().String())
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", Path, err)
		}
		return nil
	})
	group.Go(func() error {
		<-stopping.Done()
		draining, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if err := server.Shutdown(draining); err != nil {
			return errors.Join(fmt.Errorf("drain %s: %w", Path, err), server.Close())
		}
		return nil
	})
	return group.Wait()
}
