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
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// A Secret with a token opens the door to whoever has read it. When somebody leaves, all of them go, and no other Secret.
func TestSecretsWithTokensGoWhenSomebodyLeaves(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t)
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	namespace := tn.namespace()
	asJane := as(t, subjectOf(jane))
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	held := tokenSecret(namespace, "held")
	held.Finalizers = []string{"example.com/hold"}
	plain := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}}
	made := []client.Object{held, plain}
	for number := range 10 { // more than two pages
		made = append(made, tokenSecret(namespace, fmt.Sprintf("token-%d", number)))
	}
	for _, object := range made {
		must(t, asJane.Create(t.Context(), object))
	}
	tn.setDerivedAccess(v1alpha1.DerivedAccessCapped, "Capped")
	wantReady(t, organization)
	loseAccess(t, tn, jane)
	eventually(t, "no Secrets with tokens", func(ctx context.Context) error {
		var secrets corev1.SecretList
		if err := cluster.List(ctx, &secrets, client.InNamespace(namespace)); err != nil {
			return err
		}
		for at := range secrets.Items {
			secret := &secrets.Items[at]
			if secret.Type == corev1.SecretTypeServiceAccountToken && secret.DeletionTimestamp == nil {
				return fmt.Errorf("there is %s", secret.Name)
			}
		}
		return nil
	})
	must(t, cluster.Get(t.Context(), client.ObjectKeyFromObject(plain), plain))
	edit(t, held, func(s *corev1.Secret) { s.Finalizers = nil })
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionTrue, v1alpha1.ReasonRemoved)
	wantRemovedSince(t, organization, "Secrets with tokens deleted: 11, ServiceAccounts made again: 0")
	wantEvent(t, organization.Name, "DerivedAccessRemoved")
}

// With Recycle, no token of a ServiceAccount that was there when somebody left opens anything; what it is and what it may do stays.
func TestServiceAccountsAreMadeAgainWhenSomebodyLeaves(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, derivedAccess(v1alpha1.DerivedAccessCapped), func(class *v1alpha1.TenantClass) {
		class.Spec.ServiceAccounts = v1alpha1.ServiceAccountsRecycled
	})
	organization := tn.createOrganization()
	jane, joe := tn.join("org:admin"), tn.join("org:admin")
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjectOf(jane), subjectOf(joe))
	account := func(name string) *corev1.ServiceAccount {
		return &corev1.ServiceAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
				Labels: map[string]string{"app": name}, Annotations: map[string]string{"example.com/role": name}},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}, AutomountServiceAccountToken: new(false),
		}
	}
	before := map[string]types.UID{}
	held := account("held")
	held.Finalizers = []string{"example.com/hold"}
	made := []*corev1.ServiceAccount{held}
	for number := range 10 { // more than two pages
		made = append(made, account(fmt.Sprintf("robot-%d", number)))
	}
	for _, one := range made {
		must(t, as(t, subjectOf(jane)).Create(t.Context(), one))
		before[one.Name] = one.UID
	}
	// What a crash left in the middle: the copy is there, the ServiceAccount is gone.
	lost := account("lost")
	lost.UID = "6f0f4bd0-0000-4000-8000-000000000000"
	copied := lost.DeepCopy()
	sum := fnv.New64a()
	sum.Write([]byte("lost/" + lost.UID))
	copied.UID, copied.Name = "", fmt.Sprintf("clerk-operator-recycled-%016x", sum.Sum64())
	copied.Labels[v1alpha1.RecycledLabel], copied.Annotations[v1alpha1.RecycledAnnotation] = v1alpha1.ManagedBy, "lost/"+string(lost.UID)
	must(t, cluster.Create(t.Context(), copied))
	// Whoever takes the name of a copy beforehand keeps no token by it.
	squatted := fnv.New64a()
	squatted.Write([]byte("held/" + held.UID))
	squatter := account(fmt.Sprintf("clerk-operator-recycled-%016x", squatted.Sum64()))
	must(t, as(t, subjectOf(jane)).Create(t.Context(), squatter))
	before[squatter.Name] = squatter.UID
	before["lost"] = ""
	if err := as(t, subjectOf(jane)).Create(t.Context(), copied.DeepCopy()); !apierrors.IsForbidden(err) {
		t.Errorf("a member makes what looks like a copy: %v", err)
	}
	loseAccess(t, tn, jane)
	var again map[string]types.UID
	eventually(t, "other ServiceAccounts of the same names", func(ctx context.Context) error {
		var accounts corev1.ServiceAccountList
		if err := cluster.List(ctx, &accounts, client.InNamespace(namespace)); err != nil {
			return err
		}
		again = map[string]types.UID{}
		for at := range accounts.Items {
			have := &accounts.Items[at]
			uid, known := before[have.Name]
			switch {
			case have.Name == "default":
			case !known || have.UID == uid || have.DeletionTimestamp != nil:
				return fmt.Errorf("%s is there", have.Name)
			case have.Labels["app"] != have.Name || have.Annotations["example.com/role"] != have.Name || len(have.ImagePullSecrets) != 1 ||
				have.AutomountServiceAccountToken == nil || len(have.Labels) != 1 || len(have.Annotations) != 2:
				return fmt.Errorf("%s is not as it was: %v", have.Name, have)
			default:
				again[have.Name] = have.UID
			}
		}
		if len(again) != len(before) {
			return fmt.Errorf("%d of %d are there again", len(again), len(before))
		}
		return nil
	})
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionTrue, v1alpha1.ReasonRemoved)
	wantSubjects(t, namespace, "admin", subjectOf(joe))

	// Another look at the same people, as after a start, makes none again: a RoleBinding shows that it is over.
	must(t, cluster.Create(t.Context(), bindingTo(namespace, "after", userNamed(subjectOf(jane)))))
	edit(t, &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: tn.class}}, func(class *v1alpha1.TenantClass) {
		class.Spec.Namespaces = append(class.Spec.Namespaces, v1alpha1.TenantNamespace{Name: namespace + "-more"})
	})
	wantSubjects(t, namespace, "view")
	wantRemovedSince(t, organization, "RoleBindings deleted: 1,") // and the new namespace has a new default
	for name, uid := range again {
		if have := get(t, &corev1.ServiceAccount{}, namespace, name); have.UID != uid {
			t.Errorf("%s was made once more", name)
		}
	}
}

// Whoever asks for tokens all the time, each with the last one, gets none that lives on: an API server believes a token for a while after its
// ServiceAccount is gone, and two ServiceAccounts could give each other the next one.
func TestTokensEndForWhoeverAsksAllTheTime(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, derivedAccess(v1alpha1.DerivedAccessCapped), func(class *v1alpha1.TenantClass) {
		class.Spec.ServiceAccounts = v1alpha1.ServiceAccountsRecycled
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	names := []string{"one", "two"}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ask"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}},
	}}
	binding := bindingTo(namespace, "ask")
	binding.RoleRef.Kind, binding.RoleRef.Name = "Role", role.Name
	must(t, cluster.Create(t.Context(), role))
	for _, name := range names {
		must(t, cluster.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name})
	}
	must(t, cluster.Create(t.Context(), binding))
	// Tokens that are used all the time are believed the longest: they are kept, and a new one takes the place of one that opens nothing.
	var tokens []string
	ask := func(ctx context.Context, c client.Client) (isKnown bool) {
		for _, name := range names {
			token, err := tokenOf(ctx, c, namespace, name)
			if apierrors.IsUnauthorized(err) {
				return false
			}
			if err == nil && len(tokens) < 6 {
				tokens = append(tokens, token)
			}
		}
		return true
	}
	askByAll := func(ctx context.Context) {
		for _, token := range slices.Clone(tokens) {
			if !ask(ctx, by(t, token)) {
				tokens = slices.DeleteFunc(tokens, func(other string) bool { return other == token })
			}
		}
	}
	eventually(t, "tokens, and others by these", func(ctx context.Context) error {
		_ = ask(ctx, as(t, subjectOf(jane)))
		askByAll(ctx)
		if len(tokens) < 6 {
			return fmt.Errorf("there are %d", len(tokens))
		}
		return nil
	})
	loseAccess(t, tn, jane)
	eventually(t, "no token that opens anything", func(ctx context.Context) error {
		askByAll(ctx)
		if len(tokens) > 0 {
			return fmt.Errorf("%d do", len(tokens))
		}
		return nil
	})
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionTrue, v1alpha1.ReasonRemoved)
	joe := tn.join("org:admin") // whoever has access gets tokens again
	eventually(t, "a token again", func(ctx context.Context) error {
		_, err := tokenOf(ctx, as(t, subjectOf(joe)), namespace, "one")
		return err
	})
}

// tokenOf asks for a token of a ServiceAccount.
func tokenOf(ctx context.Context, c client.Client, namespace, name string) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(600))}}
	err := c.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, request)
	return request.Status.Token, err
}

// by is a client with a token.
func by(t *testing.T, token string) client.Client {
	t.Helper()
	config := rest.AnonymousClientConfig(plane.Config())
	config.BearerToken = token
	made, err := client.New(config, client.Options{Scheme: cluster.Scheme(), Mapper: cluster.RESTMapper()})
	must(t, err)
	return made
}

// wantRemovedSince waits for what the condition says of the last sweep.
func wantRemovedSince(t *testing.T, organization *v1alpha1.ClerkOrganization, says string) {
	t.Helper()
	eventually(t, "what was taken away", func(ctx context.Context) error {
		var have v1alpha1.ClerkOrganization
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(organization), &have); err != nil {
			return err
		}
		said := meta.FindStatusCondition(have.Status.Conditions, v1alpha1.ConditionDerivedAccessRemoved)
		if said == nil || !strings.Contains(said.Message, says) {
			return fmt.Errorf("it says %v", said)
		}
		return nil
	})
}
