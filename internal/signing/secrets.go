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

// Package signing verifies deliveries as Svix signs them, and signs some itself: it reads the signing secrets out of a Secret's data, and
// the id, the time and the signatures out of a delivery's headers. The signature itself is made and checked by Svix' own library.
package signing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	svix "github.com/svix/svix-webhooks/go"
)

const (
	// secretPrefix is what Svix puts before the base64 of a signing secret.
	secretPrefix = "whsec_"

	// minSecretLength is how many bytes a signing secret has at least. Below 128 bits a key can be guessed; Svix itself makes 18
	// bytes or more. Most of all it keeps out the empty secret, with which anyone could sign.
	minSecretLength = 16

	// maxSecrets is how many secrets are tried. A rotation has two or three; each costs a forger nothing and the receiver one
	// HMAC over the body.
	maxSecrets = 16
)

// ErrNoMatch says that no secret explains any of a delivery's signatures.
var ErrNoMatch = errors.New("no signature matches any of the signing secrets")

// Problem is a key of a Secret that does not count, and why. It never holds any of the value.
type Problem struct {
	// Key of the Secret's data.
	Key string
	// Reason says what is wrong with its value.
	Reason string
}

// Verifier holds the usable signing secrets of one endpoint. The zero Verifier has none, and verifies nothing.
type Verifier struct {
	webhooks []*svix.Webhook

	// digests tell one secret from another, and say nothing of it.
	digests [][sha256.Size]byte
}

// Parse reads every key of a Secret's data as one signing secret: rotation is to add a key and later to remove the old one. White
// space around a value does not count, since editors and shells like to add a line break. Keys are taken in their order, and those
// that do not count are told.
func Parse(data map[string][]byte) (Verifier, []Problem) {
	var (
		verifier Verifier
		problems []Problem
	)
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if len(verifier.webhooks) == maxSecrets {
			problems = append(problems, Problem{Key: key, Reason: fmt.Sprintf("only %d signing secrets are tried: remove old ones", maxSecrets)})
			continue
		}
		webhook, digest, err := parseSecret(data[key])
		if err != nil {
			problems = append(problems, Problem{Key: key, Reason: err.Error()})
			continue
		}
		verifier.webhooks = append(verifier.webhooks, webhook)
		verifier.digests = append(verifier.digests, digest)
	}
	return verifier, problems
}

func parseSecret(value []byte) (webhook *svix.Webhook, digest [sha256.Size]byte, err error) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return nil, digest, errors.New("is empty")
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(value), secretPrefix))
	if err != nil {
		return nil, digest, errors.New("is no signing secret: it must be whsec_ followed by base64")
	}
	if len(secret) < minSecretLength {
		return nil, digest, fmt.Errorf("is too short: a signing secret has at least %d bytes", minSecretLength)
	}
	webhook, err = svix.NewWebhookRaw(secret)
	if err != nil {
		return nil, digest, errors.New("is refused by the Svix library")
	}
	return webhook, sha256.Sum256(secret), nil
}

// Shares tells whether both hold the same secret.
func (v Verifier) Shares(other Verifier) bool {
	return slices.ContainsFunc(v.digests, func(digest [sha256.Size]byte) bool { return slices.Contains(other.digests, digest) })
}

// Usable tells whether there is any secret to verify with.
func (v Verifier) Usable() bool {
	return len(v.webhooks) > 0
}

// Sign is the headers of an attempt to deliver a body, signed with the first of the secrets.
func (v Verifier) Sign(id string, at time.Time, body []byte) (http.Header, error) {
	if !v.Usable() {
		return nil, errors.New("there is no signing secret to sign with")
	}
	signature, err := v.webhooks[0].Sign(id, at, body)
	if err != nil {
		return nil, fmt.Errorf("sign a delivery: %w", err)
	}
	header := http.Header{}
	header.Set("Svix-Id", id)
	header.Set("Svix-Timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("Svix-Signature", signature)
	return header, nil
}

// Verify checks that one of the secrets signed this body for this attempt. It says nothing of the attempt's age: see Attempt.Fresh.
func (v Verifier) Verify(body []byte, attempt Attempt) error {
	for _, webhook := range v.webhooks {
		// The library would check the age by the machine's clock; Attempt.Fresh has done so, before the body was read.
		if webhook.VerifyIgnoringTimestamp(body, attempt.header) == nil {
			return nil
		}
	}
	return ErrNoMatch
}
