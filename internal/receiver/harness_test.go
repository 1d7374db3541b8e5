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
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	svix "github.com/svix/svix-webhooks/go"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/sink"
)

const (
	namespace  = "clerk-operator-system"
	secretName = "signing"
	secret     = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
	nextSecret = "whsec_ZmVkY2JhOTg3NjU0MzIxMA=="
	instanceID = "ins_3i3FSJb2w7vQZXdtbBtS4v8U3SI"

	// canary stands in the testdata wherever Clerk puts what must never be stored or logged.
	canary = "canary-must-never-surface"
)

// now is the time of every test: that of the known answer.
var now = time.Unix(1731705121, 0)

// objects is the cache of a test. No behaviour of an API server matters here: what is read is one instance and one Secret.
type objects struct {
	mutex     sync.Mutex
	instances map[string]v1alpha1.ClerkInstanceSpec
	sinks     map[string]v1alpha1.ClerkSinkSpec
	secrets   map[string]map[string][]byte
	labels    map[string]map[string]string
	// organizations are those that are mirrored, by the names of their objects.
	organizations map[string]v1alpha1.ClerkOrganizationSpec
	instanceErr   error
	secretErr     error
}

func newObjects() *objects {
	instance := v1alpha1.ClerkInstanceSpec{InstanceID: instanceID}
	instance.Webhook.SigningSecretRef.Name = secretName
	return &objects{
		instances: map[string]v1alpha1.ClerkInstanceSpec{"default": instance},
		secrets:   map[string]map[string][]byte{secretName: {"current": []byte(secret)}},
	}
}

func (o *objects) change(f func(*objects)) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	f(o)
}

func (o *objects) setSecrets(values ...string) {
	o.change(func(o *objects) {
		data := map[string][]byte{}
		for i, value := range values {
			data[fmt.Sprintf("key-%d", i)] = []byte(value)
		}
		o.secrets[secretName] = data
	})
}

// Get implements client.Reader.
func (o *objects) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "test"}, key.Name)
	switch object := object.(type) {
	case *v1alpha1.ClerkInstance:
		spec, found := o.instances[key.Name]
		if o.instanceErr != nil {
			return o.instanceErr
		}
		if !found {
			return notFound
		}
		object.ObjectMeta = metav1.ObjectMeta{Name: key.Name}
		object.Spec = spec
	case *corev1.Secret:
		data, found := o.secrets[key.Name]
		if o.secretErr != nil {
			return o.secretErr
		}
		if !found || key.Namespace != namespace {
			return notFound
		}
		object.Data = maps.Clone(data)
		object.Labels = o.labels[key.Name]
	case *v1alpha1.ClerkSink:
		spec, found := o.sinks[key.Name]
		if !found {
			return notFound
		}
		object.ObjectMeta = metav1.ObjectMeta{Name: key.Name, UID: types.UID(key.Name), Generation: 1}
		object.Spec = spec
	case *v1alpha1.ClerkOrganization:
		spec, found := o.organizations[key.Name]
		if !found {
			return notFound
		}
		object.Spec = spec
	default:
		return fmt.Errorf("nobody should read a %T", object)
	}
	return nil
}

// List implements client.Reader.
func (o *objects) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nobody should list anything")
}

// recorder is a Mirror that remembers what it was told.
type recorder struct {
	mutex  sync.Mutex
	events []*clerk.Event

	// apply, if set, decides the outcome.
	apply func(ctx context.Context, event *clerk.Event) (mirror.Outcome, error)
}

// Apply implements Mirror.
func (r *recorder) Apply(ctx context.Context, instance string, event *clerk.Event) (mirror.Outcome, error) {
	r.mutex.Lock()
	r.events = append(r.events, event)
	r.mutex.Unlock()
	if instance != "default" {
		return "", fmt.Errorf("unexpected instance %q", instance)
	}
	if r.apply != nil {
		return r.apply(ctx, event)
	}
	return mirror.Applied, nil
}

func (r *recorder) seen() []*clerk.Event {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.events
}

// logs is what was logged, at every verbosity.
type logs struct {
	mutex sync.Mutex
	text  []string
}

func (l *logs) add(_, args string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.text = append(l.text, args)
}

func (l *logs) lines(containing string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	count := 0
	for _, line := range l.text {
		if strings.Contains(line, containing) {
			count++
		}
	}
	return count
}

func (l *logs) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Join(l.text, "\n")
}

// rig is a receiver under test and all that it works with.
type rig struct {
	*Receiver
	objects *objects
	mirror  *recorder
	logs    *logs
	url     string

	// stop ends the receiver and returns what Start returned.
	stop func() error
}

func build(options Options, limits limits) *rig {
	b := &rig{objects: newObjects(), mirror: &recorder{}, logs: &logs{}}
	options.Reader = b.objects
	options.Namespace = namespace
	options.Mirror = b.mirror
	if options.Pin == nil {
		options.Pin = func(_ context.Context, instance *v1alpha1.ClerkInstance, id string) error {
			return environment.Check(instance, id)
		}
	}
	options.Now = func() time.Time { return now }
	options.Sinks = sink.New(sink.Options{Reader: b.objects, Namespace: namespace, AllowLocal: true, Now: options.Now})
	b.Receiver = newReceiver(options, limits)
	b.log = funcr.New(b.logs.add, funcr.Options{Verbosity: 1})
	return b
}

// start runs a receiver on a free port of the loopback interface.
func start(t *testing.T, options Options, change func(*limits)) *rig {
	t.Helper()
	limits := defaultLimits()
	if change != nil {
		change(&limits)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	options.Listener = listener
	b := build(options, limits)
	b.url = "http://" + listener.Addr().String()
	if options.TLSCertFile != "" {
		b.url = "https://" + listener.Addr().String()
	}
	// The test's own context would end before its cleanups, and not by stop.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	result := make(chan error, 1)
	go func() { result <- b.Start(ctx) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { _ = b.stop() })
	return b
}

// post describes a delivery: by default a good one.
type post struct {
	method string
	path   string
	family string
	id     string
	at     time.Time
	secret string
	body   string
	header http.Header
	// chunked hides the length of the body.
	chunked bool
}

func delivered(body string) post {
	return post{method: http.MethodPost, path: "/webhooks/default", family: "svix", id: "msg_1", at: now, secret: secret, body: body}
}

func (p post) with(change func(*post)) post {
	change(&p)
	return p
}

func (p post) signature() string {
	webhook, err := svix.NewWebhook(p.secret)
	if err != nil {
		panic(err)
	}
	signature, err := webhook.Sign(p.id, p.at, []byte(p.body))
	if err != nil {
		panic(err)
	}
	return signature
}

// signedWithNothing is what anyone can compute.
func (p post) signedWithNothing() string {
	mac := hmac.New(sha256.New, nil)
	fmt.Fprintf(mac, "%s.%d.%s", p.id, p.at.Unix(), p.body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (p post) request(url string) *http.Request {
	var body io.Reader = strings.NewReader(p.body)
	if p.chunked {
		body = io.MultiReader(body)
	}
	request, err := http.NewRequestWithContext(context.Background(), p.method, url+p.path, body)
	if err != nil {
		panic(err)
	}
	if p.family != "" {
		request.Header.Set(p.family+"-id", p.id)
		request.Header.Set(p.family+"-timestamp", fmt.Sprint(p.at.Unix()))
		request.Header.Set(p.family+"-signature", p.signature())
	}
	maps.Copy(request.Header, p.header)
	return request
}

// reply is an answer as the sender sees it.
type reply struct {
	status int
	header http.Header
	body   string
}

// client follows no redirect, as Svix.
var httpClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       time.Minute,
}

func (b *rig) send(p post) (reply, error) {
	response, err := httpClient.Do(p.request(b.url))
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}, err
}

func (b *rig) mustSend(t *testing.T, p post) reply {
	t.Helper()
	got, err := b.send(p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func example(tb testing.TB, eventType string) string {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("..", "examples", "events", eventType+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}
