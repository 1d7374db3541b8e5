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
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func newInstance(t *testing.T, username string) *v1alpha1.ClerkInstance {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(uniqueID("instance"), "_", "-"))
	must(t, createInstance(t.Context(), name, username))
	return get(t, &v1alpha1.ClerkInstance{}, "", name)
}

func TestAnInstanceSaysWhatItsSecretLacks(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "clerk:${user.id}")
	wantReady(t, instance)
	secret := get(t, &corev1.Secret{}, operatorNamespace, instance.Spec.Webhook.SigningSecretRef.Name)
	tests := []struct{ value, says string }{
		{"", "is empty"}, {"whsec_", "too short"}, {"whsec_c2hvcnQ=", "too short"}, {"whsec_!!!", "base64"},
	}
	for _, test := range tests {
		edit(t, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"endpoint": []byte(test.value)} })
		wantStalled(t, instance, v1alpha1.ReasonSecretUnusable, test.says)
	}
	edit(t, secret, func(s *corev1.Secret) {
		s.Data = map[string][]byte{"old": []byte("whsec_"), "new": []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")}
	})
	wantReady(t, instance)
	must(t, cluster.Delete(t.Context(), secret))
	wantStalled(t, instance, v1alpha1.ReasonSecretNotFound, secret.Name)
}

func TestABrokenUsernameAddsNoGrantAndStillTakesThemAway(t *testing.T) {
	t.Parallel()
	instance := newInstance(t, "first:${user.id}")
	tn := newTenancy(t)
	of := func(m *v1alpha1.ClerkMember) { m.Spec.Instance = instance.Name }
	tn.createOrganizationOf(instance.Name)
	jane, joe := tn.join("org:admin", of), tn.join("org:member", of)
	wantSubjects(t, tn.namespace(), "admin", "first:"+jane.Spec.UserID)
	wantCondition(t, joe, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionTrue, v1alpha1.ReasonBound)

	edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Username = "${user.email}" })
	wantStalled(t, instance, v1alpha1.ReasonUsernameInvalid, "email")
	organization := get(t, &v1alpha1.ClerkOrganization{}, "", v1alpha1.ObjectName(instance.Name, tn.id))
	wantStalled(t, organization, v1alpha1.ReasonInstanceInvalid, instance.Name)
	late := tn.join("org:admin", of)
	wantCondition(t, late, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonInstanceInvalid)
	tn.leave(joe)
	wantSubjects(t, tn.namespace(), "view")
	wantSubjects(t, tn.namespace(), "admin", "first:"+jane.Spec.UserID)

	edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Username = "second:${user.id}" })
	wantReady(t, organization)
	wantSubjects(t, tn.namespace(), "admin", "second:"+jane.Spec.UserID, "second:"+late.Spec.UserID)

	edit(t, instance, func(i *v1alpha1.ClerkInstance) { i.Spec.Username = "system:${user.id}" })
	wantSubjects(t, tn.namespace(), "admin")
	wantCondition(t, jane, v1alpha1.ConditionBound, metav1.ConditionFalse, v1alpha1.ReasonUsernameRefused)

	must(t, cluster.Delete(t.Context(), instance))
	wantStalled(t, organization, v1alpha1.ReasonInstanceNotFound, instance.Name)
}

// createOrganizationOf creates the organization as another ClerkInstance speaks of it.
func (tn *tenancy) createOrganizationOf(instance string) {
	tn.t.Helper()
	tn.instance = instance
	must(tn.t, cluster.Create(tn.t.Context(), &v1alpha1.ClerkOrganization{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ObjectName(instance, tn.id)},
		Spec: v1alpha1.ClerkOrganizationSpec{
			Entity:         v1alpha1.Entity{Instance: instance, ID: tn.id, UpdatedAt: tn.tick()},
			Slug:           tn.slug,
			PublicMetadata: tn.metadata(),
		},
	}))
}
