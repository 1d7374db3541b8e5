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

package e2e

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"sync"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// canary is in every name, address, user name and picture that these tests let Clerk send, and in metadata. Nothing else has it.
const canary = "qanary"

// maxLeaks bounds what a failure prints.
const maxLeaks = 20

// leakDetector is where logs go. It looks for what must not be in them, and keeps nothing else.
type leakDetector struct {
	mu      sync.Mutex
	needles []string
	found   []string
	lines   int
}

// watchFor adds a signing secret to what is looked for, in every form that a program might print it in.
func (d *leakDetector) watchFor(secret string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := strings.TrimPrefix(secret, "whsec_")
	raw, _ := base64.StdEncoding.DecodeString(key)
	for _, form := range []string{key, base64.StdEncoding.EncodeToString([]byte(secret)), string(raw)} {
		d.needles = append(d.needles, strings.ToLower(form))
	}
}

// Write implements io.Writer.
func (d *leakDetector) Write(line []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines++
	if len(d.found) < maxLeaks && d.leaksFrom(line) {
		d.found = append(d.found, string(bytes.TrimSpace(line)))
	}
	if os.Getenv("TEST_LOG") != "" {
		_, _ = os.Stderr.Write(line)
	}
	return len(line), nil
}

// leaksFrom tells whether a text holds anything that must not be there.
func (d *leakDetector) leaksFrom(text []byte) bool {
	text = bytes.ToLower(text)
	for _, needle := range append([]string{canary, clerktest.Private}, d.needles...) {
		if bytes.Contains(text, []byte(needle)) {
			return true
		}
	}
	return false
}

// leaks are the lines that should not have been.
func (d *leakDetector) leaks() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.found...)
}

// count is how many lines were logged so far.
func (d *leakDetector) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// holds is leaksFrom for those who do not log.
func (d *leakDetector) holds(text []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leaksFrom(text)
}

func join(lines []string) string { return strings.Join(lines, "\n") }
