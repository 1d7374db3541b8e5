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
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is how much of the container's memory the Go runtime may use before it collects garbage harder: what is left is for stacks of
// other threads, the binary, and what the kernel counts.
const memoryShare = 0.9

// memoryLimitFiles are where the kernel says how much memory a container may use, by the version of cgroups.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// garbageShare is how much garbage there may be, in percent of what is in use, before the Go runtime collects it; Go's own default is 100.
// Most of what is in use are the caches, which stay: half as much garbage costs the operator some hundredths more of its processor time.
const garbageShare = 50

// limitGarbage sets that, unless GOGC is set.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbageShare)
	}
}

// limitMemory keeps the Go runtime below the container's limit: without it, garbage of a burst may grow to what is in use once more, and
// the kernel ends the process. GOMEMLIMIT, where it is set, counts instead.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, name := range memoryLimitFiles {
		content, err := os.ReadFile(name) //nolint:gosec // a constant of this file
		if err != nil {
			continue
		}
		if limit, limited := memoryLimit(string(content)); limited {
			debug.SetMemoryLimit(limit)
		}
		return
	}
}

// memoryLimit is the Go runtime's limit by what the kernel says; false where there is none, "max" or a number near the largest there is.
func memoryLimit(content string) (int64, bool) {
	bytes, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || bytes <= 0 || bytes > math.MaxInt64/2 {
		return 0, false
	}
	return int64(float64(bytes) * memoryShare), true
}
