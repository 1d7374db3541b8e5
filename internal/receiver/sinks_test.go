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
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/sink"
)

const (
	sinkSecret     = "whsec_c2lua3NpbmtzaW5rc2luaw=="
	sinkSecretName = "sink-signing"
)

// service is a target: it reads what it gets with the official CloudEvents SDK.
type service struct {
	*httptest.Server

	mutex  sync.Mutex
	status int
	header http.Header
	events []cloudevents.Event
	bytes  []string
	// hang, where set, is waited for before the answer.
	hang chan struct{}
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{status: http.StatusAccepted, header: http.Header{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *service) serve(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	request.Body = io.NopCloser(strings.NewReader(string(body)))
	event, err := cehttp.NewEventFromHTTPRequest(request)
	s.mutex.Lock()
	s.bytes = append(s.bytes, fmt.Sprintln(request.URL, request.Header, string(body)))
	if err == nil {
		err = event.Validate()
	}
	if err == nil {
		s.events = append(s.events, *event)
	}
	status, hang := s.status, s.hang
	for name := range s.header {
		w.Header().Set(name, s.header.Get(name))
	}
	s.mutex.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		status = http.StatusTeapot
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "an-answer-that-nobody-keeps")
}

func (s *service) answers(status int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.status = status
}

func (s *service) received() []cloudevents.Event {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.events)
}

func (s *service) everything() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return strings.Join(s.bytes, "\n")
}

// heard is what the notes were told.
type heard struct {
	mutex sync.Mutex
	notes []string
}

func (h *heard) add(format string, args ...any) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.notes = append(h.notes, fmt.Sprintf(format, args...))
}

func (h *heard) Accepted(name, eventType string, _ time.Time) {
	h.add("%s accepted %s", name, eventType)
}
func (h *heard) Failed(name, reason string, _ time.Time) { h.add("%s failed %s", name, reason) }
func (h *heard) FilterFailed(name, eventType, message string, _ int64, _ time.Time) {
	h.add("%s could not filter %s: %s", name, eventType, message)
}
func (h *heard) Refused(name, outcome string, _ time.Time) { h.add("%s refused %s", name, outcome) }

func (h *heard) last() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if len(h.notes) == 0 {
		return ""
	}
	return h.notes[len(h.notes)-1]
}

// withSinks is a receiver with a sink of each name, all with the same target.
func withSinks(t *testing.T, target string, change func(*v1alpha1.ClerkSinkSpec), names ...string) (*rig, *heard) {
	t.Helper()
	notes := &heard{}
	b := start(t, Options{SinkNotes: notes}, func(l *limits) { l.placeTimeout = 100 * time.Millisecond })
	b.objects.change(func(o *objects) {
		o.secrets[sinkSecretName] = map[string][]byte{"endpoint": []byte(sinkSecret)}
		o.organizations = map[string]v1alpha1.ClerkOrganizationSpec{}
		o.sinks = map[string]v1alpha1.ClerkSinkSpec{}
		for _, name := range names {
			spec := v1alpha1.ClerkSinkSpec{HTTP: &v1alpha1.SinkHTTP{URL: target}}
			spec.InstanceRef.Name = "default"
			spec.Webhook.SigningSecretRef.Name = sinkSecretName
			if change != nil {
				change(&spec)
			}
			o.sinks[name] = spec
		}
	})
	return b, notes
}

func toSink(name, body string) post {
	return delivered(body).with(func(p *post) { p.path, p.secret = "/webhooks/default/sinks/"+name, sinkSecret })
}

func TestASinkReceivesEveryTypeInBothModesAsTheOfficialSDKReadsIt(t *testing.T) {
	for _, mode := range []v1alpha1.SinkContentMode{v1alpha1.SinkBinary, v1alpha1.SinkStructured} {
		target := newService(t)
		b, notes := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) { s.HTTP.ContentMode = mode }, "audit")
		b.objects.change(func(o *objects) { o.instances["default"] = withoutID(o.instances["default"]) })
		for i, eventType := range clerk.Types() {
			body := example(t, eventType)
			id := fmt.Sprintf("msg_2mZ%d", i)
			answer := b.mustSend(t, toSink("audit", body).with(func(p *post) { p.id = id }))
			if answer.status != http.StatusNoContent {
				t.Fatalf("%s %s: %d %s", mode, eventType, answer.status, answer.body)
			}
			events := target.received()
			if len(events) != i+1 {
				t.Fatalf("%s %s: the SDK read %d events, want %d", mode, eventType, len(events), i+1)
			}
			checkEvent(t, events[i], id, eventType, body)
		}
		for _, forbidden := range []string{canary, "private_metadata", "unsafe_metadata", "client_ip", "event_attributes", "otp"} {
			if strings.Contains(target.everything(), forbidden) {
				t.Errorf("%s: %q left the cluster", mode, forbidden)
			}
		}
		if len(b.mirror.seen()) > 0 {
			t.Error("an event for a sink reached the mirror")
		}
		if got := notes.last(); !strings.HasPrefix(got, "audit accepted") {
			t.Errorf("noted %q", got)
		}
		if b.logs.lines(canary) > 0 || b.logs.lines("an-answer-that-nobody-keeps") > 0 {
			t.Error("the log holds what it must not")
		}
	}
}

func withoutID(spec v1alpha1.ClerkInstanceSpec) v1alpha1.ClerkInstanceSpec {
	spec.InstanceID = ""
	return spec
}

func checkEvent(t *testing.T, got cloudevents.Event, id, eventType, body string) {
	t.Helper()
	var sent struct {
		InstanceID string         `json:"instance_id"`
		Data       map[string]any `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatal(err)
	}
	if got.ID() != id || got.Type() != "com.clerk."+eventType || got.SpecVersion() != "1.0" || got.Subject() != sent.Data["id"] {
		t.Errorf("%s: read as %s", eventType, got)
	}
	if want := "urn:clerk:" + sent.InstanceID; sent.InstanceID != "" && got.Source() != want {
		t.Errorf("%s: source %s, want %s", eventType, got.Source(), want)
	}
	if got.Extensions()["partitionkey"] != sent.Data["id"] || got.Time().IsZero() {
		t.Errorf("%s: extensions %v at %s", eventType, got.Extensions(), got.Time())
	}
	var data map[string]any
	if err := got.DataAs(&data); err != nil || data["id"] != sent.Data["id"] {
		t.Errorf("%s: data %s: %v", eventType, got.Data(), err)
	}
}

func TestASinksSecretIsNotTheMirrorsAndTheMirrorsIsNotASinks(t *testing.T) {
	target := newService(t)
	b, notes := withSinks(t, target.URL, nil, "audit")
	body := example(t, "organization.created")

	swapped := map[string]post{
		"the sink's secret at the mirror":  delivered(body).with(func(p *post) { p.secret = sinkSecret }),
		"the mirror's secret at the sink":  toSink("audit", body).with(func(p *post) { p.secret = secret }),
		"signed with nothing, at the sink": toSink("audit", body).with(func(p *post) { p.secret = nextSecret }),
	}
	for name, p := range swapped {
		if answer := b.mustSend(t, p); answer.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, want 401", name, answer.status, answer.body)
		}
	}
	if got := notes.last(); got != "audit refused unauthorized" {
		t.Errorf("noted %q: what nobody verified says nothing of the sink", got)
	}

	// The same secret for both is refused at the sink, whoever signs.
	b.objects.change(func(o *objects) { o.secrets[sinkSecretName]["second"] = []byte(secret) })
	for _, signedWith := range []string{secret, sinkSecret} {
		answer := b.mustSend(t, toSink("audit", body).with(func(p *post) { p.secret = signedWith }))
		if answer.status != http.StatusServiceUnavailable {
			t.Errorf("%d %s, want 503 while a secret is shared", answer.status, answer.body)
		}
	}
	if len(target.received()) > 0 || len(b.mirror.seen()) > 0 {
		t.Error("something was handed on or mirrored")
	}
}

func TestASinkHasOnePathAlone(t *testing.T) {
	b, _ := withSinks(t, newService(t).URL, nil, "audit")
	b.objects.change(func(o *objects) { o.instances["other"] = o.instances["default"] })
	body := example(t, "user.created")
	for _, path := range []string{
		"/webhooks/other/sinks/audit", "/webhooks/default/sinks/nobody", "/webhooks/default/sinks/", "/webhooks/default/sinks/audit/",
		"/webhooks/default/sinks/audit/sinks/audit", "/webhooks//sinks/audit",
	} {
		if answer := b.mustSend(t, toSink("audit", body).with(func(p *post) { p.path = path })); answer.status != http.StatusNotFound {
			t.Errorf("%s: %d %s, want 404", path, answer.status, answer.body)
		}
	}
}

func TestWhatATargetAnswersDecidesWhatClerkIsTold(t *testing.T) {
	target := newService(t)
	for _, test := range []struct {
		status, want int
		abort        bool
	}{
		{200, 204, false}, {204, 204, false}, {299, 204, false},
		{408, 503, false}, {425, 503, false}, {429, 503, false}, {500, 503, false}, {503, 503, false},
		{301, 503, false}, {307, 503, false},
		{400, 422, true}, {409, 422, true}, {413, 422, true}, {422, 422, true},
		{401, 422, false}, {403, 422, false}, {404, 422, false}, {405, 422, false},
	} {
		for _, onRejected := range []v1alpha1.SinkRejection{v1alpha1.SinkRetry, v1alpha1.SinkAbort} {
			b, notes := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) { s.Delivery.OnRejected = onRejected }, "audit")
			target.answers(test.status)
			target.header.Set("Location", target.URL+"/elsewhere")
			answer := b.mustSend(t, toSink("audit", example(t, "user.deleted")))
			if answer.status != test.want {
				t.Errorf("target %d: %d %s, want %d", test.status, answer.status, answer.body, test.want)
			}
			wantAbort := test.abort && onRejected == v1alpha1.SinkAbort
			if got := answer.header.Get("webhook-delivery") == "abort-message"; got != wantAbort {
				t.Errorf("target %d, %s: aborted %t, want %t", test.status, onRejected, got, wantAbort)
			}
			if want := fmt.Sprintf("audit failed http_%d", test.status); test.want != 204 && notes.last() != want {
				t.Errorf("noted %q, want %q", notes.last(), want)
			}
			if strings.Contains(answer.body+b.logs.String(), "nobody-keeps") {
				t.Error("what the target says is passed on or logged")
			}
		}
	}
	if strings.Contains(target.everything(), "/elsewhere") {
		t.Error("a redirect was followed")
	}
}

func TestAnEventThatTheFilterLeavesOutIsAcknowledgedAndOneThatItCannotJudgeIsNot(t *testing.T) {
	target := newService(t)
	b, notes := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) {
		s.Filter = v1alpha1.SinkFilter{Types: []string{"user.*", "organization.created"}, Expression: `event.data.username != "nobody"`}
	}, "audit")
	for _, test := range []struct {
		body string
		want int
		note string
	}{
		{example(t, "session.created"), 204, "audit accepted session.created"},
		{`{"type":"user.created","data":{"id":"user_1","username":"nobody"}}`, 204, "audit accepted user.created"},
		{`{"type":"user.created","data":{"id":"user_1","username":"ines"}}`, 204, "audit accepted user.created"},
		{`{"type":"user.created","data":{"id":"user_1"}}`, 503, "audit could not filter user.created: no such key: username"},
	} {
		answer := b.mustSend(t, toSink("audit", test.body))
		if answer.status != test.want || notes.last() != test.note {
			t.Errorf("%s: %d, noted %q; want %d, %q", test.body, answer.status, notes.last(), test.want, test.note)
		}
	}
	if got := len(target.received()); got != 1 {
		t.Errorf("%d events were handed on, want 1", got)
	}
}

func TestTheMirrorSaysWhatIsSuperseded(t *testing.T) {
	target := newService(t)
	b, _ := withSinks(t, target.URL, nil, "audit")
	updated := time.UnixMilli(1716883200000)
	event := fmt.Sprintf(`{"type":"organization.updated","data":{"id":"org_1","updated_at":%d}}`, updated.UnixMilli())
	at := func(t time.Time) *metav1.MicroTime { return new(metav1.NewMicroTime(t)) }
	for name, test := range map[string]struct {
		known *v1alpha1.ClerkOrganizationSpec
		event string
		want  any
	}{
		"nothing is known":    {nil, event, false},
		"the same is known":   {&v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{UpdatedAt: at(updated)}}, event, false},
		"newer is known":      {&v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{UpdatedAt: at(updated.Add(time.Millisecond))}}, event, true},
		"a deletion is known": {&v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{DeletedAt: at(updated.Add(-time.Hour))}}, event, true},
		"a deletion itself":   {&v1alpha1.ClerkOrganizationSpec{Entity: v1alpha1.Entity{DeletedAt: at(updated)}}, `{"type":"organization.deleted","data":{"id":"org_1"}}`, false},
		"not a mirrored type": {nil, `{"type":"session.created","data":{"id":"sess_1","updated_at":1716883200000}}`, nil},
	} {
		b.objects.change(func(o *objects) {
			clear(o.organizations)
			if test.known != nil {
				test.known.Instance, test.known.ID = "default", "org_1"
				o.organizations[v1alpha1.ObjectName("default", "org_1")] = *test.known
			}
		})
		b.mustSend(t, toSink("audit", test.event))
		events := target.received()
		got := events[len(events)-1].Extensions()["clerksuperseded"]
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: clerksuperseded %v, want %v", name, got, test.want)
		}
	}
}

func TestEnvelopeAndUnknownTypesCarryNoData(t *testing.T) {
	target := newService(t)
	b, _ := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) { s.Data.Mode = v1alpha1.SinkDataEnvelope }, "envelope")
	b.objects.change(func(o *objects) {
		safe := o.sinks["envelope"]
		safe.Data.Mode = v1alpha1.SinkDataSafe
		o.sinks["safe"] = safe
	})
	b.mustSend(t, toSink("envelope", example(t, "user.created")))
	b.mustSend(t, toSink("safe", `{"type":"wormhole.opened","data":{"id":"wh_1","secret":"`+canary+`"}}`))
	for _, event := range target.received() {
		if len(event.Data()) > 0 || event.Subject() == "" {
			t.Errorf("%s", event)
		}
	}
	if len(target.received()) != 2 || strings.Contains(target.everything(), canary) {
		t.Errorf("received:\n%s", target.everything())
	}
}

func TestSinksThatHangKeepNobodyWaiting(t *testing.T) {
	hanging, well := newService(t), newService(t)
	hanging.hang = make(chan struct{})
	b, _ := withSinks(t, hanging.URL, func(s *v1alpha1.ClerkSinkSpec) {
		s.Delivery = v1alpha1.SinkDelivery{MaxInFlight: new(int32(2)), Timeout: &metav1.Duration{Duration: 10 * time.Second}}
	}, "hangs")
	b.objects.change(func(o *objects) {
		spec := o.sinks["hangs"]
		spec.HTTP = &v1alpha1.SinkHTTP{URL: well.URL}
		o.sinks["well"] = spec
	})
	body := example(t, "organization.created")
	var flood sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for i := range 64 {
		flood.Go(func() {
			request := toSink("hangs", body).with(func(p *post) { p.id = fmt.Sprintf("msg_%d", i) }).request(b.url).WithContext(ctx)
			if response, err := httpClient.Do(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	defer flood.Wait()
	defer stop()
	defer close(hanging.hang)
	for len(hanging.received()) < 2 {
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		began := time.Now()
		if answer := b.mustSend(t, delivered(body)); answer.status != http.StatusNoContent {
			t.Fatalf("the mirror: %d %s", answer.status, answer.body)
		}
		if answer := b.mustSend(t, toSink("well", body).with(func(p *post) { p.id = fmt.Sprintf("msg_well_%d", i) })); answer.status != 204 {
			t.Fatalf("another sink: %d %s", answer.status, answer.body)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("waited %s for a sink that hangs", took)
		}
	}
	if got := len(hanging.received()); got > 2 {
		t.Errorf("%d events at a time, want 2 at most", got)
	}
}

func TestATargetThatTakesNothingIsSpared(t *testing.T) {
	target := newService(t)
	b, notes := withSinks(t, target.URL, nil, "audit")
	target.answers(http.StatusInternalServerError)
	for range 10 {
		if answer := b.mustSend(t, toSink("audit", example(t, "user.created"))); answer.status != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", answer.status, answer.body)
		}
	}
	if got := len(target.received()); got != 5 || notes.last() != "audit failed breaker_open" {
		t.Errorf("asked %d times, noted %q; want 5, and then none", got, notes.last())
	}
}

func TestASinkLeadsNotToThisMachineUnlessItMay(t *testing.T) {
	target := newService(t)
	b, notes := withSinks(t, strings.Replace(target.URL, "127.0.0.1", "localhost", 1), nil, "audit")
	b.options.Sinks = nil
	if answer := b.mustSend(t, toSink("audit", example(t, "user.created"))); answer.status != http.StatusNotFound {
		t.Errorf("without sinks: %d", answer.status)
	}
	b.options.Sinks = strict(b)
	answer := b.mustSend(t, toSink("audit", example(t, "user.created")))
	if answer.status != http.StatusServiceUnavailable || notes.last() != "audit failed address_refused" || len(target.received()) > 0 {
		t.Errorf("%d %s, noted %q", answer.status, answer.body, notes.last())
	}
}

func TestABearerTokenIsSentAndNeverLogged(t *testing.T) {
	target := newService(t)
	b, _ := withSinks(t, target.URL, func(s *v1alpha1.ClerkSinkSpec) {
		s.HTTP.Auth = &v1alpha1.SinkHTTPAuth{BearerTokenSecretRef: &v1alpha1.SecretKeyReference{Name: "token", Key: "t"}}
	}, "audit")
	body := example(t, "user.created")
	if answer := b.mustSend(t, toSink("audit", body)); answer.status != http.StatusServiceUnavailable {
		t.Errorf("without the Secret: %d, want 503", answer.status)
	}
	b.objects.change(func(o *objects) { o.secrets["token"] = map[string][]byte{"t": []byte("top-secret-token\n")} })
	if answer := b.mustSend(t, toSink("audit", body)); answer.status != http.StatusServiceUnavailable || len(target.received()) > 0 {
		t.Errorf("%d: a Secret that nobody marked was used", answer.status)
	}
	b.objects.change(func(o *objects) {
		o.labels = map[string]map[string]string{"token": {v1alpha1.SinkLabel: v1alpha1.SinkLabelValue}}
	})
	if answer := b.mustSend(t, toSink("audit", body)); answer.status != http.StatusNoContent {
		t.Errorf("%d %s", answer.status, answer.body)
	}
	if !strings.Contains(target.everything(), "Bearer top-secret-token]") || b.logs.lines("top-secret") > 0 {
		t.Errorf("received %s", target.everything())
	}
}

// strict are sinks as they are without the flag for development.
func strict(b *rig) *sink.Dispatcher {
	return sink.New(sink.Options{Reader: b.objects, Namespace: namespace, Now: func() time.Time { return now }})
}
