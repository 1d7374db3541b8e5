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
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// metricsReader reads the operator's metrics where Prometheus would.
type metricsReader struct {
	url, token string
	http       *http.Client
}

// sample is one line of the metrics: a name with its labels, and its value.
type sample struct {
	name  string
	value float64
}

// samples are all metrics of the operator at one time.
type samples []sample

func (m *metricsReader) read(ctx context.Context) (samples, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+m.token)
	response, err := m.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the metrics: answered %s", response.Status)
	}
	var all samples
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, number, _ := strings.Cut(lines.Text(), "} ")
		if name == lines.Text() {
			name, number, _ = strings.Cut(lines.Text(), " ")
		}
		if value, err := strconv.ParseFloat(number, 64); err == nil && !strings.HasPrefix(name, "#") {
			all = append(all, sample{name: name, value: value})
		}
	}
	return all, lines.Err()
}

// sum adds up the samples of a metric that have all of these labels, each given as name="value".
func (s samples) sum(metric string, labels ...string) float64 {
	var sum float64
next:
	for _, one := range s {
		name, given, _ := strings.Cut(one.name, "{")
		if name != metric {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(given, label) {
				continue next
			}
		}
		sum += one.value
	}
	return sum
}

// cpuSeconds is how much work the operator did so far.
func (s samples) cpuSeconds() float64 { return s.sum("process_cpu_seconds_total") }

// isBusy tells whether anything is queued or under way.
func (s samples) isBusy() bool {
	return s.sum("workqueue_depth") > 0 || s.sum("controller_runtime_active_workers") > 0
}
