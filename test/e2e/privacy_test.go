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
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// checkTombstones wants nothing personal in what is left of those who are gone: neither in the objects nor in what the API server keeps
// about their fields.
func (w *world) checkTombstones() {
	w.t.Helper()
	for id := range w.heard.deletedOrganizations {
		w.checkObject("clerkorganizations", id)
	}
	for id := range w.heard.deletedMemberships {
		w.checkObject("clerkmembers", id)
	}
	for id, p := range w.heard.users {
		if p.deleted {
			w.checkObject("clerkusers", id)
		}
	}
	for id := range w.heard.domains {
		w.checkObject("clerkorganizationdomains", id) // of those that there are, too
	}
}

func (w *world) checkObject(resource, id string) {
	w.t.Helper()
	raw, err := rawObject(w.t.Context(), resource, id)
	if err != nil {
		w.fail("read %s: %v", id, err)
	}
	if logs.holds(raw) {
		w.fail("what is left of %s holds personal data: %s", id, raw)
	}
}

// rawObject is an object of the operator's kinds as the API server sends it.
func rawObject(ctx context.Context, resource, id string) ([]byte, error) {
	clientset, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		return nil, err
	}
	path := "/apis/" + v1alpha1.GroupVersion.String() + "/" + resource + "/" + v1alpha1.ObjectName("default", id)
	return clientset.CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(ctx)
}

// TestNothingPersonalIsLeftOfWhoIsGone looks at the objects as the API server sends them, with what it keeps about their fields.
func TestNothingPersonalIsLeftOfWhoIsGone(t *testing.T) {
	w := newWorld(t, startReplicas(t, 1))
	defer w.end(t)
	o := w.clerk.createOrganization(w.clerk.slug("gone"), planGold)
	m := w.clerk.join(o, w.clerk.user(1), roleAdmin, permissionRead)
	w.clerk.changeUser(&person{id: m.user})
	w.deliverAll()
	w.settle()
	for resource, id := range map[string]string{"clerkorganizations": o.id, "clerkmembers": m.id, "clerkusers": m.user} {
		raw, err := rawObject(t.Context(), resource, id)
		must(t, err)
		if !logs.holds(raw) {
			t.Errorf("%s holds nothing personal to begin with, so this test proves nothing: %s", id, raw)
		}
	}
	w.clerk.leave(m)
	w.clerk.deleteOrganization(o, true)
	w.clerk.deleteUser(m.user)
	w.deliverAll()
	w.settle()
	w.checkTombstones()
}

// TestNothingPersonalGetsOut sends what is good, what is bad and what goes wrong later, and looks for personal data and secrets in
// everything that is told: answers, logs, metrics, Kubernetes Events, and what tenants can see.
func TestNothingPersonalGetsOut(t *testing.T) {
	w := newWorld(t, startReplicas(t, 1))
	defer w.end(t)
	o := w.clerk.createOrganization(w.clerk.slug("loud"), planGold)
	m := w.clerk.join(o, w.clerk.user(1), roleMember)
	other := w.clerk.createOrganization(w.clerk.slug("other"), "")
	w.clerk.changeUser(&person{id: m.user, banned: true})
	w.deliverAll()
	w.settle()
	w.clerk.changeUser(&person{id: m.user})
	w.deliverAll()
	w.settle()

	lines := logs.count()
	for reason, d := range refusedDeliveries(o, m, other) {
		secret := signingSecret
		if d.secret != "" {
			secret = d.secret
		}
		sender := clerktest.Sender{URL: w.replicas[0].url(operatorproc.Instance), Secret: secret}
		have, err := post(t.Context(), sender, clerktest.RandomID("msg"), d.body)
		must(t, err)
		if have.status != d.want {
			t.Errorf("%s: the answer is %d %s, want %d", reason, have.status, have.text, d.want)
		}
		if logs.holds([]byte(have.text)) {
			t.Errorf("%s: the answer quotes what it was sent: %s", reason, have.text)
		}
	}
	if logs.count() == lines {
		t.Error("nothing was logged, so this test proves nothing")
	}
	w.breakClass(t)
	w.clerk.leave(m)
	w.deliverAll()
	w.settle()

	for what, text := range told(t) {
		if logs.holds(text) {
			t.Errorf("there is personal data in the %s: %s", what, text)
		}
	}
	if leaks := logs.leaks(); len(leaks) > 0 {
		t.Errorf("there is personal data in the logs:\n%s", join(leaks))
	}
}

// refusal is a delivery and the answer that it should get.
type refusal struct {
	secret string
	body   []byte
	want   int
}

// refusedDeliveries are deliveries that are refused, or ignored, with something personal in the very place that is wrong.
func refusedDeliveries(o *organization, m *membership, other *organization) map[string]refusal {
	edited := func(event clerktest.Event, edit func(data map[string]any)) []byte {
		var whole map[string]any
		if err := json.Unmarshal(event.Body(), &whole); err != nil {
			panic(err) // a mistake in this file
		}
		edit(whole["data"].(map[string]any))
		body, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		return body
	}
	updated := func(edit func(data map[string]any)) []byte {
		return edited(clerktest.OrganizationUpdated(o.clerktest()), edit)
	}
	set := func(key string, value any) func(map[string]any) {
		return func(data map[string]any) { data[key] = value }
	}
	moved := m.copy()
	moved.updated = moved.updated.Add(time.Minute)
	twin := o.copy()
	twin.id = swapCase(o.id)
	ignored := func(eventType string, data map[string]any) refusal {
		return refusal{body: clerktest.Event{Type: eventType, Time: time.Now(), Data: data}.Body(), want: http.StatusNoContent}
	}
	return map[string]refusal{
		"another secret":      {secret: newSecret(), body: updated(func(map[string]any) {}), want: http.StatusUnauthorized},
		"no JSON":             {body: []byte(`{"data":` + canary), want: http.StatusUnprocessableEntity},
		"a time that is none": {body: updated(set("updated_at", canary)), want: http.StatusUnprocessableEntity},
		"an id that is none":  {body: updated(set("id", canary+"@example.com")), want: http.StatusUnprocessableEntity},
		"metadata that is odd": {
			body: edited(clerktest.OrganizationUpdated(other.clerktest()), set("public_metadata", canary)), want: http.StatusNoContent,
		},
		"a role that is none": {
			body: edited(clerktest.MembershipUpdated(m.clerktest(o)), set("role", canary+" @")), want: http.StatusUnprocessableEntity,
		},
		"an id in another case": {body: clerktest.OrganizationUpdated(twin.clerktest()).Body(), want: http.StatusUnprocessableEntity},
		"a member who moves":    {body: clerktest.MembershipUpdated(moved.clerktest(other)).Body(), want: http.StatusUnprocessableEntity},
		"a user without a time": {
			body: clerktest.Event{Type: clerktest.TypeUserCreated, Data: map[string]any{"id": m.user, "first_name": canary}}.Body(),
			want: http.StatusUnprocessableEntity,
		},
		"a user whose address is odd": {
			body: edited(clerktest.UserUpdated((&person{id: clerktest.ID("user", "odd "+m.user), updated: m.updated}).clerktest()),
				set("username", canary+"\x00")), want: http.StatusNoContent,
		},
		"a role with an odd key": {
			body: edited(clerktest.RoleUpdated(clerktest.Role{ID: "role_1", Key: "org:x", UpdatedAt: m.updated}), set("key", canary+" @")),
			want: http.StatusUnprocessableEntity,
		},
		"a message with a code":      ignored("email.created", map[string]any{"id": "ema_1", "to_email_address": canary, "body": canary}),
		"an invitation with its URL": ignored("organizationInvitation.created", map[string]any{"id": "orginv_1", "url": canary}),
	}
}

// swapCase is an id that differs in case alone.
func swapCase(id string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, id[:len(id)-1]) + id[len(id)-1:]
}

// breakClass lets an organization have a class whose expressions fail for it in the most talkative ways.
func (w *world) breakClass(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"leaky-conversion": `${string(int(organization.publicMetadata.note))}`,
		"leaky-label":      `${organization.name}`,
		"leaky-time":       `${string(timestamp(organization.publicMetadata.note))}`,
		"leaky-index":      `${organization.name.split(" ")[int(organization.maxAllowedMemberships)]}`,
		"leaky-substring":  `${organization.name.substring(1000)}`,
		"leaky-missing":    `${organization.publicMetadata.missing}`,
	} {
		class := &v1alpha1.TenantClass{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.TenantClassSpec{
				Match:      fmt.Sprintf("organization.publicMetadata.plan == %q", name),
				Namespaces: []v1alpha1.TenantNamespace{{Name: templateOrg, Labels: map[string]string{"example.com/label": value}}},
			},
		}
		must(t, cluster.Create(t.Context(), class))
		o := &organization{
			id: w.clerk.id("org"), slug: w.clerk.slug(name), name: canary + " (" + name + ")", plan: name, updated: w.clerk.tick(),
		}
		_, _, err := w.replicas[0].sender().Deliver(t.Context(), w.clerk.id("msg"), clerktest.OrganizationCreated(o.clerktest()))
		must(t, err)
		eventually(t, "the failure of "+name, func(ctx context.Context) error {
			object := &v1alpha1.ClerkOrganization{}
			if err := cluster.Get(ctx, client.ObjectKey{Name: v1alpha1.ObjectName("default", o.id)}, object); err != nil {
				return err
			}
			ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Reason != v1alpha1.ReasonExpressionFailed {
				return fmt.Errorf("its conditions are %+v", object.Status.Conditions)
			}
			if logs.holds([]byte(ready.Message)) {
				t.Errorf("the condition quotes what is personal: %s", ready.Message)
			}
			return nil
		})
	}
}

// told is what many can see: the metrics, the Events, and what there is in and of namespaces.
func told(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	families, err := metrics.Registry.Gather()
	must(t, err)
	for _, family := range families {
		all["metric "+family.GetName()] = []byte(family.String())
	}
	for _, list := range []client.ObjectList{&eventsv1.EventList{}, &corev1.EventList{}, &corev1.NamespaceList{}, &rbacv1.RoleBindingList{}} {
		must(t, cluster.List(t.Context(), list))
		raw, err := json.Marshal(list)
		must(t, err)
		all[fmt.Sprintf("%T", list)] = raw
	}
	return all
}
