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
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// TestResyncAndRelease asks for resyncs of a Clerk that is played, and releases a removal that is held.
func TestResyncAndRelease(t *testing.T) {
	name := fmt.Sprintf("api%d", serial.Add(1))
	api, member := newClerk(t, name)
	command(t, kubectl.ExitYes, "Complete", "resync", name, "--wait")
	command(t, kubectl.ExitYes, "Nothing is held", "prune", "show", name)

	api.DeleteMembership(member)
	command(t, kubectl.ExitNo, "PruneHeld", "resync", name, "--wait")
	command(t, kubectl.ExitNo, member, "prune", "show", name)
	var held kubectl.Prune
	if err := json.Unmarshal([]byte(run(t, "prune", "show", name, "-o", "json").out), &held); err != nil || len(held.Held) != 1 {
		t.Fatal(held, err)
	}
	command(t, kubectl.ExitError, "nothing is held under the name", "prune", "release", "another")
	command(t, kubectl.ExitError, "you may not patch", "prune", "release", held.Held[0].Name, "--as", "viewer")
	command(t, kubectl.ExitError, "you may not patch", "resync", name, "--as", "viewer")
	command(t, kubectl.ExitYes, "released", "prune", "release", held.Held[0].Name)
	command(t, kubectl.ExitYes, "Complete", "resync", name, "--wait")
	command(t, kubectl.ExitYes, "Nothing is held", "prune", "show", name)
	command(t, kubectl.ExitNo, "the membership was deleted in Clerk", "why", "user_"+name, "--organization", "org_"+name)
	command(t, kubectl.ExitYes, "was asked for", "resync", name)

	command(t, kubectl.ExitError, "has no API key", "resync", "default")
	command(t, kubectl.ExitError, `no ClerkInstance "nowhere"`, "resync", "nowhere")
	command(t, kubectl.ExitError, "name one of", "resync")
}

// command runs a command and looks at its exit code and at something that it says.
func command(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	found := run(t, args...)
	if found.code != code || !strings.Contains(found.out+found.errors, says) {
		t.Fatalf("%v: exit code %d, want %d and %q:\n%s%s", args, found.code, code, says, found.out, found.errors)
	}
}

// newClerk plays a Clerk with one membership, and waits until a ClerkInstance has read it which lets nothing be removed.
func newClerk(t *testing.T, name string) (api *clerkapi.API, member string) {
	t.Helper()
	api = clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: "sk_test_1"})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	before := time.Now().Add(-time.Hour)
	organization := clerktest.Organization{ID: "org_" + name, Name: "Test", Slug: name, UpdatedAt: before}
	membership := clerktest.Membership{
		ID: "orgmem_" + name, Role: "org:member", Organization: organization, UpdatedAt: before,
		User: clerktest.User{ID: "user_" + name, UpdatedAt: before},
	}
	api.SetOrganization(organization)
	api.SetMembership(membership)
	api.SetUser(membership.User)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorNamespace, Name: name, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		StringData: map[string]string{"key": "sk_test_1"},
	}
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClerkInstanceSpec{API: v1alpha1.ClerkInstanceAPI{
			SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "key"}, URL: server.URL + clerkapi.Prefix,
			Prune: v1alpha1.ClerkInstancePrune{MaxCount: new(int32(0))},
		}},
	}
	if err := errors.Join(cluster.Create(t.Context(), secret), cluster.Create(t.Context(), instance)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forget(t, instance) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !meta.IsStatusConditionTrue(instance.Status.Conditions, v1alpha1.ConditionSynced) {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(instance), instance); err != nil {
			t.Fatalf("not synced: %v", err)
		}
		time.Sleep(pollInterval)
	}
	return api, membership.ID
}

// forget removes a ClerkInstance and what is mirrored for it, so that the other tests do not see it.
func forget(t *testing.T, instance *v1alpha1.ClerkInstance) {
	t.Helper()
	if err := cluster.Delete(context.Background(), instance); err != nil {
		t.Error(err)
	}
	suffix := instance.Name
	for _, object := range []client.Object{
		&v1alpha1.ClerkMember{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(suffix, "orgmem_"+suffix)}},
		&v1alpha1.ClerkUser{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(suffix, "user_"+suffix)}},
		&v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(suffix, "org_"+suffix)}},
	} {
		if err := client.IgnoreNotFound(cluster.Delete(context.Background(), object)); err != nil {
			t.Error(err)
		}
	}
}
