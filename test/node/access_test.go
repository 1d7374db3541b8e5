//go:build linux

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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// login is a client that acts with a user's id token alone.
func (s *story) login(t *testing.T, name string) (user clerktest.User, as kubernetes.Interface) {
	t.Helper()
	user = clerktest.User{ID: clerktest.ID("user", name), Identifier: name + "@example.com"}
	token, err := s.issuer.token(user.ID, user.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(s.config)
	config.BearerToken, config.QPS = token, -1
	if as, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return user, as
}

// join is what Clerk tells of a user who joined.
func (s *story) join(
	t *testing.T, b *balancer, organization clerktest.Organization, user clerktest.User, role string,
) clerktest.Membership {
	t.Helper()
	membership := clerktest.Membership{
		ID: clerktest.ID("orgmem", user.ID+organization.ID), Role: role, Organization: organization, User: user, UpdatedAt: time.Now(),
	}
	s.tell(t, b, clerktest.MembershipCreated(membership))
	return membership
}

func listPods(ctx context.Context, as kubernetes.Interface, namespace string) error {
	_, err := as.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	return err
}

func write(ctx context.Context, as kubernetes.Interface, namespace string) error {
	_, err := as.CoreV1().ConfigMaps(namespace).Create(ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "note-"}}, metav1.CreateOptions{})
	return err
}

// refused turns what has to be refused around: nil when it is.
func refused(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return fmt.Errorf("not refused: %w", err)
}

func access(t *testing.T, s *story) {
	t.Helper()
	if s.issuer == nil {
		t.Skip("skipped: the API server of KUBECONFIG cannot be made to trust the test's identity provider")
	}
	ctx, b := t.Context(), newBalancer(t, s)
	s.found(t, b, "elsewhere", nil)
	acme := s.found(t, b, "acme", nil)
	alice, asAlice := s.login(t, "alice")
	bob, asBob := s.login(t, "bob")
	// The API server looks for the keys of an issuer every few seconds until it has them.
	eventually(t, "the API server to know the issuer", func(ctx context.Context) error {
		review, err := asAlice.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err == nil && review.Status.UserInfo.Username != "clerk:"+alice.ID {
			t.Fatalf("the token names %q, want clerk:%s", review.Status.UserInfo.Username, alice.ID)
		}
		return err
	})
	say("the API server takes the id token for the user clerk:%s", alice.ID)
	for _, as := range []kubernetes.Interface{asAlice, asBob} {
		if err := refused(listPods(ctx, as, "org-acme")); err != nil {
			t.Fatalf("before the membership: %v", err)
		}
	}
	say("before the membership, the token is refused in org-acme")

	asWritten := s.documentedLogin(t, alice)
	membership := s.join(t, b, acme, alice, "org:admin")
	say("org:admin: the same token writes in org-acme %s after the delivery was answered",
		eventually(t, "alice's access", func(ctx context.Context) error { return write(ctx, asAlice, "org-acme") }))
	asWritten(t)
	s.join(t, b, acme, bob, "org:member")
	say("org:member: another's token reads there after %s",
		eventually(t, "bob's access", func(ctx context.Context) error { return listPods(ctx, asBob, "org-acme") }))
	if err := refused(write(ctx, asBob, "org-acme")); err != nil {
		t.Errorf("a member writes: %v", err)
	}
	_, err := asBob.CoreV1().Secrets("org-acme").List(ctx, metav1.ListOptions{})
	if err := refused(err); err != nil {
		t.Errorf("a member reads Secrets: %v", err)
	}
	say("org:member may not write there, nor read Secrets")
	for _, elsewhere := range []string{"org-elsewhere", namespace, "kube-system", "default"} {
		if err := refused(listPods(ctx, asAlice, elsewhere)); err != nil {
			t.Errorf("in %s: %v", elsewhere, err)
		}
	}
	_, err = asAlice.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err := refused(err); err != nil {
		t.Errorf("lists namespaces: %v", err)
	}
	say("org:admin may do nothing in org-elsewhere, %s, kube-system and default, nor in the cluster as a whole", namespace)

	me := s.forwardMe(t)
	me.tells(t, s, alice, organizationOf(acme, "org:admin", "admin"))
	me.tells(t, s, bob, organizationOf(acme, "org:member", "view"))
	me.refuses(t, s, alice)

	s.tell(t, b, clerktest.MembershipDeleted(membership, time.Now()))
	say("the membership is deleted: the token is refused %s after the delivery was answered",
		eventually(t, "alice's access to end", func(ctx context.Context) error { return refused(listPods(ctx, asAlice, "org-acme")) }))
	if err := listPods(ctx, asBob, "org-acme"); err != nil {
		t.Errorf("the other member lost access too: %v", err)
	}
	me.tells(t, s, alice)
	me.tells(t, s, bob, organizationOf(acme, "org:member", "view"))
}

// documentedLogin sets up a kubeconfig by the commands of docs/oidc.md, as they are written, and returns what asks as that person. A
// program that prints the token, after a look at its arguments, is in the place of kubelogin.
func (s *story) documentedLogin(t *testing.T, user clerktest.User) func(*testing.T) {
	t.Helper()
	commands, err := s.issuer.documented(s.root, "kubectl config set-credentials")
	if err != nil {
		t.Fatal(err)
	}
	checks, err := s.issuer.documented(s.root, "kubectl auth whoami")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.issuer.token(user.ID, user.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	plugin := fmt.Sprintf(`#!/bin/sh
case "$*" in
"get-token --oidc-issuer-url=%s --oidc-client-id=%s "*) ;;
*) echo "unexpected arguments: $*" >&2; exit 1 ;;
esac
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
`, s.issuer.url, oauthClient, token)
	if err := os.WriteFile(filepath.Join(folder, "kubectl-oidc_login"), []byte(plugin), 0o700); err != nil {
		t.Fatal(err)
	}
	cluster := clientcmdapi.NewConfig()
	cluster.Clusters[clusterName] = &clientcmdapi.Cluster{Server: s.config.Host, CertificateAuthorityData: s.config.CAData}
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := clientcmd.WriteToFile(*cluster, kubeconfig); err != nil {
		t.Fatal(err)
	}
	shell := func(t *testing.T, script string) string {
		t.Helper()
		script = strings.TrimPrefix(strings.ReplaceAll("\n"+script, "\n$ ", "\n"), "\n")
		command := exec.CommandContext(t.Context(), "/bin/sh", "-ec", script)
		command.Env = []string{
			"PATH=" + folder + ":" + filepath.Join(s.root, "bin", "k8s") + ":" + os.Getenv("PATH"),
			"HOME=" + folder, "KUBECONFIG=" + kubeconfig, "KUBERC=off",
		}
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("docs/oidc.md: %v\n%s\n%s", err, script, output)
		}
		return string(output)
	}
	shell(t, commands)
	return func(t *testing.T) {
		t.Helper()
		if output := shell(t, checks); !strings.Contains(output, "clerk:"+user.ID) {
			t.Errorf("kubectl auth whoami does not name clerk:%s:\n%s", user.ID, output)
		}
		say("the commands of docs/oidc.md, as they are written, make a kubeconfig with which kubectl is that user")
	}
}
