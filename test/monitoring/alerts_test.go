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
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// interval is how often Prometheus scrapes and evaluates in these stories.
const interval = time.Minute

// situation is what Prometheus has seen, and what comes of it. Series are in the notation of promtool's tests, a value a minute.
type situation struct {
	reason string
	series []string
	// from is when the alert begins to be evaluated, at when it is looked at: only for stories of days.
	from, at time.Duration
	// want are the labels of those that fire, without alertname and severity.
	want []string
}

const (
	deliveries = `clerk_operator_receiver_deliveries_total{instance="default",pod="a",`
	jobLabel   = `job="clerk-operator-metrics"`
	forDefault = `{instance="default"}`
)

// slowRevocations is a histogram that grows: in a minute, so many revocations within 10 s and so many slower.
func slowRevocations(fast, slow int) []string {
	bucket := func(le string, n int) string {
		return fmt.Sprintf(`clerk_operator_access_revocation_seconds_bucket{pod="a",le=%q} 0+%dx60`, le, n)
	}
	return []string{bucket("1", fast), bucket("10", fast), bucket("30", fast+slow), bucket("+Inf", fast+slow)}
}

var situations = map[string]map[string]situation{
	"ClerkOperatorDown": {
		"one of two answers": {"the other receives", []string{`up{` + jobLabel + `,pod="a"} 0x30`, `up{` + jobLabel + `,pod="b"} 1x30`}, 0, 20 * time.Minute, nil},
		"a restart":          {"it takes a moment", []string{`up{` + jobLabel + `,pod="a"} 1x5 0x3 1x30`}, 0, 20 * time.Minute, nil},
		"none answers":       {"all are down", []string{`up{` + jobLabel + `,pod="a"} 1x5 0x30`}, 0, 20 * time.Minute, []string{`{}`}},
		"none is there":      {"nothing is deployed, or nothing is found to scrape", []string{`up{job="other"} 1x30`}, 0, 20 * time.Minute, []string{`{}`}},
	},
	"ClerkOperatorEndpointSilent": {
		"a day":             {"nothing came for a day", []string{`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x1500`}, 23 * time.Hour, 24*time.Hour + 15*time.Minute, []string{forDefault}},
		"almost a day":      {"something may still come", []string{`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x1500`}, 23 * time.Hour, 24 * time.Hour, nil},
		"another is silent": {"each ClerkInstance is looked at by itself", []string{`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0+60x1500`, `clerk_operator_instance_silent_since_timestamp_seconds{instance="staging",pod="a"} 0x1500`}, 23 * time.Hour, 24*time.Hour + 15*time.Minute, []string{`{instance="staging"}`}},
	},
	"ClerkOperatorVerificationFailing": {
		"a wrong secret":     {"the first attempts of one event, 5 minutes apart", []string{deliveries + `outcome="unauthorized",type=""} _x4 2x4 3x30`}, 0, 12 * time.Minute, []string{forDefault}},
		"a rotation missed":  {"it went well until now", []string{deliveries + `outcome="applied",type="user.created"} 0+1x30 30x60`, deliveries + `outcome="unauthorized",type=""} 0x30 0+1x60`}, 0, 70 * time.Minute, []string{forDefault}},
		"somebody knocks":    {"some forged deliveries among real ones", []string{deliveries + `outcome="applied",type="user.created"} 0+10x60`, deliveries + `outcome="unauthorized",type=""} 0+2x60`}, 0, time.Hour, nil},
		"it was put right":   {"half an hour ago", []string{deliveries + `outcome="applied",type="user.created"} 0x20 0+1x60`, deliveries + `outcome="unauthorized",type=""} 0+1x20 20x60`}, 0, time.Hour, nil},
		"nothing comes":      {"that is silence, and has an alert of its own", []string{deliveries + `outcome="unauthorized",type=""} 7x90`}, 40 * time.Minute, 80 * time.Minute, nil},
		"a scanner at a URL": {"who has no signature says nothing of the secret", []string{deliveries + `outcome="bad_headers",type=""} 0+9x60`, deliveries + `outcome="applied",type="user.created"} 0+1x60`}, 0, time.Hour, nil},
	},
	"ClerkOperatorEventsWaiting": {
		"the API server is away": {"everything is answered 503", []string{deliveries + `outcome="applied",type="user.created"} 0+1x30 30x60`, deliveries + `outcome="unavailable",type="user.created"} _x30 1+1x60`}, 0, 50 * time.Minute, []string{forDefault}},
		"no secret":              {"one event, tried again after 5 minutes", []string{deliveries + `outcome="not_ready",type=""} _x4 2x4 3x30`}, 0, 12 * time.Minute, []string{forDefault}},
		"saturated":              {"one in ten finds no place", []string{deliveries + `outcome="applied",type="user.created"} 0+9x60`, deliveries + `outcome="busy",type=""} 0+1x60`}, 0, time.Hour, []string{forDefault}},
		"once in a while":        {"one in a hundred is no reason to wake anyone", []string{deliveries + `outcome="applied",type="user.created"} 0+99x60`, deliveries + `outcome="busy",type=""} 0+1x60`}, 0, time.Hour, nil},
		"it is over":             {"more than half an hour ago", []string{deliveries + `outcome="applied",type="user.created"} 0+1x120`, deliveries + `outcome="unavailable",type=""} 0+1x20 20x100`}, 0, 80 * time.Minute, nil},
	},
	"ClerkOperatorEventsRefused": {
		"the first":     {"a counter that is born with its first count", []string{deliveries + `outcome="not_understood",type=""} _x10 1x60`}, 0, 15 * time.Minute, []string{`{instance="default", outcome="not_understood"}`}},
		"another":       {"it had been so before", []string{deliveries + `outcome="rejected",type="user.created"} 4x100 5x30`}, 90 * time.Minute, 110 * time.Minute, []string{`{instance="default", outcome="rejected"}`}},
		"long ago":      {"somebody has seen to it", []string{deliveries + `outcome="not_understood",type=""} 4x200`}, 100 * time.Minute, 150 * time.Minute, nil},
		"all went well": {"nothing was refused", []string{deliveries + `outcome="applied",type="user.created"} 0+1x60`}, 0, 30 * time.Minute, nil},
	},
	"ClerkOperatorNoLeader": {
		"one is":           {"the other stands by", []string{`leader_election_master_status{` + jobLabel + `,pod="a"} 0x30`, `leader_election_master_status{` + jobLabel + `,pod="b"} 1x30`}, 0, 20 * time.Minute, nil},
		"a takeover":       {"it takes 15 s at most, two minutes on a bad day", []string{`leader_election_master_status{` + jobLabel + `,pod="a"} 1x5 0x2 1x30`}, 0, 20 * time.Minute, nil},
		"none is":          {"the Lease cannot be had", []string{`leader_election_master_status{` + jobLabel + `,pod="a"} 0x30`, `leader_election_master_status{` + jobLabel + `,pod="b"} 0x30`}, 0, 20 * time.Minute, []string{`{}`}},
		"another operator": {"its leader is not ours", []string{`leader_election_master_status{job="other",pod="a"} 1x30`}, 0, 20 * time.Minute, []string{`{}`}},
	},
	"ClerkOperatorRevocationSlow": {
		"one in fifty is slow": {"somebody had access for too long", slowRevocations(49, 1), 0, 40 * time.Minute, []string{`{}`}},
		"all are fast":         {"as it should be", slowRevocations(50, 0), 0, 40 * time.Minute, nil},
		"there are none":       {"nobody left", slowRevocations(0, 0), 0, 40 * time.Minute, nil},
	},
	"ClerkOperatorRevocationStuck": {
		"stuck":   {"RoleBindings cannot be written", []string{`clerk_operator_access_pending_revocations{pod="a"} 0x5 3x30`, `clerk_operator_access_pending_revocations{pod="b"} 0x40`}, 0, 20 * time.Minute, []string{`{}`}},
		"a burst": {"many leave at once: done within a minute", []string{`clerk_operator_access_pending_revocations{pod="a"} 0x5 200x1 0x30`}, 0, 8 * time.Minute, nil},
	},
	"ClerkOperatorTenantNotReady": {
		"taken":                {"a person has to act", []string{`clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="NamespaceTaken",pod="a"} 1x40`}, 0, 30 * time.Minute, []string{`{kind="ClerkOrganization", reason="NamespaceTaken"}`}},
		"a takeover":           {"the other replica says the same", []string{`clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="NamespaceTaken",pod="a"} 1x10 stale`, `clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="NamespaceTaken",pod="b"} _x10 1x40`}, 0, 30 * time.Minute, []string{`{kind="ClerkOrganization", reason="NamespaceTaken"}`}},
		"on its way":           {"a new organization takes a second", []string{`clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="Progressing",pod="a"} 5x3 stale`}, 0, 30 * time.Minute, nil},
		"its members":          {"the organization says it once for all of them", []string{`clerk_operator_mirror_not_ready{kind="ClerkMember",reason="OrganizationNotReady",pod="a"} 40x40`}, 0, 30 * time.Minute, nil},
		"only observed":        {"as the administrator wants it", []string{`clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="Observing",pod="a"} 40x40`}, 0, 30 * time.Minute, nil},
		"of different reasons": {"each is told by itself", []string{`clerk_operator_mirror_not_ready{kind="ClerkMember",reason="UsernameRefused",pod="a"} 1x40`, `clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="BindForbidden",pod="a"} 2x40`}, 0, 30 * time.Minute, []string{`{kind="ClerkMember", reason="UsernameRefused"}`, `{kind="ClerkOrganization", reason="BindForbidden"}`}},
	},
	"ClerkOperatorTombstonesPilingUp": {
		"stuck":    {"an hour past their time", []string{`clerk_operator_mirror_overdue_tombstones{kind="ClerkOrganization",pod="a"} 0x10 2x90`, `clerk_operator_mirror_overdue_tombstones{kind="ClerkMember",pod="a"} 0x100`}, 0, 80 * time.Minute, []string{`{kind="ClerkOrganization"}`}},
		"a moment": {"they are being collected", []string{`clerk_operator_mirror_overdue_tombstones{kind="ClerkOrganization",pod="a"} 0x10 2x5 0x90`}, 0, 80 * time.Minute, nil},
	},
	"ClerkOperatorForeignObjects": {
		"a flood": {"each takes memory", []string{`clerk_operator_cache_reduced_objects{kind="RoleBinding",pod="a"} 0x5 5000x30`, `clerk_operator_cache_reduced_objects{kind="NetworkPolicy",pod="a"} 0x40`}, 0, 20 * time.Minute, []string{`{kind="RoleBinding"}`}},
		"a few":   {"somebody tries what labels do", []string{`clerk_operator_cache_reduced_objects{kind="RoleBinding",pod="a"} 20x40`}, 0, 20 * time.Minute, nil},
	},
	"ClerkOperatorPruneHeld": {
		"held":     {"an administrator has to look", []string{`clerk_operator_resync_prune_held{instance="default",pod="a"} 0x5 120x30`, `clerk_operator_resync_prune_held{instance="staging",pod="a"} 0x40`}, 0, 20 * time.Minute, []string{forDefault}},
		"released": {"it was looked at", []string{`clerk_operator_resync_prune_held{instance="default",pod="a"} 120x8 0x30`}, 0, 20 * time.Minute, nil},
	},
	"ClerkOperatorContradiction": {
		"contradicted": {"access that Clerk gives is kept away", []string{`clerk_operator_resync_contradictions{instance="default",pod="a"} 0x5 3x30`, `clerk_operator_resync_contradictions{instance="staging",pod="a"} 0x40`}, 0, 20 * time.Minute, []string{forDefault}},
		"released":     {"it was looked at", []string{`clerk_operator_resync_contradictions{instance="default",pod="a"} 3x8 0x30`}, 0, 20 * time.Minute, nil},
	},
	"ClerkOperatorResyncStale": {
		"six hours":  {"several in a row did not succeed", []string{`clerk_operator_resync_last_success_timestamp_seconds{instance="default",pod="a"} 0x500`}, 5 * time.Hour, 6*time.Hour + 15*time.Minute, []string{forDefault}},
		"an hour":    {"the next one is due", []string{`clerk_operator_resync_last_success_timestamp_seconds{instance="default",pod="a"} 0x500`}, 0, time.Hour, nil},
		"a takeover": {"the new leader has succeeded", []string{`clerk_operator_resync_last_success_timestamp_seconds{instance="default",pod="a"} 0x500`, `clerk_operator_resync_last_success_timestamp_seconds{instance="default",pod="b"} 18000x500`}, 5 * time.Hour, 6*time.Hour + 15*time.Minute, nil},
	},
	"ClerkOperatorKindsStale": {
		"an upgrade by Helm 3": {"it left a kind as it was", []string{`clerk_operator_crd_stale{crd="clerkmembers.clerk-operator.io",pod="a"} 0x5 1x60`, `clerk_operator_crd_stale{crd="clerkusers.clerk-operator.io",pod="a"} 0x90`}, 0, time.Hour, []string{`{crd="clerkmembers.clerk-operator.io"}`}},
		"an upgrade":           {"the old replica goes", []string{`clerk_operator_crd_stale{crd="clerkmembers.clerk-operator.io",pod="a"} 0x5 1x10 _x60`, `clerk_operator_crd_stale{crd="clerkmembers.clerk-operator.io",pod="b"} _x10 0x60`}, 0, time.Hour, nil},
	},
	"ClerkOperatorSinkFailing": {
		"it takes nothing": {"every attempt fails for an hour", []string{`clerk_operator_sink_last_accepted_timestamp_seconds{sink="audit",pod="a"} 0x120`, `clerk_operator_sink_last_failure_timestamp_seconds{sink="audit",pod="a"} 0+60x120`}, 0, time.Hour, []string{`{sink="audit"}`}},
		"between attempts": {"the next one is hours away: it stays so", []string{`clerk_operator_sink_last_accepted_timestamp_seconds{sink="audit",pod="a"} 0x900`, `clerk_operator_sink_last_failure_timestamp_seconds{sink="audit",pod="a"} 0+60x40 2400x800`}, 0, 10 * time.Hour, []string{`{sink="audit"}`}},
		"a restart":        {"the next attempt went well", []string{`clerk_operator_sink_last_accepted_timestamp_seconds{sink="audit",pod="a"} 0x60 3660x90`, `clerk_operator_sink_last_failure_timestamp_seconds{sink="audit",pod="a"} 0x59 3600x90`}, 0, 2 * time.Hour, nil},
		"another is well":  {"each ClerkSink is looked at by itself", []string{`clerk_operator_sink_last_accepted_timestamp_seconds{sink="crm",pod="a"} 0+60x120`, `clerk_operator_sink_last_failure_timestamp_seconds{sink="crm",pod="a"} 60x120`}, 0, time.Hour, nil},
	},
	"ClerkOperatorDatabaseBehind": {
		"an outage":       {"it has been down for half an hour", []string{`clerk_operator_database_lag_seconds{database="app",pod="a"} 0+60x60`}, 0, 40 * time.Minute, []string{`{database="app"}`}},
		"a restart":       {"it has caught up", []string{`clerk_operator_database_lag_seconds{database="app",pod="a"} 0+60x10 0x60`}, 0, 40 * time.Minute, nil},
		"in step":         {"", []string{`clerk_operator_database_lag_seconds{database="app",pod="a"} 0x120`}, 0, time.Hour, nil},
		"another is well": {"each ClerkDatabase is looked at by itself", []string{`clerk_operator_database_lag_seconds{database="app",pod="a"} 0x60`, `clerk_operator_database_lag_seconds{database="crm",pod="a"} 0+60x60`}, 0, 40 * time.Minute, []string{`{database="crm"}`}},
	},
	"ClerkOperatorDeliveriesLost": {
		"the endpoint is off": {"the first drift ever, in a counter born with it", []string{
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x400`,
			`clerk_operator_resync_drift_total{instance="default",kind="ClerkMember",change="created",pod="a"} _x200 5x200`,
		}, 3 * time.Hour, 4 * time.Hour, []string{forDefault}},
		"it goes on": {"drift that grows", []string{
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x900`,
			`clerk_operator_resync_drift_total{instance="default",kind="ClerkMember",change="created",pod="a"} 5x700 9x200`,
		}, 11 * time.Hour, 12 * time.Hour, []string{forDefault}},
		"nothing happened in Clerk": {"silence without a change is a quiet day", []string{
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x900`,
			`clerk_operator_resync_drift_total{instance="default",kind="ClerkMember",change="created",pod="a"} 5x900`,
		}, 11 * time.Hour, 12 * time.Hour, nil},
		"deliveries come": {"a lost one now and then is what the resync is for", []string{
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0+60x400`,
			`clerk_operator_resync_drift_total{instance="default",kind="ClerkMember",change="created",pod="a"} _x200 5x200`,
		}, 3 * time.Hour, 4 * time.Hour, nil},
		"the drift is another's": {"each ClerkInstance is looked at by itself", []string{
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="default",pod="a"} 0x400`,
			`clerk_operator_instance_silent_since_timestamp_seconds{instance="staging",pod="a"} 0+60x400`,
			`clerk_operator_resync_drift_total{instance="staging",kind="ClerkMember",change="created",pod="a"} _x200 5x200`,
		}, 3 * time.Hour, 4 * time.Hour, nil},
	},
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	alerts := map[string]rulefmt.Rule{}
	for _, rule := range mustChart(t).rules {
		alerts[rule.Alert] = rule
		fires, silent := false, false
		for _, s := range situations[rule.Alert] {
			fires, silent = fires || len(s.want) > 0, silent || len(s.want) == 0
		}
		if !fires || !silent {
			t.Errorf("%s needs a situation in which it fires and one in which it does not", rule.Alert)
		}
	}
	for alert, all := range situations {
		for name, s := range all {
			t.Run(alert+"/"+name, func(t *testing.T) {
				t.Parallel()
				rule, found := alerts[alert]
				if !found {
					t.Fatal("there is no such alert")
				}
				got := firing(t, rule, s)
				if !slices.Equal(got, s.want) {
					t.Errorf("%s: fires for %v, want %v", s.reason, got, s.want)
				}
			})
		}
	}
}

var alertLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// firing evaluates an alert as Prometheus does, minute after minute, and returns the labels of those that fire in the end.
func firing(t *testing.T, rule rulefmt.Rule, s situation) []string {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(s.series, "\n  "))
	expr, err := prometheus.ParseExpr(rule.Expr)
	if err != nil {
		t.Fatal(err)
	}
	alert := rules.NewAlertingRule(rule.Alert, expr, time.Duration(rule.For), 0, labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations),
		labels.EmptyLabels(), "", true, promslog.NewNopLogger())
	query := rules.EngineQueryFunc(newEngine(), storage)
	for at := s.from; at <= s.at; at += interval {
		if _, err := alert.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), query, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, active := range alert.ActiveAlerts() {
		if active.State != rules.StateFiring {
			continue
		}
		for _, name := range []string{"summary", "description"} {
			for _, label := range alertLabel.FindAllStringSubmatch(rule.Annotations[name], -1) {
				if !active.Labels.Has(label[1]) {
					t.Errorf("its %s speaks of the label %s, which it does not have", name, label[1])
				}
			}
			if text := active.Annotations.Get(name); text == "" || strings.Contains(text, "<") || strings.Contains(text, "{{") {
				t.Errorf("its %s is %q", name, text)
			}
		}
		names = append(names, labels.NewBuilder(active.Labels).Del("alertname", "severity").Labels().String())
	}
	slices.Sort(names)
	return names
}
