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

package kubectl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/examples"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

// receiverAt is where the operator of the tests receives deliveries, and shownAt what stands for it in what is compared.
var receiverAt string

const shownAt = "127.0.0.1:8090"

// freeAddress is one on which nobody listens.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// newSendInstance makes a ClerkInstance that hears deliveries and has no effect, and removes all that was heard. No other test sees it.
func newSendInstance(t *testing.T) (secret string) {
	t.Helper()
	const name = "send"
	secret = clerktest.NewSecret()
	named := metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClerkInstanceSpec{Mode: v1alpha1.ModeObserve, Webhook: v1alpha1.ClerkInstanceWebhook{
			SigningSecretRef: v1alpha1.SecretReference{Name: name},
		}},
	}
	if err := errors.Join(cluster.Create(t.Context(), &corev1.Secret{ObjectMeta: named, StringData: map[string]string{"endpoint": secret}}),
		cluster.Create(t.Context(), instance)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		removeHeard[v1alpha1.ClerkMemberList](t, name)
		removeHeard[v1alpha1.ClerkUserList](t, name)
		removeHeard[v1alpha1.ClerkOrganizationList](t, name)
		removeHeard[v1alpha1.ClerkRoleList](t, name)
		removeHeard[v1alpha1.ClerkPermissionList](t, name)
		if err := errors.Join(cluster.Delete(context.Background(), instance),
			cluster.Delete(context.Background(), &corev1.Secret{ObjectMeta: named})); err != nil {
			t.Error(err)
		}
		awaitAnswer(t, secret, http.StatusNotFound)
	})
	awaitAnswer(t, secret, http.StatusNoContent)
	return secret
}

// awaitAnswer waits until the operator's caches have a ClerkInstance and its secret, or have it no more: the next one has the same name.
func awaitAnswer(t *testing.T, secret string, want int) {
	t.Helper()
	sender := clerktest.Sender{URL: "http://" + receiverAt + "/webhooks/send", Secret: secret}
	event := clerktest.Event{Type: "session.created", Time: now, Data: map[string]string{"object": "session", "id": "sess_1"}}
	err := wait.Poll(context.Background(), patience, func(ctx context.Context) error {
		status, answer, err := sender.Deliver(ctx, clerktest.RandomID("msg"), event)
		if err == nil && status != want {
			err = fmt.Errorf("answered %d %s, want %d", status, answer, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// removeHeard removes what was heard of a ClerkInstance, of one kind.
func removeHeard[L any, P interface {
	*L
	client.ObjectList
}](t *testing.T, instance string) {
	t.Helper()
	list := P(new(L))
	if err := cluster.List(context.Background(), list); err != nil {
		t.Error(err)
	}
	err := meta.EachListItem(list, func(item runtime.Object) error {
		object := item.(client.Object)
		if object.(v1alpha1.Mirrored).GetEntity().Instance != instance {
			return nil
		}
		return cluster.Delete(context.Background(), object)
	})
	if err != nil {
		t.Error(err)
	}
}

// sendTo runs send against the receiver of the tests, and writes its address as it is shown. What is sent happens now, by the operator's
// clock: it takes no news that are too old. What is only shown happens when all commands of the tests are run.
func sendTo(t *testing.T, args ...string) result {
	t.Helper()
	clock := time.Now
	if slices.Contains(args, "--dry-run") {
		clock = func() time.Time { return now }
	}
	found := runAt(t, clock, append(append([]string{"send"}, args...), "--url", "http://"+receiverAt+"/webhooks/send")...)
	found.out = strings.ReplaceAll(found.out, receiverAt, shownAt)
	found.errors = strings.ReplaceAll(found.errors, receiverAt, shownAt)
	return found
}

// TestSend sends events to the operator, and looks at what is mirrored of them.
func TestSend(t *testing.T) {
	secret := newSendInstance(t)
	file := filepath.Join(t.TempDir(), "secret")
	other := filepath.Join(t.TempDir(), "other")
	event := filepath.Join(t.TempDir(), "event.json")
	if err := errors.Join(os.WriteFile(file, []byte(secret+"\n"), 0o600), os.WriteFile(other, []byte(clerktest.NewSecret()), 0o600),
		os.WriteFile(event, []byte(`{"type":"moon.risen"}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	const toSend = " --instance send --message-id msg_1"
	for _, test := range []struct {
		name, args string
		hidden     []string
		code       int
	}{
		{"send-nobody-asked", "organization.created --organization lunar" + toSend, nil, 1},
		{"send", "organization.created --organization lunar --yes" + toSend, nil, 0},
		{"send-member", "organizationMembership.created --organization lunar --user lea --role org:admin --yes" + toSend, nil, 0},
		{"send-json", "user.updated --user lea --banned --yes -o json" + toSend, []string{"--secret-file", file}, 0},
		{"send-deleted", "organizationMembership.deleted --organization lunar --user lea -y" + toSend, nil, 0},
		{"send-dry-run", "role.updated --role org:admin --permission org:cargo:load --dry-run" + toSend, nil, 0},
		{"send-refused", "organization.updated --organization lunar --yes" + toSend, []string{"--secret-file", other}, 2},
		{"send-file", "--yes" + toSend, []string{"--file", event}, 0},
		{"send-no-instance", "organization.created --yes", nil, 1},
		{"send-other-instance", "organization.created --instance default --yes", nil, 1},
		{"send-no-rights", "organization.created --yes --as viewer" + toSend, nil, 1},
		{"send-no-type", "moon.risen --yes" + toSend, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := sendTo(t, append(strings.Fields(test.args), test.hidden...)...)
			for _, path := range []string{file, other} { // folders of this run
				found.out, found.errors = strings.ReplaceAll(found.out, path, "secret.txt"), strings.ReplaceAll(found.errors, path, "secret.txt")
			}
			wantGolden(t, test.name, "send "+test.args+" …", found)
			if found.code != test.code {
				t.Errorf("exit code %d, want %d", found.code, test.code)
			}
			if strings.Contains(found.out+found.errors, strings.TrimPrefix(secret, "whsec_")) {
				t.Error("the signing secret is shown")
			}
		})
	}
	member := &v1alpha1.ClerkMember{}
	name := v1alpha1.ObjectName("send", examples.ID("orgmem", "lea in lunar"))
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, member); err != nil || member.Spec.DeletedAt == nil {
		t.Errorf("the membership came and was deleted, and there is %+v (%v)", member.Spec, err)
	}
}

// Of every type there is an example that the operator takes, signed with the Secret's secret or with the environment's.
func TestEveryTypeCanBeSent(t *testing.T) {
	secret := newSendInstance(t)
	t.Setenv("CLERK_SIGNING_SECRET", secret)
	for _, eventType := range examples.Types() {
		found := sendTo(t, eventType, "--instance", "send", "--yes", "-o", "json", "--permission", "org:cargo:load")
		var sent kubectl.Send
		if err := json.Unmarshal([]byte(found.out), &sent); err != nil || found.code != 0 || !sent.Accepted || sent.Status != 204 {
			t.Errorf("%s: %+v (%v)", eventType, found, err)
		}
	}
}

// What stands in the way is said, and what to do.
func TestSendSaysWhatStandsInTheWay(t *testing.T) {
	for _, test := range []struct {
		reason, args, says string
	}{
		{"nothing runs in the cluster here", "send user.created --instance default --yes", "no Service of the operator's can be seen"},
		{"nobody may be misled", "send user.created --instance nowhere --yes", `there is no ClerkInstance "nowhere"`},
		{"the rights are the caller's", "send user.created --instance default --yes --as nobody", "you may not read clerkinstances"},
		{"an address", "send user.created --instance default --yes --url ftp://example.com/webhooks/default", "no address of a web server"},
		{"a type", "send --instance default", "name the type of the event"},
		{"one of both", "send user.created --file x --instance default", "leave the type out"},
	} {
		if found := run(t, strings.Fields(test.args)...); found.code != 1 || !strings.Contains(found.errors, test.says) {
			t.Errorf("%s: %+v, want %q", test.reason, found, test.says)
		}
	}
}
