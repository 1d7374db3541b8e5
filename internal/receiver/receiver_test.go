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
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/signing"
)

func TestEveryKnownTypeIsAcknowledged(t *testing.T) {
	b := start(t, Options{}, nil)
	for i, eventType := range clerk.Types() {
		p := delivered(example(t, eventType)).with(func(p *post) { p.id = fmt.Sprintf("msg_%d", i) })
		if got := b.mustSend(t, p); got.status != http.StatusNoContent {
			t.Errorf("%s: answered %d %q", eventType, got.status, got.body)
		}
		if seen := b.mirror.seen(); len(seen) != i+1 || seen[i].Type != eventType {
			t.Fatalf("%s: did not reach the mirror", eventType)
		}
		if b.logs.lines(`"type"="`+eventType+`"`) != 1 || b.logs.lines(`"delivery"="`+p.id+`"`) != 1 {
			t.Errorf("%s: the log names neither type nor delivery:\n%s", eventType, b.logs)
		}
	}
	if b.logs.lines(`"id"="org_3eNRyN996pJD30rNGNe0za3qYdq"`) == 0 {
		t.Error("the log does not name the entity")
	}
	for _, word := range []string{canary, "Nordlicht", "nordlicht", "Ines", "Okafor", "@", strings.TrimPrefix(secret, "whsec_")} {
		if strings.Contains(b.logs.String(), word) {
			t.Errorf("%q is in the log", word)
		}
	}
}

func TestKnownAnswer(t *testing.T) {
	b := start(t, Options{}, nil)
	b.objects.setSecrets("whsec_plJ3nmyCDGBKInavdOK15jsl")
	p := post{method: http.MethodPost, path: "/webhooks/default", body: `{"event_type":"ping","data":{"success":true}}`, header: http.Header{
		"Svix-Id":        {"msg_loFOjxBNrRLzqYUf"},
		"Svix-Timestamp": {"1731705121"},
		"Svix-Signature": {"v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="},
	}}
	if got := b.mustSend(t, p); got.status != http.StatusUnprocessableEntity {
		t.Errorf("what Svix signed is answered %d %q, want 422: verified, but no event of Clerk's", got.status, got.body)
	}
	p.body = strings.Replace(p.body, "true", "TRUE", 1)
	if got := b.mustSend(t, p); got.status != http.StatusUnauthorized {
		t.Errorf("with another body it is answered %d, want 401", got.status)
	}
}

func TestRotationNeedsNoRestart(t *testing.T) {
	b := start(t, Options{}, nil)
	old := delivered(ignoredEvent)
	next := old.with(func(p *post) { p.secret = nextSecret })
	steps := []struct {
		reason    string
		secrets   []string
		old, next int
	}{
		{"before", []string{secret}, 204, 401},
		{"the next key is added, with a line break as editors leave it", []string{secret, nextSecret + "\n"}, 204, 204},
		{"the order of the keys does not matter", []string{nextSecret, secret}, 204, 204},
		{"the old key is removed", []string{nextSecret}, 401, 204},
		{"a broken key beside it does no harm", []string{"", "whsec_???", nextSecret}, 401, 204},
		{"all are gone", nil, 503, 503},
		{"and back", []string{secret}, 204, 401},
	}
	for _, step := range steps {
		b.objects.setSecrets(step.secrets...)
		if got := b.mustSend(t, old); got.status != step.old {
			t.Errorf("%s: signed with the old secret, answered %d, want %d", step.reason, got.status, step.old)
		}
		if got := b.mustSend(t, next); got.status != step.next {
			t.Errorf("%s: signed with the next secret, answered %d, want %d", step.reason, got.status, step.next)
		}
	}
}

func TestTheAttemptsTimeStandsInForTheEvents(t *testing.T) {
	b := start(t, Options{}, nil)
	at := now.Add(-time.Minute)
	b.mustSend(t, delivered(`{"type":"organization.deleted","data":{"id":"org_1"}}`).with(func(p *post) { p.at = at }))
	b.mustSend(t, delivered(`{"type":"organization.deleted","timestamp":1731700000123,"data":{"id":"org_1"}}`))
	seen := b.mirror.seen()
	if len(seen) != 2 || !seen[0].Time.Equal(at) || !seen[1].Time.Equal(time.UnixMilli(1731700000123)) {
		t.Errorf("events %+v, want the first with the attempt's time and the second with its own", seen)
	}
}

// raw sends bytes as they are, then does something to the connection, and returns the status line.
func (b *rig) raw(t *testing.T, text string, then func(*net.TCPConn) error) string {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		if err := then(tcp); err != nil {
			t.Fatal(err)
		}
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return strings.TrimSpace(line)
}

func keepOpen(*net.TCPConn) error { return nil }

func rawHead(length int) string {
	p := delivered(ignoredEvent)
	const head = "POST /webhooks/default HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" +
		"svix-id: %s\r\nsvix-timestamp: %d\r\nsvix-signature: %s\r\n\r\n"
	return fmt.Sprintf(head, length, p.id, p.at.Unix(), p.signature())
}

func TestBodiesThatDoNotArrive(t *testing.T) {
	b := start(t, Options{}, func(l *limits) { l.readTimeout = 300 * time.Millisecond; l.smallBodies = 1 })
	if got := b.raw(t, rawHead(100)+"slow", keepOpen); got != "HTTP/1.1 408 Request Timeout" {
		t.Errorf("a slow body is answered %q", got)
	}
	if got := b.raw(t, rawHead(100)+"cut", (*net.TCPConn).CloseWrite); got != "HTTP/1.1 400 Bad Request" {
		t.Errorf("a cut body is answered %q", got)
	}
	if got := b.raw(t, rawHead(MaxBodyBytes+1), keepOpen); got != "HTTP/1.1 413 Request Entity Too Large" {
		t.Errorf("a length beyond the limit is answered %q: at once, before any of the body", got)
	}
	if got := b.mustSend(t, delivered(ignoredEvent)); got.status != http.StatusNoContent {
		t.Errorf("afterwards the only room is not free: %d", got.status)
	}
	if len(b.mirror.seen()) != 1 {
		t.Error("an incomplete delivery reached the mirror")
	}
}

// TestSlowSendersKeepNobodyOut: whoever has no signing secret can take neither the places of deliveries nor, with large bodies, the room of
// small ones.
func TestSlowSendersKeepNobodyOut(t *testing.T) {
	b := start(t, Options{}, func(l *limits) { l.deliveries, l.largeBodies = 1, 2; l.placeTimeout = 50 * time.Millisecond })
	var slow []net.Conn
	for _, length := range []int{100, 100, SmallBodyBytes + 1, SmallBodyBytes + 1} {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		if _, err := io.WriteString(connection, rawHead(length)); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, connection)
	}
	for len(b.smallBodies) < 2 || len(b.largeBodies) < 2 {
		time.Sleep(time.Millisecond)
	}
	if got := b.raw(t, rawHead(SmallBodyBytes+1), keepOpen); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("a third large body is answered %q", got)
	}
	if got := b.mustSend(t, delivered(ignoredEvent)); got.status != http.StatusNoContent {
		t.Errorf("a real delivery beside %d slow ones is answered %d", len(slow), got.status)
	}
}

func TestHeadersBeyondTheLimit(t *testing.T) {
	b := start(t, Options{}, nil)
	p := delivered(ignoredEvent).with(func(p *post) { p.header = http.Header{"X-Long": {strings.Repeat("x", 2*MaxHeaderBytes)}} })
	if got := b.mustSend(t, p); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d, want 431", got.status)
	}
}

// gate is a mirror's apply that waits until it is opened.
type gate struct {
	entered chan context.Context
	open    chan struct{}
}

func newGate() *gate {
	return &gate{entered: make(chan context.Context, 100), open: make(chan struct{})}
}

func (g *gate) apply(ctx context.Context, _ *clerk.Event) (mirror.Outcome, error) {
	g.entered <- ctx
	select {
	case <-g.open:
		return mirror.Applied, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (b *rig) sendAsync(p post) <-chan int {
	status := make(chan int, 1)
	go func() {
		got, err := b.send(p)
		if err != nil {
			got.status = -1
		}
		status <- got.status
	}()
	return status
}

func TestADeliveryWithoutAPlaceIsAskedToComeAgain(t *testing.T) {
	g := newGate()
	b := start(t, Options{}, func(l *limits) { l.deliveries = 2; l.placeTimeout = 50 * time.Millisecond })
	b.mirror.apply = g.apply
	first, second := b.sendAsync(delivered(ignoredEvent)), b.sendAsync(delivered(ignoredEvent))
	<-g.entered
	<-g.entered

	got := b.mustSend(t, delivered(ignoredEvent))
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" {
		t.Errorf("the third is answered %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	close(g.open)
	if a, z := <-first, <-second; a != http.StatusNoContent || z != http.StatusNoContent {
		t.Errorf("the first two are answered %d and %d", a, z)
	}
	if got := b.mustSend(t, delivered(ignoredEvent)); got.status != http.StatusNoContent {
		t.Errorf("afterwards it is answered %d", got.status)
	}
}

func TestADeliveryWaitsALittleForAPlace(t *testing.T) {
	g := newGate()
	b := start(t, Options{}, func(l *limits) { l.deliveries = 1; l.placeTimeout = time.Minute })
	b.mirror.apply = g.apply
	first := b.sendAsync(delivered(ignoredEvent))
	<-g.entered
	second := b.sendAsync(delivered(ignoredEvent))
	close(g.open)
	if a, z := <-first, <-second; a != http.StatusNoContent || z != http.StatusNoContent {
		t.Errorf("answered %d and %d", a, z)
	}
}

func TestAPanicGivesItsPlaceBack(t *testing.T) {
	b := start(t, Options{}, func(l *limits) { l.deliveries = 1; l.placeTimeout = 50 * time.Millisecond })
	b.mirror.apply = func(context.Context, *clerk.Event) (mirror.Outcome, error) { panic("bug") }
	for range 3 {
		b.mustSend(t, delivered(ignoredEvent))
	}
	if len(b.mirror.seen()) != 3 {
		t.Error("a panic kept the only place")
	}
}

func TestAnApplyThatTakesTooLong(t *testing.T) {
	b := start(t, Options{}, func(l *limits) { l.applyTimeout = 50 * time.Millisecond })
	b.mirror.apply = newGate().apply
	if got := b.mustSend(t, delivered(ignoredEvent)); got.status != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", got.status)
	}
}

func TestAnApplyGoesOnWhenTheSenderHangsUp(t *testing.T) {
	g := newGate()
	b := start(t, Options{}, nil)
	b.mirror.apply = g.apply
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		response, err := httpClient.Do(delivered(ignoredEvent).request(b.url).WithContext(ctx))
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	applying := <-g.entered
	hangUp()
	select {
	case <-applying.Done():
		t.Error("the apply was cancelled: its next attempt would have to do it again")
	case <-time.After(100 * time.Millisecond):
	}
	close(g.open)
}

func TestDrain(t *testing.T) {
	g := newGate()
	b := start(t, Options{}, nil)
	b.mirror.apply = g.apply
	inFlight := b.sendAsync(delivered(ignoredEvent))
	applying := <-g.entered
	if err := b.Check(nil); err != nil {
		t.Errorf("not ready while it receives: %v", err)
	}

	stopped := make(chan error, 1)
	go func() { stopped <- b.stop() }()
	for b.Check(nil) == nil {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a delivery in flight: %v", err)
	case <-applying.Done():
		t.Fatal("the delivery in flight was cancelled")
	case <-time.After(50 * time.Millisecond):
	}
	close(g.open)
	if got := <-inFlight; got != http.StatusNoContent {
		t.Errorf("the delivery in flight is answered %d", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := b.send(delivered(ignoredEvent)); err == nil {
		t.Error("still receives after it has stopped")
	}
}

func TestDrainEnds(t *testing.T) {
	g := newGate()
	b := start(t, Options{}, func(l *limits) { l.drainTimeout = 50 * time.Millisecond })
	b.mirror.apply = g.apply
	inFlight := b.sendAsync(delivered(ignoredEvent))
	<-g.entered
	if err := b.stop(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped with %v, want it to say that deliveries were cut off", err)
	}
	close(g.open)
	<-inFlight
}

func TestForgeriesDoNotFloodTheLog(t *testing.T) {
	b := start(t, Options{}, nil)
	for range 100 {
		b.mustSend(t, delivered(ignoredEvent).with(func(p *post) { p.secret = nextSecret }))
	}
	if got := b.logs.lines("Refused a delivery; more of them"); got != 1 {
		t.Errorf("%d lines at the default verbosity, want 1", got)
	}
	if got := b.logs.lines("Refused a delivery"); got != 100 {
		t.Errorf("%d lines at verbosity 1, want 100", got)
	}
}

// counted is the value of a counter of deliveries with these labels.
func counted(t *testing.T, instance, eventType, outcome string) float64 {
	t.Helper()
	counter := dto.Metric{}
	if err := metrics.Deliveries.WithLabelValues(instance, eventType, outcome).Write(&counter); err != nil {
		t.Fatal(err)
	}
	return counter.GetCounter().GetValue()
}

func TestLabelsOfMetricsAreBounded(t *testing.T) {
	b := start(t, Options{}, nil)
	good := delivered(ignoredEvent)
	cases := map[string]struct {
		post                         post
		instance, eventType, outcome string
	}{
		"known type":              {good, "default", "session.created", "applied"},
		"type nobody knows":       {delivered(`{"type":"moon.risen"}`), "default", "other", "applied"},
		"another environment":     {delivered(`{"type":"session.created","instance_id":"ins_x"}`), "default", "session.created", OutcomeWrongInstance},
		"not verified":            {good.with(func(p *post) { p.secret = nextSecret }), "default", "", OutcomeUnauthorized},
		"verified, no event":      {delivered("x"), "default", "", OutcomeNotUnderstood},
		"instance does not exist": {good.with(func(p *post) { p.path = "/webhooks/nope" }), "", "", OutcomeUnknownInstance},
		"path does not exist":     {good.with(func(p *post) { p.path = "/nope" }), "", "", OutcomeUnknownPath},
	}
	for name, tc := range cases {
		before := counted(t, tc.instance, tc.eventType, tc.outcome)
		b.mustSend(t, tc.post)
		if got := counted(t, tc.instance, tc.eventType, tc.outcome) - before; got != 1 {
			t.Errorf("%s: counted %v times as %q %q %q", name, got, tc.instance, tc.eventType, tc.outcome)
		}
	}
}

func TestTheBindAddressMustBeFree(t *testing.T) {
	b := start(t, Options{}, nil)
	second, err := New(Options{BindAddress: strings.TrimPrefix(b.url, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err == nil {
		t.Error("two receivers on one address")
	}
	if second.NeedLeaderElection() {
		t.Error("every replica must receive")
	}
}

func TestTLSNeedsBothFiles(t *testing.T) {
	if _, err := New(Options{TLSCertFile: "tls.crt"}); err == nil {
		t.Error("a certificate without a key is accepted")
	}
	r, err := New(Options{TLSCertFile: filepath.Join(t.TempDir(), "tls.crt"), TLSKeyFile: "tls.key"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("started without its certificate: %v", err)
	}
}

func TestTLSFilesAreReloaded(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	roots := x509.NewCertPool()
	writeCertificate(t, certFile, keyFile, 1, roots)
	b := start(t, Options{TLSCertFile: certFile, TLSKeyFile: keyFile}, nil)

	if got := serialOf(t, b, roots); got != 1 {
		t.Fatalf("serves certificate %d", got)
	}
	writeCertificate(t, certFile, keyFile, 2, roots)
	deadline := time.Now().Add(30 * time.Second)
	for serialOf(t, b, roots) != 2 {
		if time.Now().After(deadline) {
			t.Fatal("still serves the old certificate")
		}
		time.Sleep(10 * time.Millisecond)
	}

	old := &tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}
	if connection, err := old.DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "https://")); err == nil {
		connection.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

// serialOf sends a delivery over a fresh connection and returns the serial number of the certificate it met.
func serialOf(t *testing.T, b *rig, roots *x509.CertPool) int64 {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(delivered(ignoredEvent).request(b.url))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("answered %d over TLS", response.StatusCode)
	}
	return response.TLS.PeerCertificates[0].SerialNumber.Int64()
}

func writeCertificate(t *testing.T, certFile, keyFile string, serial int64, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(certPEM)
	for file, content := range map[string][]byte{
		keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), certFile: certPEM,
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkVerifyAndDecode is what a delivery costs before the API server is asked: wanted are under 100 µs.
func BenchmarkVerifyAndDecode(b *testing.B) {
	verifier, _ := signing.Parse(map[string][]byte{"current": []byte(secret)})
	for _, eventType := range []string{clerk.TypeOrganizationUpdated, clerk.TypeMembershipUpdated, "session.created"} {
		body := example(b, eventType)
		request := delivered(body).request("http://127.0.0.1")
		b.Run(eventType, func(b *testing.B) {
			for b.Loop() {
				attempt, err := signing.ReadAttempt(request.Header)
				if err != nil {
					b.Fatal(err)
				}
				if err := verifier.Verify([]byte(body), attempt); err != nil {
					b.Fatal(err)
				}
				if _, err := clerk.Decode([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkServeHTTP is a whole delivery, without the network and with a mirror that costs nothing.
func BenchmarkServeHTTP(b *testing.B) {
	body := example(b, clerk.TypeMembershipUpdated)
	receiver := build(Options{}, defaultLimits())
	receiver.mirror.apply = func(context.Context, *clerk.Event) (mirror.Outcome, error) {
		receiver.mirror.events = receiver.mirror.events[:0]
		return mirror.Duplicate, nil
	}
	receiver.log = receiver.log.V(2)
	header := delivered(body).request("http://127.0.0.1").Header
	for b.Loop() {
		request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/webhooks/default", strings.NewReader(body))
		request.Header = header
		response := httptest.NewRecorder()
		receiver.Handler().ServeHTTP(response, request)
		if response.Code != http.StatusNoContent {
			b.Fatalf("answered %d", response.Code)
		}
	}
}

// TestTheFirstEventSaysWhichEnvironmentIsHeard before it is mirrored; what could create nothing says nothing.
func TestTheFirstEventSaysWhichEnvironmentIsHeard(t *testing.T) {
	fresh := fmt.Sprintf(`"timestamp":%d`, now.UnixMilli())
	organization := `{"type":"organization.deleted","instance_id":"ins_a","data":{"id":"org_1"},` + fresh + `}`
	cases := map[string]struct {
		body   string
		pin    error
		want   int
		pinned string
	}{
		"a fresh event":                        {organization, nil, 204, "ins_a"},
		"one that another replica heard first": {organization, &environment.OtherError{Want: "ins_b", Got: "ins_a"}, 403, "ins_a"},
		"one that cannot be written down":      {organization, errors.New("no API server"), 503, "ins_a"},
		"an example, which is old":             {strings.Replace(organization, fresh, `"timestamp":1716883200`, 1), nil, 204, ""},
		"one of a type that is not mirrored":   {`{"type":"session.created","instance_id":"ins_a",` + fresh + `}`, nil, 204, ""},
		"an older payload, which says nothing": {strings.Replace(organization, `"instance_id":"ins_a",`, "", 1), nil, 204, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pinned := ""
			b := start(t, Options{TombstoneRetention: time.Hour, Pin: func(_ context.Context, _ *v1alpha1.ClerkInstance, id string) error {
				pinned = id
				return tc.pin
			}}, nil)
			b.objects.change(func(o *objects) {
				instance := o.instances["default"]
				instance.InstanceID = ""
				o.instances["default"] = instance
			})
			got := b.mustSend(t, delivered(tc.body))
			if got.status != tc.want || pinned != tc.pinned {
				t.Errorf("got %d (%s) and pinned %q, want %d and %q", got.status, got.body, pinned, tc.want, tc.pinned)
			}
			if mirrored := len(b.mirror.seen()) > 0; mirrored != (tc.want == 204) {
				t.Errorf("mirrored is %t", mirrored)
			}
		})
	}
}
