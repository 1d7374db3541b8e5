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

// Command clerk-operator makes a Kubernetes cluster agree with what Clerk says of organizations and their members.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	// The certificates of the world's authorities, for an image that holds none: what the system has comes first.
	_ "golang.org/x/crypto/x509roots/fallback"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clerk-operator/clerk-operator/internal/endpoint"
	"github.com/clerk-operator/clerk-operator/internal/operator"
)

// version is set by the linker.
var version = "dev"

// namespaceFile is where a pod finds the name of its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func main() {
	if err := run(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "clerk-operator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var config operator.Config
	var logging zap.Options
	showVersion := flag.Bool("version", false, "Print the version and exit.")
	checked := flag.String("check-endpoint", "",
		"Send a forged delivery to this URL, exit with 0 if it is refused for its signature, and do nothing else. What helm test runs.")
	defineFlags(&config)
	logging.BindFlags(flag.CommandLine)
	switch err := parseFlags(); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return fmt.Errorf("%w (--help lists every flag)", err)
	}
	if *showVersion {
		fmt.Println("clerk-operator", version)
		return nil
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flag.Arg(0))
	}
	if *checked != "" {
		return endpoint.Check(ctx, *checked)
	}
	logger := zap.New(zap.UseFlagOptions(&logging))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger) // client-go's own lines take the same form
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w (outside of one, set --kubeconfig or KUBECONFIG)", err)
	}
	ctrl.Log.WithName("setup").Info("starting", "version", version, "namespace", config.Namespace)
	return operator.Run(ctx, restConfig, config)
}

// parseFlags reads the command line. One wrong flag is answered with one line, not with all flags there are.
func parseFlags() error {
	flag.CommandLine.Init("clerk-operator", flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard)
	err := flag.CommandLine.Parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Println("clerk-operator makes a Kubernetes cluster agree with what Clerk says of organizations and their members.\n\nFlags:")
		flag.CommandLine.SetOutput(os.Stdout)
		flag.PrintDefaults()
	}
	return err
}

func defineFlags(c *operator.Config) {
	flag.StringVar(&c.Namespace, "namespace", ownNamespace(),
		"The operator's own namespace: where its Secrets and its Lease are. Within a pod it is found out.")
	flag.StringVar(&c.ReceiverBindAddress, "receiver-bind-address", ":8090",
		"Where Clerk's deliveries come in, at /webhooks/<name of a ClerkInstance>.")
	flag.StringVar(&c.ReceiverTLSCertFile, "receiver-tls-cert-file", "",
		"Certificate (PEM) to serve deliveries with; it is read again when it changes. Without it, deliveries are served in plain HTTP.")
	flag.StringVar(&c.ReceiverTLSKeyFile, "receiver-tls-key-file", "",
		"Private key (PEM) of the certificate.")
	flag.StringVar(&c.MetricsBindAddress, "metrics-bind-address", ":8443",
		"Where metrics are served, over HTTPS, to those whom the API server lets get /metrics; 0 for nowhere.")
	flag.StringVar(&c.MetricsTLSCertFile, "metrics-tls-cert-file", "",
		"Certificate (PEM) to serve metrics with; it is read again when it changes. Without it, a self-signed one is made at each start.")
	flag.StringVar(&c.MetricsTLSKeyFile, "metrics-tls-key-file", "",
		"Private key (PEM) of that certificate.")
	flag.StringVar(&c.MeBindAddress, "me-bind-address", "0",
		"Where GET /me tells people what they have, over HTTPS, by the bearer token that the API server knows them by; 0 for nowhere.")
	flag.StringVar(&c.MeTLSCertFile, "me-tls-cert-file", "",
		"Certificate (PEM) to serve /me with; it is read again when it changes.")
	flag.StringVar(&c.MeTLSKeyFile, "me-tls-key-file", "",
		"Private key (PEM) of that certificate.")
	flag.Func("me-audiences",
		"Audiences, separated by commas, of which a token has to be for one that is shown to /me. Without it, the API server's own.",
		func(value string) error {
			c.MeAudiences = strings.Split(value, ",")
			return nil
		})
	flag.StringVar(&c.HealthProbeBindAddress, "health-probe-bind-address", ":8081",
		"Where /healthz and /readyz are; 0 for nowhere.")
	flag.StringVar(&c.PprofBindAddress, "pprof-bind-address", "0",
		"Where the Go runtime's profiles are, at a loopback address alone, such as 127.0.0.1:6060; 0 for nowhere.")
	c.ClerkAPIHosts = []string{"api.clerk.com"}
	flag.Func("clerk-api-hosts",
		"Hosts that the API keys of ClerkInstances may be sent to, separated by commas, each as <host> or <host>:<port>. (default api.clerk.com)",
		func(value string) error {
			c.ClerkAPIHosts = strings.Split(value, ",")
			return nil
		})
	flag.Func("cluster-grant-roles",
		"ClusterRoles that ClusterGrants may give in the whole cluster, separated by commas. Without it, no ClusterGrant is carried out.",
		func(value string) error {
			c.ClusterGrantRoles = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
			return nil
		})
	flag.StringVar(&c.CreatorsPolicy, "creators-policy", operator.DefaultCreatorsPolicy,
		"Name of the MutatingAdmissionPolicy, and of its binding, that has the API server record who makes what (TenantClass spec.creators).")
	flag.BoolVar(&c.LeaderElect, "leader-elect", false,
		"Let one of several replicas reconcile. Every replica receives.")
	flag.DurationVar(&c.LeaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"How long the others wait before one of them takes over from an elected replica that was killed or hangs.")
	flag.DurationVar(&c.TombstoneRetention, "tombstone-retention", 7*24*time.Hour,
		"How long the tombstone of what was deleted in Clerk is kept, and how old an event may be and still create something.")
	flag.StringVar(&c.ServiceAccount, "service-account", os.Getenv("POD_SERVICE_ACCOUNT"),
		"The operator's own ServiceAccount, of which ClerkSinks can have tokens made for them. Within a pod it is found out.")
	flag.BoolVar(&c.SinkAllowLocalTargets, "sink-allow-local-targets", false,
		"Let ClerkSinks lead to loopback addresses. For development alone.")
	flag.BoolVar(&c.DatabaseAllowLocalTargets, "database-allow-local-targets", false,
		"Let ClerkDatabases be at loopback addresses. For development alone.")
}

// ownNamespace is the namespace of the pod that this runs in; "" outside of a pod.
func ownNamespace() string {
	if name := os.Getenv("POD_NAMESPACE"); name != "" {
		return name
	}
	content, err := os.ReadFile(namespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}
