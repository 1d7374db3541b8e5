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

package receiver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
)

const ignoredEvent = `{"type":"session.created","data":{"first_name":"Ines"}}`

func result(outcome mirror.Outcome, err error) func(*rig) {
	return func(b *rig) {
		b.mirror.apply = func(context.Context, *clerk.Event) (mirror.Outcome, error) { return outcome, err }
	}
}

// Every row of the table of answers.
func TestAnswers(t *testing.T) {
	good := delivered(ignoredEvent)
	change := good.with
	header := func(name string, values ...string) post {
		return change(func(p *post) { p.header = http.Header{http.CanonicalHeaderKey(name): values} })
	}
	cases := map[string]struct {
		reason  string
		prepare func(*rig)
		post    post
		status  int
		outcome string
		// reaches tells that the event gets as far as the mirror.
		reaches bool
	}{
		"applied":   {"", result(mirror.Applied, nil), good, 204, "applied", true},
		"duplicate": {"", result(mirror.Duplicate, nil), good, 204, "duplicate", true},
		"stale":     {"", result(mirror.Stale, nil), good, 204, "stale", true},
		"expired":   {"", result(mirror.Expired, nil), good, 204, "expired", true},
		"ignored":   {"", result(mirror.Ignored, nil), good, 204, "ignored", true},
		"webhook-*": {"the other family", nil, change(func(p *post) { p.family = "webhook" }), 204, "applied", true},
		"both families": {
			"svix counts, whatever webhook says", nil,
			change(func(p *post) {
				p.header = http.Header{"Webhook-Id": {"x"}, "Webhook-Timestamp": {"1731705121"}, "Webhook-Signature": {"v1,x"}}
			}), 204, "applied", true,
		},
		"several signatures": {
			"one matches", nil, header("svix-signature", "v1,AAAA v2,b "+good.signature()), 204, "applied", true,
		},
		"query":            {"nothing in it matters", nil, change(func(p *post) { p.path += "?a=b" }), 204, "applied", true},
		"content encoding": {"the raw bytes are signed", nil, header("Content-Encoding", "gzip"), 204, "applied", true},
		"chunked":          {"no length, but short", nil, change(func(p *post) { p.chunked = true }), 204, "applied", true},
		"4:59 old":         {"", nil, change(func(p *post) { p.at = now.Add(-299 * time.Second) }), 204, "applied", true},
		"unknown type":     {"acknowledged, so that Clerk may invent", nil, delivered(`{"type":"moon.risen"}`), 204, "applied", true},
		"its own instance": {
			"the id fits", nil, delivered(`{"type":"session.created","instance_id":"` + instanceID + `"}`), 204, "applied", true,
		},
		"instance id not configured": {
			"then any is accepted",
			func(b *rig) {
				spec := b.objects.instances["default"]
				spec.InstanceID = ""
				b.objects.instances["default"] = spec
			},
			delivered(`{"type":"session.created","instance_id":"ins_other"}`), 204, "applied", true,
		},

		"no headers":         {"", nil, change(func(p *post) { p.family = "" }), 400, OutcomeBadHeaders, false},
		"id missing":         {"", nil, header("svix-id", ""), 400, OutcomeBadHeaders, false},
		"id twice":           {"", nil, header("svix-id", "msg_1", "msg_1"), 400, OutcomeBadHeaders, false},
		"id too long":        {"", nil, header("svix-id", strings.Repeat("i", 257)), 400, OutcomeBadHeaders, false},
		"id not visible":     {"", nil, header("svix-id", "msg 1"), 400, OutcomeBadHeaders, false},
		"timestamp missing":  {"", nil, header("svix-timestamp", ""), 400, OutcomeBadHeaders, false},
		"timestamp a word":   {"", nil, header("svix-timestamp", canary), 400, OutcomeBadHeaders, false},
		"signature missing":  {"", nil, header("svix-signature", ""), 400, OutcomeBadHeaders, false},
		"incomplete webhook": {"", nil, header("webhook-id", "msg_1"), 400, OutcomeBadHeaders, false},

		"too old": {"a recording", nil, change(func(p *post) { p.at = now.Add(-301 * time.Second) }), 401, OutcomeUnauthorized, false},
		"too new": {
			"a clock is wrong", nil, change(func(p *post) { p.at = now.Add(301 * time.Second) }), 401, OutcomeUnauthorized, false,
		},
		"other secret":  {"forged", nil, change(func(p *post) { p.secret = nextSecret }), 401, OutcomeUnauthorized, false},
		"no signature":  {"forged", nil, header("svix-signature", "v1,"), 401, OutcomeUnauthorized, false},
		"other version": {"", nil, header("svix-signature", "v1a,"+good.signature()[3:]), 401, OutcomeUnauthorized, false},
		"not JSON forged": {
			"unverified, nobody looks at it", nil, delivered(canary).with(func(p *post) { p.secret = nextSecret }), 401, OutcomeUnauthorized,
			false,
		},
		"signed with the empty secret": {
			"anyone can", func(b *rig) { b.objects.setSecrets("", secret) },
			header("svix-signature", good.signedWithNothing()), 401, OutcomeUnauthorized, false,
		},

		"another environment": {
			"development's events must not reach production", nil,
			delivered(`{"type":"session.created","instance_id":"ins_other"}`), 403, OutcomeWrongInstance, false,
		},

		"root":     {"", nil, change(func(p *post) { p.path = "/" }), 404, OutcomeUnknownPath, false},
		"no name":  {"", nil, change(func(p *post) { p.path = "/webhooks/" }), 404, OutcomeUnknownPath, false},
		"no slash": {"", nil, change(func(p *post) { p.path = "/webhooks" }), 404, OutcomeUnknownPath, false},
		"trailing slash": {
			"no redirect: Svix takes it for a failure", nil, change(func(p *post) { p.path += "/" }), 404, OutcomeUnknownPath, false,
		},
		"double slash": {"no redirect", nil, change(func(p *post) { p.path = "/" + p.path }), 404, OutcomeUnknownPath, false},
		"double slash inside": {
			"no redirect", nil, change(func(p *post) { p.path = "/webhooks//default" }), 404, OutcomeUnknownPath, false,
		},
		"dots": {
			"no redirect", nil, change(func(p *post) { p.path = "/webhooks/../webhooks/default" }), 404, OutcomeUnknownPath, false,
		},
		"escaped slash":        {"", nil, change(func(p *post) { p.path = "/webhooks/a%2Fdefault" }), 404, OutcomeUnknownPath, false},
		"no name of an object": {"", nil, change(func(p *post) { p.path = "/webhooks/Default" }), 404, OutcomeUnknownPath, false},
		"unknown instance":     {"", nil, change(func(p *post) { p.path = "/webhooks/" + canary }), 404, OutcomeUnknownInstance, false},
		"unknown and badly headed": {
			"the instance comes first", nil, change(func(p *post) { p.path, p.family = "/webhooks/nope", "" }), 404, OutcomeUnknownInstance,
			false,
		},
		"GET": {"", nil, change(func(p *post) { p.method = http.MethodGet }), 405, OutcomeMethod, false},
		"PUT to an unknown path": {
			"the method comes first", nil, change(func(p *post) { p.method, p.path = http.MethodPut, "/x" }), 405, OutcomeMethod, false,
		},
		"OPTIONS":   {"", nil, change(func(p *post) { p.method = http.MethodOptions }), 405, OutcomeMethod, false},
		"too large": {"told by its length", nil, delivered(strings.Repeat(" ", MaxBodyBytes+1)), 413, OutcomeTooLarge, false},
		"too large, chunked": {
			"told by reading", nil, delivered(strings.Repeat(" ", MaxBodyBytes+1)).with(func(p *post) { p.chunked = true }), 413, OutcomeTooLarge,
			false,
		},
		"as large as may be": {"but no event", nil, delivered(strings.Repeat(" ", MaxBodyBytes)), 422, OutcomeNotUnderstood, false},
		"empty body":         {"", nil, delivered(""), 422, OutcomeNotUnderstood, false},
		"not JSON":           {"", nil, delivered(canary), 422, OutcomeNotUnderstood, false},
		"no type":            {"", nil, delivered(`{"data":{"private_metadata":"` + canary + `"}}`), 422, OutcomeNotUnderstood, false},
		"mirrored type without data": {
			"", nil, delivered(`{"type":"organization.created","data":{"id":"` + canary + `"}}`), 422, OutcomeNotUnderstood, false,
		},
		"rejected": {
			"the API server can never take it", result("", &mirror.RejectedError{Reason: "spec.slug: too long"}), good, 422, OutcomeRejected,
			true,
		},
		"API server away": {"", result("", errors.New("connection refused")), good, 503, OutcomeUnavailable, true},
		"API server quotes": {
			"its words are not passed on", result("", apierrors.NewBadRequest("cannot read "+canary)), good, 503, OutcomeUnavailable, true,
		},
		"mirror panics": {
			"a bug must not cost an event",
			func(b *rig) {
				b.mirror.apply = func(context.Context, *clerk.Event) (mirror.Outcome, error) { panic(canary) }
			}, good, 503, OutcomeUnavailable, true,
		},
		"cache of instances fails": {
			"", func(b *rig) { b.objects.instanceErr = errors.New("not started") }, good, 503, OutcomeUnavailable, false,
		},
		"cache of secrets fails": {"", func(b *rig) { b.objects.secretErr = errors.New("not started") }, good, 503, OutcomeUnavailable, false},
		"no Secret":              {"never accept", func(b *rig) { delete(b.objects.secrets, secretName) }, good, 503, OutcomeNotReady, false},
		"Secret without keys":    {"never accept", func(b *rig) { b.objects.setSecrets() }, good, 503, OutcomeNotReady, false},
		"empty secret": {
			"never accept", func(b *rig) { b.objects.setSecrets("") },
			header("svix-signature", good.signedWithNothing()), 503, OutcomeNotReady, false,
		},
		"prefix alone": {
			"never accept", func(b *rig) { b.objects.setSecrets("whsec_") },
			header("svix-signature", good.signedWithNothing()), 503, OutcomeNotReady, false,
		},
		"secret too short": {"never accept", func(b *rig) { b.objects.setSecrets("whsec_c2hvcnQ=") }, good, 503, OutcomeNotReady, false},
		"secret no base64": {"never accept", func(b *rig) { b.objects.setSecrets("sk_test_x") }, good, 503, OutcomeNotReady, false},
		"not ready comes before the headers": {
			"whoever sends hears the same", func(b *rig) { b.objects.setSecrets() },
			change(func(p *post) { p.family = "" }), 503, OutcomeNotReady, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var observed []string
			b := start(t, Options{Received: func(instance, eventType string, _ time.Time) {
				observed = append(observed, instance+" "+eventType)
			}}, nil)
			if tc.prepare != nil {
				tc.prepare(b)
			}
			got := b.mustSend(t, tc.post)
			if err := b.stop(); err != nil {
				t.Error(err)
			}

			if got.status != tc.status {
				t.Fatalf("%s: answered %d %q, want %d", tc.reason, got.status, got.body, tc.status)
			}
			if b.logs.lines(`"outcome"="`+tc.outcome+`"`) != 1 {
				t.Errorf("%s: want one line with the outcome %q, logged:\n%s", tc.reason, tc.outcome, b.logs)
			}
			if reached := len(b.mirror.seen()) > 0; reached != tc.reaches {
				t.Errorf("%s: reached the mirror: %v, want %v", tc.reason, reached, tc.reaches)
			}
			if success := tc.status == 204; success != (len(observed) == 1) {
				t.Errorf("%s: observed %v", tc.reason, observed)
			}
			checkHeaders(t, got)
			checkWords(t, got, b.logs)
		})
	}
}

func checkHeaders(t *testing.T, got reply) {
	t.Helper()
	if has := got.header.Get("Retry-After") != ""; has != (got.status == 503) {
		t.Errorf("%d with Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if allow := got.header.Get("Allow"); (allow == "POST") != (got.status == 405) {
		t.Errorf("%d with Allow %q", got.status, allow)
	}
	if location := got.header.Get("Location"); location != "" {
		t.Errorf("redirects to %s", location)
	}
}

// checkWords checks that an answer is one line that says what to do, and that neither it nor the log quotes what was sent.
func checkWords(t *testing.T, got reply, logs *logs) {
	t.Helper()
	if got.status == 204 {
		if got.body != "" {
			t.Errorf("204 with a body: %q", got.body)
		}
		return
	}
	if strings.Count(got.body, "\n") != 1 || !strings.HasSuffix(got.body, "\n") || len(got.body) < 20 {
		t.Errorf("the answer is not one line: %q", got.body)
	}
	if contentType := got.header.Get("Content-Type"); contentType != "text/plain; charset=utf-8" {
		t.Errorf("the answer is %q", contentType)
	}
	for _, word := range []string{canary, "Ines", strings.TrimPrefix(secret, "whsec_")} {
		if strings.Contains(got.body, word) || strings.Contains(logs.String(), word) {
			t.Errorf("%q surfaces in the answer %q or the log:\n%s", word, got.body, logs)
		}
	}
}
