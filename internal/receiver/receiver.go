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

// Package receiver is where Clerk's deliveries come in: it limits them, verifies them, has them mirrored, and answers. A delivery is
// answered with success only after its meaning is in the API server; there is no queue in between.
package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/sink"
)

// Mirror writes what an event says into the API server. *mirror.Mirror is one.
type Mirror interface {
	Apply(ctx context.Context, instance string, event *clerk.Event) (mirror.Outcome, error)
}

// Options are what a Receiver works with.
type Options struct {
	// Reader reads ClerkInstances, and Secrets in Namespace. It is asked twice a delivery, so it should be a cache.
	Reader client.Reader

	// Namespace is the operator's own: the Secrets with the signing secrets are in it.
	Namespace string

	// Mirror is told of every verified event.
	Mirror Mirror

	// Pin makes sure that a ClerkInstance is of the environment that an event says, as environment.Pinner does. By default it writes
	// nothing down.
	Pin func(ctx context.Context, instance *v1alpha1.ClerkInstance, id string) error

	// TombstoneRetention is how old an event may be and still create something, and so say which environment it is.
	TombstoneRetention time.Duration

	// Received, if set, hears of every delivery answered with success: its ClerkInstance, the label of its type, and when. It must
	// not block.
	Received func(instance string, eventType string, at time.Time)

	// Refused, if set, hears of every other delivery to a ClerkInstance: its name, the outcome, and when. It must not block.
	Refused func(instance, outcome string, at time.Time)

	// Sinks hand events on; without them, no path of a ClerkSink is known.
	Sinks *sink.Dispatcher

	// SinkNotes, if set, hear how deliveries to ClerkSinks end.
	SinkNotes SinkNotes

	// BindAddress is where to listen, host:port.
	BindAddress string

	// Listener, if set, is used instead of listening on BindAddress.
	Listener net.Listener

	// TLSCertFile and TLSKeyFile, if set, make it HTTPS. They are read again when they change.
	TLSCertFile, TLSKeyFile string

	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Receiver answers deliveries. It is a Runnable of a controller-runtime manager.
type Receiver struct {
	options                              Options
	limits                               limits
	log                                  logr.Logger
	smallBodies, largeBodies, deliveries places
	smallSinkBodies, largeSinkBodies     places
	refusals                             pace
	serving                              atomic.Bool
}

// New returns a Receiver, which listens once it is started.
func New(options Options) (*Receiver, error) {
	if (options.TLSCertFile == "") != (options.TLSKeyFile == "") {
		return nil, errors.New("the receiver's TLS needs both a certificate file and a key file: set both or none")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Pin == nil {
		options.Pin = func(_ context.Context, instance *v1alpha1.ClerkInstance, id string) error {
			return environment.Check(instance, id)
		}
	}
	return newReceiver(options, defaultLimits()), nil
}

func newReceiver(options Options, limits limits) *Receiver {
	return &Receiver{
		options:     options,
		limits:      limits,
		log:         ctrl.Log.WithName("receiver"),
		smallBodies: make(places, limits.smallBodies),
		largeBodies: make(places, limits.largeBodies),
		deliveries:  make(places, limits.deliveries),

		smallSinkBodies: make(places, limits.smallSinkBodies),
		largeSinkBodies: make(places, limits.largeSinkBodies),

		refusals: pace{every: RefusalLogInterval},
	}
}

// NeedLeaderElection is false: every replica receives.
func (r *Receiver) NeedLeaderElection() bool { return false }

// Handler answers deliveries, for those who bring a server of their own.
func (r *Receiver) Handler() http.Handler { return r }

// Check is a readiness check: it fails while the receiver does not listen.
func (r *Receiver) Check(*http.Request) error {
	if r.serving.Load() {
		return nil
	}
	return errors.New("the receiver does not listen")
}

// Start answers deliveries until ctx is done, then lets those in flight finish.
func (r *Receiver) Start(ctx context.Context) error {
	watcher, err := r.watchCertificate()
	if err != nil {
		return err
	}
	listener, err := r.listen(ctx)
	if err != nil {
		return err
	}
	if watcher != nil {
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: watcher.GetCertificate})
	}

	server := r.server()
	group, stopping := errgroup.WithContext(ctx)
	if watcher != nil {
		group.Go(func() error { return watcher.Start(stopping) })
	}
	group.Go(func() error {
		r.log.Info("Receiving deliveries", "address", listener.Addr().String(), "tls", watcher != nil)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve deliveries: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-stopping.Done()
		r.serving.Store(false)
		return r.drain(server)
	})
	r.serving.Store(true)
	return group.Wait()
}

func (r *Receiver) watchCertificate() (*certwatcher.CertWatcher, error) {
	if r.options.TLSCertFile == "" {
		return nil, nil
	}
	watcher, err := certwatcher.New(r.options.TLSCertFile, r.options.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the receiver's TLS certificate: %w", err)
	}
	return watcher, nil
}

func (r *Receiver) listen(ctx context.Context) (net.Listener, error) {
	if r.options.Listener != nil {
		return r.options.Listener, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", r.options.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for deliveries: %w", err)
	}
	return listener, nil
}

// server has no base context: deliveries in flight outlive the manager's, and are drained.
func (r *Receiver) server() *http.Server {
	server := &http.Server{
		Handler:                      r,
		ReadHeaderTimeout:            ReadHeaderTimeout,
		ReadTimeout:                  r.limits.readTimeout,
		WriteTimeout:                 WriteTimeout,
		IdleTimeout:                  IdleTimeout,
		MaxHeaderBytes:               MaxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(quietLog{r.log}, "", 0),
		Protocols:                    new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	return server
}

func (r *Receiver) drain(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.limits.drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("drain deliveries: %w", err), server.Close())
	}
	return nil
}

// quietLog takes net/http's complaints about connections, of which anyone can cause any number.
type quietLog struct {
	log logr.Logger
}

// Write implements io.Writer.
func (q quietLog) Write(line []byte) (int, error) {
	q.log.V(1).Info("The HTTP server complains", "message", string(line))
	return len(line), nil
}
