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

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// What says where events are handed on to: the secret of an endpoint of its own, and exactly one of the two targets.
const (
	sinkSecretVariable = "CLERK_SINK_SIGNING_SECRET"
	sinkHTTPVariable   = "CLERK_SINK_HTTP_URL"
	sinkNATSVariable   = "CLERK_SINK_NATS_URL"
)

const (
	// sinkName names the ClerkSink, and sinkSecretName the Secret with the signing secrets of its endpoint.
	sinkName, sinkSecretName = "run", "clerk-sink-run"

	fieldOwner = client.FieldOwner("clerk-operator-run")
)

// sinkSettings are what a person says of a sink.
type sinkSettings struct {
	secrets []string
	// http and nats are the target: one is empty.
	http, nats string
}

// readSink is nil where nothing is said of a sink. No error holds a secret.
func readSink(getenv func(string) string) (*sinkSettings, error) {
	secrets, err := parseSecrets(sinkSecretVariable, getenv(sinkSecretVariable))
	if err != nil {
		return nil, err
	}
	s := &sinkSettings{
		secrets: secrets, http: strings.TrimSpace(getenv(sinkHTTPVariable)), nats: strings.TrimSpace(getenv(sinkNATSVariable)),
	}
	targets := s.http != "" || s.nats != ""
	switch {
	case len(secrets) == 0 && !targets:
		return nil, nil
	case len(secrets) == 0:
		return nil, fmt.Errorf("a target of a sink is set, but no %s: make an endpoint of its own for it in Clerk, and set its secret",
			sinkSecretVariable)
	case !targets || s.http != "" && s.nats != "":
		return nil, fmt.Errorf("%s is set: set either %s or %s too, for where the events go", sinkSecretVariable, sinkHTTPVariable,
			sinkNATSVariable)
	}
	if s.http != "" && !isURL(s.http, "http", "https") {
		return nil, fmt.Errorf("%s is no URL of a service, such as http://127.0.0.1:8080/events", sinkHTTPVariable)
	}
	if s.nats != "" && !isURL(s.nats, "nats", "tls") {
		return nil, fmt.Errorf("%s is no URL of a NATS server, such as nats://127.0.0.1:4222", sinkNATSVariable)
	}
	return s, nil
}

// isURL tells whether a text is a URL of one of the schemes, with a host, and without a user, who would be printed.
func isURL(text, scheme, tlsScheme string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Hostname() != "" && (parsed.Scheme == scheme || parsed.Scheme == tlsScheme) && parsed.User == nil
}

// install makes the ClerkSink, which hands every event on.
func (s *sinkSettings) install(ctx context.Context, cp *controlplane.ControlPlane) error {
	administrator, err := operatorproc.NewClient(cp)
	if err != nil {
		return err
	}
	secret := corev1ac.Secret(sinkSecretName, operatorproc.Namespace)
	for i, value := range s.secrets {
		secret.WithStringData(map[string]string{fmt.Sprintf("endpoint-%d", i): value})
	}
	spec := clerkac.ClerkSinkSpec().
		WithInstanceRef(clerkac.InstanceReference().WithName(operatorproc.Instance)).
		WithWebhook(clerkac.ClerkInstanceWebhook().WithSigningSecretRef(clerkac.SecretReference().WithName(sinkSecretName)))
	if s.http != "" {
		spec.WithHTTP(clerkac.SinkHTTP().WithURL(s.http))
	} else {
		spec.WithNATS(clerkac.SinkNATS().WithServers(s.nats))
	}
	if err := administrator.Apply(ctx, secret, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply the Secret %s: %w", sinkSecretName, err)
	}
	if err := administrator.Apply(ctx, clerkac.ClerkSink(sinkName).WithSpec(spec), fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply the ClerkSink %s: %w", sinkName, err)
	}
	return nil
}

// describe says what to enter in Clerk, and where the events go.
func (s *sinkSettings) describe(p place) string {
	where := s.http
	if s.nats != "" {
		where = "the subjects clerk.> of " + s.nats + ",\nfor which a stream has to be there: nats stream add CLERK --subjects 'clerk.>'"
	}
	return fmt.Sprintf("signed deliveries of its own endpoint are accepted at\n  %s\nand handed on to %s", p.sinkURL(), where)
}

// sinkURL is where Clerk's second endpoint leads to.
func (p place) sinkURL() string { return p.url + "/sinks/" + sinkName }
