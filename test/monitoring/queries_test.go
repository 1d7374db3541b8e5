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

package monitoring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/teststorage"
)

// rare are metrics that the scraped operator does not have, although the code declares them, by the reason.
var rare = map[string]string{
	"clerk_operator_resync_last_success_timestamp_seconds": needsKey,
	"clerk_operator_resync_duration_seconds_count":         needsKey,
	"clerk_operator_resync_requests_total":                 needsKey,
	"clerk_operator_resync_drift_total":                    needsKey,
	"clerk_operator_resync_prune_held":                     needsKey,
	"clerk_operator_resync_contradictions":                 needsKey,
	"clerk_operator_cache_reduced_total":                   "somebody has to write what looks like the operator's and cannot be",
	"clerk_operator_resync_listed":                         needsKey,

	"clerk_operator_sink_deliveries_total":                needsSink,
	"clerk_operator_sink_answer_seconds_bucket":           needsSink,
	"clerk_operator_sink_in_flight":                       needsSink,
	"clerk_operator_sink_breaker_open":                    needsSink,
	"clerk_operator_sink_last_accepted_timestamp_seconds": needsSink,
	"clerk_operator_sink_last_failure_timestamp_seconds":  needsSink,
	"clerk_operator_database_lag_objects":                 needsDatabase,
	"clerk_operator_database_lag_seconds":                 needsDatabase,
	"clerk_operator_database_refused_rows":                needsDatabase,
	"clerk_operator_database_written_rows_total":          needsDatabase,
	"clerk_operator_database_reduced_rows_total":          needsDatabase,
	"clerk_operator_database_rows":                        needsDatabase,
	"clerk_operator_database_errors_total":                needsDatabase,
	"clerk_operator_mirror_dropped_fields_total":          "nothing that is odd was sent",
	"clerk_operator_tenant_derived_access_removed_total":  "nobody leaves an organization whose class bounds derived access",
}

const needsSink = "the scraped operator has no ClerkSink"

const needsDatabase = "the scraped operator has no ClerkDatabase"

const needsKey = "a resync needs an API key of Clerk's, which the scraped operator does not have"

// empty are panels that may have nothing to show for the scraped operator, by the reason.
var empty = map[string]string{
	"Failures": "the API server may have failed no request",
}

// target is what Prometheus adds to each series of a scrape, when the Prometheus operator has told it whom to scrape.
var target = map[string]string{
	"job": "clerk-operator-metrics", "instance": "10.0.0.7:8443", "namespace": "clerk-operator-system", "service": "clerk-operator-metrics",
	"pod": "clerk-operator-5d4f", "container": "clerk-operator", "endpoint": "metrics",
}

// scraped is what there is of a running operator.
type scraped struct {
	series   []series
	declared map[string][]string
}

type series struct {
	labels labels.Labels
	value  float64
}

// scrape runs test/scrape, once.
var scrape = sync.OnceValues(func() (scraped, error) {
	s := scraped{declared: map[string][]string{}}
	command := exec.CommandContext(context.Background(), "go", "run", "./test/scrape")
	command.Dir = root
	var problems bytes.Buffer
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		return s, fmt.Errorf("go run ./test/scrape: %w\n%s", err, problems.Bytes())
	}
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(line, "# DECLARED "); found {
			name, list, _ := strings.Cut(strings.TrimSpace(name), " ")
			s.declared[name] = strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
		}
	}
	r, err := chart()
	if err != nil {
		return s, err
	}
	if err := s.parse(text, r.relabels); err != nil {
		return s, err
	}
	// Prometheus' own word of how the scrape went.
	s.series = append(s.series, series{labels: withTarget(labels.FromStrings("__name__", "up"), nil), value: 1})
	return s, nil
})

func (s *scraped) parse(text []byte, relabels []*relabel.Config) error {
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("parse the scrape: %w", err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var l labels.Labels
		p.Labels(&l)
		_, _, value := p.Series()
		s.series = append(s.series, series{labels: withTarget(l, relabels), value: value})
	}
}

// withTarget adds the target's labels as a scrape of Prometheus does (where both have one, the scraped one becomes exported_…), and then
// does what the ServiceMonitor asks for.
func withTarget(l labels.Labels, relabels []*relabel.Config) labels.Labels {
	builder := labels.NewBuilder(l)
	for name, value := range target {
		if own := l.Get(name); own != "" {
			builder.Set("exported_"+name, own)
		}
		builder.Set(name, value)
	}
	relabel.ProcessBuilder(builder, relabels...)
	return builder.Labels()
}

// labelsOf are the labels that the series of a metric have, all of them together; nil where there is none.
func (s *scraped) labelsOf(metric string) map[string]bool {
	var all map[string]bool
	for _, one := range s.series {
		if one.labels.Get("__name__") != metric {
			continue
		}
		if all == nil {
			all = map[string]bool{}
		}
		one.labels.Range(func(l labels.Label) { all[l.Name] = true })
	}
	return all
}

// query is an expression of an alert or of a panel.
type query struct{ where, expr, legend string }

// macros are what Grafana puts into a query.
var macros = strings.NewReplacer("$__rate_interval", "5m", "$job", target["job"], "$instance", ".*")

func queries(r rendered) []query {
	var all []query
	for _, rule := range r.rules {
		all = append(all, query{where: "alert " + rule.Alert, expr: rule.Expr})
	}
	for _, panel := range r.dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, query{where: "panel " + panel.Title, expr: macros.Replace(target.Expr), legend: target.LegendFormat})
		}
	}
	return all
}

var promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)```")

// documented are the queries of the page on service levels.
func documented(t *testing.T) (all []query) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "how-to", "slo.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range promqlBlock.FindAllSubmatch(page, -1) {
		all = append(all, query{where: "docs/how-to/slo.md", expr: string(block[1])})
	}
	if len(all) == 0 {
		t.Fatal("docs/how-to/slo.md has no query")
	}
	return all
}

func TestEveryMetricAndLabelOfAQueryExists(t *testing.T) {
	t.Parallel()
	r := mustChart(t)
	got, err := scrape()
	if err != nil {
		t.Fatal(err)
	}
	all := append(queries(r), documented(t)...)
	if len(all) < 40 {
		t.Fatalf("%d queries, want all of them", len(all))
	}
	used := map[string]bool{}
	for _, q := range all {
		expr, err := prometheus.ParseExpr(q.expr)
		if err != nil {
			t.Errorf("%s: %v\n%s", q.where, err, q.expr)
			continue
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			switch node := node.(type) {
			case *parser.VectorSelector:
				used[node.Name] = true
				names := make([]string, 0, len(node.LabelMatchers))
				for _, matcher := range node.LabelMatchers {
					names = append(names, matcher.Name)
				}
				checkLabels(t, q, got, node.Name, names)
			case *parser.AggregateExpr:
				checkBelow(t, q, got, node.Expr, node.Grouping)
			case *parser.BinaryExpr:
				if node.VectorMatching != nil {
					checkBelow(t, q, got, node.LHS, node.VectorMatching.MatchingLabels)
					checkBelow(t, q, got, node.RHS, node.VectorMatching.MatchingLabels)
				}
			}
			return nil
		})
	}
	for name := range rare {
		if !used[name] || got.labelsOf(name) != nil {
			t.Errorf("%s is no rare metric: no query names it, or the scrape has it", name)
		}
	}
	for name := range got.declared {
		if strings.HasPrefix(name, "clerk_operator_") && !slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(metric string) bool {
			return metric == name || histogram(metric) == name
		}) {
			t.Errorf("neither an alert nor the dashboard looks at %s", name)
		}
	}
}

// checkBelow checks that a label by which is grouped or joined is one of every metric below.
func checkBelow(t *testing.T, q query, got scraped, expr parser.Expr, names []string) {
	t.Helper()
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, found := node.(*parser.VectorSelector); found {
			checkLabels(t, q, got, selector.Name, names)
		}
		return nil
	})
}

func checkLabels(t *testing.T, q query, got scraped, metric string, names []string) {
	t.Helper()
	known := got.labelsOf(metric)
	if known == nil && rare[metric] != "" {
		known = map[string]bool{"__name__": true}
		for _, name := range got.declares(metric) {
			known[name] = true
		}
		for name := range target {
			known[name] = true
		}
	}
	if known == nil {
		t.Errorf("%s: the scrape has no %s, and no reason is given", q.where, metric)
		return
	}
	for _, name := range names {
		if !known[name] {
			t.Errorf("%s: %s has no label %s", q.where, metric, name)
		}
	}
}

// declares are the labels of a metric by the code; nil where it has none of that name.
func (s *scraped) declares(metric string) []string {
	if found, ok := s.declared[metric]; ok {
		return found
	}
	if found, ok := s.declared[histogram(metric)]; ok {
		return append([]string{"le"}, found...)
	}
	return nil
}

// histogram is the histogram that a series belongs to.
func histogram(metric string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if name, found := strings.CutSuffix(metric, suffix); found {
			return name
		}
	}
	return metric
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

// Every panel shows something of a running operator, and can name what it shows.
func TestEveryPanelShowsSomething(t *testing.T) {
	t.Parallel()
	r := mustChart(t)
	got, err := scrape()
	if err != nil {
		t.Fatal(err)
	}
	storage := teststorage.New(t)
	appender := storage.Appender(t.Context())
	const last = 2 * time.Minute
	for at := time.Duration(0); at <= last; at += time.Minute {
		for _, one := range got.series {
			if _, err := appender.Append(0, one.labels, at.Milliseconds(), one.value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
	engine := newEngine()
	for _, q := range queries(r) {
		title, isPanel := strings.CutPrefix(q.where, "panel ")
		if !isPanel || isRare(q.expr) {
			continue
		}
		instant, err := engine.NewInstantQuery(t.Context(), storage, nil, q.expr, time.UnixMilli(last.Milliseconds()))
		if err != nil {
			t.Fatalf("%s: %v", q.where, err)
		}
		result := instant.Exec(t.Context())
		vector, err := result.Vector()
		if err != nil {
			t.Errorf("%s: %v", q.where, err)
			continue
		}
		if len(vector) == 0 && empty[title] == "" {
			t.Errorf("%s: nothing to show for %s", q.where, q.expr)
		}
		for _, sample := range vector {
			for _, label := range legendLabel.FindAllStringSubmatch(q.legend, -1) {
				if !sample.Metric.Has(label[1]) && label[1] != "instance" && label[1] != "type" {
					t.Errorf("%s: no label %s in %s", q.where, label[1], sample.Metric)
				}
			}
		}
		instant.Close()
	}
}

func isRare(expr string) bool {
	for name := range rare {
		if strings.Contains(expr, name) {
			return true
		}
	}
	return false
}

func TestTheDashboardIsReadable(t *testing.T) {
	t.Parallel()
	d := mustChart(t).dashboard
	var rows []string
	ids := map[int]bool{}
	for _, panel := range d.Panels {
		if ids[panel.ID] || panel.Title == "" {
			t.Errorf("the panel %d %q has another's id, or no title", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		if panel.Type == "row" {
			rows = append(rows, panel.Title)
		} else if len(panel.Targets) == 0 {
			t.Errorf("the panel %q asks for nothing", panel.Title)
		}
	}
	want := "At a glance, Deliveries, Verification, Mirror, Access, Tenants, Resync, Sinks, Databases, Controllers and queues, API server, Replicas"
	if got := strings.Join(rows, ", "); got != want {
		t.Errorf("the rows are %s, want %s", got, want)
	}
}

// A ClerkInstance is called instance in alerts and panels, as in the operator's own metrics.
func TestTheServiceMonitorKeepsTheClerkInstance(t *testing.T) {
	t.Parallel()
	relabels := mustChart(t).relabels
	own := withTarget(labels.FromStrings("__name__", "clerk_operator_x", "instance", "default"), relabels)
	if own.Get("instance") != "default" || own.Has("exported_instance") {
		t.Errorf("a ClerkInstance ends as %s", own)
	}
	other := withTarget(labels.FromStrings("__name__", "workqueue_depth"), relabels)
	if other.Get("instance") != target["instance"] {
		t.Errorf("whom Prometheus scrapes ends as %s", other)
	}
}
