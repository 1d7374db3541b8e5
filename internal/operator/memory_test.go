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

import "testing"

func TestTheMemoryLimitIsMostOfTheContainers(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    int64
	}{
		"512 MiB":                      {"536870912\n", 483183820},
		"cgroup v2 without a limit":    {"max\n", 0},
		"cgroup v1 without a limit":    {"9223372036854771712\n", 0},
		"nothing":                      {"", 0},
		"what a kernel would not say":  {"-1\n", 0},
		"what no number can hold, too": {"92233720368547758080\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got, limited := memoryLimit(test.content); got != test.want || limited != (test.want != 0) {
				t.Errorf("got %d, %t, want %d", got, limited, test.want)
			}
		})
	}
}
