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

// Package endpoint proves the way to the receiver from outside: a forged delivery has to be refused for its signature.
package endpoint

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// checkTimeout bounds one attempt; an endpoint answers within milliseconds.
	checkTimeout = 10 * time.Second
	// checkPatience is for how long an endpoint that nobody answers at is asked again: a Service that was just made leads nowhere yet.
	checkPatience = time.Minute
	// checkPause is how long is waited in between.
	checkPause = time.Second
	// checkAnswer is how much of an answer is shown: a sentence.
	checkAnswer = 512
)

// forgedBody is what a forged delivery says. It is of a type that no version mirrors, in case that it is let in.
const forgedBody = `{"type":"clerk-operator.check","object":"event","data":{},"timestamp":0}`

// Trust says which certificates count.
type Trust bool

const (
	// AnyCertificate is for checks within the cluster, where an endpoint has another name than outside. Nothing that is sent is a secret.
	AnyCertificate Trust = true

	// ValidCertificate is for checks from outside: Clerk's sender takes no other.
	ValidCertificate Trust = false
)

// Check proves the way to an endpoint: a forged delivery has to be refused for its signature, and for nothing else.
func Check(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	for {
		err := CheckOnce(ctx, url, AnyCertificate)
		if !errors.Is(err, ErrNoAnswer) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(checkPause):
		}
	}
}

// ErrNoAnswer says that nothing answers by HTTP.
var ErrNoAnswer = errors.New("nobody answers")

// CheckOnce is Check with a single attempt.
func CheckOnce(ctx context.Context, url string, trust Trust) error {
	status, answer, err := forge(ctx, url, trust)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrNoAnswer, url, err)
	}
	return judge(status, answer)
}

// judge says what an answer to a forged delivery means.
func judge(status int, answer string) error {
	const expected = "a forged delivery should have been refused with 401"
	switch status {
	case http.StatusUnauthorized:
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("%s; it was 404: there is no such ClerkInstance, or the path is not /webhooks/<its name>: %s", expected, answer)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%s; it was 503: no signing secret is usable (kubectl describe clerkinstance says why): %s", expected, answer)
	default:
		if status < http.StatusMultipleChoices {
			return fmt.Errorf("%s; it was accepted with %d: that is no clerk-operator", expected, status)
		}
		return fmt.Errorf("%s; it was %d: %s", expected, status, answer)
	}
}

// forge sends a delivery that is well-formed, fresh, and signed by nobody.
func forge(ctx context.Context, url string, trust Trust) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(forgedBody))
	if err != nil {
		return 0, "", err
	}
	signature := make([]byte, 32)
	_, _ = rand.Read(signature) // it never fails
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Svix-Id", "msg_check_"+rand.Text())
	request.Header.Set("Svix-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	request.Header.Set("Svix-Signature", "v1,"+base64.StdEncoding.EncodeToString(signature))
	response, err := newClient(trust).Do(request)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, checkAnswer))
	return response.StatusCode, string(bytes.TrimSpace(text)), errors.Join(err, response.Body.Close())
}

// newClient goes straight there, by no proxy, and follows no redirect, as Clerk's sender does not either.
func newClient(trust Trust) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: bool(trust)}, //nolint:gosec // see AnyCertificate
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
