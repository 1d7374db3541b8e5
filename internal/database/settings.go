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

package database

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
)

// defaultPort is PostgreSQL's.
const defaultPort = "5432"

// ProblemError is why a ClerkDatabase cannot work as it stands: somebody has to act.
type ProblemError struct {
	// Reason is that of the condition.
	Reason string
	// Message says what to do. It holds no value of a Secret.
	Message string
}

// Error implements error.
func (p *ProblemError) Error() string { return p.Message }

// SecretNames lists the Secrets of a ClerkDatabase, that of the connection first.
func SecretNames(object *v1alpha1.ClerkDatabase) []string {
	connection := &object.Spec.Connection
	names := []string{connection.SecretRef.Name}
	if connection.TLS != nil && connection.TLS.CASecretRef != nil {
		names = append(names, connection.TLS.CASecretRef.Name)
	}
	if connection.TLS != nil && connection.TLS.CertificateSecretRef != nil {
		names = append(names, connection.TLS.CertificateSecretRef.Name)
	}
	return names
}

// ReadPlan reads the Secrets of a ClerkDatabase. What somebody has to mend is a ProblemError.
func ReadPlan(ctx context.Context, reader client.Reader, namespace string, object *v1alpha1.ClerkDatabase, allowLocal bool) (Plan, error) {
	spec := &object.Spec
	plan := Plan{
		Name: object.Name, UID: string(object.UID), Instance: spec.InstanceRef.Name, Schema: spec.Schema, Tables: spec.Tables,
		PersonalData: spec.PersonalData, Version: fmt.Sprint(object.Generation),
	}
	secrets := map[string]*corev1.Secret{}
	for _, name := range SecretNames(object) {
		secret := &corev1.Secret{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			return plan, problem(v1alpha1.ReasonSecretNotFound, namespace, name, "does not exist: create it")
		}
		if err != nil {
			return plan, fmt.Errorf("read Secret %s/%s: %w", namespace, name, err)
		}
		secrets[name] = secret
		plan.Version += fmt.Sprintf(" %s/%s/%s", name, secret.UID, secret.ResourceVersion)
	}
	settings, err := connection(secrets[spec.Connection.SecretRef.Name])
	if err != nil {
		return plan, err
	}
	settings.AllowLocal = allowLocal
	if settings.TLS, err = tlsOf(spec.Connection.TLS, settings.Host, namespace, secrets); err != nil {
		return plan, err
	}
	plan.Settings = settings
	return plan, nil
}

func problem(reason, namespace, name, what string) error {
	return &ProblemError{Reason: reason, Message: fmt.Sprintf("the Secret %s/%s %s", namespace, name, what)}
}

// checkMark refuses a Secret that is not marked: whoever may write ClerkDatabases must not have the operator show others.
func checkMark(secret *corev1.Secret) error {
	if secret.Labels[v1alpha1.DatabaseLabel] == v1alpha1.DatabaseLabelValue {
		return nil
	}
	return problem(v1alpha1.ReasonSecretNotMarked, secret.Namespace, secret.Name, fmt.Sprintf(
		"is not marked as one for databases, so nothing of it is used: kubectl -n %s label secret %s %s=%s",
		secret.Namespace, secret.Name, v1alpha1.DatabaseLabel, v1alpha1.DatabaseLabelValue))
}

// connection reads a URL, or its parts. Nothing of a URL is quoted in a message: it may be wrong in the password.
func connection(secret *corev1.Secret) (*postgres.Settings, error) {
	if err := checkMark(secret); err != nil {
		return nil, err
	}
	settings, port, wrong := parts(secret)
	if wrong == "" {
		wrong = check(settings, port)
	}
	if wrong != "" {
		return nil, problem(v1alpha1.ReasonSecretUnusable, secret.Namespace, secret.Name, wrong)
	}
	return settings, nil
}

// parts are what the Secret says, and what is wrong with that.
func parts(secret *corev1.Secret) (settings *postgres.Settings, port, wrong string) {
	value := func(keys ...string) string {
		for _, key := range keys {
			if value := strings.TrimSpace(string(secret.Data[key])); value != "" {
				return value
			}
		}
		return ""
	}
	text := value("url", "uri")
	if text == "" {
		return &postgres.Settings{
			Host: value("host"), Database: value("dbname", "database"), User: value("username", "user"),
			Password: strings.TrimRight(string(secret.Data["password"]), "\r\n"),
		}, value("port"), ""
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "postgresql" && parsed.Scheme != "postgres" {
		return nil, "", "holds no URL such as postgresql://user:password@host:5432/database in its key url: correct it"
	}
	for parameter := range parsed.Query() {
		if parameter != "sslmode" && parameter != "channel_binding" {
			return nil, "", "has parameters in its url besides sslmode and channel_binding: leave them out"
		}
	}
	settings = &postgres.Settings{Host: parsed.Hostname(), Database: strings.TrimPrefix(parsed.Path, "/"), User: parsed.User.Username()}
	settings.Password, _ = parsed.User.Password()
	return settings, parsed.Port(), ""
}

// check says what is wrong.
func check(settings *postgres.Settings, port string) (wrong string) {
	if port == "" {
		port = defaultPort
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || number == 0:
		return "names no port: correct it, or leave it out"
	case settings.Host == "" || settings.Database == "" || settings.User == "":
		return "needs a url, or the keys host, dbname and username, and mostly password: complete it"
	case !host.MatchString(settings.Host) && net.ParseIP(settings.Host) == nil:
		return "names no host, or several: name one, by its name or its address"
	}
	settings.Port = uint16(number)
	return ""
}

// host is no path to a socket, and no list.
var host = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// tlsOf is nil where nothing is encrypted.
func tlsOf(settings *v1alpha1.DatabaseTLS, name, namespace string, secrets map[string]*corev1.Secret) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	switch {
	case settings == nil:
		return config, nil
	case settings.Mode == v1alpha1.DatabaseTLSDisable:
		return nil, nil //nolint:nilnil // that is what was asked for
	case settings.ServerName != "":
		config.ServerName = settings.ServerName
	}
	if reference := settings.CASecretRef; reference != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(secrets[reference.Name].Data[reference.Key]) {
			return nil, problem(v1alpha1.ReasonSecretUnusable, namespace, reference.Name,
				fmt.Sprintf("holds no certificate (PEM) in its key %s: correct it", reference.Key))
		}
	}
	if reference := settings.CertificateSecretRef; reference != nil {
		secret := secrets[reference.Name]
		if err := checkMark(secret); err != nil {
			return nil, err
		}
		certificate, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
		if err != nil {
			return nil, problem(v1alpha1.ReasonSecretUnusable, namespace, reference.Name,
				"holds no certificate and private key that belong together in tls.crt and tls.key: correct it")
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}
