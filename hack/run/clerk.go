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
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/signing"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// What says which Clerk is heard. Without a key and a secret, nothing is real: the secret is made up.
const (
	secretVariable = "CLERK_SIGNING_SECRET"
	keyVariable    = "CLERK_SECRET_KEY"
	modeVariable   = "CLERK_MODE"
	urlVariable    = "CLERK_API_URL"
)

const (
	clerkURL  = "https://api.clerk.com/v1"
	clerkHost = "api.clerk.com"
)

// settings are what a person says of Clerk.
type settings struct {
	operatorproc.Clerk
	// real tells that it is a Clerk application of the person's, and not one that was made up.
	real bool
	// sink is where the events of another endpoint are handed on to; nil for nowhere.
	sink *sinkSettings
}

// readSettings reads what the environment says of Clerk. No error holds a secret.
func readSettings(getenv func(string) string) (settings, error) {
	secrets, err := parseSecrets(secretVariable, getenv(secretVariable))
	if err != nil {
		return settings{}, err
	}
	mode, err := parseMode(getenv(modeVariable))
	if err != nil {
		return settings{}, err
	}
	s := settings{Clerk: operatorproc.Clerk{
		SigningSecrets: secrets, APIKey: strings.TrimSpace(getenv(keyVariable)), APIURL: strings.TrimSpace(getenv(urlVariable)), Mode: mode,
	}}
	if s.APIKey != "" && !strings.HasPrefix(s.APIKey, "sk_") {
		return settings{}, fmt.Errorf("%s is no secret key of Clerk: it begins with sk_ (dashboard: Configure, API keys)", keyVariable)
	}
	if s.APIURL != "" && s.APIKey == "" {
		return settings{}, fmt.Errorf("%s is set, but no %s: without a key nothing is asked there", urlVariable, keyVariable)
	}
	if err := checkURL(s.APIURL); err != nil {
		return settings{}, err
	}
	if s.sink, err = readSink(getenv); err != nil {
		return settings{}, err
	}
	if s.sink != nil && slices.ContainsFunc(s.sink.secrets, func(secret string) bool { return slices.Contains(secrets, secret) }) {
		return settings{}, fmt.Errorf("%s is among %s: make another endpoint for the sink in Clerk, which has a secret of its own",
			sinkSecretVariable, secretVariable)
	}
	s.real = len(secrets) > 0 || s.APIKey != "" || s.sink != nil
	if !s.real {
		s.SigningSecrets = []string{clerktest.NewSecret()}
	}
	return s, nil
}

// forgetSettings takes the secrets out of the environment, so that nothing that is started from here inherits them.
func forgetSettings() error {
	return errors.Join(os.Unsetenv(secretVariable), os.Unsetenv(keyVariable), os.Unsetenv(sinkSecretVariable))
}

// parseSecrets reads the signing secrets of a variable, separated by commas.
func parseSecrets(variable, text string) ([]string, error) {
	var secrets []string
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name := fmt.Sprintf("number %d", len(secrets)+1)
		if _, problems := signing.Parse(map[string][]byte{name: []byte(entry)}); len(problems) > 0 {
			return nil, fmt.Errorf("%s: %s %s", variable, problems[0].Key, problems[0].Reason)
		}
		secrets = append(secrets, entry)
	}
	return secrets, nil
}

func parseMode(text string) (v1alpha1.InstanceMode, error) {
	switch mode := v1alpha1.InstanceMode(strings.TrimSpace(text)); mode {
	case "", v1alpha1.ModeEnforce:
		return v1alpha1.ModeEnforce, nil
	case v1alpha1.ModeObserve:
		return mode, nil
	default:
		return "", fmt.Errorf("%s is %q: set it to %s or %s", modeVariable, text, v1alpha1.ModeObserve, v1alpha1.ModeEnforce)
	}
}

func checkURL(text string) error {
	if text == "" {
		return nil
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.User != nil {
		return fmt.Errorf("%s is no URL of an API, such as %s", urlVariable, clerkURL)
	}
	return nil
}

// operatorArgs are the flags that the operator needs for this Clerk: which hosts the key may be sent to, and whether sinks may lead here.
func (s settings) operatorArgs() []string {
	host := clerkHost
	if parsed, err := url.Parse(s.APIURL); err == nil && parsed.Host != "" {
		host = parsed.Host
	}
	args := []string{"--clerk-api-hosts=" + host}
	if s.sink != nil {
		args = append(args, "--sink-allow-local-targets") // what takes the events may well be on this machine
	}
	return args
}
