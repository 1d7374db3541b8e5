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

package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// robot is the ServiceAccount that a member makes.
const robot = "robot"

// withToken is a client that has a token alone.
func (s *story) withToken(t *testing.T, token string) kubernetes.Interface {
	t.Helper()
	config := rest.AnonymousClientConfig(s.config)
	config.BearerToken, config.QPS = token, -1
	as, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// unauthorized turns what has to be refused around: nil when the API server does not know the token.
func unauthorized(err error) error {
	if apierrors.IsUnauthorized(err) {
		return nil
	}
	return fmt.Errorf("the token is still taken: %w", err)
}

// robotToken asks for a token of the robot.
func robotToken(ctx context.Context, as kubernetes.Interface, own string, seconds int64) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	made, err := as.CoreV1().ServiceAccounts(own).CreateToken(ctx, robot, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return made.Status.Token, nil
}

// robotSecret is a Secret that the controller manager puts a token of the robot into.
func robotSecret() *corev1.Secret {
	return &corev1.Secret{Type: corev1.SecretTypeServiceAccountToken, ObjectMeta: metav1.ObjectMeta{
		Name: robot, Annotations: map[string]string{corev1.ServiceAccountNameKey: robot},
	}}
}

// viewBy lets subjects look at a namespace.
func viewBy(name string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}, Subjects: subjects,
	}
}

// derivedAccess has a member make whatever outlives a membership, and leave: then none of it opens anything.
func derivedAccess(t *testing.T, s *story) {
	t.Helper()
	if s.issuer == nil {
		t.Skip("skipped: the API server of KUBECONFIG cannot be made to trust the test's identity provider")
	}
	ctx, b, own := t.Context(), newBalancer(t, s), "org-bounded"
	organization := s.found(t, b, "bounded", map[string]string{"plan": "bounded"})
	dave, asDave := s.login(t, "dave")
	membership := s.join(t, b, organization, dave, "org:admin")
	eventually(t, "dave's access", func(ctx context.Context) error { return write(ctx, asDave, own) })

	create := metav1.CreateOptions{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: robot, Labels: map[string]string{"app": robot},
		Annotations: map[string]string{v1alpha1.CreatedByAnnotation: "clerk:somebody-else"}}}
	made, err := asDave.CoreV1().ServiceAccounts(own).Create(ctx, account, create)
	_, bound := asDave.RbacV1().RoleBindings(own).Create(ctx,
		viewBy(robot, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: robot}), create)
	if err := errors.Join(err, bound); err != nil {
		t.Fatalf("a ServiceAccount with access of its own: %v", err)
	}
	if maker := made.Annotations[v1alpha1.CreatedByAnnotation]; maker != "clerk:"+dave.ID {
		t.Errorf("the ServiceAccount says that %q made it", maker)
	}
	say("the API server records that dave made a ServiceAccount, whatever he says himself")
	_, friend := asDave.RbacV1().RoleBindings(own).Create(ctx,
		viewBy("friend", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "friend"}), create)
	_, secret := asDave.CoreV1().Secrets(own).Create(ctx, robotSecret(), create)
	_, hour := robotToken(ctx, asDave, own, 3600)
	for what, err := range map[string]error{"a RoleBinding for a friend": friend, "a Secret with a token": secret, "a token for an hour": hour} {
		if err := s.guarded(err); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	say("an admin of an organization whose class has derivedAccess: Capped is refused a RoleBinding for a friend, a Secret with a token, " +
		"and a token for an hour")

	token, err := robotToken(ctx, asDave, own, 600)
	if err != nil {
		t.Fatalf("a token for 10 minutes: %v", err)
	}
	// What was there before the class said so, an administrator makes here.
	_, err = s.clientset.CoreV1().Secrets(own).Create(ctx, robotSecret(), create)
	_, bound = s.clientset.RbacV1().RoleBindings(own).Create(ctx,
		viewBy("before", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:" + dave.ID}), create)
	if err := errors.Join(err, bound); err != nil {
		t.Fatal(err)
	}
	var lasting string
	eventually(t, "the token in the Secret", func(ctx context.Context) error {
		made, err := s.clientset.CoreV1().Secrets(own).Get(ctx, robot, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if lasting = string(made.Data[corev1.ServiceAccountTokenKey]); lasting == "" {
			return errors.New("there is none yet")
		}
		return nil
	})
	asRobot, asSecret := s.withToken(t, token), s.withToken(t, lasting)
	for what, as := range map[string]kubernetes.Interface{"the token for 10 minutes": asRobot, "the Secret's token": asSecret} {
		eventually(t, what, func(ctx context.Context) error { return listPods(ctx, as, own) })
	}
	say("a token for 10 minutes, a Secret's token and a RoleBinding from before open the namespace")

	s.tell(t, b, clerktest.MembershipDeleted(membership, time.Now()))
	say("dave leaves: his id token is refused %s after the delivery was answered, also by the RoleBinding from before",
		eventually(t, "dave's access to end", func(ctx context.Context) error { return refused(listPods(ctx, asDave, own)) }))
	eventually(t, "the Secret to go", func(ctx context.Context) error {
		_, err := s.clientset.CoreV1().Secrets(own).Get(ctx, robot, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the Secret is there: %w", err)
		}
		return nil
	})
	// The API server believes a token for 10 seconds after it last looked.
	say("the Secret's token opens nothing %s later", eventually(t, "the Secret's token to end",
		func(ctx context.Context) error { return unauthorized(listPods(ctx, asSecret, own)) }))
	say("the token for 10 minutes opens nothing %s later", eventually(t, "the token to end",
		func(ctx context.Context) error { return unauthorized(listPods(ctx, asRobot, own)) }))
	again, err := s.clientset.CoreV1().ServiceAccounts(own).Get(ctx, robot, metav1.GetOptions{})
	if err != nil || again.Labels["app"] != robot || again.Annotations[v1alpha1.CreatedByAnnotation] != "clerk:"+dave.ID {
		t.Fatalf("the ServiceAccount is not there as it was: %v (%v)", again, err)
	}
	fresh, err := robotToken(ctx, s.clientset, own, 600)
	if err != nil {
		t.Fatal(err)
	}
	if err := listPods(ctx, s.withToken(t, fresh), own); err != nil {
		t.Errorf("a new token of the ServiceAccount: %v", err)
	}
	say("the ServiceAccount is there again, and has the access that it had")
}
