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

package operator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/clerk-operator/clerk-operator/internal/metricsauth"
)

const (
	// defaultLease and shortestLease are how long a Lease counts that its holder does not renew: by default, and at least. It is counted in
	// whole seconds, and a busy API server may take one to answer.
	defaultLease  = 15 * time.Second
	shortestLease = 2 * time.Second
)

// DefaultCreatorsPolicy is the name of the policy in config/creators.
const DefaultCreatorsPolicy = "clerk-operator-creators"

// Config is everything that can be set. Its fields are the flags of the command.
type Config struct {
	// Namespace is the operator's own: its Secrets and its Lease are there.
	Namespace string

	// ReceiverBindAddress is where deliveries come in.
	ReceiverBindAddress string

	// ReceiverTLSCertFile and ReceiverTLSKeyFile serve deliveries over TLS; they are read again when they change. Empty: plain HTTP.
	ReceiverTLSCertFile string
	ReceiverTLSKeyFile  string

	// MetricsBindAddress is where metrics are served, over HTTPS and to those alone whom the API server lets. "0": nowhere.
	MetricsBindAddress string

	// MetricsTLSCertFile and MetricsTLSKeyFile are what metrics are served with; they are read again when they change. Empty: a self-signed
	// certificate, made at each start.
	MetricsTLSCertFile string
	MetricsTLSKeyFile  string

	// MeBindAddress is where GET /me tells people what they have, over HTTPS. Empty or "0": nowhere.
	MeBindAddress string

	// MeTLSCertFile and MeTLSKeyFile are what /me is served with; they are read again when they change.
	MeTLSCertFile string
	MeTLSKeyFile  string

	// MeAudiences are the audiences of which a token has to be for one. Empty: the API server's own.
	MeAudiences []string

	// HealthProbeBindAddress is where /healthz and /readyz are. "0": nowhere.
	HealthProbeBindAddress string

	// PprofBindAddress is where the Go runtime's profiles are, at a loopback address alone. "0" or empty: nowhere.
	PprofBindAddress string

	// LeaderElect lets one replica of several reconcile. All receive.
	LeaderElect bool

	// LeaseDuration is how long a Lease counts that its holder does not renew. Zero: 15 seconds.
	LeaseDuration time.Duration

	// ClerkAPIHosts are the hosts that API keys may be sent to, each with its port or for any.
	ClerkAPIHosts []string

	// CreatorsPolicy is the name of the MutatingAdmissionPolicy that has the API server record who makes what, and of its binding. Empty:
	// DefaultCreatorsPolicy.
	CreatorsPolicy string

	// ClusterGrantRoles are the ClusterRoles that ClusterGrants may give in the whole cluster. Without any, none is carried out.
	ClusterGrantRoles []string

	// TombstoneRetention is how long tombstones are kept, and how old an event may be and still create something.
	TombstoneRetention time.Duration

	// ServiceAccount is the operator's own, in Namespace: sinks can be shown a token of it. Empty where it is not known.
	ServiceAccount string

	// SinkAllowLocalTargets lets sinks lead to addresses of this machine, for development.
	SinkAllowLocalTargets bool

	// DatabaseAllowLocalTargets lets databases be at addresses of this machine, for development.
	DatabaseAllowLocalTargets bool
}

// Validate says what is wrong with a Config and what to do.
func (c Config) Validate() error {
	var errs []error
	if c.Namespace == "" {
		errs = append(errs, errors.New("--namespace is not set and cannot be found out: set it to the operator's own namespace"))
	}
	if c.LeaseDuration != 0 && c.LeaseDuration < shortestLease {
		errs = append(errs, fmt.Errorf("--leader-elect-lease-duration is below %s: a leader could not renew it in time", shortestLease))
	}
	if c.TombstoneRetention <= 0 {
		errs = append(errs, errors.New("--tombstone-retention is not above 0: Clerk's deliveries come up to 28 hours late"))
	}
	if (c.ReceiverTLSCertFile == "") != (c.ReceiverTLSKeyFile == "") {
		errs = append(errs, errors.New("--receiver-tls-cert-file and --receiver-tls-key-file go together: set both or neither"))
	}
	if (c.MetricsTLSCertFile == "") != (c.MetricsTLSKeyFile == "") {
		errs = append(errs, errors.New("--metrics-tls-cert-file and --metrics-tls-key-file go together: set both or neither"))
	}
	if c.servesMe() && (c.MeTLSCertFile == "" || c.MeTLSKeyFile == "") {
		errs = append(errs, errors.New("--me-bind-address needs --me-tls-cert-file and --me-tls-key-file: people show their tokens there"))
	}
	if !isLoopbackOrNone(c.PprofBindAddress) {
		errs = append(errs, errors.New("--pprof-bind-address is no loopback address: whoever reaches it could slow the operator down; "+
			"set it to 127.0.0.1:<port> and use kubectl port-forward"))
	}
	return errors.Join(errs...)
}

// isLoopbackOrNone tells whether an address is one that this machine, or this pod, alone can reach.
func isLoopbackOrNone(address string) bool {
	if address == "" || address == "0" {
		return true
	}
	parsed, err := netip.ParseAddrPort(address)
	return err == nil && parsed.Addr().IsLoopback()
}

// metricsOptions serve metrics over HTTPS, with a certificate of the administrator's where there is one.
func (c Config) metricsOptions() (metricsserver.Options, error) {
	options := metricsserver.Options{
		BindAddress:    c.MetricsBindAddress,
		SecureServing:  true,
		FilterProvider: metricsauth.New,
		TLSOpts:        []func(*tls.Config){func(t *tls.Config) { t.MinVersion = tls.VersionTLS12 }},
	}
	if c.MetricsTLSCertFile == "" {
		return options, nil
	}
	options.CertDir, options.CertName = filepath.Split(c.MetricsTLSCertFile)
	options.CertDir = filepath.Clean(options.CertDir)
	key, err := filepath.Rel(options.CertDir, c.MetricsTLSKeyFile) // the server takes it from that folder
	if err != nil {
		return options, fmt.Errorf("find --metrics-tls-key-file from --metrics-tls-cert-file: %w", err)
	}
	options.KeyName = key
	return options, nil
}
