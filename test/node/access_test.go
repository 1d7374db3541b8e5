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
	networkingv1 "k8s.io/api/networking/v1"
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
func (s *story) join(t *testing.T, b *balancer, organization clerktest.Organization, user clerktest.User, role string) clerktest.Membership {
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
	if _, err := asBob.CoreV1().Secrets("org-acme").List(ctx, metav1.ListOptions{}); refused(err) != nil {
		t.Errorf("a member reads Secrets: %v", err)
	}
	say("org:member may not write there, nor read Secrets")
	for _, elsewhere := range []string{"org-elsewhere", namespace, "kube-system", "default"} {
		if err := refused(listPods(ctx, asAlice, elsewhere)); err != nil {
			t.Errorf("in %s: %v", elsewhere, err)
		}
	}
	if _, err := asAlice.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); refused(err) != nil {
		t.Errorf("lists namespaces: %v", err)
	}
	say("org:admin may do nothing in org-elsewhere, %s, kube-system and default, nor in the cluster as a whole", namespace)

	s.tell(t, b, clerktest.MembershipDeleted(membership, time.Now()))
	say("the membership is deleted: the token is refused %s after the delivery was answered",
		eventually(t, "alice's access to end", func(ctx context.Context) error { return refused(listPods(ctx, asAlice, "org-acme")) }))
	if err := listPods(ctx, asBob, "org-acme"); err != nil {
		t.Errorf("the other member lost access too: %v", err)
	}
}

// documentedLogin sets up a kubeconfig by the commands of docs/oidc.md, as they are written, and returns what asks as that person. A program
// that prints the token, after a look at its arguments, is in the place of kubelogin.
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
	//nolint:gosec // It has to be executable.
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

// tenantPod is a pod that the restricted pod security standard allows.
func (s *story) tenantPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

func limits(t *testing.T, s *story) {
	ctx, b := t.Context(), newBalancer(t, s)
	s.found(t, b, "limited", map[string]string{"plan": "limited"})
	as, own := s.clientset, "org-limited"
	if s.issuer != nil {
		carol, asCarol := s.login(t, "carol")
		s.join(t, b, s.organizations[clerktest.ID("org", "limited")].last, carol, "org:admin")
		eventually(t, "carol's access", func(ctx context.Context) error { return listPods(ctx, asCarol, own) })
		as = asCarol
		say("what follows is done by a tenant's admin, with an id token")
	}
	var labelled corev1.Namespace
	s.get(t, &labelled, "", own)
	if got := labelled.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("the namespace enforces %q, want restricted", got)
	}
	privileged := s.tenantPod("privileged")
	privileged.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	_, err := as.CoreV1().Pods(own).Create(ctx, privileged, metav1.CreateOptions{})
	if refused(err) != nil {
		t.Errorf("a privileged pod: %v", err)
	}
	say("a privileged pod is refused: %v", err)

	made, err := as.CoreV1().Pods(own).Create(ctx, s.tenantPod("first"), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a pod within the limits: %v", err)
	}
	if got := made.Spec.Containers[0].Resources.Requests.Memory().String(); got != "16Mi" {
		t.Errorf("the LimitRange gives %s of memory, want 16Mi", got)
	}
	if s.own { // Elsewhere, nobody has its image.
		say("a pod within the limits runs after %s, with the memory that the LimitRange gives", eventually(t, "the pod", func(ctx context.Context) error {
			pod, err := as.CoreV1().Pods(own).Get(ctx, made.Name, metav1.GetOptions{})
			if err == nil && pod.Status.Phase != corev1.PodRunning {
				err = fmt.Errorf("it is %s", pod.Status.Phase)
			}
			return err
		}))
	}
	_, err = as.CoreV1().Pods(own).Create(ctx, s.tenantPod("second"), metav1.CreateOptions{})
	if refused(err) != nil {
		t.Errorf("a pod over the quota: %v", err)
	}
	say("a second pod is refused: %v", err)
	eventually(t, "the quota to be counted", func(ctx context.Context) error {
		quotas, err := as.CoreV1().ResourceQuotas(own).List(ctx, metav1.ListOptions{})
		if err != nil || len(quotas.Items) != 1 {
			return fmt.Errorf("%d quotas: %w", len(quotas.Items), err)
		}
		used := quotas.Items[0].Status.Used
		if used.Pods().Value() != 1 {
			return fmt.Errorf("used: %v", used)
		}
		return nil
	})
	say("the quota counts one pod")
	var policy networkingv1.NetworkPolicy
	s.get(t, &policy, own, "own-pods")
	say("the NetworkPolicy %s is there; this node's CNI plugin enforces none, so that is not shown", policy.Name)
	if err := as.CoreV1().Pods(own).Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}
