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

package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/sink/httptarget"
	"github.com/clerk-operator/clerk-operator/internal/sink/natstarget"
	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

// ProblemError is why a ClerkSink cannot work as it stands: somebody has to act.
type ProblemError struct {
	// Reason is that of the condition.
	Reason string
	// Message says what to do. It holds no value of a Secret.
	Message string
}

// Error implements error.
func (p *ProblemError) Error() string { return p.Message }

// secrets are those that a target needs, by their names, as the cache has them.
type secrets struct {
	namespace string
	byName    map[string]*corev1.Secret
}

// namesOf lists the Secrets that a target needs.
func namesOf(spec *v1alpha1.ClerkSinkSpec) []string {
	var names []string
	key := func(reference *v1alpha1.SecretKeyReference) {
		if reference != nil {
			names = append(names, reference.Name)
		}
	}
	whole := func(reference *v1alpha1.SecretReference) {
		if reference != nil {
			names = append(names, reference.Name)
		}
	}
	ofTLS := func(settings *v1alpha1.SinkTLS) {
		if settings != nil {
			key(settings.CASecretRef)
			whole(settings.CertificateSecretRef)
		}
	}
	if http := spec.HTTP; http != nil {
		ofTLS(http.TLS)
		if http.Auth != nil {
			key(http.Auth.BearerTokenSecretRef)
		}
	}
	if nats := spec.NATS; nats != nil {
		ofTLS(nats.TLS)
		if nats.Auth != nil {
			key(nats.Auth.CredentialsSecretRef)
			whole(nats.Auth.UserSecretRef)
		}
	}
	return names
}

// SecretNames lists every Secret of a ClerkSink, that with the signing secrets first.
func SecretNames(sink *v1alpha1.ClerkSink) []string {
	return append([]string{sink.Spec.Webhook.SigningSecretRef.Name}, namesOf(&sink.Spec)...)
}

// readSecrets reads the Secrets of a target. Of those that are not marked nothing is read: whoever may write ClerkSinks must not have what
// other Secrets hold sent to themselves.
func readSecrets(ctx context.Context, reader client.Reader, namespace string, names []string) (*secrets, error) {
	read := &secrets{namespace: namespace, byName: make(map[string]*corev1.Secret, len(names))}
	for _, name := range names {
		secret := &corev1.Secret{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			return nil, &ProblemError{Reason: v1alpha1.ReasonSecretNotFound,
				Message: fmt.Sprintf("the Secret %s/%s does not exist: create it; until then deliveries are answered with 503", namespace, name)}
		}
		if err != nil {
			return nil, fmt.Errorf("read Secret %s/%s: %w", namespace, name, err)
		}
		if secret.Labels[v1alpha1.SinkLabel] != v1alpha1.SinkLabelValue {
			return nil, &ProblemError{Reason: v1alpha1.ReasonSecretNotMarked,
				Message: fmt.Sprintf("the Secret %s/%s is not marked as one for sinks, so nothing of it is shown to any target: "+
					"kubectl -n %s label secret %s %s=%s", namespace, name, namespace, name, v1alpha1.SinkLabel, v1alpha1.SinkLabelValue)}
		}
		read.byName[name] = secret
	}
	return read, nil
}

// versions tell one state of the Secrets from another.
func (s *secrets) versions() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		secret := s.byName[name]
		fmt.Fprintf(&text, " %s/%s/%s", name, secret.UID, secret.ResourceVersion)
	}
	return text.String()
}

func (s *secrets) value(name, key string) ([]byte, error) {
	value := s.byName[name].Data[key]
	if len(value) == 0 {
		return nil, s.unusable(name, fmt.Sprintf("has no key %s, or an empty one", key))
	}
	return value, nil
}

func (s *secrets) unusable(name, what string) error {
	return &ProblemError{Reason: v1alpha1.ReasonTargetInvalid,
		Message: fmt.Sprintf("the Secret %s/%s %s: correct it; until then deliveries are answered with 503", s.namespace, name, what)}
}

// tls is nil where the spec asks for nothing.
func (s *secrets) tls(settings *v1alpha1.SinkTLS) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if settings == nil {
		return config, nil
	}
	config.ServerName = settings.ServerName
	if reference := settings.CASecretRef; reference != nil {
		authorities, err := s.value(reference.Name, reference.Key)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, s.unusable(reference.Name, fmt.Sprintf("holds no certificate (PEM) in its key %s", reference.Key))
		}
	}
	if reference := settings.CertificateSecretRef; reference != nil {
		data := s.byName[reference.Name].Data
		certificate, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
		if err != nil {
			return nil, s.unusable(reference.Name, "holds no certificate and private key that belong together in tls.crt and tls.key")
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

func (d *Dispatcher) newTarget(spec *v1alpha1.ClerkSinkSpec, secrets *secrets) (target.Target, error) {
	switch {
	case spec.HTTP != nil:
		return d.newHTTP(spec, secrets)
	case spec.NATS != nil:
		return d.newNATS(spec.NATS, secrets)
	}
	return nil, &ProblemError{Reason: v1alpha1.ReasonTargetInvalid,
		Message: "the target is none that this version knows: set spec.http or spec.nats"}
}

func (d *Dispatcher) newHTTP(spec *v1alpha1.ClerkSinkSpec, secrets *secrets) (target.Target, error) {
	config, err := secrets.tls(spec.HTTP.TLS)
	if err != nil {
		return nil, err
	}
	options := httptarget.Options{
		URL:         spec.HTTP.URL,
		Structured:  spec.HTTP.ContentMode == v1alpha1.SinkStructured,
		TLS:         config,
		Dialer:      d.dialer(),
		Connections: inFlight(spec),
	}
	if auth := spec.HTTP.Auth; auth != nil {
		if options.Token, err = d.tokenOf(auth, secrets); err != nil {
			return nil, err
		}
	}
	return httptarget.New(options), nil
}

func (d *Dispatcher) tokenOf(auth *v1alpha1.SinkHTTPAuth, secrets *secrets) (func(context.Context) (string, error), error) {
	if reference := auth.BearerTokenSecretRef; reference != nil {
		value, err := secrets.value(reference.Name, reference.Key)
		if err != nil {
			return nil, err
		}
		token := strings.TrimSpace(string(value))
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, secrets.unusable(reference.Name, fmt.Sprintf("holds no bearer token in its key %s", reference.Key))
		}
		return func(context.Context) (string, error) { return token, nil }, nil
	}
	if auth.ServiceAccountToken == nil || d.options.Token == nil {
		return nil, &ProblemError{Reason: v1alpha1.ReasonTargetInvalid,
			Message: "no ServiceAccount to make tokens of is known: run the operator in a pod, or set --service-account"}
	}
	audience := auth.ServiceAccountToken.Audience
	return func(ctx context.Context) (string, error) { return d.options.Token(ctx, audience) }, nil
}

func (d *Dispatcher) newNATS(spec *v1alpha1.SinkNATS, secrets *secrets) (target.Target, error) {
	config, err := secrets.tls(spec.TLS)
	if err != nil {
		return nil, err
	}
	options := natstarget.Options{
		Servers:       spec.Servers,
		SubjectPrefix: spec.SubjectPrefix,
		Stream:        spec.Stream,
		Structured:    spec.ContentMode == v1alpha1.SinkStructured,
		Dialer:        d.dialer(),
		Now:           d.options.Now,
	}
	if strings.HasPrefix(spec.Servers[0], "tls://") {
		options.TLS = config
	}
	if auth := spec.Auth; auth != nil && auth.CredentialsSecretRef != nil {
		if options.Credentials, err = secrets.value(auth.CredentialsSecretRef.Name, auth.CredentialsSecretRef.Key); err != nil {
			return nil, err
		}
	}
	if auth := spec.Auth; auth != nil && auth.UserSecretRef != nil {
		user, errUser := secrets.value(auth.UserSecretRef.Name, corev1.BasicAuthUsernameKey)
		password, errPassword := secrets.value(auth.UserSecretRef.Name, corev1.BasicAuthPasswordKey)
		if err := errors.Join(errUser, errPassword); err != nil {
			return nil, secrets.unusable(auth.UserSecretRef.Name, "needs the keys username and password")
		}
		options.User, options.Password = string(user), string(password)
	}
	return natstarget.New(options), nil
}

func inFlight(spec *v1alpha1.ClerkSinkSpec) int {
	if spec.Delivery.MaxInFlight == nil {
		return DefaultInFlight
	}
	return int(min(max(*spec.Delivery.MaxInFlight, 1), MaxInFlight))
}
