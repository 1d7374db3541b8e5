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

package controller_test

import (
	"context"
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
	"github.com/clerk-operator/clerk-operator/test/clerkapi"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// TestTheOperatorResyncs as a whole: from Clerk's API to a RoleBinding, at the creation of a ClerkInstance, on demand, and when the key is
// rotated, as the ServiceAccount with no more rights than it needs.
func TestTheOperatorResyncs(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	name := "api-" + tn.class
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: "sk_test_1"})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	organization := clerktest.Organization{
		ID: tn.id, Name: "Test", Slug: tn.slug, PublicMetadata: map[string]string{"test": tn.id}, UpdatedAt: time.Now().Add(-time.Hour),
	}
	jane := clerktest.Membership{
		ID: uniqueID("orgmem"), Role: "org:member", Organization: organization, UpdatedAt: organization.UpdatedAt,
		User: clerktest.User{ID: uniqueID("user"), UpdatedAt: organization.UpdatedAt},
	}
	api.SetOrganization(organization)
	api.SetMembership(jane)
	api.SetUser(jane.User)

	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorNamespace, Name: name, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		StringData: map[string]string{"key": "sk_test_0"},
	}
	must(t, cluster.Create(t.Context(), secret))
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClerkInstanceSpec{API: v1alpha1.ClerkInstanceAPI{
			SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "key"}, URL: server.URL + clerkapi.Prefix,
		}},
	}
	must(t, cluster.Create(t.Context(), instance))
	wantSynced(t, instance, metav1.ConditionFalse, v1alpha1.ReasonAPIRefused)
	edit(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}}, func(s *corev1.Secret) {
		s.Data["key"] = []byte("sk_test_1")
	})
	wantSynced(t, instance, metav1.ConditionTrue, v1alpha1.ReasonSynced)
	wantReady(t, instance)
	subject := "clerk:" + jane.User.ID
	wantSubjects(t, tn.namespace(), "view", subject)

	// Nobody tells of her leaving.
	api.DeleteMembership(jane.ID)
	edit(t, instance, func(i *v1alpha1.ClerkInstance) {
		metav1.SetMetaDataAnnotation(&i.ObjectMeta, v1alpha1.ResyncAnnotation, "now")
	})
	wantSubjects(t, tn.namespace(), "view")
	eventually(t, "the status tells of the drift", func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(instance), instance); err != nil {
			return err
		}
		for _, kind := range instance.Status.LastResync.Kinds {
			if kind.Kind == "ClerkMember" && *kind.Deleted == 1 && instance.Status.LastResync.RequestedAt == "now" {
				return nil
			}
		}
		return fmt.Errorf("have %+v", instance.Status.LastResync)
	})
}

func TestANamespaceIsNotDeletedWhileClerkHasTheOrganization(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, func(class *v1alpha1.TenantClass) {
		class.Spec.Deletion = &v1alpha1.DeletionRule{Policy: v1alpha1.DeletionDelete, After: &metav1.Duration{}}
	})
	name := "asked-" + tn.class
	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: "sk_test_1"})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	api.SetOrganization(clerktest.Organization{
		ID: tn.id, Name: "Test", Slug: tn.slug, PublicMetadata: map[string]string{"test": tn.id}, UpdatedAt: time.Now().Add(-time.Hour),
	})
	must(t, cluster.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: operatorNamespace, Name: name, Labels: map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue},
		},
		StringData: map[string]string{"key": "sk_test_1"},
	}))
	instance := &v1alpha1.ClerkInstance{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClerkInstanceSpec{API: v1alpha1.ClerkInstanceAPI{
			SecretKeyRef: v1alpha1.SecretKeyReference{Name: name, Key: "key"}, URL: server.URL + clerkapi.Prefix,
		}},
	}
	must(t, cluster.Create(t.Context(), instance))
	wantSynced(t, instance, metav1.ConditionTrue, v1alpha1.ReasonSynced)
	tn.instance = name
	organization := get(t, &v1alpha1.ClerkOrganization{}, "", v1alpha1.ObjectName(name, tn.id))
	wantReady(t, organization)

	// Somebody who has the signing secret says that it is deleted.
	tn.deleteOrganization()
	wantCondition(t, organization, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
	namespace := get(t, &corev1.Namespace{}, "", tn.namespace())
	if message := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReady).Message; namespace.DeletionTimestamp != nil ||
		!strings.Contains(message, "Clerk still has the organization") {
		t.Errorf("the namespace is deleted at %v, and the condition says %q", namespace.DeletionTimestamp, message)
	}
	api.DeleteOrganization(tn.id)
	wantGone(t, namespace)
}

func wantSynced(t *testing.T, instance *v1alpha1.ClerkInstance, status metav1.ConditionStatus, reason string) {
	t.Helper()
	eventually(t, "Synced of "+instance.Name, func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(instance), instance); err != nil {
			return err
		}
		synced := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionSynced)
		if synced == nil || synced.Status != status || synced.Reason != reason {
			return fmt.Errorf("want %s (%s), have %+v", status, reason, instance.Status.Conditions)
		}
		return nil
	})
}
