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

// Package operator puts the parts together: one process that receives on every replica and reconciles on the elected one.
package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/kinds"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/receiver"
	"github.com/clerk-operator/clerk-operator/internal/resync"
)

// leaseName is the Lease by which replicas elect the one that reconciles.
const leaseName = "clerk-operator"

// drainTimeout is how long a stopping replica may take to answer the deliveries that it has begun, and to end its reconciliations.
const drainTimeout = 30 * time.Second

// longestRetry is how late Clerk's sender may still deliver an event by itself: its attempts end after 27.6 hours.
const longestRetry = 28 * time.Hour

// Run runs the operator against an API server until the context ends.
func Run(ctx context.Context, restConfig *rest.Config, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	limitGarbage()
	limitMemory()
	if c.TombstoneRetention < longestRetry {
		ctrl.Log.WithName("setup").Info("WARNING: --tombstone-retention is shorter than Clerk goes on trying to deliver: "+
			"an event that comes later than that creates nothing", "retention", c.TombstoneRetention, "deliveries", longestRetry)
	}
	tenants := cached.NewTenantObjects()
	mgr, err := newManager(restConfig, c, tenants)
	if err != nil {
		return err
	}
	checkPermissions(ctx, mgr.GetClient(), c.Namespace)
	if err := addKinds(mgr); err != nil {
		return err
	}
	environments, err := newPinner(mgr)
	if err != nil {
		return err
	}
	gate := write.NewStatusGate()
	mirrors := newMirror(mgr, c, gate)
	sinks, notes, err := addSinks(mgr, c)
	if err != nil {
		return err
	}
	if err := addDatabases(mgr, c); err != nil {
		return err
	}
	if err := addReceiver(mgr, c, receiver.Options{Mirror: mirrors, Pin: environments.Pin, Sinks: sinks, SinkNotes: notes}); err != nil {
		return err
	}
	forbidden, err := controller.MissingForGrants(ctx, mgr.GetClient(), c.ClusterGrantRoles)
	if err != nil {
		return err
	}
	if err := addMe(ctx, mgr, c, len(c.ClusterGrantRoles) > 0 && forbidden == ""); err != nil {
		return err
	}
	resyncer := resync.New(resync.Options{
		Client: mgr.GetClient(), Mirror: mirrors, Environments: environments, Recorder: mgr.GetEventRecorder("clerk-operator"),
		Namespace: c.Namespace, Hosts: c.ClerkAPIHosts, Now: time.Now,
	})
	if err := resyncer.Setup(mgr); err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, controller.Options{
		Namespace: c.Namespace, TombstoneRetention: c.TombstoneRetention, Now: time.Now, MissingUser: resyncer.Want,
		OrganizationExists: resyncer.OrganizationExists, TenantObjects: tenants, ClusterGrantRoles: c.ClusterGrantRoles,
		CreatorsPolicy: cmp.Or(c.CreatorsPolicy, DefaultCreatorsPolicy), ClusterGrantsForbidden: forbidden, Gate: gate,
	}); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// addKinds has every replica look whether the kinds are of its version, and the elected one say so in the ClerkInstances.
func addKinds(mgr ctrl.Manager) error {
	if err := mgr.Add(kinds.NewWatcher(mgr.GetAPIReader())); err != nil {
		return err
	}
	return mgr.Add(&kinds.Reporter{Client: mgr.GetClient(), Live: mgr.GetAPIReader()})
}

func newManager(restConfig *rest.Config, c Config, tenants *cached.TenantObjects) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metrics, err := c.metricsOptions()
	if err != nil {
		return nil, err
	}
	// In the proportions of Kubernetes' own components: of 15 s, the holder has 10 to renew it, and tries every 2.
	lease := cmp.Or(c.LeaseDuration, defaultLease)
	renewDeadline, retryPeriod := lease*2/3, lease*2/15
	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS = -1 // the API server's own priority and fairness decides, which knows what it can take
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cached.Options(c.Namespace, tenants),
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Metrics:                       metrics,
		HealthProbeBindAddress:        c.HealthProbeBindAddress,
		PprofBindAddress:              c.PprofBindAddress,
		LeaderElection:                c.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       c.Namespace,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renewDeadline,
		RetryPeriod:                   &retryPeriod,
		LeaderElectionReleaseOnCancel: true, // the process ends right after, so nothing reconciles without the lease
		GracefulShutdownTimeout:       new(drainTimeout),
		// Names of controllers are unique in a manager; several managers in one process are several replicas.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("reach the API server at %s: %w", restConfig.Host, err)
	}
	return mgr, nil
}

func newMirror(mgr ctrl.Manager, c Config, gate *write.StatusGate) *mirror.Mirror {
	return mirror.New(mirror.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), TombstoneRetention: c.TombstoneRetention, Now: time.Now,
		BeginListed: gate.Begin,
	})
}

// newPinner has a client of its own, without a cache: nobody's reads wait for what it writes.
func newPinner(mgr ctrl.Manager) (*environment.Pinner, error) {
	live, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, fmt.Errorf("make a client without a cache: %w", err)
	}
	return environment.NewPinner(live), nil
}

// addReceiver adds what every replica does: receive, and say when it last did. The options say whom events are for.
func addReceiver(mgr ctrl.Manager, c Config, options receiver.Options) error {
	lastEvents := receiver.NewLastEvents(mgr.GetClient())
	// Unlike the client, the cache waits for no write of this process to come back: one that hangs must not keep deliveries waiting.
	options.Reader = mgr.GetCache()
	options.Namespace = c.Namespace
	options.TombstoneRetention = c.TombstoneRetention
	options.Received = lastEvents.Received
	options.Refused = lastEvents.Refused
	options.BindAddress = c.ReceiverBindAddress
	options.TLSCertFile = c.ReceiverTLSCertFile
	options.TLSKeyFile = c.ReceiverTLSKeyFile
	endpoint, err := receiver.New(options)
	if err != nil {
		return err
	}
	for _, runnable := range []manager.Runnable{endpoint, lastEvents} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	return errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("receiver", endpoint.Check),
	)
}
