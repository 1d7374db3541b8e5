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

package resync_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/internal/resync"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	namespace = "default"
	apiKey    = "sk_test_canary-must-never-surface"

	// pageSize makes a handful of things several pages.
	pageSize = 4
)

// founded is when everything began: long before tombstones are collected, since a first installation has to know the old ones too.
var founded = time.Date(2026, 1, 14, 9, 26, 0, 0, time.UTC)

var (
	plane  *controlplane.ControlPlane
	scheme = runtime.NewScheme()
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	controlplane.Main(m, controlplane.Options{
		CRDs: filepath.Join("..", "..", "config", "crd", "bases"), ControllerManager: controlplane.WithoutControllerManager,
	}, func(_ context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		return errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
	})
}

// world is a Clerk environment with a ClerkInstance, and the part of the operator that resyncs it. Reconciliations are called, so nothing
// has to be waited for; what they read and write is a real API server's.
type world struct {
	t        *testing.T
	name     string
	api      *clerkapi.API
	cluster  client.Client
	mirror   *mirror.Mirror
	resyncer *resync.Resyncer
	recorder *events.FakeRecorder
	clock    time.Time
	writes   atomic.Int64
}

var serial atomic.Int64

func newWorld(t *testing.T, change ...func(*v1alpha1.ClerkInstance)) *world {
	t.Helper()
	w := &world{
		t: t, name: fmt.Sprintf("w%d", serial.Add(1)), clock: time.Now(), recorder: events.NewFakeRecorder(100),
		api: clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: apiKey}),
	}
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	config := rest.CopyConfig(plane.Config())
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodGet {
				w.writes.Add(1)
			}
			return next.RoundTrip(r)
		})
	})
	var err error
	if w.cluster, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	w.mirror = mirror.New(mirror.Options{Client: w.cluster, Live: w.cluster, TombstoneRetention: 7 * 24 * time.Hour, Now: time.Now})
	w.restart()
	w.setKey(apiKey)
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: w.name},
		Spec: v1alpha1.ClerkInstanceSpec{API: v1alpha1.ClerkInstanceAPI{
			SecretKeyRef: v1alpha1.SecretKeyReference{Name: w.name, Key: "key"}, URL: server.URL + clerkapi.Prefix,
		}},
	}
	for _, edit := range change {
		edit(instance)
	}
	w.must(w.cluster.Create(t.Context(), instance))
	return w
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// restart makes another replica the leader: it remembers nothing.
func (w *world) restart() {
	w.resyncer = resync.New(resync.Options{
		Client: w.cluster, Mirror: w.mirror, Environments: environment.NewPinner(w.cluster), Hosts: []string{"127.0.0.1"},
		Recorder: w.recorder, Namespace: namespace, PageSize: pageSize, Now: func() time.Time { return w.clock },
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// setKey puts a key into the Secret.
func (w *world) setKey(key string) {
	w.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: w.name, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		Data: map[string][]byte{"key": []byte(key)},
	}
	err := w.cluster.Create(w.t.Context(), secret)
	if err != nil {
		err = w.cluster.Update(w.t.Context(), secret)
	}
	w.must(err)
}

func (w *world) secret() *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(w.cluster.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: w.name}, secret))
	return secret
}

// reconcile lets the operator look at the ClerkInstance once.
func (w *world) reconcile() reconcile.Result {
	w.t.Helper()
	result, err := w.resyncer.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: w.name}})
	w.must(err)
	return result
}

func (w *world) instance() *v1alpha1.ClerkInstance {
	w.t.Helper()
	instance := &v1alpha1.ClerkInstance{}
	w.must(w.cluster.Get(w.t.Context(), client.ObjectKey{Name: w.name}, instance))
	return instance
}

func (w *world) edit(change func(*v1alpha1.ClerkInstance)) {
	w.t.Helper()
	instance := w.instance()
	change(instance)
	w.must(w.cluster.Update(w.t.Context(), instance))
}

func (w *world) annotate(key, value string) {
	w.t.Helper()
	w.edit(func(i *v1alpha1.ClerkInstance) { metav1.SetMetaDataAnnotation(&i.ObjectMeta, key, value) })
}

// resync asks for a resync and checks what it came to.
func (w *world) resync(want v1alpha1.ResyncResult, reason string) v1alpha1.ClerkInstanceStatus {
	w.t.Helper()
	w.annotate(v1alpha1.ResyncAnnotation, fmt.Sprint(serial.Add(1)))
	w.reconcile()
	return w.wants(want, reason)
}

// wants checks what the last resync came to.
func (w *world) wants(want v1alpha1.ResyncResult, reason string) v1alpha1.ClerkInstanceStatus {
	w.t.Helper()
	status := w.instance().Status
	synced := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSynced)
	if synced == nil || status.LastResync.Result != want || synced.Reason != reason {
		w.t.Fatalf("got %s, %+v, want %s because of %s", status.LastResync.Result, synced, want, reason)
	}
	if (synced.Status == metav1.ConditionTrue) != (want == v1alpha1.ResyncComplete) {
		w.t.Errorf("Synced is %s although the result is %s", synced.Status, want)
	}
	if text := fmt.Sprintf("%+v", status); strings.Contains(text, "canary") || strings.Contains(text, clerktest.Private) {
		w.t.Errorf("the status tells what it must not: %s", text)
	}
	return status
}

// drift checks what a resync found of a kind.
func (w *world) drift(status v1alpha1.ClerkInstanceStatus, kind string, listed, created, updated, deleted int32) {
	w.t.Helper()
	want := v1alpha1.ResyncedKind{Kind: kind, Listed: &listed, Created: &created, Updated: &updated, Deleted: &deleted}
	for _, have := range status.LastResync.Kinds {
		if have.Kind != kind {
			continue
		}
		if diff := cmp.Diff(want, have); diff != "" {
			w.t.Errorf("found otherwise (-want +got):\n%s", diff)
		}
		return
	}
	w.t.Errorf("nothing is told of %s: %+v", kind, status.LastResync)
}

func (w *world) id(prefix string, n int) string { return fmt.Sprintf("%s_%s%03d", prefix, w.name, n) }

func (w *world) organization(n int) clerktest.Organization {
	return clerktest.Organization{ID: w.id("org", n), Name: "Acme", Slug: fmt.Sprintf("%s-%d", w.name, n),
		UpdatedAt: founded.Add(time.Duration(n) * time.Second)}
}

func (w *world) user(n int) clerktest.User {
	return clerktest.User{ID: w.id("user", n), Identifier: "jane@acme.example", Email: "jane@acme.example",
		UpdatedAt: founded.Add(time.Duration(n) * time.Second)}
}

// membership of user n in organization n modulo 3.
func (w *world) membership(n int) clerktest.Membership {
	return clerktest.Membership{ID: w.id("orgmem", n), Role: "org:member", Organization: w.organization(n % 3), User: w.user(n),
		UpdatedAt: founded.Add(time.Duration(n) * time.Second)}
}

// fill makes three organizations with so many members in all, a role and a permission.
func (w *world) fill(members int) {
	permission := clerktest.Permission{ID: w.id("perm", 1), Key: "org:cargo:load", UpdatedAt: founded}
	w.api.SetPermission(permission)
	w.api.SetRole(clerktest.Role{ID: w.id("role", 0), Key: "org:admin", Permissions: []clerktest.Permission{permission}, UpdatedAt: founded})
	w.api.SetRole(clerktest.Role{ID: w.id("role", 1), Key: "org:member", Permissions: []clerktest.Permission{permission}, UpdatedAt: founded})
	for n := range 3 {
		w.api.SetOrganization(w.organization(n))
	}
	for n := range members {
		w.api.SetUser(w.user(n))
		w.api.SetMembership(w.membership(n))
	}
}

// live are the ids of what is mirrored and not deleted.
func (w *world) live() map[string]bool {
	w.t.Helper()
	var organizations v1alpha1.ClerkOrganizationList
	var members v1alpha1.ClerkMemberList
	var users v1alpha1.ClerkUserList
	var roles v1alpha1.ClerkRoleList
	for _, list := range []client.ObjectList{&organizations, &members, &users, &roles} {
		w.must(w.cluster.List(w.t.Context(), list))
	}
	ids := map[string]bool{}
	add := func(instance, id string, deletedAt *metav1.MicroTime) {
		if instance == w.name && deletedAt == nil {
			ids[id] = true
		}
	}
	for _, o := range organizations.Items {
		add(o.Spec.Instance, o.Spec.ID, o.Spec.DeletedAt)
	}
	for _, m := range members.Items {
		add(m.Spec.Instance, m.Spec.ID, m.Spec.DeletedAt)
	}
	for _, u := range users.Items {
		add(u.Spec.Instance, u.Spec.ID, u.Spec.DeletedAt)
	}
	for _, r := range roles.Items {
		add(r.Spec.Instance, r.Spec.ID, r.Spec.DeletedAt)
	}
	return ids
}

func (w *world) member(n int) *v1alpha1.ClerkMember {
	w.t.Helper()
	member := &v1alpha1.ClerkMember{}
	w.must(w.cluster.Get(w.t.Context(), client.ObjectKey{Name: v1alpha1.ObjectName(w.name, w.id("orgmem", n))}, member))
	return member
}
