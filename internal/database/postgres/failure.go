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

package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/sink/egress"
)

// Codes of what has no SQLSTATE.
const (
	CodeAddressRefused = "address_refused"
	CodeTLS            = "tls"
	CodeTimeout        = "timeout"
	CodeDNS            = "dns"
	CodeConnection     = "connection"
	CodeAuthentication = "authentication_method"
)

// Failure says in a word what went wrong. It holds nothing that the database answered: what that says may quote a row.
type Failure struct {
	// Reason is that of the condition.
	Reason string
	// Code is the SQLSTATE, or one of the codes above.
	Code string
}

// sqlState is what a code of PostgreSQL looks like. A server could answer anything.
var sqlState = regexp.MustCompile(`^[0-9A-Z]{5}$`)

// Code is the SQLSTATE of an error; empty where there is none.
func Code(err error) string {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	if !sqlState.MatchString(answer.Code) {
		return "XX000" // internal error
	}
	return answer.Code
}

// Classify says what an error means.
func Classify(err error) Failure {
	if code := Code(err); code != "" {
		return Failure{reasonOf(code), code}
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, egress.ErrRefusedAddress):
		return Failure{v1alpha1.ReasonAddressRefused, CodeAddressRefused}
	case isTLS(err):
		return Failure{v1alpha1.ReasonTLSFailed, CodeTLS}
	case strings.Contains(err.Error(), "require_auth"):
		return Failure{v1alpha1.ReasonCredentialsRefused, CodeAuthentication}
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), errors.As(err, &timeout) && timeout.Timeout():
		return Failure{v1alpha1.ReasonDatabaseUnavailable, CodeTimeout}
	case errors.As(err, &dns):
		return Failure{v1alpha1.ReasonDatabaseUnavailable, CodeDNS}
	}
	return Failure{v1alpha1.ReasonDatabaseUnavailable, CodeConnection}
}

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		header       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &authority) ||
		errors.As(err, &host) || errors.As(err, &invalid) || strings.Contains(err.Error(), "server refused TLS connection")
}

func reasonOf(code string) string {
	switch {
	case code == "3D000":
		return v1alpha1.ReasonDatabaseNotFound
	case strings.HasPrefix(code, "28"):
		return v1alpha1.ReasonCredentialsRefused
	case code == "42501":
		return v1alpha1.ReasonPrivilegeMissing
	case code == "42P01", code == "42703", code == "3F000":
		return v1alpha1.ReasonSchemaChanged
	case RefusesData(code):
		return v1alpha1.ReasonRowsRefused
	}
	return v1alpha1.ReasonDatabaseUnavailable
}

// RefusesData tells whether a code is about the row rather than about the database: data exceptions, constraints, limits, and what a
// trigger raises.
func RefusesData(code string) bool {
	for _, class := range []string{"22", "23", "54", "P0"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
