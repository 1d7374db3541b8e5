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
	"strings"
	"testing"
	"time"
)

func TestAWrongSettingIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*Config)
		problem string
	}{
		"all is well":                  {func(*Config) {}, ""},
		"the shortest Lease":           {func(c *Config) { c.LeaseDuration = 2 * time.Second }, ""},
		"a Lease that is too short":    {func(c *Config) { c.LeaseDuration = time.Second }, "--leader-elect-lease-duration"},
		"a Lease of less than no time": {func(c *Config) { c.LeaseDuration = -time.Hour }, "--leader-elect-lease-duration"},
		"no namespace":                 {func(c *Config) { c.Namespace = "" }, "--namespace"},
		"no retention":                 {func(c *Config) { c.TombstoneRetention = 0 }, "--tombstone-retention"},
		"a certificate without a key":  {func(c *Config) { c.ReceiverTLSCertFile = "tls.crt" }, "--receiver-tls-key-file"},
		"profiles for this machine":    {func(c *Config) { c.PprofBindAddress = "127.0.0.1:6060" }, ""},
		"profiles nowhere":             {func(c *Config) { c.PprofBindAddress = "0" }, ""},
		"profiles for everybody":       {func(c *Config) { c.PprofBindAddress = ":6060" }, "--pprof-bind-address"},
		"profiles by a name":           {func(c *Config) { c.PprofBindAddress = "localhost:6060" }, "--pprof-bind-address"},
		"/me without a certificate":    {func(c *Config) { c.MeBindAddress = ":8444" }, "--me-tls-cert-file"},
		"a key without a certificate":  {func(c *Config) { c.MetricsTLSKeyFile = "tls.key" }, "--metrics-tls-cert-file"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Namespace: "clerk-operator-system", TombstoneRetention: time.Hour}
			test.change(&c)
			err := c.Validate()
			if (err != nil) != (test.problem != "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want one that names %q", err, test.problem)
			}
		})
	}
}
