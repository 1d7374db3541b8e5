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
	"net"
	"strings"
	"testing"
)

func TestBindAddress(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_ = free.Close()
	cases := map[string]struct {
		address, problem string
	}{
		"free":       {free.Addr().String(), ""},
		"taken":      {taken.Addr().String(), "already in use"},
		"no port":    {"127.0.0.1", "no host:port"},
		"empty port": {"127.0.0.1:", "from 1 to 65535"},
		"port 0":     {"127.0.0.1:0", "from 1 to 65535"},
		"large port": {"127.0.0.1:65536", "from 1 to 65535"},
		"a word":     {"127.0.0.1:http", "from 1 to 65535"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv(addressVariable, tc.address)
			got, err := bindAddress(t.Context())
			if tc.problem == "" {
				if err != nil || got != tc.address {
					t.Errorf("got %q, %v, want %q", got, err, tc.address)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.problem) || !strings.Contains(err.Error(), addressVariable) {
				t.Errorf("got %v, want %q and the variable's name", err, tc.problem)
			}
		})
	}
}
