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
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

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
	t.Helper()
	ctx, b := t.Context(), newBalancer(t, s)
	s.found(t, b, "limited", map[string]string{"plan": "limited"})
	s.waitOrganizations(t) // Its namespace is there before its limits are.
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
		took := eventually(t, "the pod", func(ctx context.Context) error {
			pod, err := as.CoreV1().Pods(own).Get(ctx, made.Name, metav1.GetOptions{})
			if err == nil && pod.Status.Phase != corev1.PodRunning {
				err = fmt.Errorf("it is %s", pod.Status.Phase)
			}
			return err
		})
		say("a pod within the limits runs after %s, with the memory that the LimitRange gives", took)
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
