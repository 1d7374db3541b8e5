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

// Package monitoring_test checks the alerts and the dashboard of the chart with Prometheus' own parser and engine, and with what a running
// operator really has to be scraped (test/scrape). It is a module of its own: nothing else needs Prometheus.
package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// root is the repository.
var root = filepath.Join("..", "..")

// prometheus is a parser without what has to be switched on first.
var prometheus = parser.NewParser(parser.Options{})

// rendered is what the chart makes of its values, as far as it is about monitoring.
type rendered struct {
	rules     []rulefmt.Rule
	relabels  []*relabel.Config
	dashboard dashboard
}

// chart is rendered once: with everything on, and no other settings.
var chart = sync.OnceValues(func() (rendered, error) {
	return render("metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true")
})

func mustChart(t *testing.T) rendered {
	t.Helper()
	r, err := chart()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// render has helm render the chart, and reads what came out.
func render(values ...string) (rendered, error) {
	var r rendered
	helm := exec.CommandContext(context.Background(), filepath.Join(root, "bin", "helm"),
		"template", "clerk-operator", filepath.Join(root, "charts", "clerk-operator"), "--show-only", "templates/monitoring.yaml", "--set", "image.repository=registry.example.com/clerk-operator,clerk.existingSecret=a,"+strings.Join(values, ","))
	var problems bytes.Buffer
	helm.Stderr = &problems
	output, err := helm.Output()
	if err != nil {
		return r, fmt.Errorf("helm template: %w (run make helm first)\n%s", err, problems.Bytes())
	}
	for document := range strings.SplitSeq(string(output), "\n---\n") {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return r, err
		}
		switch head.Kind {
		case "PrometheusRule":
			err = r.readRules(document)
		case "ServiceMonitor":
			err = r.readMonitor(document)
		case "ConfigMap":
			err = r.readDashboard(document)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", head.Kind, err)
		}
	}
	return r, nil
}

func (r *rendered) readRules(document string) error {
	var object struct{ Spec yaml.Node }
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return err
	}
	spec, err := yaml.Marshal(&object.Spec)
	if err != nil {
		return err
	}
	groups, errs := rulefmt.Parse(spec, false, model.UTF8Validation, prometheus, promslog.NewNopLogger())
	if len(errs) > 0 {
		return fmt.Errorf("%v", errs)
	}
	for _, group := range groups.Groups {
		r.rules = append(r.rules, group.Rules...)
	}
	return nil
}

func (r *rendered) readMonitor(document string) error {
	var object struct {
		Spec struct {
			Endpoints []struct {
				MetricRelabelings []struct {
					SourceLabels model.LabelNames `yaml:"sourceLabels"`
					TargetLabel  string           `yaml:"targetLabel"`
					Regex        string
					Action       relabel.Action
				} `yaml:"metricRelabelings"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return err
	}
	for _, endpoint := range object.Spec.Endpoints {
		for _, one := range endpoint.MetricRelabelings {
			config := relabel.DefaultRelabelConfig
			config.SourceLabels, config.TargetLabel = one.SourceLabels, one.TargetLabel
			config.Regex = relabel.MustNewRegexp(one.Regex)
			if one.Action != "" {
				config.Action = one.Action
			}
			if err := config.Validate(model.UTF8Validation); err != nil {
				return err
			}
			r.relabels = append(r.relabels, &config)
		}
	}
	return nil
}

func (r *rendered) readDashboard(document string) error {
	var object struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(document), &object); err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(object.Data["clerk-operator.json"]))
	return decoder.Decode(&r.dashboard)
}

// dashboard is what matters of a Grafana dashboard.
type dashboard struct {
	Title  string
	Panels []struct {
		ID          int
		Type, Title string
		Description string
		Targets     []struct{ Expr, LegendFormat string }
	}
}

// The file in the chart can be given to a plain Prometheus as it stands.
func TestThePlainRulesAreTheRenderedOnes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, "charts", "clerk-operator", "files", "monitoring", "alerts.yaml")
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, prometheus, promslog.NewNopLogger())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var plain []string
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			plain = append(plain, rule.Alert+": "+rule.Expr)
		}
	}
	var inChart []string
	for _, rule := range mustChart(t).rules {
		inChart = append(inChart, rule.Alert+": "+rule.Expr)
	}
	if got, want := strings.Join(inChart, "\n"), strings.Join(plain, "\n"); got != want || want == "" {
		t.Errorf("the chart has\n%s\nthe file has\n%s", got, want)
	}
}

// Whoever is woken by an alert finds what to do, and what the documentation explains is there.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, content, _ := strings.Cut(section, "\n")
		sections[strings.Trim(title, "`")] = content
	}
	for _, rule := range mustChart(t).rules {
		for _, annotation := range []string{"summary", "description"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", rule.Alert, annotation)
			}
		}
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", rule.Alert, severity)
		}
		if got, want := rule.Annotations["runbook_url"], "https://github.com/clerk-operator/clerk-operator/blob/main/docs/alerts.md#"+strings.ToLower(rule.Alert); got != want {
			t.Errorf("%s has the runbook %s, want %s", rule.Alert, got, want)
		}
		section := sections[rule.Alert]
		for _, part := range []string{"**What it means.**", "**What to look at.**", "**What to do.**", "`" + rule.Labels["severity"] + "`"} {
			if !strings.Contains(section, part) {
				t.Errorf("docs/alerts.md does not say %s of %s", part, rule.Alert)
			}
		}
		delete(sections, rule.Alert)
	}
	for title := range sections {
		if strings.HasPrefix(title, "ClerkOperator") {
			t.Errorf("docs/alerts.md explains %s, which is no alert", title)
		}
	}
}

func TestAlertsCanBeChangedByValues(t *testing.T) {
	t.Parallel()
	const alerts = "metrics.prometheusRule.alerts."
	r, err := render("metrics.prometheusRule.enabled=true", "fullnameOverride=clerk",
		"metrics.prometheusRule.runbookBaseURL=https://runbooks.example.com/x/", "metrics.prometheusRule.alertLabels.team=platform",
		alerts+"ClerkOperatorEndpointSilent.threshold=604800", alerts+"ClerkOperatorEndpointSilent.for=1h",
		alerts+"ClerkOperatorEventsWaiting.threshold=0.25", alerts+"ClerkOperatorEventsWaiting.severity=page",
		alerts+"ClerkOperatorResyncStale.enabled=false")
	if err != nil {
		t.Fatal(err)
	}
	usual := mustChart(t)
	if len(r.rules) != len(usual.rules)-1 {
		t.Errorf("%d alerts, want one less than %d", len(r.rules), len(usual.rules))
	}
	for _, rule := range r.rules {
		if rule.Labels["team"] != "platform" || !strings.HasPrefix(rule.Annotations["runbook_url"], "https://runbooks.example.com/x/docs/alerts.md#") {
			t.Errorf("%s has the labels %v and the runbook %s", rule.Alert, rule.Labels, rule.Annotations["runbook_url"])
		}
		want := ""
		switch rule.Alert {
		case "ClerkOperatorEndpointSilent":
			want = " > 604800 for 1h warning"
		case "ClerkOperatorEventsWaiting":
			want = " > 0.25 for 5m page"
		case "ClerkOperatorDown":
			want = `(sum(up{job="clerk-metrics"}) or vector(0)) < 1 for 5m critical`
		case "ClerkOperatorResyncStale":
			t.Error("an alert that is switched off is there")
		}
		got := fmt.Sprintf("%s for %s %s", strings.ReplaceAll(rule.Expr, "\n", " "), rule.For, rule.Labels["severity"])
		if !strings.HasSuffix(got, want) {
			t.Errorf("%s is %q, want an end of %q", rule.Alert, got, want)
		}
	}
}
